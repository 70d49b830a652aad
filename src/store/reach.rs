//! Says why a database cannot be opened: which one, the reason, and what is expected. Never a password.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection as _, Error};

use super::db::StoreError;

/// How long the reason for a pool without connections is looked for.
const LOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// What kept a pool from its first connection. A pool tries again until its time is up and forgets why it had to: one more try tells.
pub(super) async fn postgres_fault(options: &PgConnectOptions, error: Error) -> StoreError {
    let error = match error {
        Error::PoolTimedOut => match tokio::time::timeout(LOOK_TIMEOUT, PgConnection::connect_with(options)).await {
            Ok(Err(reason)) => reason,
            Ok(Ok(_)) | Err(_) => error,
        },
        other => other,
    };
    let reason = match error {
        Error::Io(error) => error.to_string(),
        Error::Database(fault) => fault.message().to_owned(),
        Error::PoolTimedOut => "no answer in time".to_owned(),
        other => other.to_string(),
    };
    let place = match options.get_socket() {
        Some(socket) => socket.display().to_string(),
        None => format!("{}:{}", options.get_host(), options.get_port()),
    };
    let database = options.get_database().unwrap_or(options.get_username());
    StoreError::Unreachable(format!("PostgreSQL at {place}, database '{database}', user '{}': {reason}", options.get_username()))
}

/// What kept a file from being opened.
pub(super) fn sqlite_fault(file: &Path, error: Error) -> StoreError {
    let code = error.as_database_error().and_then(|fault| fault.code()?.parse::<u32>().ok());
    let file = file.display();
    // The first eight bits of a result code are its kind, the others say more.
    match code.map(|code| code & 0xff) {
        Some(26) => StoreError::Unfit(format!("{file}: is no SQLite database: expected one, or no file, and it will be made")),
        Some(8 | 14) => StoreError::Unfit(format!(
            "{file}: cannot be opened for writing: expected a file in a folder that this user may write to, for SQLite keeps files beside it ({error})"
        )),
        // Busy, locked, full: later it may work.
        Some(5 | 6 | 13) => error.into(),
        _ => StoreError::Unfit(format!("{file}: {error}")),
    }
}
