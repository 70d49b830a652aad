//! Tests of cli.

mod check;
