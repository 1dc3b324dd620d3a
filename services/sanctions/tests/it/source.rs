//! Replicas of the service, those who follow them, and what is asked about them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::Clock;
use greenstar_proto::common::v1 as common;
use greenstar_proto::common::v1::{
    Acknowledgement, ConvergenceQuestion, ConvergenceScope, SubscriberState, WatchOpen,
};
use greenstar_proto::sanctions::v1 as pb;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_proto::sanctions::v1::watch_flags_request::Step;
use greenstar_proto::sanctions::v1::watch_flags_response::Event;
use greenstar_rpc::watching::{Replica, Secret};
use greenstar_rpc::{Client, Credentials, channel, with_credential};
use greenstar_sanctions::{MIGRATIONS, Sanctions, serve};
use greenstar_store::Database;
use greenstar_testkit::Scratch;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

use crate::server::{edition, penalty, secret};

const CALLERS: [&str; 7] = [
    "operator",
    "enforcement",
    "enforcement/2",
    "supervision-policy",
    "licensing/subscriber",
    "finance/subscriber",
    "sanctions/subscriber",
];

/// One replica of the service.
pub(crate) struct Source {
    pub(crate) addr: SocketAddr,
    stop: CancellationToken,
    pub(crate) task: JoinHandle<std::io::Result<()>>,
}

impl Source {
    pub(crate) async fn alone(scratch: &Scratch, clock: Arc<dyn Clock>) -> Source {
        Source::start(scratch, clock, "sanctions").await
    }

    pub(crate) async fn start(scratch: &Scratch, clock: Arc<dyn Clock>, name: &str) -> Source {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let replica = Replica {
            name: name.to_owned(),
            url: Some(format!("http://{addr}")),
            secret: Some(Secret(secret("sanctions/subscriber"))),
            fan_out: None,
        };
        let database = Database::migrate(&scratch.url().parse().unwrap(), &MIGRATIONS)
            .await
            .unwrap();
        let sanctions = Sanctions::start_as(database, clock, edition("2026-1"), replica)
            .await
            .unwrap();
        let secrets: std::collections::BTreeMap<_, _> = CALLERS.map(|name| (name, secret(name))).into();
        let credentials = Credentials::parse(&serde_json::to_string(&secrets).unwrap()).unwrap();
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(sanctions, Arc::new(credentials), listener, stop.clone()));
        Source { addr, stop, task }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    pub(crate) fn flags(&self, caller: &str) -> FlagServiceClient<Client> {
        let channel = channel(&format!("http://{}", self.addr)).unwrap();
        FlagServiceClient::new(with_credential(channel, &secret(caller)).unwrap())
    }

    /// A flag that binds, its token, and what was said of its convergence.
    pub(crate) async fn flag(
        &self,
        number: &str,
        wait: Option<Duration>,
    ) -> (pb::Flag, String, Option<common::Convergence>) {
        let raised = self.flags("enforcement").raise_flag(penalty(number)).await;
        let name = raised.unwrap().into_inner().flag.unwrap().name;
        let request = pb::ConfirmFlagRequest {
            name,
            request_id: number.to_owned(),
            wait_converged: wait.map(Into::into),
        };
        let confirmed = self.flags("enforcement/2").confirm_flag(request).await;
        let confirmed = confirmed.unwrap().into_inner();
        (confirmed.flag.unwrap(), confirmed.token, confirmed.convergence)
    }

    pub(crate) async fn open(&self, caller: &str, open: WatchOpen) -> Watch {
        let (steps, queue) = mpsc::channel(64);
        let step = Some(Step::Open(open));
        steps.send(pb::WatchFlagsRequest { step }).await.unwrap();
        let answers = self.flags(caller).watch_flags(ReceiverStream::new(queue)).await;
        Watch {
            steps,
            events: answers.unwrap().into_inner(),
            revision: 0,
        }
    }

