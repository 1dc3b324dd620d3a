//! Random facts about enterprises, the same for all engines.

use super::rules::{CLASSES, FLAGS, STATES};

/// What the rules ask about one enterprise.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    pub(super) star: Option<i64>,
    /// Position in [`STATES`].
    pub(super) state: u16,
    /// One bit for each of [`FLAGS`].
    pub(super) flags: u64,
    /// Thousandths.
    pub(super) points: Option<i64>,
    pub(super) rating_age_months: Option<i64>,
    pub(super) sector: Option<&'static str>,
    pub(super) district: Option<&'static str>,
    /// Position in [`CLASSES`].
    pub(super) polluter_class: u16,
    pub(super) open_rectification: bool,
    pub(super) events_12m: i64,
}

const SECTORS: [&str; 6] = ["C2511", "C2614", "C2710", "C3985", "D4411", "N7722"];
const DISTRICTS: [&str; 4] = ["110115", "110106", "120101", "130102"];

impl Facts {
    pub(super) fn flags(&self) -> impl Iterator<Item = &'static str> {
        let bits = self.flags;
        let flags = FLAGS.iter().enumerate();
        flags.filter_map(move |(bit, flag)| (bits >> bit & 1 == 1).then_some(*flag))
    }

    pub(super) fn state(&self) -> &'static str {
        STATES.get(usize::from(self.state)).copied().unwrap_or_default()
    }

    pub(super) fn polluter_class(&self) -> &'static str {
        let class = CLASSES.get(usize::from(self.polluter_class));
        class.copied().unwrap_or_default()
    }
}

/// Numbers that look random and are the same in every run (splitmix64).
#[derive(Debug)]
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    /// Below `end`, which is at least 1.
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap_or(0)
    }

    fn number(&mut self, end: usize) -> i64 {
        i64::try_from(self.below(end)).unwrap_or(0)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> Option<T> {
        let at = self.below(all.len().max(1));
        all.get(at).copied()
    }

    /// A firm as they are: most are rated, few have flags.
    pub(super) fn facts(&mut self) -> Facts {
        let rated = self.below(10) < 8;
        let state = if rated {
            0
        } else {
            1 + self.below(STATES.len() - 1)
        };
        let flags = match self.below(10) {
            0 => 1 << self.below(FLAGS.len()),
            1 => 1 << self.below(FLAGS.len()) | 1 << self.below(FLAGS.len()),
            _ => 0,
        };
        Facts {
            star: rated.then(|| 1 + self.number(5)),
            state: u16::try_from(state).unwrap_or(0),
            flags,
            points: rated.then(|| self.number(100_001)),
            rating_age_months: rated.then(|| self.number(40)),
            sector: self.one_of(&SECTORS).filter(|_| self.below(20) > 0),
            district: self.one_of(&DISTRICTS).filter(|_| self.below(20) > 0),
            polluter_class: u16::try_from(self.below(CLASSES.len())).unwrap_or(0),
            open_rectification: self.below(8) == 0,
            events_12m: self.number(4),
        }
    }
}
