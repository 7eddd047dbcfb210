//! A child that is in its cgroup from its first instruction.
//!
//! Who moves a process from one cgroup to another waits until no thread on the machine is starting or ending any more, some ten
//! milliseconds. A child that is born into a cgroup waits for nobody. The standard library cannot ask for that.
#![allow(unsafe_code, reason = "the kernel's call for a birth into a cgroup has no safe form")]

use super::launch::{self, ABOVE, Before};
use nix::libc;
use std::ffi::{CStr, CString};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;

/// `CLONE_INTO_CGROUP`.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// As the kernel reads it (`struct clone_args`).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// What is to be born.
pub(crate) struct Birth<'a> {
    pub(crate) program: &'a CStr,
    pub(crate) argv: &'a [CString],
    pub(crate) env: &'a [CString],
    /// Standard input, output and error.
    pub(crate) streams: [OwnedFd; 3],
    /// The folder of its cgroup in the v2 tree; none leaves it in this process's.
    pub(crate) cgroup: Option<File>,
    pub(crate) before: Before,
}

/// Starts it, and gives its pid when the program has been executed.
pub(crate) fn born(birth: &Birth<'_>) -> io::Result<u32> {
    let (mut ear, tongue) = io::pipe()?;
    // Above the standard streams and the listener, so that none is overwritten before it has been put in place.
    let high = |fd: &OwnedFd| rustix::io::fcntl_dupfd_cloexec(fd, ABOVE);
    let [stdin, stdout, stderr] = &birth.streams;
    let streams = [high(stdin)?, high(stdout)?, high(stderr)?];
    let mouth = rustix::io::fcntl_dupfd_cloexec(&tongue, ABOVE)?;
    drop(tongue);
    let pointers = |words: &[CString]| -> Vec<*const libc::c_char> {
        words.iter().map(|word| word.as_ptr()).chain([ptr::null()]).collect()
    };
    let (argv, env) = (pointers(birth.argv), pointers(birth.env));
    let arguments = CloneArgs {
        flags: if birth.cgroup.is_some() { INTO_CGROUP } else { 0 },
        exit_signal: u64::from(libc::SIGCHLD.cast_unsigned()),
        cgroup: birth.cgroup.as_ref().map_or(0, |folder| u64::from(folder.as_raw_fd().cast_unsigned())),
        ..CloneArgs::default()
    };
    // SAFETY: without CLONE_VM the child has memory of its own, as after a fork, and what it does until it executes the program
    // is system calls on values that were made before: nothing is allocated and no lock is taken.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, ptr::from_ref(&arguments), size_of::<CloneArgs>()) };
    if pid == 0 {
        let error = become_program(birth, &streams, &argv, &env);
        let code = error.raw_os_error().unwrap_or(libc::EINVAL).to_ne_bytes();
        // Who asked is told why; that it was not heard changes nothing.
        let _ = rustix::io::write(&mouth, &code);
        // SAFETY: ends the child without running anything of the parent's.
        unsafe { libc::_exit(127) };
    }
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    let pid = i32::try_from(pid).map_err(io::Error::other)?;
    drop(mouth);
    let mut code = [0; 4];
    match ear.read_exact(&mut code) {
        // The program's start has closed it: all went well.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(pid.cast_unsigned()),
        read => {
            let _ = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None);
            read?;
            Err(io::Error::from_raw_os_error(i32::from_ne_bytes(code)))
        }
    }
}

/// In the child: returns only if it cannot become the program.
fn become_program(
    birth: &Birth<'_>,
    streams: &[OwnedFd; 3],
    argv: &[*const libc::c_char],
    env: &[*const libc::c_char],
) -> io::Error {
    for (stream, number) in streams.iter().zip(0..) {
        // SAFETY: dup2 is async-signal-safe, and both are plain descriptor numbers.
        if unsafe { libc::dup2(stream.as_raw_fd(), number) } < 0 {
            return io::Error::last_os_error();
        }
    }
    // SAFETY: both are async-signal-safe; the set lives on this stack. This process may ignore broken pipes and block signals
    // for itself; a program begins with neither.
    unsafe {
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, ptr::null_mut());
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }
    if let Err(error) = launch::steps(&birth.before) {
        return error;
    }
    // SAFETY: the path and both lists are C strings that end in null, made before the birth.
    unsafe { libc::execve(birth.program.as_ptr(), argv.as_ptr(), env.as_ptr()) };
    io::Error::last_os_error()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]
    use super::*;
    use std::io::Write;

    fn say(program: &CStr, script: &str) -> io::Result<(i32, String)> {
        let (mut reader, writer) = io::pipe()?;
        let (stdin, mut input) = io::pipe()?;
        input.write_all(b"heard\n")?;
        drop(input);
        let words = |words: &[&str]| words.iter().map(|word| CString::new(*word).unwrap()).collect::<Vec<_>>();
        let birth = Birth {
            program,
            argv: &words(&["sh", "-c", script]),
            env: &words(&["PATH=/usr/bin:/bin", "ONLY=this"]),
            streams: [stdin.into(), writer.try_clone()?.into(), writer.into()],
            cgroup: None,
            before: Before::default(),
        };
        let pid = born(&birth)?;
        drop(birth);
        let mut said = String::new();
        reader.read_to_string(&mut said)?;
        let status = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid.cast_signed()), None).unwrap();
        match status {
            nix::sys::wait::WaitStatus::Exited(_, code) => Ok((code, said)),
            nix::sys::wait::WaitStatus::Signaled(_, signal, _) => Ok((-(signal as i32), said)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_child_has_its_own_streams_and_words_and_no_signal_is_kept_from_it() {
        let (code, said) = say(c"/bin/sh", "cat; echo $ONLY $HOME; exit 7").unwrap();
        assert_eq!((code, said.as_str()), (7, "heard\nthis\n"));
        let (code, said) = say(c"/bin/sh", "(kill -s PIPE $$); echo still here").unwrap();
        assert_eq!(
            (code, said.as_str()),
            (-libc::SIGPIPE, ""),
            "a broken pipe ends it, as it does whoever says no more"
        );
    }

    #[test]
    fn a_program_that_is_not_there_is_an_error_here_and_no_child() {
        let error = say(c"/nowhere/sh", "true").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
