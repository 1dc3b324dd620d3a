//! From messages to the domain's words. What the contract's rules cannot say is checked here.

use greenstar_kernel::{Code, Date, Document, LocalizedText, Points, Position, Star, Timestamp, Token, Uscc};
use greenstar_kernel::{Log, MalformedToken};
use greenstar_proto::common::v1 as common;
use greenstar_proto::common::v1::ErrorReason;
use greenstar_proto::rating::v1 as pb;
use greenstar_rpc::{names, status};
use tonic::{Code as Canonical, Status};

use super::status::refused;
use crate::domain::enterprise::{Change, District, PolluterClass, Profile, Sector, Site, sites};
use crate::domain::error::Refusal;
use crate::domain::event::Evidence;
use crate::domain::round::Claim;
use crate::domain::scheme::SchemeKey;
use crate::domain::score::Grant;

/// A field that the contract requires and its rules let be absent.
fn missing(field: &'static str) -> Status {
    refused(&Refusal::field(field, ("必填项", "given")))
}

/// A code of the scheme; one of another shape is as unknown as any other that the scheme does not have.
pub(super) fn code(field: &'static str, raw: &str) -> Result<Code, Status> {
    let said = (
        "1 至 64 位字母、数字、连字符或下划线",
        "1 to 64 letters, digits, hyphens or underscores",
    );
    Code::parse(raw).map_err(|_| refused(&Refusal::field(field, said)))
}

/// `rounds/{round}`. A name of another shape names no round.
pub(super) fn round(field: &str, raw: &str) -> Result<Code, Status> {
    let id = names::single(field, raw, "rounds")?;
    Code::parse(id).map_err(|_| refused(&Refusal::RoundUnknown(raw.to_owned())))
}

/// A new round's id.
pub(super) fn round_id(raw: &str) -> Result<Code, Status> {
    let said = (
        "小写字母、数字和连字符，至多 64 位",
        "lower-case letters, digits and hyphens, at most 64",
    );
    let fits = raw
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let id = Code::parse(raw).ok().filter(|_| fits);
    id.ok_or_else(|| refused(&Refusal::field("round_id", said)))
}

/// `schemes/{scheme}/versions/{version}`.
pub(super) fn scheme(field: &str, raw: &str) -> Result<SchemeKey, Status> {
    let (id, version) = names::nested(field, raw, "schemes", "versions")?;
    let key = Code::parse(id).ok().and_then(|id| SchemeKey::new(id, version));
    key.ok_or_else(|| refused(&Refusal::SchemeUnknown(raw.to_owned())))
}

/// Registered names are Chinese; without an English one the Chinese stands in.
pub(super) fn text(field: &'static str, raw: Option<common::LocalizedText>) -> Result<LocalizedText, Status> {
    let raw = raw.ok_or_else(|| missing(field))?;
    let (zh, en) = (raw.zh.trim(), raw.en.trim());
    let fits = !zh.is_empty() && zh.chars().count() <= 200 && en.chars().count() <= 300;
    let said = (
        "中文必填，至多 200 字",
        "given in Chinese, at most 200 characters",
    );
    if fits {
        Ok(LocalizedText::new(zh, if en.is_empty() { zh } else { en }))
    } else {
        Err(refused(&Refusal::field(field, said)))
    }
}

fn polluter_class(raw: i32) -> Result<PolluterClass, Status> {
    match pb::PolluterClass::try_from(raw) {
        Ok(pb::PolluterClass::Unspecified | pb::PolluterClass::General) => Ok(PolluterClass::General),
        Ok(pb::PolluterClass::Key) => Ok(PolluterClass::Key),
        Ok(pb::PolluterClass::HazardousWasteOperator) => Ok(PolluterClass::HazardousWasteOperator),
        Err(_) => {
            let said = ("合同中列出的类别", "one of the contract's classes");
            Err(refused(&Refusal::field("polluter_class", said)))
        }
    }
}

fn site_list(uscc: &Uscc, raw: Vec<pb::Site>) -> Result<Vec<Site>, Status> {
    let each = raw.into_iter().map(|site| {
        let name = text("sites.display_name", site.display_name)?;
        Site::new(uscc, &site.code, name, &site.permit, &site.address).map_err(|refusal| refused(&refusal))
    });
    sites(each.collect::<Result<_, Status>>()?).map_err(|refusal| refused(&refusal))
}

