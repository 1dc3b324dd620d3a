//! What the generated validation is made of: places, rules, and the checks themselves.

use std::fmt;

use regex::Regex;

#[allow(clippy::all, unused, reason = "generated")]
mod generated {
    use super::{Place, Regex, Rule, Validate, Violations, check};

    include!(concat!(env!("OUT_DIR"), "/validation.rs"));
}

/// A message that knows the rules of its contract.
pub trait Validate {
    /// Adds what breaks a rule; `place` is where the message itself stands.
    fn check(&self, place: &Place<'_>, found: &mut Violations);

    /// All that breaks a rule, or `Ok`.
    fn validate(&self) -> Result<(), Violations> {
        let mut found = Violations::default();
        self.check(&Place::Root, &mut found);
        if found.0.is_empty() { Ok(()) } else { Err(found) }
    }
}

/// Where a value stands in a message: `sites[2].code`.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    Root,
    Field(&'a Place<'a>, &'static str),
    Index(&'a Place<'a>, usize),
    Key(&'a Place<'a>, &'a dyn fmt::Debug),
}

impl<'a> Place<'a> {
    /// The field `name` of what stands here.
    pub fn field(&'a self, name: &'static str) -> Place<'a> {
        Place::Field(self, name)
    }

    /// Entry `at` of the list that stands here.
    pub fn index(&'a self, at: usize) -> Place<'a> {
        Place::Index(self, at)
    }

    /// Entry `key` of the map that stands here.
    pub fn key(&'a self, key: &'a dyn fmt::Debug) -> Place<'a> {
        Place::Key(self, key)
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Root => Ok(()),
            Place::Field(Place::Root, name) => f.write_str(name),
            Place::Field(parent, name) => write!(f, "{parent}.{name}"),
            Place::Index(parent, at) => write!(f, "{parent}[{at}]"),
            Place::Key(parent, key) => write!(f, "{parent}[{key:?}]"),
        }
    }
}

/// A rule of the contract that a value breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    Required,
    /// Characters of a text, or bytes.
    MinLength(u64),
    MaxLength(u64),
    Length(u64),
    Pattern(&'static str),
    OneOf(String),
    MinItems(u64),
    MaxItems(u64),
    Unique,
    LessThan(i128),
    AtMost(i128),
    GreaterThan(i128),
    AtLeast(i128),
    /// An enum value that the contract does not know, or does not take here.
    EnumValue,
    /// A control character, or one that turns the direction of what is read.
    Character(char),
}

impl Rule {
    /// For people, in Chinese.
    pub fn zh(&self) -> String {
        match self {
            Rule::Required => "必须填写".to_owned(),
            Rule::MinLength(1) | Rule::MinItems(1) => "不得为空".to_owned(),
            Rule::MinLength(n) => format!("至少 {n} 个字符"),
            Rule::MaxLength(n) => format!("最多 {n} 个字符"),
            Rule::Length(n) => format!("应为 {n} 个字符"),
            Rule::Pattern(pattern) => format!("不符合格式 {pattern}"),
            Rule::OneOf(values) => format!("只能是 {values} 之一"),
            Rule::MinItems(n) => format!("至少 {n} 项"),
            Rule::MaxItems(n) => format!("最多 {n} 项"),
            Rule::Unique => "不得有重复项".to_owned(),
            Rule::LessThan(n) => format!("应小于 {n}"),
            Rule::AtMost(n) => format!("不得大于 {n}"),
            Rule::GreaterThan(n) => format!("应大于 {n}"),
            Rule::AtLeast(n) => format!("不得小于 {n}"),
            Rule::EnumValue => "取值无效".to_owned(),
            Rule::Character(one) => format!("含有不允许的控制字符 U+{:04X}，请删除", u32::from(*one)),
        }
    }

    /// For people, in English.
    pub fn en(&self) -> String {
        match self {
            Rule::Required => "is required".to_owned(),
            Rule::MinLength(1) | Rule::MinItems(1) => "must not be empty".to_owned(),
            Rule::MinLength(n) => format!("must have at least {n} characters"),
            Rule::MaxLength(n) => format!("must have at most {n} characters"),
            Rule::Length(n) => format!("must have {n} characters"),
            Rule::Pattern(pattern) => format!("must have the form {pattern}"),
            Rule::OneOf(values) => format!("must be one of {values}"),
            Rule::MinItems(n) => format!("must have at least {n} entries"),
            Rule::MaxItems(n) => format!("must have at most {n} entries"),
            Rule::Unique => "must not have an entry twice".to_owned(),
            Rule::LessThan(n) => format!("must be less than {n}"),
            Rule::AtMost(n) => format!("must be at most {n}"),
            Rule::GreaterThan(n) => format!("must be greater than {n}"),
            Rule::AtLeast(n) => format!("must be at least {n}"),
            Rule::EnumValue => "has no meaning here".to_owned(),
            Rule::Character(one) => format!("must not have the control character U+{:04X}", u32::from(*one)),
        }
    }
}

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field in proto names, e.g. `sites[2].code`.
    pub field: String,
    pub rule: Rule,
}

/// What validation found, in field order; bounded, so that a huge message has no huge answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations(pub Vec<Violation>);

impl Violations {
    const MOST: usize = 20;

