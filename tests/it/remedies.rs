//! Relief reaches everybody as surely as restriction: repair and appeal, from the firm's own door to every
//! department's answer.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use greenstar_kernel::{Clock, Date, SystemClock, Timestamp};
use greenstar_rpc::credentials;
use greenstar_standalone::{Places, Sample, Settings};
use hyper::Method;
use serde_json::{Value, json};

use crate::door::Door;

/// A five-star firm of the sample; only it has a credential of its own here.
const FIRM: &str = "91110115MAX000015J";

/// The machine's clock, some days ahead. Only the calendar moves: what measures spans goes on as ever.
#[derive(Debug)]
struct Calendar {
    machine: SystemClock,
    ahead: AtomicI64,
}

impl Calendar {
    fn today() -> Arc<Calendar> {
        Arc::new(Calendar {
            machine: SystemClock::new(),
            ahead: AtomicI64::new(0),
        })
    }

    fn turn(&self, days: i64) {
        self.ahead.fetch_add(days * 86_400, Ordering::SeqCst);
    }

    fn date(&self, days: i32) -> Date {
        self.now().date().plus_days(days)
    }
}

impl Clock for Calendar {
    fn now(&self) -> Timestamp {
        let ahead = u64::try_from(self.ahead.load(Ordering::SeqCst)).unwrap();
        self.machine.now().plus(Duration::from_secs(ahead))
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }
}

fn firm() -> String {
    format!("enterprises/{FIRM}")
}

async fn open(calendar: &Arc<Calendar>) -> Door {
    let folder = tempfile::tempdir().unwrap();
    let firm = firm();
    let names = [
        "licensing",
        "finance",
        "enforcement",
        "enforcement/2",
        "enforcement/3",
        "rating",
        "supervision-policy",
        "operator",
        firm.as_str(),
    ];
    credentials::create(&Places::new(folder.path()).credentials(), &names).unwrap();
    let settings = settings(folder.path(), calendar);
    Door::open_on(folder, settings).await
}

fn settings(folder: &Path, calendar: &Arc<Calendar>) -> Settings {
    Settings {
        clock: calendar.clone(),
        ..Settings::new(folder, "127.0.0.1:0".parse().unwrap(), Sample::Today)
    }
}

/// A flag of enforcement that binds, by its kind and its document's date; with its token.
async fn flagged(door: &Door, kind: &str, date: Date) -> (String, String) {
    let body = json!({
        "kind": kind,
        "document": {"issuer": "北京市大兴区生态环境局", "number": format!("京兴环罚〔2026〕{kind}号"), "date": date.to_string()},
    });
    let raised = door
        .post("enforcement", &format!("/v1/{}/flags", firm()), body)
        .await;
    let flag = raised["flag"]["name"].as_str().unwrap().to_owned();
    let token = door.confirm(&flag).await;
    (flag, token)
}

async fn state(door: &Door, flag: &str) -> String {
    let found = door.get("finance", &format!("/v1/{flag}")).await;
    found["flag"]["state"].as_str().unwrap().to_owned()
}

fn token(answer: &Value) -> String {
    answer["token"].as_str().unwrap().to_owned()
}

/// What every department says to the firm.
async fn outcomes(door: &Door, token: &str) -> [String; 3] {
    let permit = door.permit(FIRM, "pollutant-permit", Some(token)).await;
    let finance = door.finance(FIRM, Some(token)).await;
    let inspection = door.inspection(FIRM, Some(token)).await;
    [permit, finance, inspection].map(|answer| answer["outcome"].as_str().unwrap().to_owned())
}

