//! The child of a backup as a program, for the node's own tests: what they are run from is none that could be started so.

use std::process::ExitCode;

fn main() -> ExitCode {
    if husorden_node::backup::inside() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
