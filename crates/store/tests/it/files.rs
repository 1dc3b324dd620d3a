//! SQLite's files: one process, whole pages.

use std::path::{Path, PathBuf};

use greenstar_kernel::Said;
use greenstar_store::{Database, OpenError};
use greenstar_testkit::Scratch;

use crate::book::{MIGRATIONS, World, pay};
use crate::disk::Child;

/// A database with some pages in it, closed.
async fn made() -> (Scratch, PathBuf) {
    let world = World::on(Scratch::sqlite()).await;
    let mut tx = world.database.write().await.unwrap();
    let rows = (0..5_000i64)
        .map(|n| vec![format!("n{n}").into(), n.into()])
        .collect();
    tx.insert("account", &["name", "balance"], rows).await.unwrap();
    tx.commit().await.unwrap();
    world.database.close().await;
    let path = world.scratch.dir().join("test.db");
    (world.scratch, path)
}

async fn refused(scratch: &Scratch, path: &Path) -> OpenError {
    let before = std::fs::read(path).unwrap();
    let at = scratch.url().parse().unwrap();
    let opened = Database::open(&at, &MIGRATIONS).await.unwrap_err();
    let migrated = Database::migrate(&at, &MIGRATIONS).await.unwrap_err();
    assert_eq!(std::mem::discriminant(&opened), std::mem::discriminant(&migrated));
    assert!(std::fs::read(path).unwrap() == before, "the file was changed");
    opened
}

#[tokio::test]
async fn a_file_that_is_no_database_is_damaged() {
    let scratch = Scratch::sqlite();
    let path = scratch.dir().join("test.db");
    std::fs::write(&path, "公司名录\n".repeat(1_000)).unwrap();
    let error = refused(&scratch, &path).await;
    assert!(matches!(error, OpenError::Damaged(_)), "{error:?}");
    assert!(error.said().zh.contains("备份") && error.said().en.contains("backup"));
}

#[tokio::test]
async fn a_database_with_broken_pages_is_damaged() {
    let (scratch, path) = made().await;
    let mut bytes = std::fs::read(&path).unwrap();
    let len = bytes.len();
    bytes[len / 2..len / 2 + 8_192].fill(0x5a);
    std::fs::write(&path, bytes).unwrap();
    assert!(matches!(refused(&scratch, &path).await, OpenError::Damaged(_)));
}

#[tokio::test]
async fn a_database_that_was_cut_short_is_damaged() {
    let (scratch, path) = made().await;
    let bytes = std::fs::read(&path).unwrap();
    for length in [0, 15, 100, 4_096, bytes.len() / 2] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        let error = refused(&scratch, &path).await;
        assert!(
            matches!(error, OpenError::Damaged(_)),
            "{length} bytes: {error:?}"
        );
    }
}

#[tokio::test]
async fn a_second_process_is_refused_until_the_first_has_ended() {
    if Child::is_one() {
        let opened = Database::migrate(&Child::location(), &MIGRATIONS).await;
        Child::say(match &opened {
            Ok(_) => "opened",
            Err(OpenError::InUse { .. }) => "in use",
            Err(_) => "failed",
        });
        return std::future::pending().await;
    }
    const TEST: &str = "files::a_second_process_is_refused_until_the_first_has_ended";
    let world = World::on(Scratch::sqlite()).await;
    let error = Database::migrate(&world.location(), &MIGRATIONS)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, OpenError::InUse { path } if path.ends_with("test.db")),
        "{error:?}"
    );
    assert!(Child::start(TEST, &world.scratch, None).says("in use"));
    let World { scratch, database } = world;
    drop(database);
    let mut holder = Child::start(TEST, &scratch, None);
    assert!(holder.says("opened"));
    assert!(Child::start(TEST, &scratch, None).says("in use"));
    holder.kill();
    Database::migrate(&scratch.url().parse().unwrap(), &MIGRATIONS)
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    if Child::is_one() {
        let database = Database::migrate(&Child::location(), &MIGRATIONS).await.unwrap();
        let writer =
            greenstar_store::Writer::start(database, crate::book::Book::default(), crate::book::clock());
        for _ in 0.. {
            let paid = writer.submit(pay("a", 1)).await.unwrap();
            Child::say(&format!("paid {}", paid.position.revision));
        }
    }
    let scratch = Scratch::sqlite();
    let mut child = Child::start("files::what_was_acknowledged_survives_a_kill", &scratch, None);
    assert!(child.says("paid 50"));
    child.kill();
    let acknowledged = child
        .rest()
        .iter()
        .filter_map(|line| line.strip_prefix("paid ")?.parse().ok())
        .max()
        .unwrap_or(50);
    let world = World::on(scratch).await;
    assert!(world.log().await.len() as u64 >= acknowledged);
}

/// Runs the rest of a shell line as a user whom permissions bind: root may write everywhere.
const AS_NOBODY: &str = r#"if [ "$(id -u)" = 0 ]; then exec setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"; else exec "$@"; fi"#;

#[tokio::test]
async fn what_cannot_be_written_is_refused_with_its_path() {
    use std::os::unix::fs::PermissionsExt;
    const TEST: &str = "files::what_cannot_be_written_is_refused_with_its_path";
    if Child::is_one() {
        for migrate in [false, true] {
            let at = Child::location();
            let opened = if migrate {
                Database::migrate(&at, &MIGRATIONS).await
            } else {
                Database::open(&at, &MIGRATIONS).await
            };
            Child::say(&match &opened {
                Ok(_) => "opened".to_owned(),
                Err(error @ OpenError::ReadOnly { path, .. }) => {
                    let said = error.said();
                    assert!(said.zh.contains("无法写入") && said.en.contains("cannot be written"));
                    format!("read-only {}", path.file_name().unwrap().to_string_lossy())
                }
                Err(error) => format!("{error:?}"),
            });
        }
        return;
    }
    let (scratch, path) = made().await;
    let lock = path.with_extension("db.lock");
    let folder = scratch.dir().to_owned();
    let set = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    // Folder, lock and file: one of them at a time cannot be written.
    for (modes, refused) in [
        ([0o777, 0o666, 0o666], "opened".to_owned()),
        ([0o555, 0o666, 0o666], format!("read-only {name}")),
        ([0o777, 0o444, 0o666], "read-only test.db.lock".to_owned()),
        ([0o777, 0o666, 0o444], "read-only test.db".to_owned()),
    ] {
        for (path, mode) in [&folder, &lock, &path].into_iter().zip(modes) {
            set(path, mode);
        }
        let said = Child::start(TEST, &scratch, Some(AS_NOBODY)).rest();
        assert_eq!(said, [refused.clone(), refused], "{modes:?}");
    }
    set(&folder, 0o777);
}
