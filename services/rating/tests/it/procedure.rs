//! The district's procedure, step by step: each is guarded, and each says who took it, when and on what basis.

use greenstar_kernel::Timestamp;
use greenstar_proto::common::v1::{self as common, RatingState};
use greenstar_proto::rating::v1 as pb;
use tonic::{Code, Status};

use crate::enterprises::{FIRST, SECOND, THIRD, create, firm, text};
use crate::facts::{date, noon};
use crate::rounds::{claim, declare, excellent, verdict, verify};
use crate::service::{Suite, refused};

const ROUND: &str = crate::rounds::ROUND;
const SCHEME: &str = "schemes/daxing-green-credit/versions/2021.1-proposal";

/// A call of the round service; the message that it answers, or the refusal.
macro_rules! ask {
    ($suite:expr, $who:expr, $call:ident, $request:ident { $($field:ident: $value:expr),* $(,)? }) => {{
        #[allow(clippy::needless_update, reason = "some calls give every field")]
        let request = pb::$request { $($field: $value,)* ..Default::default() };
        $suite.rounds($who).$call(request).await.map(tonic::Response::into_inner)
    }};
}
pub(crate) use ask;

pub(crate) fn name(uscc: &str) -> String {
    format!("enterprises/{uscc}")
}

pub(crate) fn is(code: Code, reason: &str) -> (Code, String) {
    (code, reason.to_owned())
}

pub(crate) fn not_yet(reason: &str) -> (Code, String) {
    is(Code::FailedPrecondition, reason)
}

pub(crate) async fn begin(
    suite: &Suite,
    id: &str,
    review_of: &str,
) -> Result<pb::CreateRoundResponse, Status> {
    ask!(
        suite,
        "rating",
        create_round,
        CreateRoundRequest {
            round_id: id.into(),
            display_name: text("2026 年春季", "Spring 2026"),
            scheme: SCHEME.into(),
            review_of: review_of.into(),
            declare_by_date: if review_of.is_empty() {
                "2026-03-10".into()
            } else {
                String::new()
            },
        }
    )
}

pub(crate) async fn enrol(
    suite: &Suite,
    id: &str,
    firms: &[&str],
) -> Result<pb::EnrolEnterprisesResponse, Status> {
    ask!(
        suite,
        "rating",
        enrol_enterprises,
        EnrolEnterprisesRequest {
            round: format!("rounds/{id}"),
            enterprises: firms.iter().map(|uscc| name(uscc)).collect(),
        }
    )
}

async fn publish(suite: &Suite, who: &str) -> Result<pb::PublishRoundResponse, Status> {
    ask!(
        suite,
        who,
        publish_round,
        PublishRoundRequest { name: ROUND.into() }
    )
}

pub(crate) async fn open_comment(suite: &Suite) -> Result<pb::OpenPublicCommentResponse, Status> {
    ask!(
        suite,
        "rating",
        open_public_comment,
        OpenPublicCommentRequest { name: ROUND.into() }
    )
}

async fn deliberate(suite: &Suite) -> Result<pb::OpenDeliberationResponse, Status> {
    ask!(
        suite,
        "rating",
        open_deliberation,
        OpenDeliberationRequest { name: ROUND.into() }
    )
}

async fn close(suite: &Suite) -> Result<pb::CloseDeliberationResponse, Status> {
    ask!(
        suite,
        "rating",
        close_deliberation,
        CloseDeliberationRequest {
            name: ROUND.into(),
            minutes: "四家到会".into(),
        }
    )
}

pub(crate) async fn confirm(
    suite: &Suite,
    who: &str,
    uscc: &str,
) -> Result<pb::ConfirmVerificationResponse, Status> {
    ask!(
        suite,
        who,
        confirm_verification,
        ConfirmVerificationRequest {
            round: ROUND.into(),
            enterprise: name(uscc),
        }
    )
}

fn lower(uscc: &str, star: Option<i32>, reason: &str) -> pb::Vote {
    pb::Vote {
        enterprise: name(uscc),
        decision: pb::VoteDecision::Lower.into(),
        star,
        reason: reason.into(),
    }
}

async fn vote(suite: &Suite, who: &str, cast: Vec<pb::Vote>, rest: bool) -> Result<i32, Status> {
    let answer = ask!(
        suite,
        who,
        cast_vote,
        CastVoteRequest {
            name: ROUND.into(),
            votes: cast,
            confirm_others: rest,
        }
    );
    Ok(answer?.votes)
}

pub(crate) async fn declaration(suite: &Suite, who: &str, uscc: &str) -> pb::Declaration {
    let answer = ask!(
        suite,
        who,
        get_declaration,
        GetDeclarationRequest {
            round: ROUND.into(),
            enterprise: name(uscc),
        }
    );
    answer.unwrap().declaration.unwrap()
}

