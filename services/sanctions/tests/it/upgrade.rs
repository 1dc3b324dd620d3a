//! A database from before flags had more than four states.

use greenstar_proto::sanctions::v1::{FlagState, GetFlagRequest};
use greenstar_sanctions::MIGRATIONS;
use greenstar_store::{Database, Migrations};

use crate::server::{FIRM, Server, engines, midnight};

const BEFORE: Migrations = Migrations {
    files: MIGRATIONS.files.split_at(2).0,
};

#[tokio::test]
async fn flags_of_an_older_database_bind_and_end_as_before_and_follow_order_36() {
    for scratch in engines().await {
        let database = Database::migrate(&scratch.url().parse().unwrap(), &BEFORE)
            .await
            .unwrap();
        let fact = format!(
            r#"{{"id":"old","enterprise":"{FIRM}",
            "document":{{"issuer":"局","number":"1号","date":"2026-04-01"}},"site":null,
            "kind":"serious-penalty","scope":null,"title":{{"zh":"严重行政处罚","en":"Serious penalty"}},
            "severity":"serious","reason":"","bases":[],"reaches_all":false,"catalogue":"2026-1",
            "department":"enforcement","proposer":"enforcement","raised_at":1775620800000000,
            "ends_at":{end},"stage":{{"in_force":{{"confirmation":
            {{"officer":"enforcement/2","at":1775620800000000}}}}}}}}"#,
            end = midnight("2029-04-02").micros()
        );
        let mut tx = database.write().await.unwrap();
        let columns = [
            "id",
            "enterprise",
            "department",
            "stage",
            "raised_at",
            "ends_at",
            "fact",
        ];
        let row = vec![
            "old".into(),
            FIRM.into(),
            "enforcement".into(),
            "in_force".into(),
            1_775_620_800_000_000_i64.into(),
            midnight("2029-04-02").into(),
            fact.as_str().into(),
        ];
        tx.insert("flag", &columns, vec![row]).await.unwrap();
        tx.commit().await.unwrap();
        database.close().await;
        drop(database);

        let server = Server::start(&scratch).await;
        let name = format!("enterprises/{FIRM}/flags/old");
        let answer = server
            .flags("finance")
            .get_flag(GetFlagRequest { name: name.clone() })
            .await
            .unwrap();
        let flag = answer.into_inner().flag.unwrap();
        assert_eq!(flag.state(), FlagState::InForce);
        assert_eq!(
            flag.earliest_repair_time.unwrap().seconds,
            midnight("2027-04-02").micros() / 1_000_000
        );
        let (flag, _) = server.revoke("enforcement", &name).await.unwrap();
        assert_eq!(flag.state(), FlagState::Revoked);
        server.stop().await;
    }
}
