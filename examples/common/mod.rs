//! What the benches share: the product's allocator, raw SQL, the memory that was taken.

use stammgast::store::Tx;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Runs a statement; how many rows it changed.
pub(crate) async fn execute(tx: &mut Tx, text: String) -> Outcome<u64> {
    Ok(match tx {
        Tx::Sqlite(inner) => sqlx::query(sqlx::AssertSqlSafe(text)).persistent(false).execute(&mut **inner).await?.rows_affected(),
        Tx::Postgres(inner) => sqlx::query(sqlx::AssertSqlSafe(text)).persistent(false).execute(&mut **inner).await?.rows_affected(),
    })
}

/// The most memory that this process ever had, in MiB.
pub(crate) fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
}
