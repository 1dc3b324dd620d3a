//! A change log as a stream: one tail per replica, a snapshot and the changes from the very same
//! revision for each subscriber, and the arithmetic by which a subscriber knows where it stands and how
//! old that is (protocol.md §2–4).

mod age;
mod books;
mod census;
mod converge;
mod cursor;
mod error;
mod fanout;
mod figures;
mod filter;
pub mod follow;
mod frame;
mod registry;
mod ring;
mod seat;
mod session;
mod snapshot;
mod tail;

pub use age::Age;
pub use census::Census;
pub use converge::{Convergence, Listing, Report, Siblings, Standing, State};
pub use cursor::{Cursor, Gap};
pub use error::FeedError;
pub use fanout::{FanOut, MalformedRedisUrl};
pub use figures::Figures;
pub use filter::Filter;
pub use frame::{Frame, Relevance};
pub use registry::{Replica, Subscriber, Subscribers};
pub use seat::{Ack, Known};
pub use session::{Inbound, Open, Outbound, Source};
pub use tail::Feed;
