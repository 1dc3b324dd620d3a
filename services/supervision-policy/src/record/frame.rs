//! How a segment file is laid out, as pure functions over bytes.
//!
//! ```text
//! header  64 bytes, twice: magic 8 | version u16 | 0 u16 | seed u32 | writer 16 | first u64 | skipped u64 | 0… | crc32
//! frame   mark 4 | length u32 | crc32 u32 | format u8 | sequence u64 | salt 16 | leaf 32 | body
//! ```
//! Little endian. `length` counts from the format on; the checksum covers the length and what it counts, and
//! starts from the header's seed, so that no caller can write a body that looks like a frame of ours.
//! The header stands twice because all other bytes are read by its seed.

use std::ops::RangeInclusive;

use super::{Record, WriterId};

pub(super) const HEADER: usize = 64;
/// Where the first frame begins.
pub(super) const START: usize = 2 * HEADER;
/// Most bytes of a body.
pub(super) const MAX_BODY: usize = 1 << 20;
/// What a frame has besides its body.
pub(super) const OVERHEAD: usize = PREFIX + FIXED;

const MAGIC: &[u8; 8] = b"GSRECORD";
const VERSION: u16 = 1;
const MARK: &[u8; 4] = b"\xD5GR\x0A";
/// Version of the body: 1 is `supervision.v1.Decision`.
const FORMAT: u8 = 1;
const PREFIX: usize = 12;
const FIXED: usize = 1 + 8 + 16 + 32;

/// What a segment says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) writer: WriterId,
    /// Sequence of the first record.
    pub(super) first: u64,
    /// So many sequences before `first` belong to writes that failed; nobody was given them but as the names
    /// of samples.
    pub(super) skipped: u64,
    pub(super) seed: u32,
}

impl Header {
    /// Sequences that were given to nobody, if there are any.
    pub(super) fn skipped_sequences(&self) -> Option<RangeInclusive<u64>> {
        let first = self.first.checked_sub(self.skipped)?;
        (first < self.first).then(|| first..=self.first - 1)
    }

    /// Both copies.
    pub(super) fn encode(&self) -> [u8; START] {
        let mut one = [0; HEADER];
        one[..8].copy_from_slice(MAGIC);
        one[8..10].copy_from_slice(&VERSION.to_le_bytes());
        one[12..16].copy_from_slice(&self.seed.to_le_bytes());
        one[16..32].copy_from_slice(&self.writer.0);
        one[32..40].copy_from_slice(&self.first.to_le_bytes());
        one[40..48].copy_from_slice(&self.skipped.to_le_bytes());
        let check = crc32fast::hash(&one[..HEADER - 4]);
        one[HEADER - 4..].copy_from_slice(&check.to_le_bytes());
        let mut both = [0; START];
        both[..HEADER].copy_from_slice(&one);
        both[HEADER..].copy_from_slice(&one);
        both
    }

    /// From whichever copy is whole; `None` if neither is.
    pub(super) fn decode(file: &[u8]) -> Option<Header> {
        [0, HEADER]
            .into_iter()
            .find_map(|at| Header::decode_one(file.get(at..at + HEADER)?))
    }

    fn decode_one(one: &[u8]) -> Option<Header> {
        let sound = one.starts_with(MAGIC)
            && u16::from_le_bytes(array(one, 8)?) == VERSION
            && u32::from_le_bytes(array(one, HEADER - 4)?) == crc32fast::hash(one.get(..HEADER - 4)?);
        if !sound {
            return None;
        }
        Some(Header {
            writer: WriterId(array(one, 16)?),
            first: u64::from_le_bytes(array(one, 32)?),
            skipped: u64::from_le_bytes(array(one, 40)?),
            seed: u32::from_le_bytes(array(one, 12)?),
        })
    }
}

/// Appends one frame.
pub(super) fn encode(record: &Record, seed: u32, to: &mut Vec<u8>) {
    let length = u32::try_from(FIXED + record.body.len())
        .unwrap_or(u32::MAX)
        .to_le_bytes();
    to.extend_from_slice(MARK);
    to.extend_from_slice(&length);
    let check = to.len();
    to.extend_from_slice(&[0; 4]);
    let counted = to.len();
    to.push(FORMAT);
    to.extend_from_slice(&record.sequence.to_le_bytes());
    to.extend_from_slice(&record.salt);
    to.extend_from_slice(&record.leaf);
    to.extend_from_slice(&record.body);
    let sum = checksum(seed, length, &to[counted..]).to_le_bytes();
    to[check..counted].copy_from_slice(&sum);
}

/// The frame that begins at `at`, and where it ends; `None` if no whole one does.
pub(super) fn decode(file: &[u8], at: usize, seed: u32) -> Option<(Record, usize)> {
    let (sequence, end) = inspect(file, at, seed)?;
    let fixed = at + PREFIX;
    let record = Record {
        sequence,
        salt: array(file, fixed + 9)?,
        leaf: array(file, fixed + 25)?,
        body: file.get(fixed + FIXED..end)?.to_vec(),
    };
    Some((record, end))
}

/// Where a frame of this file ends by its prefix alone.
pub(super) fn length(prefix: &[u8; PREFIX_BYTES]) -> Option<usize> {
    let length = usize::try_from(u32::from_le_bytes(array(prefix, 4)?)).ok()?;
    let fits = prefix.starts_with(MARK) && (FIXED..=FIXED + MAX_BODY).contains(&length);
    fits.then_some(PREFIX + length)
}

