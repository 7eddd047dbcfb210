//! Preloaded into PostgreSQL, which makes its listening sockets itself and answers connections with an error until it has
//! recovered. Both are mended here, so that the node can listen while the server sleeps, and who connects waits and is served:
//!
//! - each socket that it binds becomes the one the node listens on, by its family: descriptor 3 for unix, 4 for IPv4, 5 for IPv6;
//! - until the server notes in `postmaster.pid` that it is ready, it sees nobody on them (`select` up to version 15,
//!   `epoll` after that).
//!
//! Built by the crate's build script as a shared object of its own. It stands on the C library's `syscall` alone, so that it
//! can be loaded into any runtime. Only process 1 of a sandbox, the server itself, is meant; its children keep what they have.
#![no_std]
#![allow(unsafe_code, reason = "it stands in for functions of the C library")]

use core::ffi::{c_int, c_long, c_void};
use core::ptr::null;

#[cfg(target_arch = "x86_64")]
mod number {
    pub(crate) const READ: i64 = 0;
    pub(crate) const CLOSE: i64 = 3;
    pub(crate) const GETPID: i64 = 39;
    pub(crate) const BIND: i64 = 49;
    pub(crate) const EPOLL_CTL: i64 = 233;
    pub(crate) const OPENAT: i64 = 257;
    pub(crate) const PSELECT6: i64 = 270;
    pub(crate) const EPOLL_PWAIT: i64 = 281;
    pub(crate) const DUP3: i64 = 292;
}
#[cfg(target_arch = "aarch64")]
mod number {
    pub(crate) const READ: i64 = 63;
    pub(crate) const CLOSE: i64 = 57;
    pub(crate) const GETPID: i64 = 172;
    pub(crate) const BIND: i64 = 200;
    pub(crate) const EPOLL_CTL: i64 = 21;
    pub(crate) const OPENAT: i64 = 56;
    pub(crate) const PSELECT6: i64 = 72;
    pub(crate) const EPOLL_PWAIT: i64 = 22;
    pub(crate) const DUP3: i64 = 24;
}

const AF_UNIX: u16 = 1;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
const AT_FDCWD: c_long = -100;
const O_WRONLY_CREAT_CLOEXEC: c_long = 0o1 | 0o100 | 0o2_000_000;
const O_RDONLY_CLOEXEC: c_long = 0o2_000_000;
const O_CLOEXEC: c_long = 0o2_000_000;
const EPOLL_CTL_ADD: c_int = 1;
/// How long the server sleeps at most between two looks at whether it is ready.
const LOOK_MS: c_int = 2;
/// Sockets that one server binds.
const EARS_MAX: usize = 3;
/// The line of `postmaster.pid` that says how the server stands (`LOCK_FILE_LINE_PM_STATUS`).
const STATUS_LINE: usize = 8;

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
}

/// As the kernel has it.
#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

/// As the kernel has it; packed on one architecture.
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
#[derive(Clone, Copy)]
struct EpollEvent {
    events: u32,
    data: u64,
}

/// What is known of the server. It has one thread where any of this is used.
struct State {
    ready: bool,
    ears: [c_int; EARS_MAX],
    count: usize,
    /// What was to be watched while nobody was to be seen: the set, and the event of each ear.
    later: [Option<(c_int, c_int, EpollEvent)>; EARS_MAX],
}

struct Only(core::cell::UnsafeCell<State>);
// SAFETY: the server is one thread; its children have copies of their own.
unsafe impl Sync for Only {}

static STATE: Only =
    Only(core::cell::UnsafeCell::new(State { ready: false, ears: [-1; EARS_MAX], count: 0, later: [None; EARS_MAX] }));

fn state() -> &'static mut State {
    // SAFETY: no reference outlives the function that asked for it, and there is one thread.
    unsafe { &mut *STATE.0.get() }
}

/// Whether nobody is to be seen yet.
fn hides() -> bool {
    let state = state();
    if state.ready || state.count == 0 {
        return false;
    }
    state.ready = noted_ready();
    !state.ready
}

