//! Scores. Integers only: a half point must stay a half point in every sum.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Points in thousandths. On the wire and in text an exact decimal, e.g. `57.5`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Points(i64);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("points are a decimal number with at most three places, between -1000000 and 1000000: {0:?}")]
pub struct MalformedPoints(pub String);

impl Points {
    pub const ZERO: Points = Points(0);
    const LIMIT: i64 = 1_000_000_000;

    pub const fn from_milli(milli: i64) -> Points {
        Points(milli)
    }

    pub const fn whole(points: i64) -> Points {
        Points(points * 1000)
    }

    pub const fn milli(self) -> i64 {
        self.0
    }

    pub fn is_negative(self) -> bool {
        self.0 < 0
    }
}

impl FromStr for Points {
    type Err = MalformedPoints;

    fn from_str(raw: &str) -> Result<Self, MalformedPoints> {
        let malformed = || MalformedPoints(raw.chars().take(32).collect());
        let (negative, digits) = match raw.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, raw),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !plain(whole) || !plain(fraction) || fraction.len() > 3 || whole.len() > 7 {
            return Err(malformed());
        }
        let whole: i64 = whole.parse().map_err(|_| malformed())?;
        let fraction: i64 = format!("{fraction:0<3}").parse().map_err(|_| malformed())?;
        let milli = whole * 1000 + fraction;
        if milli > Points::LIMIT {
            return Err(malformed());
        }
        Ok(Points(if negative { -milli } else { milli }))
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let milli = self.0.unsigned_abs();
        let text = match (milli / 1000, milli % 1000) {
            (whole, 0) => format!("{sign}{whole}"),
            (whole, fraction) => {
                let fraction = format!("{fraction:03}");
                format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
            }
        };
        f.pad(&text)
    }
}

impl TryFrom<String> for Points {
    type Error = MalformedPoints;

    fn try_from(raw: String) -> Result<Self, MalformedPoints> {
        raw.parse()
    }
}

impl From<Points> for String {
    fn from(points: Points) -> String {
        points.to_string()
    }
}

impl Add for Points {
    type Output = Points;

    fn add(self, other: Points) -> Points {
        Points(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Points {
    fn add_assign(&mut self, other: Points) {
        *self = *self + other;
    }
}

impl Sub for Points {
    type Output = Points;

    fn sub(self, other: Points) -> Points {
        Points(self.0.saturating_sub(other.0))
    }
}

impl SubAssign for Points {
    fn sub_assign(&mut self, other: Points) {
        *self = *self - other;
    }
}

impl Neg for Points {
    type Output = Points;

    fn neg(self) -> Points {
        Points(-self.0)
    }
}

impl Sum for Points {
    fn sum<I: Iterator<Item = Points>>(iter: I) -> Points {
        iter.fold(Points::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_exact() {
        assert_eq!("57.5".parse::<Points>(), Ok(Points::from_milli(57_500)));
        assert_eq!("-0.125".parse::<Points>(), Ok(Points::from_milli(-125)));
        assert_eq!(Points::whole(60).to_string(), "60");
        assert_eq!(Points::from_milli(-500).to_string(), "-0.5");
    }

    #[test]
    fn what_is_no_exact_decimal_is_refused() {
        for raw in [
            "",
            ".",
            "1.",
            ".5",
            "1e3",
            "+1",
            "0.0001",
            "NaN",
            "１",
            "1000000.001",
            "--1",
            "1_0",
        ] {
            assert!(raw.parse::<Points>().is_err(), "{raw}");
        }
    }

    proptest! {
        #[test]
        fn points_round_trip(milli in -1_000_000_000i64..=1_000_000_000) {
            let points = Points::from_milli(milli);
            prop_assert_eq!(points.to_string().parse::<Points>(), Ok(points));
        }

        #[test]
        fn any_text_parses_or_is_refused(raw in "\\PC{0,16}") {
            let _ = raw.parse::<Points>();
        }
    }
}
