//! An enterprise with its events and its rating: what one command changes as a whole.

use std::collections::BTreeSet;

use greenstar_kernel::{Code, Date, LocalizedText, Officer, Points, Standing, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

use super::course::Limit;
use super::enterprise::{District, Enterprise, PolluterClass, Sector, uscc_text};
use super::event::Event;
use super::repeat::Repeats;
use super::scheme::{Scheme, SchemeKey, Severity};
use super::score::{Assessment, Award, CategoryPoints, ScoreError, assess};
use super::transition::{Transition, next_transition};

/// The aggregate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Firm {
    /// The register's part.
    pub enterprise: Enterprise,
    /// The rating, once a round with this enterprise was published.
    pub rated: Option<Rated>,
    /// Everything recorded, in no order.
    pub events: Vec<Event>,
}

/// A rating in force: what it rests on, and the result when it was last made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rated {
    /// Counts up with every version.
    pub version: u32,
    /// The round that made it.
    pub round: Code,
    /// The scheme it was made by.
    pub scheme: SchemeKey,
    /// What the verifiers awarded.
    pub awards: Vec<Award>,
    /// When the yearly validity ends.
    pub valid_until: Timestamp,
    /// When this version was made.
    pub rated_at: Timestamp,
    /// Star or state.
    pub standing: Standing,
    /// Sum of the categories.
    pub total: Points,
    /// By category.
    pub categories: Vec<CategoryPoints>,
    /// What time alone will change.
    pub next: Option<Transition>,
    /// It is set aside while an authority decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<Suspension>,
    /// Joint deliberation allows no more than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// Objections that nobody has decided, by id.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub objections: BTreeSet<Code>,
}

/// Why a rating is set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Since when.
    pub at: Timestamp,
    /// Which authority decides what.
    pub reason: String,
    /// Who set it aside.
    pub by: Officer,
}

/// The whole row of an enterprise as followers of ratings keep it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The enterprise.
    #[serde(with = "uscc_text")]
    pub uscc: Uscc,
    /// Star or state.
    pub standing: Standing,
    /// Absent if it was never rated.
    pub rating: Option<FactRating>,
    /// GB/T 2260.
    pub district: District,
    /// Where it was before, in the change that moved it: who follows that district is told that it left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<District>,
    /// GB/T 4754.
    pub sector: Sector,
    /// How it is listed for its pollution.
    pub polluter_class: PolluterClass,
    /// Something must still be put right.
    pub open_rectification: bool,
    /// An appeal is open against a document that counts.
    #[serde(default)]
    pub objection_open: bool,
    /// All that were neither repaired nor annulled, newest first: followers count them over windows of their own, and none may
    /// hide behind newer ones (P10).
    pub recent_events: Vec<RecentEvent>,
}

/// The rated part of a fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactRating {
    /// Sum of the categories.
    pub total: Points,
    /// By category.
    pub categories: Vec<CategoryPoints>,
    /// The scheme.
    pub scheme: SchemeKey,
    /// The round.
    pub round: Code,
    /// Counts up with every version.
    pub version: u32,
    /// When this version was made.
    pub rated_at: Timestamp,
    /// When the yearly validity ends.
    pub valid_until: Timestamp,
    /// What time alone will change.
    pub next: Option<Transition>,
}

/// An event as followers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentEvent {
    /// Event or veto code that it counts as.
    pub kind: Code,
    /// Its severity.
    pub severity: Severity,
    /// Date of the document.
    pub date: Date,
}

