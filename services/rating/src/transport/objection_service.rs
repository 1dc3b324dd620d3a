//! Objections: parse, ask, convert.

use greenstar_kernel::{Code, Uscc};
use greenstar_proto::rating::v1 as pb;
use greenstar_rpc::{Call, accept, names, pages};
use tonic::{Request, Response, Status};

use super::{Desk, convert, course_convert, parse, repeat, status, unexpected};
use crate::domain::command::{Answer, Command, Objecting};
use crate::domain::error::{Refusal, RoundRefusal};
use crate::domain::objection::{Contested, Finding, Milder, Ruling, Subject};
use crate::domain::visibility;
use crate::store::{RequestId, Wanted, objection, page_of_objections};

fn subject(uscc: &Uscc, item: &str, event: &str) -> Result<Subject, Status> {
    match (item, event) {
        ("", "") => Ok(Subject::Version),
        (item, "") => Ok(Subject::Item(parse::code("points.item", item)?)),
        ("", event) => {
            let unknown = || status::refused(&Refusal::EventUnknown);
            let (owner, id) = names::of_enterprise("points.event", event, "events")?;
            let id = Code::parse(id).map_err(|_| unknown())?;
            (owner == *uscc).then_some(Subject::Event(id)).ok_or_else(unknown)
        }
        (_, _) => {
            let said = ("小项与事件二选一", "an item or an event, not both");
            Err(status::refused(&Refusal::field("points", said)))
        }
    }
}

fn name(raw: &str) -> Result<(Uscc, Code), Status> {
    let (uscc, id) = names::of_enterprise("name", raw, "objections")?;
    let unknown = |_| status::refused(&Refusal::Round(RoundRefusal::ObjectionUnknown));
    Ok((uscc, Code::parse(id).map_err(unknown)?))
}

fn finding(uscc: &Uscc, raw: pb::ObjectionFinding) -> Result<Finding, Status> {
    let subject = subject(uscc, &raw.item, &raw.event)?;
    let given = !raw.points.is_empty() || !raw.tiers.is_empty();
    let grant = given.then(|| parse::grant(&raw.points, &raw.tiers)).transpose()?;
    let missing = || {
        let said = (
            "核定的分值、档次或事件情形",
            "the points, tiers or kind that it is worth",
        );
        status::refused(&Refusal::field("findings", said))
    };
    let verdict = match pb::ObjectionVerdict::try_from(raw.verdict) {
        Ok(pb::ObjectionVerdict::Upheld) => Ruling::Upheld(grant),
        Ok(pb::ObjectionVerdict::Partly) => Ruling::Partly(match (grant, raw.kind.as_str()) {
            (Some(grant), "") => Milder::Worth(grant),
            (None, kind) if !kind.is_empty() => Milder::Kind(parse::code("findings.kind", kind)?),
            (_, _) => return Err(missing()),
        }),
        Ok(pb::ObjectionVerdict::Rejected) => Ruling::Rejected,
        Ok(pb::ObjectionVerdict::Unspecified) | Err(_) => return Err(missing()),
    };
    Ok(Finding {
        subject,
        verdict,
        reason: raw.reason,
    })
}

async fn done(
    desk: &Desk,
    call: &Call,
    command: Command,
    repeat: Option<RequestId>,
) -> Result<(pb::Objection, pb::Rating, String), Status> {
    let (answer, token) = desk.submit(call, command, repeat).await?;
    let Answer::Objection(found) = answer else {
        return Err(unexpected());
    };
    let (objection, view) = *found;
    let whole = visibility::is_rating(&call.caller);
    let objection = course_convert::objection(&view.uscc, objection, whole);
    // Only the rating department and the enterprise itself get here.
    Ok((objection, convert::rating(view, true), token))
}

