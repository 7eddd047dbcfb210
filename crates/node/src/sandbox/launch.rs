//! What a child does between fork and exec, where only the kernel can be asked.
#![allow(unsafe_code, reason = "what runs between fork and exec can only be given to the kernel in this way")]

use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::process::{Signal, set_parent_process_death_signal, setsid};
use rustix::thread::{UnshareFlags, unshare_unsafe};
use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The descriptor under which a service finds its first listening socket; others follow.
pub(crate) const LISTENER_FD: i32 = 3;

/// Listening sockets of one service: unix, IPv4, IPv6.
pub(crate) const LISTENERS_MAX: usize = 3;

/// The first descriptor that is none of a listener's.
pub(crate) const ABOVE: i32 = LISTENER_FD + LISTENERS_MAX as i32;

/// What a child is to do before it becomes the tool.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// A cgroup's `cgroup.procs`, to write itself into.
    pub(crate) join: Option<File>,
    /// A folder to cover, in a mount namespace of its own.
    pub(crate) hide: Option<CString>,
    /// To be the descriptors from [`LISTENER_FD`] on; their own numbers must be higher than all of those.
    pub(crate) listeners: Vec<OwnedFd>,
}

/// Has `command` do `before` first.
pub(crate) fn prepare(command: &mut Command, before: Before) {
    // SAFETY: the steps make system calls on values that were made before the fork; they allocate nothing and take no lock.
    unsafe { command.pre_exec(move || steps(&before)) };
}

/// In the child. It leads a session of its own, so that keys pressed at the node's terminal do not reach it, and dies with the
/// thread that started it, so that a start is never half done behind a dead node's back.
pub(crate) fn steps(before: &Before) -> io::Result<()> {
    setsid()?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    if let Some(join) = &before.join {
        rustix::io::write(join, b"0")?;
    }
    if let Some(hide) = &before.hide {
        // SAFETY: only the mount namespace changes, and this process has one thread: it has just been forked.
        unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
        mount_change(c"/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
        // Over it, and not in its place: what lies beneath is the machine's, and the tool would write there.
        mount(c"none", hide.as_c_str(), c"tmpfs", MountFlags::empty(), c"size=64k")?;
    }
    for (listener, number) in before.listeners.iter().zip(LISTENER_FD..) {
        // SAFETY: dup2 is async-signal-safe; both are plain descriptor numbers, and what the target number held is
        // closed on exec in any case.
        if unsafe { nix::libc::dup2(listener.as_raw_fd(), number) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
