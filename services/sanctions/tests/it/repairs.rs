//! Repairs: from the options a firm is shown to the certificate that anybody can check.

use greenstar_proto::sanctions::v1::apply_repair_request::Subject;
use greenstar_proto::sanctions::v1::repair_service_client::RepairServiceClient;
use greenstar_proto::sanctions::v1::{
    ApplyRepairRequest, EvidenceDocument, Flag, FlagState, GetFlagRequest, GetRepairCertificateRequest,
    GetRepairRequest, ListRepairOptionsRequest, ListRepairsRequest, RaiseFlagRequest, Repair, RepairState,
    RepairVerdict, ReviewRepairRequest, WithdrawRepairRequest,
};
use greenstar_rpc::{channel, said_of};
use greenstar_testkit::Scratch;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::server::{FIRM, OTHER_FIRM, Server, engines, noon, penalty, position, refused};

fn firm() -> String {
    format!("enterprises/{FIRM}")
}

fn application(flag: &str) -> ApplyRepairRequest {
    ApplyRepairRequest {
        parent: firm(),
        commitment: "we have corrected it and stay correct".to_owned(),
        subject: Some(Subject::Flag(flag.to_owned())),
        evidence: vec![EvidenceDocument {
            title: "receipt of the fine".to_owned(),
            sha256: "AB".repeat(32),
            reference: "file 7".to_owned(),
        }],
        ..Default::default()
    }
}

fn review(name: &str, verdict: RepairVerdict) -> ReviewRepairRequest {
    ReviewRepairRequest {
        name: name.to_owned(),
        verdict: verdict.into(),
        corrected: true,
        committed: true,
        others_hold: true,
        opinion: "checked on site".to_owned(),
        ..Default::default()
    }
}

fn exceedance(number: &str) -> RaiseFlagRequest {
    RaiseFlagRequest {
        kind: "online-exceedance".to_owned(),
        ..penalty(number)
    }
}

impl Server {
    async fn apply(&self, caller: &str, request: ApplyRepairRequest) -> Result<(Repair, String), Status> {
        let answer = self.repairs(caller).apply_repair(request).await?.into_inner();
        Ok((answer.repair.unwrap(), answer.token))
    }

    async fn review(&self, caller: &str, request: ReviewRepairRequest) -> Result<(Repair, String), Status> {
        let answer = self.repairs(caller).review_repair(request).await?.into_inner();
        Ok((answer.repair.unwrap(), answer.token))
    }

    pub(crate) async fn flag(&self, caller: &str, name: &str) -> Flag {
        let request = GetFlagRequest {
            name: name.to_owned(),
        };
        let answer = self.flags(caller).get_flag(request).await.unwrap();
        answer.into_inner().flag.unwrap()
    }
}

fn metadata(status: &Status, key: &str) -> String {
    status.get_details_error_info().unwrap().metadata[key].clone()
}

