//! P7: every decision can be retold and evaluated again, by those whom it concerns.

use std::time::Duration;

use greenstar_kernel::Clock as _;
use greenstar_proto::supervision::v1 as pb;
use greenstar_store::{Database, Value};
use greenstar_supervision_policy::MIGRATIONS;
use greenstar_testkit::Scratch;
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::law;
use crate::server::{Ask, FIRM, OTHER, Server, Sources, refusal, refused};

pub(crate) const LICENSING: &str = include_str!("../../data/licensing.yaml");
const FIRM_ITSELF: &str = "enterprises/91110115MAX000015J";
const OTHER_FIRM: &str = "enterprises/91110115MAX000023D";

pub(crate) async fn dossier(server: &Server, caller: &str, name: &str) -> Result<pb::Dossier, Status> {
    let request = pb::GetDossierRequest {
        name: name.to_owned(),
    };
    let answer = server.decisions(caller).get_dossier(request).await?;
    Ok(answer.into_inner().dossier.unwrap())
}

pub(crate) async fn replay(server: &Server, caller: &str, name: &str) -> Result<pb::Replay, Status> {
    let request = pb::ReplayDecisionRequest {
        name: name.to_owned(),
    };
    let answer = server.decisions(caller).replay_decision(request).await?;
    Ok(answer.into_inner().replay.unwrap())
}

pub(crate) async fn list(
    server: &Server,
    caller: &str,
    request: pb::ListDecisionsRequest,
) -> Result<pb::ListDecisionsResponse, Status> {
    let answer = server.decisions(caller).list_decisions(request).await;
    answer.map(tonic::Response::into_inner)
}

pub(crate) fn of(parent: &str) -> pb::ListDecisionsRequest {
    pb::ListDecisionsRequest {
        parent: parent.to_owned(),
        ..Default::default()
    }
}

/// The database of a service that does not run, or of one on PostgreSQL.
pub(crate) async fn database(scratch: &Scratch) -> Database {
    let at = scratch.url().parse().unwrap();
    Database::open(&at, &MIGRATIONS).await.unwrap()
}

pub(crate) async fn run(scratch: &Scratch, sql: &str, values: &[Value]) {
    let database = database(scratch).await;
    let mut tx = database.write().await.unwrap();
    tx.run(sql, values).await.unwrap();
    tx.commit().await.unwrap();
    database.close().await;
}

/// A version of the licensing policy, in force since `server` began: told to a service that does not run.
pub(crate) async fn publish(sources: &Sources, scratch: &Scratch, version: u32, source: String) {
    let sql = "INSERT INTO policy (name, version, source, effective_at) VALUES ($1, $2, $3, $4)";
    let at = sources.clock.now();
    let values = [
        Value::from("licensing-default"),
        version.into(),
        source
            .replace("version: 1", &format!("version: {version}"))
            .into(),
        at.into(),
    ];
    run(scratch, sql, &values).await;
}

fn key(name: &str) -> [Value; 2] {
    let (writer, sequence) = name.strip_prefix("decisions/").unwrap().split_once('-').unwrap();
    [writer.into(), sequence.parse::<i64>().unwrap().into()]
}

/// Rows with how near they came and what was missing.
fn told(rows: &[pb::DossierRow]) -> Vec<(u32, pb::Nearness, String)> {
    let told = rows.iter().map(|row| {
        let unmet = row.unmet.iter();
        let unmet: Vec<String> = unmet
            .map(|unmet| format!("{} {} {}", unmet.column, unmet.wanted, unmet.found))
            .collect();
        (row.row, row.nearness(), unmet.join(", "))
    });
    told.collect()
}

