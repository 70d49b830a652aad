//! Tests of rules.

mod crontab;
mod crontab_reference;
