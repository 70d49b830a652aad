//! A rule that is ready: its condition asked for many customers, its action made for the chosen ones.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use rhai::{Dynamic, Engine, EvalAltResult};
use serde_json::{Map, Value};

use super::action;
use super::explain::{Trouble, explain};
use super::helpers::{Plan, kind};
use super::internals::condition::Condition;
use super::internals::{Bound, Calls, Place};
use super::registry::{Customer, View};
use super::tell::tell_quickly;
use super::{sandbox, workers};
use crate::base::id::Id;
use crate::model::action::{Action, Channel, Voucher};
use crate::model::example::Example;
use crate::model::fact::{Fact, Reading};
use crate::model::facts::{Facts, Moment, Needs};
use crate::model::predicate::{Clause, Predicate};
use crate::model::rule::RuleSpec;

/// A loaded rule.
pub struct Rule {
    /// What it says about itself.
    pub spec: RuleSpec,
    /// The text of its file and of the modules that imports; `spec.hash` is this text's SHA-256.
    pub source: String,
    /// Templates and targets that its actions name in plain text, so that a missing one is found before the rule runs.
    pub mentions: Vec<Mention>,
    /// Own facts and scores of the shop's that its condition, actions and examples name in plain text, so that one that there is not is found before the
    /// rule runs.
    pub own: Vec<OwnMention>,
    /// The facts that its condition and actions ask for.
    pub needs: Needs,
    /// Those that its condition asks for.
    pub condition_needs: Needs,
    /// The file that it stands in.
    pub(super) file: String,
    /// Where each of its verbs stands; `rule` is where it begins.
    pub(super) said: BTreeMap<&'static str, Place>,
    /// What it says about itself by example; no part of what it does.
    pub examples: Vec<Example>,
    pub(super) condition: Bound,
    /// The condition as clauses, when it is a single expression.
    pub(super) clauses: Option<Condition>,
    /// One for each variant, in the same order.
    pub(super) actions: Vec<Bound>,
    /// What the condition reads, in the registry's order.
    pub(super) reads: Vec<Reading>,
    pub(super) engine: Arc<Engine>,
}

/// A template or target that a rule's text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Email: a template; webhook: a target.
    pub channel: Channel,
    /// Its name.
    pub name: String,
    /// The variables or payload that it is given; `None` when the text does not say them one by one.
    pub gives: Option<Vec<Given>>,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

/// An own fact or score ([`Fact::Score`]) that a text names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnMention {
    /// The fact whose brackets it stands in.
    pub fact: Fact,
    /// Its name.
    pub name: String,
    /// The file.
    pub file: String,
    /// Line and column, from 1.
    pub at: (usize, usize),
}

/// A variable that an action gives to its template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// Its name.
    pub name: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

/// What a condition says about one customer.
#[derive(Clone, Debug, PartialEq)]
pub enum Evaluation {
    /// It is true.
    Match {
        /// What the condition reads, with the values it saw; `null` when missing.
        inputs: Map<String, Value>,
    },
    /// It is false.
    NoMatch,
    /// It cannot be told: a sentence with file, line and column.
    Failed(String),
}

/// A condition that cannot be told.
#[derive(PartialEq)]
struct Untold;

/// Why a call gave no value.
enum Failure {
    /// The script failed.
    Error(Box<EvalAltResult>),
    /// It broke the interpreter.
    Broke(String),
}

impl Failure {
    fn trouble(self, closure: &Bound) -> Trouble {
        match self {
            Self::Error(error) => trouble_of(closure, &error),
            Self::Broke(problem) => trouble_at(closure, problem),
        }
    }
}

/// One action to make.
#[derive(Clone, Copy, Debug)]
pub struct ActJob<'a> {
    /// For whom.
    pub facts: &'a Facts,
    /// Name of the variant.
    pub variant: &'a str,
    /// Secret bytes of this decision: voucher codes are made from them.
    pub code_seed: [u8; 32],
}

/// A made action.
#[derive(Clone, Debug, PartialEq)]
pub struct Acted {
    /// What is to happen.
    pub action: Action,
    /// The vouchers in it.
    pub vouchers: Vec<Voucher>,
}

impl Rule {
    /// Asks the condition for each customer; the answers have the customers' order. Blocks: runs on a big stack, and each customer
    /// has a limit of steps and of time.
    #[must_use]
    pub fn evaluate(&self, facts: &[Facts], moment: Moment) -> Vec<Evaluation> {
        self.evaluate_all(facts, moment, |view| self.short_cut(view), |view| self.inputs(view))
    }

