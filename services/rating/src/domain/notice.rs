//! What a firm is told of its rating: what changed, on what basis, and how it comes back. Written with the change
//! itself, so that nobody sees it earlier than the firm can.

use greenstar_kernel::{Code, Date, Document, LocalizedText, Month, Points, Standing, Timestamp, Uscc};
use serde::{Deserialize, Serialize};

use super::enterprise::uscc_text;
use super::event::{Event, Meaning};
use super::firm::Rated;
use super::history::{self, LineChange};
use super::scheme::Scheme;

/// A change of a rating, as its firm is told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatingNotice {
    /// To whom.
    #[serde(with = "uscc_text")]
    pub uscc: Uscc,
    /// `v` and the version; of a firm without a rating the event and what became of it.
    pub id: String,
    /// The version that it tells of; 0 without a rating.
    pub version: u32,
    /// In one sentence.
    pub summary: LocalizedText,
    /// What brought it about.
    pub cause: String,
    /// How it stood, and its total.
    pub before: (Standing, Points),
    /// How it stands from now on, and its total.
    pub after: (Standing, Points),
    /// Item by item.
    pub changes: Vec<LineChange>,
    /// The documents that it rests on.
    pub documents: Vec<Document>,
    /// What the firm can do; empty where nothing was lost.
    pub ways_back: Vec<WayBack>,
    /// When it was written.
    pub made_at: Timestamp,
    /// When the firm read it.
    pub acknowledged_at: Option<Timestamp>,
}

/// One thing that the firm can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayBack {
    /// Which.
    pub way: Way,
    /// What it is and where.
    pub text: LocalizedText,
    /// The event that it concerns; absent where it concerns the whole.
    pub event: Option<Code>,
    /// Not before this day; of [`Way::Wait`] the day on which it comes back.
    pub earliest: Option<Date>,
}

/// The ways in which points and stars come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Put it right and have that confirmed.
    Rectify,
    /// Credit repair by whoever recognised the fault.
    Repair,
    /// Its window ends by itself.
    Wait,
    /// Take part in the yearly review.
    Review,
    /// Object to the item: other staff decides.
    Object,
    /// Appeal against the document.
    Appeal,
}

impl Way {
    /// As the contract writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Way::Rectify => "RECTIFY",
            Way::Repair => "REPAIR",
            Way::Wait => "WAIT",
            Way::Review => "REVIEW",
            Way::Object => "OBJECT",
            Way::Appeal => "APPEAL",
        }
    }
}

/// What a notice is made of.
#[derive(Debug)]
pub struct Told<'a> {
    /// By which the firm is rated.
    pub scheme: &'a Scheme,
    /// All its events.
    pub events: &'a [Event],
    /// The rating before.
    pub before: (Standing, Points),
    /// The rating from now on.
    pub rated: &'a Rated,
    /// What changed.
    pub changes: Vec<LineChange>,
    /// What brought it about.
    pub cause: &'a str,
    /// When.
    pub at: Timestamp,
}

impl Told<'_> {
    /// The notice to the firm.
    pub fn notice(self, uscc: Uscc) -> RatingNotice {
        let after = (self.rated.standing, self.rated.total);
        let mut documents: Vec<Document> = Vec::new();
        let grounds = |change: &LineChange| {
            change
                .added
                .iter()
                .chain(&change.removed)
                .cloned()
                .collect::<Vec<_>>()
        };
        for ground in self.changes.iter().flat_map(grounds) {
            if !documents.contains(&ground.document) {
                documents.push(ground.document);
            }
        }
        RatingNotice {
            uscc,
            id: format!("v{}", self.rated.version),
            version: self.rated.version,
            summary: summary(self.before, after, &self.changes, self.cause),
            cause: self.cause.to_owned(),
            before: self.before,
            after,
            documents,
            ways_back: self.ways(),
            changes: self.changes,
            made_at: self.at,
            acknowledged_at: None,
        }
    }

    fn ways(&self) -> Vec<WayBack> {
        let mut ways = Vec::new();
        let lost: Vec<_> = self.changes.iter().flat_map(|change| &change.added).collect();
        for ground in &lost {
            if let Some((event, meaning)) = history::meaning(self.scheme, self.events, &ground.event) {
                ways.extend(ways_of(self.scheme, event, meaning));
            }
        }
        let after = (self.rated.standing, self.rated.total);
        if self.rated.standing == Standing::Expired && self.before.0 != Standing::Expired {
            ways.push(WayBack {
                way: Way::Review,
                text: LocalizedText::new(
                    "评级有效期已满：请参加年度星级复核，复核公布后恢复星级。",
                    "The validity has ended: take part in the yearly review; its publication gives a star again.",
                ),
                event: None,
                earliest: None,
            });
        }
        let worse = after.1 < self.before.1 || (self.before.0.star() > after.0.star());
        if !lost.is_empty() || worse {
            ways.push(WayBack {
                way: Way::Object,
                text: LocalizedText::new(
                    "如对某一小项有异议，可随时提出异议，由其他工作人员在 15 个工作日内复核答复。",
                    "If an item is wrong, object to it at any time: other staff decides within 15 working days.",
                ),
                event: None,
                earliest: None,
            });
        }
        ways
    }
}

