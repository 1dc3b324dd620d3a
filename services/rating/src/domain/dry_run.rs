//! What a new version of a scheme would change: every rated enterprise scored by both, at one instant.

use std::collections::BTreeMap;

use greenstar_kernel::{LocalizedText, Points, Standing, Timestamp, Uscc};

use super::firm::Firm;
use super::scheme::Scheme;
use super::score::{ScoreError, assess};

/// Reasons that are told of enterprises which the new version cannot score.
const REASONS: usize = 10;

/// An enterprise under both versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The enterprise.
    pub uscc: Uscc,
    /// Its name.
    pub name: LocalizedText,
    /// Star or state, and total, by the version that rates it.
    pub before: (Standing, Points),
    /// The same by the new one.
    pub after: (Standing, Points),
}

/// What was found so far.
#[derive(Debug)]
pub struct Comparison<'a> {
    new: &'a Scheme,
    at: Timestamp,
    sample_size: usize,
    /// Enterprises compared.
    pub compared: u32,
    /// How many go from one standing to another, those that stay included.
    pub moves: BTreeMap<(Rank, Rank), (Standing, Standing, u32)>,
    /// Some of those that move.
    pub sample: Vec<Moved>,
    /// How many move.
    pub moved: u32,
    /// Those that the new version cannot score.
    pub not_scored: u32,
    /// Why, of the first.
    pub reasons: Vec<LocalizedText>,
}

/// Order of standings: the highest star first, the states behind them.
pub type Rank = (i64, &'static str);

fn rank(standing: Standing) -> Rank {
    let star = standing.star().map_or(0, i64::from);
    (-star, standing.state().as_str())
}

impl<'a> Comparison<'a> {
    /// Nothing compared yet.
    pub fn new(new: &'a Scheme, at: Timestamp, sample_size: usize) -> Comparison<'a> {
        Comparison {
            new,
            at,
            sample_size,
            compared: 0,
            moves: BTreeMap::new(),
            sample: Vec::new(),
            moved: 0,
            not_scored: 0,
            reasons: Vec::new(),
        }
    }

    /// Compares one enterprise; one that was never rated is passed over. `rates`: the scheme that its rating names.
    ///
    /// # Errors
    /// [`ScoreError`] where the version in force cannot score it: the record is wrong.
    pub fn take(&mut self, firm: &Firm, rates: &Scheme) -> Result<(), ScoreError> {
        let Some(rated) = &firm.rated else { return Ok(()) };
        let by = |scheme: &Scheme| assess(scheme, &rated.awards, &firm.events, rated.valid_until, self.at);
        let before = by(rates)?;
        self.compared += 1;
        let after = match by(self.new) {
            Ok(after) => after,
            Err(error) => {
                self.not_scored += 1;
                if self.reasons.len() < REASONS {
                    let uscc = firm.enterprise.uscc;
                    self.reasons.push(LocalizedText::new(
                        format!("企业 {uscc} 无法按新版本计分：其事件或得分在新版本中没有对应（{error}）"),
                        format!("enterprise {uscc} cannot be scored by the new version: {error}"),
                    ));
                }
                return Ok(());
            }
        };
        let key = (rank(before.standing), rank(after.standing));
        let slot = self
            .moves
            .entry(key)
            .or_insert((before.standing, after.standing, 0));
        slot.2 += 1;
        if before.standing != after.standing {
            self.moved += 1;
            if self.sample.len() < self.sample_size {
                self.sample.push(Moved {
                    uscc: firm.enterprise.uscc,
                    name: firm.enterprise.profile.name.clone(),
                    before: (before.standing, before.total),
                    after: (after.standing, after.total),
                });
            }
        }
        Ok(())
    }
}
