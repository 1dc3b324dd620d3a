//! A jurisdiction with five colours instead of stars runs from data alone: its scheme, its law and its prices come in by
//! the public door, and no line of code knows them.

use std::time::Duration;

use serde_json::{Value, json};

use crate::door::{Door, recent_date};

const CATALOGUE: &str = include_str!("../../services/sanctions/data/catalogue.yaml");
const MEASURES: &str =
    include_str!("../../services/supervision-policy/data/jurisdictions/jiangsu-measures.yaml");
const ELECTRICITY: &str =
    include_str!("../../services/supervision-policy/data/jurisdictions/jiangsu-electricity-price.yaml");
const SEWAGE: &str =
    include_str!("../../services/supervision-policy/data/jurisdictions/jiangsu-sewage-price.yaml");

/// Code, what it did, and what is expected of it.
type Firm = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    &'static str,
    &'static str,
    i64,
);

/// Firm, event with its evidence, points, label and colour afterwards.
const FIRMS: [Firm; 5] = [
    ("91310000631696382C", &[], "12", "绿色", "green", 5),
    (
        "91350900587527783P",
        &[("exceedance_fine", "PEN")],
        "6",
        "蓝色",
        "blue",
        4,
    ),
    (
        "914403001922038216",
        &[("no_permit_discharge", "PEN")],
        "3",
        "黄色",
        "yellow",
        3,
    ),
    (
        "91440300192317458F",
        &[("exceedance_fine", "PEN"), ("built_without_eia", "PEN")],
        "1",
        "红色",
        "red",
        2,
    ),
    (
        "9144030071526726XG",
        &[("environmental_crime", "JUD")],
        "0",
        "黑色",
        "black",
        1,
    ),
];

/// The shipped edition, and what the jurisdiction's has beside it.
fn edition() -> String {
    let (_, rest) = MEASURES.split_once("bases:\n").unwrap();
    let (bases, measures) = rest.split_once("measures:\n").unwrap();
    CATALOGUE
        .replacen("edition: 2026-2", "edition: 2026-3", 1)
        .replacen("\nbases:\n", &format!("\nbases:\n{bases}"), 1)
        .replacen("\nmeasures:\n", &format!("\nmeasures:\n{measures}"), 1)
}

/// Writes, approves and publishes a policy of the pricing department.
async fn publish(door: &Door, source: &str) {
    let draft = door
        .post("pricing", "/v1/drafts", json!({"content": {"source": source}}))
        .await;
    let name = draft["draft"]["name"].as_str().unwrap();
    let etag = &draft["draft"]["etag"];
    let validated = door
        .post("pricing", &format!("/v1/{name}:validate"), json!({"etag": etag}))
        .await;
    assert_eq!(
        validated["draft"]["state"], "DRAFT_STATE_VALIDATED",
        "{validated}"
    );
    let etag = &validated["draft"]["etag"];
    let approved = door
        .post("pricing/2", &format!("/v1/{name}:approve"), json!({"etag": etag}))
        .await;
    let etag = &approved["draft"]["etag"];
    door.post("pricing", &format!("/v1/{name}:publish"), json!({"etag": etag}))
        .await;
}

/// A price, once its policy is in force: some seconds after it was published.
async fn price(door: &Door, uscc: &str, matter: &str, arguments: Value) -> Value {
    let body = json!({"matter": format!("departments/pricing/matters/{matter}"), "arguments": arguments});
    let path = format!("/v1/enterprises/{uscc}:decide");
    let decided = async {
        loop {
            let reply = door
                .call(Some("pricing"), hyper::Method::POST, &path, Some(body.clone()))
                .await;
            if reply.status.is_success() {
                return reply.body;
            }
            assert!(
                reply.body.to_string().contains("MATTER_UNKNOWN"),
                "{}",
                reply.body
            );
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), decided)
        .await
        .unwrap()
}