/// A rating as it is at an instant, for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatingView {
    /// The enterprise.
    #[serde(with = "uscc_text")]
    pub uscc: Uscc,
    /// Its name; absent if nobody registered it.
    pub name: Option<LocalizedText>,
    /// Star or state.
    pub standing: Standing,
    /// Absent if it was never rated.
    pub rating: Option<FactRating>,
    /// NOT_LISTED because vetoes that drop took the last star, not because the points were too few.
    pub dropped: bool,
    /// What keeps it from the next star; empty if it was never rated.
    pub blocked: Vec<LocalizedText>,
    /// What the scheme calls the star; absent without one.
    #[serde(default)]
    pub rank: Option<Rank>,
    /// An appeal is open against a document that counts.
    #[serde(default)]
    pub objection_open: bool,
    /// The instant at which this was true.
    pub as_of: Timestamp,
}

/// What a jurisdiction calls a star.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rank {
    /// Its name, e.g. 五星级 or 绿色.
    pub title: LocalizedText,
    /// Its colour, where ranks have colours.
    pub color: Option<Code>,
}

impl RatingView {
    /// A code that nobody registered is treated as any firm was before.
    pub fn unknown(uscc: Uscc, as_of: Timestamp) -> RatingView {
        RatingView {
            uscc,
            name: None,
            standing: Standing::NotRated,
            rating: None,
            dropped: false,
            blocked: Vec::new(),
            rank: None,
            objection_open: false,
            as_of,
        }
    }
}

impl Rated {
    /// What followers keep of it.
    pub fn fact(&self) -> FactRating {
        FactRating {
            total: self.total,
            categories: self.categories.clone(),
            scheme: self.scheme.clone(),
            round: self.round.clone(),
            version: self.version,
            rated_at: self.rated_at,
            valid_until: self.valid_until,
            next: self.next.clone(),
        }
    }

    /// The standing that an assessment gives, unless it is set aside. What a veto took, or time, is not hidden by that.
    fn held(&self, standing: Standing) -> Standing {
        match standing {
            Standing::Rated(_) | Standing::NotListed if self.suspended.is_some() => Standing::Suspended,
            Standing::Rated(_)
            | Standing::NotRated
            | Standing::NotListed
            | Standing::Vetoed
            | Standing::Suspended
            | Standing::Expired => standing,
        }
    }

    fn assess(&self, scheme: &Scheme, events: &[Event], at: Timestamp) -> Result<Assessment, ScoreError> {
        let mut assessment = assess(scheme, &self.awards, events, self.valid_until, at)?;
        if let Some(limit) = &self.limit {
            limit.apply(&mut assessment);
        }
        assessment.standing = self.held(assessment.standing);
        Ok(assessment)
    }

    fn next(
        &self,
        scheme: &Scheme,
        events: &[Event],
        at: Timestamp,
    ) -> Result<Option<Transition>, ScoreError> {
        let mut next = next_transition(scheme, &self.awards, events, self.valid_until, at)?;
        if let Some(next) = &mut next {
            if let Some(limit) = &self.limit {
                next.standing = limit.on(next.standing);
            }
            next.standing = self.held(next.standing);
        }
        Ok(next)
    }
}

impl Firm {
    /// A registered enterprise that nothing is known of.
    pub fn new(enterprise: Enterprise) -> Firm {
        Firm {
            enterprise,
            rated: None,
            events: Vec::new(),
        }
    }

    /// Star or state when the rating was last made.
    pub fn standing(&self) -> Standing {
        self.rated
            .as_ref()
            .map_or(Standing::NotRated, |rated| rated.standing)
    }

    /// Scores again and makes a new version. An enterprise that was never rated stays so.
    ///
    /// # Errors
    /// [`ScoreError`]; the firm is as before.
    pub fn rate(&mut self, scheme: &Scheme, at: Timestamp) -> Result<Option<Assessment>, ScoreError> {
        let Some(rated) = &self.rated else { return Ok(None) };
        let assessment = rated.assess(scheme, &self.events, at)?;
        let next = rated.next(scheme, &self.events, at)?;
        let rated = Rated {
            version: rated.version + 1,
            rated_at: at,
            standing: assessment.standing,
            total: assessment.total,
            categories: assessment.categories.clone(),
            next,
            ..rated.clone()
        };
        self.rated = Some(rated);
        Ok(Some(assessment))
    }

