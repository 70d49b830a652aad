//! Why a condition is true or false for somebody: every clause with what it saw, also those that the interpreter would not have asked.

use rhai::{Dynamic, Scope};
use serde_json::{Map, Value};

use super::action;
use super::internals::condition::Condition;
use super::registry::View;
use super::rule::{Rule, judge};
use super::tell::tell;
use super::{sandbox, workers};
use crate::model::facts::{Facts, Moment};
use crate::model::predicate::Leaf;

/// What a condition says about somebody, clause by clause.
#[derive(Clone, Debug, PartialEq)]
pub struct Reasons {
    /// The whole condition's answer; a sentence when it fails.
    pub answer: Result<bool, String>,
    /// Its clauses, in the order of the text.
    pub clauses: Vec<Reason>,
}

/// A clause and its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Reason {
    /// The words of the rule's text.
    pub text: String,
    /// The fields that it reads, with the values it saw; `null` when missing.
    pub inputs: Map<String, Value>,
    /// Its answer; `None` when it fails, or gives something else than true or false.
    pub answer: Option<bool>,
    /// Whether the whole did not depend on it: the answer was clear before.
    pub skipped: bool,
}

impl Rule {
    /// Asks every clause of the condition about somebody. Blocks as [`Rule::evaluate`] does.
    #[must_use]
    pub fn reasons(&self, facts: &Facts, moment: Moment) -> Reasons {
        let found = workers::on_big_stack(|| {
            let view = View::new(facts, moment, moment.today());
            let answer = judge(&mut self.asks(), view.customer()).map_err(|trouble| self.sentence(&trouble));
            Reasons { clauses: self.clauses(&view, answer.as_ref().ok().copied()), answer }
        });
        found.unwrap_or_else(|problem| Reasons { answer: Err(problem), clauses: Vec::new() })
    }

    fn clauses(&self, view: &View<'_>, whole: Option<bool>) -> Vec<Reason> {
        let Some(clauses) = &self.clauses else {
            // Several statements: one clause.
            let text = "(the condition is a script of several statements)".to_owned();
            return vec![Reason { text, inputs: action::inputs(&self.reads, view), answer: whole, skipped: false }];
        };
        let leaves = clauses.predicate.leaves();
        let answers: Vec<Option<bool>> = leaves.iter().map(|leaf| tell(leaf, view).or_else(|| self.interpret_leaf(clauses, leaf, view))).collect();
        let mut asked = vec![false; leaves.len()];
        let _ = clauses.predicate.ask(&mut |leaf| {
            if let Some(asked) = asked.get_mut(leaf.number) {
                *asked = true;
            }
            answers.get(leaf.number).copied().flatten()
        });
        let reason = |(leaf, (answer, asked)): (&&Leaf, (Option<bool>, bool))| Reason {
            text: leaf.text.clone(),
            inputs: action::inputs(&leaf.reads, view),
            answer,
            skipped: !asked,
        };
        leaves.iter().zip(answers.into_iter().zip(asked)).map(reason).collect()
    }

    fn interpret_leaf(&self, clauses: &Condition, leaf: &Leaf, view: &View<'_>) -> Option<bool> {
        let script = clauses.scripts.get(leaf.number)?;
        let mut scope = Scope::new();
        for (name, value) in &clauses.world {
            scope.push_dynamic(name.clone(), value.clone());
        }
        scope.push_dynamic(script.customer.clone(), Dynamic::from(view.customer()));
        let answer = sandbox::guarded(sandbox::CALLING, || self.engine.eval_ast_with_scope::<Dynamic>(&mut scope, &script.ast));
        answer.ok()?.ok()?.as_bool().ok()
    }
}
