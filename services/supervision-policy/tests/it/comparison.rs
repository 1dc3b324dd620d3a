//! What was lost on the way is found and put right without anybody's help.

use std::time::Duration;

use greenstar_testkit::{Logs, Scratch};
use tokio::time::timeout;

use crate::law;
use crate::server::{Ask, FIRM, OTHER, Server, Sources};

/// Asks until the answer is this one, within half a minute.
async fn becomes(server: &Server, uscc: &str, star: Option<i32>, outcome: &str) {
    let reached = async {
        loop {
            let permit = server.permit(uscc, "eia-approval", Ask::LATEST).await.unwrap();
            if (permit.star, permit.outcome.as_str(), permit.manual_review) == (star, outcome, false) {
                return;
            }
        }
    };
    let late = format!("{uscc} never became {star:?} {outcome}");
    timeout(Duration::from_secs(30), reached).await.expect(&late);
}

#[tokio::test]
async fn a_view_that_differs_from_its_source_is_taken_anew_and_somebody_is_called() {
    let logs = Logs::keep();
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    sources.star(OTHER, 5).await;
    let flag = sources.confirmed(OTHER, "serious-penalty", "", 36);
    let flagged = sources.sanctions.flag(flag.clone()).await;
    // What an earlier life left.
    Server::start(&sources, &scratch).await.stop().await;
    let copy = scratch.dir().join("snapshot/view.snapshot");
    assert!(copy.exists());
    let server = Server::start(&sources, &scratch).await;
    let permit = server.permit(OTHER, "eia-approval", Ask::token(&flagged)).await;
    assert_eq!(permit.unwrap().outcome, "STRICT_REVIEW");
    // Both are looked at several times, and nothing is amiss.
    for log in ["rating", "sanctions"] {
        let log = format!("log=\"{log}\"");
        let same = || logs.lines(&["the view is what its source says", &log]).len() > 1;
        let seen = async {
            while !same() {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(30), seen).await.unwrap();
    }
    assert_eq!(logs.lines(&["ALARM"]), Vec::<String>::new());

    // A worse star, and a flag that was lifted: nobody was told.
    let worse = serde_json::to_string(&sources.fact(FIRM, 2)).unwrap();
    sources
        .rating
        .tamper(&format!("enterprises/{FIRM}"), Some(worse))
        .await;
    becomes(&server, FIRM, Some(2), "STANDARD").await;
    // It says what was found to be wrong.
    let gone = async {
        while copy.exists() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), gone).await.unwrap();
    sources.sanctions.tamper(&flag.name, None).await;
    becomes(&server, OTHER, Some(5), "FAST_TRACK").await;
    for (log, firm) in [("rating", FIRM), ("sanctions", OTHER)] {
        let log = format!("log=\"{log}\"");
        assert_eq!(logs.lines(&["ALARM", &log, firm]).len(), 1);
    }

    // An enterprise that the source does not have, and another law.
    sources.rating.tamper(&format!("enterprises/{FIRM}"), None).await;
    becomes(&server, FIRM, None, "STANDARD").await;
    let next = crate::source::kept_edition(law::catalogue("2026-9"));
    sources.sanctions.tamper("catalogue", Some(next)).await;
    let other_law = async {
        loop {
            let permit = server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
            if permit.policy_version.contains("2026-9") && !permit.manual_review {
                return;
            }
        }
    };
    timeout(Duration::from_secs(30), other_law).await.unwrap();
    server.stop().await;
    assert!(copy.exists(), "a right one, at the same positions");
}
