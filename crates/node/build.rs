//! Builds the library that hands listening sockets to servers: a shared object of its own, carried in the program.

use std::env;
use std::path::PathBuf;
use std::process::Command;

fn main() {
    let source = "src/listen/library.rs";
    println!("cargo::rerun-if-changed={source}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join("liblisten.so");
    let mut rustc = Command::new(env::var_os("RUSTC").expect("cargo sets RUSTC"));
    rustc.args(["--edition=2024", "--crate-name=listen", "--crate-type=cdylib", "--target"]);
    rustc.arg(env::var_os("TARGET").expect("cargo sets TARGET"));
    rustc.args(["-Cpanic=abort", "-Copt-level=s", "-Cstrip=symbols", "-Clink-arg=-lc", "-o"]).arg(&out).arg(source);
    let status = rustc.status().expect("rustc can be run");
    assert!(status.success(), "building {source}: {status}");
}
