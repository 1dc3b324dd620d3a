//! The contract's services over the domain: parse, ask, convert.

mod assistance_convert;
mod assistance_service;
mod converge;
mod convert;
mod course_convert;
mod enterprise_service;
mod event_service;
mod next_star;
mod notice_service;
mod objection_service;
mod parse;
mod past;
mod past_convert;
mod procedure;
mod quality_service;
mod rating_service;
mod round_service;
mod scheme_convert;
mod scheme_service;
mod scored;
mod status;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use greenstar_feed::Feed;
use greenstar_kernel::{Clock, Code, Log, Ratchet, Timestamp, Token, Uscc};
use greenstar_rpc::Call;
use greenstar_rpc::watching::{Recent, Watching};
use greenstar_store::{Database, StoreError, Tx, Writer};
use prost::Message;
use tonic::Status;

use crate::domain::command::{Answer, Command, StoredScheme};
use crate::domain::firm::{Fact, Firm, RatingView};
use crate::domain::scheme::SchemeKey;
use crate::follow::Followed;
use crate::store::{Lists, RatingJournal, RequestId, Schemes, Submission, firms};

pub(crate) use watch::Siblings;

/// What every handler needs.
#[derive(Clone, Debug)]
pub(crate) struct Desk {
    pub(crate) database: Database,
    pub(crate) writer: Writer<RatingJournal>,
    pub(crate) feed: Feed,
    pub(crate) watching: Watching,
    /// Facts that watchers were told of last.
    pub(crate) recent: Recent<Fact>,
    pub(crate) schemes: Schemes,
    pub(crate) clock: Arc<dyn Clock>,
    /// Where this service stands in the sanctions log.
    pub(crate) followed: Followed,
    /// What was told as `as_of` so far.
    pub(crate) told: Arc<Ratchet>,
}

impl Desk {
    /// What followers of the log are given.
    fn lists(&self) -> Arc<Lists> {
        let schemes = self.schemes.clone();
        Arc::new(Lists { schemes })
    }

    /// Hands a command to the writer; answers with the token of its commit.
    async fn submit(
        &self,
        call: &Call,
        command: Command,
        request: Option<RequestId>,
    ) -> Result<(Answer, String), Status> {
        let id = request
            .as_ref()
            .map(|request| request.id.clone())
            .unwrap_or_default();
        let submission = Submission {
            by: call.caller.clone(),
            command,
            request,
            at: None,
        };
        let committed = self
            .writer
            .submit(submission)
            .await
            .map_err(|error| status::submitted(error, &id))?;
        Ok((
            committed.answer,
            Token::of(Log::Rating, committed.position).to_string(),
        ))
    }

    /// A snapshot to read from, and the token of its position.
    async fn reading(&self) -> Result<(Tx, String), Status> {
        let mut tx = self
            .database
            .read()
            .await
            .map_err(|error| status::store(&error))?;
        let head = tx.head().await.map_err(|error| status::store(&error))?;
        Ok((tx, Token::of(Log::Rating, head).to_string()))
    }

    /// Ratings as they are now; codes that nobody registered are answered as such.
    async fn views(&self, tx: &mut Tx, codes: &BTreeSet<Uscc>) -> Result<BTreeMap<Uscc, RatingView>, Status> {
        let found = firms(tx, codes.iter().map(Into::into).collect()).await;
        let found = found.map_err(|error| status::store(&error))?;
        let now = self.instant();
        let mut views: BTreeMap<Uscc, RatingView> = codes
            .iter()
            .map(|uscc| (*uscc, RatingView::unknown(*uscc, now)))
            .collect();
        for (uscc, firm) in &found {
            let stored = self.scheme_of(tx, firm).await?;
            let view = firm.view(stored.as_ref().map(|stored| &stored.scheme), now);
            views.insert(
                *uscc,
                view.map_err(|error| status::store(&StoreError::corrupt(error)))?,
            );
        }
        Ok(views)
    }

    /// The scheme by which an enterprise is rated; `None` if it never was.
    async fn scheme_of(&self, tx: &mut Tx, firm: &Firm) -> Result<Option<Arc<StoredScheme>>, Status> {
        let Some(rated) = &firm.rated else { return Ok(None) };
        self.scheme_named(tx, &rated.scheme).await.map(Some)
    }

    /// A scheme that a rating or a round names.
    async fn scheme_named(&self, tx: &mut Tx, key: &SchemeKey) -> Result<Arc<StoredScheme>, Status> {
        let missing = || status::store(&StoreError::corrupt(format!("scheme {key} is missing")));
        self.stored(tx, key).await?.ok_or_else(missing)
    }

    async fn stored(&self, tx: &mut Tx, key: &SchemeKey) -> Result<Option<Arc<StoredScheme>>, Status> {
        self.schemes
            .get(tx, key)
            .await
            .map_err(|error| status::store(&error))
    }

    /// The instant as of which an answer is true. It never runs backwards, whatever the wall clock does.
    fn instant(&self) -> Timestamp {
        self.told.advance(self.clock.now())
    }

    /// Ids grow with time, so that rows of one enterprise stay in the order they were recorded.
    fn fresh_id(&self) -> Result<Code, Status> {
        let micros = u64::try_from(self.clock.now().micros()).unwrap_or(0);
        let nanos = u32::try_from(micros % 1_000_000 * 1000).unwrap_or(0);
        let time = uuid::Timestamp::from_unix(uuid::NoContext, micros / 1_000_000, nanos);
        let id = uuid::Uuid::new_v7(time).to_string();
        Code::parse(&id).map_err(|error| status::store(&StoreError::corrupt(error)))
    }
}

/// `rest` is the request after its id was taken out: the body that the id is bound to.
fn repeat<M: Message>(method: &'static str, id: String, rest: &M) -> Option<RequestId> {
    (!id.is_empty()).then(|| RequestId {
        method,
        id,
        body: rest.encode_to_vec(),
    })
}

/// A command was answered with another command's answer: a repeated request id can only do this if the log is wrong.
fn unexpected() -> Status {
    status::store(&StoreError::corrupt("the answer belongs to another command"))
}
