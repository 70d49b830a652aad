//! Tests of the store: schema and statements.

mod customers;
mod deliveries;
mod events;
mod filter;
mod full;
mod orders;
mod schema;
mod scores;

use sqlx::AssertSqlSafe;
use stammgast::on;
use stammgast::store::Db;

/// One column of text, as a query gives it.
pub(crate) async fn texts(db: &Db, query: &str) -> Vec<String> {
    let mut tx = db.read().await.unwrap();
    on!(&mut tx, |c| sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_all(c).await).unwrap()
}

/// One number.
pub(crate) async fn number(db: &Db, query: &str) -> i64 {
    let mut tx = db.read().await.unwrap();
    on!(&mut tx, |c| sqlx::query_scalar(AssertSqlSafe(query.to_owned())).fetch_one(c).await).unwrap()
}
