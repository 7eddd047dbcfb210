//! How every solution of the house stands with its proofs, the worst first: the customers' own page, over all accounts.

use crate::ask::{Ask, Reply};
use crate::pages::proofs;
use husorden_base::Refusal;

pub(crate) async fn show(ask: &Ask) -> Result<Reply, Refusal> {
    super::staff_only(ask).await?;
    proofs::show(ask).await
}
