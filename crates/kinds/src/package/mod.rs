//! The package for leaving: everything of a solution as one tar, with a page that says by which commands it comes back on a Debian that knows nothing
//! of the platform. It is made by a task of the solution's own uid, whose standard output it is.
//!
//! A kind says how its data is got out and how it is put back; the rest is here.

use crate::{Io, Order, Sandbox, Task};
use husorden_base::Bytes;

/// Seconds that a package may take.
const LIMIT_S: u32 = 12 * 3600;
/// Where generated files lie.
const GENERATED: &str = "/run/conf";
/// The mark that such a task leaves. It says nothing; a task leaves one.
const MARK: (&str, &str) = ("package", "done");

/// The task that packs, in this sandbox. `script` calls `one` and `stream` for what there is beside page and settings; `readme` is the page's part of
/// this kind.
pub(crate) fn task(order: &Order, mut sandbox: Sandbox, script: &str, readme: &str) -> Task {
    let file = |name: &str| format!("{GENERATED}/{name}");
    let settings = serde_json::to_string_pretty(&order.spec).expect("a spec is JSON");
    sandbox.files.extend([
        (file("pack.sh"), include_str!("pack.sh").to_owned()),
        (file("package.sh"), format!(". {GENERATED}/pack.sh\nbegin\n{script}end\n")),
        (file("README.md"), format!("{}{readme}", include_str!("README.md"))),
        (file("settings.json"), settings + "\n"),
    ]);
    sandbox.argv = vec!["/bin/bash".to_owned(), file("package.sh")];
    sandbox.env.insert("TOP".to_owned(), format!("solution-{}", order.number));
    "/tmp".clone_into(&mut sandbox.cwd);
    sandbox.limits.memory = Bytes::mib(384);
    sandbox.limits.pids = 48;
    sandbox.limits.io = Io::BACKGROUND;
    let marks = vec![(MARK.0.to_owned(), MARK.1.to_owned())];
    Task { name: "package".to_owned(), sandbox, stdin: String::new(), marks, limit_s: LIMIT_S }
}
