//! Floor 2: bytes from shops become new customers, orders and events: pure decoders, no database, no network.
//!
//! The way of a file: [`text`] makes it UTF-8 → [`csv`] or [`json_lines`] cut it into records → [`rows`] puts the cells under our
//! [`fields`], as the [`mapping`] says → [`customers`], [`orders`] and [`events`] read the cells. Whatever cannot be read comes back as a
//! [`Refused`] line with its reason; nothing ends the file but a fault of the file itself.

mod cells;
pub mod csv;
pub mod customers;
pub mod dates;
pub mod events;
pub mod fields;
pub mod json_lines;
pub mod mapping;
pub mod orders;
pub mod rejects;
pub mod rows;
pub mod scenario;
pub mod text;

use dates::DateOrder;

use crate::base::money::Currency;
use crate::base::time::{UnixMs, Zone};

/// What the decoders have to know besides the file.
#[derive(Clone, Debug)]
pub struct Options {
    /// The zone that dates and times without an offset are in.
    pub zone: Zone,
    /// The currency of amounts without one.
    pub currency: Currency,
    /// How dates with slashes are to be read, or that times are Unix numbers; `None`: slashes only where they can be read in one way.
    pub date_order: Option<DateOrder>,
    /// Name of the system that the data is from. It is put in front of external ids, so that two systems may use the same numbers,
    /// and is the source of consents that name none.
    pub source: Option<String>,
    /// The age of the data: an objection without a date of its own was made by then.
    pub data_at: UnixMs,
    /// Nobody was born later.
    pub now: UnixMs,
}

impl Options {
    /// The external id as it is stored: behind `NAME:` when the data's source was named.
    #[must_use]
    pub fn external_id(&self, id: &str) -> String {
        self.source.as_ref().map_or_else(|| id.to_owned(), |source| format!("{source}:{id}"))
    }
}

/// A line that was not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Number of its first line in the file, from 1.
    pub line: u64,
    /// A sentence with field and expectation; does not repeat personal data.
    pub reason: String,
    /// The line as it was, in UTF-8, without the line end (a quoted cell may hold line breaks).
    pub raw: String,
}

/// What a decoder found next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// A record that can be stored.
    Record(T),
    /// Lines that cannot: one, or all lines of an order of which one is faulty.
    Refused(Vec<Refused>),
}

/// Why a file cannot be read on.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Reading failed.
    #[error("cannot be read: {0}")]
    Io(#[from] std::io::Error),
    /// The file as a whole is not what it should be; the sentence says what is there, what is expected and what to do.
    #[error("{0}")]
    Unfit(String),
}

pub mod sample_shop;