    /// The assessment as of an instant; `None` if it was never rated.
    ///
    /// # Errors
    /// As the score.
    pub fn assessment(&self, scheme: &Scheme, at: Timestamp) -> Result<Option<Assessment>, ScoreError> {
        let Some(rated) = &self.rated else { return Ok(None) };
        rated.assess(scheme, &self.events, at).map(Some)
    }

    /// The rating as of an instant: what time has changed since the last version is in it. `scheme` is the
    /// rating's; without a rating none is needed.
    ///
    /// # Errors
    /// As the score.
    pub fn view(&self, scheme: Option<&Scheme>, at: Timestamp) -> Result<RatingView, ScoreError> {
        let mut view = RatingView {
            name: Some(self.enterprise.profile.name.clone()),
            objection_open: self.objection_open(),
            ..RatingView::unknown(self.enterprise.uscc, at)
        };
        let (Some(rated), Some(scheme)) = (&self.rated, scheme) else {
            return Ok(view);
        };
        let assessment = rated.assess(scheme, &self.events, at)?;
        let mut rating = rated.fact();
        if rating.next.as_ref().is_some_and(|next| next.at <= at) {
            rating.next = rated.next(scheme, &self.events, at)?;
        }
        view.standing = assessment.standing;
        let grade = assessment.standing.star().and_then(|star| scheme.grade(star));
        view.rank = grade.map(|grade| Rank {
            title: grade.name.clone(),
            color: grade.color.clone(),
        });
        view.dropped = assessment.dropped;
        view.blocked = assessment.blocked.iter().map(super::score::Gate::text).collect();
        rating.total = assessment.total;
        rating.categories = assessment.categories;
        view.rating = Some(rating);
        Ok(view)
    }

    /// The row for followers. Of `schemes`, oldest first, the rating's says what repeated events count as; without a
    /// rating the newest of its district's does.
    pub fn fact<'s>(&self, mut schemes: impl Iterator<Item = &'s Scheme>) -> Fact {
        let scheme = match &self.rated {
            Some(rated) => schemes.find(|scheme| scheme.key == rated.scheme),
            None => schemes.max_by_key(|scheme| scheme.covers(self.enterprise.profile.district.as_str())),
        };
        let profile = &self.enterprise.profile;
        let mut recent: Vec<&Event> = self.events.iter().filter(|event| !event.is_struck()).collect();
        recent.sort_by(|a, b| (b.document.date, &b.id).cmp(&(a.document.date, &a.id)));
        let repeats = scheme.map(|scheme| Repeats::of(scheme, &self.events));
        let shown = |event: &Event| {
            let repeats = repeats.as_ref();
            repeats.map_or_else(|| event.clone(), |repeats| repeats.shown(event))
        };
        Fact {
            uscc: self.enterprise.uscc,
            standing: self.standing(),
            rating: self.rated.as_ref().map(Rated::fact),
            district: profile.district.clone(),
            moved_from: None,
            sector: profile.sector.clone(),
            polluter_class: profile.polluter_class,
            open_rectification: self.events.iter().any(Event::open),
            objection_open: self.objection_open(),
            recent_events: recent
                .into_iter()
                .map(shown)
                .map(|event| RecentEvent {
                    kind: event.kind,
                    severity: event.severity,
                    date: event.document.date,
                })
                .collect(),
        }
    }

    /// Whether an objection to the rating is open, or an appeal against the document of an event that was neither
    /// repaired nor annulled.
    pub fn objection_open(&self) -> bool {
        let mut events = self.events.iter();
        let objected = |rated: &Rated| !rated.objections.is_empty();
        self.rated.as_ref().is_some_and(objected)
            || events.any(|event| event.under_appeal && !event.is_struck())
    }

    /// An event by id.
    pub fn event(&self, id: &Code) -> Option<&Event> {
        self.events.iter().find(|event| event.id == *id)
    }
}
