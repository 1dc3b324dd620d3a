//! The flags of one enterprise in a few dozen bytes each: what many flags share is a number, an id that is a UUID is
//! its 16 bytes, and the rest stands as it is.

use std::sync::Arc;

use greenstar_kernel::{Code, Date, Department, Document, Timestamp};
use uuid::Uuid;

use super::Flagged;
use crate::domain::catalogue::{LegalBasis, Severity};
use crate::domain::facts::Flag;
use crate::view::names::{ASIDE, Names};

/// What flags share.
#[derive(Debug)]
pub(super) struct Words {
    /// Kinds, departments, scopes, issuers.
    texts: Names<str>,
    bases: Names<[LegalBasis]>,
}

impl Words {
    pub(super) fn new() -> Words {
        Words {
            texts: Names::new(),
            bases: Names::new(),
        }
    }
}

const SEVERITY: u8 = 0b11;
/// A flag in force that could not be understood; its name is all there is.
const UNREADABLE: u8 = 0b100;
/// The name ends with a UUID, and that is all that is kept of it.
const UUID: u8 = 0b1000;
const SCOPE: u8 = 0b1_0000;
const END: u8 = 0b10_0000;

/// Writes the flags of one enterprise.
pub(super) fn pack(uscc: &str, flagged: &Flagged, words: &Words, out: &mut Vec<u8>) {
    let mut out = Out { bytes: out, words };
    for flag in flagged.flags.iter() {
        out.flag(uscc, flag);
    }
    for name in flagged.unreadable.iter() {
        out.bytes.push(UNREADABLE);
        out.text(name);
    }
}

/// Reads them back. `None`: nobody wrote this.
pub(super) fn unpack(uscc: &str, bytes: &[u8], words: &Words) -> Option<Flagged> {
    let mut read = In { bytes, words };
    let (mut flags, mut unreadable) = (Vec::new(), Vec::new());
    while let Some(marks) = read.next() {
        if marks & UNREADABLE != 0 {
            unreadable.push(read.text()?.into());
        } else {
            flags.push(read.flag(uscc, marks)?);
        }
    }
    Some(Flagged {
        flags: flags.into(),
        unreadable: unreadable.into(),
    })
}

fn prefix(uscc: &str) -> String {
    format!("enterprises/{uscc}/flags/")
}

/// The id, where the name can be made from it again.
fn id(uscc: &str, name: &str) -> Option<Uuid> {
    let raw = name.strip_prefix(&prefix(uscc))?;
    let id = Uuid::try_parse(raw).ok()?;
    (id.hyphenated().to_string() == raw).then_some(id)
}

struct Out<'a> {
    bytes: &'a mut Vec<u8>,
    words: &'a Words,
}

impl Out<'_> {
    fn flag(&mut self, uscc: &str, flag: &Flag) {
        let id = id(uscc, &flag.name);
        let mut marks = match flag.severity {
            Severity::Minor => 0,
            Severity::Ordinary => 1,
            Severity::Serious => 2,
        };
        for (mark, set) in [
            (UUID, id.is_some()),
            (SCOPE, flag.scope.is_some()),
            (END, flag.end.is_some()),
        ] {
            marks |= if set { mark } else { 0 };
        }
        self.bytes.push(marks);
        match id {
            Some(id) => self.bytes.extend(id.as_bytes()),
            None => self.text(&flag.name),
        }
        self.word(flag.kind.as_str());
        self.word(flag.department.as_str());
        if let Some(scope) = &flag.scope {
            self.word(scope.as_str());
        }
        self.word(&flag.document.issuer);
        self.text(&flag.document.number);
        self.bytes.extend(flag.document.date.days().to_le_bytes());
        self.bases(&flag.bases);
        for at in [Some(flag.start), flag.end].into_iter().flatten() {
            self.bytes.extend(at.micros().to_le_bytes());
        }
    }

    fn number(&mut self, number: Option<u16>) {
        self.bytes.extend(number.unwrap_or(ASIDE).to_le_bytes());
    }

    /// By its number, or in full once all numbers are taken.
    fn word(&mut self, word: &str) {
        let number = self.words.texts.number(&word.into());
        self.number(number);
        if number.is_none() {
            self.text(word);
        }
    }

    fn bases(&mut self, bases: &Arc<[LegalBasis]>) {
        let number = self.words.bases.number(bases);
        self.number(number);
        if number.is_none() {
            // A list of texts and dates can always be written.
            self.text(&serde_json::to_string(bases).unwrap_or_default());
        }
    }

    fn text(&mut self, text: &str) {
        let mut length = text.len();
        while length > 0x7f {
            self.bytes.push(length.to_le_bytes()[0] | 0x80);
            length >>= 7;
        }
        self.bytes.push(length.to_le_bytes()[0]);
        self.bytes.extend(text.as_bytes());
    }
}

