//! Departments at work: they raise, confirm, lift, repair, decide, wait and watch, at random and all at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use greenstar_kernel::Token;
use greenstar_proto::common::v1::{
    Acknowledgement, Consistency, ConvergenceQuestion, ConvergenceScope, Document, Position, WatchOpen,
};
use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;
use greenstar_proto::rating::v1::{Evidence, RecordEventRequest};
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::repair_service_client::RepairServiceClient;
use greenstar_proto::sanctions::v1::watch_flags_request::Step;
use greenstar_proto::sanctions::v1::watch_flags_response::Event;
use greenstar_proto::sanctions::v1::{self as pb, apply_repair_request};
use greenstar_proto::supervision::v1::CheckPermitRequest;
use greenstar_proto::supervision::v1::licensing_service_client::LicensingServiceClient;
use greenstar_rpc::Client;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};

use crate::history::{Converged, Decided, Deed, Done, Framed, History, Write};

/// A call that is not answered by then is asked again.
const CALL: Duration = Duration::from_secs(3);
/// A write that is not answered by then, however often it was asked for, may or may not have happened.
const WRITE: Duration = Duration::from_secs(30);

/// Kinds of flag that are raised, and the date of their document: within their terms whatever the clock says.
const KINDS: [(&str, i32); 3] = [
    ("serious-penalty", 200),
    ("ordinary-penalty", 40),
    ("complaint-verified", 20),
];

/// What the clients share.
#[derive(Debug)]
pub struct Work {
    pub history: Arc<History>,
    pub enterprises: Vec<String>,
    /// Flags that bind, with their kind and who proposed them.
    binding: Mutex<Vec<Binding>>,
    /// Tokens of writes, the newest last.
    tokens: Mutex<Vec<(String, Token)>>,
    /// Run until then.
    pub until: Instant,
}

#[derive(Clone, Debug)]
struct Binding {
    name: String,
    enterprise: String,
    kind: &'static str,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Secrets' owners, as clients of the sanctions service.
#[derive(Clone, Debug)]
pub struct Officers {
    pub proposer: Client,
    pub confirmer: Client,
    pub reviewer: Client,
    /// Of the rating service.
    pub recorder: Client,
}

impl Work {
    pub fn new(history: Arc<History>, enterprises: Vec<String>, until: Instant) -> Work {
        Work {
            history,
            enterprises,
            binding: Mutex::default(),
            tokens: Mutex::default(),
            until,
        }
    }

    fn over(&self) -> bool {
        Instant::now() >= self.until
    }

    fn unanswered(&self, status: &Status) {
        let reason = greenstar_rpc::reason_of(status).unwrap_or_else(|| format!("{:?}", status.code()));
        self.history
            .note(|seen| *seen.unanswered.entry(reason).or_default() += 1);
    }

    /// Raises, confirms, lifts and repairs.
    pub async fn write(self: Arc<Work>, officers: Officers, seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut number = 0u64;
        while !self.over() {
            number += 1;
            let id = format!("{seed:x}-{number}");
            let end = {
                let mut binding = lock(&self.binding);
                let enough = binding.len() > 30 || (!binding.is_empty() && rng.random_bool(0.4));
                enough.then(|| {
                    let at = rng.random_range(0..binding.len());
                    binding.swap_remove(at)
                })
            };
            match end {
                Some(flag) if flag.kind == "complaint-verified" && rng.random_bool(0.6) => {
                    self.repair(&officers, flag, &id).await;
                }
                Some(flag) => self.lift(&officers, flag, &id).await,
                None => {
                    let enterprise = self.enterprises[rng.random_range(0..self.enterprises.len())].clone();
                    let (kind, days) = KINDS[rng.random_range(0..KINDS.len())];
                    let wait = rng.random_bool(0.1);
                    self.raise(&officers, enterprise, kind, days, &id, wait).await;
                }
            }
            sleep(Duration::from_millis(rng.random_range(0..20))).await;
        }
    }

