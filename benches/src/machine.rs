//! How much of the machine others had meanwhile: what is measured on a busy one says little.

use std::collections::HashMap;
use std::io;

/// More than this share taken by others, and the table says so.
pub(crate) const QUIET: f64 = 0.1;

/// Processor time so far, in ticks of the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    /// Of all processors, idle or not.
    all: u64,
    /// Of any program's.
    busy: u64,
    /// Of this process and all that it has started.
    ours: u64,
}

impl Usage {
    /// As of now.
    pub(crate) fn now() -> io::Result<Usage> {
        let (all, busy) = processors(&std::fs::read_to_string("/proc/stat")?);
        let mut processes = HashMap::new();
        for entry in std::fs::read_dir("/proc")? {
            let entry = entry?;
            let Some(id) = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse::<u32>().ok())
            else {
                continue;
            };
            // It may be gone already.
            if let Ok(stat) = std::fs::read_to_string(entry.path().join("stat"))
                && let Some(process) = process(&stat)
            {
                processes.insert(id, process);
            }
        }
        let ours = of_tree(&processes, std::process::id());
        Ok(Usage { all, busy, ours })
    }

    /// The share of the processors that programs of others had since `before`, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "ticks of a run of minutes")]
    pub(crate) fn others_since(&self, before: &Usage) -> f64 {
        let all = self.all.saturating_sub(before.all).max(1);
        let busy = self.busy.saturating_sub(before.busy);
        // Of a process that has ended meanwhile the kernel tells no more.
        let ours = self.ours.saturating_sub(before.ours);
        busy.saturating_sub(ours) as f64 / all as f64
    }
}

/// All ticks and the busy ones. What interrupts took is nobody's.
fn processors(stat: &str) -> (u64, u64) {
    let line = stat.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .map_while(|n| n.parse().ok())
        .collect();
    let at = |place: usize| ticks.get(place).copied().unwrap_or(0);
    // user nice system idle iowait irq softirq steal
    ((0..8).map(at).sum(), at(0) + at(1) + at(2) + at(7))
}

/// Parent and ticks, from `ID (NAME) STATE PARENT …`, proc_pid_stat(5).
fn process(stat: &str) -> Option<(u32, u64)> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = behind_name.split_whitespace().collect();
    let parent = fields.get(1)?.parse().ok()?;
    let (user, system): (u64, u64) = (fields.get(11)?.parse().ok()?, fields.get(12)?.parse().ok()?);
    Some((parent, user + system))
}

fn of_tree(processes: &HashMap<u32, (u32, u64)>, root: u32) -> u64 {
    let is_ours = |id: u32| {
        let mut at = id;
        // A chain of parents is short; one that changed while it was read may be a ring.
        for _ in 0..64 {
            if at == root {
                return true;
            }
            match processes.get(&at) {
                Some((parent, _)) => at = *parent,
                None => return false,
            }
        }
        false
    };
    let ours = processes.iter().filter(|(id, _)| is_ours(**id));
    ours.map(|(_, (_, ticks))| ticks).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_blanks_does_not_hide_the_ticks() {
        let stat = "42 (a (b) c) S 7 1 1 0 -1 4194304 100 0 0 0 30 12 0 0 20 0 1 0 5 0 0";
        assert_eq!(process(stat), Some((7, 42)));
    }

    #[test]
    fn children_of_children_are_ours_and_strangers_are_not() {
        let processes = [
            (1, (0, 100)),
            (5, (1, 7)),
            (6, (5, 20)),
            (7, (6, 3)),
            (9, (1, 50)),
        ];
        assert_eq!(of_tree(&processes.into(), 5), 30);
    }

    #[test]
    fn what_others_had_is_what_was_busy_and_not_ours() {
        let (all, busy) = processors("cpu  10 0 10 70 0 0 5 5 0 0\ncpu0 1 2 3\n");
        assert_eq!((all, busy), (100, 25));
        let before = Usage {
            all: 0,
            busy: 0,
            ours: 0,
        };
        let after = Usage { all, busy, ours: 15 };
        assert!((after.others_since(&before) - 0.1).abs() < 1e-9);
    }

    #[test]
    fn this_machine_can_be_read() {
        let before = Usage::now().unwrap();
        let others = Usage::now().unwrap().others_since(&before);
        assert!((0.0..=1.0).contains(&others));
    }
}