pub(crate) async fn overdue(suite: &Suite) -> Vec<String> {
    let late = ask!(suite, "rating", list_overdue_steps, ListOverdueStepsRequest {});
    late.unwrap().steps.into_iter().map(|late| late.step).collect()
}

/// Three enterprises: one is excellent, one claims little, one declares nothing and has a fault.
pub(crate) async fn declared(suite: &Suite) {
    for (uscc, zh) in [(FIRST, "甲"), (SECOND, "乙"), (THIRD, "丙")] {
        create(suite, firm(uscc, zh, "A")).await;
    }
    begin(suite, "spring-2026", "").await.unwrap();
    enrol(suite, "spring-2026", &[FIRST, SECOND, THIRD])
        .await
        .unwrap();
    declare(suite, &name(FIRST), FIRST, excellent()).await.unwrap();
    let little = vec![claim("B02", "1", &[], "CAP")];
    declare(suite, &name(SECOND), SECOND, little).await.unwrap();
    crate::events::record(
        suite,
        "enforcement",
        THIRD,
        "permit_terms_breached",
        "1",
        "2026-02-01",
    )
    .await
    .unwrap();
}

/// Everything declared was looked at by two officers, and who would lose has answered.
async fn verified(suite: &Suite) {
    let verdicts: Vec<_> = excellent().iter().map(verdict).collect();
    verify(suite, "rating/2", FIRST, verdicts).await.unwrap();
    confirm(suite, "rating/3", FIRST).await.unwrap();
    let little = vec![verdict(&claim("B02", "1", &[], "CAP"))];
    verify(suite, "rating/2", SECOND, little).await.unwrap();
    confirm(suite, "rating/3", SECOND).await.unwrap();
}

async fn noticed(suite: &Suite) {
    ask!(
        suite,
        "rating",
        issue_notices,
        IssueNoticesRequest { name: ROUND.into() }
    )
    .unwrap();
    let answer = ask!(
        suite,
        "rating",
        answer_notice,
        AnswerNoticeRequest {
            round: ROUND.into(),
            enterprise: name(THIRD),
            text: "正在整改".into(),
        }
    );
    answer.unwrap();
}

pub(crate) fn after(day: &str) -> Timestamp {
    date(day).plus_days(1).start()
}

#[tokio::test]
async fn a_round_goes_through_every_step_of_the_district_and_none_can_be_left_out() {
    for suite in Suite::both(noon("2026-03-02")).await {
        declared(&suite).await;
        suite.clock.set(after("2026-03-10"));
        let verdicts: Vec<_> = excellent().iter().map(verdict).collect();
        verify(&suite, "rating/2", FIRST, verdicts).await.unwrap();
        assert_eq!(refused(publish(&suite, "rating").await), not_yet("ROUND_STATE"));
        assert_eq!(refused(open_comment(&suite).await), not_yet("VERIFICATION_OPEN"));
        verified(&suite).await;
        assert_eq!(refused(open_comment(&suite).await), not_yet("NOTICES_MISSING"));

        let run = ask!(
            suite,
            "rating",
            dry_run_round,
            DryRunRoundRequest { name: ROUND.into() }
        )
        .unwrap();
        let stars: Vec<_> = run.listed.iter().map(|line| (line.star, line.count)).collect();
        assert_eq!((stars, run.enrolled, run.losing), (vec![(5, 1), (3, 1)], 3, 1));
        let losing: Vec<_> = run.lines.iter().filter(|line| line.loses).collect();
        assert_eq!(
            (losing[0].enterprise.as_str(), losing[0].points.as_str()),
            (name(THIRD).as_str(), "54")
        );
        assert_eq!(
            suite.rating_of("rating", FIRST).await.state(),
            RatingState::NotRated,
            "nothing changed"
        );

        ask!(
            suite,
            "rating",
            issue_notices,
            IssueNoticesRequest { name: ROUND.into() }
        )
        .unwrap();
        let told = declaration(&suite, "rating", THIRD).await.notice.unwrap();
        assert_eq!(
            (told.to_state(), told.points.as_str()),
            (RatingState::NotListed, "54")
        );
        let line = &told.lines[0];
        assert_eq!((line.item.as_str(), line.points.as_str()), ("A02", "-6"));
        assert!(
            line.way_back.as_ref().unwrap().zh.contains("2027-02-02"),
            "{line:?}"
        );
        assert_eq!(refused(open_comment(&suite).await), not_yet("STEP_TOO_EARLY"));
        let unasked = ask!(
            suite,
            &name(SECOND),
            answer_notice,
            AnswerNoticeRequest {
                round: ROUND.into(),
                enterprise: name(SECOND),
                text: "?".into(),
            }
        );
        assert_eq!(refused(unasked), is(Code::NotFound, "ROUND_NOTICE_UNKNOWN"));
        noticed(&suite).await;
        let unseen = suite
            .public_rounds()
            .get_round(pb::GetRoundRequest { name: ROUND.into() })
            .await;
        assert_eq!(refused(unseen), is(Code::NotFound, "ROUND_UNKNOWN"));
        let round = open_comment(&suite).await.unwrap().round.unwrap();
        // Ten working days from Wednesday the 11th.
        let until = round.comment_until_time.unwrap().seconds * 1_000_000;
        assert_eq!(until, after("2026-03-25").micros());

        commented(&suite).await;
        deliberated(&suite).await;
        approved(&suite).await;
        let suite = suite.restarted().await;
        let first = suite.rating_of("rating", FIRST).await;
        assert_eq!(
            (first.star, first.points.as_str()),
            (Some(4), "93"),
            "lowered, whatever the points"
        );
        assert!(first.blocked_by.unwrap().zh.contains("联合会审"));
        let told = suite.rating_of("licensing", FIRST).await;
        assert_eq!((told.star, told.blocked_by), (Some(4), None));
        steps_are_told(&suite).await;
        suite.stop().await;
    }
}

