//! The policy log: every published version of every policy.

use async_trait::async_trait;
use greenstar_kernel::{Code, Position, Timestamp};
use greenstar_store::{Journal, Request, Row, StoreError, Turn, Tx, Value};
use serde::{Deserialize, Serialize};

use crate::domain::policy::Document;
use crate::view::Version;

/// One version of a policy, as the log tells of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Published {
    pub(crate) name: Code,
    pub(crate) version: u32,
    /// YAML, as its author wrote it.
    pub(crate) source: String,
    pub(crate) effective_at: Timestamp,
}

/// Every version of every policy, and the position that this shows.
#[derive(Debug)]
pub(crate) struct Policies {
    pub(crate) at: Position,
    /// By name and version.
    pub(crate) versions: Vec<Version>,
}

pub(crate) async fn load(tx: &mut Tx) -> Result<Policies, StoreError> {
    let at = tx.head().await?;
    let rows = tx
        .rows(
            "SELECT name, version, source, effective_at FROM policy ORDER BY name, version",
            &[],
        )
        .await?;
    let version = |row: &Row| {
        Ok(Version {
            document: Document {
                name: row.get("name")?,
                text: row.get("source")?,
            },
            number: row.get("version")?,
            effective_at: row.get("effective_at")?,
        })
    };
    Ok(Policies {
        at,
        versions: rows.iter().map(version).collect::<Result<_, StoreError>>()?,
    })
}

/// Publishes documents where no policy was ever published; else it changes nothing.
#[derive(Debug)]
pub(crate) struct Seed(Vec<(Code, u32, String)>);

/// A policy document that does not say which one it is.
#[derive(Debug, thiserror::Error)]
#[error("the policy {document} cannot be read")]
pub(crate) struct Unnamed {
    document: String,
    source: serde_yaml_ng::Error,
}

impl Seed {
    pub(crate) fn of(documents: Vec<Document>) -> Result<Seed, Unnamed> {
        #[derive(Deserialize)]
        struct Head {
            policy: Code,
            version: u32,
        }
        let named =
            documents
                .into_iter()
                .map(|document| match serde_yaml_ng::from_str::<Head>(&document.text) {
                    Ok(Head { policy, version }) => Ok((policy, version, document.text)),
                    Err(source) => Err(Unnamed {
                        document: document.name,
                        source,
                    }),
                });
        named.collect::<Result<_, _>>().map(Seed)
    }
}

/// The policy log's commands.
#[derive(Debug)]
pub(crate) struct PolicyJournal;

#[derive(Debug)]
pub(crate) struct State {
    any: bool,
    new: Vec<Published>,
}

#[async_trait]
impl Journal for PolicyJournal {
    type Command = Seed;
    type Answer = ();
    type Refusal = std::convert::Infallible;
    type State = State;

    fn request(&self, _: &Seed) -> Option<Request> {
        None
    }

    async fn load(&self, tx: &mut Tx, _: &[&Seed]) -> Result<State, StoreError> {
        let any = tx.row("SELECT name FROM policy LIMIT 1", &[]).await?.is_some();
        Ok(State { any, new: Vec::new() })
    }

    fn decide(
        &self,
        state: &mut State,
        Seed(documents): &Seed,
        turn: &mut Turn,
    ) -> Result<(), Self::Refusal> {
        if state.any {
            return Ok(());
        }
        state.any = true;
        for (name, version, source) in documents {
            // Nothing was in force before them, so they need not wait for other replicas (protocol.md §3).
            let effective_at = turn.now();
            let published = Published {
                name: name.clone(),
                version: *version,
                source: source.clone(),
                effective_at,
            };
            turn.push("policy", None, &published, None);
            state.new.push(published);
        }
        Ok(())
    }

    async fn write(&self, tx: &mut Tx, state: State) -> Result<(), StoreError> {
        let rows = state.new.into_iter().map(|published| {
            vec![
                Value::from(published.name.as_str()),
                published.version.into(),
                published.source.into(),
                published.effective_at.into(),
            ]
        });
        tx.insert(
            "policy",
            &["name", "version", "source", "effective_at"],
            rows.collect(),
        )
        .await
    }
}
