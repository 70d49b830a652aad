//! What each rule stands at: the version in force, paused or not, changed in its file or gone, its next run and what came of the last.

use std::collections::BTreeSet;

use serde::Serialize;

use super::analyse::winner;
use super::campaign::Campaign;
use super::{Ctx, FlowError, trigger};
use crate::base::suggest::hint;
use crate::base::time::UnixMs;
use crate::model::pause::Pause;
use crate::model::switch::Switch;
use crate::rules::{Rule, RuleSet};
use crate::store::messages::{self, Open};
use crate::store::rules::{self, Run, Version};
use crate::store::{Tx, pauses};

/// Where a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// In the files, and a version of it runs.
    InForce,
    /// In the files only: no daemon has taken it up yet.
    New,
    /// It ran, and is in the files no more.
    Gone,
}

/// What a rule stands at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    /// The rule.
    pub rule: String,
    /// Where it stands; a pause comes on top.
    pub state: State,
    /// The version that runs, or ran last.
    pub hash: Option<String>,
    /// Since when.
    pub since: Option<UnixMs>,
    /// The version in the files, when no daemon has taken it up yet.
    pub changed: Option<String>,
    /// The pause that it is in.
    pub paused: Option<Pause>,
    /// The next run of the version that runs; `None`: it is paused or gone, or runs only when it is named.
    pub next_run_at: Option<UnixMs>,
    /// The last run.
    pub last_run: Option<Run>,
    /// The variant that has won and takes the traffic, and since when.
    pub switch: Option<Switch>,
    /// Messages that have not left.
    pub open: Open,
}

/// All rules, of the database and of the files, by name. Without `files` (they have faults) nobody knows which rules are changed, new or gone.
pub async fn survey(ctx: &Ctx, files: Option<&Campaign>) -> Result<Vec<Standing>, FlowError> {
    let now = ctx.clock.now();
    let mut tx = ctx.db.read().await?;
    let (states, paused, mut open) = (rules::states(&mut tx).await?, pauses::open(&mut tx).await?, messages::open_by_rule(&mut tx).await?);
    let in_files: &[Rule] = files.map_or(&[], |files| files.rules.rules());
    let names = states.iter().map(|(rule, _)| rule.clone()).chain(in_files.iter().map(|rule| rule.spec.name.clone()));
    let names = names.chain(paused.iter().map(|pause| pause.rule.clone()));
    let mut standings = Vec::new();
    for name in names.collect::<BTreeSet<String>>() {
        let version = rules::in_force(&mut tx, &name).await?;
        let in_file = in_files.iter().find(|rule| rule.spec.name == name);
        let paused = paused.iter().find(|pause| pause.rule == name).cloned();
        let state = match (&version, in_file) {
            (_, None) if files.is_some() => State::Gone,
            (None, _) => State::New,
            (Some(_), _) => State::InForce,
        };
        let runs = paused.is_none() && state == State::InForce;
        standings.push(Standing {
            state,
            since: states.iter().find(|(rule, _)| *rule == name).map(|(_, at)| *at),
            changed: in_file.map(|rule| &rule.spec.hash).filter(|hash| version.as_ref().is_none_or(|version| version.hash != **hash)).cloned(),
            next_run_at: version.as_ref().filter(|_| runs).and_then(|version| next_run(ctx, &name, version, in_file)),
            hash: version.map(|version| version.hash),
            switch: winner::of_running(&mut tx, &name).await?,
            last_run: rules::last_run(&mut tx, &name, now).await?,
            open: open.remove(&name).unwrap_or_default(),
            paused,
            rule: name,
        });
    }
    Ok(standings)
}

/// Whether there is such a rule, in force now or ever, or in the files.
///
/// # Errors
/// A sentence that names those there are. Without `files` (they have faults) only those that ever ran are known, which stops nobody who wants to look
/// or to brake.
pub async fn exists(ctx: &Ctx, rule: &str, files: Option<&RuleSet>) -> Result<Result<(), String>, FlowError> {
    let mut names: BTreeSet<String> = rules::states(&mut ctx.db.read().await?).await?.into_iter().map(|(rule, _)| rule).collect();
    names.extend(files.into_iter().flat_map(RuleSet::rules).map(|rule| rule.spec.name.clone()));
    if names.contains(rule) {
        return Ok(Ok(()));
    }
    let among = if files.is_some() { "" } else { " among those that ever ran (the files have faults: `stammgast check`)" };
    let similar = hint(rule, names.iter().map(String::as_str), "");
    let known = if names.is_empty() {
        "there is none".to_owned()
    } else {
        format!("expected one of {}", names.iter().cloned().collect::<Vec<_>>().join(", "))
    };
    Ok(Err(format!("there is no rule '{rule}'{among}{similar}: {known}")))
}

/// The running version's schedule counts, which may not be the file's.
fn next_run(ctx: &Ctx, name: &str, version: &Version, in_file: Option<&Rule>) -> Option<UnixMs> {
    match in_file.filter(|rule| rule.spec.hash == version.hash) {
        Some(rule) => trigger::next_of(ctx, rule),
        None => RuleSet::from_stored(&version.text).ok()?.rule(name).and_then(|rule| trigger::next_of(ctx, rule)),
    }
}

/// A version by the beginning of its hash.
///
/// # Errors
/// A sentence when there is none, or more than one.
pub async fn version(tx: &mut Tx, rule: &str, hash: &str) -> Result<Result<Version, String>, FlowError> {
    Ok(match <[Version; 1]>::try_from(rules::versions(tx, rule, hash).await?) {
        Ok([version]) => Ok(version),
        Err(found) if found.is_empty() => Err(format!("rule '{rule}' never ran in a version whose hash begins like this")),
        Err(_) => Err(format!("several versions of rule '{rule}' begin like this: give more digits")),
    })
}
