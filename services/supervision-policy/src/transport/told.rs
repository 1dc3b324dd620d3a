//! What is said of a decision, to who asked and in its record.

use std::time::Duration;

use greenstar_kernel::{LocalizedText, Timestamp, Verdict};
use greenstar_proto::supervision::v1 as pb;
use pbjson_types as wkt;

use super::authority::Authority;
use super::convert::{self, Arguments};
use super::spelled::{OF_ANSWER, OF_RECORD, Out};
use crate::domain::decide::Decision;
use crate::domain::matter::Handling;
use crate::follow::wire;

/// What an answer and its record say alike.
#[derive(Debug)]
pub(super) struct Told<'a> {
    pub(super) decision: &'a Decision<'a>,
    /// What it says about its own standing.
    pub(super) caveat: Option<LocalizedText>,
    pub(super) known: bool,
    pub(super) as_of: Timestamp,
    /// How old the data may have been; `None`: nobody can say.
    pub(super) age: Option<Duration>,
    pub(super) token: &'a str,
    pub(super) handling: Handling,
}

/// What only the record says.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    pub(super) enterprise: &'a str,
    pub(super) matter: &'a str,
    pub(super) arguments: &'a Arguments,
    pub(super) department: &'a str,
    pub(super) officer: &'a str,
    pub(super) request_id: &'a str,
    pub(super) facts: &'a str,
    pub(super) versions: pb::Versions,
    pub(super) max_staleness: Duration,
    pub(super) policies_unfit: bool,
    pub(super) authority: Option<&'a Authority>,
    pub(super) pinned_version: &'a str,
}

/// An encoded `DecideResponse`, or a typed answer: they have the same fields.
#[derive(Debug)]
pub(super) struct Answer(Out);

impl Told<'_> {
    /// All but the name of the record, which is known later.
    pub(super) fn answer(&self, policy_version: &str, verdict: Verdict) -> Answer {
        let mut out = Out::with_room(2_048);
        let standing = self.decision.rating.standing;
        out.text(1, self.decision.outcome.code.as_str());
        OF_ANSWER.measures(&mut out, self.decision);
        OF_ANSWER.reasons(&mut out, self.decision, self.caveat.as_ref());
        out.some_number(4, standing.star().map(|star| i32::from(star.get())));
        out.number(5, convert::state(standing.state()).into());
        out.yes(6, self.known);
        OF_ANSWER.flags(&mut out, self.decision);
        out.message(8, &wire::to_instant(self.as_of));
        out.span(9, self.age);
        out.text(10, policy_version);
        out.text(11, self.token);
        out.yes(13, self.handling == Handling::ManualReview);
        out.number(14, convert::verdict(verdict).into());
        Answer(out)
    }

    /// An encoded `Decision` without its name.
    pub(super) fn record(&self, kept: &Kept<'_>) -> Vec<u8> {
        let mut out = Out::with_room(4_096);
        let standing = self.decision.rating.standing;
        out.text(2, kept.enterprise);
        out.text(3, kept.matter);
        for (name, value) in kept.arguments {
            out.nested(4, |out| {
                out.text(1, name);
                out.text(2, value);
            });
        }
        out.text(5, kept.department);
        out.text(6, kept.officer);
        out.text(7, kept.request_id);
        out.text(8, self.decision.outcome.code.as_str());
        OF_RECORD.measures(&mut out, self.decision);
        OF_RECORD.reasons(&mut out, self.decision, self.caveat.as_ref());
        out.some_number(11, standing.star().map(|star| i32::from(star.get())));
        out.number(12, convert::state(standing.state()).into());
        out.yes(13, self.known);
        OF_RECORD.flags(&mut out, self.decision);
        out.message(15, &wire::to_instant(self.as_of));
        out.text(16, kept.facts);
        out.message(17, &kept.versions);
        out.text(18, self.token);
        out.yes(19, self.handling == Handling::ManualReview);
        out.number(20, convert::handling(self.handling).into());
        out.span(21, self.age);
        out.message(22, &wkt::Duration::from(kept.max_staleness));
        out.yes(23, kept.policies_unfit);
        if let Some(authority) = kept.authority {
            out.message(24, authority.wire());
        }
        out.text(25, kept.pinned_version);
        out.into_bytes()
    }
}

impl Answer {
    /// Of an inspection regime.
    pub(super) fn with_regime(&mut self, regime: &pb::InspectionRegime) {
        self.0.message(15, regime);
    }

