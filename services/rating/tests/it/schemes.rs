//! Several schemes and versions side by side.

use std::time::Duration;

use greenstar_proto::common::v1 as common;
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::rating::v1::dry_run_scheme_response::Event;
use tonic::Code;

use crate::facts::{FILE, date, noon};
use crate::service::{Suite, refused};

#[tokio::test]
async fn versions_stand_side_by_side_and_never_change() {
    for suite in Suite::both(noon("2026-07-01")).await {
        let store = async |source: String| {
            let request = pb::CreateSchemeRequest {
                source,
                request_id: String::new(),
            };
            suite
                .schemes("rating")
                .create_scheme(request)
                .await
                .map(tonic::Response::into_inner)
        };
        let shipped = store(FILE.into()).await;
        assert_eq!(refused(shipped), (Code::AlreadyExists, "SCHEME_EXISTS".into()));
        let next = store(FILE.replacen("2021.1-proposal", "2026.1", 1))
            .await
            .unwrap();
        let scheme = next.scheme.unwrap();
        assert_eq!(scheme.name, "schemes/daxing-green-credit/versions/2026.1");
        assert_eq!(
            (scheme.items.len(), scheme.vetoes.len(), scheme.stars.len()),
            (30, 15, 3)
        );
        let wrong = store(FILE.replacen("max_total: 100", "max_total: 90", 1)).await;
        assert_eq!(refused(wrong), (Code::InvalidArgument, "SCHEME_INVALID".into()));
        assert_eq!(refused(store("- not a scheme".into()).await).1, "SCHEME_INVALID");

        let mut public = suite.schemes("licensing");
        let list = pb::ListSchemesRequest {
            page_size: 1,
            page_token: String::new(),
        };
        let first = public.list_schemes(list).await.unwrap().into_inner();
        let list = pb::ListSchemesRequest {
            page_size: 1,
            page_token: first.next_page_token,
        };
        let second = public.list_schemes(list).await.unwrap().into_inner();
        assert_eq!(
            (second.schemes[0].name.as_str(), second.next_page_token.as_str()),
            (scheme.name.as_str(), "")
        );
        let get = pb::GetSchemeRequest { name: scheme.name };
        assert!(
            public
                .get_scheme(get)
                .await
                .unwrap()
                .into_inner()
                .scheme
                .unwrap()
                .source
                .contains("2026.1")
        );
        let get = pb::GetSchemeRequest {
            name: "schemes/none/versions/1".into(),
        };
        assert_eq!(
            refused(public.get_scheme(get).await),
            (Code::NotFound, "SCHEME_UNKNOWN".into())
        );
        suite.stop().await;
    }
}

async fn store(suite: &Suite, who: &str, source: String) -> Result<pb::Scheme, tonic::Status> {
    let request = pb::CreateSchemeRequest {
        source,
        request_id: String::new(),
    };
    let answer = suite.schemes(who).create_scheme(request).await?;
    Ok(answer.into_inner().scheme.unwrap())
}

async fn activate(
    suite: &Suite,
    who: &str,
    name: &str,
    at: Option<pbjson_types::Timestamp>,
) -> Result<pb::Scheme, tonic::Status> {
    let request = pb::ActivateSchemeRequest {
        name: name.to_owned(),
        activate_time: at,
        request_id: String::new(),
    };
    let answer = suite.schemes(who).activate_scheme(request).await?;
    Ok(answer.into_inner().scheme.unwrap())
}

async fn begin(suite: &Suite, id: &str, scheme: &str) -> Result<(), tonic::Status> {
    let request = pb::CreateRoundRequest {
        round_id: id.to_owned(),
        display_name: Some(common::LocalizedText {
            zh: "批次".to_owned(),
            en: "Round".to_owned(),
        }),
        scheme: scheme.to_owned(),
        ..Default::default()
    };
    suite.rounds("rating").create_round(request).await.map(|_| ())
}

