//! The register: create, get, list, update; who may; repeats.

use std::sync::Arc;

use greenstar_proto::common::v1 as common;
use greenstar_proto::common::v1::{Consistency, RatingState, UsccVerdict};
use greenstar_proto::rating::v1 as pb;
use tonic::Code;

use crate::facts::noon;
use crate::service::{Suite, refused};

pub(crate) const FIRST: &str = "91110115MAX000015J";
pub(crate) const SECOND: &str = "91110115MAX000023D";
pub(crate) const THIRD: &str = "91110115MAX0000318";
const FOURTH: &str = "91110115MAX00004X0";

pub(crate) fn text(zh: &str, en: &str) -> Option<common::LocalizedText> {
    Some(common::LocalizedText {
        zh: zh.into(),
        en: en.into(),
    })
}

pub(crate) fn firm(uscc: &str, zh: &str, en: &str) -> pb::Enterprise {
    pb::Enterprise {
        name: format!("enterprises/{uscc}"),
        display_name: text(zh, en),
        district: "110115".into(),
        sector: "C2319".into(),
        polluter_class: pb::PolluterClass::Key.into(),
        sites: vec![pb::Site {
            code: "001".into(),
            display_name: text("一厂", "Plant 1"),
            permit: format!("{}001P", uscc.to_uppercase()),
            address: "北京市大兴区星禾路1号".into(),
        }],
        ..pb::Enterprise::default()
    }
}

pub(crate) async fn create(suite: &Suite, enterprise: pb::Enterprise) -> pb::Enterprise {
    let request = pb::CreateEnterpriseRequest {
        enterprise: Some(enterprise),
        request_id: String::new(),
    };
    let mut client = suite.enterprises("rating");
    client
        .create_enterprise(request)
        .await
        .unwrap()
        .into_inner()
        .enterprise
        .unwrap()
}

#[tokio::test]
async fn a_code_that_nobody_registered_is_not_rated_and_no_error() {
    for suite in Suite::both(noon("2026-07-01")).await {
        let rating = suite.rating_of("licensing", "91350100M0001TGQXM").await;
        assert_eq!(
            (rating.state(), rating.known, rating.star),
            (RatingState::NotRated, false, None)
        );
        assert_eq!(rating.uscc_verdict(), UsccVerdict::CheckFailedOrgOk);
        let request = pb::GetEnterpriseRequest {
            name: format!("enterprises/{FIRST}"),
        };
        let answer = suite.enterprises("licensing").get_enterprise(request).await;
        assert_eq!(refused(answer), (Code::NotFound, "ENTERPRISE_UNKNOWN".into()));
        suite.stop().await;
    }
}

#[tokio::test]
async fn a_registered_firm_without_a_round_is_not_rated_but_known() {
    let suite = Suite::start(noon("2026-07-01")).await;
    let made = create(&suite, firm(FIRST, "北京纸飞机印刷有限公司", "Paper Plane")).await;
    assert_eq!(made.uscc_verdict(), UsccVerdict::Valid);
    // Lower case and full width are the same code.
    for written in ["91110115max000015j", "９１１１０１１５ＭＡＸ００００１５Ｊ"] {
        let rating = suite.rating_of("licensing", written).await;
        assert_eq!((rating.state(), rating.known), (RatingState::NotRated, true));
        assert_eq!(rating.name, format!("enterprises/{FIRST}/rating"));
    }
    let bad = pb::GetRatingRequest {
        name: "enterprises/91310115MA1G4L1WXK/rating".into(),
        ..Default::default()
    };
    let answer = suite.ratings("licensing").get_rating(bad).await;
    assert_eq!(refused(answer), (Code::InvalidArgument, "USCC_MALFORMED".into()));
    let twice = pb::CreateEnterpriseRequest {
        enterprise: Some(firm(FIRST, "另一家", "Another")),
        request_id: String::new(),
    };
    let answer = suite.enterprises("rating").create_enterprise(twice).await;
    assert_eq!(refused(answer), (Code::AlreadyExists, "ENTERPRISE_EXISTS".into()));
    suite.stop().await;
}

