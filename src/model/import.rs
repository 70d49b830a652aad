//! What an import did.

use serde::Serialize;

use crate::base::id::Id;
use crate::base::time::UnixMs;

/// Counts of an import; the names are a contract with scripts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportCounts {
    /// Records that were new.
    pub inserted: u64,
    /// Records that were known and changed.
    pub updated: u64,
    /// Records that were known and are the same.
    pub unchanged: u64,
    /// Lines that were refused; they stand in `FILE.rejected`.
    pub rejected: u64,
}

impl ImportCounts {
    /// Adds another batch.
    pub fn add(&mut self, other: Self) {
        self.inserted += other.inserted;
        self.updated += other.updated;
        self.unchanged += other.unchanged;
        self.rejected += other.rejected;
    }
}

/// What complaints among imported events did; the names are a contract with scripts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ComplaintCounts {
    /// Complaints that were new or have changed: whoever they are from has objected.
    pub complaints: u64,
    /// Those of them that are counted for a message of ours.
    pub attributed: u64,
}

impl ComplaintCounts {
    /// Adds another batch.
    pub fn add(&mut self, other: Self) {
        self.complaints += other.complaints;
        self.attributed += other.attributed;
    }
}

/// What a batch of orders did, and what follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// What happened to the orders.
    pub counts: ImportCounts,
    /// Customers with new or changed orders, sorted, each once: their scores are out of date.
    pub touched_customers: Vec<Id>,
    /// The earliest moment at which a new or changed order was (or, before the change, had been) placed.
    pub earliest: Option<UnixMs>,
}
