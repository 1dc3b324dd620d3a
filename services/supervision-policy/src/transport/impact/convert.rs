//! What was found, as the contract says it.

use greenstar_proto::supervision::v1 as pb;

use super::simulate::Plan;
use crate::domain::impact::{Grouping, Impact};
use crate::follow::wire;

/// `name` is the one of a position, if the caller may be told of it.
pub(super) fn result(
    plan: &Plan,
    impact: Impact,
    name: impl Fn(usize) -> Option<String>,
) -> pb::SimulationResult {
    let names = |sample: Vec<usize>, sees: bool| -> Vec<String> {
        let sample = sample.into_iter().filter(|_| sees);
        sample.filter_map(&name).collect()
    };
    let own = plan.after.infos().iter().find(|info| info.name == plan.candidate);
    let sees = own.is_some_and(|info| plan.sees.department(info.department.as_str()));
    let moves = impact.moves.into_iter().map(|moved| pb::OutcomeMove {
        sample: names(moved.sample, plan.sees.matter(&moved.matter)),
        matter: moved.matter,
        from: moved.from,
        to: moved.to,
        count: moved.count,
    });
    let groups = impact.groups.into_iter().map(|group| pb::GroupCount {
        grouping: grouping(group.grouping).into(),
        group: group.group,
        milder: group.milder,
        severer: group.severer,
    });
    let conflicts = impact.conflicts.into_iter().map(|conflict| pb::MeasureConflict {
        measure: conflict.measure,
        other: conflict.other,
        count: conflict.count,
        sample: names(conflict.sample, sees),
    });
    pb::SimulationResult {
        evaluated: impact.evaluated,
        outcome_changed: impact.outcome_changed,
        measures_changed: impact.measures_changed,
        skipped: impact.skipped,
        moves: moves.collect(),
        groups: groups.collect(),
        conflicts: conflicts.collect(),
        visits_per_mille_before: impact.visits_before,
        visits_per_mille_after: impact.visits_after,
        as_of_time: Some(wire::to_instant(plan.as_of)),
        policy_version_before: plan.before.version().to_owned(),
        policy_version_after: plan.after.version().to_owned(),
        token: plan.token.clone(),
        ..pb::SimulationResult::default()
    }
}

fn grouping(grouping: Grouping) -> pb::Grouping {
    match grouping {
        Grouping::Department => pb::Grouping::Department,
        Grouping::District => pb::Grouping::District,
        Grouping::Sector => pb::Grouping::Sector,
        Grouping::Star => pb::Grouping::Star,
    }
}
