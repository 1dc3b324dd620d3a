//! What changed for the enterprises that a department follows, through the door.

use std::time::Duration;

use greenstar_kernel::{Clock as _, Date};
use greenstar_proto::sanctions::v1::FlagState;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::subscription_service_client::SubscriptionServiceClient;
use greenstar_supervision_policy::RecordSettings;
use greenstar_testkit::Scratch;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::time::timeout;
use tonic::{Code, Status, Streaming};

use crate::server::{FIRM, OTHER, Server, Sources, client, refusal, refused, to_wire};

const MATTER: &str = "departments/finance/matters/green-loan";
const SALT: &str = "000102030405060708090a0b0c0d0e0f";
/// A message that does not come within this never comes.
const PATIENCE: Duration = Duration::from_secs(30);

fn hash(code: &str) -> String {
    let salt: Vec<u8> = (0..16).collect();
    let digest = Sha256::digest([&salt, code.as_bytes()].concat());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hashed(codes: &[&str]) -> pb::WatchTreatmentsRequest {
    pb::WatchTreatmentsRequest {
        matter: MATTER.to_owned(),
        hashed_codes: codes.iter().map(|code| hash(code)).collect(),
        salt: SALT.to_owned(),
        ..pb::WatchTreatmentsRequest::default()
    }
}

fn named(codes: &[&str]) -> pb::WatchTreatmentsRequest {
    pb::WatchTreatmentsRequest {
        matter: MATTER.to_owned(),
        enterprises: codes.iter().map(|code| format!("enterprises/{code}")).collect(),
        ..pb::WatchTreatmentsRequest::default()
    }
}

struct Watch {
    messages: Streaming<pb::WatchTreatmentsResponse>,
    cursor: String,
    sequence: u64,
}

impl Watch {
    async fn open(server: &Server, request: pb::WatchTreatmentsRequest) -> Result<Watch, Status> {
        let sequence = match request.cursor.split('.').nth(1) {
            Some(sequence) => sequence.parse().unwrap(),
            None => 0,
        };
        let mut client = SubscriptionServiceClient::new(client(server.address, "finance"));
        Ok(Watch {
            messages: client.watch_treatments(request).await?.into_inner(),
            cursor: String::new(),
            sequence,
        })
    }

    async fn message(&mut self) -> pb::WatchTreatmentsResponse {
        let message = timeout(PATIENCE, self.messages.message()).await.unwrap();
        let message = message.unwrap().unwrap();
        let next = self.sequence + u64::from(!message.changes.is_empty());
        assert_eq!(message.sequence, next, "nothing twice, nothing missed");
        assert!(!message.cursor.is_empty());
        (self.sequence, self.cursor) = (next, message.cursor.clone());
        message
    }

    /// Changes up to the first message that says that everybody was told.
    async fn caught_up(&mut self) -> Vec<pb::TreatmentChange> {
        let mut changes = Vec::new();
        loop {
            let message = self.message().await;
            changes.extend(message.changes);
            if message.caught_up {
                return changes;
            }
        }
    }

    /// The next change; empty messages pass.
    async fn change(&mut self) -> pb::TreatmentChange {
        loop {
            let mut message = self.message().await;
            if let Some(change) = message.changes.pop() {
                assert!(message.changes.is_empty(), "{message:?}");
                return change;
            }
        }
    }
}

fn outcomes(change: &pb::TreatmentChange) -> (&str, &str) {
    let outcome = |treatment: &Option<pb::DecideResponse>| -> String {
        treatment
            .as_ref()
            .map_or_else(String::new, |treatment| treatment.outcome.clone())
    };
    let names = ["", "PRIORITY", "ELIGIBLE", "STANDARD", "PRUDENT"];
    let find = |outcome: &str| names.into_iter().find(|name| *name == outcome).unwrap();
    (find(&outcome(&change.before)), find(&outcome(&change.after)))
}

fn causes(change: &pb::TreatmentChange) -> Vec<pb::TreatmentCause> {
    change.causes().collect()
}

#[tokio::test]
async fn a_bank_that_follows_hashes_is_told_of_a_confirmed_flag_and_of_nobody_else() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 4).await;
    let server = Server::start(&sources, &scratch).await;
    let mut watch = Watch::open(&server, hashed(&[FIRM, "91330100799655058B"]))
        .await
        .unwrap();
    let first = watch.caught_up().await;
    let [told] = first.as_slice() else {
        panic!("only the one that is known: {first:?}")
    };
    assert_eq!(
        (told.hashed_code.as_str(), told.enterprise.as_str()),
        (hash(FIRM).as_str(), "")
    );
    assert_eq!(outcomes(told), ("", "ELIGIBLE"));

    sources
        .sanctions
        .flag(sources.confirmed(OTHER, "serious-penalty", "", 36))
        .await;
    let before = watch.cursor.clone();
    let empty = watch.message().await;
    assert!(
        empty.changes.is_empty() && empty.cursor != before,
        "the cursor moves: {empty:?}"
    );

    sources
        .sanctions
        .flag(sources.confirmed(FIRM, "serious-penalty", "", 36))
        .await;
    let change = watch.change().await;
    assert_eq!(outcomes(&change), ("ELIGIBLE", "PRUDENT"));
    assert_eq!(causes(&change), [pb::TreatmentCause::Flag]);
    let after = change.after.unwrap();
    assert!(!after.reasons.is_empty() && !after.measures.is_empty());
    assert_eq!(after.flags[0].name, "enterprises/-/flags/serious-penalty");
    // It is a recorded decision, and the firm sees who asked.
    let record = server.recorded("finance", &after.decision).await.unwrap();
    assert_eq!(
        (record.outcome.as_str(), record.officer.as_str()),
        ("PRUDENT", "finance")
    );
    server.stop().await;
}

