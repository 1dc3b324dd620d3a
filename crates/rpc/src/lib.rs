//! The server every service is started with, and the client they reach one another by: one port for
//! gRPC, gRPC-Web and REST; who calls and what they may; limits, deadlines, health, reflection; and the
//! only place that builds a `tonic::Status`.

mod access;
mod audit;
mod bound;
mod call;
mod client;
mod cores;
mod cors;
pub mod credentials;
mod door;
pub mod following;
mod guard;
mod json;
mod limit;
mod meters;
mod misread;
pub mod names;
mod observe;
mod openapi;
pub mod pages;
mod pool;
pub mod program;
mod reflection;
mod refusals;
mod room;
mod serve;
mod stack;
mod status;
pub mod stored;
mod streamed;
pub mod watching;

pub use audit::hidden;
pub use call::{Call, accept, call, checked};
pub use client::{Client, ClientError, Credential, channel, pool, remote, serving, with_credential};
pub use cors::{MalformedOrigin, Origin};
pub use credentials::{Credentials, CredentialsError};
pub use door::Door;
pub use greenstar_proto::rest::Grpc;
pub use greenstar_proto::{METHODS, Method};
pub use greenstar_telemetry::{Telemetry, code_name};
pub use guard::Limits;
pub use pool::{Pool, PoolError};
pub use reflection::add_reflection;
pub use refusals::{health_unknown, route_unknown, service_unavailable};
pub use serve::stop_on_signal;
pub use stack::{Health, Stack, StackBuilder};
pub use status::{DOMAIN, EN, ZH, fault, field, fields, item_error, reason_of, said_of, status};
