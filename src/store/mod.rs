//! Floor 3: the only SQL. Model types go in and come out; SQLite and PostgreSQL take the same text wherever they can.

#[macro_use]
pub mod db;
pub mod schema;
pub mod scores;

pub use db::{Db, Sql, StoreError, Tx};

/// Every fixed statement with its name, so that a test can prepare each on both databases.
#[must_use]
pub fn statements() -> Vec<(&'static str, Sql)> {
    [db::STATEMENTS, scores::STATEMENTS].concat()
}
