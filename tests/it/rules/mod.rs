//! Tests of rules.

mod crontab;
mod crontab_reference;

mod actions;
mod certain;
mod conditions;
pub(crate) mod example;
mod examples;
mod faults;
mod hostile;
mod language;
mod modules;
mod sandbox;
mod scores;
mod shipped;
pub(crate) mod short_cut;
mod why;
