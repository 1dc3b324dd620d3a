//! A repair acts on the document: the flag ends, the event of the same document with it, and the star comes back, also
//! over several replicas, lost connections and restarts.

use std::sync::Arc;

use greenstar_kernel::{Clock as _, Log, Position, SystemClock, Token};
use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1 as rating;
use greenstar_proto::rating::v1::rating_service_client::RatingServiceClient;
use greenstar_proto::sanctions::v1 as sanctions;
use greenstar_proto::sanctions::v1::flag_service_client::FlagServiceClient;
use greenstar_rating::Rating;
use greenstar_rpc::watching::{Replica, Secret};
use greenstar_rpc::{Client, Credentials, Stack, channel, credentials, with_credential};
use greenstar_sanctions::Sanctions;
use greenstar_standalone::{Places, Sample, Settings};
use greenstar_store::{Database, Location};
use greenstar_testkit::{Proxy, Scratch};
use hyper::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::door::Door;

/// A five-star firm of the sample.
const FIRM: &str = "91110115MAX000015J";

/// Long ago enough for a repair, not for the event to have lapsed.
fn day() -> String {
    SystemClock::new().now().date().plus_days(-400).to_string()
}

fn paper(number: &str) -> Value {
    json!({"issuer": "北京市大兴区生态环境局", "number": number, "date": day()})
}

/// Asks by gRPC who has applied a write of sanctions and what follows from it; the last answer.
async fn converged(door: &Door, token: &str) -> sanctions::WaitConvergedResponse {
    let client = with_credential(channel(&door.url()).unwrap(), &door.secret("operator")).unwrap();
    let question = common::ConvergenceQuestion {
        token: token.to_owned(),
        scope: common::ConvergenceScope::All.into(),
        timeout: Some(std::time::Duration::from_secs(30).into()),
    };
    let request = sanctions::WaitConvergedRequest {
        question: Some(question),
    };
    let answers = FlagServiceClient::new(client).wait_converged(request).await;
    let mut answers = answers.unwrap().into_inner();
    let mut last = None;
    while let Some(answer) = answers.message().await.unwrap() {
        last = Some(answer);
    }
    last.unwrap()
}

#[tokio::test]
async fn a_granted_repair_gives_the_star_back_everywhere_and_the_proof_is_convergence() {
    let door = Door::open().await;
    let firm = format!("enterprises/{FIRM}");
    let paper = paper("京兴环罚〔2025〕7号");
    let event = json!({
        "kind": "seizure_or_production_limit",
        "document": paper,
        "evidence": {"kind": "PEN", "reference": "7"},
    });
    let recorded = door
        .post("enforcement", &format!("/v1/{firm}/events"), event)
        .await;
    let event = recorded["event"]["name"].as_str().unwrap();
    assert_ne!(recorded["rating"]["star"], 5, "{recorded}");
    let flag = json!({"kind": "serious-penalty", "document": paper});
    let flag = door.post("enforcement", &format!("/v1/{firm}/flags"), flag).await;
    let flag = flag["flag"]["name"].as_str().unwrap();
    let token = door.confirm(flag).await;
    let told = converged(&door, &token).await;
    assert!(told.converged, "{told:?}");

    // Who recognises, repairs: not the officer at the event.
    let body = json!({"reason": "准予修复"});
    let path = format!("/v1/{event}:repair");
    let refused = door
        .refused(Some("enforcement/2"), Method::POST, &path, Some(body))
        .await;
    assert_eq!(refused, (400, "REPAIR_BY_DOCUMENT".to_owned()));

    let body = json!({"flag": flag, "commitment": "已经整改并公开承诺"});
    let applied = door
        .post("enforcement", &format!("/v1/{firm}/repairs"), body)
        .await;
    let repair = applied["repair"]["name"].as_str().unwrap();
    let grant = json!({
        "verdict": "REPAIR_VERDICT_GRANT", "corrected": true, "committed": true, "othersHold": true, "opinion": "已核实",
    });
    let granted = door
        .post("enforcement/3", &format!("/v1/{repair}:review"), grant)
        .await;
    let token = granted["token"].as_str().unwrap();

    let told = converged(&door, token).await;
    assert!(told.converged, "{told:?}");
    let caused = told.caused.unwrap();
    assert!(caused.converged && caused.log == "rating", "{caused:?}");
    let at = caused.position.unwrap();
    let rated = Token::of(
        Log::Rating,
        Position {
            epoch: greenstar_kernel::Epoch::parse(&at.epoch).unwrap(),
            revision: greenstar_kernel::Revision(at.revision),
        },
    );
    for token in [token.to_owned(), rated.to_string()] {
        let permit = door.permit(FIRM, "pollutant-permit", Some(&token)).await;
        assert_eq!(
            (&permit["star"], &permit["outcome"]),
            (&json!(5), &json!("FAST_TRACK")),
            "{permit}"
        );
    }
    let events = door.get("rating", &format!("/v1/{firm}/events")).await;
    let event = &events["events"][0];
    assert!(event["repairTime"].is_string(), "{event}");
    let cause = event["cause"].as_str().unwrap();
    let revision: u64 = cause.strip_prefix("sanctions:").unwrap().parse().unwrap();
    assert!(revision > 0);
    let next = door.get("licensing", &format!("/v1/{firm}/rating")).await;
    assert_eq!(next["rating"]["star"], 5, "{next}");
}

