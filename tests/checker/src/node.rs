//! One process of the topology: a service as it runs in production, but for a clock that can be moved and an end
//! that comes with the process that started it.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use greenstar_kernel::{Clock, SystemClock, Timestamp};
use greenstar_rpc::program;

/// The first argument that makes a program a node.
pub const NODE: &str = "node";

/// How often a node looks whether its clock was moved.
const LOOK: Duration = Duration::from_millis(20);

/// Runs this process as a node if its arguments say so: `node SERVICE FILE …`, with the service's own arguments
/// behind the file that holds the milliseconds by which its clock is off.
pub fn maybe() -> Option<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() != Some(NODE) {
        return None;
    }
    let service = arguments.next().unwrap_or_default();
    let clock: Arc<dyn Clock> = Arc::new(MovedClock::follow(PathBuf::from(
        arguments.next().unwrap_or_default(),
    )));
    std::thread::spawn(end_with_the_parent);
    let rest: Vec<String> = std::iter::once(service.clone()).chain(arguments).collect();
    Some(match service.as_str() {
        "rating" => program::main_with(rest, |config| greenstar_rating::program::run(config, clock)),
        "sanctions" => program::main_with(rest, |config| greenstar_sanctions::program::run(config, clock)),
        "supervision-policy" => program::main_with(rest, |config| {
            greenstar_supervision_policy::program::run(config, clock)
        }),
        "gateway" => program::main_with(rest, greenstar_gateway::program::run),
        other => {
            eprintln!("no service is called {other:?}");
            ExitCode::from(64)
        }
    })
}

/// Standard input ends when the parent does, in whatever way.
fn end_with_the_parent() {
    let mut nothing = [0];
    while matches!(std::io::stdin().read(&mut nothing), Ok(1..)) {}
    std::process::exit(70);
}

/// The machine's clock, off by what a file says. Its monotonic part cannot be moved, as on a real machine.
#[derive(Debug)]
struct MovedClock {
    clock: SystemClock,
    off_by: Arc<AtomicI64>,
}

impl MovedClock {
    fn follow(file: PathBuf) -> MovedClock {
        let off_by = Arc::new(AtomicI64::new(read(&file)));
        let told = off_by.clone();
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(LOOK);
                told.store(read(&file), Ordering::Relaxed);
            }
        });
        MovedClock {
            clock: SystemClock::new(),
            off_by,
        }
    }
}

/// In microseconds. No file: not off.
fn read(file: &Path) -> i64 {
    let millis = std::fs::read_to_string(file)
        .ok()
        .and_then(|text| text.trim().parse::<i64>().ok());
    millis.unwrap_or(0).saturating_mul(1_000)
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        let micros = self.clock.now().micros();
        Timestamp::from_micros(micros.saturating_add(self.off_by.load(Ordering::Relaxed)))
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }
}
