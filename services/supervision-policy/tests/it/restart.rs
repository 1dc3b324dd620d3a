//! A replica that starts again goes on from its own disk, and trusts that for nothing but speed.

use std::time::Duration;

use greenstar_supervision_policy::RecordSettings;
use greenstar_testkit::Scratch;
use tonic::Code;

use crate::server::{Ask, FIRM, OTHER, Server, Sources, refusal, refused};

const AN_HOUR: Duration = Duration::from_secs(3600);

fn apart(sources: &Sources) {
    for proxy in [&sources.rating_proxy, &sources.sanctions_proxy] {
        proxy.delay(AN_HOUR);
        proxy.cut();
    }
}

fn together(sources: &Sources) {
    for proxy in [&sources.rating_proxy, &sources.sanctions_proxy] {
        proxy.delay(Duration::ZERO);
        proxy.cut();
    }
}

/// A server that has not heard its sources yet.
async fn alone(sources: &Sources, scratch: &Scratch) -> Server {
    let record = RecordSettings::in_folder(scratch.dir().join("records"));
    Server::start_with(sources, scratch, record).await
}

#[tokio::test]
async fn p10_a_start_from_the_disk_restricts_at_once_and_favours_nobody_until_it_has_caught_up() {
    let (sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    sources.star(OTHER, 5).await;
    let flag = sources.confirmed(OTHER, "serious-penalty", "", 36);
    let flagged = sources.sanctions.flag(flag).await;
    let server = Server::start(&sources, &scratch).await;
    server
        .permit(OTHER, "eia-approval", Ask::token(&flagged))
        .await
        .unwrap();
    server.stop().await;

    apart(&sources);
    let later = sources.star(FIRM, 2).await;
    let server = alone(&sources, &scratch).await;
    let permit = server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
    assert_eq!(
        (permit.star, permit.manual_review),
        (Some(5), true),
        "as it was left"
    );
    assert_eq!((permit.outcome.as_str(), permit.data_age), ("STANDARD", None));
    let permit = server.permit(OTHER, "eia-approval", Ask::LATEST).await.unwrap();
    assert_eq!(
        (permit.outcome.as_str(), permit.manual_review),
        ("STRICT_REVIEW", true)
    );
    let answer = server.permit(FIRM, "eia-approval", Ask::token(&later)).await;
    assert_eq!(refusal(answer), refused(Code::Unavailable, "VIEW_NOT_FRESH"));

    together(&sources);
    server.supervision.caught_up().await;
    server.until("fresh", true).await;
    let permit = server
        .permit(FIRM, "eia-approval", Ask::token(&later))
        .await
        .unwrap();
    assert_eq!((permit.star, permit.manual_review), (Some(2), false));
    assert!(permit.data_age.is_some());
    server.stop().await;
}

#[tokio::test]
async fn a_damaged_snapshot_or_one_of_another_life_is_replaced_by_the_sources() {
    let (mut sources, scratch) = (Sources::start().await, Scratch::sqlite());
    sources.star(FIRM, 5).await;
    Server::start(&sources, &scratch).await.stop().await;
    let path = scratch.dir().join("snapshot/view.snapshot");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let server = Server::start(&sources, &scratch).await;
    let permit = server.permit(FIRM, "eia-approval", Ask::LATEST).await.unwrap();
    assert_eq!((permit.star, permit.manual_review), (Some(5), false));
    server.stop().await;
    assert_ne!(
        std::fs::read(&path).unwrap(),
        bytes,
        "a whole one was written again"
    );

    // The rating service was restored from nothing: the firm is not known there.
    let clock = sources.clock.clone();
    let rating =
        crate::source::Source::start(greenstar_kernel::Log::Rating, clock, crate::server::credentials())
            .await;
    sources.rating_proxy = greenstar_testkit::Proxy::start(rating.address).await;
    sources.rating = rating;
    let server = Server::start(&sources, &scratch).await;
    let permit = server.permit(FIRM, "eia-approval", Ask::full()).await.unwrap();
    assert_eq!((permit.star, permit.known), (None, false));
    server.stop().await;
}
