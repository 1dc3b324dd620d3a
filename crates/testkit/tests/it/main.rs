//! The servers are real, and gone afterwards.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use greenstar_testkit::{Cut, Proxy, Scratch, postgres, redis};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

async fn connect(url: &str) -> PgConnection {
    url.parse::<PgConnectOptions>().unwrap().connect().await.unwrap()
}

async fn one(connection: &mut PgConnection, sql: &'static str) -> String {
    sqlx::query_scalar(sql).fetch_one(connection).await.unwrap()
}

#[tokio::test]
async fn every_test_has_an_empty_database_of_its_own() {
    let (one_url, other_url) = (postgres::database().await, postgres::database().await);
    assert_ne!(one_url, other_url);
    let mut first = connect(&one_url).await;
    sqlx::raw_sql("CREATE TABLE mine (a bigint)")
        .execute(&mut first)
        .await
        .unwrap();
    let mut second = connect(&other_url).await;
    let found = one(
        &mut second,
        "SELECT count(*)::text FROM pg_tables WHERE schemaname = 'public'",
    )
    .await;
    assert_eq!(found, "0");
    assert_eq!(one(&mut second, "SHOW fsync").await, "on");
}

#[tokio::test]
async fn a_crash_loses_nothing_committed() {
    let server = postgres::Server::start().await;
    let url = server.database().await;
    sqlx::raw_sql("CREATE TABLE kept (a text); INSERT INTO kept VALUES ('yes')")
        .execute(&mut connect(&url).await)
        .await
        .unwrap();
    server.crash_and_restart();
    assert_eq!(one(&mut connect(&url).await, "SELECT a FROM kept").await, "yes");
}

#[tokio::test]
async fn redis_answers_and_forgets_when_it_crashes() {
    let server = redis::Server::start().await;
    let address = server.url().trim_start_matches("redis://").to_owned();
    assert_eq!(ask(&address, "SET a 1\r\n").await, "+OK\r\n");
    server.crash_and_restart();
    assert_eq!(ask(&address, "GET a\r\n").await, "$-1\r\n");
}

async fn ask(address: &str, line: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(line.as_bytes()).await.unwrap();
    let mut answer = vec![0; 64];
    let count = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..count]).into_owned()
}

/// Runs itself as a child that starts servers and is killed before it can clean up.
#[tokio::test]
async fn a_killed_test_run_leaves_no_server_behind() {
    if std::env::var_os("TESTKIT_CHILD").is_some() {
        let (database, redis) = (postgres::Server::start().await, redis::Server::start().await);
        let ports = format!(
            "ports {} {}",
            database.port(),
            redis.url().rsplit(':').next().unwrap()
        );
        eprintln!("{ports}");
        std::future::pending::<()>().await;
    }
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "a_killed_test_run_leaves_no_server_behind",
            "--nocapture",
        ])
        .env("TESTKIT_CHILD", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let said = tokio::task::spawn_blocking(|| {
        lines
            .map_while(Result::ok)
            .find(|line| line.starts_with("ports "))
    });
    let ports: Vec<u16> = said
        .await
        .unwrap()
        .unwrap()
        .split(' ')
        .skip(1)
        .map(|port| port.parse().unwrap())
        .collect();
    let mut open = Vec::new();
    for port in ports {
        open.push(
            TcpStream::connect(SocketAddr::from(([127, 0, 0, 1], port)))
                .await
                .unwrap(),
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // The end of a connection is the server's last word.
    for mut stream in open {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "a server outlived its test");
    }
}

async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    address
}

async fn say(stream: &mut TcpStream, text: &[u8]) -> std::io::Result<Vec<u8>> {
    stream.write_all(text).await?;
    let mut answer = vec![0; text.len()];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

#[tokio::test]
async fn a_trap_cuts_the_connection_that_steps_on_it_and_no_other() {
    let proxy = Proxy::start(echo().await).await;
    let mut first = TcpStream::connect(proxy.address()).await.unwrap();
    let mut second = TcpStream::connect(proxy.address()).await.unwrap();
    for cut in [Cut::Before, Cut::AfterTheAnswer] {
        proxy.trap(b"COMMIT", cut);
        assert_eq!(say(&mut second, b"harmless").await.unwrap(), b"harmless");
        assert!(say(&mut first, b"..COMMIT..").await.is_err());
        first = TcpStream::connect(proxy.address()).await.unwrap();
        assert_eq!(say(&mut first, b"COMMIT again").await.unwrap(), b"COMMIT again");
    }
    assert_eq!(*proxy.sprung().borrow(), 2);
}

#[tokio::test]
async fn a_silent_connection_says_nothing_and_is_not_closed() {
    let proxy = Proxy::start(echo().await).await;
    let mut silent = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut silent, b"a").await.unwrap(), b"a");
    proxy.silence();
    let mut fresh = TcpStream::connect(proxy.address()).await.unwrap();
    assert_eq!(say(&mut fresh, b"b").await.unwrap(), b"b");
    silent.write_all(b"c").await.unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(100), silent.read_u8()).await;
    assert!(waited.is_err(), "neither an answer nor an end");
    proxy.cut();
    assert!(silent.read_u8().await.is_err());
}

#[tokio::test]
async fn a_scratch_place_is_empty() {
    let (file, server) = (Scratch::sqlite(), Scratch::postgres().await);
    assert!(file.url().starts_with("sqlite:") && server.url().starts_with("postgres://"));
    assert_eq!(std::fs::read_dir(file.dir()).unwrap().count(), 0);
}
