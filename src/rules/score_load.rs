//! From the files of a folder to formulas: compiled, checked, run, put in order and tried; all faults at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use rhai::Engine;

use super::files::{self, Source, from_trouble};
use super::helpers;
use super::modules::{Resolver, Unit, Units, sha256};
use super::own::unknown;
use super::registry::{self, View};
use super::sandbox;
use super::score_verbs::{self, Draft};
use super::scores::Formula;
use super::{missing, set, trial};
use crate::base::time::Zone;
use crate::model::facts::{Moment, Needs};
use crate::model::fault::FileFault;
use crate::model::own_score::{MOST, OwnScore};

/// What the files make.
pub(super) struct Made {
    /// Each after those that it reads.
    pub formulas: Vec<Formula>,
    pub engine: Arc<Engine>,
    pub hash: String,
    pub faults: Vec<FileFault>,
}

/// Compiles, checks, runs and tries all files.
pub(super) fn make(sources: &BTreeMap<String, Source>, mut faults: Vec<FileFault>) -> Made {
    let mut engine = sandbox::engine();
    registry::register(&mut engine);
    helpers::register_spans(&mut engine);
    missing::register(&mut engine);
    score_verbs::register(&mut engine);
    let Some(units) = files::compiled(&engine, sources, &mut faults) else {
        return Made { formulas: Vec::new(), engine: Arc::new(engine), hash: String::new(), faults };
    };
    engine.set_module_resolver(Resolver::new(units.clone()));
    let engine = Arc::new(engine);
    let until = Instant::now() + sandbox::LOADING_ALL;
    let (mut formulas, mut hashes): (Vec<Formula>, _) = (Vec::new(), String::new());
    for unit in units.iter().filter(|unit| sources.get(&unit.module).is_some_and(|source| source.root)) {
        if Instant::now() > until {
            faults.push(FileFault::new(&unit.file, (0, 0), "is not looked at: the files before it take too long to load"));
            break;
        }
        hashes += &units.source_and_hash(unit).1;
        for draft in run(unit, &engine, &mut faults) {
            formulas.extend(finish(draft, &units, &formulas, &mut faults));
        }
    }
    if let Some(formula) = formulas.get(MOST) {
        faults.push(FileFault::new(&formula.file, formula.at, format!("there are more than {MOST} scores")));
    }
    let formulas = in_order(formulas, &mut faults);
    if faults.is_empty() {
        faults.extend(tried(&formulas, &engine));
    }
    let hash = if formulas.is_empty() { String::new() } else { sha256(&hashes) };
    Made { formulas, engine, hash, faults }
}

/// Runs a file's top level; gives the scores it makes.
fn run(unit: &Unit, engine: &Engine, faults: &mut Vec<FileFault>) -> Vec<Draft> {
    let (outcome, desk) = score_verbs::desk(&unit.file, || sandbox::guarded(sandbox::LOADING, || engine.run_ast(&unit.ast)));
    faults.extend(desk.faults);
    files::ended(unit, outcome, desk.drafts.iter().filter_map(Draft::missing), faults);
    desk.drafts
}

fn finish(draft: Draft, units: &Units, others: &[Formula], faults: &mut Vec<FileFault>) -> Option<Formula> {
    if let Some(first) = others.iter().find(|other| other.about.name == draft.name) {
        let problem = format!("score '{}' is already defined at {}:{}:{}", draft.name, first.file, first.at.0, first.at.1);
        faults.push(FileFault::new(&draft.file, draft.at, problem));
        return None;
    }
    let (kind, closure) = draft.formula?;
    if let Some(fault) = set::wrong_arity(&closure, units) {
        faults.push(fault);
        return None;
    }
    let about = OwnScore { name: draft.name, kind, meaning: draft.meaning, unit: draft.unit };
    let (needs, own) = (Needs::of(set::named(&closure, units)), set::own(&closure, units));
    Some(Formula { about, file: draft.file, at: draft.at, closure, needs, own })
}

/// Each after those that it reads.
fn in_order(mut left: Vec<Formula>, faults: &mut Vec<FileFault>) -> Vec<Formula> {
    let names: BTreeSet<String> = left.iter().map(|formula| formula.about.name.clone()).collect();
    let all: Vec<&str> = names.iter().map(String::as_str).collect();
    faults.extend(left.iter().flat_map(Formula::reads).filter(|mention| !names.contains(&mention.name)).map(|mention| unknown(mention, &all)));
    let mut ordered: Vec<Formula> = Vec::new();
    let mut done: BTreeSet<String> = BTreeSet::new();
    loop {
        let ready = |formula: &Formula| formula.reads().all(|mention| done.contains(&mention.name) || !names.contains(&mention.name));
        let (now, later): (Vec<Formula>, Vec<Formula>) = left.into_iter().partition(ready);
        left = later;
        if now.is_empty() {
            break;
        }
        done.extend(now.iter().map(|formula| formula.about.name.clone()));
        ordered.extend(now);
    }
    faults.extend(circle(&left));
    ordered
}

/// A way from a score to itself, among scores of which each reads another one of them.
fn circle(scores: &[Formula]) -> Option<FileFault> {
    let mut way: Vec<&Formula> = vec![scores.first()?];
    loop {
        let last = way.last()?;
        let next = last.reads().find_map(|mention| scores.iter().find(|other| other.about.name == mention.name))?;
        if let Some(begin) = way.iter().position(|formula| formula.about.name == next.about.name) {
            let names: Vec<&str> = way[begin..].iter().chain([&next]).map(|formula| formula.about.name.as_str()).collect();
            let problem = format!("score '{}' depends on itself: {}", next.about.name, names.join(" → "));
            return Some(FileFault::new(&next.file, next.at, problem));
        }
        way.push(next);
    }
}

/// What goes wrong for an example customer who has everything: that fails for everybody. A value of the wrong kind is always a fault.
fn tried(formulas: &[Formula], engine: &Engine) -> Vec<FileFault> {
    let moment = Moment { now: trial::NOW, zone: Zone(chrono_tz::Tz::UTC) };
    let mut facts = trial::example();
    let mut faults = Vec::new();
    for formula in formulas {
        match formula.value(&mut formula.closure.calls(engine), &View::new(&facts, moment, moment.today())) {
            Ok(Some(value)) => drop(facts.own.insert(formula.about.name.clone(), value)),
            Err(trouble) if trouble.certain => faults.push(from_trouble(&formula.file, trouble)),
            Ok(None) | Err(_) => {}
        }
    }
    faults
}
