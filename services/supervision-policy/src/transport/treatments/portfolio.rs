//! Whom a department follows: by their codes, or by salted hashes of them.

use std::collections::{BTreeMap, HashMap};

use greenstar_kernel::{Department, LocalizedText, Uscc};
use greenstar_proto::common::v1::ErrorReason;
use greenstar_rpc::{field, names};
use sha2::{Digest as _, Sha256};
use tonic::Status;

use crate::transport::convert::{self, Arguments};

/// Enterprises of one stream.
const MOST: usize = 10_000;
/// Bytes of a salt.
const SALT: std::ops::RangeInclusive<usize> = 16..=64;

type Hash = [u8; 32];

/// A portfolio that can be followed.
#[derive(Debug)]
pub(super) enum Portfolio {
    Named(HashMap<Uscc, usize>),
    Hashed {
        salt: Vec<u8>,
        places: HashMap<Hash, usize>,
    },
}

impl Portfolio {
    /// With how each member is told of, by its place.
    ///
    /// Errors: INVALID_ARGUMENT PORTFOLIO_INVALID, USCC_MALFORMED.
    pub(super) fn read(
        enterprises: &[String],
        hashed_codes: &[String],
        salt: &str,
    ) -> Result<(Portfolio, Vec<String>), Status> {
        match (enterprises.len(), hashed_codes.len()) {
            (0, 0) => Err(empty()),
            (0, hashes) if hashes <= MOST => hashed(hashed_codes, salt),
            (codes, 0) if codes <= MOST && salt.is_empty() => named(enterprises),
            (_, 0) if !salt.is_empty() => Err(salt_alone()),
            (0, _) => Err(too_many("hashed_codes")),
            (_, 0) => Err(too_many("enterprises")),
            (_, _) => Err(both()),
        }
    }

    /// The place of an enterprise, if it is followed.
    pub(super) fn place(&self, uscc: &Uscc) -> Option<usize> {
        match self {
            Portfolio::Named(places) => places.get(uscc).copied(),
            Portfolio::Hashed { salt, places } => {
                let hash: Hash = Sha256::new()
                    .chain_update(salt)
                    .chain_update(uscc.as_str())
                    .finalize()
                    .into();
                places.get(&hash).copied()
            }
        }
    }

    pub(super) fn is_hashed(&self) -> bool {
        match self {
            Portfolio::Named(_) => false,
            Portfolio::Hashed { .. } => true,
        }
    }

    /// Digest of all that those who reopen must name again. The order of the members does not matter.
    pub(super) fn asked(
        &self,
        department: &Department,
        matter: &str,
        arguments: &Arguments,
        members: &[String],
    ) -> String {
        let mut digest = Sha256::new();
        let mut part = |text: &[u8]| {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        };
        part(department.as_str().as_bytes());
        part(matter.as_bytes());
        part(&(arguments.len() as u64).to_be_bytes());
        for (name, value) in arguments {
            part(name.as_bytes());
            part(value.as_bytes());
        }
        match self {
            Portfolio::Named(_) => part(b"named"),
            Portfolio::Hashed { salt, .. } => {
                part(b"hashed");
                part(salt);
            }
        }
        let sorted: BTreeMap<&str, ()> = members.iter().map(|member| (member.as_str(), ())).collect();
        sorted.keys().for_each(|member| part(member.as_bytes()));
        convert::sha256(digest.finalize())
    }
}

fn named(enterprises: &[String]) -> Result<(Portfolio, Vec<String>), Status> {
    let mut places = HashMap::with_capacity(enterprises.len());
    let mut members = Vec::with_capacity(enterprises.len());
    for (at, raw) in enterprises.iter().enumerate() {
        let uscc = names::enterprise(&format!("enterprises[{at}]"), raw)?;
        if places.insert(uscc, at).is_some() {
            return Err(twice(&format!("enterprises[{at}]")));
        }
        members.push(uscc.to_string());
    }
    Ok((Portfolio::Named(places), members))
}

fn hashed(hashed_codes: &[String], salt: &str) -> Result<(Portfolio, Vec<String>), Status> {
    let salt = bytes(salt).filter(|salt| SALT.contains(&salt.len()));
    let salt = salt.ok_or_else(bad_salt)?;
    let mut places = HashMap::with_capacity(hashed_codes.len());
    let mut members = Vec::with_capacity(hashed_codes.len());
    for (at, raw) in hashed_codes.iter().enumerate() {
        let place = format!("hashed_codes[{at}]");
        let hash = bytes(raw).and_then(|hash| Hash::try_from(hash).ok());
        let hash = hash.ok_or_else(|| bad_hash(&place))?;
        if places.insert(hash, at).is_some() {
            return Err(twice(&place));
        }
        members.push(raw.to_ascii_lowercase());
    }
    Ok((Portfolio::Hashed { salt, places }, members))
}

/// Hexadecimal.
fn bytes(raw: &str) -> Option<Vec<u8>> {
    if !raw.len().is_multiple_of(2) {
        return None;
    }
    let digits: Option<Vec<u8>> = raw
        .chars()
        .map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let pairs = digits?;
    let pairs = pairs.chunks_exact(2).map(|pair| match pair {
        [high, low] => high << 4 | low,
        _ => 0,
    });
    Some(pairs.collect())
}