/// A whole profile, and the code that its name holds.
pub(super) fn enterprise(raw: Option<pb::Enterprise>) -> Result<(Uscc, Profile), Status> {
    let raw = raw.ok_or_else(|| missing("enterprise"))?;
    let uscc = names::enterprise("enterprise.name", &raw.name)?;
    let refuse = |refusal: Refusal| refused(&refusal);
    let profile = Profile {
        name: text("enterprise.display_name", raw.display_name)?,
        district: District::parse(&raw.district).map_err(refuse)?,
        sector: Sector::parse(&raw.sector).map_err(refuse)?,
        polluter_class: polluter_class(raw.polluter_class)?,
        sites: site_list(&uscc, raw.sites)?,
    };
    Ok((uscc, profile))
}

/// The fields of an update that its mask names; without a mask all of them.
pub(super) fn changes(uscc: &Uscc, raw: pb::Enterprise, mask: &str) -> Result<Vec<Change>, Status> {
    const ALL: [&str; 5] = ["display_name", "district", "sector", "polluter_class", "sites"];
    let named: Vec<&str> = match mask.trim() {
        "" => ALL.to_vec(),
        mask => mask.split(',').map(str::trim).collect(),
    };
    let refuse = |refusal: Refusal| refused(&refusal);
    let (mut changes, mut raw) = (Vec::new(), raw);
    for field in named {
        changes.push(match field {
            // REST writes masks in the case of JSON.
            "display_name" | "displayName" => {
                Change::Name(text("enterprise.display_name", raw.display_name.take())?)
            }
            "district" => Change::District(District::parse(&raw.district).map_err(refuse)?),
            "sector" => Change::Sector(Sector::parse(&raw.sector).map_err(refuse)?),
            "polluter_class" | "polluterClass" => Change::PolluterClass(polluter_class(raw.polluter_class)?),
            "sites" => Change::Sites(site_list(uscc, std::mem::take(&mut raw.sites))?),
            _ => {
                let said = (
                    "display_name、district、sector、polluter_class、sites 中的若干项",
                    "some of display_name, district, sector, polluter_class, sites",
                );
                return Err(refused(&Refusal::field("update_mask", said)));
            }
        });
    }
    Ok(changes)
}

/// A civil day.
pub(super) fn date(field: &'static str, raw: &str) -> Result<Date, Status> {
    raw.parse().map_err(|_| {
        // Well written, but of a year that no paper here is of.
        let year = raw
            .split('-')
            .next()
            .filter(|year| year.len() == 4 && raw.len() == 10);
        let year: Option<i16> = year.and_then(|year| year.parse().ok());
        let said = match year {
            Some(year) if !(1970..=2200).contains(&year) => LocalizedText::new(
                "日期应在 1970 年至 2200 年之间，请更正",
                "a date lies between the years 1970 and 2200; correct it",
            ),
            Some(_) | None => LocalizedText::new(
                "日期应写作 YYYY-MM-DD，请更正",
                "a date is written YYYY-MM-DD; correct it",
            ),
        };
        greenstar_rpc::field(field, ErrorReason::DateInvalid, &said, &[])
    })
}

pub(super) fn document(raw: Option<common::Document>) -> Result<Document, Status> {
    let raw = raw.ok_or_else(|| missing("document"))?;
    let date = date("document.date", &raw.date)?;
    Ok(Document::typed(&raw.issuer, &raw.number, date))
}

pub(super) fn evidence(field: &'static str, raw: pb::Evidence) -> Result<Evidence, Status> {
    let sha256 = match raw.sha256.as_str() {
        "" => None,
        digest => Some(self::sha256("evidence.sha256", digest)?),
    };
    Ok(Evidence {
        kind: code(field, &raw.kind)?,
        reference: raw.reference,
        sha256,
    })
}

/// The hash of a file.
pub(super) fn sha256(field: &'static str, raw: &str) -> Result<String, Status> {
    if raw.len() == 64 && raw.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(raw.to_ascii_lowercase());
    }
    let said = ("64 位十六进制数字", "64 hexadecimal digits");
    Err(refused(&Refusal::field(field, said)))
}

/// Points or conditions, not both; neither is no condition.
pub(super) fn grant(points: &str, tiers: &[String]) -> Result<Grant, Status> {
    if points.is_empty() {
        let ticked = tiers
            .iter()
            .map(|tier| code("tiers", tier))
            .collect::<Result<_, _>>()?;
        return Ok(Grant::Conditions(ticked));
    }
    if !tiers.is_empty() {
        let said = ("分值与档次二选一", "given either as points or as tiers");
        return Err(refused(&Refusal::field("points", said)));
    }
    let points: Points = points.parse().map_err(|_| {
        let said = LocalizedText::new(
            "分值应为十进制数，步长 0.5，请更正",
            "points are an exact decimal in steps of 0.5; correct them",
        );
        greenstar_rpc::field("points", ErrorReason::PointsInvalid, &said, &[])
    })?;
    Ok(Grant::Points(points))
}

