//! The policy in Cedar: one policy a rule. All that hold are its reasons; the first of them decides.

use anyhow::Context as _;
use cedar_policy::{
    Authorizer, Context, Entities, EntityUid, Policy, PolicyId, PolicySet, Request, RestrictedExpression,
};

use super::facts::Facts;
use super::rules::RULES;

/// The policy, ready to answer.
#[derive(Debug)]
pub(super) struct Cedar {
    authorizer: Authorizer,
    policies: PolicySet,
    entities: Entities,
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
}

impl Cedar {
    pub(super) fn new() -> anyhow::Result<Cedar> {
        let mut policies = PolicySet::new();
        for (index, rule) in RULES.iter().enumerate() {
            let text = format!("permit(principal, action, resource) when {{ {} }};", rule.cedar);
            policies.add(Policy::parse(Some(PolicyId::new((index + 1).to_string())), text)?)?;
        }
        Ok(Cedar {
            authorizer: Authorizer::new(),
            policies,
            entities: Entities::empty(),
            principal: r#"Department::"licensing""#.parse()?,
            action: r#"Action::"decide""#.parse()?,
            resource: r#"Matter::"permit""#.parse()?,
        })
    }

    /// Hands over the facts.
    pub(super) fn request(&self, facts: &Facts) -> anyhow::Result<Request> {
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let flags = RestrictedExpression::new_set(facts.flags().map(text));
        let mut pairs = vec![
            ("state".to_owned(), text(facts.state())),
            ("flags".to_owned(), flags),
            ("polluter_class".to_owned(), text(facts.polluter_class())),
            (
                "open_rectification".to_owned(),
                RestrictedExpression::new_bool(facts.open_rectification),
            ),
            (
                "events_12m".to_owned(),
                RestrictedExpression::new_long(facts.events_12m),
            ),
        ];
        let numbers = [
            ("star", facts.star),
            ("points", facts.points),
            ("rating_age_months", facts.rating_age_months),
        ];
        for (name, number) in numbers {
            let number = number.map(RestrictedExpression::new_long);
            pairs.extend(number.map(|number| (name.to_owned(), number)));
        }
        for (name, code) in [("sector", facts.sector), ("district", facts.district)] {
            pairs.extend(code.map(|code| (name.to_owned(), text(code))));
        }
        Ok(Request::new(
            self.principal.clone(),
            self.action.clone(),
            self.resource.clone(),
            Context::from_pairs(pairs)?,
            None,
        )?)
    }

    /// The number of the rule that decides; 0: none.
    pub(super) fn decide(&self, request: &Request) -> anyhow::Result<usize> {
        let response = self
            .authorizer
            .is_authorized(request, &self.policies, &self.entities);
        let mut first = usize::MAX;
        for reason in response.diagnostics().reason() {
            let reason: &str = reason.as_ref();
            first = first.min(reason.parse().context("a policy is called by its number")?);
        }
        Ok(if first == usize::MAX { 0 } else { first })
    }
}
