//! The three steps of assistance, from a list to a closed plan, by the REST door alone.

use greenstar_kernel::{Clock as _, SystemClock};
use hyper::Method;
use serde_json::{Value, json};

use crate::door::{Door, recent_date};

/// Two firms of the sample.
const FIRM: &str = "91110115MAX000015J";
const NEIGHBOUR: &str = "91110115MAX000023D";

async fn opened() -> Door {
    let firms = [FIRM, NEIGHBOUR].map(|uscc| format!("enterprises/{uscc}"));
    let officers = ["rating", "rating/2", "enforcement", "licensing", "finance"];
    let callers: Vec<&str> = officers
        .into_iter()
        .chain(firms.iter().map(String::as_str))
        .collect();
    Door::open_for(&callers).await
}

/// So many days from today.
fn day(offset: i32) -> String {
    SystemClock::new().now().date().plus_days(offset).to_string()
}

fn photo(digit: char) -> Value {
    json!({"sha256": digit.to_string().repeat(64), "caption": "现场"})
}

async fn points(door: &Door, uscc: &str) -> String {
    let rating = door
        .get("rating", &format!("/v1/enterprises/{uscc}/rating"))
        .await;
    rating["rating"]["points"].as_str().unwrap().to_owned()
}

/// Records an event that the scheme lets rest under a plan; gives its name.
async fn lapse(door: &Door, uscc: &str, kind: &str, number: &str) -> String {
    let body = json!({
        "kind": kind,
        "document": {"issuer": "北京市大兴区生态环境局", "number": number, "date": recent_date()},
        "evidence": {"kind": "INSP", "reference": number},
    });
    let recorded = door
        .post("rating", &format!("/v1/enterprises/{uscc}/events"), body)
        .await;
    recorded["event"]["name"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_firm_is_helped_from_the_list_to_a_closed_plan_and_its_points_rest_meanwhile() {
    let (door, uscc) = (opened().await, FIRM);
    let own = format!("enterprises/{uscc}");
    let of_firm = |path: &str| format!("/v1/enterprises/{uscc}{path}");

    // A cohort from a list, and who accompanies whom.
    let title = json!({"zh": "第一批帮扶", "en": "First batch"});
    let drawn = door
        .post("rating", "/v1/cohorts", json!({"cohortId": "key-2026", "displayName": title, "list": "COHORT_LIST_KEY_POLLUTERS", "filter": "district = \"110115\""}))
        .await;
    assert!(drawn["cohort"]["memberCount"].as_i64().unwrap() > 0, "{drawn}");
    let daily = json!({"cohortId": "daily-2026", "displayName": title, "list": "COHORT_LIST_DAILY_SUPERVISION", "enterprises": [own]});
    let drawn = door.post("rating", "/v1/cohorts", daily.clone()).await;
    assert_eq!(drawn["cohort"]["memberCount"], 1);
    let again = door
        .refused(Some("rating"), Method::POST, "/v1/cohorts", Some(daily))
        .await;
    assert_eq!(again, (409, "COHORT_EXISTS".to_owned()));
    let assign = json!({"enterprises": [own], "street": "黄村镇", "officer": "rating"});
    door.post("rating", "/v1/cohorts/daily-2026:assign", assign).await;

    // Step 1: what was found, with photos by their hash, and what the firm asks for.
    let finding = json!({"finding": {"area": "FINDING_AREA_PROCEDURES", "text": "台账缺少三个月", "photos": [photo('a')], "evidence": [{"kind": "INSP", "reference": "检查记录1"}]}});
    let found = door.post("rating", &of_firm("/findings"), finding).await;
    let finding = found["finding"]["name"].as_str().unwrap().to_owned();
    let bare = json!({"finding": {"area": "FINDING_AREA_EMISSIONS", "text": "无证据"}});
    let bare = door
        .refused(Some("rating"), Method::POST, &of_firm("/findings"), Some(bare))
        .await;
    assert_eq!(bare, (400, "FIELD_INVALID".to_owned()));
    let asked = door
        .post(&own, &of_firm("/helpRequests"), json!({"text": "如何补齐台账？"}))
        .await;
    let request = asked["helpRequest"]["name"].as_str().unwrap();
    assert_eq!(asked["helpRequest"]["asker"], own.as_str());

    // Step 2: services from the rules, whose version is named.
    let facts = json!({"facts": {"processes": ["printing"], "treatments": ["activated-carbon"], "pollutants": ["voc"]}});
    let listed = door
        .post("rating", &of_firm("/serviceLists:generate"), facts)
        .await;
    let list = &listed["serviceList"];
    assert_eq!(list["rules"], "serviceRules/1");
    let services: Vec<_> = list["services"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["code"].as_str().unwrap())
        .collect();
    for service in [
        "permit-coaching",
        "expert-visit",
        "voc-source-substitution",
        "carbon-replacement-check",
    ] {
        assert!(services.contains(&service), "{services:?}");
    }
    let unknown = json!({"facts": {"pollutants": ["radon"]}});
    let unknown = door
        .refused(
            Some("rating"),
            Method::POST,
            &of_firm("/serviceLists:generate"),
            Some(unknown),
        )
        .await;
    assert_eq!(unknown, (400, "FIELD_INVALID".to_owned()));
    door.post(
        "rating/2",
        &format!("/v1/{request}:answer"),
        json!({"answer": "已发送模板"}),
    )
    .await;
    let twice = door
        .refused(
            Some("rating"),
            Method::POST,
            &format!("/v1/{request}:answer"),
            Some(json!({"answer": "再答"})),
        )
        .await;
    assert_eq!(twice.1, "HELP_REQUEST_ANSWERED");

    // Step 3: one firm, one plan.
    let before = points(&door, uscc).await;
    let event = lapse(&door, uscc, "ledger_incomplete", "整改1").await;
    let fine_before = points(&door, uscc).await;
    assert_ne!(before, fine_before, "the ledger takes a point");
    let draft = |due: String, end: String| {
        json!({"plan": {"endDate": end, "measures": [
            {"code": "M1", "text": "补齐台账", "owner": "环保专员", "dueDate": due, "findings": [finding], "events": [event]},
        ]}})
    };
    let late = door
        .refused(
            Some("rating"),
            Method::POST,
            &of_firm("/plans"),
            Some(draft(day(-1), day(30))),
        )
        .await;
    assert_eq!(late, (400, "DATE_INVALID".to_owned()));
    let short = door
        .refused(
            Some("rating"),
            Method::POST,
            &of_firm("/plans"),
            Some(draft(day(30), day(20))),
        )
        .await;
    assert_eq!(short, (400, "FIELD_INVALID".to_owned()));
    let drafted = door
        .post("rating", &of_firm("/plans"), draft(day(20), day(30)))
        .await;
    let plan = format!("/v1/{}", drafted["plan"]["name"].as_str().unwrap());
    assert_eq!(drafted["plan"]["state"], "PLAN_STATE_DRAFTED");
    let second = door
        .refused(
            Some("rating"),
            Method::POST,
            &of_firm("/plans"),
            Some(draft(day(20), day(30))),
        )
        .await;
    assert_eq!(second.1, "PLAN_EXISTS");
    let step = |step: &str| format!("{plan}:{step}");
    let early = door
        .refused(Some("rating/2"), Method::POST, &step("start"), Some(json!({})))
        .await;
    assert_eq!(early, (400, "PLAN_STATE".to_owned()));
    let for_it = door
        .refused(Some("rating"), Method::POST, &step("agree"), Some(json!({})))
        .await;
    assert_eq!(for_it.0, 403, "only the firm agrees");
    door.post(&own, &step("agree"), json!({})).await;
    assert_eq!(
        points(&door, uscc).await,
        fine_before,
        "an agreed plan that nobody started suspends nothing"
    );
    let same = door
        .refused(Some("rating"), Method::POST, &step("start"), Some(json!({})))
        .await;
    assert_eq!(same, (403, "SAME_OFFICER".to_owned()));
    let started = door.post("rating/2", &step("start"), json!({})).await;
    assert_eq!(started["plan"]["state"], "PLAN_STATE_RUNNING");
    assert_eq!(started["plan"]["suspendedEvents"], json!([event]));
    assert_eq!(points(&door, uscc).await, before, "the points rest at once");
    let rating = door.get("rating", &of_firm("/rating")).await;
    assert_eq!(
        rating["rating"]["nextTransition"]["points"], fine_before,
        "and come back by time: {rating}"
    );

    let visit = json!({"date": day(0), "note": "现场指导"});
    door.post("rating", &step("recordVisit"), visit).await;
    let ahead = json!({"date": day(1), "note": "明天"});
    let ahead = door
        .refused(Some("rating"), Method::POST, &step("recordVisit"), Some(ahead))
        .await;
    assert_eq!(ahead, (400, "DATE_INVALID".to_owned()));
    door.post(
        "rating",
        &step("helpApplication"),
        json!({"subject": "rounds/daxing-2027", "note": "协助填报B01"}),
    )
    .await;
    let open = door
        .refused(Some("rating"), Method::POST, &step("close"), Some(json!({})))
        .await;
    assert_eq!(open, (400, "PLAN_MEASURES_OPEN".to_owned()));
    let proof = json!({"measure": "M1", "photos": [photo('b')]});
    door.post(&own, &step("proveMeasure"), proof.clone()).await;
    let twice = door
        .refused(
            Some(&own),
            Method::POST,
            &step("proveMeasure"),
            Some(proof.clone()),
        )
        .await;
    assert_eq!(twice.1, "PLAN_MEASURE_STATE");
    let recheck = |passed: bool| json!({"measure": "M1", "passed": passed, "note": "复核"});
    let author = door
        .refused(
            Some("rating"),
            Method::POST,
            &step("recheckMeasure"),
            Some(recheck(true)),
        )
        .await;
    assert_eq!(author.1, "SAME_OFFICER");
    let failed = door
        .post("rating/2", &step("recheckMeasure"), recheck(false))
        .await;
    assert_eq!(failed["plan"]["measures"][0]["state"], "MEASURE_STATE_OPEN");
    door.post(&own, &step("proveMeasure"), proof).await;
    let passed = door
        .post("rating/2", &step("recheckMeasure"), recheck(true))
        .await;
    assert_eq!(passed["plan"]["measures"][0]["state"], "MEASURE_STATE_DONE");
    let closed = door.post("rating", &step("close"), json!({"note": "完成"})).await;
    assert_eq!(closed["plan"]["state"], "PLAN_STATE_CLOSED");
    assert_eq!(
        points(&door, uscc).await,
        fine_before,
        "a closed plan suspends nothing more"
    );
    let over = door
        .refused(
            Some("rating"),
            Method::POST,
            &step("fail"),
            Some(json!({"reason": "晚了"})),
        )
        .await;
    assert_eq!(over.1, "PLAN_STATE");

    // How far the cohort is, and who may see the findings.
    let progress = door.get("rating", "/v1/cohorts/daily-2026/progress").await;
    let total = &progress["total"];
    for (figure, value) in [
        ("enterprises", 1),
        ("examined", 1),
        ("findingsResolved", 1),
        ("helpAnswered", 1),
        ("listed", 1),
        ("plansClosed", 1),
        ("measuresDone", 1),
    ] {
        assert_eq!(total[figure], value, "{figure}: {progress}");
    }
    assert_eq!(progress["streets"][0]["group"], "黄村镇");
    assert_eq!(progress["officers"][0]["group"], "rating");
    let whole = door.get(&own, &of_firm("/assistance")).await;
    assert_eq!(whole["assistance"]["findings"].as_array().unwrap().len(), 1);
    for other in ["enforcement", "licensing", "finance"] {
        let denied = door
            .refused(Some(other), Method::GET, &of_firm("/assistance"), None)
            .await;
        assert_eq!(denied, (403, "DEPARTMENT_NOT_ALLOWED".to_owned()));
    }
    let denied = door
        .refused(
            Some(&format!("enterprises/{NEIGHBOUR}")),
            Method::GET,
            &of_firm("/assistance"),
            None,
        )
        .await;
    assert_eq!(denied, (403, "NOT_YOUR_ENTERPRISE".to_owned()));
}

#[tokio::test]
async fn a_plan_that_fails_gives_the_points_back_and_rules_are_the_officers_own() {
    let (door, uscc) = (opened().await, FIRM);
    let own = format!("enterprises/{uscc}");
    let clean = points(&door, uscc).await;
    let event = lapse(&door, uscc, "ledger_incomplete", "整改2").await;
    let fined = points(&door, uscc).await;
    let plan = json!({"plan": {"endDate": day(10), "measures": [{"code": "M1", "text": "补齐", "owner": "张工", "dueDate": day(10), "events": [event]}]}});
    let drafted = door
        .post("rating", &format!("/v1/enterprises/{uscc}/plans"), plan)
        .await;
    let plan = format!("/v1/{}", drafted["plan"]["name"].as_str().unwrap());
    door.post(&own, &format!("{plan}:agree"), json!({})).await;
    door.post("rating/2", &format!("{plan}:start"), json!({})).await;
    assert_eq!(points(&door, uscc).await, clean);
    let failed = door
        .post(
            "rating",
            &format!("{plan}:fail"),
            json!({"reason": "企业拒不整改"}),
        )
        .await;
    assert_eq!(failed["plan"]["state"], "PLAN_STATE_FAILED");
    assert_eq!(failed["plan"]["suspendedEvents"], json!([]));
    assert_eq!(points(&door, uscc).await, fined);

    let shipped = door.get("rating", "/v1/serviceRules/latest").await;
    let source = shipped["rules"]["source"].as_str().unwrap().to_owned();
    let wrong = json!({"source": source.replacen("contains(\"voc\")", "contains(\"radon\")", 1)});
    let refused = door
        .refused(Some("rating"), Method::POST, "/v1/serviceRules", Some(wrong))
        .await;
    assert_eq!(refused, (400, "SERVICE_RULES_INVALID".to_owned()));
    let next = json!({"source": source.replacen("outcome: ROUTINE", "outcome: ADVISED", 1)});
    let stored = door.post("rating", "/v1/serviceRules", next).await;
    assert_eq!(
        (&stored["rules"]["name"], &stored["rules"]["author"]),
        (&"serviceRules/2".into(), &"rating".into())
    );
    let listed = door
        .post(
            "rating",
            &format!("/v1/enterprises/{uscc}/serviceLists:generate"),
            json!({}),
        )
        .await;
    assert_eq!(listed["serviceList"]["rules"], "serviceRules/2");
    assert_eq!(
        door.get("rating", "/v1/serviceRules/1").await["rules"]["source"],
        source.as_str()
    );
    let missing = door
        .refused(Some("rating"), Method::GET, "/v1/serviceRules/9", None)
        .await;
    assert_eq!(missing, (404, "SERVICE_RULES_UNKNOWN".to_owned()));
}
