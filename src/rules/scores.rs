//! A shop's own scores: formulas of a folder, read, checked and computed together; a set exists only when nothing is wrong with any of them.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use rhai::{Dynamic, Engine};
use rust_decimal::{Decimal, RoundingStrategy};

use super::explain::{Trouble, lacks_value};
use super::files::{self, Source};
use super::helpers::expected;
use super::internals::{Bound, Calls, Place};
use super::registry::View;
use super::rule::{OwnMention, trouble_at, trouble_of};
use super::sandbox::{self, Deep};
use super::score_load::{Made, make};
use super::workers;
use crate::model::attribute::{AttributeKind, Attributes};
use crate::model::fact::Fact;
use crate::model::facts::{Facts, Moment, Needs};
use crate::model::fault::FileFault;
use crate::model::own_score::{BELOW, DECIMALS, LONGEST_TEXT, OwnScore};
use crate::model::predicate::Literal;

/// So many people at least, and at most, are one processor's work at once.
const SHARE: RangeInclusive<usize> = 100..=1_000;

/// Own scores that are ready to be computed, each after those that it reads.
pub struct ScoreSet {
    formulas: Deep<Vec<Formula>>,
    engine: Arc<Engine>,
    /// The files' texts by file.
    texts: BTreeMap<String, String>,
    hash: String,
}

const fn shared_between_threads<T: Send + Sync>() {}
const _: () = shared_between_threads::<ScoreSet>();

/// A score that is ready.
pub(super) struct Formula {
    pub about: OwnScore,
    pub file: String,
    pub at: Place,
    pub closure: Bound,
    pub needs: Needs,
    /// Own facts and scores that it reads.
    pub own: Vec<OwnMention>,
}

/// What came of a score for some customers.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// The score.
    pub score: String,
    /// Customers with a value.
    pub known: usize,
    /// Customers whose value is unknown, because something that it is made from is.
    pub unknown: usize,
    /// Customers for whom the formula fails; they have no value either.
    pub failed: usize,
    /// What the first failure says, with file, line and column.
    pub failure: Option<String>,
}

impl Tally {
    /// Adds what came of the same score for others.
    pub fn add(&mut self, others: Self) {
        self.known += others.known;
        self.unknown += others.unknown;
        self.failed += others.failed;
        self.failure = self.failure.take().or(others.failure);
    }
}

impl ScoreSet {
    /// No scores.
    #[must_use]
    pub fn none() -> Self {
        Self { formulas: Deep::new(Vec::new()), engine: Arc::new(sandbox::engine()), texts: BTreeMap::new(), hash: String::new() }
    }

    /// Loads `*.rhai` of a folder in name order, or one file (which may import its neighbours). A folder that is not there holds none.
    ///
    /// # Errors
    /// Every fault of every file, in the order of files and lines.
    pub fn load(path: &Path) -> Result<Self, Vec<FileFault>> {
        if !path.exists() {
            return Ok(Self::none());
        }
        let mut faults = Vec::new();
        let sources = files::read(path, &mut faults);
        Self::from_files(&sources, faults)
    }

