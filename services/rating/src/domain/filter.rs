//! The filter of lists of enterprises: a subset of AIP-160, terms `field = "value"` joined by ` AND `.

use greenstar_kernel::{RatingState, Star};

use super::enterprise::{District, PolluterClass};
use super::error::Refusal;

/// A refusal quotes so many characters of a filter.
const QUOTED: usize = 64;

/// What an enterprise must satisfy; every term that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Exactly this district.
    pub district: Option<District>,
    /// Sectors that begin so.
    pub sector: Option<String>,
    /// Exactly this class.
    pub polluter_class: Option<PolluterClass>,
    /// Names that contain this, in either language.
    pub name: Option<String>,
    /// Exactly this state.
    pub state: Option<RatingState>,
    /// Exactly this star.
    pub star: Option<Star>,
}

impl Filter {
    /// Reads a filter. Empty text is no filter.
    ///
    /// # Errors
    /// [`Refusal::Filter`] with the place.
    pub fn parse(raw: &str) -> Result<Filter, Refusal> {
        let mut filter = Filter::default();
        let mut rest = raw.trim_start();
        if rest.trim_end().is_empty() {
            return Ok(filter);
        }
        loop {
            // Counted from 1, as officers and USCC_MALFORMED count.
            let place = |rest: &str| raw.chars().count() - rest.chars().count() + 1;
            let wrong = |rest: &str, problem: &'static str| {
                Err(Refusal::Filter {
                    filter: raw.chars().take(QUOTED).collect(),
                    position: place(rest),
                    problem,
                })
            };
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            let (field, after) = rest.split_at(end);
            let Some(after) = after.trim_start().strip_prefix('=') else {
                return wrong(after, "expected `=`");
            };
            let after = after.trim_start();
            let Some((value, after)) = value(after) else {
                return wrong(after, "expected a value in double quotes");
            };
            let fresh = match field {
                "district" => match District::parse(&value) {
                    Ok(district) => filter.district.replace(district).is_none(),
                    Err(_) => return wrong(rest, "a district has six digits"),
                },
                "sector" => filter.sector.replace(value).is_none(),
                "polluter_class" => match PolluterClass::parse(value.trim_start_matches("POLLUTER_CLASS_")) {
                    Some(class) => filter.polluter_class.replace(class).is_none(),
                    None => return wrong(rest, "no polluter class has this name"),
                },
                "display_name" => filter.name.replace(value).is_none(),
                "state" => match RatingState::parse(value.trim_start_matches("RATING_STATE_")) {
                    Some(state) => filter.state.replace(state).is_none(),
                    None => return wrong(rest, "no rating state has this name"),
                },
                "star" => match value.parse::<i64>().ok().and_then(|raw| Star::try_from(raw).ok()) {
                    Some(star) => filter.star.replace(star).is_none(),
                    None => return wrong(rest, "a star is 1 to 5"),
                },
                _ => {
                    let known = "fields are district, sector, polluter_class, display_name, state, star";
                    return wrong(rest, known);
                }
            };
            if !fresh {
                return wrong(rest, "the field is named twice");
            }
            if after.trim().is_empty() {
                return Ok(filter);
            }
            let joined = after.trim_start().strip_prefix("AND");
            let spaced = after.starts_with(char::is_whitespace);
            rest = match joined {
                Some(next) if spaced && next.starts_with(char::is_whitespace) => next.trim_start(),
                Some(_) | None => return wrong(after, "terms are joined by AND"),
            };
        }
    }
}

/// A quoted value with `\"` and `\\`, or a bare word.
fn value(raw: &str) -> Option<(String, &str)> {
    let Some(quoted) = raw.strip_prefix('"') else {
        let end = raw
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .unwrap_or(raw.len());
        return (end > 0).then(|| (raw[..end].to_owned(), &raw[end..]));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(chars.next().map(|(_, escaped)| escaped)?),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn terms_are_read() {
        let filter =
            Filter::parse(r#" district = "110115" AND display_name="彩印 \"甲\"" AND star = 5 "#).unwrap();
        assert_eq!(filter.district.unwrap().as_str(), "110115");
        assert_eq!(filter.name.as_deref(), Some(r#"彩印 "甲""#));
        assert_eq!(filter.star.map(Star::get), Some(5));
        assert_eq!(Filter::parse("  ").unwrap(), Filter::default());
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_its_place() {
        for (raw, position) in [
            ("district", 9),
            ("district = ", 12),
            (r#"district = "11"#, 12),
            ("colour = \"red\"", 1),
            ("star = 6", 1),
            ("star = 5 OR star = 4", 9),
            ("star = 5 AND star = 4", 14),
            ("star = 5 AND ", 14),
            ("state = GREEN", 1),
        ] {
            match Filter::parse(raw) {
                Err(Refusal::Filter { position: at, .. }) => assert_eq!(at, position, "{raw}"),
                other => panic!("{raw}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_refusal_quotes_the_filter_cut_to_64_characters() {
        let long = format!("color = \"{}\"", "绿".repeat(80));
        let Err(Refusal::Filter { filter, .. }) = Filter::parse(&long) else {
            panic!("read");
        };
        assert_eq!(filter, long.chars().take(64).collect::<String>());
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(raw in "\\PC{0,60}") {
            let _ = Filter::parse(&raw);
        }
    }
}
