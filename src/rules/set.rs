//! A rule set: all rules of a folder, read, checked and run together; it exists only when nothing is wrong with any of them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rhai::Engine;

use super::draft::Draft;
use super::files::{Source, from_trouble, read};
use super::internals::{Bound, Call, Place};
use super::modules::{self, Resolver, Unit, Units};
use super::registry;
use super::rule::{Given, Mention, OwnMention, Rule};
use super::sandbox::{self, Deep};
use super::{builder, files, helpers, trial, workers};
use crate::model::action::Channel;
use crate::model::example::Example;
use crate::model::fact::{ALL, Fact, Reading, Takes};
use crate::model::facts::Needs;
use crate::model::fault::FileFault;
use crate::model::predicate::Predicate;

/// Rules that are ready to run. Shared as `Arc<RuleSet>`: to reload, load another one and swap the `Arc`; on faults keep the old one.
pub struct RuleSet {
    rules: Deep<Vec<Rule>>,
    /// The files' texts by file.
    texts: BTreeMap<String, String>,
}

const fn shared_between_threads<T: Send + Sync>() {}
const _: () = shared_between_threads::<RuleSet>();

impl RuleSet {
    /// Loads `*.rhai` of a folder in name order, or one file (which may import its neighbours).
    ///
    /// # Errors
    /// Every fault of every file, in the order of files and lines.
    pub fn load(path: &Path) -> Result<Self, Vec<FileFault>> {
        let mut faults = Vec::new();
        let sources = read(path, &mut faults);
        Self::from_files(&sources, faults)
    }

    /// Loads files from memory: name (`win-back.rhai`) and text.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_sources(sources: Vec<(String, String)>) -> Result<Self, Vec<FileFault>> {
        let module = |name: &str| name.strip_suffix(".rhai").unwrap_or(name).to_owned();
        let sources = sources.into_iter().map(|(file, text)| (module(&file), Source { file, text, root: true })).collect();
        Self::from_files(&sources, Vec::new())
    }

    /// Loads a rule's stored text ([`Rule::source`]) again.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn from_stored(source: &str) -> Result<Self, Vec<FileFault>> {
        Self::from_sources(modules::files(source))
    }

    fn from_files(sources: &BTreeMap<String, Source>, mut faults: Vec<FileFault>) -> Result<Self, Vec<FileFault>> {
        let made = workers::on_big_stack(|| make(sources));
        let rules = match made {
            Ok((rules, more)) => {
                faults.extend(more);
                Deep::new(rules)
            }
            Err(problem) => return Err(vec![FileFault::new("rules", (0, 0), problem)]),
        };
        let texts = files::texts(sources);
        if faults.is_empty() { Ok(Self { rules, texts }) } else { Err(files::sorted(faults, &texts)) }
    }

    /// Finds out how many characters a fault in one of the files is about.
    pub fn measure(&self, fault: &mut FileFault) {
        if let Some(text) = self.texts.get(&fault.file) {
            fault.measure(text);
        }
    }

    /// All rules, in the order of files and lines.
    pub fn rules(&self) -> &[Rule] {
        self.rules.get().map_or(&[], Vec::as_slice)
    }

    /// The rule of that name.
    #[must_use]
    pub fn rule(&self, name: &str) -> Option<&Rule> {
        self.rules().iter().find(|rule| rule.spec.name == name)
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.rules().iter().map(|rule| &rule.spec.name)).finish()
    }
}

