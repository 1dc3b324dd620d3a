//! What can be wrong with a scheme: all of it at once, each with its place in the file.

use std::fmt;

use greenstar_kernel::{Code, LocalizedText, Points, Said, Star};

/// More faults than this are not named one by one.
const MOST: usize = 100;

/// One fault, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {problem}")]
pub struct SchemeFault {
    /// E.g. `items[7].rules[2]`, or line and column.
    pub place: String,
    /// What is wrong there.
    pub problem: SchemeProblem,
}

/// A scheme that cannot be used: every fault that was found, in the order of the file; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemeFaults(pub Vec<SchemeFault>);

impl std::error::Error for SchemeFaults {}

impl fmt::Display for SchemeFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, fault) in self.0.iter().enumerate() {
            let joint = if position > 0 { "; " } else { "" };
            write!(f, "{joint}{fault}")?;
        }
        Ok(())
    }
}

/// Collects faults, so that an author corrects them in one go.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<SchemeFault>);

impl Faults {
    pub(super) fn add(&mut self, place: impl Into<String>, problem: SchemeProblem) {
        if self.0.len() < MOST {
            self.0.push(SchemeFault {
                place: place.into(),
                problem,
            });
        }
    }

    /// Whether the thing holds; a fault if it does not.
    pub(super) fn check(
        &mut self,
        holds: bool,
        place: impl Into<String>,
        problem: impl FnOnce() -> SchemeProblem,
    ) -> bool {
        if !holds {
            self.add(place, problem());
        }
        holds
    }

    pub(super) fn into_faults(self) -> SchemeFaults {
        SchemeFaults(self.0)
    }

    pub(super) fn into_result<T>(self, value: T) -> Result<T, SchemeFaults> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(SchemeFaults(self.0))
        }
    }
}

/// What can be wrong with a scheme.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemeProblem {
    /// Not YAML, a missing key, an unknown key, or a value of another kind.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// The version would not fit a resource name.
    #[error("a version is 1 to 40 letters, digits, dots and hyphens")]
    Version,
    /// A code stands twice.
    #[error("code {0} is used twice")]
    Duplicate(Code),
    /// A code names nothing in the file.
    #[error("{kind} {code} is not defined in this scheme")]
    Undefined {
        /// What was looked for.
        kind: &'static str,
        /// The code.
        code: Code,
    },
    /// A list that needs an entry has none.
    #[error("must not be empty")]
    Empty,
    /// Not a multiple of the step, or negative.
    #[error("points are multiples of {step} and not negative, got {got}")]
    Step {
        /// What the file says.
        got: Points,
        /// The scheme's step.
        step: Points,
    },
    /// Outside what its frame allows.
    #[error("{got} is not between {least} and {most}")]
    Range {
        /// What the file says.
        got: String,
        /// The smallest value.
        least: String,
        /// The largest value.
        most: String,
    },
    /// The caps do not add up to the best total.
    #[error("the caps of the categories add up to {0}, not to max_total")]
    Caps(Points),
    /// A cap that its items cannot fill.
    #[error("the cap is {cap}, but base and items give {most} at most")]
    CapIdle {
        /// What the file says.
        cap: Points,
        /// What can be had.
        most: Points,
    },
    /// The item's mode is not its category's, or it has rules where it needs tiers.
    #[error("the mode does not fit the category, or the item has what its mode does not use")]
    Mode,
    /// Stars or tiers not in order.
    #[error("must be listed from {0}")]
    Order(&'static str),
    /// A higher star asks for less than a lower one.
    #[error("a higher star must not be easier to reach than a lower one")]
    Easier,
    /// `stars` and `max_star` do not fit the effect.
    #[error("a cap names max_star, a drop names stars, a strip names neither")]
    Effect,
    /// Something this program does not do.
    #[error("only {0} is supported")]
    Unsupported(&'static str),
    /// No items, events and awards there can be end with this star.
    #[error("{star} stars cannot be reached: {}", why.en())]
    Unreachable {
        /// The star.
        star: Star,
        /// What stands in the way.
        why: Obstacle,
    },
    /// Bonus points make up for a violation, and no gate says how far.
    #[error(
        "bonus points buy back violations at {star} stars: with {example} the firm has {star} stars, and without the bonus \
         it would not; give a gate (min_{category}) that binds, or say bonus_may_offset with the reason"
    )]
    BoughtBack {
        /// The star.
        star: Star,
        /// Where the violations deduct.
        category: Code,
        /// A firm of which it is true.
        example: Offset,
    },
    /// The exact search would take too long.
    #[error("the points are too fine or too many to be searched: at most 20000 steps in all, and 300 items")]
    TooFine,
}

