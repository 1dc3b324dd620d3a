//! Policies as workbooks, through the door.

use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::policy_content::Form;
use greenstar_testkit::Scratch;
use rust_xlsxwriter::{Format, Formula, Workbook};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::server::{Ask, FIRM, Server, Sources, refusal, refused};

const SHIPPED: &str = include_str!("../../data/licensing.yaml");

async fn convert(server: &Server, form: Form) -> Result<Form, Status> {
    let request = pb::ConvertPolicyRequest {
        content: Some(pb::PolicyContent { form: Some(form) }),
    };
    let answer = server.policies().convert_policy(request).await?.into_inner();
    Ok(answer.content.unwrap().form.unwrap())
}

async fn workbook_of(server: &Server, source: &str) -> Vec<u8> {
    match convert(server, Form::Source(source.to_owned())).await.unwrap() {
        Form::Workbook(bytes) => bytes,
        Form::Source(source) => panic!("a workbook was due: {source}"),
    }
}

async fn source_of(server: &Server, bytes: Vec<u8>) -> Result<String, Status> {
    match convert(server, Form::Workbook(bytes)).await? {
        Form::Source(source) => Ok(source),
        Form::Workbook(_) => panic!("a text was due"),
    }
}

#[tokio::test]
async fn a_policy_goes_to_a_workbook_and_back_without_loss() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let bytes = workbook_of(&server, SHIPPED).await;
    let source = source_of(&server, bytes.clone()).await.unwrap();
    assert_eq!(workbook_of(&server, &source).await, bytes);
    let validate = async |source: String| {
        let request = pb::ValidatePolicyRequest {
            source,
            ..Default::default()
        };
        server
            .policies()
            .validate_policy(request)
            .await
            .unwrap()
            .into_inner()
            .policy
            .unwrap()
    };
    let (before, after) = (validate(SHIPPED.to_owned()).await, validate(source).await);
    assert_eq!((before.matters, before.rows), (after.matters, after.rows));
    server.stop().await;
}

#[tokio::test]
async fn a_template_of_a_known_or_a_new_matter_is_sound() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    for name in [
        "departments/licensing/matters/pollutant-permit",
        "departments/awards/matters/merit-award",
        "departments/water-affairs/matters/water-permit",
    ] {
        let request = pb::GetTemplateRequest {
            name: name.to_owned(),
        };
        let workbook = server
            .policies()
            .get_template(request)
            .await
            .unwrap()
            .into_inner()
            .workbook;
        let source = source_of(&server, workbook).await.unwrap();
        let request = pb::ValidatePolicyRequest {
            source,
            ..Default::default()
        };
        let policy = server
            .policies()
            .validate_policy(request)
            .await
            .unwrap()
            .into_inner()
            .policy
            .unwrap();
        assert!(
            policy.matters.iter().any(|matter| matter == name),
            "{:?}",
            policy.matters
        );
    }
    for (name, reason) in [
        ("departments/licensing", "NAME_MALFORMED"),
        ("departments/baseline/matters/any", "MATTER_UNKNOWN"),
    ] {
        let request = pb::GetTemplateRequest {
            name: name.to_owned(),
        };
        let (_, found) = refusal(server.policies().get_template(request).await);
        assert_eq!(found, reason, "{name}");
    }
    server.stop().await;
}

