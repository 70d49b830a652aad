//! A wish to have rules and templates read again, and what came of it: what is in force now and what that changed, or every fault.

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::sync::oneshot;

use super::campaign::Campaign;
use crate::model::fault::FileFault;

/// A wish to reload now; answered when it is done. Whoever fulfils it has gone when it is dropped.
pub type Wish = oneshot::Sender<Result<Swap, Vec<FileFault>>>;

/// What a reload put in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Swap {
    /// The rules in force now, in the order of their files.
    pub rules: Vec<Running>,
    /// Names of rules that were not in force before.
    pub added: Vec<String>,
    /// Names of rules that are in force no more.
    pub removed: Vec<String>,
    /// Names of rules that are in force with another text.
    pub changed: Vec<String>,
    /// What is perhaps not what was meant.
    pub warnings: Vec<FileFault>,
}

/// A rule in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Running {
    /// Its name.
    pub rule: String,
    /// Its version: 64 hex digits.
    pub hash: String,
}

impl Swap {
    /// From what was in force to what is.
    pub(super) fn between(before: &Campaign, now: &Campaign) -> Self {
        let hashes = |campaign: &Campaign| -> BTreeMap<String, String> {
            campaign.rules.rules().iter().map(|rule| (rule.spec.name.clone(), rule.spec.hash.clone())).collect()
        };
        let (old, new) = (hashes(before), hashes(now));
        let names = |of: &BTreeMap<String, String>, wanted: &dyn Fn(&String, &String) -> bool| -> Vec<String> {
            of.iter().filter(|(rule, hash)| wanted(rule, hash)).map(|(rule, _)| rule.clone()).collect()
        };
        Self {
            added: names(&new, &|rule, _| !old.contains_key(rule)),
            removed: names(&old, &|rule, _| !new.contains_key(rule)),
            changed: names(&new, &|rule, hash| old.get(rule).is_some_and(|other| other != hash)),
            rules: now.rules.rules().iter().map(|rule| Running { rule: rule.spec.name.clone(), hash: rule.spec.hash.clone() }).collect(),
            warnings: now.warnings.clone(),
        }
    }
}
