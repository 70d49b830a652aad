//! Floor 2: Rhai rules: load, check, sandbox, evaluate; and the crontab lines in them. Pure.

mod action;
mod builder;
pub mod crontab;
mod draft;
mod explain;
mod helpers;
mod internals;
mod lint;
mod modules;
mod registry;
mod rule;
mod sandbox;
mod set;
mod suggest;
mod tell;
mod trial;
mod why;

pub use rule::{ActJob, Acted, AttributeMention, Evaluation, Mention, Rule};
pub use set::RuleSet;
pub use why::{Reason, Reasons};
