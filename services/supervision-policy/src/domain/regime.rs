//! The inspection regime as figures, and what brings an inspector whatever the star is.

use greenstar_kernel::LocalizedText;

use super::catalogue::MeasureClass;
use super::columns::Reading;
use super::decide::{DecideError, Decision};
use super::matter::Arguments;

/// How often an enterprise is visited.
#[derive(Debug, PartialEq, Eq)]
pub struct InspectionRegime<'a> {
    /// No planned routine visits on site. Triggers and off-site checks go on.
    pub routine_on_site_exempt: bool,
    /// Routine visits on site a year, all departments together; `None`: no cap but the law's.
    pub on_site_cap_per_year: Option<i64>,
    /// Share that the yearly draw takes; `None`: the policy names none.
    pub sampling_per_mille: Option<i64>,
    /// `None`: the policy names none.
    pub off_site_per_year: Option<i64>,
    pub key_supervision: bool,
    /// Everything that always brings an inspector, in the policy's order.
    pub always_on: Vec<TriggerState<'a>>,
}

/// One of the things that always bring an inspector.
#[derive(Debug, PartialEq, Eq)]
pub struct TriggerState<'a> {
    pub code: &'a str,
    pub text: &'a LocalizedText,
    pub basis: &'a [LocalizedText],
    /// Whether it applies to this enterprise now.
    pub active: bool,
}

impl<'a> InspectionRegime<'a> {
    /// Reads a decision on an inspection regime. `arguments` are those of the decision.
    pub fn of(
        decision: &Decision<'a>,
        arguments: &'a Arguments,
    ) -> Result<InspectionRegime<'a>, DecideError> {
        let value = |code: &str| decision.measure(code).and_then(|measure| measure.value);
        let exempt = decision.measure("routine-inspection-exemption");
        Ok(InspectionRegime {
            routine_on_site_exempt: exempt.is_some_and(|exempt| exempt.entry.class == MeasureClass::Favour),
            on_site_cap_per_year: value("on-site-cap"),
            sampling_per_mille: value("sampling-ratio"),
            off_site_per_year: value("off-site-rhythm"),
            key_supervision: decision.measure("key-supervision").is_some(),
            always_on: triggers(decision, arguments)?,
        })
    }
}

fn triggers<'a>(
    decision: &Decision<'a>,
    arguments: &'a Arguments,
) -> Result<Vec<TriggerState<'a>>, DecideError> {
    let (policy, matter) = (decision.policy, decision.matter);
    let Some(table) = &matter.triggers else {
        return Ok(Vec::new());
    };
    let matched = |facts| {
        // Whoever decided has looked whether all kinds of flags are known.
        let reading = Reading::of_known(facts, arguments, matter, policy.catalogue(), decision.as_of);
        Ok::<_, DecideError>(table.evaluate(|column| reading.value(column))?.matched)
    };
    let mut active = matched(decision.facts)?;
    if let Some(also) = decision.also {
        active |= matched(also)?;
    }
    let mut triggers: Vec<TriggerState<'a>> = Vec::with_capacity(table.rows().len());
    let rows = table.rows().iter().zip(&matter.trigger_codes).enumerate();
    for (position, (row, code)) in rows {
        let state = TriggerState {
            code,
            text: &row.reason,
            basis: &row.basis,
            active: active.contains(position),
        };
        match triggers.iter_mut().find(|known| known.code == code) {
            None => triggers.push(state),
            // Several rows may give one trigger: it stands once, in the words of the first that holds.
            Some(known) if !known.active && state.active => *known = state,
            Some(_) => {}
        }
    }
    Ok(triggers)
}