async fn commented(suite: &Suite) {
    let mut public = suite.public_rounds();
    let proposals = pb::ListProposalsRequest {
        round: ROUND.into(),
        ..Default::default()
    };
    let shown = public
        .list_proposals(proposals)
        .await
        .unwrap()
        .into_inner()
        .proposals;
    let shown: Vec<_> = shown
        .into_iter()
        .map(|line| (line.enterprise, line.star))
        .collect();
    assert_eq!(
        shown,
        [(name(FIRST), 5), (name(SECOND), 3)],
        "an honour is no blacklist"
    );
    let comment = pb::AddCommentRequest {
        round: ROUND.into(),
        enterprise: name(FIRST),
        author: "附近居民".into(),
        text: "夜间有异味".into(),
        ..Default::default()
    };
    let made = public
        .add_comment(comment.clone())
        .await
        .unwrap()
        .into_inner()
        .comment
        .unwrap();
    let list = pb::ListCommentsRequest {
        round: ROUND.into(),
        ..Default::default()
    };
    let comments = public
        .list_comments(list.clone())
        .await
        .unwrap()
        .into_inner()
        .comments;
    assert!(comments.is_empty(), "nothing is shown before it is answered");
    assert_eq!(refused(publish(suite, "rating").await), not_yet("COMMENT_OPEN"));
    assert_eq!(refused(deliberate(suite).await), not_yet("COMMENT_OPEN"));
    let early = vote(suite, "finance", Vec::new(), true).await;
    assert_eq!(refused(early), not_yet("ROUND_STATE"));
    suite.clock.set(after("2026-03-25"));
    assert_eq!(overdue(suite).await, ["DELIBERATION_OPENED"]);
    assert_eq!(
        refused(public.add_comment(comment).await),
        not_yet("DEADLINE_PASSED")
    );
    assert_eq!(refused(deliberate(suite).await), not_yet("COMMENTS_UNANSWERED"));
    let answer = ask!(
        suite,
        "rating",
        answer_comment,
        AnswerCommentRequest {
            name: made.name.clone(),
            answer: "已现场核查，未发现超标".into(),
        }
    );
    answer.unwrap();
    let comments = public.list_comments(list).await.unwrap().into_inner().comments;
    assert_eq!((comments.len(), comments[0].caller.as_str()), (1, ""));
    deliberate(suite).await.unwrap();
}

