//! The stream of one life of a log: its key, and the few commands that are used on it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::{Epoch, Revision};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, IntoConnectionInfo as _, RedisError, RedisResult, Value,
    from_redis_value,
};

use super::wire::{self, Fields};
use crate::Frame;

/// Frames that Redis keeps; whoever is further behind reads the table.
pub(super) const LENGTH: u64 = 1_024;
/// For an answer of Redis, and for a connection to it.
const ANSWER: Duration = Duration::from_secs(1);
/// How long Redis waits for an entry before it answers that there is none.
pub(super) const BLOCK: Duration = Duration::from_secs(1);
/// Entries in one answer.
const COUNT: usize = 64;

/// A blocking read is answered at BLOCK at the latest; a connection that is silent for longer is dead.
/// The relation between the two is asserted (pitfall #16).
const SILENCE: Duration = Duration::from_secs(3);
const _: () = assert!(SILENCE.as_millis() >= BLOCK.as_millis() + ANSWER.as_millis());

/// What XRANGE and XREAD answer for a key: ids and fields, in order.
type Entries = Vec<HashMap<String, Fields>>;

/// Where Redis is. Says nothing of user and password.
#[derive(Clone)]
pub(super) struct Address(Client);

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.get_connection_info().addr().fmt(f)
    }
}

impl Address {
    pub(super) fn parse(url: &str) -> RedisResult<Address> {
        let info: ConnectionInfo = url.into_connection_info()?;
        // Entries are small and each is waited for.
        let tcp = info.tcp_settings().clone().set_nodelay(true);
        Client::open(info.set_tcp_settings(tcp)).map(Address)
    }

    pub(super) async fn connect(&self, epoch: &Epoch, service: &str) -> RedisResult<Stream> {
        let connection = |silence| {
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(ANSWER))
                .set_response_timeout(Some(silence));
            async move { self.0.get_multiplexed_async_connection_with_config(&config).await }
        };
        Ok(Stream {
            key: format!("feed:{service}:{epoch}"),
            asking: connection(ANSWER).await?,
            listening: connection(SILENCE).await?,
        })
    }
}

/// The stream, and two connections to it: a read that waits holds up whatever is asked behind it.
#[derive(Clone)]
pub(super) struct Stream {
    key: String,
    asking: MultiplexedConnection,
    listening: MultiplexedConnection,
}

/// How far a stream has come.
#[derive(Debug)]
pub(super) struct Top {
    /// The last revision that was ever added; Redis takes nothing before it, whatever was trimmed since.
    pub(super) last: Revision,
    /// None: nothing is left.
    pub(super) newest: Option<Newest>,
}

/// The newest entry of a stream.
#[derive(Debug)]
pub(super) struct Newest {
    pub(super) revision: Revision,
    /// None: the entry is not one of ours.
    pub(super) batch: Option<Arc<str>>,
}

impl Stream {
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    /// None: there is no stream yet.
    pub(super) async fn top(&self) -> RedisResult<Option<Top>> {
        let mut info = redis::cmd("XINFO");
        info.arg("STREAM").arg(&self.key);
        let info: RedisResult<HashMap<String, Value>> = info.query_async(&mut self.asking.clone()).await;
        let mut info = match info {
            Ok(info) => info,
            Err(error) if says(&error, "no such key") => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut take = |name| info.remove(name).unwrap_or(Value::Nil);
        let last: String = from_redis_value(take("last-generated-id"))?;
        let newest: Option<(String, Fields)> = from_redis_value(take("last-entry"))?;
        Ok(Some(Top {
            last: wire::revision(&last),
            newest: newest.map(|(id, fields)| Newest {
                revision: wire::revision(&id),
                batch: id.ends_with("-0").then(|| wire::batch(&fields)).flatten(),
            }),
        }))
    }

    /// Begins the stream anew.
    pub(super) async fn drop_all(&self) -> RedisResult<()> {
        redis::cmd("DEL")
            .arg(&self.key)
            .exec_async(&mut self.asking.clone())
            .await
    }

    /// Adds frames. One that is there already, or that a later one has overtaken, is well.
    pub(super) async fn add(&self, frames: &[Arc<Frame>]) -> RedisResult<()> {
        let mut pipe = redis::pipe();
        for frame in frames {
            let add = pipe.cmd("XADD").arg(&self.key).arg("MAXLEN").arg("~").arg(LENGTH);
            add.arg(format!("{}-0", frame.to)).arg("after").arg(frame.after.0);
            if let Some(entry) = frame.entries.last() {
                add.arg("batch").arg(&*entry.batch);
            }
            if let Some(entries) = wire::encode(frame) {
                add.arg("entries").arg(entries);
            }
        }
        let added: Vec<RedisResult<Value>> =
            pipe.ignore_errors().query_async(&mut self.asking.clone()).await?;
        match added
            .into_iter()
            .find_map(|added| added.err().filter(|error| !is_overtaken(error)))
        {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The entries after `id`, or none when none came for a while.
    pub(super) async fn read(&self, id: &str) -> RedisResult<Vec<(String, Fields)>> {
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(COUNT);
        read.arg("BLOCK").arg(BLOCK.as_millis() as u64);
        read.arg("STREAMS").arg(&self.key).arg(id);
        let found: Option<Vec<HashMap<String, Entries>>> =
            read.query_async(&mut self.listening.clone()).await?;
        let found = found.into_iter().flatten().flat_map(HashMap::into_values);
        Ok(found.flatten().flatten().collect())
    }
}

/// "The ID specified in XADD is equal or smaller than the target stream top item".
fn is_overtaken(error: &RedisError) -> bool {
    says(error, "equal or smaller")
}

fn says(error: &RedisError, text: &str) -> bool {
    error.code() == Some("ERR") && error.detail().is_some_and(|detail| detail.contains(text))
}