struct In<'a> {
    bytes: &'a [u8],
    words: &'a Words,
}

impl<'a> In<'a> {
    fn flag(&mut self, uscc: &str, marks: u8) -> Option<Flag> {
        let name: Arc<str> = if marks & UUID == 0 {
            self.text()?.into()
        } else {
            let id = Uuid::from_bytes(self.take()?);
            format!("{}{}", prefix(uscc), id.hyphenated()).into()
        };
        Some(Flag {
            name,
            kind: Code::parse(self.word()?).ok()?,
            severity: *Severity::ALL.get(usize::from(marks & SEVERITY))?,
            department: Department::parse(self.word()?).ok()?,
            scope: match marks & SCOPE {
                0 => None,
                _ => Some(Code::parse(self.word()?).ok()?),
            },
            document: Document {
                issuer: self.word()?.to_owned(),
                number: self.text()?.to_owned(),
                date: self.date()?,
            },
            bases: self.bases()?,
            start: self.instant()?,
            end: match marks & END {
                0 => None,
                _ => Some(self.instant()?),
            },
        })
    }

    fn next(&mut self) -> Option<u8> {
        let [byte] = self.take()?;
        Some(byte)
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.bytes.split_first_chunk()?;
        self.bytes = rest;
        Some(*taken)
    }

    fn word(&mut self) -> Option<&'a str> {
        match u16::from_le_bytes(self.take()?) {
            ASIDE => self.text(),
            number => self.words.texts.value(number).map(|word| &**word),
        }
    }

    fn bases(&mut self) -> Option<Arc<[LegalBasis]>> {
        match u16::from_le_bytes(self.take()?) {
            ASIDE => serde_json::from_str(self.text()?).ok(),
            number => self.words.bases.value(number).cloned(),
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = self.next()?;
            length |= usize::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let (text, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        std::str::from_utf8(text).ok()
    }

    fn date(&mut self) -> Option<Date> {
        let days = i32::from_le_bytes(self.take()?);
        Some(Date::new(1970, 1, 1)?.plus_days(days))
    }

    fn instant(&mut self) -> Option<Timestamp> {
        Some(Timestamp::from_micros(i64::from_le_bytes(self.take()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::flags::tests::{FIRMS, flag};

    const FIRM: &str = FIRMS[0];

    fn there_and_back(flagged: &Flagged, words: &Words) -> usize {
        let mut bytes = Vec::new();
        pack(FIRM, flagged, words, &mut bytes);
        let read = unpack(FIRM, &bytes, words).unwrap();
        assert_eq!(read.flags, flagged.flags);
        assert_eq!(read.unreadable, flagged.unreadable);
        bytes.len()
    }

    #[test]
    fn flags_of_any_form_come_back_as_they_were() {
        let words = Words::new();
        let made = format!("{}0198f7d0-0000-7000-8000-000000000001", prefix(FIRM));
        let mut scoped = flag(&made, -5);
        scoped.scope = Some(Code::parse("pollutant-permit").unwrap());
        scoped.end = Some(Timestamp::from_micros(i64::MAX));
        scoped.document.number = "号".repeat(100);
        let shouted = made.to_uppercase();
        let flags = [flag("elsewhere", 1), flag(&shouted, 2), scoped];
        there_and_back(
            &Flagged {
                flags: flags.into(),
                unreadable: ["x".into(), "".into()].into(),
            },
            &words,
        );
        let one = Flagged {
            flags: [flag(&made, 7)].into(),
            unreadable: Arc::default(),
        };
        assert!(there_and_back(&one, &words) <= 64);
    }

    #[test]
    fn what_has_no_number_left_stands_in_full() {
        let words = Words::new();
        for at in 0..u32::from(ASIDE) {
            words.texts.number(&at.to_string().into()).unwrap();
        }
        let one = Flagged {
            flags: [flag("elsewhere", 1)].into(),
            unreadable: Arc::default(),
        };
        there_and_back(&one, &words);
    }

    #[test]
    fn p10_bytes_that_nobody_wrote_are_not_read_as_fewer_flags() {
        let words = Words::new();
        let one = Flagged {
            flags: [flag("elsewhere", 1)].into(),
            unreadable: Arc::default(),
        };
        let mut bytes = Vec::new();
        pack(FIRM, &one, &words, &mut bytes);
        for cut in 1..bytes.len() {
            assert!(unpack(FIRM, &bytes[..cut], &words).is_none(), "cut at {cut}");
        }
    }
}