/// Compiles, checks and runs all files. Rules with faults among them are incomplete.
fn make(sources: &BTreeMap<String, Source>) -> (Vec<Rule>, Vec<FileFault>) {
    let mut engine = sandbox::engine();
    registry::register(&mut engine);
    helpers::register(&mut engine);
    builder::register(&mut engine);
    let mut faults = Vec::new();
    let Some(units) = files::compiled(&engine, sources, &mut faults) else { return (Vec::new(), faults) };
    sandbox::quicken(&mut engine, units.iter().map(|unit| unit.text.as_str()));
    engine.set_module_resolver(Resolver::new(units.clone()));
    let engine = Arc::new(engine);
    let until = Instant::now() + sandbox::LOADING_ALL;
    let mut drafts = Vec::new();
    for unit in units.iter().filter(|unit| sources.get(&unit.module).is_some_and(|source| source.root)) {
        if Instant::now() > until {
            faults.push(FileFault::new(&unit.file, (0, 0), "is not looked at: the files before it take too long to load"));
            break;
        }
        drafts.extend(run(unit, &engine, &mut faults));
    }
    check_names(&drafts, &mut faults);
    let mut rules = Vec::new();
    for draft in drafts {
        if Instant::now() > until {
            faults.push(FileFault::new(&draft.file, draft.at, "the rules up to here take too long to load"));
            break;
        }
        rules.extend(finish(draft, &units, &engine, &mut faults));
    }
    (rules, faults)
}

/// Runs a file's top level; gives the rules it makes.
fn run(unit: &Unit, engine: &Engine, faults: &mut Vec<FileFault>) -> Vec<Draft> {
    let (outcome, workshop) = builder::workshop(&unit.file, || sandbox::guarded(sandbox::LOADING, || engine.run_ast(&unit.ast)));
    faults.extend(workshop.faults);
    let drafts: Vec<Draft> = workshop.drafts.into_iter().filter(|draft| draft.counts).collect();
    files::ended(unit, outcome, drafts.iter().flat_map(Draft::missing), faults);
    drafts
}

fn check_names(drafts: &[Draft], faults: &mut Vec<FileFault>) {
    let mut places: BTreeMap<&str, &Draft> = BTreeMap::new();
    for draft in drafts {
        if let Some(first) = places.get(draft.name.as_str()) {
            let problem = format!("rule '{}' is already defined at {}:{}:{}", draft.name, first.file, first.at.0, first.at.1);
            faults.push(FileFault::new(&draft.file, draft.at, problem));
        } else {
            places.insert(&draft.name, draft);
        }
    }
    if let Some(draft) = drafts.get(builder::MAX_RULES) {
        faults.push(FileFault::new(&draft.file, draft.at, format!("there are more than {} rules", builder::MAX_RULES)));
    }
}

/// Checks the closures of a draft, tries the rule out, and gives it when nothing is wrong.
fn finish(draft: Draft, units: &Units, engine: &Arc<Engine>, faults: &mut Vec<FileFault>) -> Option<Rule> {
    let unit = units.iter().find(|unit| unit.file == draft.file)?;
    let (source, hash) = units.source_and_hash(unit);
    let finished = draft.finish(hash)?;
    let before = faults.len();
    for closure in finished.actions.iter().chain([&finished.condition]) {
        faults.extend(wrong_arity(closure, units));
    }
    if faults.len() > before {
        return None;
    }
    // A closure that a module made stands in another file than the rule.
    let home = units.function(finished.condition.file(), finished.condition.function());
    let closures = || finished.actions.iter().chain([&finished.condition]);
    let mut rule = Rule {
        reads: Vec::new(),
        needs: Needs::of(closures().flat_map(|closure| named(closure, units))),
        condition_needs: Needs::of(named(&finished.condition, units)),
        clauses: home.and_then(|(unit, function)| finished.condition.clauses(unit, units, &function.parameters)),
        mentions: finished.actions.iter().flat_map(|action| mentions(action, units)).collect(),
        own: closures().flat_map(|closure| own(closure, units)).chain(finished.examples.iter().flat_map(stated)).collect(),
        spec: finished.spec,
        file: finished.file,
        said: finished.said,
        examples: finished.examples,
        source,
        condition: finished.condition,
        actions: finished.actions,
        engine: Arc::clone(engine),
    };
    rule.reads = reads(&rule, units);
    // A file with faults may fail for reasons that have been told.
    if !faults.iter().any(|fault| fault.file == unit.file) {
        faults.extend(trial::run(&rule).into_iter().map(|trouble| from_trouble(&unit.file, trouble)));
    }
    Some(rule)
}

