//! Goes through everybody for a comparison, on two cores and with less right to them than who answers questions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use greenstar_kernel::Timestamp;

use crate::domain::impact::{Comparison, Count, Impact};
use crate::view::Population;

/// Threads that count.
const THREADS: usize = 2;
/// Positions that a thread takes at a time.
const CHUNK: usize = 4_096;
/// Added to the niceness of a thread that counts.
const NICENESS: i32 = 10;

/// How far it is, and whether anybody still wants to know.
#[derive(Debug, Default)]
pub(crate) struct Going {
    done: AtomicUsize,
    stopped: AtomicBool,
}

impl Going {
    /// Evaluated so far.
    pub(crate) fn done(&self) -> usize {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, done: usize) {
        self.done.fetch_add(done, Ordering::Relaxed);
    }

    /// Nobody waits for it any more.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}

/// Stops what goes on when it is dropped: with it, whoever waits has gone.
#[derive(Debug)]
pub(crate) struct StopsGoing(pub(crate) Arc<Going>);

impl Drop for StopsGoing {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Counts everybody as of one instant, naming `sample` of each kind by position. Takes long: not for an async thread.
/// `None`: it was stopped.
pub(crate) fn everybody(
    comparison: &Comparison<'_>,
    population: &Population,
    as_of: Timestamp,
    sample: usize,
    going: &Going,
) -> Option<Impact> {
    let next = AtomicUsize::new(0);
    let count = || {
        // Who asks a question meanwhile goes first. That it is refused costs time only.
        let _ = rustix::process::setpriority_process(None, NICENESS);
        let mut count = Count::new(comparison, sample);
        loop {
            let from = next.fetch_add(CHUNK, Ordering::Relaxed);
            if from >= population.end() || going.is_stopped() {
                return count;
            }
            let mut done = 0;
            population.each(
                from..population.end().min(from + CHUNK),
                as_of,
                |position, facts| {
                    done += 1;
                    match facts {
                        Ok(facts) => count.see(position, facts, as_of),
                        Err(_) => count.skip(),
                    }
                },
            );
            going.add(done);
        }
    };
    let counts: Vec<Count<'_, '_>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(count)).collect();
        // One that panicked has been told of; what it counted is missing, and a part is no answer.
        threads
            .into_iter()
            .filter_map(|thread| thread.join().ok())
            .collect()
    });
    let whole = counts.len() == THREADS && !going.is_stopped();
    whole.then(|| Impact::of(comparison, &counts))
}