    /// Loads files from memory: name (`lead.rhai`) and text.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_sources(sources: Vec<(String, String)>) -> Result<Self, Vec<FileFault>> {
        let module = |name: &str| name.strip_suffix(".rhai").unwrap_or(name).to_owned();
        let sources = sources.into_iter().map(|(file, text)| (module(&file), Source { file, text, root: true })).collect();
        Self::from_files(&sources, Vec::new())
    }

    fn from_files(sources: &BTreeMap<String, Source>, faults: Vec<FileFault>) -> Result<Self, Vec<FileFault>> {
        let texts = files::texts(sources);
        let made = workers::on_big_stack(|| make(sources, faults)).map_err(|problem| vec![FileFault::new("scores", (0, 0), problem)])?;
        let Made { formulas, engine, hash, faults } = made;
        let formulas = Deep::new(formulas);
        if faults.is_empty() { Ok(Self { formulas, engine, texts, hash }) } else { Err(files::sorted(faults, &texts)) }
    }

    fn formulas(&self) -> &[Formula] {
        self.formulas.get().map_or(&[], Vec::as_slice)
    }

    /// What the scores say about themselves, in the order of their names.
    #[must_use]
    pub fn scores(&self) -> Vec<&OwnScore> {
        let mut scores: Vec<&OwnScore> = self.formulas().iter().map(|formula| &formula.about).collect();
        scores.sort_by(|one, other| one.name.cmp(&other.name));
        scores
    }

    /// The score of that name.
    #[must_use]
    pub fn score(&self, name: &str) -> Option<&OwnScore> {
        self.formulas().iter().map(|formula| &formula.about).find(|about| about.name == name)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.formulas().is_empty()
    }

    /// SHA-256 of all texts in hexadecimal digits; empty when there is no score. Values of another hash are not values of these scores.
    #[must_use]
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The facts that the formulas ask for, without the scores of this set.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let all = self.formulas().iter().fold(Needs::default(), |needs, formula| needs.and(formula.needs));
        all.without(Needs::of([Fact::Score]))
    }

    /// Own facts that the formulas name.
    pub fn attributes(&self) -> impl Iterator<Item = &OwnMention> {
        self.formulas().iter().flat_map(|formula| &formula.own).filter(|mention| mention.fact != Fact::Score)
    }

    /// Finds out how many characters a fault in one of the files is about.
    pub fn measure(&self, fault: &mut FileFault) {
        if let Some(text) = self.texts.get(&fault.file) {
            fault.measure(text);
        }
    }

    /// Gives customers, of whom what [`Self::needs`] says is known, their values as of a moment, on all processors. Blocks; each formula has a limit of steps and of
    /// time for each customer. The tallies have the order of the names.
    pub fn fill(&self, people: &mut [Facts], moment: Moment) -> Vec<Tally> {
        let mut tallies: Vec<Tally> = self.formulas().iter().map(|formula| Tally { score: formula.about.name.clone(), ..Tally::default() }).collect();
        let parts: Vec<Vec<Tally>> = workers::on_all(|| {
            let share = people.len().div_ceil(rayon::current_num_threads()).clamp(*SHARE.start(), *SHARE.end());
            people.par_chunks_mut(share).map(|part| self.fill_here(part, moment)).collect()
        });
        for part in parts {
            for (all, tally) in tallies.iter_mut().zip(part) {
                all.add(tally);
            }
        }
        tallies.sort_by(|one, other| one.score.cmp(&other.score));
        tallies
    }

    /// The same on this thread; the tallies have the order of the formulas.
    pub fn fill_here(&self, people: &mut [Facts], moment: Moment) -> Vec<Tally> {
        let count = people.len();
        let filled = workers::on_big_stack(|| {
            let today = moment.today();
            for facts in people.iter_mut() {
                facts.own = Attributes::new();
                facts.read = facts.read.and(Needs::of([Fact::Score]));
            }
            let one = |formula: &Formula| {
                let mut tally = Tally { score: formula.about.name.clone(), ..Tally::default() };
                let mut calls = formula.closure.calls(&self.engine);
                for facts in people.iter_mut() {
                    match formula.value(&mut calls, &View::new(facts, moment, today)) {
                        Ok(Some(value)) => {
                            facts.own.insert(formula.about.name.clone(), value);
                            tally.known += 1;
                        }
                        Ok(None) => tally.unknown += 1,
                        Err(trouble) => {
                            tally.failed += 1;
                            tally.failure.get_or_insert_with(|| trouble.told(&formula.file));
                        }
                    }
                }
                tally
            };
            self.formulas().iter().map(one).collect()
        });
        filled.unwrap_or_else(|problem| self.none_of(count, &problem))
    }

    fn none_of(&self, people: usize, problem: &str) -> Vec<Tally> {
        let tally =
            |formula: &Formula| Tally { score: formula.about.name.clone(), failed: people, failure: Some(problem.to_owned()), ..Tally::default() };
        self.formulas().iter().map(tally).collect()
    }
}

impl fmt::Debug for ScoreSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.formulas().iter().map(|formula| &formula.about.name)).finish()
    }
}

impl Formula {
    /// The value for somebody; `None` when it is unknown. To be called on a big stack.
    pub(super) fn value(&self, calls: &mut Calls, view: &View<'_>) -> Result<Option<Literal>, Trouble> {
        let outcome = sandbox::guarded(sandbox::CALLING, || calls.call(Dynamic::from(view.customer())));
        match outcome.map_err(|problem| trouble_at(&self.closure, problem))? {
            Ok(value) if value.is_unit() => Ok(None),
            Ok(value) => self.read(&value).map(Some).map_err(|problem| trouble_at(&self.closure, problem)),
            Err(error) if lacks_value(&error) => Ok(None),
            Err(error) => Err(trouble_of(&self.closure, &error)),
        }
    }

    fn read(&self, value: &Dynamic) -> Result<Literal, String> {
        let wrong = |what: &str| format!("score '{}': the formula: {}", self.about.name, expected(what, value));
        match self.about.kind {
            AttributeKind::Number => {
                let number = value.as_int().map(Decimal::from).or_else(|_| value.as_decimal()).map_err(|_| wrong("a number"))?;
                let number = number.round_dp_with_strategy(DECIMALS, RoundingStrategy::MidpointAwayFromZero).normalize();
                let fits = number.abs() < Decimal::from(BELOW);
                fits.then_some(Literal::Number(number)).ok_or_else(|| wrong(&format!("a number below {BELOW}")))
            }
            AttributeKind::Flag => value.as_bool().map(Literal::Flag).map_err(|_| wrong("true or false")),
            AttributeKind::Text => {
                let good = |text: &String| (1..=LONGEST_TEXT).contains(&text.chars().count()) && !text.chars().any(char::is_control);
                let text = value.clone().into_string().ok().filter(good);
                text.map(Literal::Text).ok_or_else(|| wrong(&format!("a text of one line, 1 to {LONGEST_TEXT} characters")))
            }
        }
    }

    /// The scores that it reads.
    pub(super) fn reads(&self) -> impl Iterator<Item = &OwnMention> {
        self.own.iter().filter(|mention| mention.fact == Fact::Score)
    }
}
