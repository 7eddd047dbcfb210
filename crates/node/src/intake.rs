//! Taking an uploaded archive in: fetched from control, unpacked by [`crate::unpack`] in a sandbox as the solution's uid.

use crate::Node;
use crate::sandbox::ResolvedBind;
use crate::unpack::{INSIDE_FILES, INSIDE_SCRATCH, Unpacked, refuse};
use husorden_base::{Bytes, OrderId, Refusal};
use husorden_kinds::{Bind, Kind, Limits, Network, Place, RuntimeSight, Sandbox, kind};
use husorden_wire::node::Wish;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// This binary inside the sandbox.
const INSIDE_TOOL: &str = "/run/husorden-tool";
/// Seconds an archive may take.
const LIMIT_S: u32 = 1800;

/// Fetches an order's archive from control and unpacks it in a sandbox. Root touches none of its bytes: the connection to
/// control is the sandbox's standard input.
pub(crate) fn take(node: &Arc<Node>, wish: &Wish, order: OrderId, format: &str, into: &str) -> Result<(), Refusal> {
    let Some((files, scratch)) = kind(&wish.kind).and_then(Kind::intake) else {
        return Err(refuse("no-archives", &("Løsningen tager ikke imod arkiver".to_owned(), "The solution takes no archives".to_owned())));
    };
    let not_now = |error: &dyn std::error::Error| crate::verbs::ours(error);
    let ready = node.runtimes.sights().into_iter().find(|(name, sight)| {
        *sight == RuntimeSight::Ready && node.runtimes.path(name).is_some()
    });
    let Some((runtime, _)) = ready else {
        return Err(not_now(&io::Error::other("no runtime is ready for the archive's sandbox")));
    };
    let folder = |name: &str, to: &str| Bind { from: Place::Folder(name.to_owned()), to: to.to_owned(), write: true };
    let sandbox = Sandbox {
        runtime,
        argv: [INSIDE_TOOL, "unpack", "--format", format, "--into", into].map(str::to_owned).to_vec(),
        env: BTreeMap::new(),
        cwd: "/".to_owned(),
        binds: vec![folder(files, INSIDE_FILES), folder(scratch, INSIDE_SCRATCH)],
        files: BTreeMap::new(),
        limits: Limits { memory: Bytes::mib(256), cpu_percent: 100, pids: 16 },
        network: Network::Nothing,
    };
    let mut resolved = crate::host::resolve(node, wish, &sandbox).map_err(|trouble| not_now(&trouble))?;
    let tool = std::env::current_exe().map_err(|error| not_now(&error))?;
    resolved.binds.push(ResolvedBind { from: tool, to: INSIDE_TOOL.to_owned(), write: false });
    let archive = crate::control::fetch(&node.config.control_socket, order).map_err(|error| not_now(&error))?;
    let output = node
        .sandboxes
        .run_once(wish.number, "unpack", &sandbox, &resolved, archive.into(), Duration::from_secs(LIMIT_S.into()))
        .map_err(|error| not_now(&error))?;
    match serde_json::from_slice::<Result<Unpacked, Refusal>>(&output) {
        Ok(result) => result.map(drop),
        Err(error) => {
            tracing::warn!(output = %String::from_utf8_lossy(&output), "an archive's sandbox gave no answer");
            Err(not_now(&error))
        }
    }
}

