//! Preloaded into a server that makes its listening sockets itself, such as PostgreSQL: each socket that it binds becomes the
//! one the node listens on, by its family: descriptor 3 for unix, 4 for IPv4, 5 for IPv6. So the node can listen while
//! the server sleeps, and a stop loses no connection.
//!
//! Built by the crate's build script as a shared object of its own. It stands on the C library's `syscall` alone, so that it
//! can be loaded into any runtime.
#![no_std]
#![allow(unsafe_code, reason = "it stands in for a function of the C library")]

use core::ffi::{c_int, c_long, c_void};

#[cfg(target_arch = "x86_64")]
mod number {
    pub(crate) const BIND: i64 = 49;
    pub(crate) const DUP3: i64 = 292;
    pub(crate) const OPENAT: i64 = 257;
    pub(crate) const CLOSE: i64 = 3;
    pub(crate) const GETPID: i64 = 39;
}
#[cfg(target_arch = "aarch64")]
mod number {
    pub(crate) const BIND: i64 = 200;
    pub(crate) const DUP3: i64 = 24;
    pub(crate) const OPENAT: i64 = 56;
    pub(crate) const CLOSE: i64 = 57;
    pub(crate) const GETPID: i64 = 172;
}

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const AT_FDCWD: c_long = -100;
const O_WRONLY_CREAT_CLOEXEC: c_long = 0o1 | 0o100 | 0o2_000_000;
const O_CLOEXEC: c_long = 0o2_000_000;

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// Stands in for bind(2). The server is process 1 of its sandbox; what other processes bind is theirs.
///
/// # Safety
/// As bind(2): `address` points to `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bind(socket: c_int, address: *const c_void, length: u32) -> c_int {
    // SAFETY: system calls with the arguments that the caller vouches for; the address is read within its length only.
    unsafe {
        let family = if length >= 2 { address.cast::<u16>().read_unaligned() } else { 0 };
        let listener = match family {
            AF_UNIX => 3,
            AF_INET => 4,
            AF_INET6 => 5,
            _ => 0,
        };
        if listener == 0 || syscall(number::GETPID) != 1 {
            return syscall(number::BIND, c_long::from(socket), address, c_long::from(length)) as c_int;
        }
        if family == AF_UNIX && length > 2 {
            // The server sets the mode of the file that it believes to have made.
            let path = address.cast::<u8>().add(2);
            let file = syscall(number::OPENAT, AT_FDCWD, path, O_WRONLY_CREAT_CLOEXEC, 0o600 as c_long);
            if file >= 0 {
                syscall(number::CLOSE, file);
            }
        }
        if syscall(number::DUP3, c_long::from(listener), c_long::from(socket), O_CLOEXEC) < 0 { -1 } else { 0 }
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