fn invalid(place: &str, zh: &str, en: &str) -> Status {
    field(
        place,
        ErrorReason::PortfolioInvalid,
        &LocalizedText::new(zh, en),
        &[],
    )
}

fn empty() -> Status {
    invalid(
        "enterprises",
        "关注名单为空，请列出企业或者其摘要",
        "the portfolio names nobody: list enterprises, or their hashes",
    )
}

fn both() -> Status {
    invalid(
        "hashed_codes",
        "关注名单只能使用一种方式：企业代码或者加盐摘要",
        "name the portfolio in one way only: by codes or by salted hashes",
    )
}

fn too_many(place: &str) -> Status {
    invalid(
        place,
        "一个订阅最多关注 10000 家企业，请分成几个订阅",
        "a stream follows at most 10000 enterprises; open several",
    )
}

fn twice(place: &str) -> Status {
    invalid(
        place,
        "关注名单中有重复的企业，请去掉重复项",
        "the portfolio names one twice; leave the second out",
    )
}

fn salt_alone() -> Status {
    invalid(
        "salt",
        "只有使用摘要时才需要盐值，请去掉盐值",
        "a salt goes with hashes only; leave it out",
    )
}

fn bad_salt() -> Status {
    invalid(
        "salt",
        "使用摘要时须提供 16 至 64 字节的盐值，以十六进制书写",
        "hashes need their salt, 16 to 64 bytes in hexadecimal",
    )
}

fn bad_hash(place: &str) -> Status {
    invalid(
        place,
        "摘要应为 SHA-256 的 64 位十六进制数",
        "a hash is the 64 hexadecimal digits of a SHA-256",
    )
}

/// Of a cursor that belongs to something else, or is none.
pub(super) fn other_cursor() -> Status {
    invalid(
        "cursor",
        "游标无法识别，或者属于其他事项、名单；请使用与打开订阅时相同的事项、参数和名单，或者去掉游标",
        "the cursor is none, or of another matter or portfolio: name the same as when it was given, or leave it out",
    )
}

#[cfg(test)]
mod tests {
    use greenstar_rpc::reason_of;

    use super::*;

    const FIRM: &str = "91110115MAX000015J";

    fn hash(salt: &[u8], code: &str) -> String {
        convert::sha256([salt, code.as_bytes()].concat())
    }

    #[test]
    fn an_enterprise_is_recognised_by_its_salted_hash_and_by_no_other() {
        let salt = [7u8; 16];
        let hashes = [hash(&[8; 16], FIRM), hash(&salt, FIRM).to_ascii_uppercase()];
        let (portfolio, members) = Portfolio::read(&[], &hashes, &"07".repeat(16)).unwrap();
        assert_eq!(portfolio.place(&FIRM.parse().unwrap()), Some(1));
        assert_eq!(portfolio.place(&"91110115MAX000023D".parse().unwrap()), None);
        assert_eq!(members.get(1), Some(&hash(&salt, FIRM)));
    }

    #[test]
    fn a_portfolio_that_cannot_be_followed_is_refused_and_the_place_is_named() {
        let good = hash(&[7; 16], FIRM);
        let firm = format!("enterprises/{FIRM}");
        let salt = "07".repeat(16);
        for (enterprises, hashes, salt) in [
            (vec![], vec![], ""),
            (vec![firm.clone()], vec![good.clone()], salt.as_str()),
            (vec![firm.clone(), firm.clone()], vec![], ""),
            (vec![firm.clone()], vec![], salt.as_str()),
            (vec![], vec![good.clone(), good.clone()], salt.as_str()),
            (vec![], vec![good.clone()], ""),
            (vec![], vec![good.clone()], "0707"),
            (vec![], vec![good.clone()], "密码密码密码密码"),
            (vec![], vec![good.chars().skip(1).collect()], salt.as_str()),
            (vec![], vec!["g".repeat(64)], salt.as_str()),
            (vec![], vec![good.clone(); 10_001], salt.as_str()),
        ] {
            let refused = Portfolio::read(&enterprises, &hashes, salt).unwrap_err();
            assert_eq!(reason_of(&refused).as_deref(), Some("PORTFOLIO_INVALID"));
        }
        let malformed = Portfolio::read(&["enterprises/1".to_owned()], &[], "").unwrap_err();
        assert_eq!(reason_of(&malformed).as_deref(), Some("USCC_MALFORMED"));
    }

    #[test]
    fn those_who_reopen_name_the_same_in_any_order() {
        let (one, two) = (FIRM.to_owned(), "91110115MAX000023D".to_owned());
        let names = [&one, &two].map(|code| format!("enterprises/{code}"));
        let (portfolio, members) = Portfolio::read(&names, &[], "").unwrap();
        let bank = Department::parse("finance").unwrap();
        let none = Arguments::new();
        let digest = |matter: &str, members: &[String]| portfolio.asked(&bank, matter, &none, members);
        assert_eq!(digest("m", &members), digest("m", &[two, one.clone()]));
        assert_ne!(digest("m", &members), digest("n", &members));
        assert_ne!(digest("m", &members), digest("m", &[one]));
    }
}
