//! FindImprovement: parse, reach the level, search, convert.

use greenstar_kernel::{Caller, Standing};
use greenstar_proto::supervision::v1 as pb;
use greenstar_rpc::{Call, accept, names};
use tokio::task::spawn_blocking;
use tonic::{Request, Response, Status};

use super::convert;
use super::decisions::RATING;
use super::desk::{self, Desk, Sound};
use super::status;
use crate::consistency::{Level, Reached};
use crate::domain::improve::{Change, Improvement, Set, Verdict, What, improve};
use crate::domain::matter::{Handling, Stale};
use crate::follow::wire;
use crate::view::Look;

pub(super) async fn find_improvement(
    desk: &Desk,
    request: Request<pb::FindImprovementRequest>,
) -> Result<Response<pb::FindImprovementResponse>, Status> {
    let (call, request) = accept(request)?;
    let uscc = names::enterprise("enterprise", &request.enterprise)?;
    call.own(&uscc)?;
    let (department, matter) = names::matter("matter", &request.matter)?;
    if call.caller.department().is_some_and(|own| *own != department) {
        return Err(status::matter_not_yours(&department));
    }
    let level = Level::read(request.consistency.as_ref()).map_err(|error| status::unreached(&error))?;
    let limit = desk::staleness_limit(request.consistency.as_ref())?;
    let reached = desk.freshness.reach(level, desk::deadline(&call)).await;
    let reached = reached.map_err(|error| status::unreached(&error))?;
    tracing::info!(
        principal = call.caller.principal(),
        enterprise = uscc.as_str(),
        matter = request.matter,
        "somebody asks for the smallest change"
    );
    let here = desk.clone();
    // It decides again and again.
    let answered = spawn_blocking(move || {
        let Look {
            reading,
            age,
            now,
            as_of,
        } = here.view.look(&*here.clock).ok_or_else(status::not_ready)?;
        let Reached { token, .. } = &reached;
        if let Some(log) = reading.misses(token) {
            return Err(status::unreached(&here.freshness.missed(log, token)));
        }
        let mut facts = reading.facts(&uscc).map_err(status::unreadable)?;
        let rated = facts.rating.at(as_of).standing.star().is_some();
        let why = rated || sees_why(&call);
        if !why {
            facts.rating.next = None;
        }
        let ruling = reading.ruling(as_of).ok_or_else(status::not_ready)?;
        let policy = ruling.policy.as_ref().ok_or_else(status::not_ready)?;
        let unknown = || status::matter_unknown(department.as_str(), &status::shortened(matter.as_str()));
        let asked = policy
            .matter(department.as_str(), matter.as_str())
            .ok_or_else(unknown)?;
        let given = request.arguments.iter();
        let given = given.map(|(name, value)| (name.as_str(), value.as_str()));
        let arguments = asked
            .parse_arguments(given)
            .map_err(|error| status::arguments(&error))?;
        let age = reached.age(age, now);
        let bound = asked.bound(limit);
        // Advice from what may be wrong is none, whatever the matter does with decisions then.
        match asked.handling(age, limit) {
            Ok(Handling::Fresh) => {}
            Ok(Handling::ManualReview | Handling::Caveat) => {
                return Err(status::stale(&Stale { age, bound }));
            }
            Err(stale) => return Err(status::stale(&stale)),
        }
        match Sound::of(&facts, policy, ruling.sound, as_of) {
            Sound::Unfit => return Err(status::not_ready()),
            // The search says which kind.
            Sound::Yes | Sound::NoSuchKind => {}
        }
        let found = improve(policy, asked, &facts, &arguments, as_of);
        let mut found = found.map_err(|error| status::undecided(&error))?;
        if !why && !facts.events.is_empty() {
            // The day may be that of an event.
            found.by_itself = None;
        }
        let mut answer = answer(&found, why);
        answer.as_of_time = Some(wire::to_instant(as_of));
        answer.policy_version = policy.version().to_owned();
        answer.token = here.view.token(&reading);
        Ok(answer)
    });
    let answer = answered.await.map_err(|error| status::failed(&error))??;
    Ok(Response::new(answer))
}

/// Why a firm has no star is for the rating department and the firm (docs/adr/0003).
fn sees_why(call: &Call) -> bool {
    match &call.caller {
        Caller::Department { department, .. } => department.as_str() == RATING,
        Caller::Enterprise(_) => true,
        Caller::Public => false,
    }
}

fn answer(found: &Improvement<'_>, why: bool) -> pb::FindImprovementResponse {
    let verdict = match found.verdict {
        Verdict::Best => pb::ImprovementVerdict::Best,
        Verdict::Improvable => pb::ImprovementVerdict::Improvable,
        Verdict::NothingHelps => pb::ImprovementVerdict::NothingHelps,
        Verdict::TooIntricate => pb::ImprovementVerdict::TooIntricate,
    };
    let by_itself = found.by_itself.as_ref();
    pb::FindImprovementResponse {
        outcome: found.outcome.code.to_string(),
        verdict: verdict.into(),
        text: Some(convert::text(&found.said())),
        improvements: found.sets.iter().map(|set| improvement(set, why)).collect(),
        by_itself_time: by_itself.map(|(at, _)| wire::to_instant(*at)),
        by_itself_outcome: by_itself.map_or_else(String::new, |(_, outcome)| outcome.code.to_string()),
        ..pb::FindImprovementResponse::default()
    }
}

fn improvement(set: &Set<'_>, why: bool) -> pb::Improvement {
    pb::Improvement {
        outcome: set.outcome.code.to_string(),
        steps: set.changes.iter().map(|change| step(change, why)).collect(),
    }
}

fn step(change: &Change<'_>, why: bool) -> pb::ImprovementStep {
    let hidden = |points: greenstar_kernel::Points| if why { points.to_string() } else { String::new() };
    let mut step = pb::ImprovementStep {
        text: Some(convert::text(&change.said(why))),
        by_itself_time: change
            .by_itself
            .filter(|_| why || change.is_open())
            .map(wire::to_instant),
        ..pb::ImprovementStep::default()
    };
    let kind = match &change.what {
        What::Star { from, to } => {
            step.from = match from {
                Standing::Rated(star) => star.to_string(),
                Standing::NotRated
                | Standing::NotListed
                | Standing::Vetoed
                | Standing::Suspended
                | Standing::Expired => from.state().as_str().to_owned(),
            };
            step.to = to.to_string();
            pb::ImprovementKind::Star
        }
        What::Veto => pb::ImprovementKind::Veto,
        What::Category { from, to, .. } => {
            (step.from, step.to) = (hidden(*from), to.to_string());
            pb::ImprovementKind::CategoryPoints
        }
        What::Total { from, to } => {
            (step.from, step.to) = (hidden(*from), to.to_string());
            pb::ImprovementKind::TotalPoints
        }
        What::Flag { flag, repair, .. } => {
            step.flag = flag.name.to_string();
            step.earliest_repair_date = repair.map_or_else(String::new, |first| first.to_string());
            pb::ImprovementKind::Flag
        }
        What::Rectification if why => pb::ImprovementKind::Rectification,
        What::Event(_) if why => pb::ImprovementKind::Event,
        What::Rectification | What::Event(_) => pb::ImprovementKind::Event,
    };
    step.kind = kind.into();
    step
}
