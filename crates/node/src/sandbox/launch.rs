//! What a child does between fork and exec, where only the kernel can be asked.
#![allow(unsafe_code, reason = "what runs between fork and exec can only be given to the kernel in this way")]

use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
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

/// What a child is to do before it becomes the tool.
#[derive(Debug, Default)]
pub(crate) struct Before {
    /// A cgroup's `cgroup.procs`, to write itself into.
    pub(crate) join: Option<File>,
    /// A mount to take away, in a mount namespace of its own.
    pub(crate) hide: Option<CString>,
    /// To be the descriptors from [`LISTENER_FD`] on; their own numbers must be higher than all of those.
    pub(crate) listeners: Vec<OwnedFd>,
}

/// Has `command` do `before` first. The child leads a session of its own, so that keys pressed at the node's terminal do not
/// reach it, and dies with the thread that started it, so that a start is never half done behind a dead node's back.
pub(crate) fn prepare(command: &mut Command, before: Before) {
    let steps = move || -> io::Result<()> {
        setsid()?;
        set_parent_process_death_signal(Some(Signal::KILL))?;
        if let Some(join) = &before.join {
            rustix::io::write(join, b"0")?;
        }
        if let Some(hide) = &before.hide {
            // SAFETY: only the mount namespace changes, and this process has one thread: it has just been forked.
            unsafe { unshare_unsafe(UnshareFlags::NEWNS) }?;
            mount_change(c"/", MountPropagationFlags::REC | MountPropagationFlags::PRIVATE)?;
            unmount(hide.as_c_str(), UnmountFlags::DETACH)?;
        }
        for (listener, number) in before.listeners.iter().zip(LISTENER_FD..) {
            // SAFETY: dup2 is async-signal-safe; both are plain descriptor numbers, and what the target number held is
            // closed on exec in any case.
            if unsafe { nix::libc::dup2(listener.as_raw_fd(), number) } < 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: the closure makes system calls on values that were made before the fork; it allocates nothing and takes no
    // lock.
    unsafe { command.pre_exec(steps) };
}
