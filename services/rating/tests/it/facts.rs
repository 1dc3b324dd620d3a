//! Events, awards and schemes for tests.

use std::sync::LazyLock;

use greenstar_kernel::{Code, Date, Department, Document, Officer, Points, Timestamp};
use greenstar_rating::domain::event::{Event, Evidence, Meaning};
use greenstar_rating::domain::scheme::Scheme;
use greenstar_rating::domain::score::{Award, Grant};

pub(crate) const FILE: &str = include_str!("../../data/schemes/daxing-green-credit.yaml");

static SCHEME: LazyLock<Scheme> = LazyLock::new(|| Scheme::parse(FILE).unwrap());

pub(crate) fn scheme() -> &'static Scheme {
    &SCHEME
}

pub(crate) fn code(raw: &str) -> Code {
    Code::parse(raw).unwrap()
}

pub(crate) fn date(raw: &str) -> Date {
    raw.parse().unwrap()
}

/// Noon in Shanghai.
pub(crate) fn noon(raw: &str) -> Timestamp {
    date(raw).start().plus(std::time::Duration::from_secs(12 * 3600))
}

pub(crate) fn never() -> Timestamp {
    date("2199-01-01").start()
}

pub(crate) fn document(number: &str, on: &str) -> Document {
    Document {
        issuer: "北京市大兴区生态环境局".into(),
        number: number.into(),
        date: date(on),
    }
}

/// An event with a document of its own, recorded on that day.
pub(crate) fn event(kind: &str, number: &str, on: &str) -> Event {
    let scheme = scheme();
    let meaning = Meaning::of(scheme, &code(kind)).unwrap();
    Event {
        id: code(&format!("e-{number}-{kind}")),
        kind: code(kind),
        severity: meaning.severity(),
        document: document(number, on),
        site: None,
        evidence: Evidence {
            kind: meaning.evidence()[0].clone(),
            reference: "1".into(),
            sha256: None,
        },
        rectification_required: meaning.always_rectified(),
        rectified_at: None,
        repaired_at: None,
        repair_reason: None,
        revoked_at: None,
        cause: None,
        under_appeal: false,
        suspensions: Vec::new(),
        recorder: Officer("rating".into()),
        department: Department::parse("rating").unwrap(),
        recorded_at: date(on).start(),
    }
}

pub(crate) fn award(item: &str, grant: Grant) -> Award {
    Award {
        item: code(item),
        claimed: grant.clone(),
        grant,
        evidence: Vec::new(),
        note: String::new(),
    }
}

pub(crate) fn points(item: &str, raw: &str) -> Award {
    award(item, Grant::Points(raw.parse::<Points>().unwrap()))
}

pub(crate) fn ticked(item: &str, conditions: &[&str]) -> Award {
    award(
        item,
        Grant::Conditions(conditions.iter().map(|raw| code(raw)).collect()),
    )
}

/// Awards worth B 12, C 9, D 8, E 4.
pub(crate) fn five_star() -> Vec<Award> {
    vec![
        ticked(
            "B01",
            &["annual_mean_le_70pct_of_limit", "annual_mean_le_50pct_of_limit"],
        ),
        points("B02", "3"),
        points("B03", "2"),
        points("B04", "1"),
        ticked("B05", &["grade_A_or_leading"]),
        points("C01", "3"),
        points("C02", "2"),
        points("C03", "2"),
        points("C04", "2"),
        points("D01", "2"),
        ticked("D02", &["plan_drill_and_insurance"]),
        points("D03", "2"),
        points("D04", "1"),
        points("E01", "2"),
        points("E02", "2"),
    ]
}
