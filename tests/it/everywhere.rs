//! Trust broken anywhere restricts everywhere, and never beyond what the law allows.

use serde_json::Value;

use crate::door::Door;

fn names_flag(answer: &Value, flag: &str) {
    let flags = answer["flags"].as_array().cloned().unwrap_or_default();
    let named = flags
        .iter()
        .find(|named| named["name"] == flag)
        .unwrap_or_else(|| panic!("{flag} in {answer}"));
    let bases = named["bases"].as_array().cloned().unwrap_or_default();
    assert!(!bases.is_empty(), "the flag's basis: {named}");
    assert!(
        !bases[0]["title"]["zh"].as_str().unwrap_or_default().is_empty(),
        "the basis by name: {named}"
    );
    assert!(named["endTime"].is_string(), "the flag's term: {named}");
}

#[tokio::test]
async fn a_confirmed_serious_penalty_restricts_every_department_and_its_lifting_frees_all() {
    the_headline(&Door::open().await).await;
}

/// The walk that the same suite must pass however it is put together.
pub(crate) async fn the_headline(door: &Door) {
    let firm = &door.listed(5).await[0];

    let as_before = async |token: Option<&str>| {
        let permit = door.permit(firm, "pollutant-permit", token).await;
        let finance = door.finance(firm, token).await;
        let inspection = door.inspection(firm, token).await;
        assert_eq!(permit["outcome"], "FAST_TRACK", "{permit}");
        assert_eq!(permit["star"], 5);
        assert_eq!(finance["outcome"], "PRIORITY", "{finance}");
        assert_eq!(inspection["outcome"], "EXEMPT", "{inspection}");
        assert_eq!(inspection["regime"]["routineOnSiteExempt"], true, "{inspection}");
        for answer in [permit, finance, inspection] {
            assert!(answer["flags"].as_array().is_none_or(Vec::is_empty), "{answer}");
        }
    };
    as_before(None).await;

    let flag = door.raise(firm, "serious-penalty", "").await;
    as_before(None).await;

    let token = door.confirm(&flag).await;
    let permit = door.permit(firm, "pollutant-permit", Some(&token)).await;
    let finance = door.finance(firm, Some(&token)).await;
    let inspection = door.inspection(firm, Some(&token)).await;
    assert_eq!(permit["outcome"], "STRICT_REVIEW", "{permit}");
    assert_eq!(finance["outcome"], "PRUDENT", "{finance}");
    assert_ne!(inspection["regime"]["routineOnSiteExempt"], true, "{inspection}");
    for answer in [&permit, &finance, &inspection] {
        names_flag(answer, &flag);
        let reasons = answer["reasons"].as_array().unwrap();
        assert!(!reasons.is_empty());
        for reason in reasons {
            assert!(
                !reason["text"]["zh"].as_str().unwrap_or_default().is_empty(),
                "{reason}"
            );
            assert!(
                !reason["text"]["en"].as_str().unwrap_or_default().is_empty(),
                "{reason}"
            );
        }
    }

    let token = door.lift(&flag).await;
    as_before(Some(&token)).await;
}

#[tokio::test]
async fn a_permit_by_deceit_refuses_that_kind_of_permit_and_no_other() {
    let door = Door::open().await;
    let firm = &door.listed(5).await[0];

    let flag = door
        .raise(firm, "permit-by-deceit", "hazardous-waste-permit")
        .await;
    let token = door.confirm(&flag).await;

    let refused = door.permit(firm, "hazardous-waste-permit", Some(&token)).await;
    assert_eq!(refused["outcome"], "REFUSE", "{refused}");
    names_flag(&refused, &flag);
    let other = door.permit(firm, "pollutant-permit", Some(&token)).await;
    assert_eq!(other["outcome"], "FAST_TRACK", "{other}");

    let token = door.lift(&flag).await;
    let again = door.permit(firm, "hazardous-waste-permit", Some(&token)).await;
    assert_eq!(again["outcome"], "FAST_TRACK", "{again}");
}

#[tokio::test]
async fn an_enterprise_that_nobody_knows_is_treated_as_any_firm() {
    let door = Door::open().await;
    let unknown = "914403001922038216";
    let rating = door
        .get("licensing", &format!("/v1/enterprises/{unknown}/rating"))
        .await;
    assert_eq!(rating["rating"]["state"], "RATING_STATE_NOT_RATED", "{rating}");
    assert_ne!(rating["rating"]["known"], true);
    let permit = door.permit(unknown, "pollutant-permit", None).await;
    assert_eq!(permit["outcome"], "STANDARD", "{permit}");
    assert_eq!(permit["state"], "RATING_STATE_NOT_RATED");
    assert_ne!(permit["known"], true);
    assert_eq!(door.finance(unknown, None).await["outcome"], "STANDARD");
}

#[tokio::test]
async fn a_flag_binds_an_enterprise_that_nobody_registered() {
    let door = Door::open().await;
    let unknown = "914403001922038216";
    let flag = door.raise(unknown, "serious-penalty", "").await;
    let token = door.confirm(&flag).await;
    let permit = door.permit(unknown, "pollutant-permit", Some(&token)).await;
    assert_eq!(permit["outcome"], "STRICT_REVIEW", "{permit}");
    names_flag(&permit, &flag);
}
