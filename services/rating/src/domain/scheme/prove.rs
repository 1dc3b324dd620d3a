//! What no look at a single place of a scheme shows: every star can be reached, and no bonus buys back a violation.
//! Exact: the search goes over every sum that items can make, and answers with a firm of which it is true.

use greenstar_kernel::{Code, Points};

use super::fault::Faults;
use super::sums::Space;
use super::{
    Grade, Obstacle, Offset, PENALTY_MONTHS, Rule, Scheme, SchemeProblem, Scoring, Severity, Window,
};

pub(super) fn prove(scheme: &Scheme, faults: &mut Faults) {
    let Some(space) = Space::of(scheme) else {
        faults.add("items", SchemeProblem::TooFine);
        return;
    };
    for (position, grade) in scheme.grades.iter().enumerate() {
        let above = position.checked_sub(1).and_then(|above| scheme.grades.get(above));
        let place = format!("stars[{position}]");
        if let Some(why) = obstacle(scheme, &space, grade, above) {
            let star = grade.star;
            faults.add(place, SchemeProblem::Unreachable { star, why });
            continue;
        }
        if scheme.offsets.is_some() {
            continue;
        }
        for category in 0..scheme.categories.len() {
            if let Some((category, example)) = bought(scheme, &space, grade, category) {
                let star = grade.star;
                faults.add(
                    &place,
                    SchemeProblem::BoughtBack {
                        star,
                        category,
                        example,
                    },
                );
            }
        }
    }
}

/// What a star takes in a category, in steps.
fn least(space: &Space, grade: &Grade, category: usize) -> usize {
    let gate = grade.min_each.iter().find(|(at, _)| *at == category);
    gate.map_or(0, |(_, points)| space.at_least(*points))
}

/// Why no firm ends with this star; `None`: one does.
fn obstacle(scheme: &Scheme, space: &Space, grade: &Grade, above: Option<&Grade>) -> Option<Obstacle> {
    for (position, (worth, category)) in space.categories.iter().zip(&scheme.categories).enumerate() {
        if worth.most() < least(space, grade, position) {
            let gate = grade.min_each.iter().find(|(at, _)| *at == position);
            return Some(Obstacle::Category {
                category: category.code.clone(),
                needed: gate.map(|(_, points)| *points).unwrap_or_default(),
                most: space.points(worth.most()),
            });
        }
    }
    let most = space.categories.iter().map(|worth| worth.most()).sum();
    if most < space.at_least(grade.min_total) {
        return Some(Obstacle::Total {
            needed: grade.min_total,
            most: space.points(most),
        });
    }
    let above = above?;
    if reached_below(space, grade, above) || kept_from(scheme, space, grade, above) {
        None
    } else {
        Some(Obstacle::Shadowed { by: above.star })
    }
}

/// Whether the points of some firm satisfy a star and not the one above it.
fn reached_below(space: &Space, grade: &Grade, above: &Grade) -> bool {
    let (total, next) = (space.at_least(grade.min_total), space.at_least(above.min_total));
    let open = |position: usize| (least(space, grade, position), usize::MAX);
    if space.totals(open).iter().any(|sum| sum >= total && sum < next) {
        return true;
    }
    (0..space.categories.len()).any(|narrow| {
        let gate = least(space, above, narrow);
        let between = |position: usize| {
            if position == narrow && gate > 0 {
                (least(space, grade, position), gate - 1)
            } else {
                open(position)
            }
        };
        gate > least(space, grade, narrow) && space.totals(between).iter().any(|sum| sum >= total)
    })
}

