//! What rules promise, tried out offline: the examples beside them, and scenarios over days. Through the daemon's own stages, on a database in memory.

pub mod examples;
pub mod mails;
pub mod scenarios;
