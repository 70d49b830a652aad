//! Floor 3: the only SQL. Model types go in and come out; SQLite and PostgreSQL take the same text wherever they can.

#[macro_use]
pub mod db;
pub mod consents;
pub mod crossings;
pub mod customers;
pub mod decisions;
pub mod deliveries;
pub mod events;
pub mod facts;
pub mod filter;
pub mod history;
pub mod holdouts;
pub mod holds;
pub mod kpi;
pub mod leases;
pub mod messages;
pub mod orders;
pub mod outbox;
pub mod outcomes;
pub mod own_scores;
pub mod pauses;
mod reach;
pub mod report;
pub mod rules;
pub mod schema;
pub mod score_runs;
pub mod scores;
pub mod settings;
pub mod standings;
pub mod switches;
pub mod tallies;
pub mod ticks;

pub use db::{Db, Sql, StoreError, Tx};

/// Every fixed statement with its name, so that a test can prepare each on both databases.
#[must_use]
pub fn statements() -> Vec<(&'static str, Sql)> {
    [
        crossings::STATEMENTS,
        customers::STATEMENTS,
        db::STATEMENTS,
        decisions::STATEMENTS,
        deliveries::STATEMENTS,
        events::STATEMENTS,
        facts::STATEMENTS,
        history::STATEMENTS,
        holdouts::STATEMENTS,
        holds::STATEMENTS,
        kpi::STATEMENTS,
        leases::STATEMENTS,
        messages::STATEMENTS,
        outbox::STATEMENTS,
        outcomes::STATEMENTS,
        own_scores::STATEMENTS,
        pauses::STATEMENTS,
        report::STATEMENTS,
        rules::STATEMENTS,
        schema::STATEMENTS,
        score_runs::STATEMENTS,
        scores::STATEMENTS,
        settings::STATEMENTS,
        standings::STATEMENTS,
        switches::STATEMENTS,
        tallies::STATEMENTS,
        ticks::STATEMENTS,
    ]
    .concat()
}
