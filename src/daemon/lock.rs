//! Lets no second daemon of the same name onto one database: a SQLite file has one daemon; on PostgreSQL each has its own name.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::PathBuf;

use anyhow::Context as _;

use crate::base::id;
use crate::config::Config;
use crate::store::Db;

/// This daemon's name among those on the same database, and the lock that keeps it its own. Dropped with the process, however it ends.
#[derive(Debug)]
pub struct Identity {
    /// `NAME/PROCESS`: what leases are taken as. What `NAME/` of an earlier process left is ours to take up.
    pub who: String,
    _lock: File,
}

/// Takes the lock.
///
/// # Errors
/// A sentence when another process has it.
pub fn take(config: &Config, db: &Db) -> anyhow::Result<Identity> {
    let name = if config.daemon.name.is_empty() { host_name() } else { config.daemon.name.clone() };
    let path = match db.file() {
        Some(file) => {
            let mut path = file.into_os_string();
            path.push(".lock");
            PathBuf::from(path)
        }
        None => std::env::temp_dir().join(format!("stammgast-{name}.lock")),
    };
    let open = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
    let lock = open.with_context(|| format!("{}: the lock file cannot be made", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(Identity { who: format!("{name}/{}", id::next()), _lock: lock }),
        Err(TryLockError::WouldBlock) if db.is_shared() => {
            anyhow::bail!("another stammgast named '{name}' works on this machine ({}): give this one another [daemon] name", path.display())
        }
        Err(TryLockError::WouldBlock) => {
            anyhow::bail!("another stammgast works on this database ({}): one at a time on SQLite; several daemons need PostgreSQL", path.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{}: cannot be locked", path.display())),
    }
}

/// The machine's name, for telling daemons on different machines apart.
fn host_name() -> String {
    // The hardened unit hides the first.
    let read = |path| std::fs::read_to_string(path).ok().filter(|name: &String| !name.trim().is_empty());
    let name = read("/proc/sys/kernel/hostname").or_else(|| read("/etc/hostname")).unwrap_or_default();
    let name: String = name.trim().chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')).collect();
    if name.is_empty() { "stammgast".to_owned() } else { name }
}