/// Whether conduct alone keeps a firm with the points of this star from the one above.
fn kept_from(scheme: &Scheme, space: &Space, grade: &Grade, above: &Grade) -> bool {
    let rules = || {
        scheme.items.iter().flat_map(|item| match &item.scoring {
            Scoring::Deduction { rules, .. } => rules.as_slice(),
            Scoring::Steps | Scoring::Tiers(_) | Scoring::Marks => &[],
        })
    };
    // A rectification stays open when its event has long stopped to deduct.
    if grade.allows_open_rectification && !above.allows_open_rectification && rules().next().is_some() {
        return true;
    }
    let Some(allowed) = above.max_penalties else {
        return false;
    };
    let one_more = allowed.saturating_add(1);
    if grade.max_penalties.is_some_and(|most| most < one_more) {
        return false;
    }
    let lapses = |rule: &Rule| match rule.window {
        Window::Months(months) => months < PENALTY_MONTHS,
        Window::CalendarYear => true,
    };
    let mut gated = rules().filter(|rule| rule.gated);
    gated.any(|rule| {
        // It deducts all the while in which it counts for the gate, or the gate outlasts it.
        let times = usize::try_from(one_more).unwrap_or(usize::MAX).min(1000);
        let forced = (!lapses(rule)).then_some((&rule.event, times));
        let happened = Space::forcing(scheme, forced);
        let total = space.at_least(grade.min_total);
        happened.is_some_and(|space| {
            let open = |position: usize| (least(&space, grade, position), usize::MAX);
            space.totals(open).iter().any(|sum| sum >= total)
        })
    })
}

/// What the least of the serious events of a category takes.
fn grave(scheme: &Scheme, category: usize) -> Option<Points> {
    let items = scheme.items.iter().filter(|item| item.category == category);
    let rules = items.flat_map(|item| match &item.scoring {
        Scoring::Deduction { rules, .. } => rules.as_slice(),
        Scoring::Steps | Scoring::Tiers(_) | Scoring::Marks => &[],
    });
    let serious = rules.filter(|rule| rule.severity == Severity::Serious);
    serious.map(|rule| rule.points).min()
}

/// A firm that has a star only thanks to its bonus, with a violation that no gate keeps within bounds. What a gate lets
/// pass is the scheme's tolerance; a gate that never binds, because the total asks for more anyway, is none.
fn bought(scheme: &Scheme, space: &Space, grade: &Grade, category: usize) -> Option<(Code, Offset)> {
    let worth = space.categories.get(category)?;
    let total = space.at_least(grade.min_total);
    let gate = least(space, grade, category);
    let others = || {
        space
            .categories
            .iter()
            .enumerate()
            .filter(|(at, _)| *at != category)
    };
    let others_most: usize = others().map(|(_, other)| other.most()).sum();
    let others_base: usize = others().map(|(_, other)| other.base).sum();
    let bases_do = others().all(|(at, other)| other.base >= least(space, grade, at));
    let with = |taken: usize| worth.shown(worth.base + worth.takes + worth.gives - taken);
    let alone = |taken: usize| worth.shown(worth.base + worth.takes - taken);
    let has = |taken: usize| with(taken) >= gate && with(taken) + others_most >= total;
    let has_alone = |taken: usize| bases_do && alone(taken) >= gate && alone(taken) + others_base >= total;
    let worst = worth
        .taken
        .iter()
        .rev()
        .find(|taken| *taken > 0 && has(*taken) && !has_alone(*taken))?;
    // Where bonus points stand beside the violation in one category, they fill its gate as well.
    let mut heavier = worth.taken.iter().filter(|taken| with(*taken) < with(worst));
    let by_gate = |taken: usize| with(taken) < gate && with(taken) + others_most >= total;
    let binds = worth.gives == 0 && heavier.next().is_some_and(by_gate);
    // A total so high that it leaves no room for a serious event holds violations down as well as the gate.
    let slight =
        gate > worth.floor && grave(scheme, category).is_some_and(|grave| space.points(worst) < grave);
    if binds || slight {
        return None;
    }
    let [taken, mut given] = worth.taking(worst);
    for (_, other) in others() {
        let [_, gives] = other.taking(0);
        given.extend(gives);
    }
    let points = |items: Vec<(Code, usize)>| {
        items
            .into_iter()
            .map(|(item, steps)| (item, space.points(steps)))
            .collect()
    };
    let code = scheme.categories.get(category)?.code.clone();
    let example = Offset {
        taken: points(taken),
        given: points(given),
        total: space.points(with(worst) + others_most),
        without: space.points(alone(worst) + others_base),
    };
    Some((code, example))
}

#[cfg(test)]
mod tests {
    use greenstar_kernel::Star;

    use super::*;
    use crate::domain::scheme::SchemeFault;

    const FILE: &str = include_str!("../../../data/schemes/daxing-green-credit.yaml");

    fn faults(changes: &[(&str, &str)]) -> Vec<SchemeFault> {
        let mut file = FILE.to_owned();
        for (from, to) in changes {
            assert!(file.contains(from), "{from}");
            file = file.replace(from, to);
        }
        Scheme::proved(&file)
            .err()
            .map(|faults| faults.0)
            .unwrap_or_default()
    }