#[tokio::test]
async fn a_firm_that_gets_known_is_recognised_by_its_hash() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let mut watch = Watch::open(&server, hashed(&[FIRM])).await.unwrap();
    assert_eq!(watch.caught_up().await, []);
    sources.star(FIRM, 5).await;
    let change = watch.change().await;
    assert_eq!(outcomes(&change), ("", "PRIORITY"));
    server.stop().await;
}

#[tokio::test]
async fn a_term_that_lapses_is_told_without_an_event() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 4).await;
    sources
        .sanctions
        .flag(sources.confirmed(FIRM, "serious-penalty", "", 36))
        .await;
    let mut star = sources.fact(OTHER, 5);
    let lapse = sources.clock.now().plus(Duration::from_secs(10));
    star.valid_until_time = Some(to_wire(lapse));
    sources.rating.rate(vec![star]).await;
    let server = Server::start(&sources, &scratch).await;
    let mut watch = Watch::open(&server, named(&[FIRM, OTHER])).await.unwrap();
    let first = watch.caught_up().await;
    let told: Vec<_> = first.iter().map(outcomes).collect();
    assert_eq!(told, [("", "PRUDENT"), ("", "PRIORITY")]);

    sources.clock.set(lapse);
    let change = watch.change().await;
    assert_eq!(change.enterprise, format!("enterprises/{OTHER}"));
    assert_eq!(outcomes(&change), ("PRIORITY", "STANDARD"));
    assert_eq!(causes(&change), [pb::TreatmentCause::Time]);

    let end: Date = "2029-05-09".parse().unwrap();
    sources.clock.set(end.start());
    let change = watch.change().await;
    assert_eq!(change.enterprise, format!("enterprises/{FIRM}"));
    assert_eq!(outcomes(&change), ("PRUDENT", "STANDARD"));
    assert_eq!(causes(&change), [pb::TreatmentCause::Time]);
    server.stop().await;
}

#[tokio::test]
async fn after_a_cut_the_same_messages_come_again_and_what_happened_meanwhile_once() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 4).await;
    let server = Server::start(&sources, &scratch).await;
    let request = named(&[FIRM]);
    let mut watch = Watch::open(&server, request.clone()).await.unwrap();
    watch.caught_up().await;
    let early = watch.cursor.clone();
    let mut flag = sources.confirmed(FIRM, "serious-penalty", "", 36);
    sources.sanctions.flag(flag.clone()).await;
    let told = watch.change().await;
    drop(watch);
    // The replica is gone; another goes on from the same database.
    server.stop().await;
    flag.state = FlagState::Lifted.into();
    sources.sanctions.flag(flag).await;

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let record = RecordSettings::in_folder(scratch.dir().join("others"));
    let other = Server::start_as("supervision-policy/2", listener, &sources, &scratch, record).await;
    other.supervision.caught_up().await;
    for _ in 0..2 {
        let mut again = Watch::open(
            &other,
            pb::WatchTreatmentsRequest {
                cursor: early.clone(),
                ..request.clone()
            },
        )
        .await
        .unwrap();
        assert_eq!(again.change().await, told, "the very same");
        let change = again.change().await;
        assert_eq!(outcomes(&change), ("PRUDENT", "ELIGIBLE"));
        assert_eq!(change.before, told.after);
        assert_eq!(causes(&change), [pb::TreatmentCause::Flag]);
    }
    other.stop().await;
}

