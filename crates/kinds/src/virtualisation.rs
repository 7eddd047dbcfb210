//! What a machine's own virtualisation is worth to the guests of a kind: found out by booting one, for that the device is there says nothing.

use husorden_base::Text;
use serde::{Deserialize, Serialize};

/// What a boot has shown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Virtualisation {
    /// Nobody has tried yet; it is tried as soon as what that needs is built.
    #[default]
    Untried,
    /// A guest booted on it.
    Boots,
    /// There is none, or no guest boots on it. Guests are emulated.
    Fails {
        /// Why.
        reason: Text,
    },
}
