//! Floor 2: Rhai rules: load, check, sandbox, evaluate; and the crontab lines in them. Pure.

pub mod crontab;
