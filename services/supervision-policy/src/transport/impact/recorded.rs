//! Decisions that were made, decided again by both, each with its own facts and at its own instant.

use std::time::Duration;

use greenstar_kernel::Timestamp;
use greenstar_proto::supervision::v1 as pb;
use prost::Message as _;
use tokio::runtime::Handle;
use tonic::Status;

use super::convert;
use super::simulate::Plan;
use crate::domain::facts::Facts;
use crate::domain::impact::{Comparison, Count, Impact};
use crate::follow::wire;
use crate::record::ship;
use crate::simulate::Going;
use crate::store::recorded::{self as rows, Behind, Recorded};
use crate::transport::desk::Desk;
use crate::transport::status;

/// Those since an instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Records(Timestamp);

impl Records {
    /// The last days before `as_of`.
    pub(super) fn since(as_of: Timestamp, days: u32) -> Records {
        let days = Duration::from_secs(u64::from(days) * 86_400);
        let micros = i64::try_from(days.as_micros()).unwrap_or(i64::MAX);
        Records(Timestamp::from_micros(as_of.micros().saturating_sub(micros)))
    }

    /// How many there are. What this replica has is brought to the others first, as far as time allows.
    pub(super) async fn count(self, desk: &Desk) -> Result<usize, Status> {
        ship::flush(&desk.records, &desk.database, &desk.view).await;
        let counted = async {
            let mut tx = desk.database.read().await?;
            rows::count(&mut tx, self.0).await
        };
        counted.await.map_err(|error| status::store(&error))
    }

    /// Reads them page by page. Takes long: not for an async thread. `None`: it was stopped.
    pub(super) fn decide_again(
        self,
        desk: &Desk,
        plan: &Plan,
        comparison: &Comparison<'_>,
        going: &Going,
    ) -> Option<Result<pb::SimulationResult, Status>> {
        let mut count = Count::new(comparison, plan.sample);
        let (mut behind, mut named) = (Behind::default(), Vec::new());
        loop {
            let page = Handle::current().block_on(async {
                let mut tx = desk.database.read().await?;
                rows::page(&mut tx, self.0, &mut behind).await
            });
            let page: Vec<Recorded> = match page {
                Ok(page) => page,
                Err(error) => return Some(Err(status::store(&error))),
            };
            if going.is_stopped() {
                return None;
            }
            if page.is_empty() {
                break;
            }
            going.add(page.len());
            for recorded in page {
                again(&mut count, named.len(), &recorded);
                // Another department's decisions are counted, and named to nobody else.
                let sees = plan.sees.department(&recorded.department);
                named.push(sees.then_some(recorded.id));
            }
        }
        let impact = Impact::of(comparison, &[count]);
        let name = |position: usize| {
            let id = named.get(position)?.as_ref()?;
            Some(format!("decisions/{id}"))
        };
        Some(Ok(convert::result(plan, impact, name)))
    }
}

/// What was erased, or is of a form that is no longer read, is counted as that.
fn again(count: &mut Count<'_, '_>, position: usize, recorded: &Recorded) {
    if !count.compares(&recorded.matter) {
        return;
    }
    let read = || {
        let decision = pb::Decision::decode(recorded.body.as_deref()?).ok()?;
        let facts: Facts = serde_json::from_str(&decision.facts).ok()?;
        let as_of = decision.as_of_time.as_ref().map(wire::instant)?;
        Some((decision, facts, as_of))
    };
    let Some((decision, facts, as_of)) = read() else {
        return count.skip();
    };
    let arguments = decision.arguments.iter();
    let arguments = arguments.map(|(name, value)| (name.as_str(), value.as_str()));
    count.see_decision(position, &recorded.matter, &facts, &arguments, as_of);
}
