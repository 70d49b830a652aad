//! Brings the schema of either database up to date.

use std::borrow::Cow;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migrate, Migration, MigrationType, Migrator};

use super::db::{Db, StoreError};

/// Number, name, text for SQLite, text for PostgreSQL. The test `every_migration_file_is_listed` keeps it complete.
const MIGRATIONS: &[(i64, &str, &str, &str)] = &[
    (1, "main_job", include_str!("../../migrations/sqlite/0001_main_job.sql"), include_str!("../../migrations/postgres/0001_main_job.sql")),
    (2, "rule_pauses", include_str!("../../migrations/sqlite/0002_rule_pauses.sql"), include_str!("../../migrations/postgres/0002_rule_pauses.sql")),
    (3, "guards", include_str!("../../migrations/sqlite/0003_guards.sql"), include_str!("../../migrations/postgres/0003_guards.sql")),
    (4, "attributes", include_str!("../../migrations/sqlite/0004_attributes.sql"), include_str!("../../migrations/postgres/0004_attributes.sql")),
    (5, "outlook", include_str!("../../migrations/sqlite/0005_outlook.sql"), include_str!("../../migrations/postgres/0005_outlook.sql")),
    (6, "events", include_str!("../../migrations/sqlite/0006_events.sql"), include_str!("../../migrations/postgres/0006_events.sql")),
    (
        7,
        "vouchers_redeemed",
        include_str!("../../migrations/sqlite/0007_vouchers_redeemed.sql"),
        include_str!("../../migrations/postgres/0007_vouchers_redeemed.sql"),
    ),
    (8, "own_scores", include_str!("../../migrations/sqlite/0008_own_scores.sql"), include_str!("../../migrations/postgres/0008_own_scores.sql")),
    (9, "crossings", include_str!("../../migrations/sqlite/0009_crossings.sql"), include_str!("../../migrations/postgres/0009_crossings.sql")),
    (10, "holdout", include_str!("../../migrations/sqlite/0010_holdout.sql"), include_str!("../../migrations/postgres/0010_holdout.sql")),
    (11, "referred_by", include_str!("../../migrations/sqlite/0011_referred_by.sql"), include_str!("../../migrations/postgres/0011_referred_by.sql")),
    (12, "switches", include_str!("../../migrations/sqlite/0012_switches.sql"), include_str!("../../migrations/postgres/0012_switches.sql")),
    (
        13,
        "abc_adjusted",
        include_str!("../../migrations/sqlite/0013_abc_adjusted.sql"),
        include_str!("../../migrations/postgres/0013_abc_adjusted.sql"),
    ),
    (14, "complaints", include_str!("../../migrations/sqlite/0014_complaints.sql"), include_str!("../../migrations/postgres/0014_complaints.sql")),
    (15, "refreshed", include_str!("../../migrations/sqlite/0015_refreshed.sql"), include_str!("../../migrations/postgres/0015_refreshed.sql")),
    (
        16,
        "old_complaints",
        include_str!("../../migrations/sqlite/0016_old_complaints.sql"),
        include_str!("../../migrations/postgres/0016_old_complaints.sql"),
    ),
    (17, "deliveries", include_str!("../../migrations/sqlite/0017_deliveries.sql"), include_str!("../../migrations/postgres/0017_deliveries.sql")),
    (18, "lately", include_str!("../../migrations/sqlite/0018_lately.sql"), include_str!("../../migrations/postgres/0018_lately.sql")),
    (19, "email_log", include_str!("../../migrations/sqlite/0019_email_log.sql"), include_str!("../../migrations/postgres/0019_email_log.sql")),
];

statements! {
    ANALYZE_SHOP = { postgres: "ANALYZE customers, consents, orders, order_lines, events" };
    ANALYZE_CAMPAIGN = { postgres: "ANALYZE decisions, messages, deliveries, vouchers" };
}

/// Names of the migrations as their files are called, without `.sql`.
#[must_use]
pub fn migration_names() -> Vec<String> {
    MIGRATIONS.iter().map(|(number, name, _, _)| format!("{number:04}_{name}")).collect()
}

/// PostgreSQL chooses its ways by what it knows of a table's size, and looks by itself within minutes only: after many new rows it would read whole
/// tables for each of the statements that follow at once.
#[derive(Clone, Copy, Debug)]
pub enum Grown {
    /// What an import fills.
    Shop,
    /// What a run of a rule fills.
    Campaign,
}

/// Fewer new rows than this change no plan.
const MANY_ROWS: u64 = 1_000;

fn migrator(postgres: bool) -> Migrator {
    let migrations = MIGRATIONS
        .iter()
        .map(|&(number, name, sqlite, pg)| {
            let text = if postgres { pg } else { sqlite };
            Migration::new(number, Cow::Borrowed(name), MigrationType::Simple, text.into_sql_str(), false)
        })
        .collect();
    Migrator::with_migrations(migrations)
}

impl Db {
    /// Applies the migrations that are missing. Several daemons may call it at once.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] when the schema is newer than this program or was changed by hand.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        let done = match self {
            Self::Sqlite { write, .. } => migrator(false).run(write).await,
            Self::Postgres(pool) => migrator(true).run(pool).await,
        };
        done.map_err(|error| StoreError::Unfit(format!("the schema cannot be brought up to date: {error}; a newer Stammgast may have been here")))
    }

    /// To be told after `rows` new rows.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn has_grown(&self, what: Grown, rows: u64) -> Result<(), StoreError> {
        if rows >= MANY_ROWS
            && let Self::Postgres(pool) = self
        {
            let statement = match what {
                Grown::Shop => ANALYZE_SHOP,
                Grown::Campaign => ANALYZE_CAMPAIGN,
            };
            sqlx::query(statement.postgres).execute(pool).await?;
        }
        Ok(())
    }

    /// How many migrations are missing.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn pending_migrations(&self) -> Result<usize, StoreError> {
        let unfit = |error: sqlx::migrate::MigrateError| StoreError::Unfit(format!("the schema's version cannot be read: {error}"));
        let applied = match self {
            Self::Sqlite { write, .. } => {
                let mut connection = write.acquire().await?;
                connection.ensure_migrations_table("_sqlx_migrations").await.map_err(unfit)?;
                connection.list_applied_migrations("_sqlx_migrations").await.map_err(unfit)?
            }
            Self::Postgres(pool) => {
                let mut connection = pool.acquire().await?;
                connection.ensure_migrations_table("_sqlx_migrations").await.map_err(unfit)?;
                connection.list_applied_migrations("_sqlx_migrations").await.map_err(unfit)?
            }
        };
        Ok(MIGRATIONS.iter().filter(|(number, ..)| !applied.iter().any(|done| done.version == *number)).count())
    }
}
