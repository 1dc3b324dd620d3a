//! The chain over a writer's records: it makes a record that is changed, exchanged or taken away visible to whoever
//! kept an earlier link.
//!
//! ```text
//! link 0 = SHA-256("greenstar-chain/1" ‖ writer)              writer: its 32 hexadecimal digits
//! link n = SHA-256(link n-1 ‖ leaf n)
//! leaf n = SHA-256(salt ‖ body)                               of a record
//!        | SHA-256("greenstar-skipped/1" ‖ n)                 given to nobody: its write failed
//!        | SHA-256("greenstar-lost/1" ‖ n)                    given, and not readable when it was to be shipped
//! ```
//! `n` in 8 bytes, big-endian. Every sequence has a leaf, so that a gap says which one it is and cannot be moved.

use std::ops::RangeInclusive;

use sha2::{Digest as _, Sha256};

use super::WriterId;

/// A SHA-256.
pub(crate) type Hash = [u8; 32];

/// A writer's chain up to a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chain {
    through: u64,
    link: Hash,
}

/// Hash of salt and body.
pub(crate) fn leaf(salt: &[u8], body: &[u8]) -> Hash {
    Sha256::new()
        .chain_update(salt)
        .chain_update(body)
        .finalize()
        .into()
}

impl Chain {
    /// Before a writer's first record.
    pub(crate) fn of(writer: WriterId) -> Chain {
        let hasher = Sha256::new().chain_update("greenstar-chain/1");
        let link = hasher.chain_update(writer.to_string()).finalize().into();
        Chain { through: 0, link }
    }

    /// As it was left.
    pub(crate) fn at(through: u64, link: Hash) -> Chain {
        Chain { through, link }
    }

    /// The last sequence that it holds.
    pub(crate) fn through(&self) -> u64 {
        self.through
    }

    /// The link of that sequence.
    pub(crate) fn link(&self) -> Hash {
        self.link
    }

    /// Links a record; what lies between was skipped or is lost. Answers its link. A sequence that the chain has
    /// passed changes nothing.
    pub(crate) fn record(&mut self, sequence: u64, leaf: &Hash, skipped: &[RangeInclusive<u64>]) -> Hash {
        self.fill(sequence.saturating_sub(1), skipped);
        if sequence > self.through {
            self.push(leaf);
        }
        self.link
    }

    /// Links everything up to `through`, of which there are no records.
    pub(crate) fn fill(&mut self, through: u64, skipped: &[RangeInclusive<u64>]) {
        while self.through < through {
            let next = self.through + 1;
            let word = match skipped.iter().any(|range| range.contains(&next)) {
                true => "greenstar-skipped/1",
                false => "greenstar-lost/1",
            };
            let hasher = Sha256::new().chain_update(word);
            self.push(&hasher.chain_update(next.to_be_bytes()).finalize().into());
        }
    }

    fn push(&mut self, leaf: &Hash) {
        let hasher = Sha256::new().chain_update(self.link);
        self.link = hasher.chain_update(leaf).finalize().into();
        self.through += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer() -> WriterId {
        WriterId::parse("0198f7d0000070008000000000000001").unwrap()
    }

    fn hex(hash: Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn links_are_what_the_description_says() {
        let mut chain = Chain::of(writer());
        // Computed by another program from the description above.
        assert_eq!(hex(chain.link()), BEGUN);
        let first = leaf(&[1; 16], b"body");
        assert_eq!(hex(first), LEAF);
        assert_eq!(hex(chain.record(1, &first, &[])), FIRST);
        chain.fill(2, &[2..=2]);
        assert_eq!(hex(chain.link()), SKIPPED);
        chain.fill(3, &[2..=2]);
        assert_eq!((hex(chain.link()).as_str(), chain.through()), (LOST, 3));
    }

    #[test]
    fn a_chain_goes_on_where_it_was_left_whatever_the_batches() {
        let leaves: Vec<Hash> = (0..9).map(|of| leaf(&[of; 16], b"body")).collect();
        let mut whole = Chain::of(writer());
        for (sequence, leaf) in (1..).zip(&leaves) {
            whole.record(sequence, leaf, &[]);
        }
        let mut parts = Chain::of(writer());
        for (sequence, leaf) in (1..).zip(&leaves) {
            parts = Chain::at(parts.through(), parts.link());
            parts.record(sequence, leaf, &[]);
        }
        assert_eq!(whole, parts);
        let before = whole;
        whole.record(4, leaves.first().unwrap(), &[]);
        whole.fill(2, &[]);
        assert_eq!(whole, before, "what it has passed changes nothing");
    }

    #[test]
    fn every_change_shows_in_the_last_link() {
        let of = |leaves: &[u8], skipped: &[RangeInclusive<u64>]| {
            let mut chain = Chain::of(writer());
            for (sequence, byte) in (1..).zip(leaves).filter(|(_, byte)| **byte != 0) {
                chain.record(sequence, &leaf(&[*byte; 16], b"body"), skipped);
            }
            chain.fill(leaves.len() as u64, skipped);
            chain.link()
        };
        let all = [
            of(&[1, 2, 3], &[]),
            of(&[1, 3, 2], &[]),
            of(&[1, 2, 4], &[]),
            of(&[1, 0, 3], &[]),
            of(&[1, 0, 3], &[2..=2]),
            of(&[0, 1, 3], &[]),
            of(&[1, 2, 0], &[]),
            of(&[1, 2], &[]),
        ];
        for (at, link) in all.iter().enumerate() {
            assert!(!all[..at].contains(link), "{at}");
        }
    }

    const BEGUN: &str = "b932cbc37102e0b862949b1fb84456dbd0a21f493d9cbb5ba00c2987625c3e99";
    const LEAF: &str = "4aa81efcca2000353b253223d35a38348d90d0d18695037c1e81fe9d34b36425";
    const FIRST: &str = "c5a7707baa6704bd7f05c4f647ab6db6bb06e919b30f3f769ee3b61f0426cdf3";
    const SKIPPED: &str = "2607022c35356e500c18301e4e6f3e52f61c96bca89d0a37549e764e444c5b90";
    const LOST: &str = "77392255465f646c1439a079c96f91315e418d4b26fc7fe1c0a164900410119f";
}