/// Why a star cannot be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// A gate of a category is above what it gives.
    Category {
        /// The category.
        category: Code,
        /// What the star takes.
        needed: Points,
        /// The most that base and items give.
        most: Points,
    },
    /// The total is above what there is.
    Total {
        /// What the star takes.
        needed: Points,
        /// The most that there is.
        most: Points,
    },
    /// Whoever satisfies it satisfies the next higher star as well.
    Shadowed {
        /// That star.
        by: Star,
    },
}

/// A firm whose bonus makes up for what it did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offset {
    /// Items that deduct, with what they take.
    pub taken: Vec<(Code, Points)>,
    /// Items that give, with what they give.
    pub given: Vec<(Code, Points)>,
    /// The total.
    pub total: Points,
    /// The total without the bonus.
    pub without: Points,
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items = |sign: &str, items: &[(Code, Points)]| {
            let each = items
                .iter()
                .map(|(item, points)| format!("{item} {sign}{points}"));
            each.collect::<Vec<_>>().join(", ")
        };
        write!(
            f,
            "{}; {} (total {}, without the bonus {})",
            items("-", &self.taken),
            items("+", &self.given),
            self.total,
            self.without
        )
    }
}

impl Obstacle {
    fn en(&self) -> String {
        match self {
            Obstacle::Category {
                category,
                needed,
                most,
            } => {
                format!("it takes {needed} points in category {category}, which gives {most} at most")
            }
            Obstacle::Total { needed, most } => {
                format!("it takes a total of {needed}, and {most} is the most there is")
            }
            Obstacle::Shadowed { by } => format!("whoever satisfies it has {by} stars as well"),
        }
    }

    fn zh(&self) -> String {
        match self {
            Obstacle::Category {
                category,
                needed,
                most,
            } => {
                format!("要求 {category} 类不低于 {needed} 分，而该类最多只能得 {most} 分")
            }
            Obstacle::Total { needed, most } => format!("要求总分不低于 {needed}，而最多只能得 {most} 分"),
            Obstacle::Shadowed { by } => format!("凡满足其条件者均已达到 {by} 星"),
        }
    }
}

impl SchemeProblem {
    fn zh(&self) -> String {
        match self {
            SchemeProblem::Unreadable(detail) => format!("无法读取：{detail}"),
            SchemeProblem::Version => "版本号应为 1 至 40 位字母、数字、点或连字符".to_owned(),
            SchemeProblem::Duplicate(code) => format!("代码 {code} 重复"),
            SchemeProblem::Undefined { code, .. } => format!("代码 {code} 在本办法中没有定义"),
            SchemeProblem::Empty => "不能为空".to_owned(),
            SchemeProblem::Step { got, step } => format!("分值应为 {step} 的非负整数倍，现为 {got}"),
            SchemeProblem::Range { got, least, most } => format!("{got} 不在 {least} 与 {most} 之间"),
            SchemeProblem::Caps(sum) => format!("各类上限之和为 {sum}，与 max_total 不符"),
            SchemeProblem::CapIdle { cap, most } => {
                format!("上限为 {cap}，而基础分与各小项最多只能得 {most}")
            }
            SchemeProblem::Mode => "计分方式与所属类别不符，或含有该方式不用的内容".to_owned(),
            SchemeProblem::Order(order) => format!("排列顺序应为 {order}"),
            SchemeProblem::Easier => "高星级的条件不得低于低星级".to_owned(),
            SchemeProblem::Effect => "cap 须写 max_star，drop 须写 stars，strip 两者均不写".to_owned(),
            SchemeProblem::Unsupported(what) => format!("目前只支持 {what}"),
            SchemeProblem::Unreachable { star, why } => format!("{star} 星无法达到：{}", why.zh()),
            SchemeProblem::BoughtBack {
                star,
                category,
                example,
            } => format!(
                "加分可以抵消违法扣分：如 {example}，仍为 {star} 星，而没有加分则达不到；请设置有约束力的门槛 min_{category}，\
                 或者写明 bonus_may_offset 及理由"
            ),
            SchemeProblem::TooFine => {
                "分值过细或者过多，无法逐一检查：总计至多 20000 步、300 个小项".to_owned()
            }
        }
    }
}

impl Said for SchemeFault {
    fn said(&self) -> LocalizedText {
        LocalizedText::new(format!("{}：{}", self.place, self.problem.zh()), self.to_string())
    }
}

impl Said for SchemeFaults {
    fn said(&self) -> LocalizedText {
        let zh: Vec<String> = self.0.iter().map(|fault| fault.said().zh).collect();
        LocalizedText::new(
            format!("评价办法有误，位置 {}。请全部更正后重新提交。", zh.join("；")),
            format!("The scheme is wrong at {self}. Correct all of it and submit it again."),
        )
    }
}
