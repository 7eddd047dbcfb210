//! A plugin of MariaDB: each password that is set in SQL is put before the platform's judge, whose words are the error.
//!
//! What stands here is the server's interface to plugins (`mysql/plugin_password_validation.h`), as versions 10.7 to 11.8 have it.
#![no_std]
#![allow(unsafe_code, reason = "it is called by a server in C++")]

mod ask;

use core::ffi::{CStr, c_char, c_int, c_uint, c_ulong, c_void};
use core::ptr::null;

/// `ER_NOT_VALID_PASSWORD`.
const NOT_VALID: c_uint = 1819;
/// `MariaDB_PASSWORD_VALIDATION_PLUGIN`.
const KIND: c_int = 8;
/// `PLUGIN_LICENSE_PROPRIETARY`, a word without meaning to the server.
const LICENSE: c_int = 0;
/// `MariaDB_PLUGIN_MATURITY_STABLE`.
const STABLE: c_uint = 4;

/// A text of the server.
#[repr(C)]
struct Lex {
    text: *const u8,
    length: usize,
}

unsafe extern "C" {
    /// Says an error. The service that stands for it has another version in each version of the server, and this function has not.
    fn my_printf_error(number: c_uint, format: *const c_char, flags: c_ulong, ...);
}

#[repr(C)]
struct Validation {
    version: c_int,
    validate: unsafe extern "C" fn(*const Lex, *const Lex, *const Lex) -> c_int,
}

/// `st_maria_plugin`.
#[repr(C)]
struct Plugin {
    kind: c_int,
    info: *const Validation,
    name: *const c_char,
    author: *const c_char,
    about: *const c_char,
    license: c_int,
    begin: *const c_void,
    end: *const c_void,
    version: c_uint,
    status: *const c_void,
    variables: *const c_void,
    version_text: *const c_char,
    maturity: c_uint,
}

/// Read by the server alone.
#[repr(transparent)]
struct Fixed<T>(T);
// SAFETY: nothing writes it.
unsafe impl<T> Sync for Fixed<T> {}

const fn plugin(kind: c_int, info: *const Validation, name: &CStr, about: &CStr, maturity: c_uint) -> Plugin {
    Plugin {
        kind,
        info,
        name: name.as_ptr(),
        author: c"Husorden".as_ptr(),
        about: about.as_ptr(),
        license: LICENSE,
        begin: null(),
        end: null(),
        version: 0x0100,
        status: null(),
        variables: null(),
        version_text: c"1.0".as_ptr(),
        maturity,
    }
}

static VALIDATION: Validation = Validation { version: 0x0101, validate };

#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the server's word")]
static _maria_plugin_interface_version_: c_int = 0x010e;
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the server's word")]
static _maria_sizeof_struct_st_plugin_: c_int = size_of::<Plugin>() as c_int;
#[unsafe(no_mangle)]
#[allow(non_upper_case_globals, reason = "the server's word")]
static _maria_plugin_declarations_: Fixed<[Plugin; 2]> = Fixed([
    plugin(KIND, &raw const VALIDATION, c"husorden_password", c"The platform's judge of passwords", STABLE),
    // The end of the list.
    plugin(0, null(), c"", c"", 0),
]);

/// Not zero where the password is refused.
unsafe extern "C" fn validate(user: *const Lex, password: *const Lex, _host: *const Lex) -> c_int {
    // SAFETY: the server hands over texts that outlive the call; what is said ends with a zero.
    unsafe {
        // Names that no customer can have; the platform draws these by lot.
        if bytes(user).starts_with(b"husorden") {
            return 0;
        }
        let Some(refusal) = ask::refusal(bytes(user), bytes(password)) else { return 0 };
        my_printf_error(NOT_VALID, c"%s".as_ptr(), 0, refusal.as_ptr());
    }
    1
}

unsafe fn bytes<'a>(text: *const Lex) -> &'a [u8] {
    // SAFETY: as the caller says; a text that is empty may lie nowhere.
    unsafe {
        match text.as_ref() {
            Some(text) if !text.text.is_null() => core::slice::from_raw_parts(text.text, text.length),
            _ => &[],
        }
    }
}
