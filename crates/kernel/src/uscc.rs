//! Unified social credit code (统一社会信用代码, GB 32100-2015).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::enterprise::half_width;

const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// 3^(i-1) mod 31 for positions 1 to 17.
const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
/// GB 11714, positions 9 to 16 of the code.
const ORGANISATION_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
/// GB/T 2260 provinces, and `10` for bodies registered with the central government.
const PROVINCES: [&[u8; 2]; 35] = [
    b"10", b"11", b"12", b"13", b"14", b"15", b"21", b"22", b"23", b"31", b"32", b"33", b"34", b"35", b"36",
    b"37", b"41", b"42", b"43", b"44", b"45", b"46", b"50", b"51", b"52", b"53", b"54", b"61", b"62", b"63",
    b"64", b"65", b"71", b"81", b"82",
];

/// A well-formed code of 18 characters.
///
/// Real codes that fail the check character circulate, so the verdict travels with
/// the code instead of deciding for every caller.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Uscc {
    code: [u8; 18],
    verdict: Verdict,
}

/// How far a well-formed code can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Both checks hold and the area exists.
    Valid,
    /// The code's check fails but its organisation number's holds: accepted, with a warning.
    CheckFailedOrgOk,
    /// The check holds; no province has this area code: accepted, with a warning.
    UnknownArea,
}

/// Why a text is no code at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MalformedUscc {
    #[error("an enterprise code has 18 characters, got {0}")]
    Length(usize),
    /// `suggestion` is what was probably meant; it is offered, never applied.
    #[error("character {found:?} at position {position} is not used in enterprise codes")]
    Alphabet {
        found: char,
        position: usize,
        suggestion: Option<char>,
    },
    #[error("neither the code's check character nor its organisation number's matches")]
    Checks,
}

impl Uscc {
    pub fn as_str(&self) -> &str {
        // Only ASCII of `ALPHABET` gets in.
        std::str::from_utf8(&self.code).unwrap_or_default()
    }

    pub fn as_bytes(&self) -> &[u8; 18] {
        &self.code
    }

    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// GB/T 2260 area of registration, positions 3 to 8.
    pub fn area(&self) -> &str {
        &self.as_str()[2..8]
    }
}

/// A code is its 18 characters; the verdict follows from them.
impl PartialEq for Uscc {
    fn eq(&self, other: &Self) -> bool {
        self.code == other.code
    }
}

impl Eq for Uscc {}

impl std::hash::Hash for Uscc {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.code.hash(state);
    }
}

impl PartialOrd for Uscc {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Uscc {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.code.cmp(&other.code)
    }
}

impl fmt::Debug for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uscc({})", self.as_str())
    }
}

impl fmt::Display for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TryFrom<String> for Uscc {
    type Error = MalformedUscc;

    fn try_from(raw: String) -> Result<Self, MalformedUscc> {
        raw.parse()
    }
}

impl From<Uscc> for String {
    fn from(uscc: Uscc) -> String {
        uscc.as_str().to_owned()
    }
}

impl FromStr for Uscc {
    type Err = MalformedUscc;

    /// Lower case and full-width characters are normalised; spaces around are dropped.
    fn from_str(raw: &str) -> Result<Self, MalformedUscc> {
        let code = normalise(raw)?;
        let verdict = match (check_holds(&code), organisation_check_holds(&code)) {
            (true, _) if PROVINCES.iter().any(|province| **province == code[2..4]) => Verdict::Valid,
            (true, _) => Verdict::UnknownArea,
            (false, true) => Verdict::CheckFailedOrgOk,
            (false, false) => return Err(MalformedUscc::Checks),
        };
        Ok(Self { code, verdict })
    }
}

fn normalise(raw: &str) -> Result<[u8; 18], MalformedUscc> {
    let raw = raw.trim();
    let mut code = [0; 18];
    let mut length = 0;
    for found in raw.chars() {
        let upper = half_width(found).to_ascii_uppercase();
        let slot = match code.get_mut(length) {
            Some(slot) => slot,
            None => return Err(MalformedUscc::Length(raw.chars().count())),
        };
        length += 1;
        match u8::try_from(upper) {
            Ok(byte) if value(byte).is_some() => *slot = byte,
            _ => {
                return Err(MalformedUscc::Alphabet {
                    found,
                    position: length,
                    suggestion: suggestion(upper),
                });
            }
        }
    }
    if length == 18 {
        Ok(code)
    } else {
        Err(MalformedUscc::Length(length))
    }
}

fn suggestion(c: char) -> Option<char> {
    match c {
        'O' => Some('0'),
        'I' => Some('1'),
        'Z' => Some('2'),
        'S' => Some('5'),
        'V' => Some('U'),
        _ => None,
    }
}

/// Of a byte that is not in [`ALPHABET`].
const NONE: u8 = u8::MAX;

