//! The feed's words in the contract's, and back.

use std::collections::BTreeSet;
use std::time::Duration;

use greenstar_feed::follow::Rejection;
use greenstar_feed::{Ack, Convergence, FeedError, Filter, Known, Report, Standing, State};
use greenstar_kernel::{Caller, Code, Epoch, LocalizedText, Log, Position, Revision, Timestamp, Uscc};
use greenstar_proto::common::v1 as pb;
use greenstar_proto::common::v1::ErrorReason;
use tonic::Status;

use crate::{field, status, stored};

/// A promise that is worth registering: a replica of the policy service answers as fresh for 5 s, and 2 s are for
/// clocks and delivery (protocol.md §5).
const PROMISE: (Duration, Duration) = (Duration::from_secs(7), Duration::from_secs(3600));
/// Who answers nothing as fresh once it has heard nothing; others cannot promise it.
const FENCES: &str = "supervision-policy";

/// A position of a caller. An epoch that cannot be one of ours is another database's.
pub fn position(raw: &pb::Position) -> Result<Position, FeedError> {
    let epoch = Epoch::parse(&raw.epoch).ok_or(FeedError::Foreign)?;
    Ok(Position {
        epoch,
        revision: Revision(raw.revision),
    })
}

/// A position for a caller.
pub fn wire_position(position: &Position) -> pb::Position {
    pb::Position {
        epoch: position.epoch.to_string(),
        revision: position.revision.0,
    }
}

pub(super) fn time(at: Timestamp) -> pbjson_types::Timestamp {
    let micros = at.micros();
    pbjson_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000) * 1000).unwrap_or(0),
    }
}

/// `{epoch}.{revision}`
pub(super) fn cursor(raw: &str) -> Result<Position, Status> {
    let read = || {
        let (epoch, revision) = raw.rsplit_once('.')?;
        Some(Position {
            epoch: Epoch::parse(epoch)?,
            revision: Revision(revision.parse().ok()?),
        })
    };
    read().ok_or_else(|| {
        let said = LocalizedText::new(
            "游标应为 {epoch}.{revision}，即上一事件的 id；不带游标则先取得完整快照",
            "a cursor is written {epoch}.{revision}, the id of the last event; leave it out to take the snapshot first",
        );
        field("cursor", ErrorReason::FieldInvalid, &said, &[])
    })
}

pub(super) fn written(position: &Position) -> String {
    format!("{}.{}", position.epoch, position.revision)
}

pub(super) fn filter(log: Log, raw: &pb::WatchFilter) -> Result<Filter, Status> {
    let invalid = |field| stored::feed(log, &FeedError::FilterInvalid { field });
    let kinds: Option<BTreeSet<Code>> = raw.kinds.iter().map(|kind| Code::parse(kind).ok()).collect();
    let district = |raw: &String| {
        let fits = raw.len() == 6 && raw.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| raw.clone())
    };
    let districts: Option<BTreeSet<String>> = raw.districts.iter().map(district).collect();
    let enterprise = |raw: &String| raw.strip_prefix("enterprises/")?.parse::<Uscc>().ok();
    let enterprises: Option<BTreeSet<Uscc>> = raw.enterprises.iter().map(enterprise).collect();
    Ok(Filter {
        kinds: kinds.ok_or_else(|| invalid("filter.kinds"))?,
        districts: districts.ok_or_else(|| invalid("filter.districts"))?,
        enterprises: enterprises.ok_or_else(|| invalid("filter.enterprises"))?,
    })
}

pub(super) fn wire_filter(filter: &Filter) -> pb::WatchFilter {
    pb::WatchFilter {
        kinds: filter.kinds.iter().map(ToString::to_string).collect(),
        districts: filter.districts.iter().cloned().collect(),
        enterprises: filter
            .enterprises
            .iter()
            .map(|uscc| format!("enterprises/{uscc}"))
            .collect(),
    }
}

pub(super) fn span(
    name: &str,
    raw: Option<pbjson_types::Duration>,
    longest: Duration,
) -> Result<Option<Duration>, Status> {
    let Some(raw) = raw else { return Ok(None) };
    match Duration::try_from(raw) {
        Ok(span) if span <= longest => Ok(Some(span)),
        Ok(_) | Err(_) => {
            let most = longest.as_secs();
            let said = LocalizedText::new(
                format!("时长应在0至{most}秒之间"),
                format!("between 0 and {most} seconds"),
            );
            Err(field(name, ErrorReason::FieldInvalid, &said, &[]))
        }
    }
}