pub(super) async fn file(
    desk: &Desk,
    request: Request<pb::FileObjectionRequest>,
) -> Result<Response<pb::FileObjectionResponse>, Status> {
    let (call, mut read) = accept(request)?;
    let id = std::mem::take(&mut read.request_id);
    let repeat = repeat("FileObjection", id, &read);
    let uscc = names::enterprise("parent", &read.parent)?;
    call.own(&uscc)?;
    let points = read.points.into_iter().map(|point| {
        let evidence = point.evidence.into_iter();
        let evidence = evidence.map(|piece| parse::evidence("points.evidence.kind", piece));
        Ok(Contested {
            subject: subject(&uscc, &point.item, &point.event)?,
            grounds: point.grounds,
            evidence: evidence.collect::<Result<_, _>>()?,
        })
    });
    let what = Objecting::File {
        version: (read.version > 0).then_some(read.version),
        round: match read.round.as_str() {
            "" => None,
            name => Some(parse::round("round", name)?),
        },
        points: points.collect::<Result<_, Status>>()?,
    };
    let id = desk.fresh_id()?;
    let (objection, rating, token) = done(desk, &call, Command::Objection { uscc, id, what }, repeat).await?;
    Ok(Response::new(pb::FileObjectionResponse {
        objection: Some(objection),
        rating: Some(rating),
        token,
    }))
}

pub(super) async fn decide(
    desk: &Desk,
    request: Request<pb::DecideObjectionRequest>,
) -> Result<Response<pb::DecideObjectionResponse>, Status> {
    let (call, mut read) = accept(request)?;
    let id = std::mem::take(&mut read.request_id);
    let repeat = repeat("DecideObjection", id, &read);
    let (uscc, id) = name(&read.name)?;
    let findings = read.findings.into_iter().map(|raw| finding(&uscc, raw));
    let what = Objecting::Decide {
        findings: findings.collect::<Result<_, _>>()?,
    };
    let (objection, rating, token) = done(desk, &call, Command::Objection { uscc, id, what }, repeat).await?;
    Ok(Response::new(pb::DecideObjectionResponse {
        objection: Some(objection),
        rating: Some(rating),
        token,
    }))
}

pub(super) async fn get(
    desk: &Desk,
    request: Request<pb::GetObjectionRequest>,
) -> Result<Response<pb::GetObjectionResponse>, Status> {
    let (call, read) = accept(request)?;
    let (uscc, id) = name(&read.name)?;
    call.own(&uscc)?;
    let (mut tx, token) = desk.reading().await?;
    let found = objection(&mut tx, &uscc, &id).await;
    let found = found.map_err(|error| status::store(&error))?;
    let unknown = || status::refused(&Refusal::Round(RoundRefusal::ObjectionUnknown));
    let whole = visibility::is_rating(&call.caller);
    let objection = course_convert::objection(&uscc, found.ok_or_else(unknown)?, whole);
    let objection = Some(objection);
    Ok(Response::new(pb::GetObjectionResponse { objection, token }))
}

pub(super) async fn list(
    desk: &Desk,
    request: Request<pb::ListObjectionsRequest>,
) -> Result<Response<pb::ListObjectionsResponse>, Status> {
    let (call, read) = accept(request)?;
    let uscc = names::enterprise_or_all("parent", &read.parent)?;
    let whole = visibility::is_rating(&call.caller);
    match &uscc {
        Some(uscc) => call.own(uscc)?,
        None if whole => {}
        None => return Err(status::refused(&Refusal::NotYours)),
    }
    let narrowed = format!("{}{}", read.open, read.overdue);
    let query = ["ListObjections", &read.parent, &narrowed];
    let page = pages::page(read.page_size, &read.page_token, &query)?;
    let after = page.after.as_deref().map(|raw| {
        let (id, uscc) = raw.split_once(':')?;
        Some((id.to_owned(), uscc.parse::<Uscc>().ok()?))
    });
    let wanted = Wanted {
        uscc,
        open: read.open,
        late: read.overdue.then(|| desk.instant()),
        after: after.map(|key| key.ok_or_else(parse::stale_page)).transpose()?,
    };
    let (mut tx, token) = desk.reading().await?;
    let found = page_of_objections(&mut tx, &wanted, page.size + 1).await;
    let mut found = found.map_err(|error| status::store(&error))?;
    let more = found.len() > page.size;
    found.truncate(page.size);
    let next_page_token = match found.last().filter(|_| more) {
        Some((uscc, last)) => pages::next_token(&query, &format!("{}:{uscc}", last.id)),
        None => String::new(),
    };
    let objections = found
        .into_iter()
        .map(|(uscc, objection)| course_convert::objection(&uscc, objection, whole));
    Ok(Response::new(pb::ListObjectionsResponse {
        objections: objections.collect(),
        next_page_token,
        token,
    }))
}
