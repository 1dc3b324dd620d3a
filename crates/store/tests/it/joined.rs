//! The joined transaction: one batch, one commit, everybody's answer.

use std::sync::atomic::Ordering;

use greenstar_kernel::Revision;
use greenstar_store::{StoreError, SubmitError};

use crate::book::{Book, Broke, Paid, Trick, in_one_batch, on_both, pay};

on_both! {
    async fn a_command_is_answered_with_its_position(world) {
        let writer = world.writer();
        let first = writer.submit(pay("a", 5)).await.unwrap();
        let second = writer.submit(pay("a", 2)).await.unwrap();
        assert_eq!(first.answer, Paid { balance: 5, revision: Revision(1) });
        assert_eq!(second.answer, Paid { balance: 7, revision: Revision(2) });
        assert_eq!(second.position, world.database.head().await.unwrap());
        assert_eq!(&second.position.epoch, world.database.epoch());
        assert_eq!(world.balance("a").await, Some(7));
        assert_eq!(world.log().await, [r#"["a",5]"#, r#"["a",7]"#]);
        assert_eq!(*writer.commits().borrow(), Some(second.position));
    }

    async fn each_command_of_a_batch_sees_the_ones_before_it(world) {
        let answers = in_one_batch(&world, vec![pay("a", 5), pay("a", -3), pay("a", -3), pay("a", 1)]).await;
        let balances: Vec<_> = answers.into_iter().map(|answer| match answer {
            Ok(paid) => Ok((paid.answer.balance, paid.position.revision)),
            Err(SubmitError::Refused(Broke { balance })) => Err(balance),
            Err(error) => panic!("{error:?}"),
        }).collect();
        assert_eq!(balances, [Ok((5, Revision(2))), Ok((2, Revision(3))), Err(2), Ok((3, Revision(4)))]);
        let entries = world.database.changes(Revision(1), 10).await.unwrap();
        assert!(entries.iter().all(|entry| entry.batch == entries[0].batch), "they shared one transaction");
    }

    async fn what_a_refused_command_pushed_is_dropped(world) {
        let answers = in_one_batch(&world, vec![pay("a", 5), pay("a", 1).trick(Trick::RefuseLate), pay("a", 1)]).await;
        assert!(matches!(answers[1], Err(SubmitError::Refused(Broke { balance: 5 }))));
        assert_eq!(answers[2].as_ref().unwrap().answer, Paid { balance: 6, revision: Revision(3) });
        assert_eq!(world.log().await, [r#"["opener",0]"#, r#"["a",5]"#, r#"["a",6]"#]);
    }

    async fn one_failing_statement_fails_its_own_command_alone(world) {
        let answers = in_one_batch(&world, vec![
            pay("a", 5),
            pay("b", -1).trick(Trick::Overdraw),
            pay("a", 2),
            pay("c", 1),
        ]).await;
        let Err(SubmitError::Store(StoreError::Constraint { name, .. })) = &answers[1] else { panic!("{:?}", answers[1]) };
        assert_eq!(name, "account_solvent");
        for (index, balance) in [(0, 5), (2, 7), (3, 1)] {
            assert_eq!(answers[index].as_ref().unwrap().answer.balance, balance);
        }
        assert_eq!(world.balance("b").await, None);
        assert_eq!(world.log().await.len(), 4);
    }

    async fn a_command_that_panics_harms_nobody_else(world) {
        let answers = in_one_batch(&world, vec![pay("a", 5), pay("b", 1).trick(Trick::Panic), pay("c", 1)]).await;
        assert!(matches!(answers[1], Err(SubmitError::Store(StoreError::Backend(_)))));
        assert!(answers[0].is_ok() && answers[2].is_ok());
        assert_eq!(world.log().await.len(), 3);
    }

    async fn a_failure_that_the_journal_hides_is_still_no_commit(world) {
        let writer = world.writer();
        let mut hidden = pay("b", -1).trick(Trick::Swallow);
        let answer = writer.submit(hidden.clone()).await;
        assert!(matches!(answer, Err(SubmitError::Store(_))), "{answer:?}");
        hidden.amount = 1;
        writer.submit(hidden).await.unwrap();
        assert_eq!(world.log().await, [r#"["b",1]"#]);
    }

    async fn a_repeated_request_gets_the_first_answer_and_changes_nothing(world) {
        let writer = world.writer();
        let first = writer.submit(pay("a", 5).id("r1")).await.unwrap();
        writer.submit(pay("a", 2)).await.unwrap();
        let again = writer.submit(pay("a", 5).id("r1")).await.unwrap();
        assert_eq!(again, first);
        assert_eq!(world.balance("a").await, Some(7));
        // Another writer, as after a restart, remembers as well.
        writer.close().await;
        assert_eq!(world.writer().submit(pay("a", 5).id("r1")).await.unwrap(), first);
    }

    async fn a_request_repeated_within_one_batch_is_carried_out_once(world) {
        let answers = in_one_batch(&world, vec![pay("a", 5).id("r"), pay("a", 5).id("r"), pay("a", 6).id("r")]).await;
        assert_eq!(answers[0].as_ref().unwrap(), answers[1].as_ref().unwrap());
        assert!(matches!(answers[2], Err(SubmitError::RequestIdReused)));
        assert_eq!(world.balance("a").await, Some(5));
    }

    async fn an_answer_that_its_entry_tells_is_kept_once_and_given_again(world) {
        let book = || Book { tells: true, ..Book::default() };
        let writer = world.writer_of(book());
        let first = writer.submit(pay("a", 5).id("r1")).await.unwrap();
        writer.submit(pay("a", 2)).await.unwrap();
        assert_eq!(writer.submit(pay("a", 5).id("r1")).await.unwrap(), first);
        writer.close().await;
        let another = world.writer_of(book());
        assert_eq!(another.submit(pay("a", 5).id("r1")).await.unwrap(), first);
        assert!(matches!(another.submit(pay("a", 6).id("r1")).await, Err(SubmitError::RequestIdReused)));
        let mut tx = world.database.read().await.unwrap();
        let rows = tx.rows("SELECT answer FROM request", &[]).await.unwrap();
        assert_eq!(rows.iter().map(|row| row.get("answer").unwrap()).collect::<Vec<String>>(), [""]);
    }

    async fn a_request_of_many_is_found_whatever_their_number(world) {
        let writer = world.writer();
        let all = |range: std::ops::Range<i64>| {
            let writer = &writer;
            futures::future::join_all(range.map(move |n| writer.submit(pay("a", 1).id(&format!("r{n}")))))
        };
        let first = all(0..300).await;
        let again = all(100..400).await;
        for (n, answer) in again.iter().take(200).enumerate() {
            assert_eq!(answer.as_ref().unwrap(), first[100 + n].as_ref().unwrap());
        }
        assert_eq!(world.balance("a").await, Some(400));
    }

    async fn a_reused_request_id_is_refused_and_changes_nothing(world) {
        let writer = world.writer();
        writer.submit(pay("a", 5).id("r1")).await.unwrap();
        assert!(matches!(writer.submit(pay("a", 6).id("r1")).await, Err(SubmitError::RequestIdReused)));
        assert_eq!(world.log().await.len(), 1);
    }

    async fn a_refused_request_may_be_tried_again_under_its_id(world) {
        let writer = world.writer();
        assert!(matches!(writer.submit(pay("a", -5).id("r1")).await, Err(SubmitError::Refused(_))));
        writer.submit(pay("a", 10)).await.unwrap();
        assert_eq!(writer.submit(pay("a", -5).id("r1")).await.unwrap().answer.balance, 5);
    }

    async fn a_caller_that_goes_away_does_not_take_its_command_back(world) {
        let (writer, gate) = world.gated();
        let caller = tokio::spawn({
            let writer = writer.clone();
            async move { writer.submit(pay("a", 5)).await }
        });
        gate.entered.notified().await;
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        gate.open.notify_one();
        writer.close().await;
        assert_eq!(world.balance("a").await, Some(5));
    }

    async fn nobody_is_answered_before_the_commit_refusals_included(world) {
        let (writer, gate) = world.gated();
        let mut refused = tokio::spawn({
            let writer = writer.clone();
            async move { writer.submit(pay("a", -1)).await }
        });
        gate.entered.notified().await;
        let paid = tokio::spawn({
            let writer = writer.clone();
            async move { writer.submit(pay("a", 1)).await }
        });
        let early = tokio::time::timeout(std::time::Duration::from_millis(50), &mut refused).await;
        assert!(early.is_err(), "the transaction is open");
        assert!(writer.commits().borrow().is_none());
        gate.open.notify_one();
        assert!(matches!(refused.await.unwrap(), Err(SubmitError::Refused(_))));
        gate.entered.notified().await;
        gate.open.notify_one();
        paid.await.unwrap().unwrap();
    }

    async fn a_batch_is_loaded_once_however_many_commands_it_has(world) {
        let book = Book::default();
        let loads = book.loads.clone();
        let writer = world.writer_of(book);
        let all = (0..300).map(|n| { let writer = writer.clone(); tokio::spawn(async move { writer.submit(pay(&format!("n{n}"), n)).await }) });
        for handle in all.collect::<Vec<_>>() {
            handle.await.unwrap().unwrap();
        }
        assert!(loads.load(Ordering::SeqCst) < 10, "{loads:?} transactions for 300 commands");
        assert_eq!(world.log().await.len(), 300);
    }

    async fn a_closed_writer_finishes_what_it_has_and_takes_no_more(world) {
        let writer = world.writer();
        let pending = tokio::spawn({ let writer = writer.clone(); async move { writer.submit(pay("a", 1)).await } });
        tokio::task::yield_now().await;
        writer.close().await;
        assert!(pending.await.unwrap().is_ok());
        assert!(matches!(writer.submit(pay("a", 1)).await, Err(SubmitError::Closed)));
    }

    async fn a_committed_batch_is_handed_over_whole_and_a_refusal_is_none(world) {
        let (writer, gate) = world.gated();
        let mut batches = writer.batches();
        let held = tokio::spawn({ let writer = writer.clone(); async move { writer.submit(pay("a", -1)).await } });
        gate.entered.notified().await;
        let paid: Vec<_> = (0..3).map(|n| { let writer = writer.clone(); tokio::spawn(async move { writer.submit(pay("a", n)).await.unwrap() }) }).collect();
        tokio::task::yield_now().await;
        gate.open.notify_one();
        assert!(held.await.unwrap().is_err());
        gate.entered.notified().await;
        gate.open.notify_one();
        for paid in paid {
            paid.await.unwrap();
        }
        let batch = batches.recv().await.unwrap();
        assert_eq!(batch.epoch, *world.database.epoch());
        let entries: Vec<_> = batch.entries.iter().map(|entry| (**entry).clone()).collect();
        assert_eq!(entries, world.database.changes(Revision::ZERO, 10).await.unwrap());
        let (head, wrote) = world.database.head_and_batch(batch.to()).await.unwrap();
        assert_eq!((head.revision, wrote), (batch.to(), Some(batch.entries[0].batch.clone())));
        assert_eq!(world.database.head_and_batch(Revision(99)).await.unwrap(), (head, None));
    }

    async fn who_does_not_take_what_is_handed_over_misses_some_and_holds_up_nobody(world) {
        let writer = world.writer();
        let mut batches = writer.batches();
        for _ in 0..200 {
            writer.submit(pay("a", 1)).await.unwrap();
        }
        assert!(matches!(batches.recv().await, Err(tokio::sync::broadcast::error::RecvError::Lagged(_))));
        let next = batches.recv().await.unwrap();
        assert!(next.after > Revision::ZERO && next.to() <= Revision(200));
    }
}