    /// Adds one, unless there are enough already.
    pub fn add(&mut self, place: &Place<'_>, rule: Rule) {
        if self.0.len() < Self::MOST {
            self.0.push(Violation {
                field: place.to_string(),
                rule,
            });
        }
    }
}

/// One function a rule; the generated code calls them by the rule's name.
#[allow(dead_code, reason = "a contract uses some of the rules")]
mod check {
    use super::{Place, Regex, Rule, Violations};

    /// A text has no control characters but line feed and tab, and none that turn the direction of reading
    /// (U+202A to U+202E, U+2066 to U+2069): the store cannot hold the first, and the others show people
    /// something else than what is stored.
    pub(super) fn text(value: &str, place: &Place<'_>, found: &mut Violations) {
        characters(value, &['\n', '\t'], place, found);
    }

    /// As [`text`], and a carriage return is allowed.
    pub(super) fn source(value: &str, place: &Place<'_>, found: &mut Violations) {
        characters(value, &['\n', '\t', '\r'], place, found);
    }

    fn characters(value: &str, allowed: &[char], place: &Place<'_>, found: &mut Violations) {
        let refused = |one: &char| {
            (one.is_control() && !allowed.contains(one))
                || matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        if let Some(one) = value.chars().find(refused) {
            found.add(place, Rule::Character(one));
        }
    }

    /// Characters of a text, or bytes.
    pub(super) trait Length {
        fn length(&self) -> u64;
    }

    impl Length for String {
        fn length(&self) -> u64 {
            self.chars().count() as u64
        }
    }

    impl Length for Vec<u8> {
        fn length(&self) -> u64 {
            self.len() as u64
        }
    }

    pub(super) fn min_len(value: &impl Length, least: u64, place: &Place<'_>, found: &mut Violations) {
        if value.length() < least {
            found.add(place, Rule::MinLength(least));
        }
    }

    pub(super) fn max_len(value: &impl Length, most: u64, place: &Place<'_>, found: &mut Violations) {
        if value.length() > most {
            found.add(place, Rule::MaxLength(most));
        }
    }

    pub(super) fn len(value: &impl Length, exactly: u64, place: &Place<'_>, found: &mut Violations) {
        if value.length() != exactly {
            found.add(place, Rule::Length(exactly));
        }
    }

    /// build.rs has compiled the same pattern; the empty one matches all.
    pub(super) fn regex(pattern: &str) -> Regex {
        Regex::new(pattern)
            .unwrap_or_else(|_| Regex::new("").unwrap_or_else(|_| unreachable!("the empty pattern")))
    }

    pub(super) fn pattern(
        value: &str,
        regex: &Regex,
        shown: &'static str,
        place: &Place<'_>,
        found: &mut Violations,
    ) {
        if !regex.is_match(value) {
            found.add(place, Rule::Pattern(shown));
        }
    }

    pub(super) fn one_of_texts(value: &str, allowed: &[&str], place: &Place<'_>, found: &mut Violations) {
        if !allowed.contains(&value) {
            found.add(place, Rule::OneOf(allowed.join(", ")));
        }
    }

    pub(super) fn min_items(have: usize, least: u64, place: &Place<'_>, found: &mut Violations) {
        if (have as u64) < least {
            found.add(place, Rule::MinItems(least));
        }
    }

    pub(super) fn max_items(have: usize, most: u64, place: &Place<'_>, found: &mut Violations) {
        if have as u64 > most {
            found.add(place, Rule::MaxItems(most));
        }
    }

    pub(super) fn unique<T: Ord>(value: &[T], place: &Place<'_>, found: &mut Violations) {
        let distinct: std::collections::BTreeSet<&T> = value.iter().collect();
        if distinct.len() != value.len() {
            found.add(place, Rule::Unique);
        }
    }

    pub(super) fn lt<T: Copy + Into<i128> + PartialOrd>(
        value: &T,
        bound: T,
        place: &Place<'_>,
        found: &mut Violations,
    ) {
        if *value >= bound {
            found.add(place, Rule::LessThan(bound.into()));
        }
    }

    pub(super) fn lte<T: Copy + Into<i128> + PartialOrd>(
        value: &T,
        bound: T,
        place: &Place<'_>,
        found: &mut Violations,
    ) {
        if *value > bound {
            found.add(place, Rule::AtMost(bound.into()));
        }
    }

    pub(super) fn gt<T: Copy + Into<i128> + PartialOrd>(
        value: &T,
        bound: T,
        place: &Place<'_>,
        found: &mut Violations,
    ) {
        if *value <= bound {
            found.add(place, Rule::GreaterThan(bound.into()));
        }
    }

    pub(super) fn gte<T: Copy + Into<i128> + PartialOrd>(
        value: &T,
        bound: T,
        place: &Place<'_>,
        found: &mut Violations,
    ) {
        if *value < bound {
            found.add(place, Rule::AtLeast(bound.into()));
        }
    }

    pub(super) fn defined(known: bool, place: &Place<'_>, found: &mut Violations) {
        if !known {
            found.add(place, Rule::EnumValue);
        }
    }

    pub(super) fn one_of(value: &i32, allowed: &[i32], place: &Place<'_>, found: &mut Violations) {
        defined(allowed.contains(value), place, found);
    }

    pub(super) fn not_in(value: &i32, refused: &[i32], place: &Place<'_>, found: &mut Violations) {
        defined(!refused.contains(value), place, found);
    }
}
