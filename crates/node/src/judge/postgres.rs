//! A module of PostgreSQL: each password that is set in SQL is put before the platform's judge, and who is refused a change because the
//! disk is used up is told so.
//!
//! What stands here is the server's interface to modules (`fmgr.h`, `commands/user.h`, `utils/elog.h`), as versions 15 to 17 have it;
//! another version does not load it.
#![no_std]
#![allow(unsafe_code, reason = "it is called by a server in C")]

mod ask;

use core::ffi::{CStr, c_char, c_int, c_void};
use core::ptr::{null, null_mut};

/// `ERROR`.
const ERROR: c_int = 21;
/// `PGC_SIGHUP`.
const BY_FILE: c_int = 2;
/// `PASSWORD_TYPE_PLAINTEXT`.
const PLAIN: c_int = 0;
/// Major versions that have this interface.
const VERSIONS: [&[u8]; 3] = [b"15", b"16", b"17"];
const HASHED: &CStr = c"The password can't be used. It came hashed, so it cannot be judged: send it as it is (ALTER ROLE ... PASSWORD, over TLS), or set it in the panel.";

/// `Pg_magic_struct`.
#[repr(C)]
pub struct Magic {
    length: c_int,
    version: c_int,
    arguments_max: c_int,
    index_keys_max: c_int,
    name_bytes: c_int,
    float8_by_value: c_int,
    extra: [u8; 32],
}

/// The beginning of `ErrorData`.
#[repr(C)]
struct ErrorData {
    level: c_int,
    to_server: bool,
    to_client: bool,
    hide_statement: bool,
    hide_context: bool,
    file: *const c_char,
    line: c_int,
    function: *const c_char,
    domain: *const c_char,
    context_domain: *const c_char,
    state: c_int,
    message: *mut c_char,
    detail: *mut c_char,
    detail_log: *mut c_char,
    hint: *mut c_char,
}

type PasswordHook = unsafe extern "C" fn(*const c_char, *const c_char, c_int, usize, bool);
type LogHook = unsafe extern "C" fn(*mut ErrorData);

unsafe extern "C" {
    static mut check_password_hook: Option<PasswordHook>;
    static mut emit_log_hook: Option<LogHook>;
    fn GetConfigOption(name: *const c_char, missing_is_fine: bool, privileged_only: bool) -> *const c_char;
    fn DefineCustomStringVariable(
        name: *const c_char,
        short: *const c_char,
        long: *const c_char,
        value: *mut *mut c_char,
        first: *const c_char,
        context: c_int,
        flags: c_int,
        check: *const c_void,
        assign: *const c_void,
        show: *const c_void,
    );
    fn superuser() -> bool;
    fn errstart(level: c_int, domain: *const c_char) -> bool;
    fn errcode(state: c_int) -> c_int;
    fn errmsg(format: *const c_char, ...) -> c_int;
    fn errfinish(file: *const c_char, line: c_int, function: *const c_char);
    fn pstrdup(text: *const c_char) -> *mut c_char;
}

/// A state of SQL as the server keeps it.
const fn state(code: &[u8; 5]) -> c_int {
    let mut packed = 0;
    let mut at = 0;
    while at < 5 {
        packed |= ((code[at] - b'0') as c_int & 0x3f) << (6 * at);
        at += 1;
    }
    packed
}

/// `ERRCODE_INVALID_PARAMETER_VALUE`, as the server's own check of passwords has it.
const INVALID: c_int = state(b"22023");
/// `ERRCODE_READ_ONLY_SQL_TRANSACTION`.
const READ_ONLY: c_int = state(b"25006");

static mut MAGIC: Magic = Magic {
    length: size_of::<Magic>() as c_int,
    version: 0,
    arguments_max: 100,
    index_keys_max: 32,
    name_bytes: 64,
    float8_by_value: 1,
    extra: *b"PostgreSQL\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
};

/// What whoever is refused a change is told; empty while there is room.
static mut DISK: *mut c_char = null_mut();

/// Says what it was made for: the server's own major version, where it is one of those that this interface is known of.
#[unsafe(no_mangle)]
pub extern "C" fn Pg_magic_func() -> *const Magic {
    // SAFETY: the server has one thread, and asks when its settings are read.
    unsafe {
        let number = GetConfigOption(c"server_version_num".as_ptr(), true, false);
        if !number.is_null() {
            let number = CStr::from_ptr(number).to_bytes();
            let known = VERSIONS.iter().find(|version| number.len() == 6 && number.starts_with(version));
            MAGIC.version = known.map_or(0, |version| {
                100 * (10 * c_int::from(version[0] - b'0') + c_int::from(version[1] - b'0'))
            });
        }
        &raw const MAGIC
    }
}

/// Called when it has been loaded.
#[unsafe(no_mangle)]
pub extern "C" fn _PG_init() {
    // SAFETY: the server has one thread, and these are its own functions with texts that live for ever.
    unsafe {
        DefineCustomStringVariable(
            c"husorden.disk".as_ptr(),
            c"What is said to whoever is refused a change because the disk is used up.".as_ptr(),
            null(),
            &raw mut DISK,
            c"".as_ptr(),
            BY_FILE,
            0,
            null(),
            null(),
            null(),
        );
        check_password_hook = Some(check);
        emit_log_hook = Some(say);
    }
}

/// Refuses a password by an error. What the platform itself sets has been judged before.
unsafe extern "C" fn check(user: *const c_char, password: *const c_char, kind: c_int, _until: usize, _always: bool) {
    // SAFETY: texts of the server that outlive the call; an error leaves by the server's own way, past no value that must be dropped.
    unsafe {
        if superuser() {
            return;
        }
        let refusal = if kind == PLAIN {
            ask::refusal(CStr::from_ptr(user).to_bytes(), CStr::from_ptr(password).to_bytes())
        } else {
            let mut text = [0; ask::ANSWER_BYTES];
            text[..HASHED.count_bytes()].copy_from_slice(HASHED.to_bytes());
            Some(text)
        };
        let Some(refusal) = refusal else { return };
        if errstart(ERROR, null()) {
            errcode(INVALID);
            errmsg(c"%s".as_ptr(), refusal.as_ptr());
            errfinish(c"judge".as_ptr(), 0, c"check".as_ptr());
        }
    }
}

/// Adds a hint to what a change is refused with.
unsafe extern "C" fn say(error: *mut ErrorData) {
    // SAFETY: the server's own record of the error it is about to send, and a setting that it keeps.
    unsafe {
        let because_full = !DISK.is_null() && *DISK != 0;
        if because_full && (*error).level == ERROR && (*error).state == READ_ONLY && (*error).hint.is_null() {
            (*error).hint = pstrdup(DISK);
        }
    }
}