async fn deliberated(suite: &Suite) {
    let denied = |reason: &str| is(Code::PermissionDenied, reason);
    let invalid = |reason: &str| is(Code::InvalidArgument, reason);
    assert_eq!(
        refused(vote(suite, "awards", Vec::new(), true).await),
        denied("NOT_A_MEMBER")
    );
    assert_eq!(
        refused(vote(suite, "rating/2", Vec::new(), true).await),
        denied("SAME_OFFICER")
    );
    for (star, reason) in [(Some(5), "VOTE_CANNOT_RAISE"), (Some(4), "FIELD_INVALID")] {
        let wrong = vote(suite, "finance", vec![lower(FIRST, star, " ")], false).await;
        assert_eq!(refused(wrong), invalid(reason));
    }
    let nothing = vote(suite, "finance", vec![lower(THIRD, None, "理由")], false).await;
    assert_eq!(
        refused(nothing),
        invalid("VOTE_CANNOT_RAISE"),
        "it has no star to lose"
    );
    let recuse = ask!(
        suite,
        "finance",
        recuse,
        RecuseRequest {
            name: ROUND.into(),
            enterprises: vec![name(FIRST)],
            reason: "亲属任职".into(),
        }
    );
    recuse.unwrap();
    let recused = vote(suite, "finance", vec![lower(FIRST, Some(4), "理由")], false).await;
    assert_eq!(refused(recused), denied("RECUSED"));
    // What it confirms in general does not reach the enterprise from which it is recused.
    vote(suite, "finance", Vec::new(), true).await.unwrap();
    vote(suite, "rating", Vec::new(), true).await.unwrap();
    vote(
        suite,
        "enforcement",
        vec![lower(FIRST, Some(4), "异味投诉")],
        true,
    )
    .await
    .unwrap();
    assert_eq!(refused(close(suite).await), not_yet("QUORUM_MISSING"));
    vote(
        suite,
        "licensing",
        vec![lower(FIRST, Some(4), "许可事项整改中")],
        true,
    )
    .await
    .unwrap();
    vote(
        suite,
        "finance/2",
        vec![lower(FIRST, Some(3), "两项未达标")],
        true,
    )
    .await
    .unwrap();
    close(suite).await.unwrap();
    let late = vote(suite, "licensing", vec![lower(FIRST, Some(3), "理由")], false).await;
    assert_eq!(refused(late), not_yet("ROUND_STATE"), "closed");
}

async fn approved(suite: &Suite) {
    assert_eq!(
        refused(publish(suite, "rating").await),
        not_yet("APPROVAL_MISSING")
    );
    let approve = async |date: &str| {
        let document = common::Document {
            issuer: "北京市大兴区人民政府".into(),
            number: "京兴政函〔2026〕9号".into(),
            date: date.into(),
        };
        ask!(
            suite,
            "rating/3",
            approve_round,
            ApproveRoundRequest {
                name: ROUND.into(),
                document: Some(document),
            }
        )
    };
    assert_eq!(
        refused(approve("2026-03-27").await),
        is(Code::InvalidArgument, "DATE_INVALID")
    );
    let round = approve("2026-03-26").await.unwrap().round.unwrap();
    // Five working days, over the Tomb-sweeping days from 4 to 6 April.
    let by = round.publish_by_time.unwrap().seconds * 1_000_000;
    assert_eq!(by, after("2026-04-02").micros());
    assert_eq!(
        refused(approve("2026-03-26").await),
        is(Code::AlreadyExists, "APPROVAL_EXISTS")
    );
    assert_eq!(
        refused(publish(suite, "rating/3").await),
        is(Code::PermissionDenied, "SAME_OFFICER")
    );
    suite.clock.set(after("2026-04-02"));
    assert_eq!(overdue(suite).await, ["PUBLISHED"]);
    let round = publish(suite, "rating").await.unwrap().round.unwrap();
    let listed: Vec<_> = round.listed.iter().map(|line| (line.star, line.count)).collect();
    assert_eq!(
        (listed, round.approval.as_str()),
        (vec![(4, 1), (3, 1)], "京兴政函〔2026〕9号")
    );
    assert_eq!(overdue(suite).await, [""; 0]);
    let over = ask!(
        suite,
        "rating",
        withdraw_round,
        WithdrawRoundRequest {
            name: ROUND.into(),
            reason: "?".into(),
        }
    );
    assert_eq!(refused(over), not_yet("ROUND_STATE"));
}

async fn steps_are_told(suite: &Suite) {
    let (mut steps, mut token) = (Vec::new(), String::new());
    loop {
        let page = ask!(
            suite,
            "rating",
            list_round_steps,
            ListRoundStepsRequest {
                round: ROUND.into(),
                page_size: 7,
                page_token: token.clone(),
            }
        );
        let page = page.unwrap();
        steps.extend(page.steps);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert!(steps.iter().zip(1..).all(|(step, number)| step.number == number));
    assert!(
        steps
            .iter()
            .all(|step| !step.actor.is_empty() && !step.basis.is_empty())
    );
    let mut kinds: Vec<&str> = steps.iter().map(|step| step.step.as_str()).collect();
    kinds.dedup();
    #[rustfmt::skip]
    assert_eq!(kinds, [
        "CREATED", "ENROLLED", "DECLARED", "VERIFIED", "CONFIRMED", "VERIFIED", "CONFIRMED", "NOTICED",
        "NOTICE_ANSWERED", "COMMENT_OPENED", "COMMENTED", "COMMENT_ANSWERED", "DELIBERATION_OPENED", "RECUSED",
        "VOTED", "DELIBERATION_CLOSED", "APPROVED", "PUBLISHED",
    ]);
}
