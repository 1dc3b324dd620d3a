//! Real servers for tests: a private PostgreSQL and Redis on free ports in temporary folders, and a TCP
//! proxy that breaks connections on cue. Also what a test logs and traces.
//!
//! A server is started once per test process and ends with it, however that ends. Functions panic when
//! they cannot do their work: there is no test without it.

mod daemon;
mod logs;
pub mod postgres;
mod proxy;
pub mod redis;
mod scratch;
mod spans;

pub use logs::Logs;
pub use proxy::{Cut, Proxy, Way};
pub use scratch::Scratch;
pub use spans::Spans;
