//! Declarations: their last day, corrections, two officers, and what a review begins with.

use greenstar_proto::rating::v1 as pb;
use tonic::Code;

use crate::enterprises::{FIRST, SECOND, THIRD};
use crate::facts::noon;
use crate::procedure::{
    after, ask, begin, confirm, declaration, declared, enrol, is, name, not_yet, open_comment, overdue,
};
use crate::rounds::{ROUND, claim, declare, excellent, verdict, verify};
use crate::service::{Suite, refused};

#[tokio::test]
async fn declarations_have_a_last_day_are_corrected_and_are_verified_by_two_officers() {
    for suite in Suite::both(noon("2026-03-02")).await {
        declared(&suite).await;
        // One open round at a time.
        begin(&suite, "beside", "").await.unwrap();
        assert_eq!(
            refused(enrol(&suite, "beside", &[THIRD]).await),
            not_yet("ENROLLED_ELSEWHERE")
        );

        let verdicts: Vec<_> = excellent().iter().map(verdict).collect();
        let early = verify(&suite, "rating/2", FIRST, verdicts.clone()).await;
        assert_eq!(
            refused(early),
            not_yet("STEP_TOO_EARLY"),
            "the third may still declare"
        );
        assert_eq!(refused(open_comment(&suite).await), not_yet("ROUND_STATE"));
        assert_eq!(overdue(&suite).await, [""; 0]);
        suite.clock.set(after("2026-03-10"));
        assert_eq!(
            overdue(&suite).await,
            ["DECLARED"],
            "nobody is in the other round"
        );
        let late = declare(&suite, "rating", THIRD, excellent()).await;
        assert_eq!(refused(late), not_yet("DEADLINE_PASSED"));

        let back = ask!(
            suite,
            "rating",
            return_declaration,
            ReturnDeclarationRequest {
                round: ROUND.into(),
                enterprise: name(SECOND),
                reason: "B02 缺验收意见".into(),
            }
        );
        back.unwrap();
        let own = declaration(&suite, &name(SECOND), SECOND).await;
        assert_eq!(own.return_reason, "B02 缺验收意见");
        // Five working days from Wednesday the 11th.
        let due = own.correct_by_time.unwrap().seconds;
        assert_eq!(due * 1_000_000, after("2026-03-18").micros());
        let little = vec![claim("B02", "1", &[], "CAP")];
        let meanwhile = verify(&suite, "rating/2", SECOND, vec![verdict(&little[0])]).await;
        assert_eq!(refused(meanwhile), not_yet("STEP_TOO_EARLY"));
        declare(&suite, &name(SECOND), SECOND, little.clone())
            .await
            .unwrap();

        verify(&suite, "rating/2", FIRST, verdicts).await.unwrap();
        assert_eq!(
            refused(confirm(&suite, "rating/2", FIRST).await),
            is(Code::PermissionDenied, "SAME_OFFICER")
        );
        assert_eq!(
            refused(confirm(&suite, "rating/3", SECOND).await.map(|_| ())),
            not_yet("VERIFICATION_OPEN")
        );
        suite.stop().await;
    }
}

#[tokio::test]
async fn a_review_is_prefilled_from_what_authorities_know_and_a_withdrawn_round_frees_its_enterprises() {
    let suite = Suite::start(noon("2026-03-02")).await;
    crate::rounds::published(&suite).await;
    let unpublished = begin(&suite, "early", "rounds/nowhere").await;
    assert_eq!(refused(unpublished), is(Code::NotFound, "ROUND_UNKNOWN"));
    let round = begin(&suite, "review", ROUND).await.unwrap().round.unwrap();
    assert_eq!(round.review_of, ROUND);
    let of_open = begin(&suite, "review-of-review", "rounds/review").await;
    assert_eq!(refused(of_open), not_yet("ROUND_STATE"));
    enrol(&suite, "review", &[FIRST]).await.unwrap();
    let own = ask!(
        suite,
        &name(FIRST),
        get_declaration,
        GetDeclarationRequest {
            round: "rounds/review".into(),
            enterprise: name(FIRST),
        }
    );
    let known = own.unwrap().declaration.unwrap().prefilled;
    let items: Vec<String> = known
        .iter()
        .map(|known| known.claim.clone().unwrap().item)
        .collect();
    // On evidence of an authority or a system; what the firm or a third party wrote is declared anew.
    assert_eq!(items, ["B01", "B04", "B05", "D02", "D04", "E01", "E02"]);
    assert!(known.iter().all(|known| known.source == ROUND));

    begin(&suite, "beside", ROUND).await.unwrap();
    assert_eq!(
        refused(enrol(&suite, "beside", &[FIRST]).await),
        not_yet("ENROLLED_ELSEWHERE")
    );
    let withdrawn = ask!(
        suite,
        "rating",
        withdraw_round,
        WithdrawRoundRequest {
            name: "rounds/review".into(),
            reason: "改期".into(),
        }
    );
    assert_eq!(
        withdrawn.unwrap().round.unwrap().state(),
        pb::RoundState::Withdrawn
    );
    enrol(&suite, "beside", &[FIRST]).await.unwrap();
    suite.stop().await;
}
