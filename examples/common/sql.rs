//! Raw SQL for the benches that fill databases.

use stammgast::store::Tx;

use crate::common::Outcome;

/// Runs a statement; how many rows it changed.
pub(crate) async fn execute(tx: &mut Tx, text: String) -> Outcome<u64> {
    Ok(match tx {
        Tx::Sqlite(inner) => sqlx::query(sqlx::AssertSqlSafe(text)).persistent(false).execute(&mut **inner).await?.rows_affected(),
        Tx::Postgres(inner) => sqlx::query(sqlx::AssertSqlSafe(text)).persistent(false).execute(&mut **inner).await?.rows_affected(),
    })
}
