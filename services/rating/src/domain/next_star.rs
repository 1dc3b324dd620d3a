//! Which smallest change gives the next star: the fewest items to raise, and then the fewest points; and what only
//! time or a confirmation can bring. What is said to be enough was scored by the scheme.

use std::collections::BTreeMap;

use greenstar_kernel::{Code, LocalizedText, Points, Standing, Star, Timestamp};

use super::event::{Event, Meaning};
use super::repeat::meant;
use super::scheme::{Category, FULL_MARK, Item, Mode, Scheme, Scoring};
use super::score::{Assessment, Award, End, Gate, Grant, ScoreError, assess};
use super::transition::{cause, counted, ends};

/// What is missing for the next star.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextStar {
    /// The star that is aimed at.
    pub star: Star,
    /// What it takes and does not have, vetoes left aside.
    pub gates: Vec<Gate>,
    /// The items to raise: as few as can be, and of these with the fewest points. Empty: points are not what is
    /// missing, or all that bonus items have left is not enough.
    pub raises: Vec<Raise>,
    /// The raises alone give the star, as the scheme scores now.
    pub enough: bool,
    /// Bonus items that could give more, those that could give most first.
    pub rooms: Vec<Room>,
    /// What stands in the way and ends by time or by a confirmation, the first to end first.
    pub waits: Vec<Wait>,
    /// When time alone gives a better standing, if nothing new happens.
    pub by_itself: Option<Timestamp>,
}

/// An item that has to give more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raise {
    /// The item.
    pub item: Code,
    /// What it gives.
    pub from: Points,
    /// What it has to give.
    pub to: Points,
    /// What the verifier would have to find.
    pub grant: Grant,
}

/// What an item could still give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The item.
    pub item: Code,
    /// What it gives.
    pub points: Points,
    /// The most it gives.
    pub max: Points,
    /// How much of the difference its category's cap lets count.
    pub usable: Points,
}

/// Something that has to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wait {
    /// In words.
    pub text: LocalizedText,
    /// The event behind it.
    pub event: Code,
    /// When it ends; `None`: when its rectification is confirmed, and not before.
    pub until: Option<Timestamp>,
}

/// What is missing at an instant; `None`: there is no higher star.
///
/// # Errors
/// As the score.
pub fn next_star(
    scheme: &Scheme,
    awards: &[Award],
    events: &[Event],
    valid_until: Timestamp,
    at: Timestamp,
) -> Result<Option<NextStar>, ScoreError> {
    let now = assess(scheme, awards, events, valid_until, at)?;
    let rank = |standing: Standing| standing.star().map_or(0, Star::get);
    let better = |then: &Assessment| rank(then.standing) > rank(now.standing);
    let above = scheme.grades.iter().rev();
    let Some(aimed) = above
        .map(|grade| grade.star)
        .find(|star| star.get() > rank(now.standing))
    else {
        return Ok(None);
    };
    let lacking = |star: Star| -> Vec<Gate> {
        let of_star = now.gates.iter().filter(|(of, _)| *of == star);
        let gates = of_star.flat_map(|(_, gates)| gates);
        gates
            .filter(|(_, holds)| !holds)
            .map(|(gate, _)| gate.clone())
            .collect()
    };
    let mut next = NextStar {
        star: aimed,
        gates: lacking(aimed),
        raises: Vec::new(),
        enough: false,
        rooms: rooms(scheme, &now),
        waits: Vec::new(),
        by_itself: None,
    };
    // A drop is made up for by the points of a higher star, so that the first that is enough is looked for.
    let mut first = None;
    for (star, gates) in now.gates.iter().rev() {
        if gates.iter().all(|(_, holds)| *holds) {
            continue;
        }
        let Some(raises) = raises(scheme, &now, *star) else {
            continue;
        };
        let raised = with(scheme, awards, &raises);
        let then = assess(scheme, &raised, events, valid_until, at)?;
        if better(&then) {
            next.star = then.standing.star().unwrap_or(aimed);
            next.gates = lacking(*star);
            (next.raises, next.enough) = (raises, true);
            break;
        }
        first.get_or_insert(raises);
    }
    if !next.enough {
        next.raises = first.unwrap_or_default();
    }
    let meant = meant(scheme, events)?;
    let mut waits = waits(&meant, &now, &next.gates, valid_until, at);
    for (instant, _) in ends(&meant, valid_until, at) {
        if better(&assess(scheme, awards, events, valid_until, instant)?) {
            next.by_itself = Some(instant);
            break;
        }
    }
    waits.sort_by_key(|wait| wait.until.unwrap_or(Timestamp::from_micros(i64::MAX)));
    next.waits = waits;
    Ok(Some(next))
}

