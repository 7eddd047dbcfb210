//! What passes the links of a namespace, frame by frame.

use crate::port::netns;
use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, socket_with};
use std::num::NonZeroU32;
use std::os::fd::OwnedFd;

/// Bytes of frames that the kernel keeps until they are asked for.
const KEPT_BYTES: usize = 8 << 20;

/// Every frame that passes any link of a namespace from now on.
pub(crate) struct Capture(OwnedFd);

impl Capture {
    /// Of the namespace with this name, or of the calling thread's.
    pub(crate) fn of(name: Option<&str>) -> Self {
        let open = || {
            let every = NonZeroU32::new(u32::from(3_u16.to_be())).map(Protocol::from_raw);
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = socket_with(AddressFamily::PACKET, SocketType::RAW, flags, every).expect("it is root");
            rustix::net::sockopt::set_socket_recv_buffer_size(&socket, KEPT_BYTES).expect("room for what passes");
            Ok(socket)
        };
        Self(name.map_or_else(open, |name| netns::within(name, open)).expect("it is captured"))
    }

    /// What came since.
    pub(crate) fn frames(&self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        let mut frame = [0; 65_536];
        while let Ok(length) = rustix::io::read(&self.0, &mut frame[..]) {
            frames.push(frame[..length].to_vec());
        }
        frames
    }

    /// How many frames that came since have this in them.
    pub(crate) fn holding(&self, what: &[u8]) -> usize {
        self.frames().iter().filter(|frame| frame.windows(what.len()).any(|part| part == what)).count()
    }
}
