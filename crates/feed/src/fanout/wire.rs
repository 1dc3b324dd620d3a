//! A frame as an entry of the stream: fields `after`, `batch`, and `entries` unless that is too long.

use std::collections::HashMap;
use std::sync::Arc;

use greenstar_kernel::{Revision, Timestamp, Uscc};
use greenstar_store::Entry;
use serde::{Deserialize, Serialize};

use super::Heard;
use crate::Frame;

/// Longer ones are announced without their entries; siblings read those from the table. Bounds what a
/// stream costs Redis: [`super::stream::LENGTH`] times this.
const LONGEST: usize = 128 * 1024;

/// The fields of a stream's entry, as Redis gives them.
pub(super) type Fields = HashMap<String, Vec<u8>>;

/// One change; its revision follows from its place.
#[derive(Debug, Serialize, Deserialize)]
struct Line<'a> {
    at: Timestamp,
    kind: std::borrow::Cow<'a, str>,
    enterprise: Option<Uscc>,
    body: std::borrow::Cow<'a, str>,
    cause: Option<std::borrow::Cow<'a, str>>,
}

/// The entries of `frame`; none when they are too long.
pub(super) fn encode(frame: &Frame) -> Option<String> {
    let size: usize = frame.entries.iter().map(|entry| entry.body.len()).sum();
    if size > LONGEST {
        return None;
    }
    let lines: Vec<Line<'_>> = frame
        .entries
        .iter()
        .map(|entry| Line {
            at: entry.at,
            kind: (&*entry.kind).into(),
            enterprise: entry.enterprise,
            body: (&*entry.body).into(),
            cause: entry.cause.as_deref().map(Into::into),
        })
        .collect();
    let text = serde_json::to_string(&lines).ok()?;
    (text.len() <= LONGEST).then_some(text)
}

/// Where the frame of the entry `id` ends; zero when `id` is none that Redis gives.
pub(super) fn revision(id: &str) -> Revision {
    let number = id.split_once('-').map_or(id, |(number, _)| number);
    Revision(number.parse().unwrap_or(0))
}

/// What an entry of the stream says. One that is not of ours, or not whole, is a frame that was missed.
pub(super) fn decode(id: &str, fields: &Fields, history: u64) -> Heard {
    let to = revision(id);
    let after = text(fields, "after")
        .and_then(|after| after.parse().ok())
        .map(Revision);
    let frame = match after {
        Some(after) if id.ends_with("-0") => frame(after, to, fields),
        Some(_) | None => None,
    };
    Heard {
        history,
        after: after.unwrap_or(Revision::ZERO),
        to,
        frame,
    }
}

fn frame(after: Revision, to: Revision, fields: &Fields) -> Option<Frame> {
    let entries = fields.get("entries").filter(|text| text.len() <= LONGEST)?;
    let lines: Vec<Line<'_>> = serde_json::from_slice(entries).ok()?;
    if lines.is_empty() || to.0.checked_sub(after.0) != Some(lines.len() as u64) {
        return None;
    }
    let batch = batch(fields)?;
    let entries = (after.0 + 1..).zip(lines).map(|(revision, line)| {
        Arc::new(Entry {
            revision: Revision(revision),
            batch: batch.clone(),
            at: line.at,
            kind: line.kind.into_owned(),
            enterprise: line.enterprise,
            body: line.body.into_owned(),
            cause: line.cause.map(std::borrow::Cow::into_owned),
        })
    });
    Some(Frame {
        after,
        to,
        entries: entries.collect(),
        left: Vec::new(),
    })
}

/// Which batch an entry of the stream announces.
pub(super) fn batch(fields: &Fields) -> Option<Arc<str>> {
    text(fields, "batch").map(Arc::from)
}

fn text<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    std::str::from_utf8(fields.get(name)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(revision: u64, body: &str) -> Arc<Entry> {
        Arc::new(Entry {
            revision: Revision(revision),
            batch: "b".into(),
            at: Timestamp::from_micros(5),
            kind: "set".to_owned(),
            enterprise: "91350100M000100Y43".parse().ok(),
            body: body.to_owned(),
            cause: Some("sanctions:17".to_owned()),
        })
    }

    fn two() -> Frame {
        Frame {
            after: Revision(6),
            to: Revision(8),
            entries: vec![entry(7, r#"{"name":"\"绿\""}"#), entry(8, "2")],
            left: Vec::new(),
        }
    }

    fn fields(frame: &Frame) -> Fields {
        let mut fields = Fields::new();
        fields.insert("after".to_owned(), frame.after.0.to_string().into_bytes());
        fields.insert("batch".to_owned(), b"b".to_vec());
        if let Some(entries) = encode(frame) {
            fields.insert("entries".to_owned(), entries.into_bytes());
        }
        fields
    }

    #[test]
    fn a_frame_survives_the_stream() {
        let heard = decode("8-0", &fields(&two()), 3);
        assert_eq!(
            (heard.history, heard.after, heard.to),
            (3, Revision(6), Revision(8))
        );
        assert_eq!(heard.frame, Some(two()));
    }

    #[test]
    fn a_long_frame_is_announced_without_its_entries() {
        let mut long = two();
        long.entries = vec![entry(7, &"x".repeat(LONGEST)), entry(8, "2")];
        let heard = decode("8-0", &fields(&long), 0);
        assert_eq!(
            (heard.after, heard.to, heard.frame),
            (Revision(6), Revision(8), None)
        );
    }

    #[test]
    fn what_does_not_add_up_is_no_frame() {
        let good = fields(&two());
        for (id, name, value) in [
            ("9-0", "after", "6"),
            ("8-1", "after", "6"),
            ("8", "after", "6"),
            ("8-0", "after", "7"),
            ("8-0", "after", "9"),
            ("8-0", "after", "-1"),
            ("8-0", "after", ""),
            ("8-0", "entries", "[]"),
            ("8-0", "entries", "[{]"),
            ("x-0", "after", "6"),
        ] {
            let mut bad = good.clone();
            bad.insert(name.to_owned(), value.as_bytes().to_vec());
            assert_eq!(decode(id, &bad, 0).frame, None, "{id} {name}={value}");
        }
    }

    proptest! {
        #[test]
        fn any_entry_is_read_or_missed(id in "\\PC{0,24}", after in "\\PC{0,24}", entries in prop::collection::vec(any::<u8>(), 0..64)) {
            let fields = Fields::from([
                ("after".to_owned(), after.into_bytes()),
                ("batch".to_owned(), entries.clone()),
                ("entries".to_owned(), entries),
            ]);
            let heard = decode(&id, &fields, 0);
            prop_assert!(heard.frame.is_none_or(|frame| frame.after < frame.to));
        }
    }
}
