//! The integration tests: one binary, so that the crate is linked once.

#![expect(clippy::unwrap_used, clippy::expect_used, unreachable_pub, reason = "a test that cannot go on may panic; helpers are shared")]

#[macro_use]
mod common;

mod channel;
mod cli;
mod daemon;
mod flow;
mod intake;
mod picture;
mod policy;
mod rules;
mod score;
mod stats;
mod store;
mod web;