#[tokio::test]
async fn an_update_needs_the_current_etag_and_changes_what_the_mask_names() {
    for suite in Suite::both(noon("2026-07-01")).await {
        let made = create(&suite, firm(FIRST, "甲", "A")).await;
        let update = |etag: &str, mask: &str, request_id: &str| pb::UpdateEnterpriseRequest {
            enterprise: Some(pb::Enterprise {
                name: made.name.clone(),
                sector: "C3360".into(),
                etag: etag.into(),
                ..pb::Enterprise::default()
            }),
            update_mask: mask.into(),
            request_id: request_id.into(),
        };
        let mut client = suite.enterprises("rating");
        let changed = client
            .update_enterprise(update(&made.etag, "sector", "u-1"))
            .await
            .unwrap()
            .into_inner();
        let changed = changed.enterprise.unwrap();
        assert_eq!(
            (changed.sector.as_str(), changed.display_name.clone()),
            ("C3360", text("甲", "A"))
        );
        assert_ne!(changed.etag, made.etag);
        let stale = client.update_enterprise(update(&made.etag, "sector", "")).await;
        assert_eq!(refused(stale), (Code::Aborted, "ETAG_MISMATCH".into()));
        let without = client.update_enterprise(update("", "sector", "")).await;
        let said = greenstar_rpc::said_of(without.as_ref().unwrap_err());
        assert!(
            said.en.contains("takes the etag") && said.zh.contains("须带上"),
            "{said:?}"
        );
        assert_eq!(refused(without), (Code::Aborted, "ETAG_MISMATCH".into()));
        // A repeat gets the first answer; the same id with another body is refused.
        let repeat = client
            .update_enterprise(update(&made.etag, "sector", "u-1"))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(repeat.enterprise.unwrap(), changed);
        let reused = client
            .update_enterprise(update(&changed.etag, "sector", "u-1"))
            .await;
        assert_eq!(refused(reused), (Code::AlreadyExists, "REQUEST_ID_REUSED".into()));
        let nonsense = client
            .update_enterprise(update(&changed.etag, "colour", ""))
            .await;
        assert_eq!(refused(nonsense), (Code::InvalidArgument, "FIELD_INVALID".into()));
        suite.stop().await;
    }
}

