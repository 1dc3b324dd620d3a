//! Lists: order, pages, states, and who sees what.

use greenstar_proto::sanctions::v1::{Flag, FlagState, ListFlagsRequest, RaiseFlagRequest};
use greenstar_testkit::Scratch;
use tonic::Code;

use crate::server::{FIRM, OTHER_FIRM, Server, engines, noon, penalty, position, refused};

async fn all(server: &Server, caller: &str, parent: &str, state: FlagState, size: i32) -> Vec<Flag> {
    let mut flags = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = ListFlagsRequest {
            parent: parent.to_owned(),
            state: state.into(),
            page_size: size,
            page_token,
        };
        let before = server.head().await.revision;
        let page = server
            .flags(caller)
            .list_flags(request)
            .await
            .unwrap()
            .into_inner();
        // A lapse may be written down meanwhile.
        let shown = position(&page.token).revision;
        assert!((before..=server.head().await.revision).contains(&shown));
        assert!(page.flags.len() <= usize::try_from(size).unwrap());
        flags.extend(page.flags);
        if page.next_page_token.is_empty() {
            return flags;
        }
        page_token = page.next_page_token;
    }
}

fn numbers(flags: &[Flag]) -> Vec<&str> {
    flags
        .iter()
        .map(|flag| flag.document.as_ref().unwrap().number.as_str())
        .collect()
}

#[tokio::test]
async fn pages_repeat_and_miss_nothing_although_all_were_raised_at_one_instant() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        for number in ["1", "2", "3", "4", "5", "6", "7"] {
            server.flagged(penalty(number)).await;
        }
        let parent = format!("enterprises/{FIRM}");
        for size in [1, 2, 3, 7, 8] {
            let flags = all(&server, "finance", &parent, FlagState::Unspecified, size).await;
            let mut found = numbers(&flags);
            found.sort_unstable();
            assert_eq!(found, ["1", "2", "3", "4", "5", "6", "7"], "pages of {size}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn states_follow_the_clock_and_newest_comes_first() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let soon_over = RaiseFlagRequest {
            kind: "ordinary-penalty".to_owned(),
            ..penalty("short")
        };
        server.flagged(soon_over).await;
        server.clock.set(noon("2026-05-11"));
        server.flagged(penalty("long")).await;
        server.clock.set(noon("2026-05-12"));
        let lifted = server.flagged(penalty("lifted")).await;
        server.lift("enforcement", &lifted.name).await.unwrap();
        server.clock.set(noon("2026-05-13"));
        server.raise("enforcement", penalty("proposed")).await.unwrap();

        let parent = format!("enterprises/{FIRM}");
        let list = async |caller: &str, state| {
            let flags = all(&server, caller, &parent, state, 50).await;
            numbers(&flags).join(" ")
        };
        assert_eq!(
            list("enforcement", FlagState::Unspecified).await,
            "proposed lifted long short"
        );
        assert_eq!(list("finance", FlagState::Unspecified).await, "lifted long short");
        assert_eq!(list("enforcement", FlagState::Proposed).await, "proposed");
        assert_eq!(list("finance", FlagState::Proposed).await, "");
        assert_eq!(list("finance", FlagState::Lifted).await, "lifted");
        assert_eq!(list("finance", FlagState::InForce).await, "long short");
        assert_eq!(list("finance", FlagState::Lapsed).await, "");
        server.clock.set(noon("2027-04-02"));
        assert_eq!(list("finance", FlagState::InForce).await, "long");
        assert_eq!(list("finance", FlagState::Lapsed).await, "short");
        server.stop().await;
    }
}

#[tokio::test]
async fn departments_list_all_firms_and_a_firm_only_itself() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    server.flagged(penalty("1")).await;
    server.clock.set(noon("2026-05-11"));
    let other = RaiseFlagRequest {
        parent: format!("enterprises/{OTHER_FIRM}"),
        ..penalty("2")
    };
    let (proposal, _) = server.raise("licensing", other).await.unwrap();

    let everyone = "enterprises/-";
    assert_eq!(
        numbers(&all(&server, "finance", everyone, FlagState::Unspecified, 10).await),
        ["1"]
    );
    let own = all(&server, "licensing/2", everyone, FlagState::Unspecified, 10).await;
    assert_eq!(numbers(&own), ["2", "1"]);
    assert_eq!(
        (own[0].proposer.as_str(), own[1].proposer.as_str()),
        ("licensing", "")
    );

    let firm = format!("enterprises/{OTHER_FIRM}");
    assert!(
        all(&server, &firm, &firm, FlagState::Unspecified, 10)
            .await
            .is_empty()
    );
    server.confirm("licensing/2", &proposal.name).await.unwrap();
    assert_eq!(
        numbers(&all(&server, &firm, &firm, FlagState::Unspecified, 10).await),
        ["2"]
    );
    for parent in [everyone.to_owned(), format!("enterprises/{FIRM}")] {
        let request = ListFlagsRequest {
            parent,
            ..Default::default()
        };
        let refusal = server.flags(&firm).list_flags(request).await;
        refused(refusal, Code::PermissionDenied, "NOT_YOUR_ENTERPRISE");
    }
    server.stop().await;
}

#[tokio::test]
async fn a_page_token_belongs_to_its_query() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    for number in ["1", "2"] {
        server.flagged(penalty(number)).await;
    }
    let first = ListFlagsRequest {
        parent: format!("enterprises/{FIRM}"),
        page_size: 1,
        ..Default::default()
    };
    let page = server
        .flags("finance")
        .list_flags(first.clone())
        .await
        .unwrap()
        .into_inner();
    let next = ListFlagsRequest {
        page_token: page.next_page_token,
        ..first
    };
    server.flags("finance").list_flags(next.clone()).await.unwrap();
    for other in [
        ListFlagsRequest {
            parent: "enterprises/-".to_owned(),
            ..next.clone()
        },
        ListFlagsRequest {
            state: FlagState::InForce.into(),
            ..next.clone()
        },
        ListFlagsRequest {
            page_token: "x".to_owned(),
            ..next.clone()
        },
    ] {
        let refusal = server.flags("finance").list_flags(other).await;
        refused(refusal, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    let refusal = server.flags("licensing").list_flags(next.clone()).await;
    refused(refusal, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let negative = ListFlagsRequest {
        page_size: -1,
        ..next
    };
    refused(
        server.flags("finance").list_flags(negative).await,
        Code::InvalidArgument,
        "FIELD_INVALID",
    );
    server.stop().await;
}
