//! Tests of cli.

mod numbers;