#[tokio::test]
async fn an_appeal_changes_no_score_until_it_is_won_and_then_the_event_never_counted() {
    let folder = tempfile::tempdir().unwrap();
    let firm = format!("enterprises/{FIRM}");
    let names = [
        "licensing",
        "enforcement",
        "enforcement/2",
        "enforcement/3",
        "operator",
        firm.as_str(),
    ];
    credentials::create(&Places::new(folder.path()).credentials(), &names).unwrap();
    let settings = Settings::new(folder.path(), "127.0.0.1:0".parse().unwrap(), Sample::Today);
    let door = Door::open_on(folder, settings).await;

    let date = SystemClock::new().now().date().plus_days(-10).to_string();
    let paper = json!({"issuer": "北京市大兴区生态环境局", "number": "京环监〔2026〕3号", "date": date});
    let rated = async |who: &str| {
        let answer = door.get(who, &format!("/v1/{firm}/rating")).await;
        answer["rating"].clone()
    };
    let clean = rated(&firm).await;
    let event = json!({
        "kind": "exceedance_daily_average",
        "document": paper,
        "evidence": {"kind": "CEMS", "reference": "3"},
    });
    let recorded = door
        .post("enforcement", &format!("/v1/{firm}/events"), event)
        .await;
    let flag = json!({"kind": "online-exceedance", "document": paper});
    let flag = door.post("enforcement", &format!("/v1/{firm}/flags"), flag).await;
    let flag = flag["flag"]["name"].as_str().unwrap();
    door.confirm(flag).await;
    let counted = rated(&firm).await;
    assert_ne!(counted["points"], clean["points"]);

    let appeal = json!({"flag": flag, "grounds": "仪器故障"});
    let filed = door.post(&firm, &format!("/v1/{firm}/appeals"), appeal).await;
    let told = converged(&door, filed["token"].as_str().unwrap()).await;
    assert!(told.converged, "{told:?}");
    let open = rated("licensing").await;
    assert_eq!(open["objectionOpen"], true, "{open}");
    assert_eq!(rated(&firm).await["points"], counted["points"]);

    let body = json!({"verdict": "APPEAL_VERDICT_ANNUL", "opinion": "已复核"});
    let appeal = filed["appeal"]["name"].as_str().unwrap();
    let won = door
        .post("enforcement/3", &format!("/v1/{appeal}:decide"), body)
        .await;
    let told = converged(&door, won["token"].as_str().unwrap()).await;
    assert!(told.converged, "{told:?}");
    let after = rated(&firm).await;
    assert_eq!(
        [&after["points"], &after["star"], &after["nextTransition"]],
        [&clean["points"], &clean["star"], &clean["nextTransition"]]
    );
    assert_ne!(after["objectionOpen"], true, "{after}");
    let events = door.get(&firm, &format!("/v1/{firm}/events")).await;
    let event = &events["events"][0];
    assert_eq!(event["name"], recorded["event"]["name"]);
    assert!(event["revokeTime"].is_string(), "{event}");
}

const CREDENTIALS: &str = r#"{
    "rating": "secret-rating-0001",
    "enforcement": "secret-enforcement-1",
    "enforcement/2": "secret-enforcement-2",
    "operator": "secret-operator-0001",
    "rating/subscriber": "secret-rating-sub-1"
}"#;

fn client(channel: tonic::transport::Channel, who: &str) -> Client {
    let all: std::collections::BTreeMap<String, String> = serde_json::from_str(CREDENTIALS).unwrap();
    with_credential(channel, &all[who]).unwrap()
}

fn known() -> Arc<Credentials> {
    Arc::new(Credentials::parse(CREDENTIALS).unwrap())
}

fn clock() -> Arc<SystemClock> {
    Arc::new(SystemClock::new())
}

/// The sanctions service on a port, behind a proxy that can cut.
struct Source {
    sanctions: Sanctions,
    proxy: Proxy,
    local: tonic::transport::Channel,
    stop: CancellationToken,
}