#[tokio::test]
async fn p7_a_dossier_names_the_rows_that_decided_and_those_that_nearly_did() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        sources.star(FIRM, 4).await;
        let flag = sources.confirmed(FIRM, "serious-penalty", "", 36);
        let token = sources.sanctions.flag(flag.clone()).await;
        let server = Server::start(&sources, &scratch).await;
        let permit = server.permit(FIRM, "eia-approval", Ask::token(&token)).await;
        let name = permit.unwrap().decision;
        let dossier = dossier(&server, "licensing", &name).await.unwrap();
        use pb::Nearness::{Decided, Nearly, Preceded};
        let flags = r#"flags contains("permit-by-deceit") "serious-penalty""#;
        assert_eq!(
            told(&dossier.rows),
            [
                (1, Nearly, flags.to_owned()),
                (2, Decided, String::new()),
                (3, Nearly, r#"state "VETOED" "RATED""#.to_owned()),
                (4, Nearly, "star 5 4".to_owned()),
                (5, Preceded, String::new()),
            ]
        );
        let second = dossier.rows.get(1).unwrap();
        assert_eq!(second.outcome, "STRICT_REVIEW");
        assert!(second.reason.as_ref().unwrap().en.contains("reviewed strictly"));
        assert!(!dossier.baseline_rows.is_empty(), "{dossier:?}");

        let decision = dossier.decision.unwrap();
        assert_eq!(decision, server.recorded("licensing", &name).await.unwrap());
        assert_eq!(decision.flags[0].name, flag.name);
        assert_eq!(dossier.table_source, LICENSING);
        assert!(dossier.baseline_source.contains("department: baseline"));
        assert_eq!(dossier.requested_by, "licensing");
        assert_eq!(
            dossier.request_time,
            Some(crate::server::to_wire(sources.clock.now()))
        );
        assert_eq!(
            dossier.assessment, None,
            "why it has its star is not licensing's business"
        );
        let (writer, sequence) = name.strip_prefix("decisions/").unwrap().split_once('-').unwrap();
        assert_eq!(dossier.writer, format!("recordWriters/{writer}"));
        assert_eq!(dossier.sequence.to_string(), sequence);
        // The first link, as the chain is described.
        let begun = Sha256::digest(format!("greenstar-chain/1{writer}"));
        let linked = begun.iter().copied().chain(bytes(&dossier.leaf));
        let linked: Vec<u8> = linked.collect();
        assert_eq!(bytes(&dossier.chain), Sha256::digest(linked).to_vec());
        server.stop().await;
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = (0..hex.len()).step_by(2);
    let byte = |at| u8::from_str_radix(hex.get(at..at + 2).unwrap(), 16).unwrap();
    pairs.map(byte).collect()
}

