//! Editions of the law that take effect later.

use greenstar_kernel::Timestamp;
use greenstar_proto::sanctions::v1::{
    Catalogue, CreateCatalogueRequest, GetCatalogueRequest, ListCataloguesRequest, RaiseFlagRequest,
};
use greenstar_sanctions::domain::catalogue::SHIPPED;
use greenstar_testkit::Scratch;
use tonic::{Code, Status};

use crate::server::{Server, engines, midnight, penalty, refused};

fn numbered(number: &str) -> String {
    SHIPPED.replace("edition: 2026-2", &format!("edition: {number}"))
}

/// With one more kind of flag, that is as special-action is.
fn with_kind(source: &str, code: &str) -> String {
    let start = source.find("  - code: special-action").unwrap();
    let end = start + source[start..].find("\n\n").unwrap() + 1;
    let more = source[start..end].replace("code: special-action", &format!("code: {code}"));
    format!("{}{more}{}", &source[..end], &source[end..])
}

async fn create(server: &Server, source: &str, effective: &str) -> Result<Catalogue, Status> {
    let request = CreateCatalogueRequest {
        source: source.to_owned(),
        effective_date: effective.to_owned(),
        ..Default::default()
    };
    let answer = server.law("operator").create_catalogue(request).await?;
    Ok(answer.into_inner().catalogue.unwrap())
}

async fn in_force(server: &Server) -> String {
    server.catalogue().await.catalogue.unwrap().name
}

#[tokio::test]
async fn an_edition_to_come_binds_from_midnight_of_its_day_and_not_before() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let next = with_kind(&numbered("2026-3"), "special-campaign");
        let enacted = create(&server, &next, "2026-06-01").await.unwrap();
        assert_eq!(enacted.name, "catalogues/2026-3");
        assert_eq!(
            enacted.effective_time.unwrap().seconds,
            midnight("2026-06-01").micros() / 1_000_000
        );
        let of_kind = |kind: &str, number: &str| RaiseFlagRequest {
            kind: kind.to_owned(),
            ..penalty(number)
        };
        assert_eq!(in_force(&server).await, "catalogues/2026-1");
        let early = server
            .raise("enforcement", of_kind("special-campaign", "1"))
            .await;
        refused(early, Code::InvalidArgument, "FLAG_KIND_UNKNOWN");
        let last = midnight("2026-06-01").micros() - 1;
        server.clock.set(Timestamp::from_micros(last));
        assert_eq!(in_force(&server).await, "catalogues/2026-1");
        server.clock.set(midnight("2026-06-01"));
        assert_eq!(in_force(&server).await, "catalogues/2026-3");
        let flag = server.flagged(of_kind("special-campaign", "2")).await;
        assert_eq!(flag.catalogue, "2026-3");
        server.stop().await;

        // All of it is there after a restart, and the shipped edition does not come back.
        let server = Server::start(&scratch).await;
        assert_eq!(in_force(&server).await, "catalogues/2026-1", "it is May again");
        server.clock.set(midnight("2026-06-01"));
        assert_eq!(in_force(&server).await, "catalogues/2026-3");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_flag_whose_bases_have_all_ended_is_refused_and_the_rule_is_named() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let (proposal, _) = server.raise("enforcement", penalty("1")).await.unwrap();
    let standing = server.flagged(penalty("2")).await;
    // Every basis that a serious penalty stands on is repealed.
    let repealed = numbered("2026-3")
        .replacen(
            "effective: 2015-01-01 # RECALL\n  - code: environment-law-57",
            "effective: 2015-01-01 # RECALL\n    end: 2026-05-31\n  - code: environment-law-57",
            1,
        )
        .replace(
            "effective: 2026-04-01 # [S17]",
            "effective: 2026-04-01 # [S17]\n    end: 2026-05-31",
        );
    create(&server, &repealed, "").await.unwrap();
    server.raise("enforcement", penalty("3")).await.unwrap();
    server.clock.set(midnight("2026-06-01"));
    let before = server.head().await;
    for outcome in [
        server.raise("enforcement", penalty("4")).await,
        server.confirm("enforcement/2", &proposal.name).await,
    ] {
        let status = refused(outcome, Code::FailedPrecondition, "BASIS_MISSING");
        let named = format!("{status:?}");
        assert!(
            named.contains("environment-law-54") && named.contains("credit-repair-2026-36"),
            "{named}"
        );
    }
    assert_eq!(server.head().await, before);
    // What stands stays as a fact; no measure rests on it any more, which is decided where measures are.
    server.lift("enforcement", &standing.name).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn editions_are_listed_newest_first_and_each_can_be_read() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        create(&server, &numbered("2026-9"), "").await.unwrap();
        create(&server, &numbered("2026-10"), "2026-07-01").await.unwrap();
        create(&server, &numbered("2027-1"), "2026-07-01").await.unwrap();
        let mut names = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListCataloguesRequest {
                page_size: 3,
                page_token,
            };
            let page = server
                .law("finance")
                .list_catalogues(request)
                .await
                .unwrap()
                .into_inner();
            names.extend(page.catalogues.into_iter().map(|edition| edition.name));
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
        }
        assert_eq!(
            names,
            [
                "catalogues/2027-1",
                "catalogues/2026-10",
                "catalogues/2026-9",
                "catalogues/2026-1"
            ]
        );
        assert_eq!(in_force(&server).await, "catalogues/2026-9");
        server.clock.set(midnight("2026-07-01"));
        assert_eq!(
            in_force(&server).await,
            "catalogues/2027-1",
            "of two from one day on, the newer"
        );

        let read = |edition: &str| GetCatalogueRequest {
            edition: edition.to_owned(),
        };
        let mut law = server.law("finance");
        let found = law.get_catalogue(read("2026-10")).await.unwrap().into_inner();
        assert_eq!(found.catalogue.unwrap().name, "catalogues/2026-10");
        for unknown in ["2026-2", "1999-1", "newest", "2026-01"] {
            let outcome = law.get_catalogue(read(unknown)).await;
            refused(outcome, Code::NotFound, "EDITION_NOT_ALLOWED");
        }
        let foreign = ListCataloguesRequest {
            page_size: 0,
            page_token: "x".to_owned(),
        };
        let outcome = law.list_catalogues(foreign).await;
        refused(outcome, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
        server.stop().await;
    }
}