#[tokio::test]
async fn a_scheme_with_faults_is_answered_with_all_of_them_and_refused_when_it_is_stored() {
    let suite = Suite::start(noon("2026-07-01")).await;
    let check = async |source: String| {
        let request = pb::ValidateSchemeRequest { source };
        let answer = suite.schemes("rating").validate_scheme(request).await.unwrap();
        answer.into_inner()
    };
    assert!(check(FILE.into()).await.valid);
    let unreachable = FILE.replacen("2021.1-proposal", "2026.1", 1).replacen(
        "min_each: { B: 8, C: 5 }",
        "min_each: { B: 20, C: 5 }",
        1,
    );
    let answer = check(unreachable.clone()).await;
    assert!(!answer.valid && answer.scheme.is_some());
    let fault = &answer.faults[0];
    assert_eq!(
        (fault.place.as_str(), fault.reason.as_str()),
        ("stars[0]", "SCHEME_STAR_UNREACHABLE")
    );
    let said = fault.text.as_ref().unwrap();
    assert!(
        said.zh.contains("最多只能得 14 分") && said.en.contains("14 at most"),
        "{said:?}"
    );
    let refusal = store(&suite, "rating", unreachable).await;
    assert_eq!(
        refused(refusal),
        (Code::InvalidArgument, "SCHEME_STAR_UNREACHABLE".into())
    );

    let bought = FILE.replacen("2021.1-proposal", "2026.1", 1).replacen(
        "min_total: 60, min_A: 45",
        "min_total: 60",
        1,
    );
    let refusal = store(&suite, "rating", bought).await.unwrap_err();
    assert_eq!(
        greenstar_rpc::reason_of(&refusal).unwrap(),
        "SCHEME_BONUS_BUYS_BACK"
    );
    assert!(
        refusal.message().contains("(total 60, without the bonus 20)"),
        "{}",
        refusal.message()
    );

    let several = FILE
        .replacen("code: B02", "code: B01", 1)
        .replacen("veto: [V05]", "veto: [V55]", 1)
        .replacen("max_total: 100", "max_total: 90", 1);
    let answer = check(several.clone()).await;
    let places: Vec<_> = answer.faults.iter().map(|fault| fault.place.as_str()).collect();
    assert_eq!(places, ["categories", "items[11]", "items[1].veto[0]"]);
    let refusal = store(&suite, "rating", several).await.unwrap_err();
    assert!(
        refusal.message().starts_with("3 faults."),
        "{}",
        refusal.message()
    );

    // Nothing of it was stored.
    let list = pb::ListSchemesRequest::default();
    let schemes = suite
        .schemes("rating")
        .list_schemes(list)
        .await
        .unwrap()
        .into_inner()
        .schemes;
    assert_eq!(schemes.len(), 1);
    suite.stop().await;
}

#[tokio::test]
async fn another_officer_brings_a_version_into_use_and_new_rounds_take_it_from_its_instant() {
    for suite in Suite::both(noon("2026-07-01")).await {
        let old = "schemes/daxing-green-credit/versions/2021.1-proposal";
        let new = store(&suite, "rating", FILE.replacen("2021.1-proposal", "2026.1", 1))
            .await
            .unwrap();
        assert_eq!((new.author.as_str(), new.activate_time), ("rating", None));
        // Nothing was activated so far: any version may be tried.
        begin(&suite, "tried", &new.name).await.unwrap();

        assert_eq!(
            refused(activate(&suite, "rating", &new.name, None).await).1,
            "SAME_OFFICER"
        );
        let at = |seconds: i64| Some(pbjson_types::Timestamp { seconds, nanos: 0 });
        let now = noon("2026-07-01").micros() / 1_000_000;
        let early = activate(&suite, "rating/2", &new.name, at(now - 60)).await;
        assert_eq!(
            refused(early),
            (Code::InvalidArgument, "ACTIVATION_TIME_INVALID".into())
        );
        activate(&suite, "rating/2", old, None).await.unwrap();
        let scheduled = activate(&suite, "rating/2", &new.name, at(now + 3600))
            .await
            .unwrap();
        assert_eq!(scheduled.activate_time, at(now + 3600));
        let again = activate(&suite, "rating/2", &new.name, None).await;
        assert_eq!(refused(again), (Code::FailedPrecondition, "SCHEME_ACTIVE".into()));

        // Until its instant the version before is in use, from then on the new one.
        let wrong = begin(&suite, "early", &new.name).await;
        assert_eq!(
            refused(wrong),
            (Code::FailedPrecondition, "SCHEME_NOT_IN_FORCE".into())
        );
        begin(&suite, "before", old).await.unwrap();
        suite.clock.advance(Duration::from_secs(3600));
        assert_eq!(refused(begin(&suite, "late", old).await).1, "SCHEME_NOT_IN_FORCE");
        begin(&suite, "after", &new.name).await.unwrap();
        let suite = suite.restarted().await;
        assert_eq!(
            refused(begin(&suite, "later", old).await).1,
            "SCHEME_NOT_IN_FORCE"
        );
        // Another scheme stands beside it.
        let jiangsu = store(&suite, "rating", greenstar_rating::OTHER_SCHEMES[0].into())
            .await
            .unwrap();
        begin(&suite, "colours", &jiangsu.name).await.unwrap();
        suite.stop().await;
    }
}

