//! Changes in words, for the firm's owner: no codes of tables, no signs.

use greenstar_kernel::{LocalizedText, Standing, Star, Timestamp};

use super::change::{Change, What};
use super::{Improvement, Verdict};
use crate::domain::columns::FactColumn;

impl Improvement<'_> {
    /// The verdict in words.
    pub fn said(&self) -> LocalizedText {
        let title = &self.outcome.title;
        let (mut zh, mut en) = match self.verdict {
            Verdict::Best => (
                format!("现为“{}”，已是本事项最有利的结果", title.zh),
                format!("\"{}\" is the most favourable outcome of this matter", title.en),
            ),
            Verdict::Improvable => (
                format!("现为“{}”，下列任一组变化都可以得到更有利的结果", title.zh),
                format!(
                    "it is \"{}\" now; any one of these sets of changes gives a more favourable outcome",
                    title.en
                ),
            ),
            Verdict::NothingHelps => (
                format!("现为“{}”，企业自身能够作出的改变都不能带来更有利的结果", title.zh),
                format!(
                    "it is \"{}\" now, and no change within the firm's power gives a more favourable outcome",
                    title.en
                ),
            ),
            Verdict::TooIntricate => (
                format!(
                    "现为“{}”，相关事实过多，无法逐一核验全部组合；请向本部门窗口咨询",
                    title.zh
                ),
                format!(
                    "it is \"{}\" now; there are too many facts to try every combination: ask at the counter",
                    title.en
                ),
            ),
        };
        if let Some((at, then)) = &self.by_itself {
            let (day, then) = (at.date(), &then.title);
            zh.push_str(&format!("；如无新的情况，自 {day} 起为“{}”", then.zh));
            en.push_str(&format!(
                "; if nothing new happens it is \"{}\" from {day} on",
                then.en
            ));
        }
        LocalizedText::new(zh, en)
    }
}

impl Change<'_> {
    /// In a sentence. `why`: the reader may know why there is no star, and what was recorded.
    pub fn said(&self, why: bool) -> LocalizedText {
        let (mut zh, mut en) = self.what(why);
        if let Some(at) = self.by_itself.filter(|_| why || self.is_open()) {
            let day = at.date();
            zh.push_str(&format!("；如无新的情况，自 {day} 起无须此项"));
            en.push_str(&format!(
                "; if nothing new happens it is not needed from {day} on"
            ));
        }
        LocalizedText::new(zh, en)
    }

    /// Whether all departments may know of it: flags are told to all, what the rating is made of is not.
    pub fn is_open(&self) -> bool {
        match &self.what {
            What::Star { .. } | What::Flag { .. } => true,
            What::Veto
            | What::Category { .. }
            | What::Total { .. }
            | What::Rectification
            | What::Event(_) => false,
        }
    }

    fn what(&self, why: bool) -> (String, String) {
        match &self.what {
            What::Star { from, to } => {
                let (above, at_least) = match Star::ALL.last() == Some(to) {
                    true => ("", ""),
                    false => ("及以上", "at least "),
                };
                match from {
                    Standing::Rated(from) => (
                        format!("星级由 {from} 星提升至 {to} 星{above}"),
                        format!("a rating of {at_least}{to} stars instead of {from}"),
                    ),
                    Standing::NotRated
                    | Standing::NotListed
                    | Standing::Vetoed
                    | Standing::Suspended
                    | Standing::Expired => (
                        format!("取得 {to} 星{above}（目前没有星级）"),
                        format!("a rating of {at_least}{to} stars; it has none now"),
                    ),
                }
            }
            What::Veto => (
                "环境信用评价中的“一票否决”解除".to_owned(),
                "the one-vote veto of the rating ends".to_owned(),
            ),
            What::Category { category, from, to } => {
                let fact = [
                    FactColumn::PointsA,
                    FactColumn::PointsB,
                    FactColumn::PointsC,
                    FactColumn::PointsD,
                    FactColumn::PointsE,
                ];
                let title = fact.get(*category).map(|fact| fact.title());
                let title = title.unwrap_or_else(|| FactColumn::Points.title());
                match why {
                    true => (
                        format!("{}由 {from} 分提高到 {to} 分", title.zh),
                        format!("{}: {to} instead of {from}", title.en),
                    ),
                    false => (format!("{}达到 {to} 分", title.zh), format!("{}: {to}", title.en)),
                }
            }
            What::Total { from, to } if why => (
                format!(
                    "总分由 {from} 分提高到 {to} 分（任一类别增加 {} 分）",
                    *to - *from
                ),
                format!("a total of {to} points instead of {from}, in whatever category"),
            ),
            What::Total { to, .. } => (
                format!("总分达到 {to} 分"),
                format!("a total of {to} points, in whatever category"),
            ),
            What::Flag { flag, kind, repair } => {
                let title = match kind {
                    Some(kind) => kind.title.clone(),
                    None => LocalizedText::new(flag.kind.to_string(), flag.kind.to_string()),
                };
                let number = &flag.document.number;
                let (end_zh, end_en) = match flag.end {
                    Some(end) => {
                        // The end is the first instant without it.
                        let last = Timestamp::from_micros(end.micros().saturating_sub(1)).date();
                        (format!("有效期至 {last}"), format!("last day {last}"))
                    }
                    None => ("有效期至解除为止".to_owned(), "until it is lifted".to_owned()),
                };
                let (repair_zh, repair_en) = match repair {
                    Some(first) => (
                        format!("，最早可于 {first} 修复"),
                        format!(", to be repaired from {first} on"),
                    ),
                    None => (
                        "，法律没有规定可以修复".to_owned(),
                        ", which the law lets nobody repair".to_owned(),
                    ),
                };
                (
                    format!(
                        "失信标记“{}”（{number}）修复、撤销或者期满（{end_zh}{repair_zh}）",
                        title.zh
                    ),
                    format!(
                        "the flag \"{}\" (document {number}) is repaired, annulled or ends ({end_en}{repair_en})",
                        title.en
                    ),
                )
            }
            What::Rectification if why => (
                "完成整改并经确认".to_owned(),
                "what must be put right is put right, and confirmed".to_owned(),
            ),
            What::Event(event) if why => (
                format!("{} 的信用事件（{}）修复或者不再计入", event.date, event.kind),
                format!(
                    "the event of {} ({}) is repaired or no longer counts",
                    event.date, event.kind
                ),
            ),
            What::Rectification | What::Event(_) => (
                "企业评价记录中的一项情况消除".to_owned(),
                "something that the rating has on record ends".to_owned(),
            ),
        }
    }
}
