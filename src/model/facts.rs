//! What a rule may know about a customer, and when it asks.

use chrono::NaiveDate;

use super::customer::Customer;
use super::score::Score;
use crate::base::time::{UnixMs, Zone};

/// A customer as a rule sees them: record and scores. No scores: never bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The record.
    pub customer: Customer,
    /// The scores as of the rule's run; `None` when there is no order up to then.
    pub score: Option<Score>,
}

/// The moment that a rule runs for, and the calendar it lives by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The moment.
    pub now: UnixMs,
    /// The shop's zone.
    pub zone: Zone,
}

impl Moment {
    /// The calendar day in the shop's zone.
    #[must_use]
    pub fn today(&self) -> NaiveDate {
        self.zone.date(self.now)
    }
}
