//! What departments report, and what is left to do.

use std::time::Duration;

use greenstar_proto::sanctions::v1::FlagState;
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::report_application_request::Subject;
use greenstar_testkit::Scratch;
use tonic::{Code, Status};

use crate::server::{Ask, FIRM, OTHER, Server, Sources, refusal, refused};

type Said<'a> = (&'a str, pb::Application, &'a str);

async fn report(
    server: &Server,
    department: &str,
    subject: &str,
    request_id: &str,
    said: &[Said<'_>],
) -> Result<pb::ReportApplicationResponse, Status> {
    let subject = if subject.starts_with("decisions/") {
        Subject::Decision(subject.to_owned())
    } else {
        Subject::Flag(subject.to_owned())
    };
    let measure = |(measure, application, note): &Said<'_>| pb::MeasureApplication {
        measure: (*measure).to_owned(),
        application: (*application).into(),
        note: (*note).to_owned(),
    };
    let request = pb::ReportApplicationRequest {
        subject: Some(subject),
        measures: said.iter().map(measure).collect(),
        request_id: request_id.to_owned(),
    };
    let answer = server.decisions(department).report_application(request).await?;
    Ok(answer.into_inner())
}

async fn page(
    server: &Server,
    department: &str,
    parent: &str,
    page_size: i32,
    page_token: String,
) -> Result<pb::ListApplicationGapsResponse, Status> {
    let request = pb::ListApplicationGapsRequest {
        parent: parent.to_owned(),
        page_size,
        page_token,
    };
    let answer = server
        .decisions(department)
        .list_application_gaps(request)
        .await?;
    Ok(answer.into_inner())
}

async fn gaps(server: &Server, department: &str, parent: &str) -> Vec<pb::ApplicationGap> {
    let page = page(server, department, parent, 0, String::new()).await.unwrap();
    assert_eq!(page.next_page_token, "");
    page.gaps
}

fn named(gaps: &[pb::ApplicationGap]) -> Vec<(&str, &str)> {
    gaps.iter()
        .map(|gap| (gap.subject.as_str(), gap.measure.as_str()))
        .collect()
}

/// A firm with a star and one with a flag, and the token that has seen both.
async fn flagged(sources: &Sources) -> (String, String) {
    sources.star(FIRM, 5).await;
    sources.star(OTHER, 5).await;
    let flag = sources.confirmed(OTHER, "serious-penalty", "", 36);
    let name = flag.name.clone();
    (name, sources.sanctions.flag(flag).await)
}

#[tokio::test]
async fn a_gap_is_there_until_the_department_says_what_it_did() {
    use pb::Application::{Applied, NotApplicable, NotApplied};
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        let (flag, token) = flagged(&sources).await;
        let server = Server::start(&sources, &scratch).await;
        sources.clock.advance(Duration::from_millis(1));
        let favoured = server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap();
        assert_eq!(favoured.outcome, "FAST_TRACK");
        let permit = server
            .permit(OTHER, "eia-approval", Ask::token(&token))
            .await
            .unwrap();
        assert_eq!(permit.outcome, "STRICT_REVIEW");
        let decision = permit.decision;

        // The flag is older than the decision; a favour is nobody's duty.
        let open = gaps(&server, "licensing", "departments/licensing").await;
        let both = [
            (flag.as_str(), "strict-review"),
            (decision.as_str(), "strict-review"),
        ];
        assert_eq!(named(&open), both);
        for gap in &open {
            assert_eq!(gap.department, "departments/licensing");
            assert_eq!(gap.enterprise, format!("enterprises/{OTHER}"));
            assert!(gap.due_time.is_some() && gap.application() == pb::Application::Unspecified);
        }

        // It says no, then yes: the last word counts.
        let no = [("strict-review", NotApplied, "另案处理")];
        let answer = report(&server, "licensing", &decision, "", &no).await.unwrap();
        assert_eq!(named(&answer.gaps), both[1..]);
        let open = gaps(&server, "licensing", "departments/licensing").await;
        assert_eq!(
            (open[1].application(), open[1].note.as_str()),
            (NotApplied, "另案处理")
        );
        let yes = [("strict-review", Applied, "")];
        let first = report(&server, "licensing", &decision, "report-1", &yes)
            .await
            .unwrap();
        assert_eq!(first.gaps, []);
        assert_eq!(
            named(&gaps(&server, "licensing", "departments/licensing").await),
            both[..1]
        );

        // Who repeats it gets the first answer; another body under the same id is refused.
        sources.clock.advance(Duration::from_millis(5));
        let again = report(&server, "licensing", &decision, "report-1", &yes)
            .await
            .unwrap();
        assert_eq!(again, first);
        let other = report(&server, "licensing", &decision, "report-1", &no).await;
        assert_eq!(refusal(other), refused(Code::AlreadyExists, "REQUEST_ID_REUSED"));

        // And what was taken back is due again.
        report(&server, "licensing", &decision, "", &no).await.unwrap();
        assert_eq!(
            named(&gaps(&server, "licensing", "departments/licensing").await),
            both
        );
        report(&server, "licensing", &decision, "", &yes).await.unwrap();
        let none = [("strict-review", NotApplicable, "本期无许可事项")];
        let answer = report(&server, "licensing", &flag, "", &none).await.unwrap();
        assert_eq!(answer.gaps, []);
        assert_eq!(gaps(&server, "licensing", "departments/licensing").await, []);

        // Everybody's: what the flag demands elsewhere is still open, and ends with the flag.
        let open = gaps(&server, "rating", "departments/-").await;
        assert!(open.iter().any(|gap| gap.department == "departments/enforcement"
            && gap.subject == flag
            && gap.measure == "key-supervision"));
        assert!(open.iter().all(|gap| gap.department != "departments/licensing"));
        let mut ended = sources.confirmed(OTHER, "serious-penalty", "", 36);
        ended.set_state(FlagState::Repaired);
        let token = sources.sanctions.flag(ended).await;
        server
            .permit(OTHER, "eia-approval", Ask::token(&token))
            .await
            .unwrap();
        assert_eq!(gaps(&server, "rating", "departments/-").await, []);
        let late = report(&server, "licensing", &flag, "", &none).await;
        assert_eq!(refusal(late), refused(Code::NotFound, "FLAG_UNKNOWN"));
        server.stop().await;
    }
}

