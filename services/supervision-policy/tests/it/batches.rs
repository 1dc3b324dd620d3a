//! Several questions at once: each item has its own result, all are of one view, and their records share one write.

use std::collections::BTreeSet;

use greenstar_proto::common::v1 as common;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::enforcement_service_client::EnforcementServiceClient;
use greenstar_proto::supervision::v1::finance_service_client::FinanceServiceClient;
use greenstar_proto::supervision::v1::licensing_service_client::LicensingServiceClient;
use greenstar_proto::supervision::v1::{
    batch_check_green_finance_result as finance, batch_check_permits_result as permits,
    batch_get_inspection_regimes_result as regimes,
};
use greenstar_testkit::Scratch;
use tonic::{Code, Status};

use crate::server::{Ask, FIRM, OTHER, Server, Sources, client, refusal, refused};

fn ask(uscc: &str, kind: &str, consistency: Ask) -> pb::CheckPermitRequest {
    pb::CheckPermitRequest {
        enterprise: format!("enterprises/{uscc}"),
        permit_kind: kind.to_owned(),
        consistency: consistency.0,
        ..Default::default()
    }
}

async fn permits(
    server: &Server,
    caller: &str,
    requests: Vec<pb::CheckPermitRequest>,
) -> Result<Vec<Result<pb::CheckPermitResponse, common::ItemError>>, Status> {
    let mut client = LicensingServiceClient::new(client(server.address, caller));
    let request = pb::BatchCheckPermitsRequest { requests };
    let answer = client.batch_check_permits(request).await?.into_inner();
    let results = answer.results.into_iter();
    let results = results.map(|result| match result.result.unwrap() {
        permits::Result::Answer(answer) => Ok(answer),
        permits::Result::Error(error) => Err(error),
    });
    Ok(results.collect())
}

#[tokio::test]
async fn a_batch_of_permits_answers_in_its_order_and_a_bad_item_spoils_itself_only() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    let flag = sources.confirmed(OTHER, "serious-penalty", "", 36);
    let token = sources.sanctions.flag(flag).await;
    let fresh = || Ask::token(&token);
    let requests = vec![
        ask(FIRM, "eia-approval", fresh()),
        ask("911", "eia-approval", fresh()),
        ask(OTHER, "eia-approval", fresh()),
        ask(FIRM, "fishing-permit", fresh()),
        ask(FIRM, "", fresh()),
        ask(FIRM, "eia-approval", Ask::token("nonsense")),
        ask(FIRM, "pollutant-permit", Ask::LATEST),
    ];
    let results = permits(&server, "licensing", requests).await.unwrap();
    let told: Vec<Result<&str, (&str, &str)>> = results
        .iter()
        .map(|result| match result {
            Ok(answer) => Ok(answer.outcome.as_str()),
            Err(error) => Err((error.code.as_str(), error.reason.as_str())),
        })
        .collect();
    assert_eq!(
        told,
        [
            Ok("FAST_TRACK"),
            Err(("INVALID_ARGUMENT", "USCC_MALFORMED")),
            Ok("STRICT_REVIEW"),
            Err(("NOT_FOUND", "PERMIT_KIND_UNKNOWN")),
            Err(("INVALID_ARGUMENT", "FIELD_INVALID")),
            Err(("INVALID_ARGUMENT", "TOKEN_MALFORMED")),
            Ok("FAST_TRACK"),
        ]
    );
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(!error.message_zh.is_empty() && !error.message_en.is_empty());
    }
    // Restricted is an answer, and each answer is a decision of its own, of the same view.
    let answers: Vec<&pb::CheckPermitResponse> =
        results.iter().filter_map(|result| result.as_ref().ok()).collect();
    let one = |values: BTreeSet<String>| values.len() == 1;
    assert!(one(answers.iter().map(|answer| answer.token.clone()).collect()));
    assert!(one(answers
        .iter()
        .map(|answer| format!("{:?}", answer.as_of))
        .collect()));
    let names: BTreeSet<&str> = answers.iter().map(|answer| answer.decision.as_str()).collect();
    assert_eq!(names.len(), 3);
    for answer in &answers {
        let recorded = server.recorded("licensing", &answer.decision).await.unwrap();
        assert_eq!(
            (
                &recorded.outcome,
                &recorded.measures,
                &recorded.reasons,
                &recorded.flags
            ),
            (&answer.outcome, &answer.measures, &answer.reasons, &answer.flags)
        );
    }
    let [first, .., last] = &answers[..] else {
        panic!("three answers")
    };
    let enterprise = async |answer: &pb::CheckPermitResponse| {
        let recorded = server.recorded("licensing", &answer.decision).await.unwrap();
        (recorded.enterprise, recorded.matter)
    };
    assert_eq!(
        enterprise(first).await.1,
        "departments/licensing/matters/eia-approval"
    );
    assert_eq!(
        enterprise(last).await.1,
        "departments/licensing/matters/pollutant-permit"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_batch_has_one_to_a_thousand_items_and_stands_as_a_whole_on_the_disk() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    let batch = |count: usize| {
        let requests = std::iter::repeat_with(|| ask(FIRM, "eia-approval", Ask::LATEST)).take(count);
        permits(&server, "licensing", requests.collect())
    };
    for size in [0, 1_001] {
        assert_eq!(
            refusal(batch(size).await),
            refused(Code::InvalidArgument, "FIELD_INVALID")
        );
    }
    let full = batch(1_000).await.unwrap();
    let names: BTreeSet<String> = full.into_iter().map(|answer| answer.unwrap().decision).collect();
    assert_eq!(names.len(), 1_000);
    server.stop().await;
    // What was answered is there in the next life.
    let server = Server::start(&sources, &scratch).await;
    for name in names.iter().step_by(97) {
        assert_eq!(
            server.recorded("licensing", name).await.unwrap().outcome,
            "FAST_TRACK"
        );
    }
    let others = permits(&server, "finance", vec![ask(FIRM, "eia-approval", Ask::LATEST)]).await;
    assert_eq!(
        refusal(others),
        refused(Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED")
    );
    server.stop().await;
}

#[tokio::test]
async fn banks_and_inspectors_ask_in_batches_what_they_ask_alone() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let token = sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    let firms = [FIRM, OTHER, "911"].map(|uscc| format!("enterprises/{uscc}"));

    let single = server.finance(FIRM, Ask::token(&token)).await;
    let requests = firms.iter().map(|enterprise| pb::CheckGreenFinanceRequest {
        enterprise: enterprise.clone(),
        ..Default::default()
    });
    let request = pb::BatchCheckGreenFinanceRequest {
        requests: requests.collect(),
    };
    let mut bank = FinanceServiceClient::new(client(server.address, "finance"));
    let answer = bank
        .batch_check_green_finance(request)
        .await
        .unwrap()
        .into_inner();
    let results: Vec<_> = answer
        .results
        .into_iter()
        .map(|result| result.result.unwrap())
        .collect();
    let [
        finance::Result::Answer(firm),
        finance::Result::Answer(other),
        finance::Result::Error(bad),
    ] = &results[..]
    else {
        panic!("{results:?}")
    };
    assert_eq!(
        (&firm.outcome, &firm.measures),
        (&single.outcome, &single.measures)
    );
    assert_eq!((other.outcome.as_str(), other.known), ("STANDARD", false));
    assert_eq!(bad.reason, "USCC_MALFORMED");

    let single = server.inspection(FIRM, Ask::token(&token)).await;
    let requests = firms.iter().map(|enterprise| pb::GetInspectionRegimeRequest {
        enterprise: enterprise.clone(),
        ..Default::default()
    });
    let request = pb::BatchGetInspectionRegimesRequest {
        requests: requests.collect(),
    };
    let mut team = EnforcementServiceClient::new(client(server.address, "enforcement"));
    let answer = team
        .batch_get_inspection_regimes(request)
        .await
        .unwrap()
        .into_inner();
    let results: Vec<_> = answer
        .results
        .into_iter()
        .map(|result| result.result.unwrap())
        .collect();
    let [
        regimes::Result::Answer(firm),
        regimes::Result::Answer(other),
        regimes::Result::Error(bad),
    ] = &results[..]
    else {
        panic!("{results:?}")
    };
    assert_eq!((&firm.outcome, &firm.regime), (&single.outcome, &single.regime));
    assert_eq!(other.outcome, "STANDARD");
    assert_eq!(bad.reason, "USCC_MALFORMED");
    server.stop().await;
}

