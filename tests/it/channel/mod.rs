//! Tests of channel.

mod smtp;
mod smtp_faults;
