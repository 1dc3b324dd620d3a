//! Read levels (protocol.md §3): what an answer has to have applied before it is computed.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::{Clock, LocalizedText, Log, MalformedToken, Position, Revision, Said, Token};
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1 as rating;
use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;
use greenstar_proto::sanctions::v1 as sanctions;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_rpc::following;
use greenstar_store::Database;
use tokio::time::{Instant, timeout_at};
use tonic::Status;

use crate::follow::wire;
use crate::view::View;

/// So long the view may catch up by itself before the source is asked.
const PATIENCE: Duration = Duration::from_millis(20);

/// What an answer has to have applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// Whatever is here.
    Latest,
    AtLeast(Token),
    /// All that was committed in any log when the request came.
    Full,
}

impl Level {
    /// # Errors
    /// A token that is none, or tokens of different lives.
    pub(crate) fn read(consistency: Option<&common::Consistency>) -> Result<Level, Unreached> {
        let Some(consistency) = consistency else {
            return Ok(Level::Latest);
        };
        if consistency.fully_consistent {
            // It includes every token that was ever given, but a token that is none is still refused.
            Level::join(&consistency.at_least_as_fresh)?;
            return Ok(Level::Full);
        }
        let token = Level::join(&consistency.at_least_as_fresh)?;
        Ok(if token == Token::default() {
            Level::Latest
        } else {
            Level::AtLeast(token)
        })
    }

    fn join(raw: &[String]) -> Result<Token, MalformedToken> {
        raw.iter().try_fold(Token::default(), |joined, raw| {
            joined.join(&Token::from_str(raw)?)
        })
    }
}