#[tokio::test]
async fn a_firm_repairs_a_serious_penalty_once_its_year_has_passed() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let flag = server.flagged(penalty("1")).await;

        let options = ListRepairOptionsRequest { parent: firm() };
        let answer = server.repairs(&firm()).list_repair_options(options.clone()).await;
        let option = answer.unwrap().into_inner().options.remove(0);
        assert!(option.repairable && option.repair.is_empty());
        assert_eq!(option.flags[0].name, flag.name);
        assert_eq!(option.department, "enforcement");
        // 00:00 in Shanghai of 2027-04-02.
        assert_eq!(option.earliest_time.unwrap().seconds, 1_806_595_200);
        assert_eq!(option.conditions.len(), 4);

        let before = server.head().await;
        let early = server.apply(&firm(), application(&flag.name)).await;
        let early = refused(early, Code::FailedPrecondition, "REPAIR_TOO_EARLY");
        assert_eq!(metadata(&early, "earliest"), "2027-04-02");
        assert!(said_of(&early).zh.contains("2027-04-02"));
        assert_eq!(server.head().await, before);

        server.clock.set(noon("2027-04-02"));
        let request = ApplyRepairRequest {
            request_id: "one".to_owned(),
            ..application(&flag.name)
        };
        let (repair, token) = server.apply(&firm(), request.clone()).await.unwrap();
        assert_eq!(repair.state(), RepairState::Applied);
        assert_eq!(repair.flags, [flag.name.as_str()]);
        assert_eq!(repair.evidence[0].sha256, "ab".repeat(32));
        let (again, same) = server.apply(&firm(), request.clone()).await.unwrap();
        assert_eq!((again.name.as_str(), &same), (repair.name.as_str(), &token));
        let other_body = ApplyRepairRequest {
            commitment: "another".to_owned(),
            ..request
        };
        refused(
            server.apply(&firm(), other_body).await,
            Code::AlreadyExists,
            "REQUEST_ID_REUSED",
        );
        let twice = server.apply("enforcement", application(&flag.name)).await;
        let twice = refused(twice, Code::AlreadyExists, "REPAIR_EXISTS");
        assert_eq!(metadata(&twice, "repair"), repair.name);
        let answer = server.repairs(&firm()).list_repair_options(options).await;
        assert_eq!(answer.unwrap().into_inner().options[0].repair, repair.name);

        let before = server.head().await;
        let grant = review(&repair.name, RepairVerdict::Grant);
        refused(
            server.review("licensing", grant.clone()).await,
            Code::PermissionDenied,
            "NOT_THE_RECOGNISING_BODY",
        );
        refused(
            server.review("enforcement/2", grant.clone()).await,
            Code::PermissionDenied,
            "SAME_OFFICER",
        );
        refused(
            server.review(&firm(), grant.clone()).await,
            Code::PermissionDenied,
            "DEPARTMENT_NOT_ALLOWED",
        );
        let unconfirmed = ReviewRepairRequest {
            corrected: false,
            ..grant.clone()
        };
        let unconfirmed = server.review("enforcement/3", unconfirmed).await;
        let unconfirmed = refused(unconfirmed, Code::FailedPrecondition, "REPAIR_CONDITION");
        assert_eq!(metadata(&unconfirmed, "condition"), "CORRECTED");
        assert_eq!(server.head().await, before);
        assert_eq!(
            server.flag("finance", &flag.name).await.state(),
            FlagState::InForce
        );

        let (granted, token) = server.review("enforcement/3", grant.clone()).await.unwrap();
        assert_eq!(granted.state(), RepairState::Granted);
        assert_eq!(granted.reviewer, "enforcement/3");
        assert!(granted.conditions.iter().all(|condition| condition.holds));
        // The flag and the repair itself, in one command.
        assert_eq!(position(&token).revision.0, before.revision.0 + 2);
        let ended = server.flag("finance", &flag.name).await;
        assert_eq!(ended.state(), FlagState::Repaired);
        assert_eq!(ended.repair, granted.name);
        refused(
            server.review("enforcement/3", grant).await,
            Code::FailedPrecondition,
            "REPAIR_STATE",
        );
        refused(
            server.apply(&firm(), application(&flag.name)).await,
            Code::AlreadyExists,
            "REPAIR_EXISTS",
        );

        refused(
            server.raise("enforcement", penalty("1")).await,
            Code::AlreadyExists,
            "FLAG_EXISTS",
        );

        // Anybody who has its number.
        let mut anybody = RepairServiceClient::new(channel(&format!("http://{}", server.addr)).unwrap());
        let asked = |number: &str| GetRepairCertificateRequest {
            name: format!("repairCertificates/{number}"),
        };
        let answer = anybody.get_repair_certificate(asked(&granted.certificate)).await;
        let certificate = answer.unwrap().into_inner().certificate.unwrap();
        assert_eq!(certificate.flags, [flag.name.as_str()]);
        assert_eq!(certificate.enterprise, firm());
        assert_eq!(position(&certificate.token), position(&token));
        assert!(!certificate.text.unwrap().zh.is_empty());
        for number in ["nobody", "91110115", &flag.name.replace('/', "")] {
            refused(
                anybody.get_repair_certificate(asked(number)).await,
                Code::NotFound,
                "REPAIR_UNKNOWN",
            );
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_repair_is_between_the_firm_and_its_body() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let flag = server.flagged(exceedance("1")).await;
    let (repair, _) = server.apply(&firm(), application(&flag.name)).await.unwrap();
    let refuse = review(&repair.name, RepairVerdict::Refuse);
    server.review("enforcement/3", refuse).await.unwrap();

    let get = async |caller: &str| {
        let request = GetRepairRequest {
            name: repair.name.clone(),
        };
        let answer = server.repairs(caller).get_repair(request).await?;
        Ok::<Repair, Status>(answer.into_inner().repair.unwrap())
    };
    let (seen, own) = (get(&firm()).await.unwrap(), get("enforcement").await.unwrap());
    assert_eq!(
        (seen.reviewer.as_str(), own.reviewer.as_str()),
        ("", "enforcement/3")
    );
    assert_eq!(seen.opinion, "checked on site");
    refused(get("licensing").await, Code::NotFound, "REPAIR_UNKNOWN");
    let other = format!("enterprises/{OTHER_FIRM}");
    refused(get(&other).await, Code::PermissionDenied, "NOT_YOUR_ENTERPRISE");
    refused(
        server.apply(&other, application(&flag.name)).await,
        Code::PermissionDenied,
        "NOT_YOUR_ENTERPRISE",
    );
    let others_flag = ApplyRepairRequest {
        parent: other.clone(),
        ..application(&flag.name)
    };
    refused(
        server.apply(&other, others_flag).await,
        Code::InvalidArgument,
        "FIELD_INVALID",
    );
    // After a refusal one can apply again, and take it back.
    let (again, _) = server.apply(&firm(), application(&flag.name)).await.unwrap();
    for (caller, code, reason) in [
        ("licensing", Code::PermissionDenied, "NOT_THE_RECOGNISING_BODY"),
        ("enforcement/2", Code::AlreadyExists, "REPAIR_EXISTS"),
    ] {
        let status = refused(server.apply(caller, application(&flag.name)).await, code, reason);
        let told = format!("{status:?}").contains(&again.name);
        assert_eq!(told, caller == "enforcement/2", "{status:?}");
    }
    let withdraw = |caller: &str| {
        let request = WithdrawRepairRequest {
            name: again.name.clone(),
            ..Default::default()
        };
        let mut client = server.repairs(caller);
        async move { client.withdraw_repair(request).await }
    };
    refused(withdraw("licensing").await, Code::NotFound, "REPAIR_UNKNOWN");
    let withdrawn = withdraw(&firm()).await.unwrap().into_inner().repair.unwrap();
    assert_eq!(withdrawn.state(), RepairState::Withdrawn);
    refused(withdraw(&firm()).await, Code::FailedPrecondition, "REPAIR_STATE");
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_repaired_is_refused_and_nothing_changes() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let never = RaiseFlagRequest {
        kind: "special-action".to_owned(),
        ..penalty("1")
    };
    let never = server.flagged(never).await;
    let lifted = server.flagged(exceedance("2")).await;
    server.lift("enforcement", &lifted.name).await.unwrap();
    let (proposal, _) = server.raise("enforcement", exceedance("3")).await.unwrap();
    let before = server.head().await;

    let by_flag = async |caller: &str, name: &str| server.apply(caller, application(name)).await;
    let refusal = by_flag(&firm(), &never.name).await;
    refused(refusal, Code::FailedPrecondition, "NOT_REPAIRABLE");
    let ended = refused(
        by_flag(&firm(), &lifted.name).await,
        Code::FailedPrecondition,
        "NOTHING_IN_FORCE",
    );
    assert_eq!(metadata(&ended, "state"), "LIFTED");
    refused(
        by_flag(&firm(), &proposal.name).await,
        Code::NotFound,
        "FLAG_UNKNOWN",
    );
    refused(
        by_flag("enforcement", &proposal.name).await,
        Code::FailedPrecondition,
        "NOTHING_IN_FORCE",
    );
    let nowhere = format!("{}/flags/nowhere", firm());
    refused(by_flag(&firm(), &nowhere).await, Code::NotFound, "FLAG_UNKNOWN");
    let by_document = ApplyRepairRequest {
        subject: Some(Subject::Document(penalty("99").document.unwrap())),
        ..application("")
    };
    refused(
        server.apply(&firm(), by_document).await,
        Code::FailedPrecondition,
        "NOTHING_IN_FORCE",
    );
    let nothing = ApplyRepairRequest {
        subject: None,
        ..application("")
    };
    refused(
        server.apply(&firm(), nothing).await,
        Code::InvalidArgument,
        "FIELD_INVALID",
    );
    let blank = ApplyRepairRequest {
        commitment: "  ".to_owned(),
        ..application(&never.name)
    };
    refused(
        server.apply(&firm(), blank).await,
        Code::InvalidArgument,
        "FIELD_INVALID",
    );
    let unknown = review(&format!("{}/repairs/none", firm()), RepairVerdict::Grant);
    refused(
        server.review("enforcement/3", unknown).await,
        Code::NotFound,
        "REPAIR_UNKNOWN",
    );
    assert_eq!(server.head().await, before);
    server.stop().await;
}

