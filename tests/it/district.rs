//! A round as the district runs it, over the REST door alone: 76 firms from the cohort to the directory, and what
//! becomes of their stars afterwards.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use greenstar_kernel::{Clock, Date, SystemClock, Timestamp};
use greenstar_rpc::credentials;
use greenstar_standalone::{Places, Sample, Settings};
use hyper::Method;
use serde_json::{Value, json};

use crate::door::Door;

const FILE: &str = include_str!("../../services/rating/data/sample/daxing-2021-sample.yaml");
const ROUND: &str = "/v1/rounds/spring";
/// Days from the first one to publication: ten working days of comment, whatever holidays lie between, and some more.
const PUBLISHED: i32 = 32;
/// The day from which the file counts its events.
const COUNTED_FROM: i32 = 36;

/// The machine's clock, some days ahead.
#[derive(Debug)]
struct Calendar {
    machine: SystemClock,
    ahead: AtomicI64,
}

impl Clock for Calendar {
    fn now(&self) -> Timestamp {
        let ahead = u64::try_from(self.ahead.load(Ordering::SeqCst)).unwrap();
        self.machine.now().plus(Duration::from_secs(ahead * 86_400))
    }

    fn monotonic(&self) -> Duration {
        self.machine.monotonic()
    }
}

/// A district that begins with nothing.
struct District {
    door: Door,
    calendar: Arc<Calendar>,
    first_day: Date,
    firms: Vec<Value>,
}

fn settings(folder: &Path, calendar: &Arc<Calendar>) -> Settings {
    Settings {
        clock: calendar.clone(),
        ..Settings::new(folder, "127.0.0.1:0".parse().unwrap(), Sample::None)
    }
}

fn uscc(firm: &Value) -> &str {
    firm["uscc"].as_str().unwrap()
}