#[tokio::test]
async fn every_bad_cell_is_named_at_once_and_nothing_changes() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let before = server
        .policies()
        .list_policies(pb::ListPoliciesRequest {})
        .await
        .unwrap()
        .into_inner();
    // A workbook as an officer might make it, with a bad field, a bad cell, and a measure that there is not.
    let mut book = Workbook::new();
    let mut add = |name: &str, rows: &[&[&str]]| {
        let sheet = book.add_worksheet();
        sheet.set_name(name).unwrap();
        for (row, texts) in (0..).zip(rows) {
            for (column, text) in (0..).zip(*texts) {
                sheet.write_string(row, column, *text).unwrap();
            }
        }
    };
    add(
        "policy",
        &[
            &["field", "value"],
            &["policy", "licensing-default"],
            &["version", "soon"],
            &["department", "licensing"],
            &["table_hit", "first"],
        ],
    );
    add(
        "matters",
        &[
            &["code", "title_zh", "title_en"],
            &["pollutant-permit", "排污许可证", "Permit"],
        ],
    );
    add(
        "outcomes",
        &[
            &["code", "level", "carried_by", "floor", "title_zh", "title_en"],
            &["FAST_TRACK", "FAVOUR", "", "", "绿色通道", "Fast track"],
            &["STANDARD", "NEUTRAL", "", "", "一般程序", "Standard"],
        ],
    );
    let headings = [
        "row",
        "star",
        "outcome",
        "measures",
        "reason_zh",
        "reason_en",
        "basis_zh",
        "basis_en",
    ];
    add(
        "table",
        &[
            &headings,
            &["1", ">=>4", "FAST_TRACK", "", "四星", "Four stars"],
            &[
                "2",
                "3",
                "GRAND",
                "gold-medal",
                "三星",
                "Three stars",
                "法",
                "Law",
            ],
            &["default", "", "STANDARD", "", "其他", "Others"],
        ],
    );
    let bytes = book.save_to_buffer().unwrap();
    let status = source_of(&server, bytes).await.unwrap_err();
    assert_eq!(
        refusal::<()>(Err(status.clone())),
        refused(Code::InvalidArgument, "WORKBOOK_MALFORMED")
    );
    let places: Vec<String> = status
        .get_details_bad_request()
        .unwrap()
        .field_violations
        .into_iter()
        .map(|violation| violation.field)
        .collect();
    assert_eq!(places, ["policy!B3", "table!B2", "table!C3", "table!D3"]);
    let info = status.get_details_error_info().unwrap();
    assert_eq!(
        (info.metadata["sheet"].as_str(), info.metadata["cell"].as_str()),
        ("policy", "B3")
    );

    let mut unsafe_book = Workbook::new();
    let sheet = unsafe_book.add_worksheet();
    sheet.set_name("table").unwrap();
    sheet.write_formula(1, 1, Formula::new("=1+1")).unwrap();
    sheet.merge_range(3, 0, 4, 1, "both", &Format::new()).unwrap();
    let mut long = Workbook::new();
    let rows = long.add_worksheet();
    for row in 0..100_000 {
        rows.write_number(row, 0, row).unwrap();
    }
    for (bytes, reason, cell) in [
        (
            unsafe_book.save_to_buffer().unwrap(),
            "WORKBOOK_UNSAFE",
            Some("B2"),
        ),
        (long.save_to_buffer().unwrap(), "WORKBOOK_UNSAFE", Some("A601")),
        (b"PK\x03\x04 and no more".to_vec(), "WORKBOOK_MALFORMED", None),
        (SHIPPED.as_bytes().to_vec(), "WORKBOOK_MALFORMED", None),
    ] {
        let status = source_of(&server, bytes).await.unwrap_err();
        assert_eq!(
            refusal::<()>(Err(status.clone())),
            refused(Code::InvalidArgument, reason)
        );
        let info = status.get_details_error_info().unwrap();
        assert_eq!(info.metadata.get("cell").map(String::as_str), cell, "{status}");
    }
    let status = convert(&server, Form::Source("no: policy".to_owned())).await;
    assert_eq!(refusal(status), refused(Code::InvalidArgument, "TABLE_MALFORMED"));
    let after = server
        .policies()
        .list_policies(pb::ListPoliciesRequest {})
        .await
        .unwrap()
        .into_inner();
    assert_eq!(after, before);
    server.stop().await;
}

#[tokio::test]
async fn departments_beyond_the_first_three_decide_by_their_tables_and_the_floor_binds_them() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let rated = sources.star(FIRM, 5).await;
    let server = Server::start(&sources, &scratch).await;
    let decide = async |department: &str, matter: &str, arguments: &[(&str, &str)], token: &str| {
        let arguments = arguments
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let request = pb::DecideRequest {
            enterprise: format!("enterprises/{FIRM}"),
            matter: format!("departments/{department}/matters/{matter}"),
            arguments: arguments.collect(),
            consistency: Ask::token(token).0,
            ..Default::default()
        };
        let decided = server.decisions(department).decide(request).await;
        decided.unwrap().into_inner().outcome
    };
    let matters = [
        ("procurement", "supplier-review", "PREFERRED", "EXCLUDED"),
        ("subsidies", "fiscal-subsidy", "PRIORITY", "LIMITED"),
        ("awards", "merit-award", "RECOMMENDED", "LIMITED"),
    ];
    for (department, matter, good, _) in matters {
        assert_eq!(decide(department, matter, &[], &rated).await, good);
    }
    let penalty = sources.confirmed(FIRM, "serious-penalty", "", 36);
    let flagged = sources.sanctions.flag(penalty).await;
    for (department, matter, _, bad) in matters {
        assert_eq!(decide(department, matter, &[], &flagged).await, bad);
    }
    let treated = [("purpose", "pollution-control")];
    assert_eq!(
        decide("subsidies", "fiscal-subsidy", &treated, &flagged).await,
        "STRICT_REVIEW"
    );
    let list = sources.confirmed(FIRM, "serious-dishonesty-list", "", 36);
    let listed = sources.sanctions.flag(list).await;
    assert_eq!(
        decide("subsidies", "fiscal-subsidy", &treated, &listed).await,
        "LIMITED"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_cell_that_means_nothing_is_named_as_its_author_sees_it() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let server = Server::start(&sources, &scratch).await;
    let wrong = SHIPPED.replace("when: { star: 4,", "when: { star: \">=>4\",");
    assert_ne!(wrong, SHIPPED);
    let bytes = workbook_of(&server, &wrong).await;
    let request = |report| pb::ValidatePolicyRequest {
        workbook: bytes.clone(),
        report,
        ..Default::default()
    };
    let told = server
        .policies()
        .validate_policy(request(true))
        .await
        .unwrap()
        .into_inner();
    let found = told.findings.iter().find(|finding| finding.place == "table!D6");
    assert!(
        found.is_some_and(|finding| finding.fault && finding.reason == "TABLE_MALFORMED"),
        "{:?}",
        told.findings
    );
    let status = server
        .policies()
        .validate_policy(request(false))
        .await
        .unwrap_err();
    let places = status.get_details_bad_request().unwrap().field_violations;
    assert_eq!(places[0].field, "table!D6");
    server.stop().await;
}