/// The same awards with these items raised.
fn with(scheme: &Scheme, awards: &[Award], raises: &[Raise]) -> Vec<Award> {
    let raised = raises.iter().map(|raise| Award {
        item: raise.item.clone(),
        claimed: raise.grant.clone(),
        grant: raise.grant.clone(),
        evidence: Vec::new(),
        note: String::new(),
    });
    let kept = awards.iter().filter(|award| scheme.item(&award.item).is_some());
    kept.cloned().chain(raised).collect()
}

fn rooms(scheme: &Scheme, now: &Assessment) -> Vec<Room> {
    let mut rooms: Vec<Room> = Vec::new();
    for (item, line) in scheme.items.iter().zip(&now.lines) {
        let category = scheme.categories.get(item.category);
        let have = now.categories.get(item.category);
        let (Some(category), Some(have)) = (category, have) else {
            continue;
        };
        if matches!(item.scoring, Scoring::Deduction { .. }) || line.points >= item.max {
            continue;
        }
        rooms.push(Room {
            item: item.code.clone(),
            points: line.points,
            max: item.max,
            usable: (item.max - line.points).min(category.cap - have.points),
        });
    }
    rooms.sort_by_key(|room| {
        let most = room.max - room.points;
        (-room.usable, -most)
    });
    rooms
}

/// Cost of a set of raises, and the set.
type Plan = (i64, Vec<Raise>);

/// The fewest items, then the fewest points, that bring the points of a star; `None`: bonus items cannot. What a
/// category of deductions lacks is taken as filled, which time alone can do.
fn raises(scheme: &Scheme, now: &Assessment, star: Star) -> Option<Vec<Raise>> {
    let grade = scheme.grades.iter().find(|grade| grade.star == star)?;
    let needed = |position: usize| {
        let mut each = grade.min_each.iter();
        let found = each.find(|(at, _)| *at == position);
        found.map_or(Points::ZERO, |(_, needed)| *needed)
    };
    let mut total = now.total;
    let mut choices: Vec<Vec<(usize, i64, Plan)>> = Vec::new();
    for (position, category) in scheme.categories.iter().enumerate() {
        let have = now.categories.get(position)?.points;
        match category.mode {
            Mode::Deduction => total += (needed(position) - have).max(Points::ZERO),
            Mode::Bonus | Mode::Mixed => {
                choices.push(of_category(scheme, now, position, category, needed(position)))
            }
        }
    }
    let missing = (grade.min_total - total).max(Points::ZERO).milli();
    // By number of items and gain, which counts up to what is missing.
    let mut plans: BTreeMap<(usize, i64), Plan> = BTreeMap::from([((0, 0), (0, Vec::new()))]);
    for choices in choices {
        let mut joined: BTreeMap<(usize, i64), Plan> = BTreeMap::new();
        for ((count, gain), (cost, raises)) in &plans {
            for (more, gained, (price, further)) in &choices {
                let key = (count + more, (gain + gained).min(missing));
                let cost = cost + price;
                if joined.get(&key).is_none_or(|(known, _)| cost < *known) {
                    let all = raises.iter().chain(further).cloned().collect();
                    joined.insert(key, (cost, all));
                }
            }
        }
        plans = joined;
    }
    let whole = plans.into_iter().filter(|((_, gain), _)| *gain >= missing);
    let best = whole.min_by_key(|((count, _), (cost, _))| (*count, *cost));
    best.map(|(_, (_, raises))| raises)
}