#[tokio::test]
async fn pages_of_gaps_are_the_list_in_parts() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        let (_, token) = flagged(&sources).await;
        let server = Server::start(&sources, &scratch).await;
        for _ in 0..3 {
            // All at the same instant, as the flag is.
            server
                .permit(OTHER, "eia-approval", Ask::token(&token))
                .await
                .unwrap();
        }
        server.inspection(OTHER, Ask::token(&token)).await;
        let whole = gaps(&server, "rating", "departments/-").await;
        assert!(whole.len() > 5, "{whole:?}");
        let (mut parts, mut next) = (Vec::new(), String::new());
        loop {
            let part = page(&server, "rating", "departments/-", 2, next).await.unwrap();
            assert!(part.gaps.len() <= 2);
            parts.extend(part.gaps);
            next = part.next_page_token;
            if next.is_empty() {
                break;
            }
        }
        assert_eq!(parts, whole);
        let part = page(&server, "rating", "departments/-", 2, String::new())
            .await
            .unwrap();
        let foreign = page(&server, "rating", "departments/finance", 2, part.next_page_token).await;
        assert_eq!(
            refusal(foreign),
            refused(Code::InvalidArgument, "PAGE_TOKEN_INVALID")
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn a_report_that_says_nothing_clear_changes_nothing() {
    use pb::Application::{Applied, NotApplicable, NotApplied, Unspecified};
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    let (flag, token) = flagged(&sources).await;
    let server = Server::start(&sources, &scratch).await;
    let decision = server
        .permit(OTHER, "eia-approval", Ask::token(&token))
        .await
        .unwrap()
        .decision;
    let before = gaps(&server, "licensing", "departments/licensing").await;
    let invalid = refused(Code::InvalidArgument, "FIELD_INVALID");
    let not_due = refused(Code::InvalidArgument, "MEASURE_NOT_DUE");
    let unknown = refused(Code::NotFound, "DECISION_UNKNOWN");
    let applied = ("strict-review", Applied, "");
    let ours = decision.as_str();
    let (writer, _) = ours.rsplit_once('-').unwrap();
    let never = format!("{writer}-99");
    let no_flag = format!("enterprises/{FIRM}/flags/none");
    for (department, subject, said, expected) in [
        (
            "licensing",
            ours,
            vec![("refuse-permit", Applied, "")],
            not_due.clone(),
        ),
        ("licensing", ours, vec![applied, applied], invalid.clone()),
        (
            "licensing",
            ours,
            vec![("strict-review", Unspecified, "")],
            invalid.clone(),
        ),
        (
            "licensing",
            ours,
            vec![("strict-review", NotApplied, " ")],
            invalid.clone(),
        ),
        (
            "licensing",
            ours,
            vec![("strict-review", NotApplicable, "")],
            invalid.clone(),
        ),
        ("licensing", ours, vec![], invalid),
        ("finance", ours, vec![applied], unknown.clone()),
        ("licensing", &never, vec![applied], unknown),
        ("finance", &flag, vec![applied], not_due),
        (
            "licensing",
            &no_flag,
            vec![applied],
            refused(Code::NotFound, "FLAG_UNKNOWN"),
        ),
    ] {
        let answer = report(&server, department, subject, "", &said).await;
        assert_eq!(refusal(answer), expected, "{department} {subject} {said:?}");
    }
    assert_eq!(gaps(&server, "licensing", "departments/licensing").await, before);
    for parent in ["departments/licensing", "departments/-"] {
        let answer = page(&server, "finance", parent, 0, String::new()).await;
        assert_eq!(
            refusal(answer),
            refused(Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED")
        );
    }
    server.stop().await;
}
