//! The smallest change that helps, through the door.

use std::time::Duration;

use greenstar_proto::supervision::v1 as pb;
use greenstar_testkit::Scratch;
use tonic::{Code, Status};

use crate::server::{Ask, FIRM, OTHER, Server, Sources, refusal, refused};

const MATTER: &str = "departments/finance/matters/green-loan";

async fn improvement(
    server: &Server,
    caller: &str,
    uscc: &str,
    matter: &str,
    consistency: Ask,
) -> Result<pb::FindImprovementResponse, Status> {
    let request = pb::FindImprovementRequest {
        enterprise: format!("enterprises/{uscc}"),
        matter: matter.to_owned(),
        consistency: consistency.0,
        ..pb::FindImprovementRequest::default()
    };
    let answer = server.decisions(caller).find_improvement(request).await?;
    Ok(answer.into_inner())
}

#[tokio::test]
async fn a_firm_learns_which_flag_to_repair_and_from_when_its_department_as_well() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 4).await;
    let flag = sources.confirmed(FIRM, "serious-penalty", "", 36);
    let name = flag.name.clone();
    let token = sources.sanctions.flag(flag).await;
    let server = Server::start(&sources, &scratch).await;
    for caller in ["enterprises/91110115MAX000015J", "finance"] {
        let answer = improvement(&server, caller, FIRM, MATTER, Ask::token(&token))
            .await
            .unwrap();
        assert_eq!(answer.outcome, "PRUDENT");
        assert_eq!(answer.verdict(), pb::ImprovementVerdict::Improvable);
        let [set] = answer.improvements.as_slice() else {
            panic!("{answer:?}")
        };
        assert_eq!(set.outcome, "ELIGIBLE");
        let [step] = set.steps.as_slice() else {
            panic!("{set:?}")
        };
        assert_eq!((step.kind(), &step.flag), (pb::ImprovementKind::Flag, &name));
        assert_eq!(step.earliest_repair_date, "2027-05-09");
        let text = step.text.as_ref().unwrap();
        assert!(
            text.zh.contains("2027-05-09") && text.en.contains("2027-05-09"),
            "{text:?}"
        );
        assert!(
            step.by_itself_time.is_some() && answer.by_itself_outcome == "STANDARD",
            "{answer:?}"
        );
        assert!(!answer.token.is_empty() && answer.policy_version.contains("finance-default@1"));
    }
    let best = improvement(&server, "finance", OTHER, MATTER, Ask::LATEST)
        .await
        .unwrap();
    assert_eq!(
        best.verdict(),
        pb::ImprovementVerdict::Improvable,
        "an unknown firm can be rated"
    );
    server.stop().await;
}

#[tokio::test]
async fn nobody_asks_about_others_and_nothing_is_said_from_old_data() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 4).await;
    let server = Server::start(&sources, &scratch).await;
    let own = "enterprises/91110115MAX000015J";
    let ask = async |caller: &str, uscc: &str, matter: &str| {
        refusal(improvement(&server, caller, uscc, matter, Ask::LATEST).await)
    };
    assert_eq!(
        ask(own, OTHER, MATTER).await,
        refused(Code::PermissionDenied, "NOT_YOUR_ENTERPRISE")
    );
    assert_eq!(
        ask("licensing", FIRM, MATTER).await,
        refused(Code::PermissionDenied, "MATTER_NOT_YOURS")
    );
    assert_eq!(
        ask(own, FIRM, "departments/finance/matters/none").await,
        refused(Code::NotFound, "MATTER_UNKNOWN")
    );
    assert_eq!(
        ask(own, "1", MATTER).await,
        refused(Code::InvalidArgument, "USCC_MALFORMED")
    );
    sources.rating_proxy.cut();
    sources.clock.advance(Duration::from_secs(10));
    assert_eq!(
        ask(own, FIRM, MATTER).await,
        refused(Code::Unavailable, "VIEW_STALE")
    );
    server.stop().await;
}