#[tokio::test]
async fn p7_a_decision_replays_the_same_years_later_whatever_was_published_since() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        let token = sources.star(FIRM, 5).await;
        let server = Server::start(&sources, &scratch).await;
        let permit = server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap();
        assert_eq!(permit.outcome, "FAST_TRACK");
        // Nobody decides while the view is old; that is evaluated as it was, too.
        sources.rating_proxy.delay(Duration::from_secs(3_600));
        sources.clock.advance(Duration::from_secs(10));
        let review = server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap();
        assert!(review.manual_review);
        sources.rating_proxy.delay(Duration::ZERO);
        sources.rating_proxy.cut();
        server.stop().await;

        // The table, the catalogue and the star are others by then.
        let stricter = LICENSING.replace("fast-track: , tolerant-acceptance: }", "fast-track: }");
        assert_ne!(stricter, LICENSING);
        publish(&sources, &scratch, 2, stricter).await;
        sources.clock.advance(Duration::from_secs(366 * 86_400));
        let mut next = law::catalogue("2027-1");
        next.effective_time = Some(crate::server::to_wire(sources.clock.now()));
        sources.sanctions.enact(next).await;
        let token = sources.star(FIRM, 3).await;
        let server = Server::start(&sources, &scratch).await;
        let later = server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap();
        assert!(
            later.policy_version.contains("licensing-default@2") && later.policy_version.contains("2027-1"),
            "{}",
            later.policy_version
        );
        for (answer, table) in [(permit, 1), (review, 1), (later, 2)] {
            let replay = replay(&server, "licensing", &answer.decision).await.unwrap();
            assert_eq!(
                (replay.differences, replay.same, replay.intact),
                (Vec::new(), true, true)
            );
            assert_eq!(
                replay.versions.unwrap().table,
                format!("licensing-default@{table}")
            );
            let dossier = dossier(&server, "licensing", &answer.decision).await.unwrap();
            assert!(dossier.table_source.contains(&format!("version: {table}\n")));
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn a_record_that_was_tampered_with_is_found() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        let token = sources.star(FIRM, 5).await;
        let server = Server::start(&sources, &scratch).await;
        let mut names = Vec::new();
        for _ in 0..3 {
            let permit = server
                .permit(FIRM, "eia-approval", Ask::token(&token))
                .await
                .unwrap();
            names.push(permit.decision);
        }
        server.stop().await;
        let [body, leaf, whole] = names.as_slice() else {
            panic!("{names:?}")
        };
        let database = database(&scratch).await;
        let mut tx = database.write().await.unwrap();
        for (name, hides) in [(body, false), (leaf, true)] {
            let [writer, sequence] = key(name);
            let look = "SELECT salt, body FROM decision WHERE writer = $1 AND sequence = $2";
            let row = tx
                .row(look, &[writer.clone(), sequence.clone()])
                .await
                .unwrap()
                .unwrap();
            let mut decision = pb::Decision::decode(row.get::<Vec<u8>>("body").unwrap().as_slice()).unwrap();
            decision.outcome = "REFUSE".to_owned();
            let body = decision.encode_to_vec();
            let change = "UPDATE decision SET body = $3 WHERE writer = $1 AND sequence = $2";
            tx.run(change, &[writer.clone(), sequence.clone(), body.clone().into()])
                .await
                .unwrap();
            if hides {
                // Whoever does this knows how leaves are made; the chain still tells.
                let mut salted: Vec<u8> = row.get("salt").unwrap();
                salted.extend(body);
                let leaf = Sha256::digest(salted).to_vec();
                let change = "UPDATE decision SET leaf = $3 WHERE writer = $1 AND sequence = $2";
                tx.run(change, &[writer, sequence, leaf.into()]).await.unwrap();
            }
        }
        tx.commit().await.unwrap();
        database.close().await;
        drop(database);
        let server = Server::start(&sources, &scratch).await;
        for name in [body, leaf] {
            let replay = replay(&server, "licensing", name).await.unwrap();
            assert!(!replay.intact && !replay.same);
            let [difference] = replay.differences.as_slice() else {
                panic!("{:?}", replay.differences)
            };
            let pb::ReplayDifference {
                field,
                recorded,
                replayed,
            } = difference;
            assert_eq!(
                (field.as_str(), recorded.as_str(), replayed.as_str()),
                ("outcome", "REFUSE", "FAST_TRACK")
            );
            let damaged = refused(Code::DataLoss, "STORE_CORRUPT");
            assert_eq!(refusal(dossier(&server, "licensing", name).await), damaged);
        }
        assert_eq!(
            refusal(server.recorded("licensing", body).await),
            refused(Code::DataLoss, "STORE_CORRUPT")
        );
        let replay = replay(&server, "licensing", whole).await.unwrap();
        // The record itself is whole; the one before it is not the one that it was linked to.
        assert!(replay.same);
        server.stop().await;
    }
}

