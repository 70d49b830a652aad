//! What each stage last did, and what a person should look at, for health and the status page.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::base::time::UnixMs;

/// How a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It worked.
    Well,
    /// It works, but a person should look at something: the program is ready all the same.
    Warns,
    /// It does not work at present.
    Fails,
}

/// A stage's last sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// When.
    pub at: UnixMs,
    /// What it did, in a sentence.
    pub said: String,
    /// Whether it worked.
    pub health: Health,
}

/// Something that works as it should, and that a person should look at all the same.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Warning {
    /// `held` or `silent`.
    pub kind: &'static str,
    /// The rule.
    pub rule: String,
    /// What it is, in a sentence without the rule's name.
    pub said: String,
}

/// The stages' last signs of life, by name, and the warnings that were found last.
#[derive(Debug, Default)]
pub struct Pulse {
    beats: Mutex<BTreeMap<&'static str, Beat>>,
    warnings: Mutex<Vec<Warning>>,
}

impl Pulse {
    /// Notes what a stage did.
    pub fn note(&self, stage: &'static str, at: UnixMs, health: Health, said: impl Into<String>) {
        let beat = Beat { at, said: said.into(), health };
        self.beats.lock().unwrap_or_else(PoisonError::into_inner).insert(stage, beat);
    }

    /// All stages with their last sign of life.
    #[must_use]
    pub fn all(&self) -> Vec<(&'static str, Beat)> {
        self.beats.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|(stage, beat)| (*stage, beat.clone())).collect()
    }

    /// Notes what a person should look at, in place of what was noted before.
    pub fn warn(&self, warnings: Vec<Warning>) {
        *self.warnings.lock().unwrap_or_else(PoisonError::into_inner) = warnings;
    }

    /// What a person should look at.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The oldest of the signs of life of these stages; `None` while one of them gave none.
    #[must_use]
    pub fn oldest(&self, stages: &[&'static str]) -> Option<UnixMs> {
        let beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        let signs: Option<Vec<UnixMs>> = stages.iter().map(|stage| beats.get(stage).map(|beat| beat.at)).collect();
        signs?.into_iter().min()
    }
}
