//! SimulatePolicy: prepared and checked before the first word, then counted beside what the caller reads.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::BoxStream;
use greenstar_kernel::{Code, Standing, Timestamp};
use greenstar_proto::supervision::v1 as pb;
use greenstar_proto::supervision::v1::simulate_policy_response::Event;
use greenstar_rpc::accept;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};

use super::candidate::{Candidate, Tried, faults};
use super::recorded::Records;
use super::{Sees, convert};
use crate::domain::impact::{Comparison, ComparisonError};
use crate::domain::policy::{Policy, PolicyErrors};
use crate::simulate::{Going, StopsGoing, everybody};
use crate::transport::desk::Desk;
use crate::transport::receipts;
use crate::transport::status;
use crate::view::{Look, Population};

/// Changed ones that are named for each pair of outcomes, if nobody says how many.
const SAMPLE: usize = 10;
/// How often progress is told, if there is some.
const TELL: Duration = Duration::from_millis(100);

pub(in crate::transport) type SimulatePolicyStream =
    BoxStream<'static, Result<pb::SimulatePolicyResponse, Status>>;

/// What is compared, and as of when.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) before: Arc<Policy>,
    pub(super) after: Arc<Policy>,
    pub(super) candidate: Code,
    /// Code of a matter; empty: all.
    pub(super) matter: String,
    pub(super) arguments: BTreeMap<String, String>,
    pub(super) sample: usize,
    pub(super) as_of: Timestamp,
    pub(super) token: String,
    pub(super) sees: Sees,
}

impl Plan {
    pub(super) fn comparison(&self) -> Result<Comparison<'_>, ComparisonError> {
        let matter = Some(self.matter.as_str()).filter(|matter| !matter.is_empty());
        Comparison::new(
            &self.before,
            &self.after,
            &self.candidate,
            matter,
            &self.arguments,
        )
    }
}

/// Whose answers are compared.
#[derive(Debug)]
enum Over {
    Everybody(Box<Population>),
    Recorded(Records),
}

/// Why it does not begin.
enum Refused {
    NotReady,
    Policy(PolicyErrors),
    Comparison(ComparisonError),
}

pub(in crate::transport) async fn simulate_policy(
    desk: &Desk,
    request: Request<pb::SimulatePolicyRequest>,
) -> Result<Response<SimulatePolicyStream>, Status> {
    let (call, request) = accept(request)?;
    let candidate = Candidate::find(desk, &call, request.candidate).await?;
    let sees = Sees::of(&call.caller);
    let sample = match usize::try_from(request.sample_size) {
        Ok(0) | Err(_) => SAMPLE,
        Ok(size) => size,
    };
    let (matter, arguments) = (request.matter, request.arguments.into_iter().collect());
    let (asked_matter, here) = (matter.clone(), desk.clone());
    let days = request.recorded_days;
    let prepared = spawn_blocking(move || {
        let Look { reading, as_of, .. } = here.view.look(&*here.clock).ok_or(Refused::NotReady)?;
        let ruling = reading.ruling(as_of).filter(|ruling| ruling.sound);
        let before = ruling
            .and_then(|ruling| ruling.policy.clone())
            .ok_or(Refused::NotReady)?;
        let Tried { after, name } = candidate.try_in(&before).map_err(Refused::Policy)?;
        let plan = Plan {
            before,
            after,
            candidate: name,
            matter,
            arguments,
            sample,
            as_of,
            token: here.view.token(&reading),
            sees,
        };
        plan.comparison().map_err(Refused::Comparison)?;
        let over = if days == 0 {
            Over::Everybody(Box::new(reading.population().ok_or(Refused::NotReady)?))
        } else {
            Over::Recorded(Records::since(as_of, days))
        };
        Ok((plan, over))
    });
    let (plan, over) = match prepared.await.map_err(|error| status::failed(&error))? {
        Ok(prepared) => prepared,
        Err(Refused::NotReady) => return Err(status::not_ready()),
        Err(Refused::Policy(errors)) => return Err(faults(&errors)),
        Err(Refused::Comparison(ComparisonError::MatterUnknown)) => {
            return Err(status::matter_unknown("-", &status::shortened(&asked_matter)));
        }
        Err(Refused::Comparison(ComparisonError::Arguments(error))) => return Err(status::arguments(&error)),
    };
    let (tell, told) = mpsc::channel(4);
    tokio::spawn(run(desk.clone(), plan, over, request.receipt, tell));
    Ok(Response::new(ReceiverStream::new(told).boxed()))
}

