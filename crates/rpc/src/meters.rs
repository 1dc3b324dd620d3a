//! What services with a log have to tell, in the words of the metrics.

use greenstar_feed::{Census, Feed, Figures};
use greenstar_kernel::Log;
use greenstar_store::Tally;
use greenstar_telemetry::attributes::{LOG, STATE, WAY};
use greenstar_telemetry::{Samples, catalogue as c};

/// Tells where a feed stands and what its writer has done.
pub(crate) fn log(samples: &mut Samples, log: Log, feed: &Feed, tally: &Tally) {
    // Named one by one, so that a new figure is not forgotten here.
    let Figures {
        head,
        head_age,
        handed,
        heard,
        read,
        gaps,
        sibling_delay,
        connected,
        published: _,
        failures,
        rotations,
    } = feed.figures();
    let own = (LOG, log.as_str());
    samples.count(&c::FEED_HEAD, &[own], head.0);
    samples.number(&c::FEED_HEAD_AGE, &[own], head_age.as_secs_f64());
    for (way, frames) in [("own", handed), ("redis", heard), ("table", read)] {
        samples.count(&c::FEED_FRAMES, &[own, (WAY, way)], frames);
    }
    samples.count(&c::FEED_GAPS, &[own], gaps);
    samples.number(&c::FEED_SIBLING_DELAY, &[own], sibling_delay.as_secs_f64());
    samples.count(&c::FANOUT_CONNECTED, &[own], connected.into());
    samples.count(&c::FANOUT_FAILURES, &[own], failures);
    samples.count(&c::FANOUT_ROTATIONS, &[own], rotations);
    samples.count(&c::WRITER_BATCHES, &[own], tally.batches());
    samples.count(&c::WRITER_COMMANDS, &[own], tally.commands());
}

/// Tells who follows a log.
pub(crate) fn followers(samples: &mut Samples, log: Log, census: Census) {
    let Census {
        live,
        silent,
        fenced,
        lag,
    } = census;
    let own = (LOG, log.as_str());
    for (state, count) in [("live", live), ("silent", silent), ("fenced", fenced)] {
        samples.count(&c::SUBSCRIBERS, &[own, (STATE, state)], count);
    }
    samples.count(&c::FEED_LAG, &[own], lag);
}