/// By byte: a code is read several times in a call, and each reading looks up 35 values.
const VALUES: [u8; 256] = {
    let (mut values, mut at) = ([NONE; 256], 0);
    while at < ALPHABET.len() {
        values[ALPHABET[at] as usize] = at as u8;
        at += 1;
    }
    values
};

fn value(byte: u8) -> Option<u32> {
    match VALUES[usize::from(byte)] {
        NONE => None,
        value => Some(value.into()),
    }
}

fn check_holds(code: &[u8; 18]) -> bool {
    let sum: u32 = code
        .iter()
        .zip(WEIGHTS)
        .map(|(&byte, weight)| value(byte).unwrap_or(0) * weight)
        .sum();
    // The outer mod matters: 31 means 0.
    value(code[17]) == Some((31 - sum % 31) % 31)
}

/// The organisation number is checked over A=10 … Z=35, an alphabet of its own.
fn organisation_check_holds(code: &[u8; 18]) -> bool {
    let sum: u32 = code[8..16]
        .iter()
        .zip(ORGANISATION_WEIGHTS)
        .map(|(&byte, weight)| char::from(byte).to_digit(36).unwrap_or(0) * weight)
        .sum();
    let expected = match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        digit => b'0' + u8::try_from(digit).unwrap_or(0),
    };
    code[16] == expected
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VALID: [&str; 18] = [
        "914403001922038216",
        "91440300192317458F",
        "9144030071526726XG",
        "91330100799655058B",
        "91110000710926094P",
        "91110000710925462X",
        "91310000631696382C",
        "911100001011016602",
        "91350900587527783P",
        "91130200699229617X",
        "91620105L015101280",
        "121200004013590816",
        "91110115MAX000015J",
        "91110115MAX000023D",
        "91110115MAX0000318",
        "91110115MAX00004X0",
        "91110115MAX0000580",
        "91110115MAX000066T",
    ];

    #[test]
    fn known_codes_are_valid() {
        for code in VALID {
            assert_eq!(
                code.parse::<Uscc>().map(|uscc| uscc.verdict()),
                Ok(Verdict::Valid),
                "{code}"
            );
        }
    }

    #[test]
    fn a_real_code_that_fails_its_check_is_accepted_with_a_warning() {
        for code in ["91350211M0000XUF46", "91350100M0001TGQXM"] {
            assert_eq!(
                code.parse::<Uscc>().map(|uscc| uscc.verdict()),
                Ok(Verdict::CheckFailedOrgOk),
                "{code}"
            );
        }
    }

    #[test]
    fn a_code_that_fails_both_checks_is_refused() {
        for code in ["91310115MA1G4L1WXK", "91440300713555564J"] {
            assert_eq!(code.parse::<Uscc>(), Err(MalformedUscc::Checks), "{code}");
        }
    }

    #[test]
    fn case_and_width_are_normalised() {
        let wide: String = "91440300192317458f"
            .chars()
            .map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap())
            .collect();
        assert_eq!(wide.parse::<Uscc>().unwrap().as_str(), "91440300192317458F");
        assert_eq!(
            " 91440300192317458f ".parse::<Uscc>().unwrap().as_str(),
            "91440300192317458F"
        );
    }

    #[test]
    fn confusable_letters_are_suggested_not_fixed() {
        let error = "9144030O192317458F".parse::<Uscc>().unwrap_err();
        assert_eq!(
            error,
            MalformedUscc::Alphabet {
                found: 'O',
                position: 8,
                suggestion: Some('0')
            }
        );
    }

    #[test]
    fn an_area_of_no_province_is_said() {
        // Area 990000; the check character is computed for it.
        let body = "91990000710926094";
        let code = ALPHABET
            .iter()
            .map(|&c| format!("{body}{}", char::from(c)))
            .find(|code| check_holds(code.as_bytes().try_into().unwrap()))
            .unwrap();
        assert_eq!(code.parse::<Uscc>().unwrap().verdict(), Verdict::UnknownArea);
    }

    proptest! {
        #[test]
        fn any_text_parses_or_is_refused_and_what_parses_round_trips(raw in "\\PC{0,24}") {
            if let Ok(uscc) = raw.parse::<Uscc>() {
                prop_assert_eq!(uscc.as_str().parse::<Uscc>(), Ok(uscc));
            }
        }

        /// The check finds every single wrong character.
        #[test]
        fn one_wrong_character_never_stays_valid(which in 0usize..VALID.len(), at in 0usize..18, to in 0usize..31) {
            let mut code = VALID[which].as_bytes().to_vec();
            prop_assume!(code[at] != ALPHABET[to]);
            code[at] = ALPHABET[to];
            let raw = String::from_utf8(code).unwrap();
            prop_assert!(!check_holds(raw.as_bytes().try_into().unwrap()));
        }
    }
}
