//! Which version of a scheme is in use at an instant (docs/adr/0026-a-new-version-is-for-new-rounds.md).

use greenstar_kernel::{Code, Officer, Timestamp};

use super::scheme::SchemeKey;

/// A version comes into use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activation {
    /// The version.
    pub key: SchemeKey,
    /// From when on.
    pub at: Timestamp,
    /// Who decided it.
    pub by: Officer,
    /// When it was decided.
    pub decided_at: Timestamp,
}

/// The version of a scheme that is in use at an instant; `None`: no version of it was activated until then.
pub fn in_force<'a>(
    activations: impl IntoIterator<Item = &'a Activation>,
    scheme: &Code,
    at: Timestamp,
) -> Option<&'a Activation> {
    let of_it = activations
        .into_iter()
        .filter(|activation| activation.key.id == *scheme && activation.at <= at);
    of_it.max_by_key(|activation| activation.at)
}
