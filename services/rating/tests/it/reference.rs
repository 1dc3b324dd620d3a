//! A second scorer, written from the scheme file's text alone: slow, plain, in half points, and of another shape.
//! The real one must agree with it everywhere.

use std::collections::BTreeSet;

use greenstar_kernel::{Code, Month, Standing, Star, Timestamp};
use greenstar_rating::domain::event::Event;
use greenstar_rating::domain::score::{Award, Grant};
use serde_yaml_ng::Value;

pub(crate) struct Reference {
    file: Value,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Result {
    pub(crate) standing: Standing,
    /// A to E, in halves.
    pub(crate) categories: Vec<i64>,
}

fn halves(value: &Value) -> i64 {
    match (value.as_i64(), value.as_f64()) {
        (Some(whole), _) => whole * 2,
        (None, Some(fraction)) => (fraction * 2.0).round() as i64,
        (None, None) => panic!("no number: {value:?}"),
    }
}

fn months(value: &Value) -> Month {
    Month(u16::try_from(value.as_u64().unwrap()).unwrap())
}

fn list(value: &Value) -> &[Value] {
    value.as_sequence().map(Vec::as_slice).unwrap_or_default()
}

impl Reference {
    pub(crate) fn new(yaml: &str) -> Reference {
        Reference {
            file: serde_yaml_ng::from_str(yaml).unwrap(),
        }
    }

    fn rule_of(&self, kind: &str) -> Option<(&str, &Value)> {
        for item in list(&self.file["items"]) {
            for rule in list(&item["rules"]) {
                if rule["event"] == kind {
                    return Some((item["code"].as_str().unwrap(), rule));
                }
            }
        }
        None
    }

    fn veto_of(&self, kind: &str) -> Option<&Value> {
        list(&self.file["vetoes"])
            .iter()
            .find(|veto| veto["code"] == kind)
    }

    /// Complaints by their own words: an unrepaired verified complaint is "repeat" if, counting only papers that are
    /// older (of one day: whose paper sorts first), at least two are no more than a year older; else it is "minor".
    fn complaints_by_date(events: &[Event]) -> Vec<Event> {
        let family = ["complaint_verified_minor", "complaint_verified_repeat"];
        let live = |event: &&Event| family.contains(&event.kind.as_str()) && event.repaired_at.is_none();
        let mut read = events.to_vec();
        for event in read.iter_mut().filter(|event| live(&&**event)) {
            let mut older = BTreeSet::new();
            for other in events.iter().filter(live) {
                let (mine, theirs) = (&event.document, &other.document);
                let before = (theirs.date, theirs, &other.site) < (mine.date, mine, &event.site);
                if before && theirs.date.plus_months(Month(12)) >= mine.date {
                    older.insert((theirs.clone(), other.site.clone()));
                }
            }
            event.kind = Code::parse(family[usize::from(older.len() >= 2)]).unwrap();
        }
        read
    }

    pub(crate) fn score(
        &self,
        awards: &[Award],
        events: &[Event],
        valid_until: Timestamp,
        at: Timestamp,
    ) -> Result {
        let events = &Reference::complaints_by_date(events);
        let mut categories = Vec::new();
        for category in list(&self.file["categories"]) {
            let mut sum = halves(&category["base"]);
            for item in list(&self.file["items"]) {
                if item["category"] != category["code"] {
                    continue;
                }
                if item["mode"] == "deduction" {
                    sum -= self.deducted(item, events, at);
                } else {
                    sum += self.given(item, awards);
                }
            }
            let floor = category.get("floor").map_or(0, halves);
            categories.push(sum.max(floor).min(halves(&category["cap"])));
        }
        let total: i64 = categories.iter().sum();
        let mut star = 0;
        for grade in list(&self.file["stars"]) {
            if star == 0 && self.passes(grade, &categories, total, events, at) {
                star = grade["star"].as_i64().unwrap();
            }
        }
        let lowest = list(&self.file["stars"])
            .iter()
            .map(|grade| grade["star"].as_i64().unwrap())
            .min()
            .unwrap();
        let mut stripped = false;
        let mut cap = 5;
        for event in events {
            let Some(veto) = self.veto_of(event.kind.as_str()) else {
                continue;
            };
            if !veto_active(veto, event, at) {
                continue;
            }
            match veto["effect"].as_str().unwrap() {
                "strip" => stripped = true,
                "cap" => cap = cap.min(veto["max_star"].as_i64().unwrap()),
                "drop" => star -= veto["stars"].as_i64().unwrap(),
                other => panic!("{other}"),
            }
        }
        star = star.min(cap);
        let standing = if stripped {
            Standing::Vetoed
        } else if at >= valid_until {
            Standing::Expired
        } else if star >= lowest {
            Standing::Rated(Star::try_from(star).unwrap())
        } else {
            Standing::NotListed
        };
        Result { standing, categories }
    }

