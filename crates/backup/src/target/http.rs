//! What targets that speak HTTP have in common: one client, and the way through a socket where whoever asks has no network.

use super::{OBJECT_BYTES_MAX, Pace};
use std::io::{self, Read};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::{Response, StatusCode, Uri};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};
use ureq::{Agent, Body};

const CONNECT: Duration = Duration::from_secs(15);
/// Longest time in which one object must have gone over.
pub(super) const CALL: Duration = Duration::from_secs(900);

/// A client with a network.
pub(super) fn agent() -> Agent {
    config().new_agent()
}

/// A client without one: each connection goes to this socket, behind which somebody else holds one to the server.
pub(super) fn behind(socket: PathBuf) -> io::Result<Agent> {
    let resolver = Loopback(relay(socket)?);
    Ok(Agent::with_parts(config(), DefaultConnector::default(), resolver))
}

fn config() -> Config {
    Agent::config_builder()
        .http_status_as_error(false)
        // A redirection would carry the password to who knows whom.
        .max_redirects(0)
        // What stands in the environment is not what the way was chosen by.
        .proxy(None)
        .timeout_connect(Some(CONNECT))
        .timeout_global(Some(CALL))
        .build()
}

/// Every name leads to one address: TLS still asks for the name.
#[derive(Debug)]
struct Loopback(SocketAddr);

impl Resolver for Loopback {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut found = self.empty();
        found.push(self.0);
        Ok(found)
    }
}

/// Passes each connection to a port of this process's own loopback on to the socket, until the process ends.
fn relay(socket: PathBuf) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            // One that can't be passed on is closed, and whoever made it tries again.
            let Ok(far) = UnixStream::connect(&socket) else { continue };
            let (Ok(near_again), Ok(far_again)) = (near.try_clone(), far.try_clone()) else { continue };
            thread::spawn(move || pass(near, far));
            thread::spawn(move || pass_back(far_again, near_again));
        }
    });
    Ok(address)
}

fn pass(mut from: TcpStream, mut to: UnixStream) {
    drop(io::copy(&mut from, &mut to));
    drop(to.shutdown(Shutdown::Write));
}

fn pass_back(mut from: UnixStream, mut to: TcpStream) {
    drop(io::copy(&mut from, &mut to));
    drop(to.shutdown(Shutdown::Both));
}

/// An object, or a part of it, as a server answered.
pub(super) fn object(answer: Response<Body>, part: Option<Range<u64>>, pace: &Pace) -> Result<Vec<u8>, ureq::Error> {
    let status = answer.status();
    let limit = match (&part, status) {
        (Some(part), StatusCode::PARTIAL_CONTENT) => part.end.saturating_sub(part.start).saturating_add(1),
        _ => OBJECT_BYTES_MAX,
    };
    let mut body = answer.into_body().into_with_config().limit(limit).read_to_vec()?;
    pace.take(body.len());
    if let (Some(part), StatusCode::OK) = (part, status) {
        // A server that knows no ranges sent everything.
        let clamp = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(body.len());
        let (start, end) = (clamp(part.start), clamp(part.end));
        body = body[start..end].to_vec();
    }
    Ok(body)
}

/// A body that goes no faster than the pace.
pub(super) struct Paced<'a> {
    pub(super) rest: &'a [u8],
    pub(super) pace: &'a Pace,
}

impl Read for Paced<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.rest.read(into)?;
        self.pace.take(count);
        Ok(count)
    }
}
