//! What the counter is told of a better outcome that does not apply: every kind of firm, in both languages.

use std::sync::Arc;

use greenstar_kernel::{LocalizedText, Standing, Timestamp};

use super::support::{ask, date, event, firm, flag, policy, scoped, serious_penalty, star, today, with};
use crate::domain::catalogue::Severity;
use crate::domain::facts::{Facts, Flag, PolluterClass};
use crate::domain::policy::Document;
use crate::domain::reason::ReasonKind;

const PERMIT: &str = "licensing/pollutant-permit";
const LOAN: &str = "finance/green-loan";
const REGIME: &str = "enforcement/inspection-regime";

/// The only reason of its kind, with its row.
fn blocked_at(matter: &str, facts: &Facts, as_of: Timestamp) -> Option<(LocalizedText, Option<String>)> {
    let policy = policy();
    let decision = ask(&policy, matter, facts, as_of);
    let mut blocked = decision
        .reasons
        .iter()
        .filter(|reason| reason.kind() == ReasonKind::Blocked)
        .map(|reason| (reason.text(), reason.row()));
    let first = blocked.next();
    assert!(blocked.next().is_none(), "one says it all");
    first
}

fn blocked(matter: &str, facts: &Facts) -> Option<LocalizedText> {
    blocked_at(matter, facts, today()).map(|(text, _)| text)
}

#[track_caller]
fn told(matter: &str, facts: &Facts, zh: &str, en: &str) {
    let text = blocked(matter, facts).unwrap();
    assert_eq!((text.zh.as_str(), text.en.as_str()), (zh, en));
}

fn numbered(mut flag: Flag, number: &str) -> Flag {
    flag.document.number = number.to_owned();
    flag
}

fn ordinary_penalty() -> Flag {
    numbered(
        flag("ordinary-penalty", Severity::Ordinary, "2026-08-20", 12),
        "京兴环罚〔2026〕7号",
    )
}

#[test]
fn the_best_outcome_has_nothing_in_its_way() {
    for matter in [PERMIT, LOAN, REGIME] {
        assert_eq!(blocked(matter, &firm(star(5))), None);
    }
}

#[test]
fn a_five_star_firm_with_a_serious_penalty_is_told_of_the_flag_its_document_and_last_day() {
    let facts = with(firm(star(5)), serious_penalty());
    let flag_zh = "失信标记仍在有效期内：严重行政处罚（京兴环罚〔2026〕12号，有效期至 2029-10-08），期满或者依法解除后可以重新查询";
    let flag_en = "in force: Serious administrative penalty (document 京兴环罚〔2026〕12号, last day 2029-10-08); \
                   ask again once it has ended or was lifted";
    for (matter, zh, en) in [
        (PERMIT, "绿色通道", "Fast track"),
        (LOAN, "优先支持", "Priority"),
        (REGIME, "免于日常现场检查", "Exempt from routine on-site visits"),
    ] {
        told(
            matter,
            &facts,
            &format!("未能适用“{zh}”：{flag_zh}"),
            &format!("\"{en}\" does not apply: {flag_en}"),
        );
    }
}

#[test]
fn a_three_star_firm_that_got_a_permit_by_deceit_is_not_told_of_stars() {
    let deceit = flag("permit-by-deceit", Severity::Serious, "2026-10-08", 36);
    let facts = with(firm(star(3)), scoped(deceit, "pollutant-permit"));
    told(
        PERMIT,
        &facts,
        "未能适用“一般程序”：失信标记仍在有效期内：以欺骗、贿赂等不正当手段取得行政许可（京兴环罚〔2026〕12号，有效期至 2029-10-08），期满或者依法解除后可以重新查询",
        "\"Standard procedure\" does not apply: in force: Permit obtained by deceit or bribery (document 京兴环罚〔2026〕12号, \
         last day 2029-10-08); ask again once it has ended or was lifted",
    );
    // Elsewhere the flag counts for nothing, and the star alone is missing.
    let text = blocked("licensing/eia-approval", &facts).unwrap();
    assert_eq!(
        text.en,
        "\"Fast track\" does not apply: it takes at least 4 stars, it has 3"
    );
}

