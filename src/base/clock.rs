//! The only source of "now": the system's clock, or a simulated one that tests and `--as-of` move by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::time::UnixMs;

/// A clock that is handed down; nothing else in the project asks the system for the time.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The machine's wall clock.
    System,
    /// A clock that stands still until somebody moves it; clones share the same hands.
    Simulated(Arc<AtomicI64>),
}

impl Clock {
    /// A simulated clock that shows `at`.
    #[must_use]
    pub fn simulated(at: UnixMs) -> Self {
        Self::Simulated(Arc::new(AtomicI64::new(at.0)))
    }

    /// The present moment, UTC.
    #[must_use]
    pub fn now(&self) -> UnixMs {
        match self {
            Self::System => system_now(),
            Self::Simulated(hands) => UnixMs(hands.load(Ordering::SeqCst)),
        }
    }

    /// Moves a simulated clock to `at`; the system's clock is left alone.
    pub fn set(&self, at: UnixMs) {
        if let Self::Simulated(hands) = self {
            hands.store(at.0, Ordering::SeqCst);
        }
    }

    /// Whether this clock is moved by hand.
    #[must_use]
    pub fn is_simulated(&self) -> bool {
        matches!(self, Self::Simulated(_))
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
fn system_now() -> UnixMs {
    UnixMs(chrono::Utc::now().timestamp_millis())
}

/// Microseconds since the Unix epoch by the system's clock, for ids only: an id has to be unique even when time is simulated.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the system's clock")]
pub(super) fn system_micros() -> i64 {
    chrono::Utc::now().timestamp_micros()
}
