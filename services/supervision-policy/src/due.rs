//! What decisions and flags make due at departments: restrictive measures, to be reported as applied.

use std::sync::Arc;

use greenstar_kernel::{Timestamp, Uscc};
use greenstar_proto::sanctions::v1::MeasureClass;
use greenstar_proto::supervision::v1 as pb;

use crate::domain::decide::DecideError;
use crate::domain::facts::Flag;
use crate::domain::feedback::due_by_flag;
use crate::domain::policy::Policy;
use crate::follow::wire;
use crate::store::feedback::Due;
use crate::view::View;

/// By a decision of this name, at its own department. Nothing if nobody decided.
pub(crate) fn by_decision(view: &View, name: &str, decision: &pb::Decision) -> Vec<Due> {
    if decision.manual_review {
        return Vec::new();
    }
    let due_at = decision.as_of_time.as_ref();
    let due_at = due_at.map_or(Timestamp::default(), wire::instant);
    let rulings = view.rulings();
    let policy = rulings
        .as_ref()
        .and_then(|rulings| rulings.at(due_at).policy.as_ref());
    let measures = decision
        .measures
        .iter()
        .filter(|measure| is_restrictive(policy, measure));
    measures
        .map(|measure| Due {
            subject: name.to_owned(),
            department: decision.department.clone(),
            measure: measure.code.clone(),
            enterprise: decision.enterprise.clone(),
            due_at,
            ends_at: wire::optional_instant(measure.end_time.as_ref()),
        })
        .collect()
}

/// By its class if the catalogue has forgotten it.
fn is_restrictive(policy: Option<&Arc<Policy>>, measure: &pb::Measure) -> bool {
    let known = policy.and_then(|policy| {
        let mut entries = policy.catalogue().measures().iter();
        entries.find(|entry| entry.code.as_str() == measure.code)
    });
    match known {
        Some(entry) => entry.is_restrictive(),
        None => matches!(
            measure.measure_class(),
            MeasureClass::Rights | MeasureClass::Management
        ),
    }
}

/// By a flag in force of this enterprise, at every department.
pub(crate) fn by_flag(
    policy: &Policy,
    uscc: &Uscc,
    flag: &Flag,
    as_of: Timestamp,
) -> Result<Vec<Due>, DecideError> {
    let due = due_by_flag(policy, flag, as_of)?.into_iter();
    let due = due.map(|(department, measure)| Due {
        subject: flag.name.to_string(),
        department: department.to_string(),
        measure: measure.to_string(),
        enterprise: format!("enterprises/{uscc}"),
        due_at: flag.start,
        ends_at: flag.end,
    });
    Ok(due.collect())
}