    async fn raise(
        &self,
        officers: &Officers,
        enterprise: String,
        kind: &'static str,
        days: i32,
        id: &str,
        wait: bool,
    ) {
        let today = greenstar_kernel::Clock::now(&greenstar_kernel::SystemClock::new()).date();
        let document = Document {
            issuer: "大兴区生态环境局".to_owned(),
            number: format!("检验〔2026〕{id}号"),
            date: today.plus_days(-days).to_string(),
        };
        if kind == "complaint-verified" {
            self.record(officers, &enterprise, document.clone(), id).await;
        }
        let request = pb::RaiseFlagRequest {
            parent: enterprise.clone(),
            kind: kind.to_owned(),
            document: Some(document),
            request_id: format!("raise-{id}"),
            ..Default::default()
        };
        let client = FlagServiceClient::new(officers.proposer.clone());
        let raised = self
            .insist(|| {
                let (mut client, request) = (client.clone(), request.clone());
                async move { client.raise_flag(request).await }
            })
            .await;
        let Some(flag) = raised.and_then(|raised| raised.flag) else {
            return;
        };
        let began = self.history.now();
        let at = self.begin(Deed::Confirmed, &enterprise, &flag.name, began);
        let request = pb::ConfirmFlagRequest {
            name: flag.name.clone(),
            request_id: format!("confirm-{id}"),
            wait_converged: None,
        };
        let client = FlagServiceClient::new(officers.confirmer.clone());
        let confirmed = self
            .insist(|| {
                let (mut client, request) = (client.clone(), request.clone());
                async move { client.confirm_flag(request).await }
            })
            .await;
        let Some(confirmed) = confirmed else { return };
        let Some(token) = self.done(at, &confirmed.token, &enterprise) else {
            return;
        };
        lock(&self.binding).push(Binding {
            name: flag.name,
            enterprise,
            kind,
        });
        if wait {
            self.converged(
                &officers.confirmer,
                &confirmed.token,
                &token,
                ConvergenceScope::Direct,
            )
            .await;
        }
    }

    /// The same document counts in the rating, until it is repaired.
    async fn record(&self, officers: &Officers, enterprise: &str, document: Document, id: &str) {
        let request = RecordEventRequest {
            parent: enterprise.to_owned(),
            kind: "complaint_verified_minor".to_owned(),
            document: Some(document),
            evidence: Some(Evidence {
                kind: "PET".to_owned(),
                reference: id.to_owned(),
                ..Default::default()
            }),
            request_id: format!("record-{id}"),
            ..Default::default()
        };
        let client = RatingServiceClient::new(officers.recorder.clone());
        self.insist(|| {
            let (mut client, request) = (client.clone(), request.clone());
            async move { client.record_event(request).await }
        })
        .await;
    }

    async fn lift(&self, officers: &Officers, flag: Binding, id: &str) {
        let at = self.begin(Deed::Lifted, &flag.enterprise, &flag.name, self.history.now());
        let request = pb::LiftFlagRequest {
            name: flag.name.clone(),
            reason: "checked".to_owned(),
            request_id: format!("lift-{id}"),
        };
        let client = FlagServiceClient::new(officers.proposer.clone());
        let lifted = self
            .insist(|| {
                let (mut client, request) = (client.clone(), request.clone());
                async move { client.lift_flag(request).await }
            })
            .await;
        if let Some(lifted) = lifted {
            self.done(at, &lifted.token, &flag.enterprise);
        }
    }

    async fn repair(&self, officers: &Officers, flag: Binding, id: &str) {
        let request = pb::ApplyRepairRequest {
            parent: flag.enterprise.clone(),
            subject: Some(apply_repair_request::Subject::Flag(flag.name.clone())),
            commitment: "it will not happen again".to_owned(),
            evidence: Vec::new(),
            request_id: format!("apply-{id}"),
        };
        let client = RepairServiceClient::new(officers.proposer.clone());
        let applied = self
            .insist(|| {
                let (mut client, request) = (client.clone(), request.clone());
                async move { client.apply_repair(request).await }
            })
            .await;
        let Some(repair) = applied.and_then(|applied| applied.repair) else {
            return;
        };
        let at = self.begin(Deed::Repaired, &flag.enterprise, &flag.name, self.history.now());
        let request = pb::ReviewRepairRequest {
            name: repair.name,
            verdict: pb::RepairVerdict::Grant.into(),
            corrected: true,
            committed: true,
            others_hold: true,
            opinion: "all conditions hold".to_owned(),
            request_id: format!("review-{id}"),
        };
        let client = RepairServiceClient::new(officers.reviewer.clone());
        let reviewed = self
            .insist(|| {
                let (mut client, request) = (client.clone(), request.clone());
                async move { client.review_repair(request).await }
            })
            .await;
        let Some(reviewed) = reviewed else { return };
        if let Some(token) = self.done(at, &reviewed.token, &flag.enterprise) {
            self.converged(&officers.reviewer, &reviewed.token, &token, ConvergenceScope::All)
                .await;
        }
    }

