//! Schemes as messages.

use greenstar_kernel::{Code, LocalizedText, Said, Timestamp};
use greenstar_proto::rating::v1 as pb;
use greenstar_proto::reason_name;

use super::convert::{scheme_name, standing, text, time};
use crate::domain::activation::Activation;
use crate::domain::command::StoredScheme;
use crate::domain::dry_run::{Comparison, Moved};
use crate::domain::scheme::{
    Effect, Grade, Issuer, Item, Mode, Scheme, SchemeFaults, Scoring, Severity, Veto, Window,
};

/// `whole`: with its source. `named`: with its author.
pub(super) fn scheme(
    stored: &StoredScheme,
    activated: Option<&Activation>,
    whole: bool,
    named: bool,
) -> pb::Scheme {
    let author = stored.author.as_ref().filter(|_| named);
    pb::Scheme {
        source: if whole {
            stored.source.clone()
        } else {
            String::new()
        },
        activate_time: activated.map(|activation| time(activation.at)),
        author: author.map(|author| author.0.clone()).unwrap_or_default(),
        ..read(&stored.scheme)
    }
}

/// A scheme as it was read, whether it is stored or not.
pub(super) fn read(scheme: &Scheme) -> pb::Scheme {
    pb::Scheme {
        name: scheme_name(&scheme.key),
        district: scheme.district.clone(),
        categories: scheme
            .categories
            .iter()
            .map(|category| pb::SchemeCategory {
                code: category.code.to_string(),
                title: Some(text(category.name.clone())),
                deduction: category.mode == Mode::Deduction,
                base: category.base.to_string(),
                cap: category.cap.to_string(),
                mixed: category.mode == Mode::Mixed,
                floor: category.floor.to_string(),
            })
            .collect(),
        items: scheme.items.iter().map(|one| item(scheme, one)).collect(),
        vetoes: scheme.vetoes.iter().map(veto).collect(),
        stars: scheme.grades.iter().map(|grade| star(scheme, grade)).collect(),
        evidence_kinds: scheme
            .evidence_kinds
            .iter()
            .map(|kind| pb::EvidenceKind {
                code: kind.code.to_string(),
                title: Some(text(kind.name.clone())),
                issuer: issuer(kind.issuer).to_owned(),
            })
            .collect(),
        step: scheme.step.to_string(),
        ..pb::Scheme::default()
    }
}

fn codes(codes: &[Code]) -> Vec<String> {
    codes.iter().map(Code::to_string).collect()
}

fn item(scheme: &Scheme, item: &Item) -> pb::SchemeItem {
    let (mut rules, mut tiers, mut vetoes) = (Vec::new(), Vec::new(), Vec::new());
    match &item.scoring {
        Scoring::Deduction {
            rules: all,
            vetoes: named,
        } => {
            rules = all
                .iter()
                .map(|rule| pb::SchemeRule {
                    event: rule.event.to_string(),
                    severity: severity(rule.severity).to_owned(),
                    points: rule.points.to_string(),
                    window_months: match rule.window {
                        Window::Months(months) => u32::from(months.0),
                        Window::CalendarYear => 0,
                    },
                    penalty: rule.penalty,
                    suspendable: rule.suspendable,
                })
                .collect();
            vetoes = codes(named);
        }
        Scoring::Steps | Scoring::Marks => {}
        Scoring::Tiers(all) => {
            tiers = all
                .iter()
                .map(|tier| pb::SchemeTier {
                    when: tier.when.to_string(),
                    points: tier.points.to_string(),
                })
                .collect();
        }
    }
    let category = scheme.categories.get(item.category);
    pb::SchemeItem {
        code: item.code.to_string(),
        category: category
            .map(|category| category.code.to_string())
            .unwrap_or_default(),
        title: Some(text(item.name.clone())),
        max: item.max.to_string(),
        rules,
        tiers,
        evidence: codes(&item.evidence),
        vetoes,
        marks: item.scoring == Scoring::Marks,
    }
}