type Tell = mpsc::Sender<Result<pb::SimulatePolicyResponse, Status>>;

/// One at a time on a replica: the others wait, so that many that are asked for take no more of the machine than one.
async fn run(desk: Desk, plan: Plan, over: Over, receipt: bool, tell: Tell) {
    let total = match &over {
        Over::Everybody(population) => Ok(population.count()),
        Over::Recorded(records) => records.count(&desk).await,
    };
    let total = match total {
        Ok(total) => total,
        Err(status) => return drop(tell.send(Err(status)).await),
    };
    if tell.send(Ok(progress(0, total))).await.is_err() {
        return;
    }
    let turn = tokio::select! {
        turn = desk.simulations.clone().acquire_owned() => turn,
        () = tell.closed() => return,
    };
    let going = Arc::new(Going::default());
    let stops = StopsGoing(going.clone());
    let mut counting = {
        let (desk, going) = (desk.clone(), going.clone());
        // It holds its turn until its threads have ended.
        spawn_blocking(move || {
            let _turn = turn;
            count(&desk, &plan, &over, &going)
        })
    };
    let mut every = interval(TELL);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before = 0;
    let counted = loop {
        tokio::select! {
            counted = &mut counting => break counted,
            () = tell.closed() => return,
            _ = every.tick() => {
                let done = going.done();
                // Who reads slowly is told less often.
                if done > before && tell.try_send(Ok(progress(done, total.max(done)))).is_ok() {
                    before = done;
                }
            }
        }
    };
    drop(stops);
    let mut result = match counted {
        Ok(Some(Ok(result))) => result,
        Ok(Some(Err(status))) => return drop(tell.send(Err(status)).await),
        Ok(None) => return,
        Err(error) => return drop(tell.send(Err(status::failed(&error))).await),
    };
    if receipt {
        match receipts::simulated(&desk, &result).await {
            Ok(pb::Receipt { jws, payload }) => (result.receipt, result.receipt_payload) = (jws, payload),
            Err(status) => return drop(tell.send(Err(status)).await),
        }
    }
    let done = going.done();
    if tell.send(Ok(progress(done, done))).await.is_ok() {
        let event = Some(Event::Result(result));
        // Who has gone meanwhile is not told.
        let _ = tell.send(Ok(pb::SimulatePolicyResponse { event })).await;
    }
}

/// `None`: it was stopped.
fn count(
    desk: &Desk,
    plan: &Plan,
    over: &Over,
    going: &Going,
) -> Option<Result<pb::SimulationResult, Status>> {
    // It was compared before, with the same.
    let comparison = plan.comparison().ok()?;
    match over {
        Over::Everybody(population) => {
            let impact = everybody(&comparison, population, plan.as_of, plan.sample, going)?;
            let name = |position| {
                let seen = plan.sees.all() || is_told(population, position, plan.as_of);
                let uscc = population.uscc(position).filter(|_| seen)?;
                Some(format!("enterprises/{uscc}"))
            };
            Some(Ok(convert::result(plan, impact, name)))
        }
        Over::Recorded(records) => records.decide_again(desk, plan, &comparison, going),
    }
}

/// Whether a department may be told who stands there: a table may ask for any fact, so that being named by it tells the
/// fact. Who has lost its star, or never got one, is counted only (docs/adr/0003).
fn is_told(population: &Population, position: usize, as_of: Timestamp) -> bool {
    let mut told = false;
    population.each(position..position + 1, as_of, |_, facts| {
        told = facts.is_ok_and(|facts| match facts.rating.standing {
            Standing::Rated(_) | Standing::NotRated => true,
            Standing::NotListed | Standing::Vetoed | Standing::Suspended | Standing::Expired => false,
        });
    });
    told
}

fn progress(done: usize, total: usize) -> pb::SimulatePolicyResponse {
    let event = Event::Progress(pb::SimulationProgress {
        done: done as u64,
        total: total as u64,
    });
    pb::SimulatePolicyResponse { event: Some(event) }
}
