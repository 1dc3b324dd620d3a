//! Takes frames into the journal.

use std::time::Duration;

use async_trait::async_trait;
use greenstar_feed::follow::{Refusal, Rejection, Sink};
use greenstar_kernel::{Caller, Epoch, Position, Revision};
use greenstar_proto::sanctions::v1 as pb;
use greenstar_rpc::following;
use greenstar_store::{SubmitError, Writer};
use tonic::Request;

use super::Followed;
use super::source::{Client, Row};
use crate::domain::command::{self, Answer, Command, Frame};
use crate::store::{self, RatingJournal, Submission};

/// For the source to say where its log ends; then it is asked again.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct IntoJournal {
    followed: Followed,
    writer: Writer<RatingJournal>,
    sanctions: Client,
    /// The log that is followed, as of the last look.
    log: Option<Position>,
}

/// Why a frame was not taken.
#[derive(Debug, thiserror::Error)]
enum NotTaken {
    #[error("no log is followed")]
    NoLog,
    #[error("everything up to {applied} was taken, and the frame begins after {after}")]
    Gap { applied: Revision, after: Revision },
    #[error("the journal answers with another command's answer")]
    Answer,
    #[error("the service is stopping")]
    Stopping,
    #[error("this log is taken without snapshots")]
    Snapshot,
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Refusal {
    Refusal::Failed(Box::new(error))
}

impl IntoJournal {
    pub(super) fn new(followed: Followed, writer: Writer<RatingJournal>, sanctions: Client) -> IntoJournal {
        IntoJournal {
            followed,
            writer,
            sanctions,
            log: None,
        }
    }

    fn tell(&self, epoch: &Epoch, revision: Revision) {
        let at = Position {
            epoch: epoch.clone(),
            revision,
        };
        self.followed.taken.send_replace(Some(at));
    }
}

#[async_trait]
impl Sink for IntoJournal {
    type Row = Row;
    type Snapshot = ();

    /// Where the log is taken up: behind what was taken, or, of a log that is new here or has another epoch since a
    /// restore, at its start.
    async fn cursor(&mut self) -> Result<Option<Position>, Refusal> {
        let mut request = Request::new(pb::SyncFlagsRequest::default());
        request.set_timeout(PATIENCE);
        let head = self.sanctions.sync_flags(request).await;
        let head = head.map_err(failed)?.into_inner().head;
        let head = following::position(head).map_err(failed)?;
        let mut tx = self.followed.database.read().await.map_err(failed)?;
        let cursor = store::cursor(&mut tx).await.map_err(failed)?;
        let taken = cursor.map(|cursor| cursor.at).filter(|at| at.epoch == head.epoch);
        let at = taken.unwrap_or_else(|| Position {
            epoch: head.epoch.clone(),
            revision: Revision::ZERO,
        });
        self.tell(&at.epoch, at.revision);
        self.log = Some(head);
        Ok(Some(at))
    }

    fn begin(&mut self) {}

    async fn put(&mut self, (): &mut (), _: Vec<Row>) -> Result<(), Refusal> {
        Err(failed(NotTaken::Snapshot))
    }

    async fn replace(&mut self, _: Position, (): ()) -> Result<(), Refusal> {
        Err(failed(NotTaken::Snapshot))
    }

    async fn apply(&mut self, after: Revision, to: Revision, rows: Vec<Row>) -> Result<Revision, Refusal> {
        let Position {
            epoch,
            revision: head,
        } = self.log.clone().ok_or_else(|| failed(NotTaken::NoLog))?;
        if after == to {
            return Ok(to);
        }
        let refused = |revision, reason: &str| Refusal::Rejected {
            applied: after,
            rejection: Rejection {
                revision,
                reason: reason.to_owned(),
            },
        };
        let mut told = Vec::with_capacity(rows.len());
        for row in rows {
            told.push(row.told.map_err(|reason| refused(row.revision, reason))?);
        }
        let frame = Frame {
            epoch: epoch.clone(),
            after,
            to,
            head,
            told,
        };
        let submission = Submission {
            by: Caller::Public,
            command: Command::Follow(frame),
            request: None,
            at: None,
        };
        let committed = self
            .writer
            .submit(submission)
            .await
            .map_err(|error| match error {
                SubmitError::Refused(refusal) => refused(after.next(), &refusal.to_string()),
                SubmitError::Store(error) => failed(error),
                SubmitError::Closed => failed(NotTaken::Stopping),
                SubmitError::RequestIdReused => failed(NotTaken::Answer),
            })?;
        let Answer::Followed(command::Followed { applied, kept }) = committed.answer else {
            return Err(failed(NotTaken::Answer));
        };
        for event in kept {
            tracing::info!(
                event,
                "its document was repaired; no repair ends this veto, which stays"
            );
        }
        if applied < to {
            return Err(failed(NotTaken::Gap { applied, after }));
        }
        self.tell(&epoch, applied);
        Ok(applied)
    }
}
