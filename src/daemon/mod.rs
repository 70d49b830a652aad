//! Floor 6: schedules, supervision, signals, shutdown.
