//! Other replicas, for decisions that only their writer has yet (protocol.md §8).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::decision_service_client::DecisionServiceClient;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

/// The caller's, shown to the sibling: it sees there what it would see here.
const AUTHORIZATION: &str = "authorization";
/// Says that a sibling asks: who is asked so asks nobody else.
const ASKED: &str = "greenstar-asked-by-sibling";
/// A sibling that takes longer is as good as away.
const PATIENCE: Duration = Duration::from_secs(2);
/// Connections kept; more replicas than that have never been.
const KEPT: usize = 64;

/// Whom a call comes from, as far as a sibling has to know.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    credential: Option<tonic::metadata::AsciiMetadataValue>,
    is_sibling: bool,
}

impl Asker {
    pub(super) fn of(metadata: &MetadataMap) -> Asker {
        Asker {
            credential: metadata.get(AUTHORIZATION).cloned(),
            is_sibling: metadata.contains_key(ASKED),
        }
    }

    /// Puts the caller's credential on a call made for it.
    pub(super) fn show(&self, metadata: &mut MetadataMap) {
        if let Some(credential) = &self.credential {
            metadata.insert(AUTHORIZATION, credential.clone());
        }
    }
}

/// Connections to siblings, made when first needed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Siblings(Arc<Mutex<HashMap<String, Channel>>>);

impl Siblings {
    /// What the replica at `url` says about a decision. `None`: it cannot say either.
    ///
    /// # Errors
    /// NOT_FOUND: it has no such decision for this caller, and will never have.
    pub(super) async fn decision(
        &self,
        url: &str,
        asker: &Asker,
        name: &str,
    ) -> Result<Option<pb::Decision>, Status> {
        if asker.is_sibling {
            return Ok(None);
        }
        let Some(channel) = self.channel(url) else {
            return Ok(None);
        };
        let mut request = Request::new(pb::GetDecisionRequest {
            name: name.to_owned(),
        });
        request.set_timeout(PATIENCE);
        asker.show(request.metadata_mut());
        request
            .metadata_mut()
            .insert(ASKED, tonic::metadata::AsciiMetadataValue::from_static("1"));
        let mut client = DecisionServiceClient::new(channel);
        match tokio::time::timeout(PATIENCE, client.get_decision(request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner().decision),
            Ok(Err(status)) if status.code() == Code::NotFound => Err(status),
            Ok(Err(status)) => {
                tracing::warn!(url, code = ?status.code(), "the replica that made a decision cannot be asked for it");
                Ok(None)
            }
            Err(_) => {
                tracing::warn!(url, "the replica that made a decision does not answer");
                Ok(None)
            }
        }
    }

    fn channel(&self, url: &str) -> Option<Channel> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(channel) = known.get(url) {
            return Some(channel.clone());
        }
        let channel = greenstar_rpc::channel(url)
            .inspect_err(|error| tracing::warn!(%error, "a replica advertises no address"))
            .ok()?;
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(url.to_owned(), channel.clone());
        Some(channel)
    }
}
