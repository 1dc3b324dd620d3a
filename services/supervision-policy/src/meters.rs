//! What the service has to tell beside its calls: how old its view is, and what became of its records.

use greenstar_kernel::Log;
use greenstar_telemetry::attributes::{LOG, WHY};
use greenstar_telemetry::{Samples, catalogue as c};

use crate::Supervision;
use crate::view::Followed;

impl Supervision {
    pub(crate) fn tell(&self, samples: &mut Samples) {
        let desk = &self.desk;
        let age = desk.view.age(desk.clock.monotonic(), desk.clock.now());
        if let Some(age) = age {
            samples.number(&c::VIEW_AGE, &[], age.as_secs_f64());
        }
        samples.count(&c::VIEW_FRESH, &[], self.is_fresh().into());
        for log in Log::ALL {
            if let Some(applied) = desk.view.applied(log) {
                samples.count(&c::VIEW_APPLIED, &[(LOG, log.as_str())], applied.revision.0);
            }
        }
        for (log, followed) in [
            (Log::Rating, Followed::Rating),
            (Log::Sanctions, Followed::Sanctions),
        ] {
            let differed = desk.view.differed(followed);
            samples.count(&c::VIEW_DIFFERED, &[(LOG, log.as_str())], differed);
        }
        samples.count(&c::RECORD_BACKLOG, &[], desk.records.backlog() as u64);
        let dropped = desk.records.dropped();
        samples.count(&c::RECORD_DROPPED, &[], dropped);
        for (why, decisions) in [("sampled", desk.records.unsampled()), ("dropped", dropped)] {
            samples.count(&c::RECORD_NONE, &[(WHY, why)], decisions);
        }
    }
}
