//! Tests of the store: schema and statements.

mod schema;
mod scores;