/// Of one category: numbers of items, what the total gains, and the cheapest way.
fn of_category(
    scheme: &Scheme,
    now: &Assessment,
    position: usize,
    category: &Category,
    needed: Points,
) -> Vec<(usize, i64, Plan)> {
    let items = scheme.items.iter().zip(&now.lines);
    let items: Vec<_> = items.filter(|(item, _)| item.category == position).collect();
    let given: Points = items.iter().map(|(_, line)| line.points).sum();
    let raw = category.base + given;
    let counted = |points: Points| points.clamp(category.floor, category.cap);
    let mut ways: BTreeMap<(usize, i64), Vec<Raise>> = BTreeMap::from([((0, 0), Vec::new())]);
    for (item, line) in items {
        let values: Vec<(Points, Grant)> = grants(scheme, item)
            .into_iter()
            .filter_map(|grant| Some((grant.worth(scheme, &item.code).ok()?, grant)))
            .filter(|(worth, _)| *worth > line.points)
            .collect();
        let before: Vec<_> = ways.iter().map(|(key, raises)| (*key, raises.clone())).collect();
        for ((count, gain), raises) in before {
            for (to, grant) in &values {
                let key = (count + 1, gain + (*to - line.points).milli());
                ways.entry(key).or_insert_with(|| {
                    let raise = Raise {
                        item: item.code.clone(),
                        from: line.points,
                        to: *to,
                        grant: grant.clone(),
                    };
                    raises.iter().cloned().chain([raise]).collect()
                });
            }
        }
    }
    // What costs more and counts no more is no way.
    let mut cheapest: BTreeMap<(usize, i64), Plan> = BTreeMap::new();
    for ((count, gain), raises) in ways {
        let then = counted(raw + Points::from_milli(gain));
        if then < needed {
            continue;
        }
        let counts = (then - counted(raw)).milli();
        let plan = cheapest
            .entry((count, counts))
            .or_insert_with(|| (gain, raises.clone()));
        if gain < plan.0 {
            *plan = (gain, raises);
        }
    }
    let all = cheapest.into_iter();
    all.map(|((count, counts), plan)| (count, counts, plan)).collect()
}

/// All that a verifier can find of an item.
fn grants(scheme: &Scheme, item: &Item) -> Vec<Grant> {
    let up_to = |most: Points, step: Points| -> Vec<Grant> {
        let steps = 1..=most.milli() / step.milli().max(1);
        let values = steps.map(|steps| Points::from_milli(steps * step.milli()));
        values.map(Grant::Points).collect()
    };
    match &item.scoring {
        Scoring::Deduction { .. } => Vec::new(),
        Scoring::Steps => up_to(item.max, scheme.step),
        Scoring::Tiers(tiers) => {
            let conditions = tiers.iter().map(|tier| vec![tier.when.clone()]);
            conditions.map(Grant::Conditions).collect()
        }
        Scoring::Marks => up_to(FULL_MARK, Points::whole(1)),
    }
}

/// What stands in the way and can end.
fn waits(
    meant: &[(&Event, Meaning<'_>)],
    now: &Assessment,
    gates: &[Gate],
    valid_until: Timestamp,
    at: Timestamp,
) -> Vec<Wait> {
    let penalties = gates.iter().any(|gate| matches!(gate, Gate::Penalties { .. }));
    let points = gates
        .iter()
        .any(|gate| matches!(gate, Gate::Total { .. } | Gate::Category { .. }));
    let rectification = gates
        .iter()
        .any(|gate| matches!(gate, Gate::Rectification { .. }));
    let mut waits = Vec::new();
    for (until, end) in ends(meant, valid_until, at) {
        let event = match end {
            End::Validity => continue,
            End::Penalty(event) if penalties => event,
            End::Window(event) if points && counted(now, end) => event,
            End::Veto(event) | End::Suspension(event) => event,
            End::Penalty(_) | End::Window(_) => continue,
        };
        let text = cause(meant, end).map(|cause| cause.text());
        waits.extend(text.map(|text| Wait {
            text,
            event: event.clone(),
            until: Some(until),
        }));
    }
    for (event, meaning) in meant {
        let open = match meaning {
            Meaning::Rule(..) => rectification && event.open(),
            Meaning::Veto(_) => now
                .vetoes
                .iter()
                .any(|veto| veto.event == event.id && !veto.rectified),
        };
        if open {
            let title = meaning.title();
            waits.push(Wait {
                text: LocalizedText::new(
                    format!("“{}”的整改尚未确认完成", title.zh),
                    format!("the rectification of \"{}\" is not confirmed yet", title.en),
                ),
                event: event.id.clone(),
                until: None,
            });
        }
    }
    waits
}
