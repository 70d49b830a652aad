//! Tests of rules.

mod crontab;
mod crontab_reference;

mod actions;
mod conditions;
mod example;
mod faults;
mod language;
mod modules;
mod sandbox;
mod shipped;
mod short_cut;
mod why;
