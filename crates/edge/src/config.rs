//! What the edge is told at start: where it listens, where its files lie, and every limit with its unit in the name.

use serde::Deserialize;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

/// The edge's settings. Unknown fields are refused; what is left out has the value of [`Config::default`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Addresses that speak TLS.
    pub https: Vec<SocketAddr>,
    /// Addresses that speak plain HTTP: redirects, certificate challenges, and sites that are not `https_only`.
    pub http: Vec<SocketAddr>,
    /// Listeners that were bound already, before root was given up. Served besides `https` and `http`.
    #[serde(skip)]
    pub bound: Bound,
    /// The node's unix socket, over which the table comes.
    pub node_socket: PathBuf,
    /// Where the last good table and spooled request bodies lie; the edge's own.
    pub state_dir: PathBuf,
    /// Where each site's logs lie, in a directory named by its number.
    pub log_dir: PathBuf,
    /// PEM chain for names without a certificate of their own.
    pub default_chain: PathBuf,
    /// PEM key that belongs to `default_chain`.
    pub default_key: PathBuf,
    /// The port that redirects to HTTPS name; the first HTTPS listener's when left out.
    pub https_port: Option<u16>,
    /// Threads that serve requests; 0 is one a core.
    pub workers: usize,
    /// The limits.
    pub limits: Limits,
}

/// Listeners bound by the caller.
#[derive(Debug, Default)]
pub struct Bound {
    /// For TLS.
    pub https: Vec<TcpListener>,
    /// For plain HTTP.
    pub http: Vec<TcpListener>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            https: Vec::new(),
            http: Vec::new(),
            bound: Bound::default(),
            node_socket: PathBuf::from("/run/husorden/edge.sock"),
            state_dir: PathBuf::from("/var/lib/husorden/edge"),
            log_dir: PathBuf::from("/var/log/husorden/sites"),
            default_chain: PathBuf::from("/var/lib/husorden/edge/default.pem"),
            default_key: PathBuf::from("/var/lib/husorden/edge/default.key"),
            https_port: None,
            workers: 0,
            limits: Limits::default(),
        }
    }
}

/// Every limit of the edge. A client or a site that reaches one gets an answer that says so; none is unbounded.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Open connections; 0 derives it from the open-files limit.
    pub connections_max: usize,
    /// Open connections of one address (IPv6: of one /64).
    pub connections_per_address_max: usize,
    /// Streams of one HTTP/2 connection.
    pub h2_streams_max: u32,
    /// Bytes of one request's header fields together; more gets 431.
    pub header_bytes_max: usize,
    /// Bytes of the request target; more gets 414.
    pub target_bytes_max: usize,
    /// From connect to the end of the TLS handshake.
    pub handshake_ms_max: u64,
    /// From the first byte of a request to the end of its header.
    pub header_ms_max: u64,
    /// A connection without a request.
    pub keep_alive_ms_max: u64,
    /// Between two pieces of a request body.
    pub body_idle_ms_max: u64,
    /// A client that takes nothing of its answer.
    pub write_stall_ms_max: u64,
    /// Trying to reach a site's FastCGI server while it is refused (the node restarts, the queue is full).
    pub upstream_connect_ms_max: u64,
    /// From the end of the request to the first byte from FastCGI; a sleeping site wakes within it.
    pub upstream_first_byte_ms_max: u64,
    /// Between two pieces of a FastCGI answer.
    pub upstream_idle_ms_max: u64,
    /// A whole request to FastCGI.
    pub request_ms_max: u64,
    /// Requests one site may have at FastCGI at once; more get 503.
    pub upstream_in_flight_max: u32,
    /// Bytes of a request body that are taken into memory before the site is asked. A longer body streams to the site if
    /// its length is stated, and goes to an unnamed file first if not.
    pub spool_memory_bytes_max: usize,
    /// After the signal to stop: how long running answers may take to finish.
    pub drain_ms_max: u64,
    /// Memory for the contents of small files, all sites together.
    pub cache_bytes_max: usize,
    /// Largest file held in memory.
    pub cache_file_bytes_max: usize,
    /// Largest file that is compressed.
    pub gzip_file_bytes_max: usize,
    /// Certificates held in memory.
    pub certificates_max: usize,
    /// Size at which a site's log is turned over.
    pub log_bytes_max: u64,
    /// Turned-over files kept of each log.
    pub log_files_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_max: 0,
            connections_per_address_max: 512,
            h2_streams_max: 128,
            header_bytes_max: 32 << 10,
            target_bytes_max: 8 << 10,
            handshake_ms_max: 10_000,
            header_ms_max: 10_000,
            keep_alive_ms_max: 75_000,
            body_idle_ms_max: 30_000,
            write_stall_ms_max: 30_000,
            upstream_connect_ms_max: 5_000,
            upstream_first_byte_ms_max: 60_000,
            upstream_idle_ms_max: 60_000,
            request_ms_max: 900_000,
            upstream_in_flight_max: 256,
            spool_memory_bytes_max: 64 << 10,
            drain_ms_max: 30_000,
            cache_bytes_max: 64 << 20,
            cache_file_bytes_max: 1 << 20,
            gzip_file_bytes_max: 4 << 20,
            certificates_max: 2_048,
            log_bytes_max: 16 << 20,
            log_files_max: 4,
        }
    }
}

/// Milliseconds of a limit as a duration.
pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_settings_are_refused() {
        let good: Result<Config, _> =
            serde_json::from_str(r#"{"https": ["[::]:443"], "limits": {"header_ms_max": 5}}"#);
        let good = good.expect("known fields");
        assert_eq!(good.limits.header_ms_max, 5);
        assert_eq!(good.limits.keep_alive_ms_max, 75_000);
        assert!(serde_json::from_str::<Config>(r#"{"htps": []}"#).is_err());
        assert!(serde_json::from_str::<Config>(r#"{"limits": {"header_s": 5}}"#).is_err());
    }
}