    /// Names the record.
    pub(super) fn with_record(&mut self, name: &str) {
        self.0.text(12, name);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.written()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use greenstar_kernel::{Code, Department, Document, Standing, Star};
    use prost::Message as _;

    use super::*;
    use crate::domain::catalogue::{Catalogue, Severity};
    use crate::domain::caution::decide_cautiously;
    use crate::domain::decide::decide;
    use crate::domain::facts::{Facts, Flag};
    use crate::domain::matter;
    use crate::domain::policy::Policy;
    use crate::domain::shipped;

    const NOW: Timestamp = Timestamp::from_micros(1_800_000_000_123_000);

    fn policy() -> Policy {
        let catalogue = include_str!("../../../sanctions/data/catalogue.yaml");
        let catalogue = Arc::new(Catalogue::from_yaml(catalogue).unwrap());
        Policy::load(&shipped::documents(), catalogue).unwrap()
    }

    fn flag(policy: &Policy, kind: &str, scope: Option<&str>) -> Flag {
        Flag {
            name: format!("enterprises/91110115MAX000015J/flags/{kind}").into(),
            kind: Code::parse(kind).unwrap(),
            severity: Severity::Serious,
            department: Department::parse("enforcement").unwrap(),
            scope: scope.map(|scope| Code::parse(scope).unwrap()),
            document: Document {
                issuer: "局".to_owned(),
                number: "12号".to_owned(),
                date: NOW.date(),
            },
            bases: policy.catalogue().parts().bases.iter().take(3).cloned().collect(),
            start: NOW,
            end: scope.map(|_| NOW.plus(Duration::from_secs(1_000_000))),
        }
    }

    /// Of every matter, with every star and none, with and without flags.
    #[test]
    fn the_bytes_are_what_the_messages_encode_to() {
        let policy = policy();
        let mut standings: Vec<Standing> = Star::ALL.map(Standing::Rated).into();
        standings.extend([Standing::NotRated, Standing::Vetoed, Standing::Expired]);
        let kinds = [
            vec![],
            vec![flag(&policy, "serious-penalty", None)],
            vec![
                flag(&policy, "permit-by-deceit", Some("eia-approval")),
                flag(&policy, "ordinary-penalty", None),
            ],
        ];
        for ((matter, standing), flags) in policy
            .matters()
            .iter()
            .flat_map(|matter| standings.iter().map(move |standing| (matter, *standing)))
            .flat_map(|asked| kinds.iter().map(move |flags| (asked, flags)))
        {
            let mut facts = Facts::unknown();
            facts.known = true;
            facts.rating.standing = standing;
            facts.flags = flags.clone().into();
            let unrated = facts.unrated();
            let none = matter::Arguments::NONE;
            let decided = [
                (Handling::Fresh, decide(&policy, matter, &facts, &none, NOW)),
                (
                    Handling::ManualReview,
                    decide_cautiously(&policy, matter, &facts, &unrated, &none, NOW),
                ),
            ];
            for (handling, decision) in decided {
                let decision = decision.unwrap();
                compare(&decision, handling);
            }
        }
    }

    fn compare(decision: &Decision<'_>, handling: Handling) {
        let caveat = LocalizedText::new("时效", "stale");
        let manual_review = handling == Handling::ManualReview;
        let told = Told {
            decision,
            caveat: manual_review.then(|| caveat.clone()),
            known: true,
            as_of: NOW,
            age: manual_review.then_some(Duration::from_micros(1_500_001)),
            token: "a token",
            handling,
        };
        let mut reasons = convert::reasons(decision);
        reasons.extend(manual_review.then(|| convert::staleness(caveat.clone())));
        let mut answer = told.answer("versions", Verdict::UnknownArea);
        answer.with_record("decisions/7");
        let expected = pb::DecideResponse {
            outcome: decision.outcome.code.to_string(),
            measures: convert::measures(decision),
            reasons: reasons.clone(),
            star: decision.rating.standing.star().map(|star| i32::from(star.get())),
            state: convert::state(decision.rating.standing.state()).into(),
            known: true,
            flags: convert::flags(decision),
            as_of: Some(wire::to_instant(NOW)),
            data_age: told.age.map(wkt::Duration::from),
            policy_version: "versions".to_owned(),
            token: "a token".to_owned(),
            decision: "decisions/7".to_owned(),
            manual_review,
            uscc_verdict: convert::verdict(Verdict::UnknownArea).into(),
        };
        let bytes = answer.into_bytes();
        assert_eq!(bytes.len(), expected.encoded_len());
        assert_eq!(pb::DecideResponse::decode(&*bytes).unwrap(), expected);

        let arguments = Arguments::from([("a".to_owned(), "1".to_owned()), ("b".to_owned(), String::new())]);
        let record = told.record(&Kept {
            enterprise: "enterprises/1",
            matter: "departments/d/matters/m",
            arguments: &arguments,
            department: "d",
            officer: "d/2",
            request_id: "r",
            facts: "{}",
            versions: pb::Versions::default(),
            max_staleness: Duration::ZERO,
            policies_unfit: manual_review,
            authority: None,
            pinned_version: "policies/p/versions/1",
        });
        let expected = pb::Decision {
            name: String::new(),
            enterprise: "enterprises/1".to_owned(),
            matter: "departments/d/matters/m".to_owned(),
            arguments: arguments.into_iter().collect(),
            department: "d".to_owned(),
            officer: "d/2".to_owned(),
            request_id: "r".to_owned(),
            outcome: expected.outcome,
            measures: expected.measures,
            reasons,
            star: expected.star,
            state: expected.state,
            known: true,
            flags: expected.flags,
            as_of_time: expected.as_of,
            facts: "{}".to_owned(),
            versions: Some(pb::Versions::default()),
            token: expected.token,
            manual_review,
            handling: convert::handling(handling).into(),
            data_age: expected.data_age,
            max_staleness: Some(wkt::Duration::default()),
            policies_unfit: manual_review,
            authority: None,
            pinned_version: "policies/p/versions/1".to_owned(),
        };
        assert_eq!(record.len(), expected.encoded_len());
        assert_eq!(pb::Decision::decode(&*record).unwrap(), expected);
    }
}
