//! The sample round and what the public may see of it.

use std::collections::BTreeSet;

use hyper::{Method, StatusCode};

use crate::door::Door;

#[tokio::test]
async fn the_sample_directory_counts_eight_sixty_five_and_lists_nobody_else() {
    let door = Door::open().await;
    let rounds = door.call(None, Method::GET, "/v1/rounds", None).await;
    assert_eq!(rounds.status, StatusCode::OK);
    let names: Vec<&str> = rounds.body["rounds"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|r| r["name"].as_str())
        .collect();
    assert_eq!(names, ["rounds/daxing-2021-sample"]);

    let page = door
        .call(
            None,
            Method::GET,
            "/v1/rounds/daxing-2021-sample/directory?pageSize=1000",
            None,
        )
        .await
        .body;
    let counts: Vec<(i64, i64)> = page["counts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|count| (count["star"].as_i64().unwrap(), count["count"].as_i64().unwrap()))
        .collect();
    assert_eq!(counts, [(5, 8), (4, 60), (3, 5)]);
    let entries = page["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 73);
    for (star, count) in [(5, 8), (4, 60), (3, 5)] {
        assert_eq!(
            entries.iter().filter(|entry| entry["star"] == star).count(),
            count
        );
    }
}

#[tokio::test]
async fn who_is_not_listed_is_seen_by_the_rating_department_only() {
    let door = Door::open().await;
    let mut listed = BTreeSet::new();
    for star in 1..=5 {
        listed.extend(door.listed(star).await);
    }
    let all = door.get("rating", "/v1/enterprises?pageSize=1000").await;
    let all: BTreeSet<String> = all["enterprises"]
        .as_array()
        .unwrap()
        .iter()
        .map(|enterprise| enterprise["name"].as_str().unwrap().replace("enterprises/", ""))
        .collect();
    assert_eq!(all.len(), 76);
    let unlisted: Vec<&String> = all.difference(&listed).collect();
    assert_eq!(unlisted.len(), 3);

    for uscc in unlisted {
        for path in [
            format!("/v1/enterprises/{uscc}/rating"),
            format!("/v1/enterprises/{uscc}/assessment"),
        ] {
            let (status, reason) = door.refused(None, Method::GET, &path, None).await;
            assert_eq!((status, reason.as_str()), (401, "CREDENTIAL_MISSING"), "{path}");
        }
        let assessment = format!("/v1/enterprises/{uscc}/assessment");
        let (status, reason) = door
            .refused(Some("licensing"), Method::GET, &assessment, None)
            .await;
        assert_eq!((status, reason.as_str()), (403, "DEPARTMENT_NOT_ALLOWED"));
        let why = door.get("rating", &assessment).await;
        assert_eq!(why["assessment"]["items"].as_array().unwrap().len(), 30, "{why}");
    }
    let (status, reason) = door
        .refused(Some("finance"), Method::GET, "/v1/enterprises", None)
        .await;
    assert_eq!((status, reason.as_str()), (403, "DEPARTMENT_NOT_ALLOWED"));
}

#[tokio::test]
async fn a_directory_is_searched_by_star_district_and_name() {
    let door = Door::open().await;
    let directory = "/v1/rounds/daxing-2021-sample/directory";
    let first = door
        .call(None, Method::GET, &format!("{directory}?pageSize=1&star=4"), None)
        .await
        .body;
    assert_eq!(first["totalSize"], 60);
    let name = first["entries"][0]["displayName"]["zh"].as_str().unwrap();
    let part: String = name.chars().skip(2).take(4).collect();
    let encoded: String = part.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let found = door
        .call(
            None,
            Method::GET,
            &format!("{directory}?nameContains={encoded}"),
            None,
        )
        .await
        .body;
    let names: Vec<&str> = found["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|entry| entry["displayName"]["zh"].as_str())
        .collect();
    assert!(names.contains(&name), "{names:?}");
    assert!(names.iter().all(|name| name.contains(&part)));

    let elsewhere = door
        .call(None, Method::GET, &format!("{directory}?district=440300"), None)
        .await
        .body;
    assert_eq!(elsewhere["totalSize"].as_i64().unwrap_or(0), 0);

    let mut seen = BTreeSet::new();
    let mut token = String::new();
    loop {
        let path = format!("{directory}?pageSize=10&star=4&pageToken={token}");
        let page = door.call(None, Method::GET, &path, None).await.body;
        for entry in page["entries"].as_array().unwrap() {
            assert!(
                seen.insert(entry["enterprise"].as_str().unwrap().to_owned()),
                "a row came twice"
            );
        }
        match page["nextPageToken"].as_str() {
            Some(next) if !next.is_empty() => token = next.to_owned(),
            Some(_) | None => break,
        }
    }
    assert_eq!(seen.len(), 60);
}
