//! Who has applied a write, and with scope ALL, what rating made of it (protocol.md §5).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use greenstar_feed::Feed;
use greenstar_kernel::{Log, Position, Token};
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1 as rating;
use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;
use greenstar_proto::sanctions::v1 as pb;
use greenstar_rpc::Client;
use greenstar_rpc::watching::{Answers, Question, Watching, token_malformed};
use tokio::time::Instant;
use tonic::{Code, Status};

/// Before rating is asked again.
const AGAIN: Duration = Duration::from_millis(500);
/// For rating's last answer, which is due when ours is.
const GRACE: Duration = Duration::from_millis(250);

/// The rating service, once somebody has said where it is.
pub(crate) type Rating = Arc<OnceLock<RatingServiceClient<Client>>>;

/// Answers again and again until all have, until the question's deadline, or until the service stops.
pub(super) fn wait(
    watching: &Watching,
    feed: &Feed,
    known: &Rating,
    question: Question,
) -> Result<Answers<pb::WaitConvergedResponse>, Status> {
    let own = question.token.get(Log::Sanctions).ok_or_else(token_malformed)?;
    let own = watching.converge(own.clone(), question.deadline);
    let caused = match question.all {
        true => caused(known.clone(), question.token, question.deadline),
        false => stream::empty().boxed(),
    };
    let own = own.map(|answer| answer.map(|(own, _)| Heard::Own(own)));
    let caused = caused.map(|answer| answer.map(Heard::Caused));
    let both = stream::select(own, caused).take_until(feed.closed());
    let both = both.map(Some).chain(stream::iter([None]));
    let mut said = pb::WaitConvergedResponse::default();
    let mut failed = false;
    let answers = both.filter_map(move |heard| {
        let answer = match heard {
            _ if failed => None,
            Some(Err(status)) => {
                failed = true;
                Some(Err(status))
            }
            Some(Ok(Heard::Own(own))) => {
                said.convergence = Some(own);
                Some(Ok(said.clone()))
            }
            Some(Ok(Heard::Caused(caused))) => {
                said.caused = Some(caused);
                Some(Ok(said.clone()))
            }
            // The last: nothing comes any more.
            None => {
                let all = |one: &Option<common::Convergence>| one.as_ref().is_some_and(|one| one.converged);
                said.converged = all(&said.convergence) && (!question.all || all(&said.caused));
                Some(Ok(said.clone()))
            }
        };
        futures::future::ready(answer)
    });
    Ok(answers.boxed())
}

/// Who has applied the write at `position` when the wait is over. The write stands, so that not knowing is an answer.
pub(super) async fn after(
    watching: &Watching,
    feed: &Feed,
    position: Position,
    deadline: Instant,
) -> common::Convergence {
    let mut answers = watching
        .converge(position, deadline)
        .take_until(feed.closed())
        .boxed();
    let mut last = common::Convergence {
        log: Log::Sanctions.as_str().to_owned(),
        ..common::Convergence::default()
    };
    while let Some(answer) = answers.next().await {
        match answer {
            Ok((answer, _)) => last = answer,
            Err(_) => last.converged = false,
        }
    }
    last
}

enum Heard {
    Own(common::Convergence),
    Caused(common::Convergence),
}

/// What rating says of it, until it has converged there or until `deadline`.
fn caused(known: Rating, token: Token, deadline: Instant) -> Answers<common::Convergence> {
    let over = tokio::time::sleep_until(deadline + GRACE);
    let rounds = stream::unfold(false, move |done| {
        let (known, token) = (known.clone(), token.clone());
        async move {
            if done || Instant::now() >= deadline {
                return None;
            }
            let Some(client) = known.get().cloned() else {
                let unknown = unheard("this replica was not told where rating is");
                tokio::time::sleep_until(deadline.min(Instant::now() + AGAIN)).await;
                return Some((stream::iter([Ok(unknown)]).boxed(), false));
            };
            match ask(client, &token, deadline).await {
                Ok(answers) => Some((answers, true)),
                Err(status) if is_final(&status) => Some((stream::iter([Err(status)]).boxed(), true)),
                Err(status) => {
                    tracing::warn!(error = %status, "rating cannot be asked who has applied a write");
                    tokio::time::sleep_until(deadline.min(Instant::now() + AGAIN)).await;
                    let unheard = unheard("rating cannot be reached");
                    Some((stream::iter([Ok(unheard)]).boxed(), false))
                }
            }
        }
    });
    rounds.flatten().take_until(over).boxed()
}

async fn ask(
    mut client: RatingServiceClient<Client>,
    token: &Token,
    deadline: Instant,
) -> Result<Answers<common::Convergence>, Status> {
    let left = deadline.saturating_duration_since(Instant::now());
    let question = common::ConvergenceQuestion {
        token: token.to_string(),
        scope: common::ConvergenceScope::Direct.into(),
        timeout: Some(left.into()),
    };
    let request = rating::WaitConvergedRequest {
        question: Some(question),
    };
    let answers = client.wait_converged(request).await?.into_inner();
    let answers = answers.map(|answer| match answer {
        Ok(answer) => Ok(answer.convergence.unwrap_or_default()),
        Err(status) if is_final(&status) => Err(status),
        // It broke off: how far it has come is not known.
        Err(_) => Ok(unheard("rating cannot be reached")),
    });
    Ok(answers.boxed())
}

/// The token itself is of no use to rating; asking again would not help.
fn is_final(status: &Status) -> bool {
    matches!(status.code(), Code::InvalidArgument | Code::FailedPrecondition)
}

/// Rating stands for all that follow it.
fn unheard(why: &str) -> common::Convergence {
    common::Convergence {
        log: Log::Rating.as_str().to_owned(),
        outstanding: vec![common::Subscriber {
            subscriber: Log::Rating.as_str().to_owned(),
            log: Log::Sanctions.as_str().to_owned(),
            state: common::SubscriberState::Laggard.into(),
            rejection: Some(common::Rejection {
                revision: 0,
                reason: why.to_owned(),
            }),
            ..common::Subscriber::default()
        }],
        unreachable: vec![Log::Rating.as_str().to_owned()],
        ..common::Convergence::default()
    }
}
