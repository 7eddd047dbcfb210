//! The end of a solution of which nothing is left: the last traces go, and the node forgets it. Its number stays taken for ever.

use crate::Node;
use husorden_wire::node::Wish;
use serde_json::json;
use std::io;
use std::path::Path;
use tracing::{info, warn};

impl Node {
    /// Forgets a solution of which nothing is left, after control has been told. What fails is tried again by the next sweep.
    pub(crate) fn bury(&self, wish: &Wish) {
        if !self.voice.heard() {
            // Control must hear of it first; the next sweep comes here again.
            return;
        }
        if let Err(error) = self.remove_logs(wish) {
            return warn!(solution = %wish.solution, error, "the logs of what is gone stay");
        }
        info!(solution = %wish.solution, "nothing is left of it");
        if let Err(error) = self.register.forget_wish(wish.solution) {
            warn!(solution = %wish.solution, %error, "a wish could not be forgotten");
        }
        // Who was attached to it has nothing to use any more, and says so.
        self.register.attached_to(wish.solution).iter().for_each(|by| self.keeper.wake(by.solution));
        self.reports.forget(wish.solution);
        self.forget_log(wish.solution);
        self.logs_told_of(wish.solution, self.logs_turn());
        self.away.forget(wish.solution);
        self.certificates.forget(wish.number);
        // Only what is empty: a socket that is still there is somebody's.
        let _ = std::fs::remove_dir(self.config.ground.sockets(wish.number));
    }

    /// Removes what the edge wrote down of the site's visitors, with a line of evidence before and after. The edge has forgotten
    /// the site since it was deleted, so it writes nothing more.
    fn remove_logs(&self, wish: &Wish) -> Result<(), String> {
        let Some(folder) = self.config.site_logs.as_ref().map(|logs| logs.join(wish.number.to_string())) else {
            return Ok(());
        };
        // Read again behind the gate, so that neither an undo nor a seal comes in between.
        let _gate = self.gate();
        if self.register.wish(wish.solution).as_ref() != Some(wish) || !self.order(wish).expired {
            return Err("it is not gone and expired any more".to_owned());
        }
        let Some((files, bytes)) = held(&folder).map_err(|error| error.to_string())? else {
            return Ok(());
        };
        let witness = |act: &str, detail| {
            self.register.witness(act, Some(wish.solution), detail).map(drop).map_err(|error| error.to_string())
        };
        let detail = json!({ "files": files, "bytes": bytes });
        witness("log.destroy.begin", detail.clone())?;
        // The folder is the edge's own to write: a link in its place is removed as a link, and never followed.
        let is_folder = std::fs::symlink_metadata(&folder).is_ok_and(|meta| meta.is_dir());
        let removed = if is_folder { std::fs::remove_dir_all(&folder) } else { std::fs::remove_file(&folder) };
        let result = removed.map_err(|error| error.to_string());
        witness("log.destroy.end", json!({ "of": detail, "error": result.as_ref().err() }))?;
        result
    }
}

/// How many files lie in a folder, and how large they are together; none if nothing is there.
fn held(folder: &Path) -> io::Result<Option<(u64, u64)>> {
    let mut sum = (0, 0);
    match std::fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(meta) if meta.is_dir() => {}
        Ok(_) => return Ok(Some(sum)),
    }
    for entry in std::fs::read_dir(folder)? {
        sum = (sum.0 + 1, sum.1 + entry?.metadata()?.len());
    }
    Ok(Some(sum))
}
