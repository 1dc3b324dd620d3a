//! A journal to test with: accounts with a balance that the table keeps above zero.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use greenstar_kernel::{Clock, Revision, SystemClock};
use greenstar_store::{
    Committed, Database, Journal, Location, Migrations, Request, StoreError, SubmitError, Turn, Tx, Value,
    Writer,
};
use greenstar_testkit::Scratch;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

pub(crate) static MIGRATIONS: Migrations = Migrations {
    files: &[(
        1,
        "account",
        "CREATE TABLE account (name text NOT NULL, balance bigint NOT NULL, \
         CONSTRAINT account_pkey PRIMARY KEY (name), CONSTRAINT account_solvent CHECK (balance >= 0));",
    )],
};

#[derive(Clone, Debug)]
pub(crate) struct Pay {
    pub(crate) name: String,
    pub(crate) amount: i64,
    pub(crate) request_id: Option<String>,
    pub(crate) trick: Trick,
}

/// What a command does beyond paying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trick {
    None,
    /// Pushes an entry, then refuses.
    RefuseLate,
    /// Skips the domain's own check, so that the table's constraint strikes.
    Overdraw,
    Panic,
    /// A constraint fails and the journal hides it.
    Swallow,
}

pub(crate) fn pay(name: &str, amount: i64) -> Pay {
    Pay {
        name: name.to_owned(),
        amount,
        request_id: None,
        trick: Trick::None,
    }
}

impl Pay {
    pub(crate) fn id(mut self, request_id: &str) -> Pay {
        self.request_id = Some(request_id.to_owned());
        self
    }

    pub(crate) fn trick(mut self, trick: Trick) -> Pay {
        self.trick = trick;
        self
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Paid {
    pub(crate) balance: i64,
    pub(crate) revision: Revision,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Broke {
    pub(crate) balance: i64,
}

/// Holds the writer inside `load` until it is let go, so that a test knows what happens meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    pub(crate) entered: Notify,
    pub(crate) open: Notify,
}

#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) gate: Option<Arc<Gate>>,
    pub(crate) loads: Arc<AtomicU32>,
    /// Its entries are its answers.
    pub(crate) tells: bool,
}

#[derive(Debug)]
pub(crate) struct Balances {
    of: BTreeMap<String, i64>,
    changed: BTreeMap<String, i64>,
    swallow: bool,
}

#[async_trait]
impl Journal for Book {
    type Command = Pay;
    type Answer = Paid;
    type Refusal = Broke;
    type State = Balances;

    fn request(&self, command: &Pay) -> Option<Request> {
        let body = format!("{}={}", command.name, command.amount);
        command
            .request_id
            .as_ref()
            .map(|id| Request::new("tester", "Pay", id, body.as_bytes()))
    }

    async fn load(&self, tx: &mut Tx, commands: &[&Pay]) -> Result<Balances, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        if let Some(gate) = &self.gate {
            gate.entered.notify_one();
            gate.open.notified().await;
        }
        let names: Vec<Value> = commands
            .iter()
            .map(|command| Value::from(&command.name))
            .collect();
        let rows = tx
            .rows_in("SELECT name, balance FROM account WHERE name", names, "")
            .await?;
        let of = rows.iter().map(|row| Ok((row.get("name")?, row.get("balance")?)));
        let of = of.collect::<Result<_, StoreError>>()?;
        let swallow = commands.iter().any(|command| command.trick == Trick::Swallow);
        Ok(Balances {
            of,
            changed: BTreeMap::new(),
            swallow,
        })
    }

    fn decide(&self, state: &mut Balances, command: &Pay, turn: &mut Turn) -> Result<Paid, Broke> {
        let balance = state.of.get(&command.name).copied().unwrap_or(0);
        assert!(command.trick != Trick::Panic, "the command's own mistake");
        let next = balance + command.amount;
        if command.trick == Trick::RefuseLate {
            turn.push("paid", None, &next, None);
            return Err(Broke { balance });
        }
        if next < 0 && command.trick == Trick::None {
            return Err(Broke { balance });
        }
        let paid = Paid {
            balance: next,
            revision: turn.next(),
        };
        if self.tells {
            turn.push("paid", None, &paid, None);
        } else {
            turn.push("paid", None, &(&command.name, next), None);
        }
        state.of.insert(command.name.clone(), next);
        state.changed.insert(command.name.clone(), next);
        Ok(paid)
    }

