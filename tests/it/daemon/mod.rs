//! Tests of the daemon: the real program as a child process.

mod kill;
mod killable;