/// Bytes that [`length`] looks at.
pub(super) const PREFIX_BYTES: usize = PREFIX;

fn inspect(file: &[u8], at: usize, seed: u32) -> Option<(u64, usize)> {
    let end = at + length(&array(file, at)?)?;
    let counted = file.get(at + PREFIX..end)?;
    let sound = u32::from_le_bytes(array(file, at + 8)?) == checksum(seed, array(file, at + 4)?, counted)
        && counted.first() == Some(&FORMAT);
    if !sound {
        return None;
    }
    Some((u64::from_le_bytes(array(counted, 1)?), end))
}

/// Every whole frame of a segment, as (sequence, offset), in rising order of sequence. What stands between is
/// damaged or was never finished; it costs itself only, never the frames behind it.
pub(super) fn scan(file: &[u8], header: &Header) -> Vec<(u64, u32)> {
    let mut found = Vec::new();
    let mut next = header.first;
    let mut at = START;
    while let Some(begin) = mark_from(file, at) {
        at = match inspect(file, begin, header.seed) {
            Some((sequence, end)) if sequence >= next => {
                found.push((sequence, u32::try_from(begin).unwrap_or(0)));
                next = sequence + 1;
                end
            }
            Some(_) | None => begin + 1,
        };
    }
    found
}

fn mark_from(file: &[u8], at: usize) -> Option<usize> {
    let rest = file.get(at..)?;
    // The usual case first: the next frame begins right here.
    if rest.starts_with(MARK) {
        return Some(at);
    }
    rest.windows(MARK.len())
        .position(|window| window == MARK)
        .map(|distance| at + distance)
}

fn checksum(seed: u32, length: [u8; 4], counted: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(seed);
    hasher.update(&length);
    hasher.update(counted);
    hasher.finalize()
}

fn array<const N: usize>(from: &[u8], at: usize) -> Option<[u8; N]> {
    from.get(at..at + N)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn header() -> Header {
        Header {
            writer: WriterId([7; 16]),
            first: 5,
            skipped: 2,
            seed: 0x1234_5678,
        }
    }

    fn record(sequence: u64, body: Vec<u8>) -> Record {
        Record {
            sequence,
            salt: [3; 16],
            leaf: [4; 32],
            body,
        }
    }

    /// A segment of these bodies, and where each frame stands.
    fn segment(bodies: &[Vec<u8>]) -> (Vec<u8>, Vec<std::ops::Range<usize>>) {
        let mut file = header().encode().to_vec();
        let mut places = Vec::new();
        for (sequence, body) in (header().first..).zip(bodies) {
            let begin = file.len();
            encode(&record(sequence, body.clone()), header().seed, &mut file);
            places.push(begin..file.len());
        }
        (file, places)
    }

    fn bodies() -> impl Strategy<Value = Vec<Vec<u8>>> {
        prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..6)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn a_file_cut_at_any_byte_keeps_every_frame_that_was_whole(bodies in bodies(), zeros in 0usize..64) {
            let (file, places) = segment(&bodies);
            for cut in START..=file.len() {
                let mut torn = file[..cut].to_vec();
                torn.resize(cut + zeros, 0);
                // A body that ends in zeros is whole again when zeros follow.
                let whole = places.iter().filter(|place| torn.get((*place).clone()) == file.get((*place).clone())).count();
                prop_assert_eq!(scan(&torn, &header()).len(), whole, "cut at {}", cut);
            }
        }

        #[test]
        fn a_flipped_bit_costs_no_record_but_its_own(bodies in bodies(), bit in 0u8..8) {
            let (file, places) = segment(&bodies);
            for at in 0..file.len() {
                let mut flipped = file.clone();
                flipped[at] ^= 1 << bit;
                let read = Header::decode(&flipped);
                prop_assert_eq!(read, Some(header()), "the other copy stands");
                let kept: Vec<u64> = scan(&flipped, &header()).into_iter().map(|(sequence, _)| sequence).collect();
                let expected: Vec<u64> = (header().first..)
                    .zip(&places)
                    .filter(|(_, place)| !place.contains(&at))
                    .map(|(sequence, _)| sequence)
                    .collect();
                prop_assert_eq!(kept, expected, "flipped at {}", at);
            }
        }

        #[test]
        fn what_is_found_reads_back_as_it_was_written(bodies in bodies()) {
            let (file, _) = segment(&bodies);
            for ((sequence, at), body) in scan(&file, &header()).into_iter().zip(&bodies) {
                let read = decode(&file, at as usize, header().seed).map(|(record, _)| record);
                prop_assert_eq!(read, Some(record(sequence, body.clone())));
            }
        }

        #[test]
        fn any_bytes_scan_without_harm(file in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Header::decode(&file);
            prop_assert!(scan(&file, &header()).is_empty());
        }
    }

    #[test]
    fn a_body_that_looks_like_a_frame_is_not_taken_for_one() {
        // A caller cannot know the seed; even behind a damaged frame its body stays a body.
        let mut forged = Vec::new();
        encode(&record(9, b"forged".to_vec()), 0, &mut forged);
        let (mut file, places) = segment(&[forged, b"next".to_vec()]);
        file[places[0].start + 8] ^= 1;
        let kept: Vec<u64> = scan(&file, &header())
            .into_iter()
            .map(|(sequence, _)| sequence)
            .collect();
        assert_eq!(kept, [6]);
    }
}
