//! Who has applied a flag, asked of one replica or of several; plain streams; bad subscribers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use greenstar_kernel::{Clock, Log, ManualClock, SystemClock, Token};
use greenstar_proto::common::v1 as common;
use greenstar_proto::common::v1::{
    Acknowledgement, ConvergenceQuestion, ConvergenceScope, Rejection, SubscriberState, WatchFilter,
    WatchOpen,
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
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

use crate::server::{FIRM, OTHER_FIRM, edition, engines, noon, penalty, position, refused, secret};

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
struct Source {
    addr: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<std::io::Result<()>>,
}

impl Source {
    async fn alone(scratch: &Scratch, clock: Arc<dyn Clock>) -> Source {
        Source::start(scratch, clock, "sanctions").await
    }

    async fn start(scratch: &Scratch, clock: Arc<dyn Clock>, name: &str) -> Source {
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

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }

    fn flags(&self, caller: &str) -> FlagServiceClient<Client> {
        let channel = channel(&format!("http://{}", self.addr)).unwrap();
        FlagServiceClient::new(with_credential(channel, &secret(caller)).unwrap())
    }

    /// A flag that binds, its token, and what was said of its convergence.
    async fn flag(
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

    async fn open(&self, caller: &str, open: WatchOpen) -> Watch {
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

    async fn wait(&self, token: &str, millis: u64) -> Vec<pb::WaitConvergedResponse> {
        let mut answers = self.ask(token, ConvergenceScope::Direct, millis).await.unwrap();
        let mut all = Vec::new();
        while let Some(answer) = answers.message().await.unwrap() {
            all.push(answer);
        }
        let (_, before) = all.split_last().unwrap();
        assert!(before.iter().all(|answer| !answer.converged));
        all
    }

    async fn ask(
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

    async fn subscribers(&self) -> pb::ListSubscribersResponse {
        let request = pb::ListSubscribersRequest {};
        self.flags("operator")
            .list_subscribers(request)
            .await
            .unwrap()
            .into_inner()
    }
}

struct Watch {
    steps: mpsc::Sender<pb::WatchFlagsRequest>,
    events: Streaming<pb::WatchFlagsResponse>,
    revision: u64,
}

impl Watch {
    async fn next(&mut self) -> Result<Event, Status> {
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
    async fn take(&mut self, to: u64) -> Vec<pb::FlagChange> {
        let mut changes = Vec::new();
        while self.revision < to {
            if let Event::Frame(frame) = self.next().await.unwrap() {
                changes.extend(frame.changes);
            }
        }
        changes
    }

    async fn say(&self, step: Step) {
        self.steps
            .send(pb::WatchFlagsRequest { step: Some(step) })
            .await
            .unwrap();
    }

    async fn acknowledge(&self, revision: u64) {
        self.say(Step::Acknowledgement(up_to(revision))).await;
    }

    async fn refused(&mut self) -> Status {
        loop {
            if let Err(status) = self.next().await {
                return status;
            }
        }
    }
}

fn up_to(revision: u64) -> Acknowledgement {
    Acknowledgement {
        revision,
        rejection: None,
    }
}

fn named(subscriber: &str) -> WatchOpen {
    WatchOpen {
        subscriber: subscriber.to_owned(),
        ..WatchOpen::default()
    }
}

fn policy(subscriber: &str) -> WatchOpen {
    WatchOpen {
        fences_after: Some(Duration::from_secs(7).into()),
        ..named(subscriber)
    }
}

fn standing(convergence: &common::Convergence) -> Vec<(&str, SubscriberState)> {
    let outstanding = convergence.outstanding.iter();
    outstanding
        .map(|one| (one.subscriber.as_str(), one.state()))
        .collect()
}

fn last(answers: &[pb::WaitConvergedResponse]) -> &common::Convergence {
    answers.last().unwrap().convergence.as_ref().unwrap()
}

#[tokio::test]
async fn everybody_who_has_not_applied_a_flag_is_named_with_the_reason() {
    for scratch in engines().await {
        let clock = Arc::new(ManualClock::at(noon("2026-05-10")));
        let source = Source::alone(&scratch, clock.clone()).await;
        let mut quick = source
            .open("supervision-policy", policy("supervision-policy/1"))
            .await;
        let mut gone = source
            .open("supervision-policy", policy("supervision-policy/2"))
            .await;
        let mut silent = source
            .open("licensing/subscriber", named("licensing/registry"))
            .await;
        let mut rejecting = source.open("finance/subscriber", named("finance/ledger")).await;
        for watch in [&mut quick, &mut gone, &mut silent, &mut rejecting] {
            watch.next().await.unwrap();
        }
        let (_, token, _) = source.flag("1", None).await;
        let revision = position(&token).revision.0;
        for watch in [&mut quick, &mut gone, &mut silent, &mut rejecting] {
            watch.take(revision).await;
        }
        quick.acknowledge(revision).await;
        let rejection = Rejection {
            revision,
            reason: "no such kind in the ledger".to_owned(),
        };
        rejecting
            .say(Step::Acknowledgement(Acknowledgement {
                revision: revision - 1,
                rejection: Some(rejection.clone()),
            }))
            .await;
        drop(gone);

        // It ends when time is up, and says so.
        let answers = source.wait(&token, 700).await;
        assert!(!answers.last().unwrap().converged);
        let convergence = last(&answers);
        assert_eq!(
            standing(convergence),
            [
                ("finance/ledger", SubscriberState::Rejected),
                ("licensing/registry", SubscriberState::Laggard),
                ("supervision-policy/2", SubscriberState::Disconnected),
            ]
        );
        assert_eq!(convergence.outstanding[0].rejection, Some(rejection));
        assert_eq!(
            (convergence.log.as_str(), convergence.converged_count),
            ("sanctions", 1)
        );
        assert_eq!(
            convergence.converged_subscribers[0].subscriber,
            "supervision-policy/1"
        );
        assert!(convergence.took_p50.is_some() && convergence.took_p99.is_some());

        // Silence makes the one fenced that promised to answer nothing as fresh; the others come after.
        clock.advance(Duration::from_secs(9));
        rejecting.acknowledge(revision).await;
        silent.acknowledge(revision).await;
        let answers = source.wait(&token, 20_000).await;
        assert!(answers.last().unwrap().converged);
        let convergence = last(&answers);
        assert!(convergence.converged);
        assert_eq!(
            standing(convergence),
            [("supervision-policy/2", SubscriberState::Fenced)]
        );
        assert_eq!(convergence.converged_count, 3);

        // A department's own system that never comes back stays a laggard until it is removed.
        drop(silent);
        let (_, token, _) = source.flag("2", None).await;
        let revision = position(&token).revision.0;
        for watch in [&mut quick, &mut rejecting] {
            watch.take(revision).await;
            watch.acknowledge(revision).await;
        }
        let answers = source.wait(&token, 500).await;
        assert_eq!(
            standing(last(&answers))[0],
            ("licensing/registry", SubscriberState::Disconnected)
        );
        let remove = |subscriber: &str| pb::RemoveSubscriberRequest {
            subscriber: subscriber.to_owned(),
        };
        let mut officer = source.flags("enforcement");
        let by_officer = officer.remove_subscriber(remove("licensing/registry"));
        refused(by_officer.await, Code::PermissionDenied, "ROLE_NOT_ALLOWED");
        let mut operator = source.flags("operator");
        operator
            .remove_subscriber(remove("licensing/registry"))
            .await
            .unwrap();
        let again = operator.remove_subscriber(remove("licensing/registry")).await;
        refused(again, Code::NotFound, "SUBSCRIBER_UNKNOWN");
        assert!(source.wait(&token, 20_000).await.last().unwrap().converged);
        source.stop().await;
    }
}

#[tokio::test]
async fn a_watch_at_another_replica_counts_and_a_replica_that_dies_is_no_convergence() {
    let scratch = Scratch::postgres().await;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let left = Source::start(&scratch, clock.clone(), "sanctions/1").await;
    let right = Source::start(&scratch, clock.clone(), "sanctions/2").await;
    let mut watch = right
        .open("supervision-policy", policy("supervision-policy/1"))
        .await;
    watch.next().await.unwrap();
    let (_, token, _) = left.flag("1", None).await;
    let revision = position(&token).revision.0;
    let applying = async {
        watch.take(revision).await;
        watch.acknowledge(revision).await;
    };
    let (answers, ()) = tokio::join!(left.wait(&token, 20_000), applying);
    assert!(answers.last().unwrap().converged, "{answers:?}");
    assert_eq!(
        last(&answers).converged_subscribers[0].subscriber,
        "supervision-policy/1"
    );
    let listed = left.subscribers().await;
    assert_eq!(listed.unreachable, Vec::<String>::new());
    assert_eq!(listed.subscribers[0].lag, 0);

    // One that streams from the one replica may acknowledge at the other.
    let request = pb::StreamFlagsRequest {
        subscriber: "licensing/registry".to_owned(),
        ..pb::StreamFlagsRequest::default()
    };
    let mut streamer = right.flags("licensing/subscriber");
    let mut stream = streamer.stream_flags(request).await.unwrap().into_inner();
    while stream.message().await.unwrap().unwrap().cursor.is_empty() {}
    let acknowledge = |revision| pb::AcknowledgeFlagsRequest {
        subscriber: "licensing/registry".to_owned(),
        acknowledgement: Some(up_to(revision)),
    };
    // The other replica reads who is registered where once a second; asking makes it look.
    left.subscribers().await;
    let mut caller = left.flags("licensing/subscriber");
    let early = caller.acknowledge_flags(acknowledge(revision + 99)).await;
    refused(early, Code::InvalidArgument, "ACKNOWLEDGEMENT_AHEAD");
    caller.acknowledge_flags(acknowledge(revision)).await.unwrap();
    assert!(left.wait(&token, 20_000).await.last().unwrap().converged);
    left.flags("operator")
        .remove_subscriber(pb::RemoveSubscriberRequest {
            subscriber: "licensing/registry".to_owned(),
        })
        .await
        .unwrap();

    // Killed: nobody said goodbye, and what it knew is gone.
    right.task.abort();
    drop(right.task);
    let (_, token, _) = left.flag("2", None).await;
    let answers = left.wait(&token, 500).await;
    assert!(!answers.last().unwrap().converged, "{answers:?}");
    // The subscriber goes over to the other replica and says where it stands.
    let cursor = common::Position {
        epoch: position(&token).epoch.to_string(),
        revision,
    };
    let mut watch = left
        .open(
            "supervision-policy",
            WatchOpen {
                cursor: Some(cursor),
                ..policy("supervision-policy/1")
            },
        )
        .await;
    watch.revision = revision;
    let revision = position(&token).revision.0;
    assert_eq!(watch.take(revision).await.len(), 1);
    watch.acknowledge(revision).await;
    assert!(left.wait(&token, 30_000).await.last().unwrap().converged);
    left.stop().await;
}

#[tokio::test]
async fn a_registration_outlives_a_restart_of_the_service() {
    for scratch in engines().await {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let source = Source::alone(&scratch, clock.clone()).await;
        let mut watch = source
            .open("licensing/subscriber", named("licensing/registry"))
            .await;
        watch.next().await.unwrap();
        source.stop().await;
        let source = Source::alone(&scratch, clock).await;
        let listed = source.subscribers().await;
        let [one] = listed.subscribers.as_slice() else {
            panic!("{listed:?}")
        };
        assert_eq!(
            (one.subscriber.as_str(), one.log.as_str()),
            ("licensing/registry", "sanctions")
        );
        assert_eq!(
            (one.state(), one.acknowledged),
            (SubscriberState::Disconnected, 0)
        );
        let (_, token, _) = source.flag("1", None).await;
        assert!(!source.wait(&token, 300).await.last().unwrap().converged);
        source.stop().await;
    }
}

#[tokio::test]
async fn a_confirmation_can_wait_until_everybody_has_applied_it() {
    let scratch = Scratch::sqlite();
    let source = Source::alone(&scratch, Arc::new(ManualClock::at(noon("2026-05-10")))).await;
    // With nobody there it has converged at once.
    let (_, _, convergence) = source.flag("1", Some(Duration::from_secs(30))).await;
    assert!(convergence.unwrap().converged);
    let mut watch = source
        .open("supervision-policy", policy("supervision-policy/1"))
        .await;
    watch.next().await.unwrap();
    // One that does not answer does not undo it: it binds, and the answer says who is missing.
    let (flag, token, convergence) = source.flag("2", Some(Duration::from_millis(200))).await;
    assert_eq!(flag.state(), pb::FlagState::InForce);
    let convergence = convergence.unwrap();
    assert!(!convergence.converged);
    assert_eq!(
        standing(&convergence),
        [("supervision-policy/1", SubscriberState::Laggard)]
    );
    let answering = async {
        let head = position(&token).revision.0 + 2;
        watch.take(head).await;
        watch.acknowledge(head).await;
    };
    let ((_, _, convergence), ()) = tokio::join!(source.flag("3", Some(Duration::from_secs(8))), answering);
    assert!(convergence.unwrap().converged);
    // A repeat waits anew; how long is no part of what was done.
    let request = pb::ConfirmFlagRequest {
        name: flag.name.clone(),
        request_id: "2".to_owned(),
        wait_converged: None,
    };
    let repeated = source
        .flags("enforcement/2")
        .confirm_flag(request.clone())
        .await
        .unwrap();
    assert_eq!(repeated.into_inner().convergence, None);
    let too_long = pb::ConfirmFlagRequest {
        wait_converged: Some(Duration::from_secs(61).into()),
        ..request
    };
    let answer = source.flags("enforcement/2").confirm_flag(too_long).await;
    refused(answer, Code::InvalidArgument, "FIELD_INVALID");
    source.stop().await;
}

#[tokio::test]
async fn what_follows_in_rating_is_not_known_without_rating() {
    let scratch = Scratch::sqlite();
    let source = Source::alone(&scratch, Arc::new(ManualClock::at(noon("2026-05-10")))).await;
    let (_, token, _) = source.flag("1", None).await;
    let mut answers = source.ask(&token, ConvergenceScope::All, 600).await.unwrap();
    let mut last = None;
    while let Some(answer) = answers.message().await.unwrap() {
        last = Some(answer);
    }
    let last = last.unwrap();
    assert!(last.convergence.unwrap().converged && !last.converged);
    let caused = last.caused.unwrap();
    assert_eq!((caused.log.as_str(), caused.converged), ("rating", false));
    assert_eq!(standing(&caused), [("rating", SubscriberState::Laggard)]);
    assert_eq!(caused.unreachable, ["rating"]);
    source.stop().await;
}

#[tokio::test]
async fn nobody_poses_as_another_department_or_speaks_of_what_was_not_sent() {
    let scratch = Scratch::sqlite();
    let source = Source::alone(&scratch, Arc::new(ManualClock::at(noon("2026-05-10")))).await;
    let (_, token, _) = source.flag("1", None).await;
    let head = position(&token);
    for name in ["supervision-policy/1", "licensing2", "licens"] {
        let mut watch = source.open("licensing/subscriber", named(name)).await;
        let status = watch.refused().await;
        refused(
            Err::<(), _>(status),
            Code::PermissionDenied,
            "DEPARTMENT_NOT_ALLOWED",
        );
    }
    let mut early = source
        .open("licensing/subscriber", named("licensing/registry"))
        .await;
    early.next().await.unwrap();
    early.acknowledge(head.revision.0 + 1).await;
    let status = early.refused().await;
    refused(
        Err::<(), _>(status),
        Code::InvalidArgument,
        "ACKNOWLEDGEMENT_AHEAD",
    );

    let filtered = |filter: WatchFilter| WatchOpen {
        filter: Some(filter),
        ..named("licensing/registry")
    };
    for filter in [
        WatchFilter {
            kinds: vec!["misspelt-penalty".to_owned()],
            ..WatchFilter::default()
        },
        WatchFilter {
            districts: vec!["11011x".to_owned()],
            ..WatchFilter::default()
        },
        WatchFilter {
            enterprises: vec!["enterprises/1".to_owned()],
            ..WatchFilter::default()
        },
    ] {
        let mut watch = source.open("licensing/subscriber", filtered(filter)).await;
        let status = watch.refused().await;
        refused(
            Err::<(), _>(status),
            Code::InvalidArgument,
            "WATCH_FILTER_INVALID",
        );
    }

    let ahead = greenstar_kernel::Position {
        revision: head.revision.next(),
        ..head.clone()
    };
    let foreign = greenstar_kernel::Position {
        epoch: greenstar_kernel::Epoch::parse("another").unwrap(),
        ..head.clone()
    };
    for (token, code, reason) in [
        (
            Token::of(Log::Sanctions, ahead).to_string(),
            Code::InvalidArgument,
            "TOKEN_AHEAD",
        ),
        (
            Token::of(Log::Sanctions, foreign).to_string(),
            Code::FailedPrecondition,
            "TOKEN_FOREIGN",
        ),
        (
            Token::of(Log::Rating, head.clone()).to_string(),
            Code::InvalidArgument,
            "TOKEN_MALFORMED",
        ),
        ("nonsense".to_owned(), Code::InvalidArgument, "TOKEN_MALFORMED"),
    ] {
        let asked = async {
            source
                .ask(&token, ConvergenceScope::Direct, 500)
                .await?
                .message()
                .await
        };
        refused(asked.await, code, reason);
    }
    let request = pb::AcknowledgeFlagsRequest {
        subscriber: "licensing/registry".to_owned(),
        acknowledgement: Some(up_to(1)),
    };
    let nobody = source
        .flags("licensing/subscriber")
        .acknowledge_flags(request)
        .await;
    refused(nobody, Code::NotFound, "SUBSCRIBER_UNKNOWN");
    source.stop().await;
}

#[tokio::test]
async fn a_filter_narrows_snapshot_and_frames_and_the_cursor_moves_all_the_same() {
    for scratch in engines().await {
        let source = Source::alone(&scratch, Arc::new(ManualClock::at(noon("2026-05-10")))).await;
        source.flag("1", None).await;
        let followed = WatchOpen {
            filter: Some(WatchFilter {
                kinds: vec!["serious-penalty".to_owned()],
                enterprises: vec![format!("enterprises/{OTHER_FIRM}")],
                ..WatchFilter::default()
            }),
            ..named("licensing/registry")
        };
        let mut watch = source.open("licensing/subscriber", followed).await;
        watch.next().await.unwrap();
        let Event::Rows(rows) = watch.next().await.unwrap() else {
            panic!("no rows")
        };
        assert!(
            rows.rows
                .iter()
                .all(|row| matches!(row.row, Some(pb::flag_row::Row::Catalogue(_))))
        );
        let (_, token, _) = source.flag("2", None).await;
        assert_eq!(watch.take(position(&token).revision.0).await, []);
        let other = pb::RaiseFlagRequest {
            parent: format!("enterprises/{OTHER_FIRM}"),
            ..penalty("3")
        };
        let raised = source
            .flags("enforcement")
            .raise_flag(other)
            .await
            .unwrap()
            .into_inner();
        let request = pb::ConfirmFlagRequest {
            name: raised.flag.unwrap().name,
            ..pb::ConfirmFlagRequest::default()
        };
        let confirmed = source
            .flags("enforcement/2")
            .confirm_flag(request)
            .await
            .unwrap()
            .into_inner();
        let changes = watch.take(position(&confirmed.token).revision.0).await;
        assert_eq!(changes.len(), 1);
        source.stop().await;
    }
}

/// Server-sent events of one connection.
struct Events {
    lines: BufReader<TcpStream>,
    status: u16,
}

/// id, event, data.
type Sent = (Option<String>, String, Value);

impl Events {
    async fn open(source: &Source, target: &str, last: Option<&str>) -> Events {
        let mut stream = TcpStream::connect(source.addr).await.unwrap();
        let last = last
            .map(|id| format!("last-event-id: {id}\r\n"))
            .unwrap_or_default();
        let request = format!(
            "GET {target} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n{last}\r\n",
            secret("licensing/subscriber")
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(lines.read_line(&mut head).await.unwrap() > 0, "{head}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        if status == 200 {
            assert!(head.contains("content-type: text/event-stream"), "{head}");
            assert!(head.contains("cache-control: no-store"), "{head}");
        }
        Events { lines, status }
    }

    /// The next event; chunk sizes are passed over.
    async fn next(&mut self) -> Sent {
        let (mut id, mut event, mut data) = (None, String::new(), None);
        loop {
            let mut line = String::new();
            let read = tokio::time::timeout(Duration::from_secs(20), self.lines.read_line(&mut line));
            assert!(read.await.unwrap().unwrap() > 0, "the stream ended");
            let line = line.trim_end();
            if let Some(value) = line.strip_prefix("id:") {
                id = Some(value.trim().to_owned());
            } else if let Some(value) = line.strip_prefix("event: ") {
                event = value.to_owned();
            } else if let Some(value) = line.strip_prefix("data: ") {
                data = Some(serde_json::from_str(value).unwrap());
            } else if line.is_empty()
                && let Some(data) = data.take()
            {
                return (id, event, data);
            }
        }
    }

    /// Frames until one ends at `to`; answers its id, and what changed.
    async fn take(&mut self, to: u64) -> (String, Vec<Value>) {
        let mut changes = Vec::new();
        loop {
            let (id, event, data) = self.next().await;
            assert_eq!(event, "frame", "{data}");
            let frame = &data["message"]["frame"];
            changes.extend(frame["changes"].as_array().cloned().unwrap_or_default());
            if frame["to"].as_str() == Some(&to.to_string()) {
                return (id.unwrap(), changes);
            }
        }
    }
}

#[tokio::test]
async fn a_department_follows_by_server_sent_events_and_goes_on_from_the_last_one() {
    let scratch = Scratch::sqlite();
    let source = Source::alone(&scratch, Arc::new(ManualClock::at(noon("2026-05-10")))).await;
    let (standing_flag, token, _) = source.flag("1", None).await;
    let epoch = position(&token).epoch;
    let target = "/v1/flags:stream?subscriber=licensing/registry&kinds=serious-penalty";
    let mut events = Events::open(&source, target, None).await;
    let (id, event, _) = events.next().await;
    // Half a snapshot is nothing to go on from.
    assert_eq!((id.as_deref(), event.as_str()), (Some(""), "snapshotBegin"));
    let (_, event, rows) = events.next().await;
    assert_eq!(event, "rows");
    assert!(rows.to_string().contains(&standing_flag.name), "{rows}");
    let (id, event, _) = events.next().await;
    let at = position(&token).revision;
    assert_eq!(
        (id.unwrap(), event.as_str()),
        (format!("{epoch}.{at}"), "snapshotEnd")
    );

    let (_, token, _) = source.flag("2", None).await;
    let to = position(&token).revision.0;
    let (id, changes) = events.take(to).await;
    assert_eq!((id.clone(), changes.len()), (format!("{epoch}.{to}"), 1));

    // It cannot talk back, so it acknowledges by a call of its own.
    let acknowledge = |revision| pb::AcknowledgeFlagsRequest {
        subscriber: "licensing/registry".to_owned(),
        acknowledgement: Some(up_to(revision)),
    };
    assert!(!source.wait(&token, 300).await.last().unwrap().converged);
    let mut caller = source.flags("licensing/subscriber");
    let early = caller.acknowledge_flags(acknowledge(to + 99)).await;
    refused(early, Code::InvalidArgument, "ACKNOWLEDGEMENT_AHEAD");
    caller.acknowledge_flags(acknowledge(to)).await.unwrap();
    assert!(source.wait(&token, 20_000).await.last().unwrap().converged);
    let other = source
        .flags("finance/subscriber")
        .acknowledge_flags(acknowledge(to))
        .await;
    refused(other, Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED");

    // The connection breaks; meanwhile something happens.
    drop(events);
    let (_, token, _) = source.flag("3", None).await;
    let to = position(&token).revision.0;
    let mut events = Events::open(&source, target, Some(&id)).await;
    let (_, changes) = events.take(to).await;
    assert_eq!(changes.len(), 1, "neither twice nor missed");
    assert!(changes[0].to_string().contains(FIRM));

    // What cannot be is refused with a status of its own.
    for (target, status, reason) in [
        ("/v1/flags:stream?cursor=another.1", 400, "TOKEN_FOREIGN"),
        ("/v1/flags:stream?cursor=nonsense", 400, "FIELD_INVALID"),
        ("/v1/flags:stream?kinds=misspelt", 400, "WATCH_FILTER_INVALID"),
        (
            "/v1/flags:stream?subscriber=finance/1",
            403,
            "DEPARTMENT_NOT_ALLOWED",
        ),
    ] {
        let mut refusal = Events::open(&source, target, None).await;
        assert_eq!(refusal.status, status, "{target}");
        let mut body = vec![0; 4096];
        let read = refusal.lines.read(&mut body).await.unwrap();
        let body = String::from_utf8_lossy(&body[..read]).into_owned();
        assert!(body.contains(reason), "{target}: {body}");
    }

    // A second watch of the name ends this one; its last word says why.
    let mut second = source
        .open("licensing/subscriber", named("licensing/registry"))
        .await;
    second.next().await.unwrap();
    let error = loop {
        let (_, event, data) = events.next().await;
        if event == "error" {
            break data;
        }
    };
    assert!(error.to_string().contains("SUBSCRIBER_REPLACED"), "{error}");
    drop(events);
    source.stop().await;
}