    /// As [`Self::evaluate`], without telling what the condition read.
    #[must_use]
    pub fn answer(&self, facts: &[Facts], moment: Moment) -> Vec<Evaluation> {
        self.evaluate_all(facts, moment, |view| self.short_cut(view), |_| Map::new())
    }

    /// Those whom the condition is true for, or cannot be told for. Blocks as [`Self::evaluate`] does.
    #[must_use]
    pub fn meant(&self, page: &Arc<Vec<Facts>>, moment: Moment) -> Vec<Id> {
        let today = moment.today();
        let told: Vec<Option<bool>> = page.iter().map(|facts| self.short_cut(&View::new(facts, moment, today))).collect();
        let answers = self.ask(&told, |place| Customer::of(Arc::clone(page), place, moment, today), answer);
        let meant = match answers {
            Ok(answers) => answers.into_iter().map(|answer| answer != Ok(false)).collect(),
            Err(_) => vec![true; page.len()],
        };
        page.iter().zip(meant).filter(|(_, meant)| *meant).map(|(facts, _)| facts.customer.id).collect()
    }

    /// The condition as clauses, when it is a single expression.
    #[must_use]
    pub fn predicate(&self) -> Option<&Predicate> {
        self.clauses.as_ref().map(|clauses| &clauses.predicate)
    }

    /// Whether some part of the condition is the interpreter's to tell, which may take long.
    #[must_use]
    pub fn needs_interpreter(&self) -> bool {
        self.predicate().is_none_or(|predicate| predicate.leaves().iter().any(|leaf| leaf.clause == Clause::Script))
    }

    /// As [`Self::evaluate`], by the interpreter alone: what the short cut is measured and tested against.
    #[must_use]
    pub fn interpret(&self, facts: &[Facts], moment: Moment) -> Vec<Evaluation> {
        self.evaluate_all(facts, moment, |_| None, |view| self.inputs(view))
    }

    /// The file of its condition's closure.
    pub(super) fn condition_file(&self) -> &str {
        self.condition.file()
    }

    /// Where its condition's closure was handed over.
    pub(super) fn condition_at(&self) -> Place {
        self.condition.at
    }

    /// To ask its condition.
    pub(super) fn asks(&self) -> Calls<'_> {
        self.condition.asks(&self.engine, self.clauses.as_ref())
    }

    /// Where a verb stands, or the rule's beginning.
    #[must_use]
    pub fn place_of(&self, verb: &str) -> (&str, Place) {
        let place = self.said.get(verb).or_else(|| self.said.get("rule"));
        (&self.file, place.copied().unwrap_or_default())
    }

    fn short_cut(&self, view: &View<'_>) -> Option<bool> {
        let clauses = self.clauses.as_ref()?;
        clauses.predicate.ask(&mut |leaf| tell_quickly(leaf, clauses.quick.get(leaf.number)?.as_ref(), view))
    }

    fn evaluate_all<'a>(
        &self,
        facts: &'a [Facts],
        moment: Moment,
        short_cut: impl Fn(&View<'_>) -> Option<bool>,
        inputs: impl Fn(&View<'_>) -> Map<String, Value>,
    ) -> Vec<Evaluation> {
        let today = moment.today();
        let view = |facts: &'a Facts| View::new(facts, moment, today);
        let told: Vec<Option<bool>> = facts.iter().map(|facts| short_cut(&view(facts))).collect();
        let answers = match self.ask(&told, |place| view(&facts[place]).customer(), judge) {
            Ok(answers) => answers,
            Err(problem) => return vec![Evaluation::Failed(problem); facts.len()],
        };
        let evaluation = |(facts, answer)| match answer {
            Ok(true) => Evaluation::Match { inputs: inputs(&view(facts)) },
            Ok(false) => Evaluation::NoMatch,
            Err(trouble) => Evaluation::Failed(self.sentence(&trouble)),
        };
        facts.iter().zip(answers).map(evaluation).collect()
    }

    /// The answers that clauses have told, and the interpreter's where they could not; an error when there is no thread for it.
    fn ask<E: Send>(
        &self,
        told: &[Option<bool>],
        customer: impl Fn(usize) -> Customer + Sync,
        judge: fn(&mut Calls, Customer) -> Result<bool, E>,
    ) -> Result<Vec<Result<bool, E>>, String> {
        // A thread takes longer than a page of clauses.
        if let Some(answers) = told.iter().map(|told| told.map(Ok)).collect() {
            return Ok(answers);
        }
        workers::on_big_stack(|| {
            let mut calls = self.asks();
            let one = |(place, told): (usize, &Option<bool>)| told.map_or_else(|| judge(&mut calls, customer(place)), Ok);
            told.iter().enumerate().map(one).collect()
        })
    }

    /// Makes the actions; the results have the jobs' order. Blocks as [`Self::evaluate`] does.
    ///
    /// # Errors
    /// For a job whose action fails: a sentence with file, line and column.
    #[must_use]
    pub fn act(&self, jobs: &[ActJob], moment: Moment) -> Vec<Result<Acted, String>> {
        self.act_on(jobs, moment, moment.today())
    }

    /// As [`Self::act`], on a day that the validity of vouchers counts from: a run may go on days after the moment that it is for.
    #[must_use]
    pub fn act_on(&self, jobs: &[ActJob], moment: Moment, day: NaiveDate) -> Vec<Result<Acted, String>> {
        let today = moment.today();
        let one = |actions: &mut [Calls], job: &ActJob| {
            let number = self.spec.variants.iter().position(|variant| variant.name == job.variant);
            let action = number.and_then(|number| actions.get_mut(number));
            let action = action.ok_or_else(|| format!("rule '{}' has no variant '{}'", self.spec.name, job.variant))?;
            perform(action, View::new(job.facts, moment, today).customer(), &job.code_seed, day).map_err(|trouble| self.sentence(&trouble))
        };
        let all = workers::on_big_stack(|| {
            let mut actions: Vec<Calls> = self.actions.iter().map(|action| action.calls(&self.engine)).collect();
            jobs.iter().map(|job| one(&mut actions, job)).collect()
        });
        all.unwrap_or_else(|problem| vec![Err(problem); jobs.len()])
    }

    fn inputs(&self, view: &View<'_>) -> Map<String, Value> {
        action::inputs(&self.reads, view)
    }

    pub(super) fn sentence(&self, trouble: &Trouble) -> String {
        trouble.told(self.condition.file())
    }
}

