//! Disks that are full or fail.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{ChildStderr, Command, Stdio};

use greenstar_kernel::Said;
use greenstar_store::{Database, Location, StoreError, SubmitError, Writer};
use greenstar_testkit::Scratch;

use crate::book::{Book, MIGRATIONS, World, clock, pay};

/// This test binary again, running one test as another process.
#[derive(Debug)]
pub(crate) struct Child {
    process: std::process::Child,
    said: Lines<BufReader<ChildStderr>>,
}

const AS_CHILD: &str = "STORE_TEST_DATABASE";

impl Child {
    /// `under` is a shell line that ends in running `"$@"`.
    pub(crate) fn start(test: &str, scratch: &Scratch, under: Option<&str>) -> Child {
        let mut command = Command::new("sh");
        command
            .args(["-c", under.unwrap_or(r#"exec "$@""#), "sh"])
            .arg(std::env::current_exe().unwrap());
        command
            .args(["--exact", test, "--nocapture"])
            .env(AS_CHILD, scratch.url());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let said = BufReader::new(process.stderr.take().unwrap()).lines();
        Child { process, said }
    }

    pub(crate) fn is_one() -> bool {
        std::env::var_os(AS_CHILD).is_some()
    }

    pub(crate) fn location() -> Location {
        std::env::var(AS_CHILD).unwrap().parse().unwrap()
    }

    pub(crate) fn say(line: &str) {
        eprintln!("said: {line}");
    }

    /// Reads on until it says `expected`; false when it ends first.
    pub(crate) fn says(&mut self, expected: &str) -> bool {
        let expected = format!("said: {expected}");
        self.said
            .by_ref()
            .map_while(Result::ok)
            .any(|line| line == expected)
    }

    pub(crate) fn rest(&mut self) -> Vec<String> {
        let lines = self.said.by_ref().map_while(Result::ok);
        lines
            .filter_map(|line| line.strip_prefix("said: ").map(str::to_owned))
            .collect()
    }

    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    fn exit_code(&mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Pays until the store refuses; answers how often it was acknowledged, and the refusal.
async fn fill(writer: &Writer<Book>) -> (usize, SubmitError<crate::book::Broke>) {
    for paid in 0.. {
        if let Err(error) = writer.submit(pay(&format!("{:0>2000}", paid), 1)).await {
            return (paid, error);
        }
    }
    unreachable!("a disk without end")
}

#[tokio::test]
async fn a_full_store_says_so_changes_nothing_and_goes_on_when_there_is_room() {
    let world = World::on(Scratch::sqlite()).await;
    let limit = |pages: u32| {
        let database = world.database.clone();
        async move {
            // Of the write connection, which the writer shares.
            let mut tx = database.write().await.unwrap();
            tx.rows(&format!("PRAGMA max_page_count = {pages}"), &[])
                .await
                .unwrap();
            tx.commit().await.unwrap();
        }
    };
    limit(60).await;
    let writer = world.writer();
    let (paid, error) = fill(&writer).await;
    let SubmitError::Store(error @ StoreError::Full(_)) = error else {
        panic!("{error:?}")
    };
    assert!(error.said().zh.contains("已满") && error.said().en.contains("full"));
    assert!(paid > 0);
    assert_eq!(world.log().await.len(), paid);
    // Reading goes on; so does writing, with room.
    limit(10_000).await;
    writer.submit(pay("a", 1)).await.unwrap();
    assert_eq!(world.log().await.len(), paid + 1);
}

#[tokio::test]
async fn a_disk_that_fails_at_a_commit_ends_the_process_and_loses_nothing_acknowledged() {
    if Child::is_one() {
        let database = Database::open(&Child::location(), &MIGRATIONS).await.unwrap();
        let writer = Writer::start(database, Book::default(), clock());
        let (paid, error) = {
            let mut paid = 0;
            loop {
                match writer.submit(pay("a", 1)).await {
                    Ok(_) => paid += 1,
                    Err(error) => break (paid, error),
                }
                Child::say(&format!("paid {paid}"));
            }
        };
        panic!("answered after {paid}: {error:?}");
    }
    let world = World::on(Scratch::sqlite()).await;
    world.database.close().await;
    let World { scratch, database } = world;
    drop(database);
    // Writing beyond this size is an error of the file system, as a failing disk's is.
    let under = r#"trap '' XFSZ; ulimit -f 512; exec "$@""#;
    let test = "disk::a_disk_that_fails_at_a_commit_ends_the_process_and_loses_nothing_acknowledged";
    let mut child = Child::start(test, &scratch, Some(under));
    let said = child.rest();
    assert_eq!(child.exit_code(), Some(74), "{said:?}");
    let paid = said
        .iter()
        .filter_map(|line| line.strip_prefix("paid ")?.parse::<usize>().ok())
        .max()
        .unwrap();
    let world = World::on(scratch).await;
    // The one that was on its way may stand or not; nobody was told.
    assert!((paid..=paid + 1).contains(&world.log().await.len()), "{paid}");
}
