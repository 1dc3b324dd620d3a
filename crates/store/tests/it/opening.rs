//! What is refused at the door, and left as it was; on both engines.

use greenstar_kernel::Said;
use greenstar_store::{Database, Migrations, OpenError};
use greenstar_testkit::Scratch;

use crate::book::{MIGRATIONS, World, on_both, pay};

const LATER: &str = "CREATE TABLE later (a bigint NOT NULL);";
static NEXT_VERSION: Migrations = Migrations {
    files: &[MIGRATIONS.files[0], (2, "later", LATER)],
};
static ANOTHER: Migrations = Migrations {
    files: &[(1, "another", LATER)],
};

on_both! {
    async fn a_database_keeps_its_epoch_and_its_rows(world) {
        let at = world.location();
        world.writer().submit(pay("a", 1)).await.unwrap();
        let (epoch, head) = (world.database.epoch().clone(), world.database.head().await.unwrap());
        world.database.close().await;
        let crate::book::World { scratch, database } = world;
        drop(database);
        let database = Database::open(&at, &MIGRATIONS).await.unwrap();
        assert_eq!(database.epoch(), &epoch);
        assert_eq!(database.head().await.unwrap(), head);
        drop(scratch);
    }

    async fn a_restored_database_begins_another_life_with_the_same_rows(world) {
        let at = world.location();
        world.writer().submit(pay("a", 1)).await.unwrap();
        let before = world.database.head().await.unwrap();
        let epoch = world.database.begin_anew().await.unwrap();
        assert_ne!(epoch, before.epoch);
        let crate::book::World { scratch, database } = world;
        database.close().await;
        drop(database);
        let restored = Database::open(&at, &MIGRATIONS).await.unwrap();
        let after = restored.head().await.unwrap();
        assert_eq!((restored.epoch(), &after.epoch, after.revision), (&epoch, &epoch, before.revision));
        drop(scratch);
    }

    async fn a_newer_database_is_refused_and_left_as_it_is(world) {
        let at = world.location();
        let crate::book::World { scratch, database } = world;
        drop(database);
        let newer = Database::migrate(&at, &NEXT_VERSION).await.unwrap();
        let epoch = newer.epoch().clone();
        drop(newer);
        for refused in [Database::open(&at, &MIGRATIONS).await, Database::migrate(&at, &MIGRATIONS).await] {
            let error = refused.unwrap_err();
            assert!(matches!(error, OpenError::Newer { version: 1002 }), "{error:?}");
            assert!(error.said().zh.contains("更新版本") && error.said().en.contains("newer version"));
        }
        let newer = Database::open(&at, &NEXT_VERSION).await.unwrap();
        assert_eq!(newer.epoch(), &epoch);
        drop(scratch);
    }

    async fn another_services_database_is_refused(world) {
        let at = world.location();
        let crate::book::World { scratch, database } = world;
        drop(database);
        assert!(matches!(Database::migrate(&at, &ANOTHER).await, Err(OpenError::Foreign { version: 1001 })));
        drop(scratch);
    }

    async fn opening_never_migrates(world) {
        let at = world.location();
        let crate::book::World { scratch, database } = world;
        drop(database);
        assert!(matches!(Database::open(&at, &NEXT_VERSION).await, Err(OpenError::NotMigrated { version: 1002 })));
        Database::open(&at, &MIGRATIONS).await.unwrap();
        drop(scratch);
    }
}

#[tokio::test]
async fn two_replicas_may_migrate_at_once() {
    let scratch = Scratch::postgres().await;
    let at = scratch.url().parse().unwrap();
    let (one, other) = tokio::join!(
        Database::migrate(&at, &MIGRATIONS),
        Database::migrate(&at, &MIGRATIONS)
    );
    assert_eq!(one.unwrap().epoch(), other.unwrap().epoch());
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_made_by_opening() {
    let scratch = Scratch::sqlite();
    let at = scratch.url().parse().unwrap();
    assert!(matches!(
        Database::open(&at, &MIGRATIONS).await,
        Err(OpenError::NotMigrated { version: 1 })
    ));
    assert!(!scratch.dir().join("test.db").exists());
}

/// A database that was used, and then lost something.
async fn broken(scratch: Scratch, statement: &str) -> Scratch {
    let world = World::on(scratch).await;
    world.writer().submit(pay("a", 1)).await.unwrap();
    let mut tx = world.database.write().await.unwrap();
    tx.run(statement, &[]).await.unwrap();
    tx.commit().await.unwrap();
    world.database.close().await;
    world.scratch
}

#[tokio::test]
async fn a_database_that_lost_a_table_a_column_or_its_head_is_damaged_on_both_engines() {
    for (statement, lost) in [
        ("DROP TABLE account", "account"),
        ("ALTER TABLE account RENAME COLUMN balance TO owed", "account"),
        ("DROP TABLE change_log", "change_log"),
        ("DROP TABLE change_head", "change_head"),
        ("ALTER TABLE request DROP COLUMN answer", "request"),
        ("DELETE FROM change_head", "head"),
    ] {
        for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
            let scratch = broken(scratch, statement).await;
            let at = scratch.url().parse().unwrap();
            for refused in [
                Database::open(&at, &MIGRATIONS).await,
                Database::migrate(&at, &MIGRATIONS).await,
                Database::migrate(&at, &NEXT_VERSION).await,
            ] {
                let error = refused.unwrap_err();
                assert!(matches!(error, OpenError::Damaged(_)), "{statement}: {error:?}");
                let said = error.said();
                assert!(said.zh.contains("备份") && said.zh.contains(lost), "{said:?}");
                assert!(said.en.contains("backup") && said.en.contains(lost), "{said:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_database_that_forgot_its_migrations_is_damaged_and_not_made_anew() {
    for statement in [
        "DROP TABLE _sqlx_migrations",
        "DELETE FROM _sqlx_migrations WHERE version = 1001",
    ] {
        for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
            let scratch = broken(scratch, statement).await;
            let at = scratch.url().parse().unwrap();
            let error = Database::migrate(&at, &MIGRATIONS).await.unwrap_err();
            assert!(matches!(error, OpenError::Damaged(_)), "{statement}: {error:?}");
        }
    }
}