    fn star(rank: i64) -> Star {
        Star::try_from(rank).unwrap()
    }

    #[test]
    fn a_star_above_what_its_category_gives_is_named_with_the_figures() {
        let found = faults(&[("min_each: { B: 8, C: 5 }", "min_each: { B: 14.5, C: 5 }")]);
        let [SchemeFault { place, problem }] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(place, "stars[0]");
        let why = Obstacle::Category {
            category: Code::parse("B").unwrap(),
            needed: Points::from_milli(14_500),
            most: Points::whole(14),
        };
        assert_eq!(*problem, SchemeProblem::Unreachable { star: star(5), why });
    }

    #[test]
    fn a_total_beyond_all_points_and_a_star_behind_another_are_unreachable() {
        let found = faults(&[(
            "star: 5, zh: 五星级, min_total: 90",
            "star: 5, zh: 五星级, min_total: 101",
        )]);
        assert!(matches!(
            found[0].problem,
            SchemeProblem::Unreachable {
                why: Obstacle::Total { .. },
                ..
            }
        ));
        // Four stars take all that five take: whoever satisfies them has five.
        let found = faults(&[(
            "star: 4, zh: 四星级, min_total: 75, min_A: 51, open_rectification: false",
            "star: 4, zh: 四星级, min_total: 90, min_A: 57, min_each: { B: 8, C: 5 }, max_penalties_24m: 0, open_rectification: false",
        )]);
        let by = star(5);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(
            found[0].problem,
            SchemeProblem::Unreachable {
                star: star(4),
                why: Obstacle::Shadowed { by }
            }
        );
        // The penalty gate alone tells them apart: that is enough.
        let found = faults(&[(
            "star: 4, zh: 四星级, min_total: 75, min_A: 51, open_rectification: false",
            "star: 4, zh: 四星级, min_total: 90, min_A: 57, min_each: { B: 8, C: 5 }, open_rectification: false",
        )]);
        assert!(found.is_empty(), "{found:?}");
    }

    #[test]
    fn a_bonus_that_buys_back_a_violation_is_shown_by_a_firm() {
        for gate in ["", ", min_A: 20"] {
            let found = faults(&[("min_total: 60, min_A: 45", &format!("min_total: 60{gate}"))]);
            let [SchemeFault { place, problem }] = found.as_slice() else {
                panic!("{found:?}");
            };
            assert_eq!(place, "stars[2]");
            let SchemeProblem::BoughtBack {
                star: bought,
                example,
                ..
            } = problem
            else {
                panic!("{problem:?}");
            };
            assert_eq!(*bought, star(3));
            let sum = |items: &[(Code, Points)]| items.iter().map(|(_, points)| *points).sum::<Points>();
            assert_eq!(sum(&example.taken), Points::whole(40));
            assert_eq!(sum(&example.given), Points::whole(40));
            assert_eq!(
                (example.total, example.without),
                (Points::whole(60), Points::whole(20))
            );
        }
        let declared = (
            "max_total: 100",
            "max_total: 100\n  bonus_may_offset: { zh: 加减分合计, en: plus and minus }",
        );
        assert!(faults(&[("min_total: 60, min_A: 45", "min_total: 60"), declared]).is_empty());
    }

    #[test]
    fn all_faults_are_named_at_once() {
        let found = faults(&[
            (
                "points: 1,  window_months: 12 }",
                "points: 1.25,  window_months: 12 }",
            ),
            ("code: B02", "code: B01"),
            ("veto: [V05]", "veto: [V55]"),
            ("min_A: 51", "min_Z: 51"),
        ]);
        // An unknown key ends the reading: it comes first and alone.
        assert_eq!(found.len(), 1);
        let found = faults(&[
            (
                "event: warning, zh: 警告, en: Warning, severity: minor,    points: 1,",
                "event: warning, zh: 警告, en: Warning, severity: minor,    points: 1.25,",
            ),
            ("code: B02", "code: B01"),
            ("veto: [V05]", "veto: [V55]"),
        ]);
        let places: Vec<&str> = found.iter().map(|fault| fault.place.as_str()).collect();
        assert_eq!(
            places,
            ["items[11]", "items[1].veto[0]", "items[7].rules[1].points"]
        );
    }
}
