//! Documents of all shapes, sound or not.

use greenstar_kernel::{Code, Department, LocalizedText};
use greenstar_tables::{CellText, HitPolicy, Pairs, RowSource, TableSource};
use proptest::prelude::*;

use crate::domain::document::{
    CaseSource, ExpectSource, FactSource, MatterSource, OutcomeSource, PaperSource, PolicySource,
    UnfairSource,
};
use crate::domain::fact_names;
use crate::domain::matter::{ArgumentDecl, ArgumentKind, Level, OnStale, RecordMode};

fn text() -> impl Strategy<Value = String> {
    "[\\PC]{1,12}".prop_filter("blank or marked", |text| {
        !text.trim().is_empty() && !text.starts_with("<r>")
    })
}

fn line() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.trim().to_owned())
}

fn both() -> impl Strategy<Value = LocalizedText> {
    (line(), line()).prop_map(|(zh, en)| LocalizedText { zh, en })
}

fn code() -> impl Strategy<Value = Code> {
    "[a-z][a-z0-9_-]{0,8}".prop_map(|text| Code::parse(&text).unwrap())
}

fn pairs<V: std::fmt::Debug + Clone>(
    name: impl Strategy<Value = String>,
    value: impl Strategy<Value = V>,
) -> impl Strategy<Value = Pairs<V>> {
    prop::collection::vec((name, value), 0..4).prop_map(|mut pairs| {
        let mut seen: Vec<String> = Vec::new();
        pairs.retain(|(name, _)| {
            let new = !seen.contains(name);
            seen.push(name.clone());
            new
        });
        Pairs(pairs)
    })
}

fn measures() -> impl Strategy<Value = Pairs<Option<i64>>> {
    pairs(code().prop_map(|code| code.to_string()), any::<Option<i64>>())
}

fn row(tested: bool) -> impl Strategy<Value = RowSource> {
    let names: Vec<String> = fact_names().map(str::to_owned).collect();
    let cell = text().prop_map(CellText);
    let when = pairs(prop::sample::select(names), cell)
        .prop_map(move |when| if tested { when } else { Pairs::default() });
    (
        when,
        line(),
        measures(),
        both(),
        prop::collection::vec(both(), 0..3),
    )
        .prop_map(|(when, outcome, measures, reason, basis)| RowSource {
            when,
            outcome,
            measures,
            reason,
            basis,
        })
}

fn table() -> impl Strategy<Value = TableSource> {
    let hit = prop::sample::select(vec![
        HitPolicy::Unique,
        HitPolicy::First,
        HitPolicy::Strictest,
        HitPolicy::Collect,
    ]);
    (
        hit,
        prop::collection::vec(row(true), 0..5),
        prop::option::of(row(false)),
    )
        .prop_map(|(hit, rows, default)| TableSource { hit, rows, default })
}

fn argument() -> impl Strategy<Value = ArgumentDecl> {
    let kind = prop_oneof![
        Just(ArgumentKind::Boolean),
        (any::<i64>(), any::<i64>()).prop_map(|(min, max)| ArgumentKind::Integer { min, max }),
        prop::collection::vec("[a-z ]{0,3}[a-z]", 0..4).prop_map(|values| ArgumentKind::Choice {
            values: values.into_iter().map(|value| value.trim().to_owned()).collect()
        }),
    ];
    let flags = any::<(bool, bool)>();
    (code(), both(), kind, flags).prop_map(|(name, title, kind, (required, masked))| ArgumentDecl {
        // No column of the sheet is called so.
        name: Code::parse(&format!("x-{name}")).unwrap(),
        title,
        kind,
        required,
        masked,
    })
}

fn case() -> impl Strategy<Value = CaseSource> {
    let value = text()
        .prop_filter("a list", |text| !text.starts_with('-') && text != "[]")
        .prop_map(|text| FactSource::Value(CellText(text)));
    let kinds = prop::collection::vec(code().prop_map(PaperSource::Kind), 0..3).prop_map(FactSource::List);
    let facts = (
        pairs(
            prop::sample::select(vec!["star".to_owned(), "sector".to_owned()]),
            value,
        ),
        prop::option::of(kinds),
    );
    let facts = facts.prop_map(|(mut facts, flags)| {
        facts.0.extend(flags.map(|flags| ("flags".to_owned(), flags)));
        facts
    });
    let expect = (
        prop::option::of(code()),
        prop::option::of(prop::collection::vec("[a-m-]{1,5}(=[0-9]{1,3})?", 0..3)),
        prop::option::of(prop::collection::vec(any::<u32>(), 0..3)),
    );
    let arguments = pairs("[a-z]{1,4}", text().prop_map(CellText));
    (
        line(),
        line(),
        prop::option::of("[a-z/]{1,6}"),
        facts,
        arguments,
        expect,
    )
        .prop_map(
            |(name, at, matter, facts, arguments, (outcome, measures, rows))| CaseSource {
                name,
                at,
                matter,
                facts,
                arguments,
                expect: ExpectSource {
                    outcome,
                    measures,
                    rows,
                },
            },
        )
}

/// Documents whose texts a workbook can hold.
pub(super) fn document() -> impl Strategy<Value = PolicySource> {
    let outcome = (
        code(),
        both(),
        prop::sample::select(Level::ALL.to_vec()),
        prop::option::of(code()),
        measures(),
    )
        .prop_map(|(code, title, level, carried_by, floor)| OutcomeSource {
            code,
            title,
            level,
            carried_by,
            floor,
        });
    let matter = (code(), both()).prop_map(|(code, title)| MatterSource { code, title });
    let unfair = (prop::collection::vec(any::<u32>(), 0..3), both())
        .prop_map(|(rows, reason)| UnfairSource { rows, reason });
    let head = (
        any::<u32>(),
        any::<u32>(),
        prop::option::of(any::<u32>()),
        any::<bool>(),
        prop::sample::select(vec![
            OnStale::Refuse,
            OnStale::ManualReview,
            OnStale::AllowWithCaveat,
        ]),
        prop::sample::select(vec![RecordMode::Durable, RecordMode::Store, RecordMode::Sampled]),
    );
    let tree = pairs("[A-Z0-9]{1,5}", "[A-Z0-9]{1,5}".prop_map(CellText));
    (
        head,
        prop::collection::vec(outcome, 0..4),
        prop::collection::vec(matter, 0..3),
        prop::collection::vec(argument(), 0..3),
        prop::option::of(table()),
        prop::option::of(table()),
        prop::collection::vec(unfair, 0..2),
        prop::collection::vec(case(), 0..3),
        (tree.boxed(), pairs("[0-9]{6}", "[0-9]{6}".prop_map(CellText))),
    )
        .prop_map(
            |(head, outcomes, matters, arguments, table, triggers, unfair, cases, (sector, district))| {
                let (version, max_staleness_ms, retention_days, advice_only, on_stale, record) = head;
                let name = Code::parse("some-policy").unwrap();
                let mut source = PolicySource::new(name, version, Department::parse("some").unwrap());
                source.trees.sector = sector;
                source.trees.district = district;
                PolicySource {
                    max_staleness_ms,
                    retention_days,
                    advice_only,
                    on_stale,
                    record,
                    outcomes,
                    matters,
                    arguments,
                    table,
                    triggers,
                    unfair,
                    cases,
                    ..source
                }
            },
        )
}
