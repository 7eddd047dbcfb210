//! Builds the libraries that servers load: shared objects of their own, carried in the program.

use std::env;
use std::path::PathBuf;
use std::process::Command;

/// Source and name of each.
const LIBRARIES: [(&str, &str); 3] = [
    ("src/listen/library.rs", "listen"),
    ("src/judge/postgres.rs", "judge_postgres"),
    ("src/judge/mariadb.rs", "judge_mariadb"),
];

fn main() {
    println!("cargo::rerun-if-changed=src/judge/ask.rs");
    for (source, name) in LIBRARIES {
        println!("cargo::rerun-if-changed={source}");
        build(source, name);
    }
}

fn build(source: &str, name: &str) {
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR")).join(format!("lib{name}.so"));
    let mut rustc = Command::new(env::var_os("RUSTC").expect("cargo sets RUSTC"));
    rustc.args(["--edition=2024", "--crate-name", name, "--crate-type=cdylib", "--target"]);
    rustc.arg(env::var_os("TARGET").expect("cargo sets TARGET"));
    // As one whole, so that nothing of the language's own runtime is asked for that is not there.
    rustc.args(["-Cpanic=abort", "-Copt-level=s", "-Clto=fat", "-Cstrip=symbols", "-Clink-arg=-lc"]);
    rustc.arg("-o").arg(&out).arg(source);
    let status = rustc.status().expect("rustc can be run");
    assert!(status.success(), "building {source}: {status}");
}
