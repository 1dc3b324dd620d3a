//! One policy of twelve rules, the first that holds decides, in the words of each engine.
//!
//! What may be missing is `none` in a table, an absent attribute in Cedar, and 0 or -1 in CEL, which is the cheapest
//! that it offers. Points are thousandths.

/// A rule and the answer that goes with it.
#[derive(Debug)]
pub(super) struct Rule {
    /// Cells of a row, YAML.
    pub(super) cells: &'static str,
    pub(super) outcome: &'static str,
    /// Measures of a row, YAML.
    pub(super) measures: &'static str,
    pub(super) cedar: &'static str,
    pub(super) cel: &'static str,
}

pub(super) const STATES: [&str; 6] = [
    "RATED",
    "NOT_RATED",
    "NOT_LISTED",
    "VETOED",
    "SUSPENDED",
    "EXPIRED",
];
pub(super) const FLAGS: [&str; 6] = [
    "serious-penalty",
    "ordinary-penalty",
    "permit-by-deceit",
    "serious-dishonesty-list",
    "environmental-service-blacklist",
    "taxpayer-illegality",
];
pub(super) const CLASSES: [&str; 3] = ["GENERAL", "KEY", "HAZARDOUS_WASTE_OPERATOR"];
pub(super) const OUTCOMES: [&str; 4] = ["FAST_TRACK", "STANDARD", "STRICT_REVIEW", "REFUSE"];
/// With the greatest value of the parameter where there is one.
pub(super) const MEASURES: [(&str, Option<i64>); 6] = [
    ("fast-track", None),
    ("tolerant-acceptance", None),
    ("strict-review", None),
    ("refuse-permit", None),
    ("on-site-cap", Some(12)),
    ("sampling-ratio", Some(1000)),
];

pub(super) const RULES: [Rule; 12] = [
    Rule {
        cells: r#"flags: 'contains("permit-by-deceit")'"#,
        outcome: "REFUSE",
        measures: "refuse-permit: ",
        cedar: r#"context.flags.contains("permit-by-deceit")"#,
        cel: "'permit-by-deceit' in flags",
    },
    Rule {
        cells: r#"flags: 'contains("serious-penalty","serious-dishonesty-list","environmental-service-blacklist")'"#,
        outcome: "STRICT_REVIEW",
        measures: "strict-review: , on-site-cap: 12",
        cedar: r#"context.flags.containsAny(["serious-penalty", "serious-dishonesty-list", "environmental-service-blacklist"])"#,
        cel: "'serious-penalty' in flags || 'serious-dishonesty-list' in flags || 'environmental-service-blacklist' in flags",
    },
    Rule {
        cells: r#"state: '"VETOED"'"#,
        outcome: "STRICT_REVIEW",
        measures: "strict-review: ",
        cedar: r#"context.state == "VETOED""#,
        cel: "state == 'VETOED'",
    },
    Rule {
        cells: r#"open_rectification: true, star: "none,<=2""#,
        outcome: "STRICT_REVIEW",
        measures: "strict-review: , on-site-cap: 6",
        cedar: "context.open_rectification && !(context has star && context.star > 2)",
        cel: "open_rectification && star <= 2",
    },
    Rule {
        cells: r#"events_12m: ">=3""#,
        outcome: "STRICT_REVIEW",
        measures: "strict-review: , sampling-ratio: 500",
        cedar: "context.events_12m >= 3",
        cel: "events_12m >= 3",
    },
    Rule {
        cells: r#"polluter_class: '"HAZARDOUS_WASTE_OPERATOR"', star: "none,<4""#,
        outcome: "STANDARD",
        measures: "on-site-cap: 4",
        cedar: r#"context.polluter_class == "HAZARDOUS_WASTE_OPERATOR" && !(context has star && context.star >= 4)"#,
        cel: "polluter_class == 'HAZARDOUS_WASTE_OPERATOR' && star < 4",
    },
    Rule {
        cells: r#"sector: '"C25","C26"', points: "<60""#,
        outcome: "STANDARD",
        measures: "sampling-ratio: 300",
        cedar: r#"context has points && context.points < 60000 && context has sector && (context.sector like "C25*" || context.sector like "C26*")"#,
        cel: "points >= 0 && points < 60000 && (sector.startsWith('C25') || sector.startsWith('C26'))",
    },
    Rule {
        cells: r#"star: 5, flags: empty, points: ">=90""#,
        outcome: "FAST_TRACK",
        measures: "fast-track: , tolerant-acceptance: , on-site-cap: 1",
        cedar: "context has star && context.star == 5 && context.flags.isEmpty() && context has points && context.points >= 90000",
        cel: "star == 5 && size(flags) == 0 && points >= 90000",
    },
    Rule {
        cells: r#"star: 5, flags: 'not(contains("ordinary-penalty"))'"#,
        outcome: "FAST_TRACK",
        measures: "fast-track: , tolerant-acceptance: ",
        cedar: r#"context has star && context.star == 5 && !context.flags.contains("ordinary-penalty")"#,
        cel: "star == 5 && !('ordinary-penalty' in flags)",
    },
    Rule {
        cells: r#"star: 4, flags: 'not(contains("ordinary-penalty"))', rating_age_months: "<=24""#,
        outcome: "FAST_TRACK",
        measures: "fast-track: ",
        cedar: r#"context has star && context.star == 4 && !context.flags.contains("ordinary-penalty") && context has rating_age_months && context.rating_age_months <= 24"#,
        cel: "star == 4 && !('ordinary-penalty' in flags) && rating_age_months >= 0 && rating_age_months <= 24",
    },
    Rule {
        cells: r#"star: 3, district: '"1101"', points: "[70..100]""#,
        outcome: "STANDARD",
        measures: "sampling-ratio: 200",
        cedar: r#"context has star && context.star == 3 && context has district && context.district like "1101*" && context has points && context.points >= 70000"#,
        cel: "star == 3 && district.startsWith('1101') && points >= 70000",
    },
    Rule {
        cells: r#"state: 'not("RATED","VETOED")'"#,
        outcome: "STANDARD",
        measures: "sampling-ratio: 250",
        cedar: r#"context.state != "RATED" && context.state != "VETOED""#,
        cel: "state != 'RATED' && state != 'VETOED'",
    },
];
