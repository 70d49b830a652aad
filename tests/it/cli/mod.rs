//! Tests of cli.

mod check;
mod config;
mod demo;
mod facts;
mod holds;
mod import;
mod kpi;
mod messages;
mod moves;
mod numbers;
mod plan;
mod rules;
mod test;
mod usage;
