//! The recent frames, kept once for all subscribers.

use std::collections::VecDeque;
use std::sync::Arc;

use greenstar_kernel::Revision;

use crate::Frame;

/// A subscriber that falls further behind is cut off.
const FRAMES: usize = 4_096;
/// Bounds memory when single batches are large; long before, a subscriber that slow is in trouble.
const ENTRIES: usize = 262_144;

/// Frames without a gap between them, the oldest first.
#[derive(Debug)]
pub(crate) struct Ring {
    /// Counts the times that history was replaced (a restore): cursors of another count mean nothing here.
    history: u64,
    /// The end of the last frame.
    to: Revision,
    /// Which batch wrote that revision; none as long as that was not looked up.
    batch: Option<Arc<str>>,
    frames: VecDeque<Arc<Frame>>,
    entries: usize,
}

/// Where a cursor stands to the ring.
#[derive(Debug)]
pub(crate) enum Found {
    Frame(Arc<Frame>),
    /// Nothing after it yet.
    End,
    /// What follows it is no longer here.
    Behind,
    /// It is of another history.
    Foreign,
}

impl Ring {
    pub(crate) fn starting_at(to: Revision, history: u64) -> Ring {
        Ring {
            history,
            to,
            batch: None,
            frames: VecDeque::new(),
            entries: 0,
        }
    }

    pub(crate) fn to(&self) -> Revision {
        self.to
    }

    /// Where the ring ends, and which batch did; whoever looks that up again finds another after a restore.
    pub(crate) fn end(&self) -> (Revision, Option<Arc<str>>) {
        (self.to, self.batch.clone())
    }

    /// `batch` wrote the revision at which the ring ends.
    pub(crate) fn ended_by(&mut self, batch: Arc<str>) {
        self.batch = Some(batch);
    }

    /// The frame must follow the last one.
    pub(crate) fn push(&mut self, frame: Frame) {
        self.to = frame.to;
        self.batch = frame.entries.last().map(|entry| entry.batch.clone());
        self.entries += frame.entries.len();
        self.frames.push_back(Arc::new(frame));
        while self.frames.len() > FRAMES || (self.entries > ENTRIES && self.frames.len() > 1) {
            let oldest = self.frames.pop_front();
            self.entries -= oldest.map_or(0, |frame| frame.entries.len());
        }
    }

    /// The frame that holds the first revision after `cursor`.
    pub(crate) fn after(&self, cursor: Revision, history: u64) -> Found {
        if history != self.history {
            return Found::Foreign;
        }
        if cursor >= self.to {
            return Found::End;
        }
        match self
            .frames
            .get(self.frames.partition_point(|frame| frame.to <= cursor))
        {
            Some(frame) if frame.after <= cursor => Found::Frame(frame.clone()),
            Some(_) | None => Found::Behind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(after: u64, to: u64) -> Frame {
        Frame {
            after: Revision(after),
            to: Revision(to),
            entries: Vec::new(),
            left: Vec::new(),
        }
    }

    #[test]
    fn a_cursor_finds_the_frame_that_follows_it() {
        let mut ring = Ring::starting_at(Revision(10), 0);
        ring.push(frame(10, 12));
        ring.push(frame(12, 13));
        let at = |cursor| match ring.after(Revision(cursor), 0) {
            Found::Frame(frame) => format!("{}..{}", frame.after, frame.to),
            Found::End => "end".to_owned(),
            Found::Behind => "behind".to_owned(),
            Found::Foreign => "foreign".to_owned(),
        };
        assert_eq!(
            [9, 10, 11, 12, 13, 99].map(at),
            ["behind", "10..12", "10..12", "12..13", "end", "end"]
        );
    }

    #[test]
    fn a_cursor_of_another_history_finds_nothing() {
        let mut ring = Ring::starting_at(Revision(10), 1);
        ring.push(frame(10, 12));
        assert!(matches!(ring.after(Revision(10), 0), Found::Foreign));
    }

    #[test]
    fn a_subscriber_may_be_4096_frames_behind_and_no_more() {
        let mut ring = Ring::starting_at(Revision(0), 0);
        for n in 0..4_096 {
            ring.push(frame(n, n + 1));
        }
        assert!(matches!(ring.after(Revision(0), 0), Found::Frame(_)));
        ring.push(frame(4_096, 4_097));
        assert!(matches!(ring.after(Revision(0), 0), Found::Behind));
        assert!(matches!(ring.after(Revision(1), 0), Found::Frame(_)));
    }
}
