//! One SQL text, the same values back, on both engines.

use greenstar_kernel::{Date, Revision, Timestamp, Uscc};
use greenstar_store::{StoreError, Value};

use crate::book::{on_both, pay};

on_both! {
    async fn values_come_back_as_they_went_in(world) {
        let mut tx = world.database.write().await.unwrap();
        tx.run("CREATE TABLE kinds (id bigint NOT NULL, t text, b boolean, r text, d text, u text, at bigint)", &[]).await.unwrap();
        let uscc: Uscc = "91350100M000100Y43".parse().unwrap();
        let date: Date = "2026-02-28".parse().unwrap();
        let at = Timestamp::from_micros(1_700_000_000_000_001);
        let columns = ["id", "t", "b", "r", "d", "u", "at"];
        let full: Vec<Value> = vec![1.into(), "企业 ' ; --".into(), true.into(), "x".into(), date.into(), uscc.into(), at.into()];
        let empty: Vec<Value> = vec![
            2.into(), None::<&str>.into(), None::<bool>.into(), None::<String>.into(), None::<Date>.into(), None::<Uscc>.into(), None::<Timestamp>.into(),
        ];
        tx.insert("kinds", &columns, vec![full, empty]).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = world.database.read().await.unwrap();
        let rows = tx.rows("SELECT * FROM kinds ORDER BY id", &[]).await.unwrap();
        assert_eq!(rows[0].get::<i64>("id").unwrap(), 1);
        assert_eq!(rows[0].get::<String>("t").unwrap(), "企业 ' ; --");
        assert!(rows[0].get::<bool>("b").unwrap());
        assert_eq!(rows[0].parse::<Date>("d").unwrap(), date);
        assert_eq!(rows[0].get::<Option<Uscc>>("u").unwrap(), Some(uscc));
        assert_eq!(rows[0].get::<Timestamp>("at").unwrap(), at);
        assert_eq!(rows[1].get::<Option<String>>("t").unwrap(), None);
        assert_eq!(rows[1].get::<Option<bool>>("b").unwrap(), None);
        assert_eq!(rows[1].get::<Option<Timestamp>>("at").unwrap(), None);
        for wrong in [rows[0].get::<i64>("t").err(), rows[1].get::<i64>("at").err(), rows[0].get::<i64>("none").err()] {
            assert!(matches!(wrong, Some(StoreError::Corrupt(_))));
        }
        assert!(matches!(rows[0].get::<Uscc>("t"), Err(StoreError::Corrupt(_))));
    }

    async fn lists_longer_than_a_statement_are_read_whole(world) {
        let mut tx = world.database.write().await.unwrap();
        let rows = (0..40_000i64).map(|n| vec![format!("n{n}").into(), n.into()]).collect();
        tx.insert("account", &["name", "balance"], rows).await.unwrap();
        let rows = (0..10i64).map(|n| vec![format!("n{n}").into(), (n + 100).into()]).collect();
        tx.upsert("account", &["name", "balance"], &["name"], rows).await.unwrap();
        tx.commit().await.unwrap();

        let mut tx = world.database.read().await.unwrap();
        let names = (0..40_000).map(|n| Value::from(format!("n{n}"))).collect();
        let rows = tx.rows_in("SELECT balance FROM account WHERE name", names, "").await.unwrap();
        let sum: i64 = rows.iter().map(|row| row.get::<i64>("balance").unwrap()).sum();
        assert_eq!((rows.len(), sum), (40_000, (0..40_000).sum::<i64>() + 1_000));
        assert!(tx.rows_in("SELECT balance FROM account WHERE name", Vec::new(), "").await.unwrap().is_empty());
    }

    async fn a_read_sees_head_and_rows_at_one_revision(world) {
        let writer = world.writer();
        writer.submit(pay("a", 1)).await.unwrap();
        let mut tx = world.database.read().await.unwrap();
        assert_eq!(tx.head().await.unwrap().revision, Revision(1));
        writer.submit(pay("a", 1)).await.unwrap();
        let row = tx.row("SELECT balance FROM account WHERE name = $1", &["a".into()]).await.unwrap().unwrap();
        assert_eq!(row.get::<i64>("balance").unwrap(), 1);
        assert_eq!(tx.head().await.unwrap().revision, Revision(1));
        assert_eq!(tx.changes(Revision::ZERO, 10).await.unwrap().len(), 1);
        drop(tx);
        assert_eq!(world.balance("a").await, Some(2));
    }

    async fn a_transaction_that_is_dropped_leaves_nothing(world) {
        let mut tx = world.database.write().await.unwrap();
        tx.run("INSERT INTO account (name, balance) VALUES ('a', 1)", &[]).await.unwrap();
        drop(tx);
        assert_eq!(world.balance("a").await, None);
        // The connection is fit for the next.
        world.writer().submit(pay("a", 2)).await.unwrap();
        assert_eq!(world.balance("a").await, Some(2));
    }

    async fn a_reader_cannot_write(world) {
        let mut tx = world.database.read().await.unwrap();
        assert!(tx.run("INSERT INTO account (name, balance) VALUES ('a', 1)", &[]).await.is_err());
        assert!(matches!(tx.rows("SELECT 1", &[]).await, Err(StoreError::Backend(_))), "only a rollback is left");
    }

    async fn a_hole_in_the_log_is_corrupt_and_never_skipped(world) {
        let writer = world.writer();
        for _ in 0..3 {
            writer.submit(pay("a", 1)).await.unwrap();
        }
        let mut tx = world.database.write().await.unwrap();
        tx.run("DELETE FROM change_log WHERE revision = $1", &[2.into()]).await.unwrap();
        tx.commit().await.unwrap();
        assert!(matches!(world.database.changes(Revision::ZERO, 10).await, Err(StoreError::Corrupt(_))));
    }
}