pub(super) fn claim(raw: pb::ItemClaim) -> Result<Claim, Status> {
    let evidence = raw
        .evidence
        .into_iter()
        .map(|piece| evidence("claims.evidence.kind", piece));
    Ok(Claim {
        item: code("claims.item", &raw.item)?,
        grant: grant(&raw.points, &raw.tiers)?,
        evidence: evidence.collect::<Result<_, _>>()?,
    })
}

pub(super) fn star(raw: i32) -> Result<Star, Status> {
    Star::try_from(i64::from(raw)).map_err(|error| {
        let said = LocalizedText::new(format!("星级为 1 至 5，现为 {raw}"), error.to_string());
        let metadata = [("value", raw.to_string())];
        greenstar_rpc::field("star", ErrorReason::StarOutOfRange, &said, &metadata)
    })
}

/// The instant that a question about the past names: a day to its end, or an instant, neither in the future; `now` if
/// nothing is written.
pub(super) fn past(field: &'static str, raw: &str, now: Timestamp) -> Result<Timestamp, Status> {
    if raw.is_empty() {
        return Ok(now);
    }
    let wrong = || refused(&Refusal::Instant { field });
    if let Ok(day) = raw.parse::<Date>() {
        if day > now.date() {
            return Err(wrong());
        }
        let end = Timestamp::from_micros(day.plus_days(1).start().micros() - 1);
        return Ok(end.min(now));
    }
    let text = serde_json::Value::String(raw.to_owned());
    let read: pbjson_types::Timestamp = serde_json::from_value(text).map_err(|_| wrong())?;
    let at = greenstar_rpc::following::instant(&read);
    if at > now { Err(wrong()) } else { Ok(at) }
}

/// A new snapshot's id.
pub(super) fn snapshot_id(raw: &str) -> Result<Code, Status> {
    let said = (
        "小写字母、数字和连字符，至多 64 位",
        "lower-case letters, digits and hyphens, at most 64",
    );
    let fits = raw
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let id = Code::parse(raw).ok().filter(|_| fits);
    id.ok_or_else(|| refused(&Refusal::field("snapshot_id", said)))
}

/// The rating part of what a reader has seen elsewhere, if any.
pub(super) fn seen(raw: Option<&common::Consistency>) -> Result<Option<Position>, Status> {
    let mut joined = Token::default();
    for token in raw
        .map(|raw| raw.at_least_as_fresh.as_slice())
        .unwrap_or_default()
    {
        let read = token.parse::<Token>().and_then(|token| joined.join(&token));
        joined = read.map_err(|error| match error {
            MalformedToken::Unreadable => {
                let said = LocalizedText::new(
                    "令牌无法识别，请原样传递或去掉",
                    "the token cannot be read: hand it on unchanged, or leave it out",
                );
                status(
                    Canonical::InvalidArgument,
                    ErrorReason::TokenMalformed,
                    &said,
                    &[],
                )
            }
            MalformedToken::Mixed => super::status::feed(&greenstar_feed::FeedError::Foreign),
        })?;
    }
    Ok(joined.get(Log::Rating).cloned())
}

/// An instant that somebody chose.
pub(super) fn instant(
    field: &'static str,
    reason: ErrorReason,
    raw: &pbjson_types::Timestamp,
) -> Result<Timestamp, Status> {
    let micros = raw
        .seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(i64::from(raw.nanos / 1000)));
    // The years that a document can be of.
    micros
        .filter(|micros| (0..=7_289_654_400_000_000).contains(micros))
        .map(Timestamp::from_micros)
        .ok_or_else(|| {
            let said = LocalizedText::new(
                "时间应在 1970 年至 2200 年之间，请更正",
                "a time lies between the years 1970 and 2200; correct it",
            );
            greenstar_rpc::field(field, reason, &said, &[])
        })
}

/// A key of a page token that another version of this program wrote.
pub(super) fn stale_page() -> Status {
    let said = LocalizedText::new(
        "page_token 无效：请从第一页重新开始",
        "the page token is not one of ours: start at the first page",
    );
    status(
        Canonical::InvalidArgument,
        ErrorReason::PageTokenInvalid,
        &said,
        &[],
    )
}

/// A refusal for whoever is not allowed to see.
pub(super) fn allowed(verdict: Result<(), Refusal>) -> Result<(), Status> {
    verdict.map_err(|refusal| refused(&refusal))
}