fn own(firm: &Value) -> String {
    format!("enterprises/{}", uscc(firm))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// Points or conditions of the file, as the contract has them.
fn worth(given: &Value) -> (Value, Value) {
    match given {
        Value::String(points) => (json!(points), json!([])),
        ticked => (json!(""), ticked.clone()),
    }
}

impl District {
    async fn open() -> District {
        let file: Value = serde_yaml_ng::from_str(FILE).unwrap();
        let firms = file["enterprises"].as_array().unwrap().clone();
        let folder = tempfile::tempdir().unwrap();
        let officers = [
            "rating",
            "rating/2",
            "rating/3",
            "enforcement",
            "enforcement/2",
            "enforcement/3",
            "licensing",
            "finance",
            "awards",
            "operator",
            "supervision-policy",
        ];
        let own: Vec<String> = firms.iter().map(own).collect();
        let names: Vec<&str> = officers
            .into_iter()
            .chain(own.iter().map(String::as_str))
            .collect();
        credentials::create(&Places::new(folder.path()).credentials(), &names).unwrap();
        let calendar = Arc::new(Calendar {
            machine: SystemClock::new(),
            ahead: AtomicI64::new(0),
        });
        let settings = settings(folder.path(), &calendar);
        District {
            door: Door::open_on(folder, settings).await,
            first_day: calendar.now().date(),
            calendar,
            firms,
        }
    }

    /// Moves the calendar to a day counted from the first one.
    fn turn_to(&self, day: i32) {
        self.calendar.ahead.store(i64::from(day), Ordering::SeqCst);
    }

    async fn step(&self, who: &str, step: &str, body: Value) -> Value {
        self.door.post(who, &format!("{ROUND}:{step}"), body).await["round"].clone()
    }

    async fn refused(&self, who: &str, path: &str, body: Value) -> String {
        self.door
            .refused(Some(who), Method::POST, path, Some(body))
            .await
            .1
    }

    async fn rating(&self, firm: &Value) -> Value {
        let path = format!("/v1/{}/rating", own(firm));
        self.door.get(&own(firm), &path).await["rating"].clone()
    }

    async fn register(&self) {
        for firm in &self.firms {
            let sites = list(&firm["sites"]).iter().map(|site| {
                json!({
                    "code": site["code"],
                    "displayName": {"zh": site["zh"], "en": site["en"]},
                    "address": site["address"],
                })
            });
            let class = format!(
                "POLLUTER_CLASS_{}",
                firm["class"].as_str().unwrap().to_uppercase()
            );
            let enterprise = json!({
                "name": own(firm),
                "displayName": firm["name"],
                "district": "110115",
                "sector": firm["sector"],
                "polluterClass": class,
                "sites": sites.collect::<Vec<_>>(),
            });
            let body = json!({"enterprise": enterprise});
            self.door.post("rating", "/v1/enterprises", body).await;
        }
        let body = json!({
            "roundId": "spring",
            "displayName": {"zh": "春季批次", "en": "Spring"},
            "scheme": "schemes/daxing-green-credit/versions/2021.1-proposal",
            "declareByDate": self.first_day.plus_days(5).to_string(),
        });
        self.door.post("rating", "/v1/rounds", body).await;
        let cohort: Vec<String> = self.firms.iter().map(own).collect();
        let round = self.step("rating", "enrol", json!({"enterprises": cohort})).await;
        assert_eq!(round["enrolled"], 76);
    }

    async fn declare(&self) {
        for firm in &self.firms {
            let claims = list(&firm["claims"]).iter().map(|claim| {
                let (points, tiers) = worth(&claim["claimed"]);
                let proof = claim["proof"].as_object().unwrap().iter();
                let evidence = proof.map(|(kind, reference)| json!({"kind": kind, "reference": reference}));
                json!({
                    "item": claim["item"],
                    "points": points,
                    "tiers": tiers,
                    "evidence": evidence.collect::<Vec<_>>(),
                })
            });
            let body = json!({"claims": claims.collect::<Vec<_>>()});
            self.door
                .post(&own(firm), &format!("{ROUND}/{}:declare", own(firm)), body)
                .await;
        }
        let wrong = json!({"claims": [{"item": "B02", "points": "1", "evidence": [{"kind": "MON", "reference": "1"}]}]});
        let path = format!("{ROUND}/{}:declare", own(&self.firms[0]));
        assert_eq!(
            self.refused("rating", &path, wrong).await,
            "EVIDENCE_NOT_ACCEPTED"
        );
    }

    async fn verify(&self) {
        for firm in &self.firms {
            let verdicts = list(&firm["claims"]).iter().map(|claim| {
                let awarded = if claim["awarded"].is_null() {
                    &claim["claimed"]
                } else {
                    &claim["awarded"]
                };
                let (points, tiers) = worth(awarded);
                json!({
                    "item": claim["item"],
                    "points": points,
                    "tiers": tiers,
                    "note": claim["note"].as_str().unwrap_or_default(),
                })
            });
            let verdicts = verdicts.collect::<Vec<_>>();
            if verdicts.is_empty() {
                continue;
            }
            let path = format!("{ROUND}/{}", own(firm));
            let body = json!({"verdicts": verdicts});
            self.door.post("rating/2", &format!("{path}:verify"), body).await;
            let confirm = format!("{path}:confirm");
            self.door.post("rating/3", &confirm, json!({})).await;
        }
    }

    /// What the file says happened before publication, each with what followed.
    async fn record(&self) {
        for firm in &self.firms {
            for event in list(&firm["events"]) {
                let day = i32::try_from(event["day"].as_i64().unwrap()).unwrap();
                if day >= -30 {
                    continue;
                }
                let date = self.first_day.plus_days(COUNTED_FROM + day);
                let body = json!({
                    "kind": event["kind"],
                    "document": {"issuer": "北京市大兴区生态环境局", "number": event["number"], "date": date.to_string()},
                    "evidence": {"kind": event["evidence"], "reference": event["number"]},
                    "site": event["site"].as_str().unwrap_or_default(),
                    "rectificationRequired": !event["rectified"].is_null(),
                });
                let path = format!("/v1/{}/events", own(firm));
                let recorded = self.door.post("enforcement", &path, body).await;
                let name = recorded["event"]["name"].as_str().unwrap();
                if !event["rectified"].is_null() {
                    let path = format!("/v1/{name}:confirmRectification");
                    self.door.post("enforcement/2", &path, json!({})).await;
                }
                if !event["repaired"].is_null() {
                    let body = json!({"reason": "完成整改并作出信用承诺"});
                    self.door
                        .post("enforcement/2", &format!("/v1/{name}:repair"), body)
                        .await;
                }
            }
        }
    }

    /// From the notices to the directory.
    async fn publish(&self) {
        let run = self
            .door
            .get("rating", &format!("{ROUND}:dryRun?pageSize=1000"))
            .await;
        assert_eq!(
            (run["enrolled"].as_i64(), list(&run["lines"]).len()),
            (Some(76), 76)
        );
        self.step("rating", "issueNotices", json!({})).await;
        let open = format!("{ROUND}:openPublicComment");
        assert_eq!(self.refused("rating", &open, json!({})).await, "STEP_TOO_EARLY");
        for line in list(&run["lines"]).iter().filter(|line| line["loses"] == true) {
            let firm = line["enterprise"].as_str().unwrap();
            let answer = json!({"text": "已知悉，正在整改"});
            self.door
                .post(firm, &format!("{ROUND}/{firm}:answerNotice"), answer)
                .await;
        }
        self.step("rating", "openPublicComment", json!({})).await;
        let shown = self
            .door
            .call(
                None,
                Method::GET,
                &format!("{ROUND}/proposals?pageSize=1000"),
                None,
            )
            .await;
        assert!(list(&shown.body["proposals"]).len() >= 73, "{}", shown.body);
        let body = json!({"enterprise": own(&self.firms[0]), "author": "附近居民", "text": "夜间有异味"});
        let path = format!("{ROUND}/comments");
        let comment = self.door.call(None, Method::POST, &path, Some(body)).await;
        let comment = comment.body["comment"]["name"].as_str().unwrap().to_owned();
        let publish = format!("{ROUND}:publish");
        assert_eq!(self.refused("rating", &publish, json!({})).await, "COMMENT_OPEN");
        let answer = json!({"answer": "已现场核查，未发现超标"});
        self.door
            .post("rating", &format!("/v1/{comment}:answer"), answer)
            .await;

        self.turn_to(PUBLISHED - 1);
        let today = self.calendar.now().date();
        let vote = format!("{ROUND}:castVote");
        let all = json!({"confirmOthers": true});
        assert_eq!(self.refused("finance", &vote, all.clone()).await, "ROUND_STATE");
        self.step("rating", "openDeliberation", json!({})).await;
        assert_eq!(self.refused("awards", &vote, all.clone()).await, "NOT_A_MEMBER");
        assert_eq!(self.refused("rating/2", &vote, all.clone()).await, "SAME_OFFICER");
        let recuse = json!({"enterprises": [own(&self.firms[0])], "reason": "亲属任职"});
        self.step("finance", "recuse", recuse).await;
        let confirm =
            json!({"votes": [{"enterprise": own(&self.firms[0]), "decision": "VOTE_DECISION_CONFIRM"}]});
        assert_eq!(self.refused("finance", &vote, confirm).await, "RECUSED");
        for member in ["rating", "enforcement", "licensing", "finance"] {
            self.door.post(member, &vote, all.clone()).await;
        }
        self.step(
            "rating",
            "closeDeliberation",
            json!({"minutes": "四家到会，一致同意"}),
        )
        .await;
        assert_eq!(self.refused("licensing", &vote, all).await, "ROUND_STATE");
        assert_eq!(
            self.refused("rating", &publish, json!({})).await,
            "APPROVAL_MISSING"
        );
        let document =
            json!({"issuer": "北京市大兴区人民政府", "number": "京兴政函9号", "date": today.to_string()});
        self.step("rating/3", "approve", json!({"document": document}))
            .await;
        self.turn_to(PUBLISHED);
        self.door.post("rating", &publish, json!({})).await;
    }

    async fn listed(&self) -> BTreeMap<i64, Vec<String>> {
        let path = format!("{ROUND}/directory?pageSize=1000");
        let page = self.door.call(None, Method::GET, &path, None).await.body;
        let mut stars: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for entry in list(&page["entries"]) {
            let firm = entry["enterprise"].as_str().unwrap().to_owned();
            stars
                .entry(entry["star"].as_i64().unwrap())
                .or_default()
                .push(firm);
        }
        stars
    }
}

#[tokio::test]
async fn seventy_six_firms_go_from_the_cohort_to_the_directory_and_their_stars_live() {
    let district = District::open().await;
    district.register().await;
    district.declare().await;
    district.turn_to(6);
    district.verify().await;
    district.record().await;
    district.publish().await;

    let listed = district.listed().await;
    let counts: Vec<_> = listed.iter().map(|(star, firms)| (*star, firms.len())).collect();
    assert_eq!(counts, [(3, 5), (4, 60), (5, 8)]);
    let all: Vec<&String> = listed.values().flatten().collect();
    let unlisted: Vec<_> = district
        .firms
        .iter()
        .filter(|firm| !all.contains(&&own(firm)))
        .collect();
    assert_eq!(unlisted.len(), 3);
    for firm in unlisted {
        let path = format!("/v1/{}/assessment", own(firm));
        let why = district.door.get(&own(firm), &path).await["assessment"].clone();
        assert!(why["rating"]["blockedBy"]["zh"].is_string(), "{why}");
        let part = format!("{ROUND}/{}/declaration", own(firm));
        let told = district.door.get(&own(firm), &part).await["declaration"]["notice"].clone();
        assert!(told["answerByTime"].is_string(), "told before: {told}");
        let others = district
            .door
            .call(Some("finance"), Method::GET, &path, None)
            .await;
        assert_eq!(others.status, 403, "only the firm itself: {}", others.body);
    }
    stars_live(district, &listed[&5]).await;
}

/// A penalty drops a five-star firm, its repair brings the star back, and an objection corrects an item.
async fn stars_live(district: District, five: &[String]) {
    let found = |name: &String| district.firms.iter().find(|firm| own(firm) == *name).cloned();
    // Some claim of it was awarded less than the item takes.
    let cut = |firm: &Value| {
        let claims = list(&firm["claims"]).iter();
        claims.clone().find(|claim| claim["awarded"].is_string()).cloned()
    };
    let firm = five
        .iter()
        .filter_map(found)
        .find(|firm| cut(firm).is_some())
        .unwrap();
    let (name, claim) = (own(&firm), cut(&firm).unwrap());
    let District {
        door,
        calendar,
        first_day,
        firms,
    } = district;
    // A view does not trust a clock that jumped while it ran.
    let settings = settings(&door.folder(), &calendar);
    let door = door.reopen(settings, || ()).await;
    let district = District {
        door,
        calendar,
        first_day,
        firms,
    };
    let before = district.rating(&firm).await;

    let date = district.calendar.now().date().plus_days(-400).to_string();
    let paper = json!({"issuer": "北京市大兴区生态环境局", "number": "京兴环罚7号", "date": date});
    let event = json!({
        "kind": "seizure_or_production_limit",
        "document": paper,
        "evidence": {"kind": "PEN", "reference": "7"},
    });
    let began = Instant::now();
    district
        .door
        .post("enforcement", &format!("/v1/{name}/events"), event)
        .await;
    let dropped = district.rating(&firm).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_ne!(dropped["star"], 5, "{dropped}");

    let flag = json!({"kind": "serious-penalty", "document": paper});
    let flag = district
        .door
        .post("enforcement", &format!("/v1/{name}/flags"), flag)
        .await;
    let flag = flag["flag"]["name"].as_str().unwrap();
    district.door.confirm(flag).await;
    let body = json!({"flag": flag, "commitment": "已经整改并公开承诺"});
    let applied = district
        .door
        .post(&name, &format!("/v1/{name}/repairs"), body)
        .await;
    let grant = json!({
        "verdict": "REPAIR_VERDICT_GRANT", "corrected": true, "committed": true, "othersHold": true, "opinion": "已核实",
    });
    let review = format!("/v1/{}:review", applied["repair"]["name"].as_str().unwrap());
    let granted = district.door.post("enforcement/3", &review, grant).await;
    let question = json!({"token": granted["token"], "scope": "CONVERGENCE_SCOPE_ALL", "timeout": "30s"});
    let told = district
        .door
        .post(
            "operator",
            "/v1/flags:waitConverged",
            json!({"question": question}),
        )
        .await;
    assert_eq!(list(&told).last().unwrap()["converged"], true, "{told}");
    let back = district.rating(&firm).await;
    assert_eq!(
        (&back["star"], &back["points"]),
        (&before["star"], &before["points"])
    );

    let body = json!({"points": [{"item": claim["item"], "grounds": "漏计一项已验收的设施"}]});
    let objections = format!("/v1/{name}/objections");
    let filed = district.door.post(&name, &objections, body.clone()).await;
    assert_eq!(district.rating(&firm).await["objectionOpen"], true);
    assert_eq!(
        district.refused(&name, &objections, body).await,
        "OBJECTION_EXISTS"
    );
    let decide = format!("/v1/{}:decide", filed["objection"]["name"].as_str().unwrap());
    let finding = json!({
        "item": claim["item"], "verdict": "OBJECTION_VERDICT_UPHELD", "points": claim["claimed"], "reason": "经复核属实",
    });
    let findings = json!({"findings": [finding]});
    assert_eq!(
        district.refused("rating/2", &decide, findings.clone()).await,
        "SAME_OFFICER"
    );
    let decided = district.door.post("rating", &decide, findings).await;
    let corrected = district.rating(&firm).await;
    assert_eq!(decided["rating"]["points"], corrected["points"]);
    assert_ne!(
        corrected["points"], back["points"],
        "an objection corrects an item"
    );
    assert_ne!(corrected["objectionOpen"], true);
}