impl Source {
    async fn start(database: &Scratch) -> Source {
        let location: Location = database.url().parse().unwrap();
        let database = Database::migrate(&location, &greenstar_sanctions::MIGRATIONS)
            .await
            .unwrap();
        let sanctions = Sanctions::start(database, clock()).await.unwrap();
        let stack = sanctions.add_to(Stack::builder(known())).build();
        stack.health().serving(true).await;
        let stop = CancellationToken::new();
        let local = stack.in_process(stop.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap()).await;
        let stopped = stop.clone();
        tokio::spawn(async move { stack.serve(listener, stopped).await });
        Source {
            sanctions,
            proxy,
            local,
            stop,
        }
    }

    fn flags(&self, who: &str) -> FlagServiceClient<Client> {
        FlagServiceClient::new(client(self.local.clone(), who))
    }

    /// A flag that binds.
    async fn flag(&self, number: &str) -> String {
        let request = sanctions::RaiseFlagRequest {
            parent: format!("enterprises/{FIRM}"),
            kind: "serious-penalty".to_owned(),
            document: Some(document(number)),
            ..Default::default()
        };
        let raised = self.flags("enforcement").raise_flag(request).await.unwrap();
        let name = raised.into_inner().flag.unwrap().name;
        let request = sanctions::ConfirmFlagRequest {
            name: name.clone(),
            ..Default::default()
        };
        self.flags("enforcement/2").confirm_flag(request).await.unwrap();
        name
    }

    /// Its document is annulled; the token of that.
    async fn revoke(&self, name: String) -> Token {
        let request = sanctions::RevokeFlagRequest {
            name,
            reason: "法院撤销".to_owned(),
            request_id: String::new(),
        };
        let revoked = self.flags("enforcement").revoke_flag(request).await.unwrap();
        revoked.into_inner().token.parse().unwrap()
    }

    async fn close(self) {
        self.stop.cancel();
        self.sanctions.close().await;
    }
}

fn document(number: &str) -> common::Document {
    common::Document {
        issuer: "北京市大兴区生态环境局".to_owned(),
        number: number.to_owned(),
        date: day(),
    }
}

/// One replica of the rating service that follows a source.
struct Scorer {
    rating: Rating,
    local: tonic::transport::Channel,
    stop: CancellationToken,
}

impl Scorer {
    async fn start(database: &Scratch, source: &Source, name: &str) -> Scorer {
        let location: Location = database.url().parse().unwrap();
        let database = Database::migrate(&location, &greenstar_rating::MIGRATIONS)
            .await
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let replica = Replica {
            name: name.to_owned(),
            url: Some(format!("http://{}", listener.local_addr().unwrap())),
            secret: Some(Secret("secret-rating-sub-1".to_owned())),
            fan_out: None,
        };
        let rating = Rating::start_as(database, clock(), replica).await.unwrap();
        rating.load_sample(None).await.unwrap();
        let through = channel(&format!("http://{}", source.proxy.address())).unwrap();
        rating.follow(client(through, "rating/subscriber"), name.to_owned());
        let stack = rating.add_to(Stack::builder(known())).build();
        stack.health().serving(true).await;
        let stop = CancellationToken::new();
        let (local, stopped) = (stack.in_process(stop.clone()), stop.clone());
        tokio::spawn(async move { stack.serve(listener, stopped).await });
        Scorer { rating, local, stop }
    }

    fn ratings(&self, who: &str) -> RatingServiceClient<Client> {
        RatingServiceClient::new(client(self.local.clone(), who))
    }

    async fn record(&self, number: &str) -> rating::RecordEventResponse {
        let request = rating::RecordEventRequest {
            parent: format!("enterprises/{FIRM}"),
            kind: "seizure_or_production_limit".to_owned(),
            document: Some(document(number)),
            evidence: Some(rating::Evidence {
                kind: "PEN".to_owned(),
                reference: number.to_owned(),
                sha256: String::new(),
            }),
            ..Default::default()
        };
        let recorded = self.ratings("enforcement").record_event(request).await;
        recorded.unwrap().into_inner()
    }

    async fn rated(&self) -> rating::Rating {
        let request = rating::GetRatingRequest {
            name: format!("enterprises/{FIRM}/rating"),
            ..Default::default()
        };
        let rated = self.ratings("rating").get_rating(request).await.unwrap();
        rated.into_inner().rating.unwrap()
    }

    async fn events(&self) -> Vec<rating::Event> {
        let request = rating::ListEventsRequest {
            parent: format!("enterprises/{FIRM}"),
            ..Default::default()
        };
        let listed = self.ratings("rating").list_events(request).await.unwrap();
        listed.into_inner().events
    }

    /// Waits until what follows from a write of sanctions is scored.
    async fn caught_up(&self, token: &Token) {
        let question = common::ConvergenceQuestion {
            token: token.to_string(),
            timeout: Some(std::time::Duration::from_secs(60).into()),
            ..Default::default()
        };
        let request = rating::WaitConvergedRequest {
            question: Some(question),
        };
        let answers = self.ratings("operator").wait_converged(request).await.unwrap();
        let mut answers = answers.into_inner();
        let mut last = None;
        while let Some(answer) = answers.message().await.unwrap() {
            last = answer.convergence;
        }
        assert!(last.as_ref().is_some_and(|last| last.converged), "{last:?}");
    }

