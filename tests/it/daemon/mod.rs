//! Tests of the daemon: the real program as a child process.

mod lifecycle;
mod lock;
mod outage;
mod process;
mod reload;
mod schedule;
mod shutdown;
