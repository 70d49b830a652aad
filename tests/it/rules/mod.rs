//! Tests of rules: what they load as, what they say about customers, what they make, and what they cannot do.

mod actions;
mod conditions;
mod example;
mod faults;
mod language;
mod modules;
mod sandbox;
mod shipped;
