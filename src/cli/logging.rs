//! Logs go to stderr: as text for people, as JSON lines for machines.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;

use crate::config::sections::Log;

/// Starts logging as the configuration says; a second start changes nothing.
pub(super) fn start(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A journal or a file would keep the colours as signs between the words.
    let builder = if std::io::stderr().is_terminal() { builder } else { builder.with_ansi(false) };
    let _ = if log.json { builder.json().try_init() } else { builder.try_init() };
}

/// Whether logging can start as the configuration says.
pub(super) fn check(log: &Log) -> Result<(), String> {
    let fault = |_| format!("[log] filter: '{}' cannot be read: expected e.g. \"info\" or \"stammgast=debug,info\", as RUST_LOG", log.filter);
    EnvFilter::try_new(&log.filter).map(drop).map_err(fault)
}