pub(super) fn wrong_arity(closure: &Bound, units: &Units) -> Option<FileFault> {
    let (_, function) = units.function(closure.file(), closure.function())?;
    let takes = function.parameters.len().saturating_sub(closure.captured());
    let problem = format!("the closure takes {takes} arguments: expected one, the customer, as in |c| …");
    (takes != 1).then(|| FileFault::new(closure.file(), closure.at, problem))
}

/// Facts that a closure's code names, with or without brackets.
pub(super) fn named(closure: &Bound, units: &Units) -> Vec<Fact> {
    let code = units.reached(closure.file(), closure.function());
    let names = |name: &str| {
        code.iter().any(|(_, code)| {
            code.properties.iter().any(|property| property.name == name)
                || code.calls.iter().any(|call| call.name == name || call.name == "has" && call.text.as_deref() == Some(name))
                || code.pointers.contains(name)
        })
    };
    let mut named: Vec<Fact> = ALL.iter().filter(|about| names(about.name)).map(|about| about.fact).collect();
    // The need is an own fact.
    named.extend(named.contains(&Fact::ShareOfWallet).then_some(Fact::Attr));
    named
}

/// What the condition reads: the facts without brackets that its code names, and those whose brackets can be told from the text.
fn reads(rule: &Rule, units: &Units) -> Vec<Reading> {
    let plain = named(&rule.condition, units).into_iter().filter(|fact| fact.about().takes == Takes::Nothing).map(Reading::from);
    let leaves = rule.predicate().map(Predicate::leaves).unwrap_or_default();
    let mut reads: Vec<Reading> = plain.chain(leaves.into_iter().flat_map(|leaf| leaf.reads.clone())).collect();
    reads.sort();
    reads.dedup();
    reads
}

/// Own facts and scores of the shop's, which the program does not know by itself.
const OWN: [Fact; 3] = [Fact::Attr, Fact::ShareOfWallet, Fact::Score];

/// Own facts and scores that a closure's code names in plain text.
pub(super) fn own(closure: &Bound, units: &Units) -> Vec<OwnMention> {
    let code = units.reached(closure.file(), closure.function());
    let calls = code.iter().flat_map(|(unit, code)| code.calls.iter().map(|call| (unit.file.clone(), call)));
    let mention = |(file, call): (String, &Call)| {
        let fact = OWN.into_iter().find(|fact| call.method && call.name == fact.about().name)?;
        Some(OwnMention { fact, name: call.text.clone()?, file, at: call.at })
    };
    calls.filter_map(mention).collect()
}

/// Those that an example states: misspelt ones would state nothing.
fn stated(example: &Example) -> impl Iterator<Item = OwnMention> {
    let readings = example.facts.stated.iter().flat_map(|stated| stated.keys()).filter(|reading| OWN.contains(&reading.fact));
    let mention = |reading: &Reading| {
        let name = reading.of.as_deref().unwrap_or_default().to_owned();
        OwnMention { fact: reading.fact, name, file: example.file.clone(), at: (example.line, example.column) }
    };
    readings.map(mention)
}

fn mentions(action: &Bound, units: &Units) -> Vec<Mention> {
    let code = units.reached(action.file(), action.function());
    let calls = code.iter().flat_map(|(unit, code)| code.calls.iter().map(|call| (unit.file.clone(), call)));
    let mention = calls.filter_map(|(file, call)| {
        let channel = Channel::parse(&call.name).filter(|_| !call.method)?;
        let given = |(name, at): &(String, Place)| Given { name: name.clone(), line: at.0, column: at.1 };
        let gives = call.keys.as_ref().map(|keys| keys.iter().map(given).collect());
        Some(Mention { channel, name: call.text.clone()?, gives, file, line: call.at.0, column: call.at.1 })
    });
    mention.collect()
}
