//! Stars: what each takes, from the highest down.

use greenstar_kernel::{Code, LocalizedText, Points};

use super::check::{defined, points};
use super::fault::Faults;
use super::raw;
use super::{Category, Grade, SchemeProblem};

/// Whether what a star takes can be had is for the proof to say; here it is well written and in order.
pub(super) fn grades(
    faults: &mut Faults,
    raw: &[raw::Grade],
    categories: &[Category],
    step: Points,
) -> Vec<Grade> {
    let mut grades: Vec<Grade> = Vec::with_capacity(raw.len());
    for (position, grade) in raw.iter().enumerate() {
        let place = format!("stars[{position}]");
        let next = Grade {
            star: grade.star,
            name: LocalizedText::new(
                grade.zh.clone(),
                grade
                    .en
                    .clone()
                    .unwrap_or_else(|| format!("{} stars", grade.star)),
            ),
            color: grade.color.clone(),
            min_total: points(faults, &format!("{place}.min_total"), grade.min_total, step),
            min_each: min_each(faults, &place, grade, categories, step),
            max_penalties: grade.max_penalties_24m,
            allows_open_rectification: grade.open_rectification,
        };
        if let Some(above) = grades.last() {
            // Without steps between, "minus one star" has one meaning.
            let in_order = i64::from(above.star) - 1 == i64::from(next.star);
            faults.check(in_order, &place, || {
                SchemeProblem::Order("the highest star down, without gaps")
            });
            faults.check(!easier(above, &next), &place, || SchemeProblem::Easier);
        }
        grades.push(next);
    }
    faults.check(!grades.is_empty(), "stars", || SchemeProblem::Empty);
    grades
}

fn min_each(
    faults: &mut Faults,
    place: &str,
    grade: &raw::Grade,
    categories: &[Category],
    step: Points,
) -> Vec<(usize, Points)> {
    let mut min_each: Vec<(usize, Points)> = Vec::new();
    // `min_A` is the short form of `min_each: { A: … }`.
    let short = Code::parse("A").ok().zip(grade.min_a);
    let long = grade.min_each.iter().map(|(code, least)| (code.clone(), *least));
    for (code, least) in short.into_iter().chain(long) {
        let place = format!("{place}.min_{code}");
        let Some(at) = categories.iter().position(|category| category.code == code) else {
            defined(faults, &place, "category", &code, false);
            continue;
        };
        let seen = min_each.iter().any(|(seen, _)| *seen == at);
        faults.check(!seen, &place, || SchemeProblem::Duplicate(code));
        min_each.push((at, points(faults, &place, least, step)));
    }
    min_each
}

/// Whether a firm could reach the upper star without reaching the lower one.
fn easier(upper: &Grade, lower: &Grade) -> bool {
    let least = |category: usize| {
        upper
            .min_each
            .iter()
            .find(|(at, _)| *at == category)
            .map_or(Points::ZERO, |(_, least)| *least)
    };
    upper.min_total < lower.min_total
        || lower
            .min_each
            .iter()
            .any(|(category, needed)| least(*category) < *needed)
        || lower
            .max_penalties
            .is_some_and(|allowed| upper.max_penalties.is_none_or(|more| more > allowed))
        || (!lower.allows_open_rectification && upper.allows_open_rectification)
}
