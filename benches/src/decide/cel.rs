//! The policy in CEL: one conditional that answers the number of the first rule that holds. The environment, with the
//! functions of the language, is shared; a decision only adds its facts.

use std::fmt;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use cel::{Context, Env, Program, Value};

use super::facts::Facts;
use super::rules::RULES;

/// The policy, ready to answer.
pub(super) struct Cel {
    env: Arc<Env>,
    program: Program,
}

impl fmt::Debug for Cel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cel").finish_non_exhaustive()
    }
}

impl Cel {
    pub(super) fn new() -> anyhow::Result<Cel> {
        let env = Arc::new(Env::stdlib());
        let mut text = String::new();
        for (index, rule) in RULES.iter().enumerate() {
            text.push_str(&format!("({}) ? {} : ", rule.cel, index + 1));
        }
        text.push('0');
        let program = env.compile(&text).map_err(|error| anyhow!("{error}"))?;
        Ok(Cel { env, program })
    }

    /// Hands over the facts.
    pub(super) fn context(&self, facts: &Facts) -> Context<'static, 'static> {
        let mut context = Context::with_env(Arc::clone(&self.env));
        let flags: Vec<Value> = facts.flags().map(Value::from).collect();
        context.add_variable_from_value("star", facts.star.unwrap_or(0));
        context.add_variable_from_value("state", facts.state());
        context.add_variable_from_value("flags", flags);
        context.add_variable_from_value("points", facts.points.unwrap_or(-1));
        context.add_variable_from_value("rating_age_months", facts.rating_age_months.unwrap_or(-1));
        context.add_variable_from_value("sector", facts.sector.unwrap_or_default());
        context.add_variable_from_value("district", facts.district.unwrap_or_default());
        context.add_variable_from_value("polluter_class", facts.polluter_class());
        context.add_variable_from_value("open_rectification", facts.open_rectification);
        context.add_variable_from_value("events_12m", facts.events_12m);
        context
    }

    /// The number of the rule that decides; 0: none.
    pub(super) fn decide(&self, context: &Context<'_, '_>) -> anyhow::Result<usize> {
        match self.program.execute(context)? {
            Value::Int(rule) => Ok(usize::try_from(rule)?),
            other => bail!("a number was expected, not {other:?}"),
        }
    }
}
