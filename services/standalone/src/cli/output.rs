//! How answers and refusals look.

use std::io::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use greenstar_proto::common::v1::{LocalizedText, UsccVerdict};
use pbjson_types::Timestamp;
use tonic::Status;

use super::Answer;
use crate::args::Output;

/// False: nobody reads, as after a closed pipe or on a full disk.
pub(super) fn print(answer: &Answer, output: Output) -> bool {
    writeln!(std::io::stdout(), "{}", answer.show(output)).is_ok()
}

/// A table with two columns and no head: what, and its value.
pub(super) fn facts(rows: Vec<(&str, String)>) -> Table {
    let mut table = plain();
    for (what, value) in rows {
        if !value.is_empty() {
            table.add_row(vec![what.to_owned(), value]);
        }
    }
    table
}

pub(super) fn plain() -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table
}

pub(super) fn both(text: Option<&LocalizedText>) -> String {
    match text {
        Some(text) if text.zh.is_empty() => text.en.clone(),
        Some(text) if text.en.is_empty() => text.zh.clone(),
        Some(text) => format!("{}\n{}", text.zh, text.en),
        None => String::new(),
    }
}

/// A day in Shanghai, as officers read it.
pub(super) fn day(time: Option<&Timestamp>) -> String {
    time.map(|time| instant(time).date().to_string())
        .unwrap_or_default()
}

/// The last day of a term: it ends at 00:00 of the day after.
pub(super) fn last_day(end: Option<&Timestamp>) -> String {
    end.map(|end| {
        greenstar_kernel::Timestamp::from_micros(instant(end).micros() - 1)
            .date()
            .to_string()
    })
    .unwrap_or_default()
}

/// An instant, to the microsecond.
pub(super) fn time(time: Option<&Timestamp>) -> String {
    time.map(|time| instant(time).to_string()).unwrap_or_default()
}

fn instant(time: &Timestamp) -> greenstar_kernel::Timestamp {
    let micros = time
        .seconds
        .saturating_mul(1_000_000)
        .saturating_add(i64::from(time.nanos) / 1000);
    greenstar_kernel::Timestamp::from_micros(micros)
}

pub(super) fn star(star: Option<i32>, state: &str) -> String {
    match star {
        Some(star) => format!("{} {star}", "★".repeat(usize::try_from(star).unwrap_or(0))),
        None => state.trim_start_matches("RATING_STATE_").to_owned(),
    }
}

/// The suite's own words, with the reason's name.
pub(super) fn refusal(status: &Status) -> String {
    let reason = greenstar_rpc::reason_of(status).unwrap_or_else(|| format!("{:?}", status.code()));
    let zh = greenstar_rpc::said_of(status).zh;
    let zh = if zh.is_empty() { zh } else { format!("\n{zh}") };
    format!("{reason}: {}{zh}", status.message())
}

/// What there is to say against a code, or about a firm that nobody registered.
pub(super) fn warnings(known: bool, verdict: UsccVerdict) -> String {
    let known = if known {
        ""
    } else {
        "尚未登记，与一般企业同等对待；请核对代码\nnobody registered this enterprise; treated as any firm; check the code"
    };
    let verdict = match verdict {
        UsccVerdict::Unspecified | UsccVerdict::Valid => "",
        UsccVerdict::CheckFailedOrgOk => {
            "代码校验码不符，请核对\nthe code's check character does not match; check it"
        }
        UsccVerdict::UnknownArea => {
            "代码中的行政区划不存在，请核对\nno province has the code's area; check it"
        }
    };
    format!("{known}\n{verdict}").trim().to_owned()
}