/// A firm that no round has rated is told what was recorded: it will count once it is rated.
pub fn of_unrated(
    uscc: Uscc,
    scheme: &Scheme,
    (event, meaning): (&Event, Meaning<'_>),
    verb: &str,
    at: Timestamp,
) -> RatingNotice {
    let nothing = (Standing::NotRated, Points::ZERO);
    RatingNotice {
        uscc,
        id: format!("{}-{verb}", event.id),
        version: 0,
        summary: LocalizedText::new(
            format!(
                "“{}”（{}）有新的记录。贵单位尚未参加评级，现无星级变动；参加评级时将按办法计入。",
                meaning.title().zh,
                event.document.number
            ),
            format!(
                "\"{}\" ({}) was {verb}. You are not rated, so no star changes; what stands counts when you are.",
                meaning.title().en,
                event.document.number
            ),
        ),
        cause: format!("events/{} {verb}", event.id),
        before: nothing,
        after: nothing,
        changes: Vec::new(),
        documents: vec![event.document.clone()],
        ways_back: if event.is_struck() {
            Vec::new()
        } else {
            ways_of(scheme, event, meaning)
        },
        made_at: at,
        acknowledged_at: None,
    }
}

/// How one event ends.
fn ways_of(scheme: &Scheme, event: &Event, meaning: Meaning<'_>) -> Vec<WayBack> {
    let mut ways = Vec::new();
    let mut push = |way, text, earliest| {
        ways.push(WayBack {
            way,
            text,
            event: Some(event.id.clone()),
            earliest,
        });
    };
    let (title, number) = (meaning.title(), &event.document.number);
    if event.open() {
        push(
            Way::Rectify,
            LocalizedText::new(
                format!("完成“{}”（{number}）的整改，由另一名工作人员确认。", title.zh),
                format!(
                    "Put \"{}\" ({number}) right; another officer confirms it.",
                    title.en
                ),
            ),
            None,
        );
    }
    if meaning.repairable() {
        let earliest = match scheme.publicity(meaning.severity()).min {
            Month(0) => event.document.date,
            min => event.document.date.term_end(min).date(),
        };
        push(
            Way::Repair,
            LocalizedText::new(
                format!(
                    "{earliest} 起可就 {number} 向认定部门 {} 申请信用修复，准予后分值即时恢复。",
                    event.department
                ),
                format!(
                    "From {earliest} on apply for credit repair of {number} with {}, which recorded it; once granted, \
                     the points come back at once.",
                    event.department
                ),
            ),
            Some(earliest),
        );
    }
    let end = event.end(meaning).date();
    let text = match meaning {
        Meaning::Rule(..) => LocalizedText::new(
            format!("计分期限届满，{end} 起自动恢复。"),
            format!("Its window ends by itself: the points are back on {end}."),
        ),
        Meaning::Veto(_) => LocalizedText::new(
            format!("最早于 {end} 且整改确认后不再适用。"),
            format!("It ends on {end} at the earliest, and not before its rectification is confirmed."),
        ),
    };
    push(Way::Wait, text, Some(end));
    push(
        Way::Appeal,
        LocalizedText::new(
            format!(
                "不服 {number} 的，可向作出机关 {} 依法申请复议或提起诉讼；撤销后视为从未记录。",
                event.document.issuer
            ),
            format!(
                "Against {number} itself appeal to {} or the court; once it is annulled, it is as if it had never been \
                 recorded.",
                event.document.issuer
            ),
        ),
        None,
    );
    ways
}

/// What happened, in one sentence.
fn summary(
    before: (Standing, Points),
    after: (Standing, Points),
    changes: &[LineChange],
    cause: &str,
) -> LocalizedText {
    let items = |separator: &str, part: fn(&LocalizedText) -> &str| {
        let named = changes.iter().map(|change| {
            let title = part(&change.title);
            match change.points {
                Some((old, new)) => format!("{} {title} {old} → {new}", change.item),
                None => format!("{} {title}", change.item),
            }
        });
        named.collect::<Vec<_>>().join(separator)
    };
    let (zh, en) = (items("；", |text| &text.zh), items("; ", |text| &text.en));
    let (was, is) = (stand(before.0), stand(after.0));
    let star = if before.0 == after.0 {
        (
            format!("星级不变（{}）", is.zh),
            format!("Your star is as before ({})", is.en),
        )
    } else {
        (
            format!("星级由{}变为{}", was.zh, is.zh),
            format!("Your star changes from {} to {}", was.en, is.en),
        )
    };
    let none = changes.is_empty();
    LocalizedText::new(
        format!(
            "{}，总分 {} → {}。{}依据：{cause}。",
            star.0,
            before.1,
            after.1,
            if none {
                String::new()
            } else {
                format!("涉及：{zh}。")
            }
        ),
        format!(
            "{}, your total from {} to {}. {}Because of: {cause}.",
            star.1,
            before.1,
            after.1,
            if none {
                String::new()
            } else {
                format!("It concerns: {en}. ")
            }
        ),
    )
}

fn stand(standing: Standing) -> LocalizedText {
    match standing {
        Standing::Rated(star) => LocalizedText::new(format!("{star} 星"), format!("{star} stars")),
        Standing::NotRated => LocalizedText::new("未评级", "not rated"),
        Standing::NotListed => LocalizedText::new("未列入名录", "not listed"),
        Standing::Vetoed => LocalizedText::new("一票否决", "vetoed"),
        Standing::Suspended => LocalizedText::new("暂停评级", "suspended"),
        Standing::Expired => LocalizedText::new("有效期届满", "expired"),
    }
}