    async fn close(self) {
        self.rating.end_watches().await;
        self.stop.cancel();
        self.rating.close().await;
    }
}

#[tokio::test]
async fn an_annulment_is_applied_once_whatever_breaks_between_commit_and_acknowledgement() {
    for (sources, scores) in [
        (Scratch::sqlite(), Scratch::sqlite()),
        (Scratch::postgres().await, Scratch::postgres().await),
    ] {
        let source = Source::start(&sources).await;
        let scorer = Scorer::start(&scores, &source, "rating/1").await;
        let (mut token, mut version) = (None, 1);
        assert_eq!(scorer.rated().await.version, version);
        for round in 0..5 {
            let number = format!("京兴环罚〔2025〕{round}号");
            scorer.record(&number).await;
            let flag = source.flag(&number).await;
            // The answer to what is being taken, or its acknowledgement, is lost; the frame comes again.
            source.proxy.cut();
            let revoked = source.revoke(flag).await;
            source.proxy.cut();
            scorer.caught_up(&revoked).await;
            let rated = scorer.rated().await;
            version += 2;
            assert_eq!((rated.star, rated.version), (Some(5), version), "round {round}");
            token = Some(revoked);
        }
        // A replica that begins anew, with the database as it is, takes nothing twice.
        scorer.close().await;
        let scorer = Scorer::start(&scores, &source, "rating/1").await;
        scorer.caught_up(&token.unwrap()).await;
        let late = scorer.record("京兴环罚〔2025〕99号").await.rating.unwrap();
        assert_eq!(late.version, version + 1);
        for event in scorer.events().await {
            let annulled = event.revoke_time.is_some() && event.cause.starts_with("sanctions:");
            assert_eq!(annulled, event.document.unwrap().number != "京兴环罚〔2025〕99号");
        }

        // The same log at another database's place is another log: what it does not tell repairs nothing.
        let flag = source.flag("京兴环罚〔2025〕99号").await;
        let request = sanctions::RevokeFlagRequest {
            name: flag,
            reason: "unreached".to_owned(),
            request_id: String::new(),
        };
        scorer.close().await;
        source.flags("enforcement").revoke_flag(request).await.unwrap();
        source.close().await;
        let fresh = Scratch::sqlite();
        let restored = Source::start(&fresh).await;
        let scorer = Scorer::start(&scores, &restored, "rating/1").await;
        let elsewhere = restored.flag("京兴环罚〔2025〕100号").await;
        let ended = restored.revoke(elsewhere).await;
        scorer.caught_up(&ended).await;
        let rated = scorer.rated().await;
        assert_eq!(rated.version, version + 1, "nothing was told of document 99");
        let again = restored.flag("京兴环罚〔2025〕99号").await;
        let ended = restored.revoke(again).await;
        scorer.caught_up(&ended).await;
        assert_eq!(scorer.rated().await.star, Some(5));
        scorer.close().await;
        restored.close().await;
    }
}

#[tokio::test]
async fn of_two_replicas_one_scores_and_both_know_it() {
    let (sources, scores) = (Scratch::postgres().await, Scratch::postgres().await);
    let source = Source::start(&sources).await;
    let one = Scorer::start(&scores, &source, "rating/1").await;
    let other = Scorer::start(&scores, &source, "rating/2").await;
    let mut version = 1;
    for round in 0..10 {
        let number = format!("京兴环罚〔2025〕{round}号");
        one.record(&number).await;
        let flag = source.flag(&number).await;
        let revoked = source.revoke(flag).await;
        if round % 3 == 0 {
            source.proxy.cut();
        }
        version += 2;
        for replica in [&one, &other] {
            replica.caught_up(&revoked).await;
            let rated = replica.rated().await;
            assert_eq!((rated.star, rated.version), (Some(5), version), "round {round}");
        }
        // Both acknowledge what the shared cursor says.
        if round == 9 {
            let question = common::ConvergenceQuestion {
                token: revoked.to_string(),
                timeout: Some(std::time::Duration::from_secs(30).into()),
                ..Default::default()
            };
            let request = sanctions::WaitConvergedRequest {
                question: Some(question),
            };
            let answers = source.flags("operator").wait_converged(request).await.unwrap();
            let mut answers = answers.into_inner();
            let mut last = None;
            while let Some(answer) = answers.message().await.unwrap() {
                last = Some(answer);
            }
            let last = last.unwrap();
            assert!(last.converged, "{last:?}");
            assert_eq!(last.convergence.unwrap().converged_count, 2);
        }
    }
    one.close().await;
    other.close().await;
    source.close().await;
}
