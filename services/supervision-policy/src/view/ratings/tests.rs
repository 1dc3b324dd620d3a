//! The view against a naive model, and readers beside writers and folds.

use std::collections::HashMap as Model;
use std::sync::atomic::AtomicBool;

use greenstar_kernel::{LocalizedText, Points, Standing, Star, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::domain::facts::{Event, PolluterClass, RatingFacts, Transition};

/// Codes whose check characters are right, made from a number.
pub(in crate::view) fn uscc(number: u32) -> Uscc {
    let body = format!("91110115MA{number:07}");
    let found = "0123456789ABCDEFGHJKLMNPQRTUWXY".chars().find_map(|check| {
        let code: Uscc = format!("{body}{check}").parse().ok()?;
        (code.verdict() == greenstar_kernel::Verdict::Valid).then_some(code)
    });
    found.unwrap()
}

fn points() -> impl Strategy<Value = Option<Points>> {
    prop::option::of((-100_000i64..200_000).prop_map(Points::from_milli))
}

fn standing() -> impl Strategy<Value = Standing> {
    prop_oneof![
        (1i64..=5).prop_map(|rank| Standing::Rated(Star::try_from(rank).unwrap())),
        Just(Standing::NotRated),
        Just(Standing::NotListed),
        Just(Standing::Vetoed),
        Just(Standing::Suspended),
        Just(Standing::Expired),
    ]
}

fn instant() -> impl Strategy<Value = Timestamp> {
    (1i64..i64::MAX).prop_map(Timestamp::from_micros)
}

prop_compose! {
    pub(in crate::view) fn facts()(
        standing in standing(),
        total in points(),
        categories in prop::array::uniform5(points()),
        times in (prop::option::of(instant()), prop::option::of(instant())),
        next in prop::option::of((instant(), standing(), prop::option::of(points()), 0u8..4)),
        sector in prop::option::of("[A-T][0-9]{2,4}"),
        district in prop::option::of("[0-9]{6}"),
        class in 0usize..3,
        marks in any::<(bool, bool)>(),
        events in prop::collection::vec((1u8..28).prop_map(|day| Event {
            kind: greenstar_kernel::Code::parse("fine").unwrap(),
            severity: crate::domain::catalogue::Severity::Serious,
            date: greenstar_kernel::Date::new(2026, 3, i8::try_from(day).unwrap()).unwrap(),
        }), 0..20),
        version in any::<u32>(),
    ) -> Facts {
        let next = next.map(|(at, standing, other, cause)| Transition {
            at,
            standing,
            total: other.unwrap_or(total),
            categories,
            cause: Arc::new(LocalizedText::new(format!("原因{cause}"), format!("cause {cause}"))),
        });
        let rating = RatingFacts {
            standing, total, categories, rated_at: times.0, valid_until: times.1, next, scheme: "schemes/s/versions/1".into(), version,
        };
        Facts {
            rating,
            known: true,
            sector: sector.map(|code| code.parse().unwrap()),
            district: district.map(|code| code.parse().unwrap()),
            polluter_class: PolluterClass::ALL[class],
            open_rectification: marks.0,
            objection_open: marks.1,
            events: events.into(),
            ..Facts::unknown()
        }
    }
}

fn row() -> impl Strategy<Value = (u32, Result<Facts, Unreadable>)> {
    (
        0u32..12,
        prop_oneof![9 => facts().prop_map(Ok), 1 => Just(Err(Unreadable))],
    )
}

#[derive(Clone, Debug)]
enum Step {
    Frame(Vec<(u32, Result<Facts, Unreadable>)>),
    Fold,
    Snapshot(Vec<(u32, Result<Facts, Unreadable>)>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(row(), 0..6).prop_map(Step::Frame),
        2 => Just(Step::Fold),
        1 => prop::collection::vec(row(), 0..8).prop_map(Step::Snapshot),
    ]
}

fn at(epoch: &str, revision: u64) -> Position {
    Position {
        epoch: Epoch::parse(epoch).unwrap(),
        revision: Revision(revision),
    }
}

fn coded(rows: Vec<(u32, Result<Facts, Unreadable>)>) -> Vec<RatingRow> {
    rows.into_iter()
        .map(|(number, facts)| (uscc(number), facts))
        .collect()
}

fn replace(ratings: &Ratings, at: Position, rows: &[RatingRow]) {
    let mut snapshot = ratings.begin();
    rows.iter().for_each(|row| snapshot.put(row));
    ratings.replace(at, snapshot);
}

proptest! {
    #[test]
    fn the_view_is_what_a_naive_map_is(steps in prop::collection::vec(step(), 1..20)) {
        let ratings = Ratings::new();
        let mut model: Model<Uscc, Result<Facts, Unreadable>> = Model::new();
        let mut revision = 0;
        replace(&ratings, at("e", 0), &[]);
        for step in steps {
            match step {
                Step::Frame(rows) => {
                    let rows = coded(rows);
                    revision += rows.len() as u64;
                    model.extend(rows.iter().cloned());
                    ratings.apply(&rows, Revision(revision));
                }
                Step::Fold => ratings.fold(),
                Step::Snapshot(rows) => {
                    let rows = coded(rows);
                    revision += 7;
                    model = rows.iter().cloned().collect();
                    replace(&ratings, at("e", revision), &rows);
                }
            }
            let read = ratings.read();
            let generation = read.as_ref().unwrap();
            prop_assert_eq!(generation.applied(), at("e", revision));
            for number in 0..14 {
                let expected = model.get(&uscc(number)).cloned().unwrap_or_else(|| Ok(Facts::unknown()));
                prop_assert_eq!(generation.facts(&uscc(number), Arc::default()), expected);
            }
        }
    }
}

/// Every frame sets every row's version to its revision, so a reader that sees a lower one than what is
/// applied has seen a position before its rows.
#[test]
fn rows_stand_before_their_revision_does_also_while_it_is_folded() {
    const FIRMS: u32 = 40;
    const FRAMES: u32 = 400;
    let ratings = Ratings::new();
    let rows = |version: u32| -> Vec<RatingRow> {
        let rating = RatingFacts {
            version,
            ..RatingFacts::not_rated()
        };
        (0..FIRMS)
            .map(|number| {
                (
                    uscc(number),
                    Ok(Facts {
                        known: true,
                        rating: rating.clone(),
                        ..Facts::unknown()
                    }),
                )
            })
            .collect()
    };
    replace(&ratings, at("e", 0), &rows(0));
    let frames: Vec<Vec<RatingRow>> = (1..=FRAMES).map(rows).collect();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for (revision, frame) in (1..).zip(&frames) {
                ratings.apply(frame, Revision(revision));
            }
            done.store(true, Ordering::Release);
        });
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                ratings.fold();
            }
        });
        for reader in 0..2 {
            let (ratings, done) = (&ratings, &done);
            scope.spawn(move || {
                let mut seen = Revision::ZERO;
                let mut number = reader;
                while !done.load(Ordering::Acquire) {
                    let read = ratings.read();
                    let generation = read.as_ref().unwrap();
                    let applied = generation.revision();
                    assert!(applied >= seen, "went backwards from {seen} to {applied}");
                    seen = applied;
                    number = (number + 1) % FIRMS;
                    let facts = generation.facts(&uscc(number), Arc::default()).unwrap();
                    assert!(u64::from(facts.rating.version) >= applied.0);
                }
            });
        }
    });
    ratings.fold();
    assert_eq!(
        ratings.read().as_ref().unwrap().revision(),
        Revision(u64::from(FRAMES))
    );
}

#[test]
fn an_enterprise_takes_at_most_96_bytes() {
    for count in [900u32, 1_000, 2_000, 3_500, 3_600, 7_168, 7_169] {
        let ratings = Ratings::new();
        let mut snapshot = ratings.begin();
        for number in 0..count {
            snapshot.put(&(
                uscc(number),
                Ok(Facts {
                    known: true,
                    ..Facts::unknown()
                }),
            ));
        }
        let base = snapshot.base.finish();
        assert_eq!(base.len(), count as usize);
        let each = base.bytes() as f64 / f64::from(count);
        assert!(each <= 96.0, "{each} bytes at {count}");
    }
}
