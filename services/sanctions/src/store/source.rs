//! What followers are given: all editions and every flag that binds, then what changes. No clock decides here: time is
//! the follower's to apply.

use std::sync::Arc;

use async_trait::async_trait;
use greenstar_feed::{Filter, Relevance, Source};
use greenstar_kernel::Uscc;
use greenstar_store::{Entry, StoreError, Tx};
use serde::Deserialize;

use super::catalogue::Shelf;
use super::{entry, flag};
use crate::domain::catalogue::InForce;
use crate::domain::flag::Flag;

/// Most rows of a page, and of a message.
const PAGE: i64 = 500;

/// A row that followers keep.
#[derive(Clone, Debug)]
pub(crate) enum Row {
    Catalogue(Arc<InForce>),
    Flag(Box<Flag>),
}

/// What the feed asks of this service.
#[derive(Debug)]
pub(crate) struct FeedSource {
    shelf: Shelf,
}

impl FeedSource {
    pub(crate) fn new(shelf: Shelf) -> FeedSource {
        FeedSource { shelf }
    }
}

#[async_trait]
impl Source for FeedSource {
    type Row = Row;

    async fn page(&self, tx: &mut Tx, last: Option<&Row>) -> Result<Vec<Row>, StoreError> {
        let mut page = Vec::new();
        let after = match last {
            None => {
                // Those to come as well: which one is in force is the follower's to say, at each instant.
                let law = self.shelf.law(tx).await?;
                page.extend(law.editions().iter().cloned().map(Row::Catalogue));
                ""
            }
            Some(Row::Catalogue(_)) => "",
            Some(Row::Flag(flag)) => flag.id.as_str(),
        };
        // Also those whose term has ended, until that is written down: they say so themselves.
        let sql = "SELECT fact FROM flag WHERE stage = 'in_force' AND id > $1 ORDER BY id LIMIT $2";
        for row in tx.rows(sql, &[after.into(), PAGE.into()]).await? {
            page.push(Row::Flag(Box::new(flag::read(&row)?)));
        }
        Ok(page)
    }

    /// A proposal binds nobody: its revision is told, it is not. The law is everybody's, whatever a filter says.
    fn relevance(&self, entry: &Entry, filter: &Filter) -> Relevance {
        let inside = match entry.kind.as_str() {
            entry::PROPOSED | entry::WITHDRAWN | entry::REPAIR | entry::APPEAL => false,
            entry::CATALOGUE => true,
            _ => {
                // What cannot be read is not hidden: writing it out will say so.
                let kind = || {
                    entry
                        .json::<Kind>()
                        .map_or(true, |flag| filter.has_kind(&flag.kind))
                };
                entry.enterprise.is_none_or(|uscc| reaches(filter, &uscc))
                    && (filter.kinds.is_empty() || kind())
            }
        };
        if inside {
            Relevance::Inside
        } else {
            Relevance::Outside
        }
    }

    fn covers(&self, row: &Row, filter: &Filter) -> bool {
        match row {
            Row::Catalogue(_) => true,
            Row::Flag(flag) => {
                reaches(filter, &flag.identity.enterprise) && filter.has_kind(flag.identity.kind.as_str())
            }
        }
    }

    async fn unknown(&self, tx: &mut Tx, filter: &Filter) -> Result<Option<&'static str>, StoreError> {
        if filter.kinds.is_empty() {
            return Ok(None);
        }
        let law = self.shelf.law(tx).await?;
        let known = |kind| {
            law.editions()
                .iter()
                .any(|law| law.catalogue.kind(kind).is_some())
        };
        Ok((!filter.kinds.iter().all(known)).then_some("filter.kinds"))
    }
}

/// The kind of a flag, without the rest of it.
#[derive(Deserialize)]
struct Kind {
    kind: String,
}

/// A flag's district is that of the enterprise's code.
fn reaches(filter: &Filter, uscc: &Uscc) -> bool {
    filter.has_enterprise(uscc) && filter.has_district(uscc.area())
}