#[tokio::test]
async fn by_what_right_a_bank_asks_is_recorded_and_a_consent_that_ended_is_none() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    let consent = |until: &str, hash: &str| pb::Authority {
        kind: Some(pb::authority::Kind::Consent(pb::Consent {
            document_number: "授权〔2026〕7号".to_owned(),
            document_hash: hash.to_owned(),
            valid_until: until.to_owned(),
        })),
    };
    let law = pb::Authority {
        kind: Some(pb::authority::Kind::Statutory(pb::StatutoryBasis {
            citation: "《商业银行法》第三十五条".to_owned(),
        })),
    };
    let bank = FinanceServiceClient::new(client(server.address, "finance"));
    let check = async |authority: pb::Authority| {
        let request = pb::CheckGreenFinanceRequest {
            enterprise: format!("enterprises/{FIRM}"),
            authority: Some(authority),
            ..Default::default()
        };
        let answer = bank.clone().check_green_finance(request).await;
        answer.map(tonic::Response::into_inner)
    };
    // The sources' day is 2026-05-10.
    for good in [
        consent("2026-05-10", &"0f".repeat(32)),
        consent("2027-01-01", ""),
        law,
    ] {
        let answer = check(good.clone()).await.unwrap();
        let recorded = server.recorded("finance", &answer.decision).await.unwrap();
        assert_eq!(recorded.authority, Some(good));
    }
    for bad in [
        consent("2026-05-09", ""),
        consent("2026-02-30", ""),
        consent("2027-01-01", "not a hash"),
    ] {
        assert_eq!(
            refusal(check(bad.clone()).await),
            refused(Code::InvalidArgument, "AUTHORITY_INVALID"),
            "{bad:?}"
        );
    }
    let nothing = pb::Authority { kind: None };
    assert_eq!(refusal(check(nothing).await).0, Code::InvalidArgument);
    server.stop().await;
}