async fn flags(door: &Door, token: &str) -> usize {
    let inspection = door.inspection(FIRM, Some(token)).await;
    inspection["flags"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn a_repaired_firm_is_treated_as_before_by_every_department_and_can_prove_it() {
    let calendar = Calendar::today();
    let door = open(&calendar).await;
    let dated = calendar.date(-340);
    let (flag, restricted) = flagged(&door, "serious-penalty", dated).await;
    let [permit, finance, _] = outcomes(&door, &restricted).await;
    assert_eq!((permit.as_str(), finance.as_str()), ("STRICT_REVIEW", "PRUDENT"));

    let shown = door.get(&firm(), &format!("/v1/{}/repairOptions", firm())).await;
    let option = &shown["options"][0];
    assert_eq!(option["repairable"], true, "{shown}");
    assert_eq!(option["flags"][0]["name"], flag.as_str());
    let why = option["why"]["zh"].as_str().unwrap();
    let first = dated.plus_months(greenstar_kernel::Month(12)).plus_days(1);
    assert!(why.contains(&first.to_string()), "{why}");

    let repairs = format!("/v1/{}/repairs", firm());
    let body = json!({"flag": flag, "commitment": "已经整改并公开承诺"});
    let early = door
        .refused(Some(&firm()), Method::POST, &repairs, Some(body.clone()))
        .await;
    assert_eq!(early, (400, "REPAIR_TOO_EARLY".to_owned()));

    // A view does not trust a clock that jumps while it runs.
    let settings = settings(&door.folder(), &calendar);
    let door = door.reopen(settings, || calendar.turn(40)).await;
    let applied = door.post(&firm(), &repairs, body.clone()).await;
    let repair = applied["repair"]["name"].as_str().unwrap().to_owned();
    assert_eq!(outcomes(&door, &token(&applied)).await[0], "STRICT_REVIEW");
    let twice = door
        .refused(Some(&firm()), Method::POST, &repairs, Some(body))
        .await;
    assert_eq!(twice, (409, "REPAIR_EXISTS".to_owned()));

    let review = format!("/v1/{repair}:review");
    let grant = json!({
        "verdict": "REPAIR_VERDICT_GRANT", "corrected": true, "committed": true, "othersHold": true, "opinion": "已核实",
    });
    for (who, reason) in [
        ("licensing", "NOT_THE_RECOGNISING_BODY"),
        ("enforcement/2", "SAME_OFFICER"),
    ] {
        let refused = door
            .refused(Some(who), Method::POST, &review, Some(grant.clone()))
            .await;
        assert_eq!(refused, (403, reason.to_owned()));
    }
    let granted = door.post("enforcement/3", &review, grant).await;
    assert_eq!(granted["repair"]["state"], "REPAIR_STATE_GRANTED");

    let as_before = outcomes(&door, &token(&granted)).await;
    assert_eq!(as_before, ["FAST_TRACK", "PRIORITY", "EXEMPT"]);
    assert_eq!(flags(&door, &token(&granted)).await, 0);
    assert_eq!(state(&door, &flag).await, "FLAG_STATE_REPAIRED");

    // Whoever was shown the number.
    let number = granted["repair"]["certificate"].as_str().unwrap();
    let path = format!("/v1/repairCertificates/{number}");
    let shown = door.call(None, Method::GET, &path, None).await;
    let certificate = &shown.body["certificate"];
    assert_eq!(certificate["enterprise"], firm().as_str(), "{}", shown.body);
    assert_eq!(outcomes(&door, &token(certificate)).await[0], "FAST_TRACK");
}

#[tokio::test]
async fn an_appeal_suspends_and_its_decision_binds_again_or_revokes() {
    let calendar = Calendar::today();
    let door = open(&calendar).await;
    let (flag, bound) = flagged(&door, "online-exceedance", calendar.date(-10)).await;
    assert_eq!(flags(&door, &bound).await, 1);

    let appeals = format!("/v1/{}/appeals", firm());
    let foreign = json!({"flag": flag, "grounds": "x"});
    let foreign = door
        .refused(Some("finance"), Method::POST, &appeals, Some(foreign))
        .await;
    assert_eq!(foreign, (403, "NOT_THE_RECOGNISING_BODY".to_owned()));
    let file = async |flag: &str| {
        let filed = door
            .post(&firm(), &appeals, json!({"flag": flag, "grounds": "仪器故障"}))
            .await;
        let appeal = filed["appeal"]["name"].as_str().unwrap().to_owned();
        (appeal, token(&filed))
    };
    let decide = async |appeal: &str, verdict: &str| {
        let body = json!({"verdict": verdict, "opinion": "已复核"});
        let path = format!("/v1/{appeal}:decide");
        for who in ["enforcement", "enforcement/2"] {
            let refused = door
                .refused(Some(who), Method::POST, &path, Some(body.clone()))
                .await;
            assert_eq!(refused, (403, "SAME_OFFICER".to_owned()));
        }
        token(&door.post("enforcement/3", &path, body).await)
    };

    let (appeal, suspended) = file(&flag).await;
    assert_eq!(flags(&door, &suspended).await, 0);
    assert_eq!(state(&door, &flag).await, "FLAG_STATE_SUSPENDED");
    let dismissed = decide(&appeal, "APPEAL_VERDICT_DISMISS").await;
    assert_eq!(flags(&door, &dismissed).await, 1);
    assert_eq!(state(&door, &flag).await, "FLAG_STATE_IN_FORCE");

    // A penalty is not suspended; once annulled it is gone for all.
    let (penalty, _) = flagged(&door, "serious-penalty", calendar.date(-9)).await;
    let (appeal, still) = file(&penalty).await;
    assert_eq!(outcomes(&door, &still).await[0], "STRICT_REVIEW");
    let annulled = decide(&appeal, "APPEAL_VERDICT_ANNUL").await;
    assert_eq!(outcomes(&door, &annulled).await[0], "FAST_TRACK");
    assert_eq!(state(&door, &penalty).await, "FLAG_STATE_REVOKED");

    let again = json!({"flag": penalty, "grounds": "again"});
    let again = door
        .refused(Some(&firm()), Method::POST, &appeals, Some(again))
        .await;
    assert_eq!(again, (409, "APPEAL_EXISTS".to_owned()));
}
