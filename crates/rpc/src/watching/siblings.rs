//! Asks the other replicas of a service over gRPC.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _, stream};
use greenstar_feed::follow::Cause;
use greenstar_feed::{Ack, FeedError, Report};
use greenstar_kernel::Revision;
use greenstar_proto::common::v1 as pb;
use greenstar_store::StoreError;
use subtle::ConstantTimeEq as _;
use tonic::Status;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;

use super::{Answers, wire};
use crate::{Client, channel, credentials, reason_of, with_credential};

/// A secret; prints as `***`.
#[derive(Clone)]
pub struct Secret(pub String);

impl Secret {
    /// Whether both are the same, in a time that tells nothing of them.
    pub(super) fn is(&self, other: &Secret) -> bool {
        credentials::hash(&self.0)
            .ct_eq(&credentials::hash(&other.0))
            .into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// The two methods by which siblings talk, in a service's own contract.
pub trait Reports: fmt::Debug + Send + Sync + 'static {
    /// ReportAcknowledgements.
    fn reports(&self, client: Client) -> BoxFuture<'static, Result<Answers<pb::Acknowledgements>, Status>>;
    /// AcknowledgeFlags or AcknowledgeRatings.
    fn acknowledge(
        &self,
        client: Client,
        subscriber: String,
        ack: pb::Acknowledgement,
    ) -> BoxFuture<'static, Result<(), Status>>;
}

/// The other replicas, each reached where its row says.
#[derive(Debug)]
pub(super) struct Siblings<R> {
    contract: R,
    secret: Secret,
    /// Connections by address.
    channels: Mutex<HashMap<String, Channel>>,
}

impl<R: Reports> Siblings<R> {
    /// They are called with `secret`, which must be a subscriber's of the service itself.
    pub(super) fn new(contract: R, secret: Secret) -> Arc<Siblings<R>> {
        Arc::new(Siblings {
            contract,
            secret,
            channels: Mutex::default(),
        })
    }

    fn client(&self, url: &str) -> Result<Client, Cause> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = match channels.get(url) {
            Some(channel) => channel.clone(),
            None => {
                let fresh = channel(url)?;
                channels.insert(url.to_owned(), fresh.clone());
                fresh
            }
        };
        Ok(with_credential(channel, &self.secret.0)?)
    }
}

impl<R: Reports> greenstar_feed::Siblings for Siblings<R> {
    fn reports(&self, url: &str) -> BoxStream<'static, Result<Report, Cause>> {
        let asked = match self.client(url) {
            Ok(client) => self.contract.reports(client),
            Err(error) => return stream::once(async { Err(error) }).boxed(),
        };
        let answered = stream::once(asked).flat_map(|answered| match answered {
            Ok(answers) => answers,
            Err(status) => stream::once(async { Err(status) }).boxed(),
        });
        let reports = answered.map(|answer| Ok(wire::read_report(answer?)?));
        reports.boxed()
    }

    fn acknowledge(&self, url: &str, name: &str, ack: Ack) -> BoxFuture<'static, Result<(), FeedError>> {
        let asked = match self.client(url) {
            Ok(client) => self
                .contract
                .acknowledge(client, name.to_owned(), wire::wire_ack(&ack)),
            Err(error) => return async move { Err(unreachable(error)) }.boxed(),
        };
        async move { asked.await.map_err(refused) }.boxed()
    }
}

/// What a sibling said to an acknowledgement, as if it had been said here.
fn refused(status: Status) -> FeedError {
    match reason_of(&status).as_deref() {
        Some("ACKNOWLEDGEMENT_AHEAD") => {
            let info = status.get_details_error_info();
            let sent = info.and_then(|info| info.metadata.get("sent")?.parse().ok());
            FeedError::AcknowledgementAhead {
                sent: Revision(sent.unwrap_or_default()),
            }
        }
        Some("SUBSCRIBER_UNKNOWN") => FeedError::SubscriberUnknown,
        Some("WATCH_MALFORMED") => FeedError::Malformed("it rejects what it acknowledges"),
        Some(_) | None => unreachable(status.into()),
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the replica that holds the watch cannot be reached")]
struct Unreachable(#[source] Cause);

fn unreachable(cause: Cause) -> FeedError {
    FeedError::Store(StoreError::Unavailable(Arc::new(Unreachable(cause))))
}
