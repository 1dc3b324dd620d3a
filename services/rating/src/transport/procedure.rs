//! The steps of a round beyond declaring and verifying: parse, ask, convert.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, Officer, Standing, Star, Uscc};
use greenstar_proto::rating::v1 as pb;
use greenstar_rpc::{Call, accept, names, pages};
use greenstar_store::{StoreError, Tx};
use tonic::{Request, Response, Status};

use super::{Desk, convert, course_convert, parse, repeat, status, unexpected};
use crate::domain::command::{Answer, Command, Said, Step};
use crate::domain::course::{Comment, Limit};
use crate::domain::error::Refusal;
use crate::domain::outcome;
use crate::domain::round::Round;
use crate::domain::visibility;
use crate::store::{Shown, cohort, enrolled, firm, firms, open_rounds, page_of_comments, round, steps};

/// Parts of a cohort that are read at once.
const AT_ONCE: usize = 500;

fn failed(error: StoreError) -> Status {
    status::store(&error)
}

/// What a step with an enterprise concerns.
fn of(round: &str, enterprise: &str) -> Result<(Code, Uscc), Status> {
    Ok((
        parse::round("round", round)?,
        names::enterprise("enterprise", enterprise)?,
    ))
}

/// A handler of a step that answers with the round.
macro_rules! step {
    ($(#[$doc:meta])* $name:ident, $method:literal, $request:ident => $response:ident, |$call:ident, $read:ident| $made:expr) => {
        $(#[$doc])*
        pub(super) async fn $name(
            desk: &Desk,
            request: Request<pb::$request>,
        ) -> Result<Response<pb::$response>, Status> {
            let ($call, mut $read) = accept(request)?;
            let id = std::mem::take(&mut $read.request_id);
            let repeat = repeat($method, id, &$read);
            let (round, step): (Code, Step) = $made;
            let whole = visibility::is_rating(&$call.caller);
            let (answer, token) = desk.submit(&$call, Command::Proceed { round, step }, repeat).await?;
            let Answer::Round(round) = answer else { return Err(unexpected()) };
            let round = Some(convert::round(round, whole));
            Ok(Response::new(pb::$response { round, token }))
        }
    };
}

step! {
    /// A declaration is to be corrected.
    return_declaration, "ReturnDeclaration", ReturnDeclarationRequest => ReturnDeclarationResponse, |call, read| {
        let (round, uscc) = of(&read.round, &read.enterprise)?;
        (round, Step::Return { uscc, reason: read.reason })
    }
}
step! {
    /// Who would lose is told.
    issue_notices, "IssueNotices", IssueNoticesRequest => IssueNoticesResponse, |call, read| {
        (parse::round("name", &read.name)?, Step::IssueNotices)
    }
}
step! {
    /// The enterprise answers.
    answer_notice, "AnswerNotice", AnswerNoticeRequest => AnswerNoticeResponse, |call, read| {
        let (round, uscc) = of(&read.round, &read.enterprise)?;
        call.own(&uscc)?;
        (round, Step::AnswerNotice { uscc, text: read.text })
    }
}
step! {
    /// The public is shown what is proposed.
    open_public_comment, "OpenPublicComment", OpenPublicCommentRequest => OpenPublicCommentResponse, |call, read| {
        let days = u16::try_from(read.working_days).ok().filter(|days| *days > 0);
        (parse::round("name", &read.name)?, Step::OpenComment { days })
    }
}
step! {
    /// Members are handed what is proposed.
    open_deliberation, "OpenDeliberation", OpenDeliberationRequest => OpenDeliberationResponse, |call, read| {
        (parse::round("name", &read.name)?, Step::OpenDeliberation)
    }
}
step! {
    /// An officer stands back.
    recuse, "Recuse", RecuseRequest => RecuseResponse, |call, read| {
        let each = read.enterprises.iter().map(|name| names::enterprise("enterprises", name));
        let step = Step::Recuse {
            enterprises: each.collect::<Result<_, _>>()?,
            officer: (!read.officer.is_empty()).then_some(Officer(read.officer)),
            reason: read.reason,
        };
        (parse::round("name", &read.name)?, step)
    }
}
step! {
    /// Deliberation ends.
    close_deliberation, "CloseDeliberation", CloseDeliberationRequest => CloseDeliberationResponse, |call, read| {
        (parse::round("name", &read.name)?, Step::CloseDeliberation { minutes: read.minutes })
    }
}
step! {
    /// The government approves.
    approve_round, "ApproveRound", ApproveRoundRequest => ApproveRoundResponse, |call, read| {
        let document = parse::document(read.document)?;
        (parse::round("name", &read.name)?, Step::Approve { document })
    }
}
step! {
    /// The round is given up.
    withdraw_round, "WithdrawRound", WithdrawRoundRequest => WithdrawRoundResponse, |call, read| {
        (parse::round("name", &read.name)?, Step::Withdraw { reason: read.reason })
    }
}

/// Verdicts are confirmed.
pub(super) async fn confirm_verification(
    desk: &Desk,
    request: Request<pb::ConfirmVerificationRequest>,
) -> Result<Response<pb::ConfirmVerificationResponse>, Status> {
    let (call, mut read) = accept(request)?;
    let id = std::mem::take(&mut read.request_id);
    let repeat = repeat("ConfirmVerification", id, &read);
    let (round, uscc) = of(&read.round, &read.enterprise)?;
    let items = read.items.iter().map(|item| parse::code("items", item));
    let step = Step::Confirm {
        uscc,
        items: items.collect::<Result<_, _>>()?,
    };
    let command = Command::Proceed { round, step };
    let (items, token) = desk.counted(&call, command, repeat).await?;
    Ok(Response::new(pb::ConfirmVerificationResponse { items, token }))
}

/// A department votes.
pub(super) async fn cast_vote(
    desk: &Desk,
    request: Request<pb::CastVoteRequest>,
) -> Result<Response<pb::CastVoteResponse>, Status> {
    let (call, mut read) = accept(request)?;
    let id = std::mem::take(&mut read.request_id);
    let repeat = repeat("CastVote", id, &read);
    let round = parse::round("name", &read.name)?;
    let votes = read.votes.into_iter().map(|vote| {
        let uscc = names::enterprise("votes.enterprise", &vote.enterprise)?;
        let star = vote.star.map(parse::star).transpose()?;
        let said = match pb::VoteDecision::try_from(vote.decision) {
            Ok(pb::VoteDecision::Lower) => Said::Lower(Limit {
                star,
                reason: vote.reason,
            }),
            Ok(pb::VoteDecision::Confirm) if star.is_none() => Said::Confirm,
            Ok(pb::VoteDecision::Confirm | pb::VoteDecision::Unspecified) | Err(_) => {
                let said = ("同意时不填星级", "a star only with a vote that lowers");
                return Err(status::refused(&Refusal::field("votes.star", said)));
            }
        };
        Ok((uscc, said))
    });
    let votes: Vec<(Uscc, Said)> = votes.collect::<Result<_, Status>>()?;
    if votes.is_empty() && !read.confirm_others {
        let said = ("至少一票，或 confirm_others", "given, or confirm_others set");
        return Err(status::refused(&Refusal::field("votes", said)));
    }
    let step = Step::Vote {
        votes,
        confirm_others: read.confirm_others,
    };
    let command = Command::Proceed { round, step };
    let (votes, token) = desk.counted(&call, command, repeat).await?;
    Ok(Response::new(pb::CastVoteResponse { votes, token }))
}

/// Somebody comments.
pub(super) async fn add_comment(
    desk: &Desk,
    request: Request<pb::AddCommentRequest>,
) -> Result<Response<pb::AddCommentResponse>, Status> {
    let (call, mut read) = accept(request)?;
    let id = std::mem::take(&mut read.request_id);
    let repeat = repeat("AddComment", id, &read);
    let uscc = match read.enterprise.as_str() {
        "" => None,
        name => Some(names::enterprise("enterprise", name)?),
    };
    let step = Step::Comment {
        id: desk.fresh_id()?,
        uscc,
        signed: read.author,
        text: read.text,
    };
    let round = parse::round("round", &read.round)?;
    let (comment, token) = commented(desk, &call, Command::Proceed { round, step }, repeat).await?;
    let comment = Some(comment);
    Ok(Response::new(pb::AddCommentResponse { comment, token }))
}

/// An officer moderates and answers.
pub(super) async fn answer_comment(
    desk: &Desk,
    request: Request<pb::AnswerCommentRequest>,
) -> Result<Response<pb::AnswerCommentResponse>, Status> {
    let (call, mut read) = accept(request)?;
    let id = std::mem::take(&mut read.request_id);
    let repeat = repeat("AnswerComment", id, &read);
    let (round, comment) = names::nested("name", &read.name, "rounds", "comments")?;
    let step = Step::AnswerComment {
        id: parse::code("name", comment)?,
        shown: !read.hidden,
        text: read.answer,
    };
    let round = parse::round("name", &format!("rounds/{round}"))?;
    let (comment, token) = commented(desk, &call, Command::Proceed { round, step }, repeat).await?;
    let comment = Some(comment);
    Ok(Response::new(pb::AnswerCommentResponse { comment, token }))
}

async fn commented(
    desk: &Desk,
    call: &Call,
    command: Command,
    repeat: Option<crate::store::RequestId>,
) -> Result<(pb::Comment, String), Status> {
    let whole = visibility::is_rating(&call.caller);
    match desk.submit(call, command, repeat).await? {
        (Answer::Comment(round, comment), token) => {
            Ok((course_convert::comment(&round, *comment, whole), token))
        }
        (_, _) => Err(unexpected()),
    }
}

/// A round by name; `shown`: one that the reader may see.
async fn known(tx: &mut Tx, field: &str, raw: &str, shown: impl Fn(&Round) -> bool) -> Result<Round, Status> {
    let id = parse::round(field, raw)?;
    let found = round(tx, &id).await.map_err(failed)?;
    found
        .filter(shown)
        .ok_or_else(|| status::refused(&Refusal::RoundUnknown(raw.to_owned())))
}

/// An enterprise's part.
pub(super) async fn get_declaration(
    desk: &Desk,
    request: Request<pb::GetDeclarationRequest>,
) -> Result<Response<pb::GetDeclarationResponse>, Status> {
    let (call, read) = accept(request)?;
    let uscc = names::enterprise("enterprise", &read.enterprise)?;
    call.own(&uscc)?;
    let (mut tx, token) = desk.reading().await?;
    let round = known(&mut tx, "round", &read.round, |_| true).await?;
    let absent = || status::refused(&Refusal::NotEnrolled(uscc));
    let part = enrolled(&mut tx, &round.id, &uscc).await.map_err(failed)?;
    let part = part.ok_or_else(absent)?;
    let firm = firm(&mut tx, &uscc).await.map_err(failed)?.ok_or_else(absent)?;
    let stored = desk.scheme_named(&mut tx, &round.scheme).await?;
    let official = call.caller.department().is_some();
    let declaration = course_convert::declaration(&round, &firm, part, &stored.scheme, official);
    let declaration = Some(declaration);
    Ok(Response::new(pb::GetDeclarationResponse { declaration, token }))
}

/// What the public is shown.
pub(super) async fn list_proposals(
    desk: &Desk,
    request: Request<pb::ListProposalsRequest>,
) -> Result<Response<pb::ListProposalsResponse>, Status> {
    let (_, read) = accept(request)?;
    let query = ["ListProposals", &read.round];
    let page = pages::page(read.page_size, &read.page_token, &query)?;
    let (mut tx, token) = desk.reading().await?;
    let shown = |round: &Round| round.course.comment.is_some();
    let round = known(&mut tx, "round", &read.round, shown).await?;
    let mut after = page.after.unwrap_or_default();
    let (mut proposals, mut next_page_token) = (Vec::new(), String::new());
    // Who would have no star is skipped, so a page may take several reads.
    'pages: loop {
        let parts = cohort(&mut tx, &round.id, &after, AT_ONCE)
            .await
            .map_err(failed)?;
        let codes = parts.iter().map(|(uscc, _)| uscc.into()).collect();
        let known = firms(&mut tx, codes).await.map_err(failed)?;
        for (uscc, part) in &parts {
            if let (Some(star), Some(firm)) = (part.proposed.and_then(Standing::star), known.get(uscc)) {
                if proposals.len() == page.size {
                    next_page_token = pages::next_token(&query, &after);
                    break 'pages;
                }
                proposals.push(course_convert::proposal(firm, star));
            }
            after = uscc.to_string();
        }
        if parts.len() < AT_ONCE {
            break;
        }
    }
    Ok(Response::new(pb::ListProposalsResponse {
        proposals,
        next_page_token,
        token,
    }))
}

/// What was said of it.
pub(super) async fn list_comments(
    desk: &Desk,
    request: Request<pb::ListCommentsRequest>,
) -> Result<Response<pb::ListCommentsResponse>, Status> {
    let (call, read) = accept(request)?;
    let whole = visibility::is_rating(&call.caller);
    let (which, name) = match (whole, read.unanswered) {
        (true, true) => (Shown::Unanswered, "unanswered"),
        (true, false) => (Shown::All, "all"),
        (false, _) => (Shown::Public, "public"),
    };
    let query = ["ListComments", &read.round, name];
    let page = pages::page(read.page_size, &read.page_token, &query)?;
    let (mut tx, token) = desk.reading().await?;
    let shown = |round: &Round| whole || round.course.comment.is_some();
    let round = known(&mut tx, "round", &read.round, shown).await?;
    let after = page.after.unwrap_or_default();
    let found = page_of_comments(&mut tx, &round.id, which, &after, page.size + 1).await;
    let mut found: Vec<Comment> = found.map_err(failed)?;
    let more = found.len() > page.size;
    found.truncate(page.size);
    let next_page_token = match found.last().filter(|_| more) {
        Some(last) => pages::next_token(&query, last.id.as_str()),
        None => String::new(),
    };
    let comments = found
        .into_iter()
        .map(|comment| course_convert::comment(&round.id, comment, whole));
    Ok(Response::new(pb::ListCommentsResponse {
        comments: comments.collect(),
        next_page_token,
        token,
    }))
}

/// Who did what, when, on what basis.
pub(super) async fn list_round_steps(
    desk: &Desk,
    request: Request<pb::ListRoundStepsRequest>,
) -> Result<Response<pb::ListRoundStepsResponse>, Status> {
    let (_, read) = accept(request)?;
    let query = ["ListRoundSteps", &read.round];
    let page = pages::page(read.page_size, &read.page_token, &query)?;
    let after = page
        .after
        .as_deref()
        .map(|raw| raw.parse().map_err(|_| parse::stale_page()));
    let after = after.transpose()?.unwrap_or(0);
    let (mut tx, token) = desk.reading().await?;
    let round = known(&mut tx, "round", &read.round, |_| true).await?;
    let mut found = steps(&mut tx, &round.id, after, page.size + 1)
        .await
        .map_err(failed)?;
    let more = found.len() > page.size;
    found.truncate(page.size);
    let next_page_token = match found.last().filter(|_| more) {
        Some(last) => pages::next_token(&query, &last.number.to_string()),
        None => String::new(),
    };
    Ok(Response::new(pb::ListRoundStepsResponse {
        steps: found.into_iter().map(course_convert::step).collect(),
        next_page_token,
        token,
    }))
}

/// What is late. Rounds that go on are few, so all are looked at, and a page is cut from what is late in them.
pub(super) async fn list_overdue_steps(
    desk: &Desk,
    request: Request<pb::ListOverdueStepsRequest>,
) -> Result<Response<pb::ListOverdueStepsResponse>, Status> {
    let (_, read) = accept(request)?;
    let query = ["ListOverdueSteps"];
    let page = pages::page(read.page_size, &read.page_token, &query)?;
    let skipped = page
        .after
        .as_deref()
        .map(|raw| raw.parse().map_err(|_| parse::stale_page()));
    let skipped: usize = skipped.transpose()?.unwrap_or(0);
    let now = desk.instant();
    let (mut tx, token) = desk.reading().await?;
    let rounds = open_rounds(&mut tx).await.map_err(failed)?;
    let late: Vec<_> = rounds.iter().flat_map(|round| round.overdue(now)).collect();
    let (all, end) = (late.len(), skipped.saturating_add(page.size));
    let steps = late.into_iter().skip(skipped).take(page.size);
    Ok(Response::new(pb::ListOverdueStepsResponse {
        steps: steps.map(course_convert::overdue).collect(),
        next_page_token: if end < all {
            pages::next_token(&query, &end.to_string())
        } else {
            String::new()
        },
        token,
    }))
}

/// What publishing now would do.
pub(super) async fn dry_run_round(
    desk: &Desk,
    request: Request<pb::DryRunRoundRequest>,
) -> Result<Response<pb::DryRunRoundResponse>, Status> {
    let (_, read) = accept(request)?;
    let query = [
        "DryRunRound",
        &read.name,
        if read.moving { "moving" } else { "all" },
    ];
    let page = pages::page(read.page_size, &read.page_token, &query)?;
    let page_after = page.after.clone().unwrap_or_default();
    let (mut tx, token) = desk.reading().await?;
    let round = known(&mut tx, "name", &read.name, |_| true).await?;
    if !round.is_open() {
        let needed = "DRAFT to GOV_APPROVAL";
        let state = round.state;
        return Err(status::refused(&Refusal::RoundState { state, needed }));
    }
    let stored = desk.scheme_named(&mut tx, &round.scheme).await?;
    let (now, mut after) = (desk.instant(), String::new());
    let mut moves: BTreeMap<String, (Standing, Standing, u32)> = BTreeMap::new();
    let mut stars: BTreeMap<Star, u32> = BTreeMap::new();
    let (mut lines, mut losing, mut more) = (Vec::new(), 0, false);
    loop {
        let parts = cohort(&mut tx, &round.id, &after, AT_ONCE)
            .await
            .map_err(failed)?;
        let codes: Vec<Uscc> = parts.iter().map(|(uscc, _)| *uscc).collect();
        let known = firms(&mut tx, codes.iter().map(Into::into).collect())
            .await
            .map_err(failed)?;
        for (uscc, part) in &parts {
            let Some(firm) = known.get(uscc) else { continue };
            let corrupt = |error| failed(StoreError::corrupt(error));
            let own = desk.scheme_of(&mut tx, firm).await?;
            let before = firm
                .view(own.as_ref().map(|own| &own.scheme), now)
                .map_err(corrupt)?
                .standing;
            let anew = outcome::rated_anew(firm, &round, part, &stored.scheme, now).map_err(corrupt)?;
            let Some(assessment) = anew.1 else { continue };
            let (to, loses) = (assessment.standing, outcome::loses(before, assessment.standing));
            if let Some(star) = to.star() {
                *stars.entry(star).or_default() += 1;
            }
            losing += u32::from(loses);
            moves
                .entry(format!("{before:?}{to:?}"))
                .or_insert((before, to, 0))
                .2 += 1;
            if (read.moving && before == to) || uscc.as_str() <= page_after.as_str() {
                continue;
            }
            if lines.len() == page.size {
                more = true;
            } else {
                lines.push(convert::dry_run_line(uscc, before, &assessment, loses));
            }
        }
        match parts.last() {
            Some((last, _)) if parts.len() == AT_ONCE => after = last.to_string(),
            Some(_) | None => break,
        }
    }
    let next_page_token = match lines.last().filter(|_| more) {
        Some(last) => pages::next_token(&query, last.enterprise.trim_start_matches("enterprises/")),
        None => String::new(),
    };
    let mut moves: Vec<_> = moves.into_values().collect();
    moves.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    Ok(Response::new(pb::DryRunRoundResponse {
        listed: stars.into_iter().rev().map(convert::star_count).collect(),
        enrolled: i32::try_from(round.enrolled).unwrap_or(i32::MAX),
        losing: i32::try_from(losing).unwrap_or(i32::MAX),
        moves: moves
            .into_iter()
            .map(|(from, to, count)| course_convert::moved(from, to, count))
            .collect(),
        lines,
        next_page_token,
        token,
    }))
}