    /// For every event of the item: is it the one of its document that counts?
    fn deducted(&self, item: &Value, events: &[Event], at: Timestamp) -> i64 {
        let mut sum = 0;
        let mut documents = BTreeSet::new();
        for event in events {
            let Some((own_item, own_rule)) = self.rule_of(event.kind.as_str()) else {
                continue;
            };
            if item["code"] != own_item || !rule_active(own_rule, event, at) {
                continue;
            }
            let mut strongest = (halves(&own_rule["points"]), own_item, event.kind.as_str());
            for other in events {
                let Some((code, rule)) = self.rule_of(other.kind.as_str()) else {
                    continue;
                };
                let same = other.document == event.document && other.site == event.site;
                if same && rule_active(rule, other, at) {
                    let candidate = (halves(&rule["points"]), code, other.kind.as_str());
                    if candidate.0 > strongest.0
                        || (candidate.0 == strongest.0
                            && (candidate.1, candidate.2) < (strongest.1, strongest.2))
                    {
                        strongest = candidate;
                    }
                }
            }
            if strongest.1 == own_item && strongest.2 == event.kind.as_str() {
                let key = (
                    event.document.number.clone(),
                    event.document.date,
                    event.site.clone(),
                );
                if documents.insert(key) {
                    sum += strongest.0;
                }
            }
        }
        sum.min(halves(&item["max"]))
    }

    fn given(&self, item: &Value, awards: &[Award]) -> i64 {
        let mut best = 0;
        for award in awards.iter().filter(|award| item["code"] == award.item.as_str()) {
            match &award.grant {
                Grant::Points(points) => best = best.max(points.milli() / 500),
                Grant::Conditions(ticked) => {
                    for tier in list(&item["tiers"]) {
                        if ticked.iter().any(|code| tier["when"] == code.as_str()) {
                            best = best.max(halves(&tier["points"]));
                        }
                    }
                }
            }
        }
        best
    }

    fn passes(&self, grade: &Value, categories: &[i64], total: i64, events: &[Event], at: Timestamp) -> bool {
        if total < halves(&grade["min_total"]) || categories[0] < halves(&grade["min_A"]) {
            return false;
        }
        if let Some(each) = grade.get("min_each").and_then(Value::as_mapping) {
            for (code, least) in each {
                let at = list(&self.file["categories"])
                    .iter()
                    .position(|category| category["code"] == *code);
                if categories[at.unwrap()] < halves(least) {
                    return false;
                }
            }
        }
        if let Some(allowed) = grade.get("max_penalties_24m").and_then(Value::as_u64) {
            let mut penalties = BTreeSet::new();
            for event in events {
                let Some((_, rule)) = self.rule_of(event.kind.as_str()) else {
                    continue;
                };
                let penalty = rule.get("penalty").and_then(Value::as_bool).unwrap_or(false);
                let recent = at < event.document.date.term_end(Month(24));
                if penalty && event.kind.as_str() != "warning" && event.repaired_at.is_none() && recent {
                    penalties.insert((
                        event.document.number.clone(),
                        event.document.date,
                        event.site.clone(),
                    ));
                }
            }
            if penalties.len() as u64 > allowed {
                return false;
            }
        }
        let forbidden = grade.get("open_rectification").and_then(Value::as_bool) == Some(false);
        let open = events.iter().any(|event| {
            self.rule_of(event.kind.as_str()).is_some()
                && event.rectification_required
                && event.rectified_at.is_none()
                && event.repaired_at.is_none()
        });
        !(forbidden && open)
    }
}

fn rule_active(rule: &Value, event: &Event, at: Timestamp) -> bool {
    let repaired = event.repaired_at.is_some_and(|repaired| repaired <= at);
    !repaired && at < event.document.date.term_end(months(&rule["window_months"]))
}

fn veto_active(veto: &Value, event: &Event, at: Timestamp) -> bool {
    let repairable = veto.get("repairable").and_then(Value::as_bool).unwrap_or(true);
    if repairable && event.repaired_at.is_some_and(|repaired| repaired <= at) {
        return false;
    }
    let months_passed = at >= event.document.date.term_end(months(&veto["min_months"]));
    let confirmed = event.rectified_at.is_some_and(|rectified| rectified <= at);
    !(months_passed && confirmed)
}