#[tokio::test]
async fn a_list_is_filtered_and_paged_by_code() {
    for suite in Suite::both(noon("2026-07-01")).await {
        create(
            &suite,
            firm(FIRST, "北京纸飞机印刷有限公司", "Paper Plane 100% Printing"),
        )
        .await;
        create(
            &suite,
            pb::Enterprise {
                sector: "C3360".into(),
                ..firm(SECOND, "北京蒲公英电镀", "Dandelion")
            },
        )
        .await;
        create(
            &suite,
            pb::Enterprise {
                district: "110106".into(),
                ..firm(THIRD, "小橘灯印刷", "Lantern")
            },
        )
        .await;
        let list = async |filter: &str, size: i32, token: &str| {
            let request = pb::ListEnterprisesRequest {
                page_size: size,
                page_token: token.into(),
                filter: filter.into(),
            };
            suite
                .enterprises("rating")
                .list_enterprises(request)
                .await
                .map(tonic::Response::into_inner)
        };
        let found = async |filter: &str| {
            let page = list(filter, 0, "").await.unwrap();
            page.enterprises
                .into_iter()
                .map(|firm| firm.name[12..].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(found("").await, [FIRST, SECOND, THIRD]);
        assert_eq!(found("sector = \"C23\"").await, [FIRST, THIRD]);
        assert_eq!(
            found("display_name = \"印刷\" AND district = \"110115\"").await,
            [FIRST]
        );
        assert_eq!(found("display_name = \"100%\"").await, [FIRST]);
        assert_eq!(found("display_name = \"dandeLION\"").await, [SECOND]);
        assert_eq!(found("display_name = \"_\"").await, Vec::<String>::new());
        assert_eq!(found("state = NOT_RATED AND polluter_class = KEY").await.len(), 3);
        assert_eq!(found("star = 5").await, Vec::<String>::new());
        let wrong = list("colour = \"red\"", 0, "").await;
        assert_eq!(refused(wrong), (Code::InvalidArgument, "FILTER_INVALID".into()));

        let page = list("", 2, "").await.unwrap();
        assert_eq!(page.enterprises.len(), 2);
        let rest = list("", 2, &page.next_page_token).await.unwrap();
        assert_eq!((rest.enterprises.len(), rest.next_page_token.as_str()), (1, ""));
        let foreign = list("star = 5", 2, &page.next_page_token).await;
        assert_eq!(
            refused(foreign),
            (Code::InvalidArgument, "PAGE_TOKEN_INVALID".into())
        );

        // Letters beyond ASCII have small ones too, and both engines know the same.
        create(&suite, firm(FOURTH, "ＡＢ印刷", "École Σωμασ")).await;
        for name in ["ａＢ", "ＡＢ", "éCOLE", "École", "σΩμ", "ΣΩΜΑΣ"] {
            assert_eq!(
                found(&format!("display_name = \"{name}\"")).await,
                [FOURTH],
                "{name}"
            );
        }
        suite.stop().await;
    }
}

#[tokio::test]
async fn a_firm_sees_only_itself_and_the_public_no_rating() {
    let suite = Suite::start(noon("2026-07-01")).await;
    create(&suite, firm(FIRST, "甲", "A")).await;
    let own = format!("enterprises/{FIRST}");
    assert!(suite.rating_of(&own, FIRST).await.known);
    let other = pb::GetRatingRequest {
        name: format!("enterprises/{SECOND}/rating"),
        ..Default::default()
    };
    let answer = suite.ratings(&own).get_rating(other.clone()).await;
    assert_eq!(
        refused(answer),
        (Code::PermissionDenied, "NOT_YOUR_ENTERPRISE".into())
    );
    let answer = suite.public().get_rating(other).await;
    assert_eq!(
        refused(answer),
        (Code::Unauthenticated, "CREDENTIAL_MISSING".into())
    );
    let request = pb::CreateEnterpriseRequest {
        enterprise: Some(firm(SECOND, "乙", "B")),
        request_id: String::new(),
    };
    let answer = suite.enterprises("licensing").create_enterprise(request).await;
    assert_eq!(
        refused(answer),
        (Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED".into())
    );
    suite.stop().await;
}

#[tokio::test]
async fn a_batch_answers_each_name_for_itself() {
    let suite = Suite::start(noon("2026-07-01")).await;
    create(&suite, firm(FIRST, "甲", "A")).await;
    let names = vec![
        format!("enterprises/{FIRST}/rating"),
        "enterprises/nonsense/rating".into(),
        format!("enterprises/{SECOND}/rating"),
    ];
    let request = pb::BatchGetRatingsRequest { names: names.clone() };
    let batch = suite.ratings("licensing").batch_get_ratings(request).await;
    let batch = batch.unwrap().into_inner();
    assert!(batch.results.iter().map(|result| &result.name).eq(&names));
    let known: Vec<Option<bool>> = batch
        .results
        .into_iter()
        .map(|result| match result.result.unwrap() {
            pb::batch_get_ratings_result::Result::Rating(rating) => Some(rating.known),
            pb::batch_get_ratings_result::Result::Error(error) => {
                assert_eq!(error.reason, "USCC_MALFORMED");
                None
            }
        })
        .collect();
    assert_eq!(known, [Some(true), None, Some(false)]);
    suite.stop().await;
}

#[tokio::test]
async fn a_token_is_honoured_or_refused_never_ignored() {
    let suite = Suite::start(noon("2026-07-01")).await;
    let request = pb::CreateEnterpriseRequest {
        enterprise: Some(firm(FIRST, "甲", "A")),
        request_id: String::new(),
    };
    let made = suite
        .enterprises("rating")
        .create_enterprise(request)
        .await
        .unwrap()
        .into_inner();
    let ask = async |token: String| {
        let consistency = Consistency {
            at_least_as_fresh: vec![token],
            ..Consistency::default()
        };
        let request = pb::GetRatingRequest {
            name: format!("enterprises/{FIRST}/rating"),
            consistency: Some(consistency),
            ..Default::default()
        };
        suite.ratings("licensing").get_rating(request).await
    };
    assert!(
        ask(made.token.clone())
            .await
            .unwrap()
            .into_inner()
            .rating
            .unwrap()
            .known
    );
    let token: greenstar_kernel::Token = made.token.parse().unwrap();
    let position = token.get(greenstar_kernel::Log::Rating).unwrap().clone();
    let of = |position| greenstar_kernel::Token::of(greenstar_kernel::Log::Rating, position).to_string();
    let ahead = greenstar_kernel::Position {
        revision: greenstar_kernel::Revision(position.revision.0 + 1000),
        ..position.clone()
    };
    let foreign = greenstar_kernel::Position {
        epoch: greenstar_kernel::Epoch::parse("another").unwrap(),
        ..position
    };
    assert_eq!(
        refused(ask(of(ahead)).await),
        (Code::InvalidArgument, "TOKEN_AHEAD".into())
    );
    assert_eq!(
        refused(ask(of(foreign)).await),
        (Code::FailedPrecondition, "TOKEN_FOREIGN".into())
    );
    assert_eq!(
        refused(ask("rubbish".into()).await),
        (Code::InvalidArgument, "TOKEN_MALFORMED".into())
    );
    suite.stop().await;
}

#[tokio::test]
async fn an_answer_is_never_of_an_earlier_instant_than_the_one_before() {
    let suite = Suite::start(noon("2026-07-01")).await;
    crate::rounds::published(&suite).await;
    let seconds = |day: &str| noon(day).micros() / 1_000_000;
    let told = async || {
        let name = format!("enterprises/{FIRST}/assessment");
        let request = pb::GetAssessmentRequest {
            name,
            ..Default::default()
        };
        let assessment = suite.ratings("rating").get_assessment(request).await.unwrap();
        let explained = assessment.into_inner().assessment.unwrap().rating.unwrap();
        let rating = suite.rating_of("rating", FIRST).await;
        [explained.as_of, rating.as_of].map(|at| at.unwrap().seconds)
    };
    suite.clock.set(noon("2026-07-03"));
    assert_eq!(told().await, [seconds("2026-07-03"); 2]);
    suite.clock.set(noon("2026-07-02"));
    assert_eq!(told().await, [seconds("2026-07-03"); 2]);
    suite.clock.set(noon("2026-07-04"));
    assert_eq!(told().await, [seconds("2026-07-04"); 2]);
    suite.stop().await;
}

#[tokio::test]
async fn what_another_department_asks_of_one_firm_is_logged_with_its_officer() {
    let log = tempfile::NamedTempFile::new().unwrap();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(Arc::new(log.reopen().unwrap()))
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let suite = Suite::start(noon("2026-07-01")).await;
    for who in ["rating", "enforcement/2", &format!("enterprises/{FIRST}")] {
        suite.rating_of(who, FIRST).await;
    }
    suite.stop().await;
    let log = std::fs::read_to_string(log.path()).unwrap();
    let told: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("told to another department"))
        .collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(
        told[0].contains("INFO") && told[0].contains("enforcement/2") && told[0].contains(FIRST),
        "{told:?}"
    );
}
