//! Tests of cli.

mod check;
mod config;
mod demo;
mod import;
mod numbers;
mod usage;
