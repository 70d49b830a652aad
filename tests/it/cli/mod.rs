//! Tests of cli.

mod check;
mod import;
mod numbers;