#[tokio::test]
async fn late_reviews_are_listed_by_the_clock_and_pages_miss_none() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        for number in ["1", "2", "3"] {
            let flag = server.flagged(exceedance(number)).await;
            server.apply(&firm(), application(&flag.name)).await.unwrap();
        }
        let list = async |caller: &str, parent: &str, overdue: bool| {
            let mut names = Vec::new();
            let mut page_token = String::new();
            loop {
                let request = ListRepairsRequest {
                    parent: parent.to_owned(),
                    overdue,
                    page_size: 2,
                    page_token,
                    ..Default::default()
                };
                let page = server.repairs(caller).list_repairs(request).await?.into_inner();
                names.extend(page.repairs.into_iter().map(|repair| repair.name));
                if page.next_page_token.is_empty() {
                    return Ok::<Vec<String>, Status>(names);
                }
                page_token = page.next_page_token;
            }
        };
        let all = list("enforcement", "enterprises/-", false).await.unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(list(&firm(), &firm(), false).await.unwrap(), all);
        assert!(list("licensing", &firm(), false).await.unwrap().is_empty());
        refused(
            list(&firm(), "enterprises/-", false).await,
            Code::PermissionDenied,
            "NOT_YOUR_ENTERPRISE",
        );
        assert!(
            list("enforcement", "enterprises/-", true)
                .await
                .unwrap()
                .is_empty()
        );
        // Ten working days after Sunday, 2026-05-10.
        server.clock.set(noon("2026-05-22"));
        assert!(
            list("enforcement", "enterprises/-", true)
                .await
                .unwrap()
                .is_empty()
        );
        server.clock.set(noon("2026-05-23"));
        assert_eq!(list("enforcement", "enterprises/-", true).await.unwrap(), all);
        let refuse = review(&all[0], RepairVerdict::Refuse);
        server.review("enforcement", refuse).await.unwrap();
        assert_eq!(
            list("enforcement", "enterprises/-", true).await.unwrap(),
            all[1..]
        );
        server.stop().await;
    }
}