#[test]
fn a_vetoed_firm_is_told_of_the_veto() {
    for (matter, zh, en) in [
        (PERMIT, "一般程序", "Standard procedure"),
        (LOAN, "一般对待", "Standard"),
        (REGIME, "常规检查", "Standard visits"),
    ] {
        told(
            matter,
            &firm(Standing::Vetoed),
            &format!("未能适用“{zh}”：企业在环境信用评价中被“一票否决”，否决解除后可以重新查询"),
            &format!(
                "\"{en}\" does not apply: a one-vote veto of the rating is active; ask again once it has ended"
            ),
        );
    }
}

#[test]
fn a_veto_and_a_flag_that_hold_together_are_both_named() {
    let facts = with(
        with(firm(Standing::Vetoed), serious_penalty()),
        ordinary_penalty(),
    );
    let text = blocked(LOAN, &facts).unwrap();
    assert!(
        text.en.contains("veto") && text.en.contains("Serious administrative penalty"),
        "{}",
        text.en
    );
    assert!(
        !text.en.contains("Ordinary"),
        "it is not in the way of this: {}",
        text.en
    );
}

#[test]
fn of_several_flags_only_those_in_the_way_are_named() {
    // It counts here, and no row asks for it.
    let special = numbered(
        flag("special-action", Severity::Minor, "2026-11-02", 3),
        "京环专〔2026〕1号",
    );
    let facts = with(
        with(with(firm(star(5)), special), ordinary_penalty()),
        serious_penalty(),
    );
    told(
        PERMIT,
        &facts,
        "未能适用“一般程序”：失信标记仍在有效期内：严重行政处罚（京兴环罚〔2026〕12号，有效期至 2029-10-08），期满或者依法解除后可以重新查询",
        "\"Standard procedure\" does not apply: in force: Serious administrative penalty (document 京兴环罚〔2026〕12号, \
         last day 2029-10-08); ask again once it has ended or was lifted",
    );
    // Two of a kind hold together: the end of one alone changes nothing.
    let twice = with(
        with(firm(star(4)), ordinary_penalty()),
        numbered(
            flag("ordinary-penalty", Severity::Ordinary, "2026-10-01", 12),
            "京兴环罚〔2026〕9号",
        ),
    );
    let text = blocked(PERMIT, &twice).unwrap();
    assert!(
        text.zh.contains("〔2026〕7号，有效期至 2027-08-20")
            && text.zh.contains("〔2026〕9号，有效期至 2027-10-01"),
        "{}",
        text.zh
    );
}

#[test]
fn a_star_too_low_is_told_with_the_least_that_would_do() {
    told(
        PERMIT,
        &firm(star(3)),
        "未能适用“绿色通道”：需要 4 星及以上，现为 3 星",
        "\"Fast track\" does not apply: it takes at least 4 stars, it has 3",
    );
    told(
        REGIME,
        &firm(star(2)),
        "未能适用“降低检查频次”：需要 4 星及以上，现为 2 星",
        "\"Reduced visits\" does not apply: it takes at least 4 stars, it has 2",
    );
    told(
        LOAN,
        &firm(star(4)),
        "未能适用“优先支持”：需要 5 星，现为 4 星",
        "\"Priority\" does not apply: it takes 5 stars, it has 4",
    );
}

#[test]
fn a_firm_without_a_star_is_told_why_it_has_none_as_far_as_the_state_says_it() {
    for (standing, zh, en) in [
        (Standing::NotRated, "目前没有星级", "it has none now"),
        (Standing::NotListed, "目前没有星级", "it has none now"),
        (
            Standing::Suspended,
            "评价已中止，目前没有星级",
            "it has none while its rating is suspended",
        ),
        (
            Standing::Expired,
            "星级有效期已过，目前没有星级",
            "it has none since its rating expired",
        ),
    ] {
        told(
            PERMIT,
            &firm(standing),
            &format!("未能适用“绿色通道”：需要 4 星及以上，{zh}"),
            &format!("\"Fast track\" does not apply: it takes at least 4 stars, {en}"),
        );
    }
}