#[tokio::test]
async fn a_version_that_is_not_here_is_named_and_no_other_takes_its_place() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        let token = sources.star(FIRM, 5).await;
        let server = Server::start(&sources, &scratch).await;
        let permit = server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap();
        let name = permit.decision;
        server.stop().await;
        publish(&sources, &scratch, 2, LICENSING.to_owned()).await;
        run(
            &scratch,
            "DELETE FROM policy WHERE name = 'licensing-default' AND version = 1",
            &[],
        )
        .await;
        let server = Server::start(&sources, &scratch).await;
        let refused_as = |answer: Result<pb::Replay, Status>| {
            let status = answer.unwrap_err();
            let info = status.get_details_error_info().unwrap();
            (status.code(), info.reason, info.metadata.get("version").cloned())
        };
        let unknown = |version: &str| {
            (
                Code::FailedPrecondition,
                "REPLAY_VERSION_UNKNOWN".to_owned(),
                Some(version.to_owned()),
            )
        };
        let answer = replay(&server, "licensing", &name).await;
        assert_eq!(refused_as(answer), unknown("licensing-default@1"));
        let dossier = dossier(&server, "licensing", &name).await.unwrap();
        assert_eq!((dossier.table_source.as_str(), dossier.rows.len()), ("", 0));
        assert_eq!(dossier.decision.unwrap().outcome, "FAST_TRACK");
        server.stop().await;

        let database = database(&scratch).await;
        let mut tx = database.write().await.unwrap();
        let [writer, sequence] = key(&name);
        let look = "SELECT body FROM decision WHERE writer = $1 AND sequence = $2";
        let row = tx
            .row(look, &[writer.clone(), sequence.clone()])
            .await
            .unwrap()
            .unwrap();
        let mut decision = pb::Decision::decode(row.get::<Vec<u8>>("body").unwrap().as_slice()).unwrap();
        decision.versions.as_mut().unwrap().evaluator = "2".to_owned();
        let change = "UPDATE decision SET body = $3 WHERE writer = $1 AND sequence = $2";
        tx.run(change, &[writer, sequence, decision.encode_to_vec().into()])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        database.close().await;
        drop(database);
        let server = Server::start(&sources, &scratch).await;
        assert_eq!(
            refused_as(replay(&server, "licensing", &name).await),
            unknown("evaluator@2")
        );
        server.stop().await;
    }
}

#[tokio::test]
async fn p11_a_department_sees_its_own_and_a_firm_those_about_itself() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        sources.star(OTHER, 4).await;
        let token = sources.star(FIRM, 5).await;
        let server = Server::start(&sources, &scratch).await;
        let permit = server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap();
        server.finance(OTHER, Ask::token(&token)).await;
        let name = permit.decision;
        let unknown = refused(Code::NotFound, "DECISION_UNKNOWN");
        for stranger in ["finance", "rating", OTHER_FIRM] {
            assert_eq!(
                refusal(dossier(&server, stranger, &name).await),
                unknown,
                "{stranger}"
            );
            assert_eq!(
                refusal(replay(&server, stranger, &name).await),
                unknown,
                "{stranger}"
            );
        }
        let nothing = format!("{}9", name);
        assert_eq!(refusal(dossier(&server, "licensing", &nothing).await), unknown);

        let own = dossier(&server, FIRM_ITSELF, &name).await.unwrap();
        assert_eq!(own.requested_by, FIRM_ITSELF);
        let assessment = own.assessment.unwrap();
        assert_eq!(assessment.items[0].item, "A1", "its own evidence");
        assert!(replay(&server, FIRM_ITSELF, &name).await.unwrap().same);

        let listed = list(&server, FIRM_ITSELF, of("departments/-")).await.unwrap();
        let summary = listed.decisions.first().unwrap();
        assert_eq!((listed.decisions.len(), &summary.name), (1, &name));
        assert_eq!(
            (summary.officer.as_str(), summary.outcome.as_str()),
            ("licensing", "FAST_TRACK")
        );
        let not_yours = refused(Code::PermissionDenied, "DEPARTMENT_NOT_ALLOWED");
        let about_other = pb::ListDecisionsRequest {
            enterprise: OTHER_FIRM.to_owned(),
            ..of("departments/-")
        };
        for (caller, request) in [
            ("finance", of("departments/licensing")),
            ("rating", of("departments/-")),
            (FIRM_ITSELF, of("departments/licensing")),
            (FIRM_ITSELF, about_other),
        ] {
            assert_eq!(
                refusal(list(&server, caller, request).await),
                not_yours,
                "{caller}"
            );
        }
        // The rating service away: all but the assessment.
        sources.rating_proxy.delay(Duration::from_secs(3_600));
        sources.rating_proxy.cut();
        let own = dossier(&server, FIRM_ITSELF, &name).await.unwrap();
        assert_eq!((own.assessment, own.rows.len()), (None, 5));
        server.stop().await;
    }
}

