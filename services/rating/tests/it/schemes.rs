//! Several schemes and versions side by side.

use greenstar_proto::rating::v1 as pb;
use tonic::Code;

use crate::facts::{FILE, noon};
use crate::service::{Suite, refused};

#[tokio::test]
async fn versions_stand_side_by_side_and_never_change() {
    for suite in Suite::both(noon("2026-07-01")).await {
        let store = async |source: String| {
            let request = pb::CreateSchemeRequest {
                source,
                request_id: String::new(),
            };
            suite
                .schemes("rating")
                .create_scheme(request)
                .await
                .map(tonic::Response::into_inner)
        };
        let shipped = store(FILE.into()).await;
        assert_eq!(refused(shipped), (Code::AlreadyExists, "SCHEME_EXISTS".into()));
        let next = store(FILE.replacen("2021.1-proposal", "2026.1", 1))
            .await
            .unwrap();
        let scheme = next.scheme.unwrap();
        assert_eq!(scheme.name, "schemes/daxing-green-credit/versions/2026.1");
        assert_eq!(
            (scheme.items.len(), scheme.vetoes.len(), scheme.stars.len()),
            (30, 15, 3)
        );
        let wrong = store(FILE.replacen("max_total: 100", "max_total: 90", 1)).await;
        assert_eq!(refused(wrong), (Code::InvalidArgument, "SCHEME_INVALID".into()));
        assert_eq!(refused(store("- not a scheme".into()).await).1, "SCHEME_INVALID");

        let mut public = suite.schemes("licensing");
        let list = pb::ListSchemesRequest {
            page_size: 1,
            page_token: String::new(),
        };
        let first = public.list_schemes(list).await.unwrap().into_inner();
        let list = pb::ListSchemesRequest {
            page_size: 1,
            page_token: first.next_page_token,
        };
        let second = public.list_schemes(list).await.unwrap().into_inner();
        assert_eq!(
            (second.schemes[0].name.as_str(), second.next_page_token.as_str()),
            (scheme.name.as_str(), "")
        );
        let get = pb::GetSchemeRequest { name: scheme.name };
        assert!(
            public
                .get_scheme(get)
                .await
                .unwrap()
                .into_inner()
                .scheme
                .unwrap()
                .source
                .contains("2026.1")
        );
        let get = pb::GetSchemeRequest {
            name: "schemes/none/versions/1".into(),
        };
        assert_eq!(
            refused(public.get_scheme(get).await),
            (Code::NotFound, "SCHEME_UNKNOWN".into())
        );
        suite.stop().await;
    }
}
