//! Who is known to a new suite.

use std::path::Path;

use greenstar_rpc::CredentialsError;
use greenstar_rpc::credentials;

/// Three officers of each department, so that one can propose, another confirm, and a third decide an appeal
/// against what the two did; a program of each that follows the logs; two who write the jurisdiction's floor; the
/// operator.
const OFFICERS: [&str; 27] = [
    "licensing",
    "licensing/2",
    "licensing/3",
    "licensing/subscriber",
    "finance",
    "finance/2",
    "finance/3",
    "finance/subscriber",
    "enforcement",
    "enforcement/2",
    "enforcement/3",
    "enforcement/subscriber",
    "procurement",
    "procurement/2",
    "procurement/3",
    "subsidies",
    "subsidies/2",
    "subsidies/3",
    "awards",
    "awards/2",
    "awards/3",
    "rating",
    "rating/2",
    "rating/3",
    "baseline",
    "baseline/2",
    "operator",
];

/// As whom the services call one another.
pub(crate) const SERVICES: [&str; 3] = [FOLLOWER, RATING, SANCTIONS];
pub(crate) const FOLLOWER: &str = "supervision-policy";
pub(crate) const RATING: &str = "rating/subscriber";
pub(crate) const SANCTIONS: &str = "sanctions/subscriber";

/// Writes a new credentials file with a secret for everybody. An existing file is an error.
///
/// # Errors
/// The file cannot be written, or is there.
pub fn create(path: &Path) -> Result<(), CredentialsError> {
    credentials::create(path, &[OFFICERS.as_slice(), SERVICES.as_slice()].concat())
}