/// The answer of a condition; to be called on a big stack.
pub(super) fn judge(condition: &mut Calls, customer: Customer) -> Result<bool, Trouble> {
    let value = call(condition, customer).map_err(|failure| failure.trouble(condition.bound()))?;
    value.as_bool().map_err(|_| trouble_at(condition.bound(), format!("the condition gives {}, expected true or false", kind(&value))))
}

/// As [`judge`], without words for what is wrong, which take longer than a condition.
fn answer(condition: &mut Calls, customer: Customer) -> Result<bool, Untold> {
    call(condition, customer).ok().and_then(|value| value.as_bool().ok()).ok_or(Untold)
}

/// What an action makes; to be called on a big stack.
pub(super) fn perform(action: &mut Calls, customer: Customer, seed: &[u8; 32], day: NaiveDate) -> Result<Acted, Trouble> {
    let value = call(action, customer).map_err(|failure| failure.trouble(action.bound()))?;
    let plan = value.clone().try_cast::<Plan>();
    let trouble = |problem| trouble_at(action.bound(), problem);
    let plan = plan.ok_or_else(|| trouble(format!("the action gives {}, expected email(…) or webhook(…)", kind(&value))))?;
    let (action, vouchers) = action::build(&plan, seed, day).map_err(|problem| trouble(format!("the action:{problem}")))?;
    Ok(Acted { action, vouchers })
}

fn call(closure: &mut Calls, customer: Customer) -> Result<Dynamic, Failure> {
    let result = sandbox::guarded(sandbox::CALLING, || closure.call(Dynamic::from(customer)));
    result.map_err(Failure::Broke)?.map_err(Failure::Error)
}

/// What ended a call; where it has no place, at that of the closure.
pub(super) fn trouble_of(closure: &Bound, error: &EvalAltResult) -> Trouble {
    let mut trouble = explain(error);
    if trouble.line == 0 {
        (trouble.line, trouble.column) = closure.at;
    }
    trouble
}

/// What is wrong with a closure's value.
pub(super) fn trouble_at(closure: &Bound, sentence: String) -> Trouble {
    let (line, column) = closure.at;
    Trouble { file: Some(closure.file().to_owned()), line, column, sentence, certain: true }
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rule").field("spec", &self.spec).finish_non_exhaustive()
    }
}
