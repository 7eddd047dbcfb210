//! Asks the platform's own program, in the sandbox of a server, what it thinks of a password that somebody sets in SQL. So there is one
//! judge, and no rule of its own in any engine.
//!
//! The program is handed user and password on its standard input and answers with a text where it refuses. It stands on functions of the
//! C library that every runtime's has, so that one library can be loaded into any of them.

use core::ffi::{c_char, c_int, c_long, c_void};
use core::ptr::null;

/// The program, and what it is asked for.
const PROGRAM: &core::ffi::CStr = c"/run/conf/husorden";
const VERB: &core::ffi::CStr = c"judge";
/// More of a name or a password is not handed over: it is too long anyway.
const BYTES_MAX: usize = 2048;
/// The longest answer, with the zero at its end.
pub(crate) const ANSWER_BYTES: usize = 1024;
/// How long an answer may take.
const PATIENCE_S: c_long = 10;
/// What is said where there was no answer.
const UNJUDGED: &[u8] = b"The password could not be judged now. Try again, or set it in the panel.";

const AF_UNIX: c_int = 1;
const SOCK_STREAM_CLOEXEC: c_int = 1 | 0o2_000_000;
const SOL_SOCKET: c_int = 1;
const SO_RCVTIMEO: c_int = 20;
const MSG_NOSIGNAL: c_int = 0x4000;
const SHUT_WR: c_int = 1;
const SIGKILL: c_int = 9;
const EINTR: c_int = 4;
/// More than any C library's list of what a new program finds open.
const ACTIONS_BYTES: usize = 512;

unsafe extern "C" {
    fn socketpair(domain: c_int, kind: c_int, protocol: c_int, pair: *mut c_int) -> c_int;
    fn setsockopt(socket: c_int, level: c_int, name: c_int, value: *const c_void, length: u32) -> c_int;
    fn send(socket: c_int, bytes: *const c_void, length: usize, flags: c_int) -> isize;
    fn recv(socket: c_int, bytes: *mut c_void, length: usize, flags: c_int) -> isize;
    fn shutdown(socket: c_int, how: c_int) -> c_int;
    fn close(file: c_int) -> c_int;
    fn kill(process: c_int, signal: c_int) -> c_int;
    fn waitpid(process: c_int, status: *mut c_int, flags: c_int) -> c_int;
    fn posix_spawn_file_actions_init(actions: *mut c_void) -> c_int;
    fn posix_spawn_file_actions_adddup2(actions: *mut c_void, from: c_int, to: c_int) -> c_int;
    fn posix_spawn_file_actions_destroy(actions: *mut c_void) -> c_int;
    fn posix_spawn(
        process: *mut c_int,
        path: *const c_char,
        actions: *const c_void,
        attributes: *const c_void,
        arguments: *const *const c_char,
        environment: *const *const c_char,
    ) -> c_int;
    fn __errno_location() -> *mut c_int;
}

/// Room for a list of what a new program finds open, aligned as anything may want it.
#[repr(C, align(16))]
struct Actions([u8; ACTIONS_BYTES]);

/// Why this password is refused, as a text that ends with a zero; none where it is fine.
pub(crate) fn refusal(user: &[u8], password: &[u8]) -> Option<[u8; ANSWER_BYTES]> {
    let mut answer = [0; ANSWER_BYTES];
    // SAFETY: system calls on descriptors that are made and closed here, with buffers as long as is said.
    let (code, said) = unsafe { exchange(user, password, &mut answer) };
    match (code, said) {
        (Some(0), _) => return None,
        (Some(1), 1..) => answer[said..].fill(0),
        _ => {
            answer.fill(0);
            answer[..UNJUDGED.len()].copy_from_slice(UNJUDGED);
        }
    }
    Some(answer)
}

/// The program's exit code, if it ended by itself, and how much it said.
unsafe fn exchange(user: &[u8], password: &[u8], answer: &mut [u8; ANSWER_BYTES]) -> (Option<c_int>, usize) {
    // SAFETY: as the caller says.
    unsafe {
        let mut pair = [-1; 2];
        if socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC, 0, pair.as_mut_ptr()) != 0 {
            return (None, 0);
        }
        let [ours, theirs] = pair;
        let process = spawn(theirs);
        close(theirs);
        let mut said = 0;
        if process.is_some() {
            let patience = [PATIENCE_S, 0];
            let length = size_of_val(&patience) as u32;
            setsockopt(ours, SOL_SOCKET, SO_RCVTIMEO, patience.as_ptr().cast(), length);
            for part in [user, b"\0", password] {
                let part = part.get(..BYTES_MAX).unwrap_or(part);
                send(ours, part.as_ptr().cast(), part.len(), MSG_NOSIGNAL);
            }
            shutdown(ours, SHUT_WR);
            // The last byte stays zero.
            while said < ANSWER_BYTES - 1 {
                match recv(ours, answer.as_mut_ptr().add(said).cast(), ANSWER_BYTES - 1 - said, 0) {
                    more @ 1.. => said += more as usize,
                    0 => break,
                    _ if *__errno_location() == EINTR => {}
                    _ => {
                        kill(process.unwrap_or(0), SIGKILL);
                        break;
                    }
                }
            }
        }
        close(ours);
        (process.and_then(|process| ended(process)), said)
    }
}

/// Starts the program with this socket as its standard input and output, and nothing in its environment.
unsafe fn spawn(socket: c_int) -> Option<c_int> {
    let mut actions = Actions([0; ACTIONS_BYTES]);
    let actions = (&raw mut actions).cast::<c_void>();
    let arguments = [PROGRAM.as_ptr(), VERB.as_ptr(), null()];
    let environment = [null()];
    let mut process = 0;
    // SAFETY: the lists end with a null and outlive the call; the room for actions is larger than any of them.
    unsafe {
        posix_spawn_file_actions_init(actions);
        posix_spawn_file_actions_adddup2(actions, socket, 0);
        posix_spawn_file_actions_adddup2(actions, socket, 1);
        let failed = posix_spawn(
            &raw mut process,
            PROGRAM.as_ptr(),
            actions,
            null(),
            arguments.as_ptr(),
            environment.as_ptr(),
        );
        posix_spawn_file_actions_destroy(actions);
        (failed == 0).then_some(process)
    }
}

/// Waits for the program to end; its exit code, if it had one.
unsafe fn ended(process: c_int) -> Option<c_int> {
    let mut status = 0;
    // SAFETY: a child of ours, waited for once.
    unsafe {
        while waitpid(process, &raw mut status, 0) < 0 {
            if *__errno_location() != EINTR {
                return None;
            }
        }
    }
    (status & 0x7f == 0).then_some((status >> 8) & 0xff)
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
