//! Identifiers: 63-bit numbers that need no sequence in the database and grow with time.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};

use super::clock::system_micros;

/// The identity of a stored row. Says nothing about the row; external ids are what shops see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub i64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl serde::Serialize for Id {
    /// As text: a JSON reader with 53-bit numbers would round it.
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// 2020-01-01T00:00:00Z in microseconds: ids count from here, so that 10 bits fit below the microsecond.
const EPOCH_MICROS: i64 = 1_577_836_800_000_000;

/// The next free id. A process starts at its own microsecond (times 1024, plus some random bits) and counts up by one,
/// so two processes meet only when they start within the same microsecond; the primary key guards that case too.
#[must_use]
pub fn next() -> Id {
    static NEXT: AtomicI64 = AtomicI64::new(0);
    if NEXT.load(Ordering::Relaxed) == 0 {
        let start = ((system_micros() - EPOCH_MICROS) << 10) | i64::from(rand::random::<u16>() & 0x3ff);
        // Only the first caller sets the start; the others find it set.
        let _ = NEXT.compare_exchange(0, start, Ordering::SeqCst, Ordering::SeqCst);
    }
    Id(NEXT.fetch_add(1, Ordering::SeqCst))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_grow_and_never_repeat() {
        let ids: Vec<Id> = (0..10_000).map(|_| next()).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids[0].0 > 0);
    }
}
