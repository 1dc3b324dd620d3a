//! Attribute names: OpenTelemetry's where it has one, ours below `greenstar.` otherwise.

/// Always `grpc`: REST and gRPC-Web calls become gRPC calls.
pub const RPC_SYSTEM: &str = "rpc.system.name";
/// `greenstar.rating.v1.RatingService/GetRating`; `_OTHER` for what no contract knows.
pub const RPC_METHOD: &str = "rpc.method";
/// Canonical code by name, `OK` included.
pub const RPC_STATUS: &str = "rpc.response.status_code";
/// The code once more, only where it is the server's own failure.
pub const ERROR_TYPE: &str = "error.type";
/// `uscc` of the enterprise a call is about.
pub const ENTERPRISE: &str = "greenstar.enterprise";
/// The caller's principal, e.g. `enforcement/2`; never a secret.
pub const PRINCIPAL: &str = "greenstar.principal";
/// Name of an `ErrorReason` without its prefix.
pub const REASON: &str = "greenstar.reason";
/// Which of the change logs: `rating`, `sanctions`, `policy`.
pub const LOG: &str = "greenstar.log";
/// How something came: `own`, `redis`, `table`.
pub const WAY: &str = "greenstar.way";
/// Of a subscriber: `live`, `silent`, `fenced`.
pub const STATE: &str = "greenstar.state";
/// Why a decision has no record: `sampled`, `dropped`.
pub const WHY: &str = "greenstar.why";