fn veto(veto: &Veto) -> pb::SchemeVeto {
    let (effect, stars) = match veto.effect {
        Effect::Strip => ("strip", 0),
        Effect::Cap(star) => ("cap", u32::from(star.get())),
        Effect::Drop(stars) => ("drop", u32::from(stars)),
    };
    pb::SchemeVeto {
        code: veto.code.to_string(),
        title: Some(text(veto.name.clone())),
        effect: effect.to_owned(),
        stars,
        min_months: u32::from(veto.min.0),
        repairable: veto.repairable,
        evidence: codes(&veto.evidence),
    }
}

fn star(scheme: &Scheme, grade: &Grade) -> pb::SchemeStar {
    let mut gates = vec![LocalizedText::new(
        format!("总分不低于 {}", grade.min_total),
        format!("a total of {}", grade.min_total),
    )];
    for (category, least) in &grade.min_each {
        if let Some(category) = scheme.categories.get(*category) {
            gates.push(LocalizedText::new(
                format!("{} 类（{}）不低于 {least}", category.code, category.name.zh),
                format!(
                    "{least} points in category {} ({})",
                    category.code, category.name.en
                ),
            ));
        }
    }
    if let Some(allowed) = grade.max_penalties {
        gates.push(LocalizedText::new(
            format!("近 24 个月行政处罚不超过 {allowed} 件"),
            format!("at most {allowed} penalties in 24 months"),
        ));
    }
    if !grade.allows_open_rectification {
        gates.push(LocalizedText::new("没有未完成的整改", "no open rectification"));
    }
    pb::SchemeStar {
        star: i32::from(grade.star.get()),
        title: Some(text(grade.name.clone())),
        gates: gates.into_iter().map(text).collect(),
        color: grade.color.as_ref().map(Code::to_string).unwrap_or_default(),
    }
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Minor => "minor",
        Severity::Ordinary => "ordinary",
        Severity::Serious => "serious",
    }
}

fn issuer(issuer: Issuer) -> &'static str {
    match issuer {
        Issuer::Authority => "authority",
        Issuer::Court => "court",
        Issuer::System => "system",
        Issuer::ThirdParty => "third_party",
        Issuer::Enterprise => "enterprise",
    }
}

pub(super) fn faults(faults: SchemeFaults) -> Vec<pb::SchemeFault> {
    let one = |fault: crate::domain::scheme::SchemeFault| pb::SchemeFault {
        reason: reason_name(super::status::fault_reason(&fault)).to_owned(),
        text: Some(text(fault.said())),
        place: fault.place,
    };
    faults.0.into_iter().map(one).collect()
}

pub(super) fn comparison(found: Comparison<'_>, at: Timestamp) -> pb::DryRunResult {
    let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let moves = found.moves.into_values().map(|(before, after, moved)| {
        let ((star_before, state_before), (star_after, state_after)) = (standing(before), standing(after));
        pb::SchemeMove {
            star_before,
            state_before,
            star_after,
            state_after,
            count: count(moved),
        }
    });
    pb::DryRunResult {
        compared: count(found.compared),
        moved: count(found.moved),
        moves: moves.collect(),
        sample: found.sample.into_iter().map(moved).collect(),
        not_scored: count(found.not_scored),
        not_scored_reasons: found.reasons.into_iter().map(text).collect(),
        as_of: Some(time(at)),
    }
}

fn moved(moved: Moved) -> pb::SchemeMoved {
    let ((star_before, state_before), (star_after, state_after)) =
        (standing(moved.before.0), standing(moved.after.0));
    pb::SchemeMoved {
        enterprise: format!("enterprises/{}", moved.uscc),
        display_name: Some(text(moved.name)),
        star_before,
        state_before,
        star_after,
        state_after,
        points_before: moved.before.1.to_string(),
        points_after: moved.after.1.to_string(),
    }
}
