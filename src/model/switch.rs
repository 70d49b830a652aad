//! The moment from which a rule's winner takes the traffic.

use serde::Serialize;

use super::rule::RuleSpec;
use crate::base::time::UnixMs;

/// Everybody new who is not held out gets the winner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Switch {
    /// The rule.
    #[serde(skip)]
    pub rule: String,
    /// What is compared; another one ends the switch.
    #[serde(skip)]
    pub test: Test,
    /// The variant that won.
    pub winner: String,
    /// The run that it happened with: its people are the first to get the winner.
    pub at: UnixMs,
    /// The rule's version then.
    #[serde(skip)]
    pub hash: String,
}

/// What a rule compares: the same for as long as neither the experiment's key nor the variants' names change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// Seed of the split.
    pub experiment: String,
    /// Names in the rule's order, as a JSON array.
    pub variants: String,
}

impl Test {
    /// What a rule compares.
    #[must_use]
    pub fn of(spec: &RuleSpec) -> Self {
        let names: Vec<&str> = spec.variants.iter().map(|variant| variant.name.as_str()).collect();
        Self { experiment: spec.experiment.clone(), variants: serde_json::json!(names).to_string() }
    }
}
