//! Customers and orders put straight into the tables, for tests of what reads them.

use sqlx::AssertSqlSafe;
use stammgast::store::{Db, StoreError};

/// Runs a statement outside any transaction of the program.
pub(crate) async fn execute(db: &Db, statement: String) {
    let done = match db {
        Db::Sqlite { write, .. } => sqlx::query(AssertSqlSafe(statement.clone())).execute(write).await.map(|_| ()),
        Db::Postgres(pool) => sqlx::query(AssertSqlSafe(statement.clone())).execute(pool).await.map(|_| ()),
    };
    done.unwrap_or_else(|error| panic!("{error}: {statement}"));
}

/// Several statements in one transaction.
pub(crate) async fn together(db: &Db, statements: &[String]) -> Result<(), StoreError> {
    let mut tx = db.write().await?;
    for statement in statements {
        stammgast::on!(&mut tx, |c| sqlx::query(AssertSqlSafe(statement.clone())).execute(c).await.map(drop))?;
    }
    tx.commit().await
}

/// Customers with these ids; the external id is the same number.
pub(crate) async fn customers(db: &Db, ids: std::ops::RangeInclusive<i64>) {
    let rows: Vec<String> = ids.map(|id| format!("({id}, '{id}', '[]', 0, 0)")).collect();
    execute(db, format!("INSERT INTO customers (id, external_id, tags, created_at, updated_at) VALUES {}", rows.join(", "))).await;
}

/// An order as the tests need it: id, customer, time, revenue, cost, status.
pub(crate) async fn order(db: &Db, id: i64, customer: i64, ordered_at: i64, revenue_cents: i64, cost_cents: Option<i64>, status: &str) {
    let cost = cost_cents.map_or_else(|| "NULL".to_owned(), |cost| cost.to_string());
    execute(
        db,
        format!(
            "INSERT INTO orders (id, external_id, customer_id, ordered_at, revenue_cents, cost_cents, currency, status, content_hash, updated_at)
             VALUES ({id}, 'o{id}', {customer}, {ordered_at}, {revenue_cents}, {cost}, 'EUR', '{status}', 0, 0)"
        ),
    )
    .await;
}
