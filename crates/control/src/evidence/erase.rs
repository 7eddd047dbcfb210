//! Erasing: personal fields go when their days are over, with their salts; a line says so, and the tree still holds.

use crate::app::App;
use crate::store::log::{self, LoadError};
use husorden_evidence::{Class, leaf};
use serde_json::Value;

/// Leaves in one step, and steps in one run; the next run goes on.
const BATCH: i32 = 500;
const STEPS_MAX: usize = 20;

/// Erases what is due.
pub(crate) async fn due(app: &App) -> Result<(), LoadError> {
    let system = app.doors().system();
    for class in Class::ALL {
        for _ in 0..STEPS_MAX {
            let (from, to) = log::to_erase(system, class.word(), class.days_kept()).await?;
            let rows = if from < to { log::opened(system, from, to, BATCH).await? } else { Vec::new() };
            let Some(last) = rows.last() else { break };
            let through = last.index + 1;
            let (mut leaves, mut paths) = (Vec::new(), Vec::new());
            for row in &rows {
                let body: Value = serde_json::from_str(&row.body).unwrap_or_default();
                for (path, _) in leaf::hidden(&body) {
                    if leaf::class(&path) == class && !row.erased.contains_key(&path) {
                        leaves.push(i64::try_from(row.index).unwrap_or(i64::MAX));
                        paths.push(path);
                    }
                }
            }
            if !leaves.is_empty() {
                tracing::info!(
                    class = class.word(),
                    through,
                    fields = leaves.len(),
                    "evidence is erased, its days are over"
                );
            }
            log::erase(system, class.word(), through, &leaves, &paths).await?;
        }
    }
    app.wake();
    Ok(())
}