#[tokio::test]
async fn what_cannot_be_followed_is_refused_and_a_stream_has_one_holder() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 4).await;
    let server = Server::start(&sources, &scratch).await;
    let ask = async |request: pb::WatchTreatmentsRequest| {
        refusal(Watch::open(&server, request).await.map(|watch| watch.cursor))
    };
    let portfolio = refused(Code::InvalidArgument, "PORTFOLIO_INVALID");
    assert_eq!(ask(named(&[])).await, portfolio);
    assert_eq!(ask(named(&[FIRM, FIRM])).await, portfolio);
    let both = pb::WatchTreatmentsRequest {
        enterprises: vec![format!("enterprises/{OTHER}")],
        ..hashed(&[FIRM])
    };
    assert_eq!(ask(both).await, portfolio);
    let short = pb::WatchTreatmentsRequest {
        salt: "00".to_owned(),
        ..hashed(&[FIRM])
    };
    assert_eq!(ask(short).await, portfolio);
    let others = pb::WatchTreatmentsRequest {
        matter: "departments/licensing/matters/pollutant-permit".to_owned(),
        ..named(&[FIRM])
    };
    assert_eq!(
        ask(others).await,
        refused(Code::PermissionDenied, "MATTER_NOT_YOURS")
    );
    let none = pb::WatchTreatmentsRequest {
        matter: "departments/finance/matters/none".to_owned(),
        ..named(&[FIRM])
    };
    assert_eq!(ask(none).await, refused(Code::NotFound, "MATTER_UNKNOWN"));

    let mut watch = Watch::open(&server, named(&[FIRM])).await.unwrap();
    watch.caught_up().await;
    let cursor = watch.cursor.clone();
    let another = pb::WatchTreatmentsRequest {
        cursor: cursor.clone(),
        ..named(&[OTHER])
    };
    assert_eq!(ask(another).await, portfolio, "a cursor of another portfolio");
    let (stream, rest) = cursor.split_once('.').unwrap();
    let gone = pb::WatchTreatmentsRequest {
        cursor: cursor.replace(stream, "019f0000-0000-7000-8000-000000000000"),
        ..named(&[FIRM])
    };
    assert_eq!(ask(gone).await, refused(Code::OutOfRange, "CURSOR_TOO_OLD"));
    let (_, token) = rest.split_once('.').unwrap();
    let ahead = pb::WatchTreatmentsRequest {
        cursor: format!("{stream}.99.{token}"),
        ..named(&[FIRM])
    };
    assert_eq!(ask(ahead).await, refused(Code::OutOfRange, "CURSOR_TOO_OLD"));

    let mut second = Watch::open(
        &server,
        pb::WatchTreatmentsRequest {
            cursor,
            ..named(&[FIRM])
        },
    )
    .await
    .unwrap();
    second.caught_up().await;
    sources
        .sanctions
        .flag(sources.confirmed(FIRM, "serious-penalty", "", 36))
        .await;
    assert_eq!(outcomes(&second.change().await), ("ELIGIBLE", "PRUDENT"));
    let replaced = loop {
        match timeout(PATIENCE, watch.messages.message()).await.unwrap() {
            Ok(Some(message)) => assert!(message.changes.is_empty(), "{message:?}"),
            Ok(None) => panic!("it says why it ends"),
            Err(status) => break status,
        }
    };
    let replaced: Result<(), Status> = Err(replaced);
    assert_eq!(refusal(replaced), refused(Code::Aborted, "SUBSCRIBER_REPLACED"));
    server.stop().await;
}
