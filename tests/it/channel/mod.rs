//! Tests of channel.

mod file;
mod message;
mod smtp;
mod smtp_faults;
mod templates;
mod webhook;
