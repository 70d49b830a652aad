//! A scenario: a small shop over some days, and who has to be written to in them.

use chrono::NaiveDate;

use super::customer::NewCustomer;
use super::event::NewEvent;
use super::example::Expected;
use super::order::NewOrder;
use crate::base::time::UnixMs;

/// A place in the scenario's file: line and column, from 1.
pub type Place = (usize, usize);

/// A scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// The file.
    pub file: String,
    /// What it shows.
    pub name: String,
    /// The rules that run, each with its place; empty: all there are.
    pub rules: Vec<(String, Place)>,
    /// The first day, in the shop's zone.
    pub from: NaiveDate,
    /// The last day.
    pub until: NaiveDate,
    /// The customers, then what they said besides, in the file's order.
    pub customers: Vec<NewCustomer>,
    /// The shop's keys of those whose address goes on the suppression list, each with when.
    pub suppressed: Vec<(String, UnixMs)>,
    /// Their orders.
    pub orders: Vec<NewOrder>,
    /// What else happened to them.
    pub events: Vec<NewEvent>,
    /// Who is written to, and refusals that matter; in the file's order.
    pub expected: Vec<Line>,
}

/// Something that is expected to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Where it stands.
    pub at: Place,
    /// The day of the run, in the shop's zone.
    pub date: NaiveDate,
    /// The shop's key of the customer.
    pub customer: String,
    /// The rule.
    pub rule: String,
    /// What comes of it; never [`Expected::No`].
    pub expected: Expected,
    /// When the message may leave; `None`: whenever.
    pub leaves: Option<UnixMs>,
    /// What stands in the mail's subject or text.
    pub says: Vec<String>,
}