/// Errors: PERMISSION_DENIED DEPARTMENT_NOT_ALLOWED, INVALID_ARGUMENT FIELD_INVALID.
pub(super) fn fences(
    caller: &Caller,
    raw: Option<pbjson_types::Duration>,
) -> Result<Option<Duration>, Status> {
    let (least, most) = PROMISE;
    let department = caller.department().map_or("", |department| department.as_str());
    if raw.is_some() && department != FENCES {
        let said = LocalizedText::new(
            "只有监管政策服务的副本可以承诺在失联后停止给出最新答复；请去掉 fences_after",
            "only a replica of supervision-policy can promise to fence; leave fences_after out",
        );
        return Err(status(
            tonic::Code::PermissionDenied,
            ErrorReason::DepartmentNotAllowed,
            &said,
            &[("department", department.to_owned())],
        ));
    }
    let span = span("open.fences_after", raw, most)?;
    match span {
        Some(span) if span < least => {
            let said = LocalizedText::new("时长应在7秒至1小时之间", "between 7 seconds and 1 hour");
            Err(field("open.fences_after", ErrorReason::FieldInvalid, &said, &[]))
        }
        span => Ok(span),
    }
}

pub(super) fn ack(raw: pb::Acknowledgement) -> Ack {
    Ack {
        revision: Revision(raw.revision),
        rejection: raw.rejection.map(rejection),
    }
}

fn rejection(raw: pb::Rejection) -> Rejection {
    Rejection {
        revision: Revision(raw.revision),
        reason: raw.reason,
    }
}

pub(super) fn wire_ack(ack: &Ack) -> pb::Acknowledgement {
    pb::Acknowledgement {
        revision: ack.revision.0,
        rejection: ack.rejection.as_ref().map(wire_rejection),
    }
}

fn wire_rejection(rejection: &Rejection) -> pb::Rejection {
    pb::Rejection {
        revision: rejection.revision.0,
        reason: rejection.reason.clone(),
    }
}

pub(super) fn report(report: Report) -> pb::Acknowledgements {
    let acknowledgements = report
        .known
        .into_iter()
        .map(|(name, known)| pb::SubscriberAcknowledgement {
            subscriber: name.to_string(),
            revision: known.acknowledged.0,
            connected: known.connected,
            rejection: known.rejection.as_ref().map(wire_rejection),
        });
    pb::Acknowledgements {
        acknowledgements: acknowledgements.collect(),
        complete: report.whole,
        epoch: report.epoch.to_string(),
    }
}

/// Errors: an epoch that cannot be one of ours.
pub(super) fn read_report(raw: pb::Acknowledgements) -> Result<Report, FeedError> {
    let epoch = Epoch::parse(&raw.epoch).ok_or(FeedError::Foreign)?;
    let known = raw.acknowledgements.into_iter().map(|one| {
        let known = Known {
            acknowledged: Revision(one.revision),
            connected: one.connected,
            rejection: one.rejection.map(rejection),
        };
        (one.subscriber.into(), known)
    });
    Ok(Report {
        epoch,
        whole: raw.complete,
        known: known.collect(),
    })
}

pub(super) fn subscriber(log: Log, standing: &Standing) -> pb::Subscriber {
    let state = match standing.state {
        State::Converged => pb::SubscriberState::Converged,
        State::Laggard => pb::SubscriberState::Laggard,
        State::Rejected => pb::SubscriberState::Rejected,
        State::Disconnected => pb::SubscriberState::Disconnected,
        State::Fenced => pb::SubscriberState::Fenced,
    };
    pb::Subscriber {
        subscriber: standing.name.to_string(),
        log: log.as_str().to_owned(),
        state: state.into(),
        acknowledged: standing.acknowledged.0,
        lag: standing.lag,
        took: standing.took.map(Into::into),
        rejection: standing.rejection.as_ref().map(wire_rejection),
        fences_after: standing.fences_after.map(Into::into),
        register_time: Some(time(standing.registered_at)),
        hear_time: Some(time(standing.heard_at)),
        filter: None,
    }
}

pub(super) fn convergence(log: Log, seen: &Convergence) -> pb::Convergence {
    let (have, have_not): (Vec<&Standing>, Vec<&Standing>) = seen
        .subscribers
        .iter()
        .partition(|standing| standing.state == State::Converged);
    let shown = |standings: &[&Standing]| standings.iter().map(|one| subscriber(log, one)).collect();
    pb::Convergence {
        position: Some(wire_position(&seen.position)),
        log: log.as_str().to_owned(),
        converged: seen.converged,
        converged_count: u32::try_from(have.len()).unwrap_or(u32::MAX),
        outstanding: shown(&have_not),
        converged_subscribers: if seen.last { shown(&have) } else { Vec::new() },
        took_p50: seen.took.map(|(p50, _)| p50.into()),
        took_p99: seen.took.map(|(_, p99)| p99.into()),
        unreachable: seen.unreachable.clone(),
    }
}
