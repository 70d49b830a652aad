//! A rule while its file runs, and what has to be there when the file has ended.

use std::collections::BTreeMap;

use super::internals::{Bound, Place};
use crate::model::consent::LegalBasis;
use crate::model::example::Example;
use crate::model::fault::FileFault;
use crate::model::rule::{Goal, MissedPolicy, Occasion, QuietHours, RuleLimits, RuleSpec, VariantSpec, WinnerAfter};

/// A rule that is being made.
pub(super) struct Draft {
    pub name: String,
    pub file: String,
    pub at: Place,
    /// Whether it is a rule of the file that runs, not of a module that it imports.
    pub counts: bool,
    pub schedule: Option<String>,
    pub missed: MissedPolicy,
    pub basis: Option<LegalBasis>,
    pub condition: Option<Bound>,
    pub occasion: Option<Occasion>,
    pub variants: Vec<(VariantSpec, Bound)>,
    pub control_percent: i64,
    pub goal: Option<Goal>,
    pub quiet: Option<QuietHours>,
    pub priority: i64,
    pub experiment: Option<String>,
    pub winner: Option<WinnerAfter>,
    pub limits: RuleLimits,
    pub examples: Vec<Example>,
    said: BTreeMap<&'static str, Place>,
}

/// A rule that has all it needs.
pub(super) struct Finished {
    pub spec: RuleSpec,
    pub file: String,
    /// Where each verb stands; `rule` is where it begins.
    pub said: BTreeMap<&'static str, Place>,
    pub condition: Bound,
    pub actions: Vec<Bound>,
    pub examples: Vec<Example>,
}

impl Draft {
    pub(super) fn new(name: String, file: String, at: Place, counts: bool) -> Self {
        Self {
            name,
            file,
            at,
            counts,
            schedule: None,
            missed: MissedPolicy::default(),
            basis: None,
            condition: None,
            occasion: None,
            variants: Vec::new(),
            control_percent: 0,
            goal: None,
            quiet: None,
            priority: 0,
            experiment: None,
            winner: None,
            limits: RuleLimits::default(),
            examples: Vec::new(),
            said: BTreeMap::new(),
        }
    }

    /// Notes that a verb was said; a sentence when it was said before and may be said only once.
    pub(super) fn say(&mut self, verb: &'static str, at: Place) -> Option<String> {
        let before = self.said.insert(verb, at)?;
        // Variants have names, limits have a length of time: what may not come twice there is told with them.
        (!matches!(verb, "variant" | "limit" | "example")).then(|| format!("is said twice, first at line {}", before.0))
    }

    fn said(&self, verb: &str) -> bool {
        self.said.contains_key(verb)
    }

    /// What is missing. What was said with a fault has been reported and is not missing.
    pub(super) fn missing(&self) -> Vec<FileFault> {
        let fault = |problem: String| FileFault::new(&self.file, self.at, format!("rule '{}' {problem}", self.name));
        let mut faults = Vec::new();
        if !self.said("basis") {
            faults.push(fault(format!("has no .basis(…): expected {}", LegalBasis::WORDS)));
        }
        if !self.said("when") {
            faults.push(fault("has no .when(…): expected e.g. .when(|c| c.recency_days > 60)".to_owned()));
        }
        if !self.said("variant") && !self.said("send") {
            faults.push(fault("does nothing: expected .send(|c| email(\"…\")) or .variant(\"A\", 50, |c| email(\"…\"))".to_owned()));
        }
        if self.said("variant") && self.said("send") {
            faults.push(fault("has .send and .variant: .send is for a rule with one variant".to_owned()));
        }
        if self.said("winner") && self.variants.len() < 2 {
            faults.push(fault("has .winner(…), but no two variants: expected e.g. .variant(\"A\", 50, …).variant(\"B\", 50, …)".to_owned()));
        }
        if self.said("winner") && !self.said("goal") {
            faults.push(fault("has .winner(…), but no .goal(…), so nobody can win: expected e.g. .goal(\"order\", days(14))".to_owned()));
        }
        faults
    }

    /// The finished rule, when it has all it needs.
    pub(super) fn finish(self, hash: String) -> Option<Finished> {
        let place = format!("{}:{}", self.file, self.at.0);
        let (variants, actions): (Vec<_>, Vec<_>) = self.variants.into_iter().unzip();
        let spec = RuleSpec {
            experiment: self.experiment.unwrap_or_else(|| self.name.clone()),
            name: self.name,
            hash,
            place,
            schedule: self.schedule,
            missed: self.missed,
            basis: self.basis?,
            occasion: self.occasion.unwrap_or_default(),
            quiet: self.quiet,
            priority: self.priority,
            control_percent: self.control_percent,
            variants,
            goal: self.goal,
            winner: self.winner,
            limits: self.limits,
        };
        let said = self.said.into_iter().chain([("rule", self.at)]).collect();
        Some(Finished { spec, file: self.file, said, condition: self.condition?, actions, examples: self.examples })
    }
}