#[tokio::test]
async fn an_edition_that_cannot_be_is_refused_and_changes_nothing() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    create(&server, &numbered("2026-5"), "2026-08-01").await.unwrap();
    let before = server.head().await;
    let unsound = numbered("2026-6").replace("kind: permit-by-deceit, least", "kind: permit-by-guile, least");
    for (source, effective, code, reason) in [
        (
            numbered("2026-5"),
            "2026-09-01",
            Code::AlreadyExists,
            "EDITION_EXISTS",
        ),
        (
            numbered("2026-4"),
            "2026-09-01",
            Code::AlreadyExists,
            "EDITION_EXISTS",
        ),
        (
            numbered("2026-6"),
            "",
            Code::FailedPrecondition,
            "EDITION_NOT_ALLOWED",
        ),
        (
            numbered("2026-6"),
            "2026-07-31",
            Code::FailedPrecondition,
            "EDITION_NOT_ALLOWED",
        ),
        (
            numbered("2026-6"),
            "2026-05-09",
            Code::FailedPrecondition,
            "EDITION_NOT_ALLOWED",
        ),
        (
            numbered("2026-6"),
            "2026-02-30",
            Code::InvalidArgument,
            "DATE_INVALID",
        ),
        (
            numbered("newest"),
            "2026-09-01",
            Code::InvalidArgument,
            "CATALOGUE_INVALID",
        ),
        (
            "no catalogue".to_owned(),
            "2026-09-01",
            Code::InvalidArgument,
            "CATALOGUE_INVALID",
        ),
        (
            String::new(),
            "2026-09-01",
            Code::InvalidArgument,
            "FIELD_INVALID",
        ),
        (unsound, "2026-09-01", Code::InvalidArgument, "CATALOGUE_INVALID"),
        (
            numbered("2026-6").replace("code: special-action", "code: special-campaign"),
            "2026-09-01",
            Code::FailedPrecondition,
            "EDITION_NOT_ALLOWED",
        ),
    ] {
        let status = refused(create(&server, &source, effective).await, code, reason);
        if reason == "CATALOGUE_INVALID" && source.len() > 100 {
            let shown = format!("{status:?}");
            assert!(
                shown.contains("edition") || shown.contains("measures["),
                "{shown}"
            );
        }
    }
    let officer = CreateCatalogueRequest {
        source: numbered("2026-6"),
        ..Default::default()
    };
    let outcome = server.law("enforcement").create_catalogue(officer.clone()).await;
    refused(outcome, Code::PermissionDenied, "ROLE_NOT_ALLOWED");
    assert_eq!(server.head().await, before);

    // A repeat gets the first answer, another body under its id none.
    let request = CreateCatalogueRequest {
        effective_date: "2026-08-01".to_owned(),
        request_id: "r-1".to_owned(),
        ..officer
    };
    let mut law = server.law("operator");
    let first = law.create_catalogue(request.clone()).await.unwrap().into_inner();
    let again = law.create_catalogue(request.clone()).await.unwrap().into_inner();
    assert_eq!(first, again);
    let other = CreateCatalogueRequest {
        effective_date: "2026-08-02".to_owned(),
        ..request
    };
    let reused = law.create_catalogue(other).await;
    refused(reused, Code::AlreadyExists, "REQUEST_ID_REUSED");
    server.stop().await;
}
