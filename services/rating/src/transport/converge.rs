//! Who has applied a write of this log, and what this log made of a write of sanctions' (protocol.md §5).

use futures::{StreamExt as _, stream};
use greenstar_kernel::{Log, Position, Token};
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1 as pb;
use greenstar_rpc::watching::{Answers, Question, Watching, token_malformed};
use tonic::Status;

use super::status;
use crate::follow::Followed;

/// Answers again and again until all have, or until the question's deadline.
pub(super) fn wait(
    watching: &Watching,
    followed: &Followed,
    question: Question,
) -> Result<Answers<pb::WaitConvergedResponse>, Status> {
    let Question { token, deadline, .. } = question;
    let own = token.get(Log::Rating).cloned();
    let answers = match token.get(Log::Sanctions).cloned() {
        None => watching
            .converge(own.ok_or_else(token_malformed)?, deadline)
            .map(|answer| answer.map(|(answer, _)| answer))
            .boxed(),
        Some(sanctions) => {
            let first = stream::iter([Ok(behind(&sanctions, "rating has not come so far yet"))]);
            let (watching, followed) = (watching.clone(), followed.clone());
            let then = async move {
                let caused = tokio::time::timeout_at(deadline, followed.caused(&sanctions)).await;
                let Ok(caused) = caused else {
                    let late = behind(&sanctions, "the time was up before rating had come so far");
                    return stream::iter([Ok(late)]).boxed();
                };
                let position = caused
                    .map_err(|error| status::store(&error))
                    .and_then(|caused| later(own, caused));
                match position {
                    Ok(position) => watching
                        .converge(position, deadline)
                        .map(|answer| answer.map(|(answer, _)| answer))
                        .boxed(),
                    Err(status) => stream::iter([Err(status)]).boxed(),
                }
            };
            first.chain(stream::once(then).flatten()).boxed()
        }
    };
    let answers = answers.map(|answer| {
        let convergence = Some(answer?);
        Ok(pb::WaitConvergedResponse { convergence })
    });
    Ok(answers.boxed())
}

/// The later of the two; they must be of one life of this log.
fn later(own: Option<Position>, caused: Position) -> Result<Position, Status> {
    let Some(own) = own else { return Ok(caused) };
    let joined = Token::of(Log::Rating, own).join(&Token::of(Log::Rating, caused));
    let joined = joined.map_err(|_| status::feed(&greenstar_feed::FeedError::Foreign))?;
    joined.get(Log::Rating).cloned().ok_or_else(token_malformed)
}

/// Rating itself is what has not converged.
fn behind(sanctions: &Position, why: &str) -> common::Convergence {
    common::Convergence {
        log: Log::Rating.as_str().to_owned(),
        outstanding: vec![common::Subscriber {
            subscriber: Log::Rating.as_str().to_owned(),
            log: Log::Sanctions.as_str().to_owned(),
            state: common::SubscriberState::Laggard.into(),
            rejection: Some(common::Rejection {
                revision: sanctions.revision.0,
                reason: why.to_owned(),
            }),
            ..common::Subscriber::default()
        }],
        ..common::Convergence::default()
    }
}