/// Why a level was not reached; nothing was answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreached {
    #[error(transparent)]
    Malformed(#[from] MalformedToken),
    #[error("the token comes from another life of the {} log; ask again without it", .0.as_str())]
    Foreign(Log),
    #[error("the token names a revision of the {} log that nobody has committed", .log.as_str())]
    Ahead { log: Log, head: Option<Revision> },
    #[error("what the token has seen was not reached in time; try again shortly")]
    NotFresh {
        log: Log,
        applied: Option<Revision>,
        wanted: Revision,
    },
    #[error("the {} log cannot be read; try again shortly", .log.as_str())]
    Source {
        log: Log,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Said for Unreached {
    fn said(&self) -> LocalizedText {
        let zh = match self {
            Unreached::Malformed(_) => "令牌无法识别，请去掉令牌或使用先前返回的原样令牌".to_owned(),
            Unreached::Foreign(_) => "令牌来自数据库的另一生命周期，请去掉令牌后重试".to_owned(),
            Unreached::Ahead { .. } => "令牌所指版次尚不存在，请去掉令牌后重试".to_owned(),
            Unreached::NotFresh { .. } => "数据未能在期限内达到令牌所要求的版次，请稍后重试".to_owned(),
            Unreached::Source { .. } => "暂时无法读取数据来源，请稍后重试".to_owned(),
        };
        LocalizedText::new(zh, self.to_string())
    }
}

/// A level that was reached.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reached {
    /// What an answer must have applied.
    pub(crate) token: Token,
    /// The instant, on the monotonic clock, as of which it is complete; only of [`Level::Full`].
    pub(crate) complete_at: Option<Duration>,
}

impl Reached {
    /// How old an answer is that looks `now` into a view of this age: what a fully consistent read has seen is no older
    /// than its beginning, if the clocks are known at all.
    pub(crate) fn age(&self, known: Option<Duration>, now: Duration) -> Option<Duration> {
        known.map(|known| {
            self.complete_at
                .map_or(known, |complete| known.min(now.saturating_sub(complete)))
        })
    }
}

/// Brings the view to a level.
#[derive(Clone, Debug)]
pub(crate) struct Freshness {
    view: Arc<View>,
    clock: Arc<dyn Clock>,
    database: Database,
    rating: RatingServiceClient<greenstar_rpc::Client>,
    sanctions: FlagServiceClient<greenstar_rpc::Client>,
}

impl Freshness {
    pub(crate) fn new(
        view: Arc<View>,
        clock: Arc<dyn Clock>,
        database: Database,
        rating: greenstar_rpc::Client,
        sanctions: greenstar_rpc::Client,
    ) -> Freshness {
        let (rating, sanctions) = (
            RatingServiceClient::new(rating),
            FlagServiceClient::new(sanctions),
        );
        Freshness {
            view,
            clock,
            database,
            rating,
            sanctions,
        }
    }

    /// Waits until the view has applied what `level` asks.
    pub(crate) async fn reach(&self, level: Level, deadline: Instant) -> Result<Reached, Unreached> {
        match level {
            Level::Latest => Ok(Reached::default()),
            Level::AtLeast(token) => {
                self.reach_token(&token, deadline).await?;
                Ok(Reached {
                    token,
                    complete_at: None,
                })
            }
            Level::Full => {
                let complete_at = Some(self.clock.monotonic());
                let [rating, sanctions, policy] =
                    Log::ALL.map(|log| timeout_at(deadline, self.head(log, None)));
                let (rating, sanctions, policy) = tokio::join!(rating, sanctions, policy);
                let mut token = Token::default();
                for (log, head) in Log::ALL.into_iter().zip([rating, sanctions, policy]) {
                    let late = |_| Unreached::Source {
                        log,
                        source: "no answer before the deadline".into(),
                    };
                    token = token.with(log, head.map_err(late)??);
                }
                self.reach_token(&token, deadline).await?;
                Ok(Reached { token, complete_at })
            }
        }
    }

    async fn reach_token(&self, token: &Token, deadline: Instant) -> Result<(), Unreached> {
        let [rating, sanctions, policy] = Log::ALL.map(|log| self.reach_log(log, token, deadline));
        tokio::try_join!(rating, sanctions, policy)?;
        Ok(())
    }

    async fn reach_log(&self, log: Log, token: &Token, deadline: Instant) -> Result<(), Unreached> {
        let Some(wanted) = token.get(log) else {
            return Ok(());
        };
        let patient = Instant::now() + PATIENCE;
        if self.has_applied(log, wanted)
            || timeout_at(patient.min(deadline), self.applied(log, wanted))
                .await
                .is_ok()
        {
            return Ok(());
        }
        // Not reached by itself: the source says whether it is there at all, and hands it over.
        let asked = timeout_at(deadline, self.head(log, Some(wanted))).await;
        let late = || self.missed(log, token);
        match asked {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(late()),
        }
        timeout_at(deadline, self.applied(log, wanted))
            .await
            .map_err(|_| late())
    }

    /// The view has not what the token has seen of this log.
    pub(crate) fn missed(&self, log: Log, token: &Token) -> Unreached {
        Unreached::NotFresh {
            log,
            applied: self.view.applied(log).map(|at| at.revision),
            wanted: token.get(log).map_or(Revision::ZERO, |at| at.revision),
        }
    }

    fn has_applied(&self, log: Log, wanted: &Position) -> bool {
        self.view
            .applied(log)
            .is_some_and(|at| at.epoch == wanted.epoch && at.revision >= wanted.revision)
    }

    async fn applied(&self, log: Log, wanted: &Position) {
        loop {
            let moved = self.view.moved();
            let mut moved = std::pin::pin!(moved);
            // Counts from here on, so that nothing applied after the look is missed.
            moved.as_mut().enable();
            if self.has_applied(log, wanted) {
                return;
            }
            moved.await;
        }
    }

    /// The committed head of a log, by a read on its primary that starts after this call.
    async fn head(&self, log: Log, at_least: Option<&Position>) -> Result<Position, Unreached> {
        let position = at_least.map(wire::to_position);
        let head = match log {
            Log::Rating => {
                let request = rating::SyncRatingsRequest { position };
                let answer = self.rating.clone().sync_ratings(request).await;
                answer.map_err(|status| refused(log, status))?.into_inner().head
            }
            Log::Sanctions => {
                let request = sanctions::SyncFlagsRequest { position };
                let answer = self.sanctions.clone().sync_flags(request).await;
                answer.map_err(|status| refused(log, status))?.into_inner().head
            }
            Log::Policy => return self.policy_head(at_least).await,
        };
        following::position(head).map_err(|error| Unreached::Source {
            log,
            source: Box::new(error),
        })
    }

    async fn policy_head(&self, at_least: Option<&Position>) -> Result<Position, Unreached> {
        let log = Log::Policy;
        let head = self.database.head().await.map_err(|error| Unreached::Source {
            log,
            source: Box::new(error),
        })?;
        match at_least {
            Some(wanted) if wanted.epoch != head.epoch => Err(Unreached::Foreign(log)),
            Some(wanted) if wanted.revision > head.revision => Err(Unreached::Ahead {
                log,
                head: Some(head.revision),
            }),
            Some(_) | None => Ok(head),
        }
    }

    /// The longest a call waits that names no deadline.
    pub(crate) const DEFAULT_WAIT: Duration = Duration::from_secs(2);
}

fn refused(log: Log, status: Status) -> Unreached {
    match greenstar_rpc::reason_of(&status).as_deref() {
        Some("TOKEN_FOREIGN") => Unreached::Foreign(log),
        Some("TOKEN_AHEAD") => Unreached::Ahead { log, head: None },
        Some(_) | None => Unreached::Source {
            log,
            source: Box::new(status),
        },
    }
}