#[test]
fn a_star_and_a_flag_that_are_missing_together_are_told_together() {
    told(
        PERMIT,
        &with(firm(star(3)), ordinary_penalty()),
        "未能适用“绿色通道”：需要 4 星及以上，现为 3 星；失信标记仍在有效期内：一般行政处罚（京兴环罚〔2026〕7号，有效期至 2027-08-20），期满或者依法解除后可以重新查询",
        "\"Fast track\" does not apply: it takes at least 4 stars, it has 3; in force: Ordinary administrative penalty \
         (document 京兴环罚〔2026〕7号, last day 2027-08-20); ask again once it has ended or was lifted",
    );
}

#[test]
fn a_blacklist_entry_past_its_ceiling_restricts_no_more_and_still_costs_the_fast_track() {
    let entry = flag(
        "environmental-service-blacklist",
        Severity::Serious,
        "2023-01-10",
        60,
    );
    let facts = with(firm(star(5)), entry);
    let as_of = date("2026-01-11").start();
    let (text, row) = blocked_at("licensing/eia-approval", &facts, as_of).unwrap();
    assert_eq!(
        text.zh,
        "未能适用“绿色通道”：失信标记仍在有效期内：环境影响评价失信“黑名单”（京兴环罚〔2026〕12号，有效期至 2028-01-10），期满或者依法解除后可以重新查询"
    );
    assert_eq!(row.as_deref(), Some("licensing-default/4"));
    let policy = policy();
    let decision = ask(&policy, "licensing/eia-approval", &facts, as_of);
    let gate = decision
        .reasons
        .iter()
        .find(|reason| reason.kind() == ReasonKind::LegalGate)
        .unwrap()
        .text();
    assert_eq!(
        gate.en,
        "\"Strict review\" is not applied: the measure \"Strict review\" would have to carry it, but the flag, though in \
         force, is older than its severity allows, so no measure rests on it any more"
    );
}

#[test]
fn a_hazardous_waste_operator_is_promised_nothing_for_a_higher_star() {
    let mut facts = firm(star(3));
    facts.polluter_class = PolluterClass::HazardousWasteOperator;
    assert_eq!(blocked(REGIME, &facts), None);
    facts.rating.standing = star(5);
    assert_eq!(blocked(REGIME, &facts), None);
}

#[test]
fn an_event_in_the_way_is_told_with_its_window_and_without_table_syntax() {
    let mut facts = firm(star(5));
    facts.events = Arc::new([event("complaint_verified_minor", Severity::Minor, "2026-08-01")]);
    told(
        REGIME,
        &facts,
        "未能适用“免于日常现场检查”：最近一次查实投诉距今月数应为无或者不少于 12，现为 3",
        "\"Exempt from routine on-site visits\" does not apply: months since the last verified complaint should be none or \
         at least 12, is 3",
    );
    facts.rating.standing = star(4);
    let text = blocked(REGIME, &facts).unwrap();
    assert!(
        text.zh.contains("需要 5 星，现为 4 星；最近一次查实投诉"),
        "{}",
        text.zh
    );
}

#[test]
fn a_department_without_a_table_tells_of_the_flag_as_well() {
    let awards = "
policy: awards
version: 1
department: awards
matters: [{ code: award, title: { zh: 评优评先, en: Awards } }]
outcomes:
  - { code: OPEN, level: NEUTRAL, title: { zh: 可以参评, en: Open } }
  - { code: LIMITED, level: RESTRICT, carried_by: award-limit, title: { zh: 限制参评, en: Limited } }
";
    let policy = policy()
        .with(&Document {
            name: "awards.yaml".to_owned(),
            text: awards.to_owned(),
        })
        .unwrap();
    let facts = with(firm(star(5)), serious_penalty());
    let decision = ask(&policy, "awards/award", &facts, today());
    let last = decision.reasons.last().unwrap();
    assert_eq!((last.kind(), last.row()), (ReasonKind::Blocked, None));
    assert!(
        last.text()
            .zh
            .starts_with("未能适用“可以参评”：失信标记仍在有效期内：严重行政处罚"),
        "{}",
        last.text().zh
    );
}
