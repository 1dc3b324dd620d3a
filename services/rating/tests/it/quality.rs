//! How fresh the sources are, and claims that a datum is wrong.

use greenstar_proto::rating::v1 as pb;
use tonic::Code;

use crate::enterprises::{FIRST, SECOND};
use crate::events::record;
use crate::facts::noon;
use crate::rounds::published;
use crate::service::{Suite, refused};

const FIRM: &str = "enterprises/91110115MAX000015J";

async fn cutoff(
    suite: &Suite,
    who: &str,
    source: &str,
    cutoff: &str,
) -> Result<pb::SourceFreshness, tonic::Status> {
    let request = pb::SetSourceCutoffRequest {
        name: format!("sources/{source}"),
        cutoff: cutoff.into(),
        promise_days: 5,
    };
    let answer = suite.quality(who).set_source_cutoff(request).await?;
    Ok(answer.into_inner().source.unwrap())
}

fn source<'a>(sources: &'a [pb::SourceFreshness], name: &str) -> &'a pb::SourceFreshness {
    sources.iter().find(|source| source.source == name).unwrap()
}

async fn claim(suite: &Suite, who: &str, datum: &str) -> Result<pb::DataError, tonic::Status> {
    let request = pb::ReportDataErrorRequest {
        parent: FIRM.into(),
        datum: datum.into(),
        claim: "日期有误，应为 2026-02-01".into(),
        ..Default::default()
    };
    let answer = suite.quality(who).report_data_error(request).await?;
    Ok(answer.into_inner().data_error.unwrap())
}

async fn decide(
    suite: &Suite,
    who: &str,
    name: &str,
    accepted: bool,
) -> Result<pb::DataError, tonic::Status> {
    let request = pb::DecideDataErrorRequest {
        name: name.into(),
        accepted,
        answer: "已核对原件".into(),
        ..Default::default()
    };
    let answer = suite.quality(who).decide_data_error(request).await?;
    Ok(answer.into_inner().data_error.unwrap())
}

async fn list(suite: &Suite, who: &str, request: pb::ListDataErrorsRequest) -> Vec<pb::DataError> {
    let answer = suite.quality(who).list_data_errors(request).await.unwrap();
    answer.into_inner().data_errors
}

#[tokio::test]
async fn every_answer_says_how_far_each_source_is() {
    for suite in Suite::both(noon("2026-03-02")).await {
        published(&suite).await;
        record(&suite, "enforcement", FIRST, "fine_ordinary", "1", "2026-03-01")
            .await
            .unwrap();
        let rating = suite.rating_of("licensing", FIRST).await;
        let events = source(&rating.sources, "events-enforcement");
        assert!(events.stale && events.cutoff_time.is_none() && events.receive_time.is_some());
        for always in ["register", "declarations", "sanctions"] {
            source(&rating.sources, always);
        }
        let said = cutoff(&suite, "enforcement", "events-enforcement", "2026-03-01")
            .await
            .unwrap();
        assert!(!said.stale);
        for (who, name, day, reason) in [
            ("enforcement", "register", "2026-03-01", "NOT_YOUR_ENTERPRISE"),
            ("enforcement", "sanctions", "2026-03-01", "NOT_YOUR_ENTERPRISE"),
            ("rating", "weather", "2026-03-01", "SOURCE_UNKNOWN"),
            ("rating", "register", "2026-03-03", "INSTANT_INVALID"),
            // A cut-off never goes back.
            ("rating", "events-enforcement", "2026-02-01", "INSTANT_INVALID"),
        ] {
            let answer = cutoff(&suite, who, name, day).await;
            assert_eq!(refused(answer).1, reason, "{who} {name} {day}");
        }
        let rating = suite.rating_of("licensing", FIRST).await;
        assert!(!source(&rating.sources, "events-enforcement").stale);
        // It promised five days.
        suite.clock.set(noon("2026-03-07"));
        let listed = suite
            .public_quality()
            .list_sources(pb::ListSourcesRequest {})
            .await;
        let listed = listed.unwrap().into_inner().sources;
        assert!(source(&listed, "events-enforcement").stale);
        suite.stop().await;
    }
}

