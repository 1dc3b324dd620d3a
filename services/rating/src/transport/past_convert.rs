//! From the domain's words about the past to messages.

use greenstar_kernel::Uscc;
use greenstar_proto::rating::v1 as pb;

use super::convert::{self, event_name, time};
use crate::domain::history::{Ground, LineChange};
use crate::domain::snapshot::{Snapshot, SnapshotEntry};
use crate::store::Version;

pub(super) fn version_name(uscc: &Uscc, number: u32) -> String {
    format!("enterprises/{uscc}/rating/versions/{number}")
}

/// `explained`: as of [`convert::rating`].
pub(super) fn version(uscc: &Uscc, version: Version, explained: bool) -> pb::RatingVersion {
    let rated = version.rated;
    let (star, state) = convert::standing(rated.standing);
    let mut out = pb::RatingVersion {
        name: version_name(uscc, rated.version),
        version: rated.version,
        star,
        state,
        scheme: convert::scheme_name(&rated.scheme),
        round: format!("rounds/{}", rated.round),
        valid_from_time: Some(time(rated.rated_at)),
        valid_to_time: version.next.map(|(at, _)| time(at)),
        record_time: Some(time(version.recorded_at)),
        superseded_by: match version.next {
            Some(_) => version_name(uscc, rated.version + 1),
            None => String::new(),
        },
        valid_until_time: Some(time(rated.valid_until)),
        ..pb::RatingVersion::default()
    };
    if explained || star.is_some() {
        out.points = rated.total.to_string();
        out.categories = convert::categories(rated.categories);
    }
    if explained {
        out.cause = version.cause;
    }
    out
}

pub(super) fn changes(uscc: &Uscc, changes: Vec<LineChange>) -> Vec<pb::LineChange> {
    let grounds = |grounds: Vec<Ground>| {
        let one = |ground: Ground| pb::Ground {
            event: event_name(uscc, &ground.event),
            kind: ground.kind.to_string(),
            points: ground.points.map(|points| points.to_string()).unwrap_or_default(),
            document: Some(convert::document(ground.document)),
            end_time: Some(time(ground.until)),
            site: ground.site.unwrap_or_default(),
        };
        grounds.into_iter().map(one).collect()
    };
    let one = |change: LineChange| pb::LineChange {
        item: change.item.to_string(),
        title: Some(convert::text(change.title)),
        points_before: change
            .points
            .map(|(before, _)| before.to_string())
            .unwrap_or_default(),
        points_after: change
            .points
            .map(|(_, after)| after.to_string())
            .unwrap_or_default(),
        added: grounds(change.added),
        removed: grounds(change.removed),
    };
    changes.into_iter().map(one).collect()
}

pub(super) fn snapshot(snapshot: Snapshot) -> pb::Snapshot {
    pb::Snapshot {
        name: format!("snapshots/{}", snapshot.id),
        display_name: Some(convert::text(snapshot.title)),
        as_of: Some(time(snapshot.as_of)),
        districts: snapshot
            .districts
            .iter()
            .map(|district| district.as_str().to_owned())
            .collect(),
        entry_count: i32::try_from(snapshot.entries).unwrap_or(i32::MAX),
        digest: snapshot.digest,
        create_time: Some(time(snapshot.created_at)),
        creator: snapshot.creator.0,
    }
}

pub(super) fn entry(entry: SnapshotEntry) -> pb::SnapshotEntry {
    let (star, state) = convert::standing(entry.standing);
    pb::SnapshotEntry {
        enterprise: convert::enterprise_name(&entry.uscc),
        display_name: Some(convert::text(entry.name)),
        star,
        state,
        points: entry.points.map(|points| points.to_string()).unwrap_or_default(),
        version: entry.version,
    }
}