    fn is_told(&self, _: &Paid) -> bool {
        self.tells
    }

    fn retell(&self, body: &str) -> Result<Paid, StoreError> {
        serde_json::from_str(body).map_err(StoreError::corrupt)
    }

    async fn write(&self, tx: &mut Tx, state: Balances) -> Result<(), StoreError> {
        let rows = state
            .changed
            .into_iter()
            .map(|(name, balance)| vec![name.into(), balance.into()])
            .collect();
        let written = tx.upsert("account", &["name", "balance"], &["name"], rows).await;
        if state.swallow { Ok(()) } else { written }
    }
}

/// A database on one engine, and what tests ask of it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) scratch: Scratch,
    pub(crate) database: Database,
}

pub(crate) type Answer = Result<Committed<Paid>, SubmitError<Broke>>;

impl World {
    pub(crate) async fn on(scratch: Scratch) -> World {
        let database = Database::migrate(&scratch.url().parse().unwrap(), &MIGRATIONS)
            .await
            .unwrap();
        World { scratch, database }
    }

    pub(crate) fn location(&self) -> Location {
        self.scratch.url().parse().unwrap()
    }

    pub(crate) fn writer(&self) -> Writer<Book> {
        self.writer_of(Book::default())
    }

    pub(crate) fn writer_of(&self, book: Book) -> Writer<Book> {
        Writer::start(self.database.clone(), book, clock())
    }

    /// A writer that stops at its first batch, and the gate it stops at.
    pub(crate) fn gated(&self) -> (Writer<Book>, Arc<Gate>) {
        let gate = Arc::new(Gate::default());
        (
            self.writer_of(Book {
                gate: Some(gate.clone()),
                ..Book::default()
            }),
            gate,
        )
    }

    pub(crate) async fn balance(&self, name: &str) -> Option<i64> {
        let mut tx = self.database.read().await.unwrap();
        let row = tx
            .row("SELECT balance FROM account WHERE name = $1", &[name.into()])
            .await
            .unwrap();
        row.map(|row| row.get("balance").unwrap())
    }

    /// Every revision of the log, which must be gapless, with its body.
    pub(crate) async fn log(&self) -> Vec<String> {
        let entries = self.database.changes(Revision::ZERO, 10_000).await.unwrap();
        let head = self.database.head().await.unwrap();
        assert_eq!(
            entries.len() as u64,
            head.revision.0,
            "the head is the last revision"
        );
        entries.into_iter().map(|entry| entry.body).collect()
    }
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::new())
}

/// Hands commands in while the writer stands at the gate, so that the next batch holds them all.
pub(crate) async fn in_one_batch(world: &World, commands: Vec<Pay>) -> Vec<Answer> {
    let (writer, gate) = world.gated();
    let opener = tokio::spawn({
        let writer = writer.clone();
        async move { writer.submit(pay("opener", 0)).await }
    });
    gate.entered.notified().await;
    let submitted: Vec<_> = commands
        .into_iter()
        .map(|command| {
            let writer = writer.clone();
            tokio::spawn(async move { writer.submit(command).await })
        })
        .collect();
    // A current-thread runtime runs them in order up to where they wait.
    tokio::task::yield_now().await;
    gate.open.notify_one();
    opener.await.unwrap().unwrap();
    let drive = async {
        loop {
            gate.entered.notified().await;
            gate.open.notify_one();
        }
    };
    let mut answers = Vec::new();
    tokio::select! {
        () = drive => {}
        () = async { for handle in submitted { answers.push(handle.await.unwrap()); } } => {}
    }
    writer.close().await;
    answers
}

/// The same test on both engines.
macro_rules! on_both {
    ($($(#[$meta:meta])* async fn $name:ident($world:ident) $body:block)*) => {
        mod sqlite {
            #![allow(unused_imports, reason = "each test takes what it needs")]
            use super::*;
            $($(#[$meta])* #[tokio::test] async fn $name() {
                let $world = $crate::book::World::on(greenstar_testkit::Scratch::sqlite()).await;
                $body
            })*
        }
        mod postgres {
            #![allow(unused_imports, reason = "each test takes what it needs")]
            use super::*;
            $($(#[$meta])* #[tokio::test] async fn $name() {
                let $world = $crate::book::World::on(greenstar_testkit::Scratch::postgres().await).await;
                $body
            })*
        }
    };
}
pub(crate) use on_both;
