//! Tests of cli.

mod import;
