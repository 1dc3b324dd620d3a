//! What the law allows, as callers see it.

use greenstar_proto::sanctions::v1::MeasureClass;
use greenstar_testkit::Scratch;

use crate::server::{Server, edition, engines};

#[tokio::test]
async fn anybody_reads_the_catalogue_and_it_names_only_what_it_has() {
    let scratch = Scratch::sqlite();
    let server = Server::start(&scratch).await;
    let catalogue = server.catalogue().await.catalogue.unwrap();
    assert_eq!(catalogue.name, "catalogues/2026-1");
    assert_eq!(catalogue.ceilings.len(), 3);
    let bases: Vec<&str> = catalogue.bases.iter().map(|basis| basis.code.as_str()).collect();
    for code in catalogue.flag_kinds.iter().flat_map(|kind| &kind.bases) {
        assert!(bases.contains(&code.as_str()), "{code}");
    }
    for measure in &catalogue.measures {
        assert!(
            measure.bases.iter().all(|code| bases.contains(&code.as_str())),
            "{}",
            measure.code
        );
        assert!(
            measure.supports.iter().all(|support| support.by.is_some()),
            "{}",
            measure.code
        );
        assert_eq!(measure.target, "enterprise");
        if measure.measure_class() == MeasureClass::Rights {
            let named = catalogue
                .bases
                .iter()
                .filter(|basis| measure.bases.contains(&basis.code));
            assert!(
                named.into_iter().any(|basis| basis.article.is_some()),
                "{}",
                measure.code
            );
        }
    }
    let scoped = catalogue
        .flag_kinds
        .iter()
        .find(|kind| kind.code == "permit-by-deceit")
        .unwrap();
    assert_eq!(
        (scoped.scope.as_str(), scoped.scope_values.len()),
        ("permit_kind", 4)
    );
    server.stop().await;
}

#[tokio::test]
async fn a_newer_edition_is_appended_at_start_and_an_older_one_left_aside() {
    for scratch in engines().await {
        let server = Server::start(&scratch).await;
        let first = server.head().await;
        server.stop().await;

        let server = Server::start_with(&scratch, edition("2026-2")).await;
        assert_eq!(server.head().await.revision, first.revision.next());
        assert_eq!(
            server.catalogue().await.catalogue.unwrap().name,
            "catalogues/2026-2"
        );
        server.stop().await;

        let server = Server::start(&scratch).await;
        assert_eq!(server.head().await.revision, first.revision.next());
        assert_eq!(
            server.catalogue().await.catalogue.unwrap().name,
            "catalogues/2026-2"
        );
        server.stop().await;
    }
}