#[tokio::test]
async fn a_claim_against_a_datum_is_tracked_answered_by_others_and_counted() {
    for suite in Suite::both(noon("2026-03-02")).await {
        published(&suite).await;
        let (event, _) = record(&suite, "enforcement", FIRST, "fine_ordinary", "1", "2026-03-01")
            .await
            .unwrap();
        let datum = event.name.strip_prefix(&format!("{FIRM}/")).unwrap().to_owned();
        let claimed = claim(&suite, FIRM, &datum).await.unwrap();
        assert_eq!(claimed.source, "events-enforcement");
        // 15 working days, over no holiday.
        assert_eq!(
            (claimed.due_date.as_str(), claimed.overdue),
            ("2026-03-23", false)
        );
        assert_eq!(claimed.state(), pb::DataErrorState::Open);
        let twice = claim(&suite, FIRM, &datum).await;
        assert_eq!(refused(twice), (Code::AlreadyExists, "DATA_ERROR_EXISTS".into()));
        for unknown in ["events/none", "items/Z99", "register/colour", "weather"] {
            let answer = claim(&suite, FIRM, unknown).await;
            assert_eq!(
                refused(answer),
                (Code::InvalidArgument, "DATUM_UNKNOWN".into()),
                "{unknown}"
            );
        }
        let foreign = claim(&suite, &format!("enterprises/{SECOND}"), "register/sector").await;
        assert_eq!(
            refused(foreign),
            (Code::PermissionDenied, "NOT_YOUR_ENTERPRISE".into())
        );
        let field = claim(&suite, "rating", "register/sector").await.unwrap();
        let item = claim(&suite, "licensing", "items/B02").await.unwrap();
        assert_eq!(
            (field.source.as_str(), item.source.as_str()),
            ("register", "declarations")
        );

        let all = pb::ListDataErrorsRequest {
            parent: "enterprises/-".into(),
            ..Default::default()
        };
        assert_eq!(list(&suite, "rating", all.clone()).await.len(), 3);
        assert_eq!(
            list(&suite, "licensing", all.clone()).await,
            std::slice::from_ref(&item)
        );
        assert_eq!(
            list(&suite, FIRM, all.clone()).await,
            std::slice::from_ref(&claimed)
        );
        let own = pb::ListDataErrorsRequest {
            parent: FIRM.into(),
            ..Default::default()
        };
        assert_eq!(list(&suite, FIRM, own).await.len(), 3);
        suite.clock.set(noon("2026-03-24"));
        let late = pb::ListDataErrorsRequest {
            overdue_only: true,
            page_size: 2,
            ..all
        };
        let late = list(&suite, "rating", late).await;
        assert!(late.len() == 2 && late.iter().all(|error| error.overdue));

        let own = decide(&suite, "rating", &field.name, true).await;
        assert_eq!(refused(own), (Code::PermissionDenied, "SAME_OFFICER".into()));
        let outsider = decide(&suite, "licensing", &item.name, true).await;
        assert_eq!(refused(outsider).0, Code::PermissionDenied);
        let decided = decide(&suite, "rating", &claimed.name, true).await.unwrap();
        assert_eq!(
            (decided.state(), decided.decider.as_str()),
            (pb::DataErrorState::Accepted, "rating")
        );
        decide(&suite, "rating", &item.name, false).await.unwrap();
        let again = decide(&suite, "rating/2", &claimed.name, false).await;
        assert_eq!(
            refused(again),
            (Code::FailedPrecondition, "DATA_ERROR_STATE".into())
        );
        let none = decide(&suite, "rating", &format!("{FIRM}/dataErrors/none"), true).await;
        assert_eq!(refused(none), (Code::NotFound, "DATA_ERROR_UNKNOWN".into()));

        let answer = suite
            .public_quality()
            .get_accuracy(pb::GetAccuracyRequest {})
            .await;
        let months = answer.unwrap().into_inner().months;
        let of = |name: &str| {
            let found = months.iter().find(|month| month.source == name).unwrap();
            (
                found.month.clone(),
                found.received,
                found.reported,
                found.upheld,
                found.open,
            )
        };
        assert_eq!(of("events-enforcement"), ("2026-03".into(), 1, 1, 1, 0));
        assert_eq!(of("declarations"), ("2026-03".into(), 15, 1, 0, 0));
        assert_eq!(of("register"), ("2026-03".into(), 1, 1, 0, 1));
        let events = months.iter().find(|month| month.source == "events-enforcement");
        assert_eq!(events.unwrap().upheld_per_thousand, "1000");
        suite.stop().await;
    }
}