#[tokio::test]
async fn decisions_are_listed_the_newest_first_page_by_page() {
    for scratch in [Scratch::sqlite(), Scratch::postgres().await] {
        let sources = Sources::start().await;
        let token = sources.star(FIRM, 5).await;
        let server = Server::start(&sources, &scratch).await;
        let mut made = Vec::new();
        let matters = ["eia-approval", "pollutant-permit"];
        for (nth, firm) in [FIRM, OTHER, FIRM, OTHER, FIRM].into_iter().enumerate() {
            sources.clock.advance(Duration::from_millis(100));
            let matter = matters[nth % 2];
            let permit = server.permit(firm, matter, Ask::token(&token)).await.unwrap();
            made.insert(0, (permit.decision, firm, matter, permit.as_of.unwrap()));
        }
        // At one instant: told apart by their names.
        let again = server
            .permit(FIRM, "eia-approval", Ask::token(&token))
            .await
            .unwrap();
        made.insert(1, (again.decision, FIRM, "eia-approval", again.as_of.unwrap()));
        let names = |listed: &pb::ListDecisionsResponse| -> Vec<String> {
            listed
                .decisions
                .iter()
                .map(|decision| decision.name.clone())
                .collect()
        };
        let expected = |keep: &dyn Fn(&str, &str) -> bool| -> Vec<String> {
            let kept = made.iter().filter(|(_, firm, matter, _)| keep(firm, matter));
            kept.map(|(name, ..)| name.clone()).collect()
        };
        let mut paged = Vec::new();
        let mut request = pb::ListDecisionsRequest {
            page_size: 2,
            ..of("departments/licensing")
        };
        loop {
            let listed = list(&server, "licensing", request.clone()).await.unwrap();
            assert!(listed.decisions.len() <= 2);
            paged.extend(names(&listed));
            if listed.next_page_token.is_empty() {
                break;
            }
            request.page_token = listed.next_page_token;
        }
        assert_eq!(paged, expected(&|_, _| true));
        let foreign = pb::ListDecisionsRequest {
            matter: "eia-approval".to_owned(),
            ..request
        };
        assert_eq!(
            refusal(list(&server, "licensing", foreign).await),
            refused(Code::InvalidArgument, "PAGE_TOKEN_INVALID")
        );

        let all = of("departments/licensing");
        let of_matter = pb::ListDecisionsRequest {
            matter: "pollutant-permit".to_owned(),
            ..all.clone()
        };
        let of_firm = pb::ListDecisionsRequest {
            enterprise: format!("enterprises/{OTHER}"),
            ..all.clone()
        };
        let (last, first) = (made.first().unwrap().3, made.last().unwrap().3);
        let between = pb::ListDecisionsRequest {
            start_time: Some(first),
            end_time: Some(last),
            ..all
        };
        let listed = list(&server, "licensing", of_matter).await.unwrap();
        assert_eq!(
            names(&listed),
            expected(&|_, matter| matter == "pollutant-permit")
        );
        let listed = list(&server, "licensing", of_firm).await.unwrap();
        assert_eq!(names(&listed), expected(&|firm, _| firm == OTHER));
        let listed = list(&server, "licensing", between).await.unwrap();
        assert_eq!(
            names(&listed),
            made[2..]
                .iter()
                .map(|(name, ..)| name.clone())
                .collect::<Vec<_>>()
        );
        server.stop().await;
    }
}
