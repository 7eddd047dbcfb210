//! What opens a repository, for the node that an order or a wish sends there, and for nobody else.
//!
//! The line of evidence is written before the vault is asked, and says afterwards what came of it.

use super::LinkError;
use crate::app::App;
use crate::store::node::{self, Unlock};
use crate::vault;
use husorden_base::{OrderId, SolutionId, Text};
use husorden_wire::node::Unlocked;
use std::io;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::OwnedWriteHalf;

/// Longest time for the answer to leave.
const WRITE_WAIT: Duration = Duration::from_secs(10);

/// Answers with one line and closes.
pub(super) async fn answer(
    app: &App,
    node: &str,
    (order, solution, log): (Option<OrderId>, SolutionId, bool),
    recipient: &str,
    mut write: OwnedWriteHalf,
) -> Result<(), LinkError> {
    let system = app.doors().system();
    let found = match log {
        true => node::unlock_log(system, node, solution, recipient, &app.config().backup.target).await?,
        false => node::unlock(system, node, order, solution, recipient).await?,
    };
    let unlocked = match found {
        None if log => Unlocked::Refused {
            why: Text::new(
                "Løsningens log sendes ingen steder hen: planen er slået fra, der er intet mål, eller den er forseglet",
                "The solution's log goes nowhere: its plan is off, there is no target, or it is sealed",
            ),
        },
        None => Unlocked::Refused {
            why: Text::new(
                "Noden har ingen åben ordre, som må bruge nøglen til løsningens sikkerhedskopier",
                "The node has no open order that may use the key of the solution's backups",
            ),
        },
        Some(unlock) => release(app, unlock, log, recipient).await?,
    };
    let mut line = serde_json::to_vec(&unlocked).map_err(io::Error::other)?;
    line.push(b'\n');
    tokio::time::timeout(WRITE_WAIT, write.write_all(&line)).await.map_err(|_| LinkError::Slow("writing"))??;
    write.shutdown().await?;
    Ok(())
}

async fn release(app: &App, unlock: Unlock, log: bool, recipient: &str) -> Result<Unlocked, LinkError> {
    let whose = (unlock.solution, unlock.number);
    let released = vault::release(app, whose, (unlock.make, log), unlock.target, recipient).await;
    let why = released.as_ref().err().map(vault::VaultError::told);
    node::unlocked(app.doors().system(), unlock.evidence, why.as_ref()).await?;
    app.wake();
    Ok(match released {
        Ok(sealed) => Unlocked::Released { sealed, repository: unlock.repository },
        Err(error) => {
            tracing::warn!(%error, solution = %unlock.solution, "a key was not released");
            Unlocked::Refused { why: error.told() }
        }
    })
}