/// What the server notes of itself, in the folder of its data, which it works in.
fn noted_ready() -> bool {
    let mut text = [0_u8; 512];
    // SAFETY: plain system calls; the buffer is as long as is said.
    let length = unsafe {
        let file = syscall(number::OPENAT, AT_FDCWD, c"postmaster.pid".as_ptr(), O_RDONLY_CLOEXEC);
        if file < 0 {
            return false;
        }
        let length = syscall(number::READ, file, text.as_mut_ptr(), text.len());
        syscall(number::CLOSE, file);
        length
    };
    let text = text.get(..usize::try_from(length).unwrap_or(0)).unwrap_or(&[]);
    let line = text.split(|byte| *byte == b'\n').nth(STATUS_LINE - 1);
    line.is_some_and(|line| line.starts_with(b"ready"))
}

/// Stands in for bind(2).
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
        if syscall(number::DUP3, c_long::from(listener), c_long::from(socket), O_CLOEXEC) < 0 {
            return -1;
        }
        let state = state();
        if let Some(place) = state.ears.get_mut(state.count) {
            *place = socket;
            state.count += 1;
        }
        0
    }
}

/// Stands in for select(2), as the server waits up to version 15.
///
/// # Safety
/// As select(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn select(
    count: c_int,
    read: *mut u64,
    write: *mut u64,
    other: *mut u64,
    timeout: *mut [i64; 2],
) -> c_int {
    // SAFETY: the sets are as long as the caller vouches for by the count; system calls with its arguments.
    unsafe {
        let mut wait = timeout.as_ref().map(|time| Timespec { seconds: time[0], nanoseconds: time[1] * 1000 });
        if !read.is_null() && hides() {
            for ear in state().ears.iter().filter(|ear| (0..count).contains(*ear)) {
                let word = read.add(*ear as usize / 64);
                *word &= !(1 << (*ear as usize % 64));
            }
            wait = Some(Timespec { seconds: 0, nanoseconds: i64::from(LOOK_MS) * 1_000_000 });
        }
        let wait = wait.as_ref().map_or(null(), core::ptr::from_ref);
        syscall(number::PSELECT6, c_long::from(count), read, write, other, wait, null::<c_void>()) as c_int
    }
}

/// Stands in for epoll_ctl(2): an ear is watched only when somebody may be seen on it.
///
/// # Safety
/// As epoll_ctl(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn epoll_ctl(set: c_int, verb: c_int, file: c_int, event: *const c_void) -> c_int {
    // SAFETY: the event is read only where the caller vouches for it; a system call with its arguments.
    unsafe {
        if verb == EPOLL_CTL_ADD && !event.is_null() && hides() {
            let state = state();
            if let Some(at) = state.ears.iter().position(|ear| *ear == file) {
                state.later[at] = Some((set, file, event.cast::<EpollEvent>().read_unaligned()));
                return 0;
            }
        }
        syscall(number::EPOLL_CTL, c_long::from(set), c_long::from(verb), c_long::from(file), event) as c_int
    }
}

/// Stands in for epoll_wait(2), as the server waits from version 16 on.
///
/// # Safety
/// As epoll_wait(2).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn epoll_wait(set: c_int, events: *mut c_void, most: c_int, timeout: c_int) -> c_int {
    let mut wait = timeout;
    if hides() {
        wait = if timeout < 0 { LOOK_MS } else { timeout.min(LOOK_MS) };
    } else {
        for later in &mut state().later {
            if let Some((set, file, event)) = later.take() {
                // SAFETY: a system call on what the server itself gave before.
                unsafe {
                    let event = core::ptr::from_ref(&event);
                    syscall(number::EPOLL_CTL, c_long::from(set), c_long::from(EPOLL_CTL_ADD), c_long::from(file), event);
                }
            }
        }
    }
    // SAFETY: a system call with the caller's arguments.
    unsafe {
        let (most, wait) = (c_long::from(most), c_long::from(wait));
        syscall(number::EPOLL_PWAIT, c_long::from(set), events, most, wait, null::<c_void>(), 8 as c_long) as c_int
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
