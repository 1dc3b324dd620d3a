//! How answers and refusals look.

use std::io::Write as _;

use comfy_table::{ContentArrangement, Table, presets};
use greenstar_proto::common::v1::{LocalizedText, UsccVerdict};
use greenstar_proto::supervision::v1::ListMattersRequest;
use greenstar_proto::supervision::v1::policy_service_client::PolicyServiceClient;
use greenstar_rpc::Client;
use pbjson_types::Timestamp;
use tonic::Status;

use super::{Answer, Failure};
use crate::args::{Common, Output};

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

/// Columns of a table, whatever the terminal says: an answer looks the same in a mail.
const WIDTH: u16 = 100;

pub(super) fn plain() -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(WIDTH);
    table
}

/// An outcome with its Chinese title, `STRICT_REVIEW 从严审查`, as the matter has it; alone where the matters cannot be
/// read, and for programs, which are not shown it.
pub(super) async fn outcome(common: &Common, client: Client, matter: &str, code: &str) -> String {
    if common.output == Output::Json {
        return code.to_owned();
    }
    let matters = PolicyServiceClient::new(client)
        .list_matters(ListMattersRequest {})
        .await
        .map(|answer| answer.into_inner().matters)
        .unwrap_or_default();
    let title = matters
        .iter()
        .filter(|known| known.name == matter)
        .flat_map(|known| &known.outcomes)
        .find(|outcome| outcome.code == code)
        .and_then(|outcome| outcome.title.as_ref());
    title.map_or_else(|| code.to_owned(), |title| format!("{code} {}", title.zh))
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

/// Day and time in Shanghai, to the second.
pub(super) fn time(time: Option<&Timestamp>) -> String {
    let civil = time.map(|time| {
        let at = instant(time);
        let seconds = at.since(at.date().start()).as_secs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        format!(
            "{} {hours:02}:{minutes:02}:{seconds:02} (Asia/Shanghai)",
            at.date()
        )
    });
    civil.unwrap_or_default()
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

/// Why there is no answer, for programs.
pub(super) fn failure(failure: &Failure) -> serde_json::Value {
    match failure {
        Failure::Refused(status) => {
            let said = greenstar_rpc::said_of(status);
            serde_json::json!({ "error": {
                "code": format!("{:?}", status.code()),
                "reason": greenstar_rpc::reason_of(status),
                "message": status.message(),
                "zh": said.zh,
            } })
        }
        Failure::Local(message) => serde_json::json!({ "error": { "message": message } }),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use greenstar_proto::common::v1::RatingState;

    #[test]
    fn a_state_without_a_star_is_shown_by_its_name() {
        assert_eq!(star(None, RatingState::NotListed.as_str_name()), "NOT_LISTED");
        assert_eq!(star(Some(5), RatingState::Rated.as_str_name()), "★★★★★ 5");
    }

    #[test]
    fn instants_are_told_as_officers_read_them() {
        // 2026-01-01T16:00:00.5Z
        let at = Timestamp {
            seconds: 1_767_283_200,
            nanos: 500_000_000,
        };
        assert_eq!(time(Some(&at)), "2026-01-02 00:00:00 (Asia/Shanghai)");
        assert_eq!(day(Some(&at)), "2026-01-02");
        assert_eq!(time(None), "");
    }
}
