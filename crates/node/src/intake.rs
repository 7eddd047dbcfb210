//! Taking an uploaded archive in: fetched from control, unpacked by [`crate::unpack`] in a sandbox as the solution's uid.

use crate::Node;
use crate::sandbox::Streamed;
use crate::unpack::{INSIDE_FILES, INSIDE_SCRATCH, refuse};
use husorden_base::{Bytes, OrderId, Refusal};
use husorden_kinds::{Bind, Io, Kind, Limits, Network, Place, RuntimeSight, Sandbox, Task, TaskSight, kind};
use husorden_wire::node::Wish;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// This binary inside the sandbox.
const INSIDE_TOOL: &str = "/run/husorden-tool";
/// Seconds an archive may take.
const LIMIT_S: u32 = 1800;
/// Pause between two looks at it.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// An archive as control tells of it.
pub(crate) struct Archive<'a> {
    pub(crate) format: &'a str,
    pub(crate) bytes: u64,
    pub(crate) into: &'a str,
}

impl Archive<'_> {
    fn argv(&self) -> Vec<String> {
        let bytes = self.bytes.to_string();
        let words = [INSIDE_TOOL, "unpack", "--format", self.format, "--bytes", &bytes, "--into", self.into];
        words.map(str::to_owned).to_vec()
    }
}

/// Fetches an order's archive from control and unpacks it in a sandbox. Root touches none of its bytes: the connection to
/// control is the sandbox's standard input.
pub(crate) fn take(node: &Arc<Node>, wish: &Wish, order: OrderId, archive: &Archive<'_>) -> Result<(), Refusal> {
    let Some((files, scratch)) = kind(&wish.kind).and_then(Kind::intake) else {
        return Err(refuse(
            "no-archives",
            &("Løsningen tager ikke imod arkiver".to_owned(), "The solution takes no archives".to_owned()),
        ));
    };
    let not_now = |error: &dyn std::error::Error| crate::verbs::ours(error);
    let ready = node
        .runtimes
        .sights()
        .into_iter()
        .find(|(name, sight)| *sight == RuntimeSight::Ready && node.runtimes.path(name, None).is_some());
    let Some((runtime, _)) = ready else {
        return Err(not_now(&io::Error::other("no runtime is ready for the archive's sandbox")));
    };
    let folder = |name: &str, to: &str| Bind { from: Place::Folder(name.to_owned()), to: to.to_owned(), write: true };
    let sandbox = Sandbox {
        runtime,
        argv: archive.argv(),
        env: BTreeMap::new(),
        cwd: "/".to_owned(),
        binds: vec![
            folder(files, INSIDE_FILES),
            folder(scratch, INSIDE_SCRATCH),
            Bind { from: Place::Tool, to: INSIDE_TOOL.to_owned(), write: false },
        ],
        files: BTreeMap::new(),
        limits: Limits { memory: Bytes::mib(256), cpu_percent: 100, pids: 16, io: Io::BACKGROUND },
        network: Network::Nothing,
    };
    let task = Task {
        name: "unpack".to_owned(),
        sandbox,
        stdin: String::new(),
        // Says on the volume which archive it holds; a node that died after this does not unpack it twice.
        marks: vec![("unpacked".to_owned(), order.to_string())],
        limit_s: LIMIT_S,
    };
    let volume = node.volume(wish.number);
    let unpacked = || volume.marks().is_ok_and(|marks| marks.get("unpacked") == Some(&order.to_string()));
    if unpacked() {
        return Ok(());
    }
    let stream = crate::control::fetch(&node.config.control_socket, &node.config.name, order)
        .map_err(|error| not_now(&error))?;
    let streamed = Streamed { stdin: Some(stream.into()), stdout: None };
    match run(node, wish, &task, streamed).map_err(|error| not_now(&error))? {
        None => Ok(()),
        Some(reason) => Err(said(&reason)),
    }
}

/// Whether a task has left all its marks.
pub(crate) fn left(task: &Task, marks: &BTreeMap<String, String>) -> bool {
    task.marks.iter().all(|(key, value)| marks.get(key) == Some(value))
}

/// Runs a task to its end beside the passes; its last words where it failed.
///
/// # Errors
/// When it could not be run, or left no mark.
pub(crate) fn run(node: &Arc<Node>, wish: &Wish, task: &Task, streamed: Streamed) -> io::Result<Option<String>> {
    let marked = || node.volume(wish.number).marks().is_ok_and(|marks| left(task, &marks));
    node.sandboxes.task_start_with(wish.number, task, streamed).map_err(io::Error::other)?;
    loop {
        std::thread::sleep(LOOK_PAUSE);
        match node.sandboxes.sight(wish.number).tasks.remove(&task.name) {
            Some(TaskSight { failed: None, .. }) => {}
            Some(TaskSight { failed: Some(reason), .. }) => {
                node.sandboxes.task_forget(wish.number, &task.name).map_err(io::Error::other)?;
                return Ok(Some(reason));
            }
            None if marked() => return Ok(None),
            None => return Err(io::Error::other(format!("the task {} ended and left no mark", task.name))),
        }
    }
}

/// What the tool said when it refused: its last words are the refusal as JSON.
fn said(reason: &str) -> Refusal {
    let refusal = reason.find('{').and_then(|start| serde_json::from_str(&reason[start..]).ok());
    refusal.unwrap_or_else(|| {
        tracing::warn!(reason, "an archive's sandbox gave no answer");
        let why = ("Udpakningen blev afbrudt".to_owned(), "Unpacking was cut short".to_owned());
        refuse("archive-unpack", &why)
    })
}
