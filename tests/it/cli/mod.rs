//! Tests of cli.

mod check;
mod import;
mod messages;
mod numbers;
