//! The integration tests: one binary, so that the crate is linked once.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on may panic")]
#![expect(unreachable_pub, reason = "what the tests share is public to them alone")]

#[macro_use]
mod common;

mod channel;
mod cli;
mod daemon;
mod flow;
mod intake;
mod policy;
mod rules;
mod score;
mod store;
mod web;
