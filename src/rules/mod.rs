//! Floor 2: Rhai rules: load, check, sandbox, evaluate; and the crontab lines in them. Pure.

mod action;
mod builder;
mod certain;
pub mod crontab;
mod draft;
mod example;
mod explain;
mod files;
mod helpers;
mod internals;
mod lint;
mod missing;
mod modules;
mod own;
mod ranges;
mod registry;
mod rule;
mod sandbox;
mod score_load;
mod score_verbs;
mod scores;
mod set;
mod tell;
mod trial;
mod warn;
mod why;
pub mod words;
pub mod workers;

use crate::base::suggest;

pub use rule::{ActJob, Acted, Evaluation, Given, Mention, OwnMention, Rule};
pub use scores::{ScoreSet, Tally};
pub use set::RuleSet;
pub use warn::Kept;
pub use why::{Reason, Reasons};
