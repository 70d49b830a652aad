//! The two databases behind one face: pools, transactions, and the macros that write a statement once for both.

use std::str::FromStr;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{Postgres, Sqlite, SqliteConnection, Transaction};

use super::reach;
use crate::base::id;

/// A statement's text: the same for both databases, or one for each.
#[derive(Clone, Copy, Debug)]
pub struct Sql {
    /// For SQLite.
    pub sqlite: &'static str,
    /// For PostgreSQL.
    pub postgres: &'static str,
}

/// Declares a file's statements as constants of type [`Sql`] and lists them in `STATEMENTS`, so that none escapes the test that prepares all.
#[macro_export]
macro_rules! statements {
    (@one $text:literal) => { $crate::store::Sql { sqlite: $text, postgres: $text } };
    // Text around lists of ids, each bound as one JSON array: ["… WHERE id ", ids "$1", " AND …"]. PostgreSQL looks up by key for an array that stands
    // alone; for "IN (SELECT …)" it may read the whole table, again for each id.
    (@one [$($part:literal $(, ids $bind:literal)?),+ $(,)?]) => {
        $crate::store::Sql {
            sqlite: concat!($($part, $("IN (SELECT value FROM json_each(", $bind, "))",)?)+),
            postgres: concat!($($part, $("= ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text(", $bind, "::json)))",)?)+),
        }
    };
    // What only one of them needs.
    (@one { sqlite: $sqlite:expr }) => { $crate::store::Sql { sqlite: $sqlite, postgres: "" } };
    (@one { postgres: $postgres:expr }) => { $crate::store::Sql { sqlite: "", postgres: $postgres } };
    (@one { sqlite: $sqlite:expr, postgres: $postgres:expr }) => { $crate::store::Sql { sqlite: $sqlite, postgres: $postgres } };
    ($($(#[$doc:meta])* $name:ident = $text:tt;)*) => {
        $($(#[$doc])* const $name: $crate::store::Sql = $crate::statements!(@one $text);)*
        pub(super) const STATEMENTS: &[(&str, $crate::store::Sql)] = &[$((concat!(module_path!(), "::", stringify!($name)), $name)),*];
    };
}

/// Runs the same body on whichever database the transaction belongs to: `on!(tx, CLAIM, |c, q| sqlx::query(q).bind(x).execute(c).await)`.
/// Without a statement (`on!(tx, |c| …)`) for bulk inserts that build their text.
#[macro_export]
macro_rules! on {
    ($tx:expr, $sql:expr, |$c:ident, $q:ident| $body:expr) => {
        match $tx {
            $crate::store::Tx::Sqlite(inner) => {
                let $c = &mut **inner;
                let $q = $sql.sqlite;
                $body.map_err($crate::store::StoreError::from)
            }
            $crate::store::Tx::Postgres(inner) => {
                let $c = &mut **inner;
                let $q = $sql.postgres;
                $body.map_err($crate::store::StoreError::from)
            }
        }
    };
    ($tx:expr, |$c:ident| $body:expr) => {
        match $tx {
            $crate::store::Tx::Sqlite(inner) => {
                let $c = &mut **inner;
                $body.map_err($crate::store::StoreError::from)
            }
            $crate::store::Tx::Postgres(inner) => {
                let $c = &mut **inner;
                $body.map_err($crate::store::StoreError::from)
            }
        }
    };
}

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Cannot be reached or is busy: the same call may work later.
    #[error("the database cannot be used right now: {0}")]
    Unavailable(sqlx::Error),
    /// Cannot be reached at all; the sentence says which database and why.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// A unique key or a check of the schema says no.
    #[error("the database refused the change: {0}")]
    Conflict(sqlx::Error),
    /// A stored value does not mean anything.
    #[error("the table {table} holds a {column} that cannot be read: '{value}'")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The value.
        value: String,
    },
    /// The database or its schema is not one we can work with; the sentence says why.
    #[error("{0}")]
    Unfit(String),
    /// Anything else.
    #[error("database: {0}")]
    Driver(sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => Self::Unavailable(error),
            sqlx::Error::Database(fault) => {
                let code = fault.code().unwrap_or_default().into_owned();
                // PostgreSQL: connection lost, shutting down, deadlock, serialisation; SQLite: busy, locked, full.
                let later = ["40001", "40P01", "53300", "55P03"].contains(&code.as_str()) || code.starts_with("57P") || code.starts_with("08");
                let sqlite_later = matches!(code.parse::<i32>().map(|n| n & 0xff), Ok(5 | 6 | 13)) && code.len() <= 4;
                if fault.is_unique_violation() || fault.is_check_violation() || fault.is_foreign_key_violation() {
                    Self::Conflict(error)
                } else if later || sqlite_later {
                    Self::Unavailable(error)
                } else {
                    Self::Driver(error)
                }
            }
            _ => Self::Driver(error),
        }
    }
}

/// The database.
#[derive(Clone, Debug)]
pub enum Db {
    /// One file; one writer, many readers.
    Sqlite {
        /// The only connection that writes.
        write: SqlitePool,
        /// Read-only connections.
        read: SqlitePool,
    },
    /// A server.
    Postgres(PgPool),
}

/// A transaction; dropped without [`Tx::commit`] it leaves nothing behind.
#[derive(Debug)]
pub enum Tx {
    /// On SQLite.
    Sqlite(Transaction<'static, Sqlite>),
    /// On PostgreSQL.
    Postgres(Transaction<'static, Postgres>),
}

/// SQLite's writing connection for one text that begins and commits by itself. Unless it came to its end the connection is closed, which takes back
/// what was begun: the next user must not find an open transaction.
pub(super) struct Whole {
    connection: PoolConnection<Sqlite>,
    done: bool,
}

impl Whole {
    pub(super) async fn acquire(write: &SqlitePool) -> Result<Self, StoreError> {
        Ok(Self { connection: write.acquire().await?, done: false })
    }

    pub(super) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    pub(super) fn done(mut self) {
        self.done = true;
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        if !self.done {
            self.connection.close_on_drop();
        }
    }
}

/// A connection to PostgreSQL that its user keeps from one statement to the next: the pool's question whether it is still alive is a trip of its own, and
/// each of its connections has to get to know the plans and the pages.
#[derive(Debug, Default)]
pub(super) struct Kept(Option<PoolConnection<Postgres>>);

/// From so many connections on each channel's claims and its writer may keep one, and there is one left for everybody else.
const SPARE: u32 = 5;

impl Kept {
    /// The kept connection, or one of the pool's. Is only kept on if it is put back, which is for those that did what was asked of them, and if the pool has enough.
    pub(super) async fn take(&mut self, pool: &PgPool) -> Result<PoolConnection<Postgres>, StoreError> {
        Ok(match self.0.take() {
            Some(connection) => connection,
            None => pool.acquire().await?,
        })
    }

    pub(super) fn put_back(&mut self, connection: PoolConnection<Postgres>, pool: &PgPool) {
        if pool.options().get_max_connections() >= SPARE {
            self.0 = Some(connection);
        }
    }
}

statements! {
    /// Statements look rows up by key, whatever they are bound to, and planning anew takes as long as the work of a small group of marks.
    PLAN_ONCE = { postgres: "SET plan_cache_mode = force_generic_plan" };
    SQLITE_VERSION = { sqlite: "SELECT sqlite_version()" };
    FORGET = { sqlite: "PRAGMA shrink_memory" };
}

/// The oldest SQLite without the WAL-reset bug that can corrupt a database (sqlite.org/wal.html#walresetbug).
const OLDEST_SQLITE: [u32; 3] = [3, 51, 3];

impl Db {
    /// Opens the database at `url` (`sqlite://FILE` or `postgres://…`); the file and its folder are made if they are not there.
    /// Does not migrate: see [`Db::migrate`](super::schema).
    ///
    /// # Errors
    /// [`StoreError::Unreachable`] with the reason, [`StoreError::Unfit`] when the file cannot be used, SQLite is too old or the URL is none.
    pub async fn open(url: &str, connections: u32) -> Result<Self, StoreError> {
        if url.starts_with("postgres") {
            let options = PgConnectOptions::from_str(url).map_err(|error| StoreError::Unfit(format!("the database URL cannot be read: {error}")))?;
            let pool = PgPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(10))
                // Poolers refuse it as a parameter of the connection.
                .after_connect(|connection, _| Box::pin(async move { sqlx::query(PLAN_ONCE.postgres).execute(connection).await.map(drop) }))
                .connect_with(options.clone())
                .await;
            return match pool {
                Ok(pool) => Ok(Self::Postgres(pool)),
                Err(error) => Err(reach::postgres_fault(&options, error).await),
            };
        }
        let options = SqliteConnectOptions::from_str(url).map_err(|error| StoreError::Unfit(format!("the database URL cannot be read: {error}")))?;
        let file = options.get_filename().to_owned();
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).map_err(|error| StoreError::Unfit(format!("{}: cannot be made: {error}", folder.display())))?;
        }
        let options = options
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // FULL: a commit survives a power cut; losing the mark "its bytes are with the receiver" would mean a second mail.
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
            .pragma("temp_store", "file")
            // 16 MiB before the journal is folded into the file: what a large import changes again and again is copied less often.
            .pragma("wal_autocheckpoint", "4000")
            .statement_cache_capacity(200);
        let write = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_mins(1))
            .test_before_acquire(false)
            // In KiB; the indexes that an import of millions writes into at random places find room.
            .connect_with(options.clone().pragma("cache_size", "-64000"))
            .await
            .map_err(|error| reach::sqlite_fault(&file, error))?;
        let read = SqlitePoolOptions::new()
            .max_connections(connections)
            .test_before_acquire(false)
            .connect_with(options.read_only(true).pragma("query_only", "on").pragma("cache_size", "-8000"))
            .await
            .map_err(|error| reach::sqlite_fault(&file, error))?;
        let version: String = sqlx::query_scalar(SQLITE_VERSION.sqlite).fetch_one(&read).await?;
        let numbers: Vec<u32> = version.split('.').filter_map(|part| part.parse().ok()).collect();
        if numbers.as_slice() < OLDEST_SQLITE.as_slice() {
            return Err(StoreError::Unfit(format!("SQLite {version} can corrupt a database with several connections: expected 3.51.3 or newer")));
        }
        Ok(Self::Sqlite { write, read })
    }

    /// A migrated database of its own in memory, for rehearsals: gone when it is closed, shared with nobody.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn in_memory() -> Result<Self, StoreError> {
        // Connections of this process that name the same file of this VFS share it; it never touches a disk.
        let db = Self::open(&format!("sqlite:///stammgast-{}?vfs=memdb", id::next().0), 1).await?;
        db.migrate().await?;
        Ok(db)
    }

    /// Begins a transaction that writes. On SQLite it holds the write lock from the start, so that it never fails half-way as "busy".
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection is to be had.
    #[expect(clippy::disallowed_methods, reason = "the one place that begins transactions")]
    pub async fn write(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { write, .. } => Tx::Sqlite(match write.begin_with("BEGIN IMMEDIATE").await {
                // SQLite takes back by itself what a full disk stopped; sqlx counts that transaction as open for ever, and no other can begin beside it.
                Err(sqlx::Error::InvalidSavePointStatement) => {
                    write.acquire().await?.close().await?;
                    write.begin_with("BEGIN IMMEDIATE").await?
                }
                begun => begun?,
            }),
            Self::Postgres(pool) => Tx::Postgres(pool.begin().await?),
        })
    }

    /// Begins a transaction that only reads: one consistent picture.
    ///
    /// # Errors
    /// As [`Db::write`].
    #[expect(clippy::disallowed_methods, reason = "the one place that begins transactions")]
    pub async fn read(&self) -> Result<Tx, StoreError> {
        Ok(match self {
            Self::Sqlite { read, .. } => Tx::Sqlite(read.begin().await?),
            Self::Postgres(pool) => Tx::Postgres(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?),
        })
    }

    /// Whether several daemons may share it.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// The file of a SQLite database.
    #[must_use]
    pub fn file(&self) -> Option<std::path::PathBuf> {
        match self {
            Self::Sqlite { write, .. } => Some(write.connect_options().get_filename().to_owned()),
            Self::Postgres(_) => None,
        }
    }

    /// Closes all connections; SQLite folds its journal into the file.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { write, read } => {
                read.close().await;
                write.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

impl Tx {
    /// Makes everything durable.
    ///
    /// # Errors
    /// When the database could not: then nothing of it happened, unless the connection was lost in this very call.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(inner) => inner.commit().await?,
            Self::Postgres(inner) => inner.commit().await?,
        }
        Ok(())
    }

    /// Gives back what the connection keeps at hand of the file, for who has read all that there is. PostgreSQL keeps nothing in this process.
    pub(crate) async fn forget(&mut self) -> Result<(), StoreError> {
        if let Self::Sqlite(inner) = self {
            sqlx::query(FORGET.sqlite).execute(&mut **inner).await?;
        }
        Ok(())
    }
}

/// Placeholders that one statement may have, rounded down below SQLite's 32,766 (PostgreSQL: 65,535).
pub(super) const MAX_BINDS: usize = 30_000;

/// Ids as the JSON array that statements with `ids` take.
pub(super) fn id_list(ids: impl IntoIterator<Item = id::Id>) -> String {
    let mut list = String::from("[");
    for (position, id) in ids.into_iter().enumerate() {
        if position > 0 {
            list.push(',');
        }
        list.push_str(&id.0.to_string());
    }
    list.push(']');
    list
}
