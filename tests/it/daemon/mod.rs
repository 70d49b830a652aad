//! Tests of the daemon: the real program as a child process.

mod kill;
mod killable;
mod lifecycle;
mod lock;
mod outage;
mod pause;
mod process;
mod reload;
mod schedule;
mod shutdown;