    pub(crate) async fn wait(&self, token: &str, millis: u64) -> Vec<pb::WaitConvergedResponse> {
        let mut answers = self.ask(token, ConvergenceScope::Direct, millis).await.unwrap();
        let mut all = Vec::new();
        while let Some(answer) = answers.message().await.unwrap() {
            all.push(answer);
        }
        let (_, before) = all.split_last().unwrap();
        assert!(before.iter().all(|answer| !answer.converged));
        all
    }

    pub(crate) async fn ask(
        &self,
        token: &str,
        scope: ConvergenceScope,
        millis: u64,
    ) -> Result<Streaming<pb::WaitConvergedResponse>, Status> {
        let question = ConvergenceQuestion {
            token: token.to_owned(),
            scope: scope.into(),
            timeout: Some(Duration::from_millis(millis).into()),
        };
        let request = pb::WaitConvergedRequest {
            question: Some(question),
        };
        Ok(self
            .flags("enforcement")
            .wait_converged(request)
            .await?
            .into_inner())
    }

    pub(crate) async fn subscribers(&self) -> pb::ListSubscribersResponse {
        let request = pb::ListSubscribersRequest {};
        self.flags("operator")
            .list_subscribers(request)
            .await
            .unwrap()
            .into_inner()
    }
}

pub(crate) struct Watch {
    steps: mpsc::Sender<pb::WatchFlagsRequest>,
    events: Streaming<pb::WatchFlagsResponse>,
    /// Up to where it was told.
    pub(crate) revision: u64,
}

impl Watch {
    pub(crate) async fn next(&mut self) -> Result<Event, Status> {
        let next = tokio::time::timeout(Duration::from_secs(20), self.events.message());
        let event = next
            .await
            .expect("in time")?
            .expect("an open watch")
            .event
            .unwrap();
        match &event {
            Event::SnapshotBegin(begin) => self.revision = begin.position.as_ref().unwrap().revision,
            Event::Frame(frame) => {
                assert_eq!(frame.after, self.revision, "no gap, no repetition");
                self.revision = frame.to;
            }
            Event::Rows(_) | Event::SnapshotEnd(_) | Event::Pong(_) => {}
        }
        Ok(event)
    }

    /// Takes frames up to `to`; answers the changes in them.
    pub(crate) async fn take(&mut self, to: u64) -> Vec<pb::FlagChange> {
        let mut changes = Vec::new();
        while self.revision < to {
            if let Event::Frame(frame) = self.next().await.unwrap() {
                changes.extend(frame.changes);
            }
        }
        changes
    }

    pub(crate) async fn say(&self, step: Step) {
        self.steps
            .send(pb::WatchFlagsRequest { step: Some(step) })
            .await
            .unwrap();
    }

    pub(crate) async fn acknowledge(&self, revision: u64) {
        self.say(Step::Acknowledgement(up_to(revision))).await;
    }

    pub(crate) async fn refused(&mut self) -> Status {
        loop {
            if let Err(status) = self.next().await {
                return status;
            }
        }
    }
}

pub(crate) fn up_to(revision: u64) -> Acknowledgement {
    Acknowledgement {
        revision,
        rejection: None,
    }
}

pub(crate) fn named(subscriber: &str) -> WatchOpen {
    WatchOpen {
        subscriber: subscriber.to_owned(),
        ..WatchOpen::default()
    }
}

pub(crate) fn policy(subscriber: &str) -> WatchOpen {
    WatchOpen {
        fences_after: Some(Duration::from_secs(7).into()),
        ..named(subscriber)
    }
}

pub(crate) fn standing(convergence: &common::Convergence) -> Vec<(&str, SubscriberState)> {
    let outstanding = convergence.outstanding.iter();
    outstanding
        .map(|one| (one.subscriber.as_str(), one.state()))
        .collect()
}

pub(crate) fn last(answers: &[pb::WaitConvergedResponse]) -> &common::Convergence {
    answers.last().unwrap().convergence.as_ref().unwrap()
}
