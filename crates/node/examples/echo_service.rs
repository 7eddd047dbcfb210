//! The service that the tests of the sandbox wall run inside: it answers on descriptor 3, and does wrong when asked to.
#![allow(unsafe_code, reason = "it asks the kernel for what a sandbox must not get, which no library offers")]
#![allow(clippy::print_stdout, reason = "a program for tests")]
#![allow(clippy::unwrap_used, reason = "a program for tests")]

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::SignalFd;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

fn main() {
    let words: Vec<String> = std::env::args().collect();
    match words[1].as_str() {
        "serve" => serve(Duration::ZERO),
        "serve-late" => serve(Duration::from_millis(1_500)),
        "fail" => {
            eprintln!("no luck today");
            std::process::exit(3);
        }
        "probe" => probe(),
        "task" => task(&words[2..]),
        other => panic!("{other}?"),
    }
}

/// One line in, one line out, one connection after the other; ends on SIGTERM when the line in hand is answered. A SIGTERM while
/// it starts makes it hang, as it does MariaDB.
fn serve(start: Duration) {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGTERM);
    mask.thread_block().unwrap();
    let signals = SignalFd::new(&mask).unwrap();
    std::thread::sleep(start);
    if !start.is_zero() && poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], PollTimeout::ZERO).unwrap() > 0
    {
        std::thread::sleep(Duration::from_secs(3_600));
    }
    // SAFETY: the node puts the listening socket there, and nothing else in this program uses the number.
    let listener = unsafe { UnixListener::from_raw_fd(3) };
    let born = std::fs::read_to_string("/proc/self/stat").unwrap().split(' ').nth(21).unwrap().to_owned();
    loop {
        let mut fds =
            [PollFd::new(signals.as_fd(), PollFlags::POLLIN), PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::NONE).unwrap();
        if fds[0].any() == Some(true) {
            return;
        }
        if let Ok((stream, _)) = listener.accept() {
            answer(stream, &born);
        }
    }
}

fn answer(mut stream: UnixStream, born: &str) {
    let mut line = String::new();
    if BufReader::new(&stream).read_line(&mut line).is_err() {
        return;
    }
    match line.trim() {
        "crash" => std::process::abort(),
        "eat" => eat(),
        // SAFETY: the call takes numbers only.
        "shut" => unsafe {
            libc::shutdown(3, libc::SHUT_RDWR);
            libc::_exit(0);
        },
        "slow" => std::thread::sleep(Duration::from_millis(300)),
        "count" => {
            // Counts until the other side goes away, so that a freeze can be seen.
            for count in 0u64.. {
                if stream.write_all(&count.to_ne_bytes()).is_err() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        _ => {}
    }
    // Who has gone meanwhile needs no answer.
    let _ = writeln!(stream, "{born} {}", line.trim());
}

fn eat() {
    let mut all = Vec::new();
    loop {
        all.push(vec![1u8; 1 << 20]);
        std::hint::black_box(&all);
    }
}

fn task(words: &[String]) {
    let mut stdin = String::new();
    std::io::stdin().read_to_string(&mut stdin).unwrap();
    println!("got {} bytes", stdin.len());
    match words[0].as_str() {
        "succeed" => std::fs::write("/srv/data/done", stdin).unwrap(),
        "fail" => {
            for line in 0..3000 {
                println!("line {line}");
            }
            eprintln!("it went wrong");
            std::process::exit(7);
        }
        "hang" => std::thread::sleep(Duration::from_secs(3600)),
        "eat" => eat(),
        "fork" => {
            let made = (0..200)
                .map_while(|_| std::thread::Builder::new().spawn(|| std::thread::sleep(Duration::from_secs(3600))).ok())
                .count();
            println!("made {made}");
            std::process::exit(9);
        }
        other => panic!("{other}?"),
    }
}

/// Asks for what must be refused, and says what came of it.
fn probe() {
    let tried = |name: &str, result: libc::c_long| {
        let error = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        println!("{name} {}", if result < 0 { error } else { 0 });
    };
    // SAFETY: none of the calls is given memory of this program, but for the null pointers that make them fail.
    unsafe {
        tried("unshare-user", libc::syscall(libc::SYS_unshare, libc::CLONE_NEWUSER));
        tried("unshare-mount", libc::syscall(libc::SYS_unshare, libc::CLONE_NEWNS));
        tried("clone-user", libc::syscall(libc::SYS_clone, libc::CLONE_NEWUSER | libc::SIGCHLD, 0, 0, 0, 0));
        tried("clone3", libc::syscall(libc::SYS_clone3, 0, 0));
        tried("keyctl", libc::syscall(libc::SYS_keyctl, 0, 0, 0, 0, 0));
        tried("add_key", libc::syscall(libc::SYS_add_key, 0, 0, 0, 0, 0));
        tried("bpf", libc::syscall(libc::SYS_bpf, 0, 0, 0));
        tried("io_uring", libc::syscall(libc::SYS_io_uring_setup, 1, 0));
        tried("userfaultfd", libc::syscall(libc::SYS_userfaultfd, 0));
        tried("perf", libc::syscall(libc::SYS_perf_event_open, 0, 0, 0, 0, 0));
        tried("ptrace", libc::syscall(libc::SYS_ptrace, 0, 0, 0, 0));
        tried("setns", libc::syscall(libc::SYS_setns, 0, 0));
        tried("mount", libc::syscall(libc::SYS_mount, 0, 0, 0, 0, 0));
        tried("socket-packet", libc::syscall(libc::SYS_socket, 17, 3, 0));
        tried("socket-alg", libc::syscall(libc::SYS_socket, 38, 5, 0));
        tried("socket-unix", libc::syscall(libc::SYS_socket, 1, 1, 0));
        tried("nosuch", libc::syscall(4_000, 0));
        // Subvolumes and snapshots of btrfs; the second time with a bit that the kernel does not read.
        for request in [0x5000_940e_u64, 0x5000_9418, 0x5000_9401, 0x5000_9417] {
            tried(&format!("btrfs-{request:x}"), libc::syscall(libc::SYS_ioctl, 0, request, 0));
            tried(&format!("btrfs-high-{request:x}"), libc::syscall(libc::SYS_ioctl, 0, request | 1 << 32, 0));
        }
        // What is passed on fails for its bad descriptor.
        tried("ficlone", libc::syscall(libc::SYS_ioctl, -1, 0x4004_9409_u64, 0));
        tried("fidedupe", libc::syscall(libc::SYS_ioctl, -1, 0xffff_ffff_c018_9436_u64, 0));
    }
    let (reader, _writer) = std::io::pipe().unwrap();
    let mut count: libc::c_int = -1;
    // SAFETY: the descriptor is open, and the kernel writes one int.
    unsafe {
        tried("fionread", libc::c_long::from(libc::ioctl(reader.as_fd().as_raw_fd(), 0x541b, &raw mut count)));
    }
}
