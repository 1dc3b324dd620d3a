//! Reads outside the joined transaction. Each is one snapshot and says which.

use greenstar_kernel::{Code, Position, Timestamp, Uscc};
use greenstar_store::{Database, StoreError, Value};

use super::catalogue::Shelf;
use super::flag;
use crate::domain::catalogue::Law;
use crate::domain::flag::{Flag, FlagName};
use crate::domain::stage::FlagState;
use crate::domain::viewer::Viewer;

/// What was ever confirmed.
const KNOWN: &str = "stage NOT IN ('proposed', 'withdrawn')";

/// Which flags are wanted, newest first.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    /// `None`: of all enterprises.
    pub(crate) enterprise: Option<Uscc>,
    /// At `now`.
    pub(crate) state: Option<FlagState>,
    pub(crate) viewer: Viewer,
    pub(crate) now: Timestamp,
    /// Only those behind this one in the list's order.
    pub(crate) after: Option<(Timestamp, Code)>,
    pub(crate) limit: usize,
}

/// Reads flags and the catalogue.
#[derive(Clone, Debug)]
pub(crate) struct Reader {
    database: Database,
    shelf: Shelf,
}

impl Reader {
    pub(crate) fn new(database: Database, shelf: Shelf) -> Reader {
        Reader { database, shelf }
    }

    /// All editions of the catalogue.
    pub(crate) async fn law(&self) -> Result<(Law, Position), StoreError> {
        let mut tx = self.database.read().await?;
        let law = self.shelf.law(&mut tx).await?;
        Ok((law, tx.head().await?))
    }

    /// One flag.
    pub(crate) async fn flag(&self, name: &FlagName) -> Result<(Option<Flag>, Position), StoreError> {
        let mut tx = self.database.read().await?;
        let found = flag::one(&mut tx, &name.id).await?;
        let found = found.filter(|flag| flag.identity.enterprise == name.enterprise);
        Ok((found, tx.head().await?))
    }

    /// A page of flags.
    pub(crate) async fn list(&self, query: &Query) -> Result<(Vec<Flag>, Position), StoreError> {
        let (sql, values) = statement(query);
        let mut tx = self.database.read().await?;
        let rows = tx.rows(&sql, &values).await?;
        let flags = rows.iter().map(flag::read).collect::<Result<Vec<_>, _>>()?;
        Ok((flags, tx.head().await?))
    }
}

fn statement(query: &Query) -> (String, Vec<Value>) {
    let mut values: Vec<Value> = Vec::new();
    let mut bind = |value: Value| {
        values.push(value);
        format!("${}", values.len())
    };
    let mut wanted = Vec::new();
    match &query.viewer {
        Viewer::Department(department) => {
            wanted.push(format!(
                "({KNOWN} OR department = {})",
                bind(department.as_str().into())
            ));
        }
        Viewer::Enterprise(uscc) => wanted.push(format!("{KNOWN} AND enterprise = {}", bind(uscc.into()))),
    }
    if let Some(uscc) = query.enterprise {
        wanted.push(format!("enterprise = {}", bind(uscc.into())));
    }
    match query.state {
        None => {}
        Some(FlagState::Proposed) => wanted.push("stage = 'proposed'".to_owned()),
        Some(FlagState::InForce) => {
            wanted.push(format!(
                "stage = 'in_force' AND ends_at > {}",
                bind(query.now.into())
            ));
        }
        Some(FlagState::Lapsed) => {
            wanted.push(format!(
                "(stage = 'lapsed' OR (stage IN ('in_force', 'suspended') AND ends_at <= {}))",
                bind(query.now.into())
            ));
        }
        Some(FlagState::Suspended) => {
            wanted.push(format!(
                "stage = 'suspended' AND ends_at > {}",
                bind(query.now.into())
            ));
        }
        Some(FlagState::Repaired) => wanted.push("stage = 'repaired'".to_owned()),
        Some(FlagState::Revoked) => wanted.push("stage = 'revoked'".to_owned()),
        Some(FlagState::Lifted) => wanted.push("stage IN ('lifted', 'withdrawn')".to_owned()),
    }
    if let Some((raised_at, id)) = &query.after {
        let (raised_at, id) = (bind((*raised_at).into()), bind(id.as_str().into()));
        wanted.push(format!(
            "(raised_at < {raised_at} OR (raised_at = {raised_at} AND id < {id}))"
        ));
    }
    let limit = bind(Value::Int(Some(i64::try_from(query.limit).unwrap_or(i64::MAX))));
    let wanted = wanted.join(" AND ");
    // Many flags of one batch share their instant; the id makes the order whole.
    let sql = format!("SELECT fact FROM flag WHERE {wanted} ORDER BY raised_at DESC, id DESC LIMIT {limit}");
    (sql, values)
}
