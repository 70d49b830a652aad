//! Stammgast: campaign automation that a shop can run itself.
//!
//! Floors from the ground up; each imports only lower ones (`tests/layers.rs` checks):
//!
//! ```text
//! 0 base · 1 model, config · 2 intake, score, rules, policy, stats, picture · 3 store, channel · 4 flow · 5 web · 6 daemon · 7 cli
//! ```

pub mod base;

pub mod config;
pub mod model;

pub mod intake;
pub mod picture;
pub mod policy;
pub mod rules;
pub mod score;
pub mod stats;

pub mod channel;
pub mod store;

pub mod flow;

pub mod web;

pub mod daemon;

pub mod cli;
