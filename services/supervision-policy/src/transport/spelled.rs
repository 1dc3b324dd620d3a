//! Answers and records as bytes. They are written straight from the decision: the messages in between would be forty
//! texts made, copied and thrown away for every answer. A test holds them equal to what the messages encode to.

use std::time::Duration;

use greenstar_kernel::LocalizedText;
use greenstar_proto::supervision::v1 as pb;
use pbjson_types as wkt;
use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint, encoded_len_varint};

use super::convert;
use crate::domain::catalogue::LegalBasis;
use crate::domain::decide::{AppliedMeasure, Decision, NamedFlag};
use crate::domain::reason::Reason;
use crate::follow::wire;

/// A message that is being written, fields in their order. What is empty is left out, as the format has it.
#[derive(Debug)]
pub(super) struct Out(Vec<u8>);

/// Where the grounds of a decision stand in a message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    measures: u32,
    reasons: u32,
    flags: u32,
}

/// Of `DecideResponse` and the typed answers, which have the same fields.
pub(super) const OF_ANSWER: Fields = Fields {
    measures: 2,
    reasons: 3,
    flags: 7,
};
/// Of `Decision`.
pub(super) const OF_RECORD: Fields = Fields {
    measures: 9,
    reasons: 10,
    flags: 14,
};

impl Out {
    pub(super) fn with_room(bytes: usize) -> Out {
        Out(Vec::with_capacity(bytes))
    }

    pub(super) fn written(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn length(&mut self, field: u32, length: usize) {
        encode_key(field, WireType::LengthDelimited, &mut self.0);
        encode_varint(length as u64, &mut self.0);
    }

    /// Bytes that are a message, also an empty one.
    pub(super) fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.length(field, bytes.len());
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    /// An enumeration or a number that is not negative.
    pub(super) fn number(&mut self, field: u32, number: i32) {
        self.some_number(field, Some(number).filter(|number| *number != 0));
    }

    /// A number that may be absent.
    pub(super) fn some_number(&mut self, field: u32, number: Option<i32>) {
        if let Some(number) = number {
            encode_key(field, WireType::Varint, &mut self.0);
            // As the format has it, a negative one has all its 64 bits.
            encode_varint(i64::from(number).cast_unsigned(), &mut self.0);
        }
    }

    pub(super) fn yes(&mut self, field: u32, yes: bool) {
        self.number(field, i32::from(yes));
    }

    pub(super) fn message(&mut self, field: u32, message: &impl Message) {
        self.length(field, message.encoded_len());
        message.encode_raw(&mut self.0);
    }

    /// A message that `write` writes.
    pub(super) fn nested(&mut self, field: u32, write: impl FnOnce(&mut Out)) {
        encode_key(field, WireType::LengthDelimited, &mut self.0);
        let at = self.0.len();
        write(self);
        let length = self.0.len() - at;
        let room = encoded_len_varint(length as u64);
        // Its length stands in front of it and is known behind it.
        encode_varint(length as u64, &mut self.0);
        if let Some(tail) = self.0.get_mut(at..) {
            tail.rotate_right(room);
        }
    }

    pub(super) fn said(&mut self, field: u32, text: &LocalizedText) {
        self.nested(field, |out| {
            out.text(1, &text.zh);
            out.text(2, &text.en);
        });
    }

    pub(super) fn span(&mut self, field: u32, span: Option<Duration>) {
        if let Some(span) = span {
            self.message(field, &wkt::Duration::from(span));
        }
    }
}

/// All measures of a decision.
pub(super) fn measures(out: &mut Out, field: u32, decision: &Decision<'_>) {
    for applied in &decision.measures {
        out.nested(field, |out| measure(out, decision, applied));
    }
}

fn measure<'a>(out: &mut Out, decision: &Decision<'a>, applied: &AppliedMeasure<'a>) {
    out.text(1, applied.entry.code.as_str());
    out.said(2, &applied.entry.title);
    out.number(3, convert::class(applied.entry.class).into());
    if let Some((parameter, value)) = applied.entry.parameter().zip(applied.value) {
        out.nested(4, |out| {
            out.text(1, parameter.code.as_str());
            out.text(2, &value.to_string());
        });
    }
    for law in decision.bases(applied) {
        out.nested(5, |out| basis(out, law));
    }
    for flag in decision.carriers(applied) {
        out.text(6, &flag.name);
    }
    if let Some(ends) = applied.ends {
        out.message(7, &wire::to_instant(ends));
    }
}

fn basis(out: &mut Out, basis: &LegalBasis) {
    out.text(1, basis.code.as_str());
    out.said(2, &basis.title);
    if let Some(article) = &basis.article {
        out.said(3, article);
    }
    for (field, date) in [(4, basis.effective), (5, basis.end)] {
        if let Some(date) = date {
            out.text(field, &date.to_string());
        }
    }
}

/// All reasons of a decision, and what is said of its standing.
pub(super) fn reasons(out: &mut Out, field: u32, decision: &Decision<'_>, caveat: Option<&LocalizedText>) {
    for reason in &decision.reasons {
        out.nested(field, |out| given(out, reason));
    }
    if let Some(caveat) = caveat {
        out.nested(field, |out| {
            out.said(1, caveat);
            out.number(3, pb::ReasonKind::Staleness.into());
        });
    }
}

fn given(out: &mut Out, reason: &Reason<'_>) {
    out.said(1, &reason.text());
    out.text(2, &reason.row().unwrap_or_default());
    out.number(3, convert::kind(reason.kind()).into());
}

/// All flags that a decision has seen.
pub(super) fn flags(out: &mut Out, field: u32, decision: &Decision<'_>) {
    for named in &decision.flags {
        out.nested(field, |out| flag(out, named));
    }
}

fn flag(out: &mut Out, NamedFlag { flag, kind, .. }: &NamedFlag<'_>) {
    out.text(1, &flag.name);
    out.text(2, flag.kind.as_str());
    out.said(3, &kind.title);
    out.number(4, convert::severity(flag.severity).into());
    out.text(5, flag.department.as_str());
    out.nested(6, |out| {
        out.text(1, &flag.document.issuer);
        out.text(2, &flag.document.number);
        out.text(3, &flag.document.date.to_string());
    });
    for law in flag.bases.iter() {
        out.nested(7, |out| basis(out, law));
    }
    out.message(8, &wire::to_instant(flag.start));
    if let Some(end) = flag.end {
        out.message(9, &wire::to_instant(end));
    }
    if let Some(scope) = &flag.scope {
        out.text(10, scope.as_str());
    }
}

impl Fields {
    pub(super) fn measures(self, out: &mut Out, decision: &Decision<'_>) {
        measures(out, self.measures, decision);
    }

    pub(super) fn reasons(self, out: &mut Out, decision: &Decision<'_>, caveat: Option<&LocalizedText>) {
        reasons(out, self.reasons, decision, caveat);
    }

    pub(super) fn flags(self, out: &mut Out, decision: &Decision<'_>) {
        flags(out, self.flags, decision);
    }
}
