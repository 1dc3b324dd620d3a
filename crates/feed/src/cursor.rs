//! Where a subscriber stands.

use greenstar_kernel::{Epoch, Position, Revision};

/// Moves forward only, and only to where the next frame ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    position: Position,
}

/// A frame that does not follow: something was missed or came twice. The watch is opened again from the cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Gap {
    #[error("the frame begins after {after}, the cursor is {cursor}")]
    NotNext { cursor: Revision, after: Revision },
    #[error("the frame ends at {to}, before it begins")]
    Backwards { to: Revision },
}

impl Cursor {
    /// At the end of a snapshot, or where an earlier watch ended.
    pub fn at(position: Position) -> Cursor {
        Cursor { position }
    }

    pub fn position(&self) -> &Position {
        &self.position
    }

    pub fn epoch(&self) -> &Epoch {
        &self.position.epoch
    }

    pub fn revision(&self) -> Revision {
        self.position.revision
    }

    /// Whether the frame `(after, to]` follows. Ask before applying it.
    pub fn check(&self, after: Revision, to: Revision) -> Result<(), Gap> {
        let cursor = self.position.revision;
        if after != cursor {
            Err(Gap::NotNext { cursor, after })
        } else if to < after {
            Err(Gap::Backwards { to })
        } else {
            Ok(())
        }
    }

    /// Takes the frame `(after, to]` as applied: its rows are in the view (protocol.md §2).
    pub fn advance(&mut self, after: Revision, to: Revision) -> Result<(), Gap> {
        self.check(after, to)?;
        self.position.revision = to;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(revision: u64) -> Cursor {
        Cursor::at(Position {
            epoch: Epoch::parse("e").unwrap(),
            revision: Revision(revision),
        })
    }

    #[test]
    fn a_frame_that_repeats_skips_or_runs_backwards_is_refused() {
        let mut cursor = at(5);
        for (after, to) in [(4, 6), (6, 7), (0, 5), (5, 4)] {
            assert!(
                cursor.advance(Revision(after), Revision(to)).is_err(),
                "({after}, {to}]"
            );
            assert_eq!(cursor, at(5));
        }
        cursor.advance(Revision(5), Revision(5)).unwrap();
        cursor.advance(Revision(5), Revision(9)).unwrap();
        assert_eq!(cursor, at(9));
    }
}