#[tokio::test]
async fn a_dry_run_names_who_moves_from_star_to_star_and_changes_nothing() {
    let suite = Suite::sample(date("2026-03-02")).await;
    let dry = async |source: String| {
        let request = pb::DryRunSchemeRequest {
            source,
            sample_size: 3,
            ..pb::DryRunSchemeRequest::default()
        };
        let mut answers = suite
            .schemes("rating")
            .dry_run_scheme(request)
            .await?
            .into_inner();
        let mut result = None;
        while let Some(answer) = answers.message().await? {
            if let Some(Event::Result(found)) = answer.event {
                result = Some(found);
            }
        }
        Ok::<_, tonic::Status>(result.unwrap())
    };
    let same = dry(FILE.replacen("2021.1-proposal", "2026.1", 1)).await.unwrap();
    assert_eq!((same.compared, same.moved, same.not_scored), (76, 0, 0));
    let stays: Vec<_> = same
        .moves
        .iter()
        .map(|one| (one.star_before, one.count))
        .collect();
    assert_eq!(stays[..3], [(Some(5), 8), (Some(4), 60), (Some(3), 5)]);

    // A stricter total for five stars, and a kind of event that is no more.
    let stricter = FILE.replacen("2021.1-proposal", "2026.2", 1).replacen(
        "star: 5, zh: 五星级, min_total: 90",
        "star: 5, zh: 五星级, min_total: 99",
        1,
    );
    let found = dry(stricter).await.unwrap();
    let of_five = |one: &&pb::SchemeMove| one.star_before == Some(5);
    let moves: Vec<_> = found
        .moves
        .iter()
        .filter(of_five)
        .map(|one| (one.star_after, one.count))
        .collect();
    assert_eq!(moves, [(Some(5), 1), (Some(4), 7)]);
    // And one that an emergency drops by a star drops from four instead of five.
    assert_eq!((found.moved, found.sample.len()), (8, 3));
    let one = &found.sample[0];
    assert!(!one.display_name.as_ref().unwrap().zh.is_empty());
    assert!(one.star_before > one.star_after);
    assert_eq!(one.points_before, one.points_after);
    let fewer = FILE.replacen("event: disclosure_late", "event: disclosure_tardy", 1);
    let fewer = fewer.replacen("disclosure_late]", "disclosure_tardy]", 1);
    let fewer = dry(fewer.replacen("2021.1-proposal", "2026.3", 1)).await.unwrap();
    assert_eq!(fewer.not_scored as usize, fewer.not_scored_reasons.len());

    let wrong = dry(FILE.replacen("max_total: 100", "max_total: 90", 1)).await;
    assert_eq!(refused(wrong).1, "SCHEME_INVALID");
    // An officer of another department has no business here.
    let request = pb::DryRunSchemeRequest::default();
    let denied = suite.schemes("licensing").dry_run_scheme(request).await;
    assert_eq!(refused(denied.map(|_| ())).1, "DEPARTMENT_NOT_ALLOWED");
    suite.stop().await;
}