    /// Asks again, with the same request id, until there is an answer. What is refused is a fault of the suite: the
    /// clients only ask for what is allowed.
    async fn insist<A, F>(&self, call: impl Fn() -> F) -> Option<A>
    where
        F: Future<Output = Result<tonic::Response<A>, Status>>,
    {
        let until = Instant::now() + WRITE;
        while Instant::now() < until {
            let status = match timeout(CALL, call()).await {
                Ok(Ok(answer)) => return Some(answer.into_inner()),
                Ok(Err(status)) => status,
                Err(_) => Status::deadline_exceeded("the call"),
            };
            self.unanswered(&status);
            match status.code() {
                Code::Unavailable
                | Code::DeadlineExceeded
                | Code::Cancelled
                | Code::Unknown
                | Code::ResourceExhausted
                | Code::Internal => {}
                _ => {
                    let said = format!("{:?}: {}", status.code(), status.message());
                    self.history.note(|seen| seen.violations.push(("refused", said)));
                    return None;
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
        None
    }

    fn begin(&self, deed: Deed, enterprise: &str, flag: &str, began: Duration) -> usize {
        let write = Write {
            deed,
            enterprise: enterprise.to_owned(),
            flag: flag.to_owned(),
            began,
            done: None,
        };
        self.history.note(|seen| {
            seen.writes.push(write);
            seen.writes.len() - 1
        })
    }

    fn done(&self, write: usize, token: &str, enterprise: &str) -> Option<Token> {
        let at = self.history.now();
        let Ok(token) = token.parse::<Token>() else {
            self.history
                .note(|seen| seen.violations.push(("P1", format!("no token: {token:?}"))));
            return None;
        };
        self.history.note(|seen| {
            if let Some(write) = seen.writes.get_mut(write) {
                write.done = Some(Done {
                    at,
                    token: token.clone(),
                });
            }
        });
        let mut tokens = lock(&self.tokens);
        tokens.push((enterprise.to_owned(), token.clone()));
        if tokens.len() > 100 {
            tokens.remove(0);
        }
        Some(token)
    }

    async fn converged(&self, client: &Client, raw: &str, token: &Token, scope: ConvergenceScope) {
        let question = ConvergenceQuestion {
            token: raw.to_owned(),
            scope: scope.into(),
            timeout: Some(Duration::from_secs(2).into()),
        };
        let request = pb::WaitConvergedRequest {
            question: Some(question),
        };
        let mut client = FlagServiceClient::new(client.clone());
        let waiting = async {
            let mut answers = client.wait_converged(request).await?.into_inner();
            let mut last = None;
            while let Some(answer) = answers.message().await? {
                last = Some(answer);
            }
            Ok::<_, Status>(last)
        };
        match timeout(CALL, waiting).await {
            Ok(Ok(Some(last))) if last.converged => {
                let at = self.history.now();
                let sanctions = token
                    .get(greenstar_kernel::Log::Sanctions)
                    .map_or(0, |position| position.revision.0);
                let rating = last.caused.and_then(|caused| caused.position);
                let claim = Converged {
                    at,
                    sanctions,
                    rating: rating.map(|position| position.revision),
                };
                self.history.note(|seen| seen.converged.push(claim));
            }
            Ok(Ok(last)) => self.outstanding(last.as_ref()),
            Ok(Err(status)) => self.unanswered(&status),
            Err(_) => self.unanswered(&Status::deadline_exceeded("WaitConverged")),
        }
    }

    /// Who kept a write from being applied everywhere, for the reader of the report.
    fn outstanding(&self, last: Option<&pb::WaitConvergedResponse>) {
        let parts = last
            .into_iter()
            .flat_map(|last| [&last.convergence, &last.caused]);
        let names: Vec<String> = parts
            .flatten()
            .flat_map(|part| {
                let waiting = part.outstanding.iter().map(|subscriber| {
                    let state = subscriber
                        .state()
                        .as_str_name()
                        .trim_start_matches("SUBSCRIBER_STATE_");
                    format!("{} {state}", subscriber.subscriber)
                });
                let away = part.unreachable.iter().map(|part| format!("{part} unreachable"));
                waiting.chain(away)
            })
            .collect();
        self.history.note(|seen| {
            for name in names {
                *seen.outstanding.entry(name).or_default() += 1;
            }
        });
    }

    /// Asks for permits, half of the time with the token of a recent write.
    pub async fn decide(self: Arc<Work>, replica: String, client: Client, seed: u64) {
        let mut rng = StdRng::seed_from_u64(seed);
        let client = LicensingServiceClient::new(client);
        while !self.over() {
            let recent = {
                let tokens = lock(&self.tokens);
                let found = (!tokens.is_empty()).then(|| rng.random_range(0..tokens.len()));
                found.and_then(|at| tokens.get(at).cloned())
            };
            let (enterprise, asked) = match recent {
                Some((enterprise, token)) if rng.random_bool(0.5) => (enterprise, Some(token)),
                _ => (
                    self.enterprises[rng.random_range(0..self.enterprises.len())].clone(),
                    None,
                ),
            };
            self.ask(&replica, client.clone(), enterprise, asked).await;
            sleep(Duration::from_millis(rng.random_range(0..10))).await;
        }
    }

    /// Asks once.
    pub async fn ask(
        &self,
        replica: &str,
        mut client: LicensingServiceClient<Client>,
        enterprise: String,
        asked: Option<Token>,
    ) -> Option<Decided> {
        let request = CheckPermitRequest {
            enterprise: enterprise.clone(),
            permit_kind: "pollutant-permit".to_owned(),
            consistency: asked.as_ref().map(|token| Consistency {
                at_least_as_fresh: vec![token.to_string()],
                ..Default::default()
            }),
            ..Default::default()
        };
        let began = self.history.now();
        let answer = match timeout(CALL, client.check_permit(request)).await {
            Ok(Ok(answer)) => answer.into_inner(),
            Ok(Err(status)) => {
                if !matches!(
                    status.code(),
                    Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown
                ) {
                    let said = format!("{:?}: {}", status.code(), status.message());
                    self.history.note(|seen| seen.violations.push(("refused", said)));
                }
                self.unanswered(&status);
                return None;
            }
            Err(_) => {
                self.unanswered(&Status::deadline_exceeded("CheckPermit"));
                return None;
            }
        };
        let ended = self.history.now();
        let Ok(token) = answer.token.parse() else {
            self.history.note(|seen| {
                seen.violations
                    .push(("P1", format!("no token: {:?}", answer.token)))
            });
            return None;
        };
        let decided = Decided {
            replica: replica.to_owned(),
            enterprise,
            asked,
            began,
            ended,
            token,
            outcome: answer.outcome,
            flags: answer.flags.into_iter().map(|flag| flag.name).collect(),
            star: answer.star,
            manual_review: answer.manual_review,
            data_age: answer.data_age.and_then(|age| Duration::try_from(age).ok()),
            name: answer.decision,
        };
        self.history.note(|seen| seen.decisions.push(decided.clone()));
        Some(decided)
    }

    /// Follows the flags of one replica, as a department's own system does; comes back from its cursor.
    pub async fn watch(self: Arc<Work>, watcher: usize, client: Client) {
        let mut cursor: Option<Position> = None;
        while !self.over() {
            if let Err(status) = self.session(watcher, client.clone(), &mut cursor).await {
                match greenstar_rpc::reason_of(&status).as_deref() {
                    Some("CURSOR_TOO_OLD" | "TOKEN_FOREIGN" | "TOKEN_AHEAD") => {
                        self.history.note(|seen| {
                            let said = format!(
                                "watcher {watcher} lost its cursor {cursor:?}: {}",
                                status.message()
                            );
                            seen.violations.push(("P4", said));
                        });
                        return;
                    }
                    Some(_) | None => self.unanswered(&status),
                }
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    async fn session(
        &self,
        watcher: usize,
        client: Client,
        cursor: &mut Option<Position>,
    ) -> Result<(), Status> {
        let (steps, outbound) = mpsc::channel(16);
        let open = WatchOpen {
            subscriber: format!("enforcement/watcher-{watcher}"),
            cursor: cursor.clone(),
            ..Default::default()
        };
        let say = |step| pb::WatchFlagsRequest { step: Some(step) };
        let _ = steps.try_send(say(Step::Open(open)));
        let mut client = FlagServiceClient::new(client);
        let answers = timeout(CALL, client.watch_flags(ReceiverStream::new(outbound)));
        let mut answers = answers
            .await
            .map_err(|_| Status::deadline_exceeded("WatchFlags"))??
            .into_inner();
        let mut began: Option<Position> = None;
        while !self.over() {
            let Ok(message) = timeout(CALL, answers.next()).await else {
                return Err(Status::deadline_exceeded("a silent watch"));
            };
            let Some(message) = message else { return Ok(()) };
            match message?.event {
                Some(Event::SnapshotBegin(begin)) => began = begin.position,
                Some(Event::SnapshotEnd(_)) => {
                    *cursor = began.take();
                    if let Some(at) = cursor.clone() {
                        self.history
                            .note(|seen| seen.snapshots.push((watcher, at.epoch, at.revision)));
                    }
                }
                Some(Event::Frame(frame)) => {
                    let Some(at) = cursor.as_mut() else {
                        return Err(Status::internal("a frame before a snapshot"));
                    };
                    let framed = Framed {
                        watcher,
                        epoch: at.epoch.clone(),
                        after: frame.after,
                        to: frame.to,
                        changes: frame.changes.iter().map(|change| change.revision).collect(),
                    };
                    at.revision = frame.to;
                    self.history.note(|seen| seen.frames.push(framed));
                    let applied = Acknowledgement {
                        revision: frame.to,
                        rejection: None,
                    };
                    let _ = steps.try_send(say(Step::Acknowledgement(applied)));
                }
                Some(Event::Rows(_) | Event::Pong(_)) | None => {}
            }
        }
        Ok(())
    }
}