#[tokio::test]
async fn five_colours_and_their_prices_run_from_data_alone() {
    let callers = [
        "rating",
        "rating/2",
        "enforcement",
        "pricing",
        "pricing/2",
        "operator",
    ];
    let door = Door::open_for(&callers).await;
    let source = greenstar_rating::OTHER_SCHEMES[0];
    let stored = door
        .post("rating", "/v1/schemes", json!({"source": source}))
        .await;
    let scheme = stored["scheme"]["name"].as_str().unwrap().to_owned();
    door.post("rating/2", &format!("/v1/{scheme}:activate"), json!({}))
        .await;

    let mut firms = Vec::new();
    for (uscc, ..) in FIRMS {
        let name = format!("enterprises/{uscc}");
        let enterprise = json!({"name": name, "displayName": {"zh": "江苏企业", "en": "A firm"}, "district": "320500", "sector": "C2651"});
        door.post("rating", "/v1/enterprises", json!({"enterprise": enterprise}))
            .await;
        firms.push(name);
    }
    let round = json!({"roundId": "jiangsu-2026", "displayName": {"zh": "江苏2026", "en": "Jiangsu 2026"}, "scheme": scheme});
    door.post("rating", "/v1/rounds", round).await;
    door.post(
        "rating",
        "/v1/rounds/jiangsu-2026:enrol",
        json!({"enterprises": firms}),
    )
    .await;
    let evidence = json!([{"kind": "PROM", "reference": "承诺书"}]);
    let claims = json!([{"item": "J05", "points": "1", "evidence": evidence}, {"item": "J06", "points": "2", "evidence": evidence}]);
    let part = format!("/v1/rounds/jiangsu-2026/{}", firms[0]);
    door.post("rating", &format!("{part}:declare"), json!({"claims": claims}))
        .await;
    let verdicts = json!([{"item": "J05", "points": "1"}, {"item": "J06", "points": "2"}]);
    door.post(
        "rating/2",
        &format!("{part}:verify"),
        json!({"verdicts": verdicts}),
    )
    .await;
    door.post(
        "rating",
        "/v1/rounds/jiangsu-2026:publish",
        json!({"approval": "苏政批1号"}),
    )
    .await;

    for (uscc, events, points, label, color, rank) in FIRMS {
        for (kind, proof) in events {
            let document = json!({"issuer": "江苏省生态环境厅", "number": format!("{uscc}-{kind}"), "date": recent_date()});
            let event =
                json!({"kind": kind, "document": document, "evidence": {"kind": proof, "reference": "1"}});
            door.post("rating", &format!("/v1/enterprises/{uscc}/events"), event)
                .await;
        }
        let rating = door
            .get("rating", &format!("/v1/enterprises/{uscc}/rating"))
            .await["rating"]
            .clone();
        assert_eq!(
            (
                &rating["points"],
                &rating["starTitle"]["zh"],
                &rating["starColor"],
                &rating["star"]
            ),
            (&points.into(), &label.into(), &color.into(), &rank.into()),
            "{rating}"
        );
    }

    // The law and the prices.
    door.post("operator", "/v1/catalogues", json!({"source": edition()}))
        .await;
    publish(&door, ELECTRICITY).await;
    publish(&door, SEWAGE).await;
    let figure = |answer: &Value| {
        let parameters = answer["measures"][0]["parameters"].as_object();
        parameters
            .and_then(|all| all.values().next().cloned())
            .unwrap_or_default()
    };
    for (rank, outcome, surcharge) in [
        (5, "BASE_PRICE", None),
        (3, "BASE_PRICE", None),
        (2, "RED_PRICE", Some("50")),
        (1, "BLACK_PRICE", Some("100")),
    ] {
        // The rank of the frozen list decides, whatever the colour is today.
        let answer = price(
            &door,
            FIRMS[0].0,
            "electricity-price",
            json!({"listed_rank": rank.to_string()}),
        )
        .await;
        assert_eq!(answer["outcome"], outcome, "{answer}");
        assert_eq!(answer["star"], 5);
        if let Some(surcharge) = surcharge {
            assert_eq!(figure(&answer), surcharge, "{answer}");
        }
    }
    for (arguments, outcome, fee) in [
        (json!({"listed_rank": "2"}), "RED_FEE", "600"),
        (
            json!({"listed_rank": "2", "red_before": "true"}),
            "BLACK_FEE",
            "1000",
        ),
        (json!({"listed_rank": "1"}), "BLACK_FEE", "1000"),
    ] {
        let answer = price(&door, FIRMS[3].0, "sewage-price", arguments).await;
        assert_eq!(
            (&answer["outcome"], figure(&answer)),
            (&outcome.into(), fee.into()),
            "{answer}"
        );
    }
}
