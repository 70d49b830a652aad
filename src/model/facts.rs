//! What a rule may know about a customer, and when it asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::customer::Customer;
use super::fact::{Fact, Reading};
use super::score::Score;
use crate::base::money::Cents;
use crate::base::time::{UnixMs, Zone};

/// A customer as a rule sees them: record and scores. No scores: never bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The record.
    pub customer: Customer,
    /// The scores as of the rule's run; `None` when there is no order up to then.
    pub score: Option<Score>,
    /// What happened; only what the rule asks for is there.
    pub history: Option<Arc<History>>,
    /// What an example beside a rule states: it counts before record, scores and history. `None`: a real customer.
    pub stated: Option<Arc<BTreeMap<Reading, FieldValue>>>,
}

/// A fact's value as somebody states it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldValue {
    /// Text.
    Text(String),
    /// A whole number.
    Whole(i64),
    /// An exact decimal number.
    Decimal(Decimal),
    /// `true` or `false`.
    Flag(bool),
    /// A list of texts.
    Texts(Vec<String>),
}

impl Facts {
    /// What happened, as far as it was asked for.
    #[must_use]
    pub fn history(&self) -> &History {
        self.history.as_deref().unwrap_or(&NOTHING)
    }

    /// A real customer without a history.
    #[must_use]
    pub fn new(customer: Customer, score: Option<Score>) -> Self {
        Self { customer, score, history: None, stated: None }
    }
}

/// What happened to a customer, in the order of time; also what happened after the moment that a rule asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Which lists are filled.
    pub loaded: Needs,
    /// Paid orders.
    pub orders: Vec<PastOrder>,
    /// Their lines.
    pub lines: Vec<PastLine>,
    /// Emails that neither failed nor were withdrawn.
    pub emails: Vec<PastEmail>,
}

/// A paid order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastOrder {
    /// When.
    pub at: UnixMs,
    /// What was paid.
    pub revenue: Cents,
}

/// A line of a paid order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastLine {
    /// When.
    pub at: UnixMs,
    /// Article number.
    pub sku: Option<String>,
    /// Product name.
    pub name: Option<String>,
    /// Category.
    pub category: Option<String>,
    /// Pieces.
    pub quantity: i64,
}

/// An email.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastEmail {
    /// The moment that it was decided for.
    pub at: UnixMs,
    /// The rule that wrote it.
    pub rule: String,
}

/// What is known when nothing was asked for.
pub static NOTHING: History =
    History { loaded: Needs { orders: false, lines: false, emails: false }, orders: Vec::new(), lines: Vec::new(), emails: Vec::new() };

/// Which parts of the history a rule asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Paid orders.
    pub orders: bool,
    /// Their lines.
    pub lines: bool,
    /// Emails.
    pub emails: bool,
}

impl Needs {
    /// Everything there is.
    pub const ALL: Self = Self { orders: true, lines: true, emails: true };

    /// What the facts are read from.
    #[must_use]
    pub fn of(facts: impl IntoIterator<Item = Fact>) -> Self {
        let mut needs = Self::default();
        for fact in facts {
            match fact {
                Fact::OrdersIn | Fact::RevenueIn => needs.orders = true,
                Fact::Bought | Fact::BoughtCategory | Fact::Pieces | Fact::PiecesOfCategory => needs.lines = true,
                Fact::EmailsIn | Fact::EmailsOf => needs.emails = true,
                _ => {}
            }
        }
        needs
    }

    /// Whether everything in `other` is in this one.
    #[must_use]
    pub fn cover(self, other: Self) -> bool {
        (self.orders || !other.orders) && (self.lines || !other.lines) && (self.emails || !other.emails)
    }
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

    /// When the window of the last `days` calendar days began, today included.
    #[must_use]
    pub fn window(&self, days: i64) -> UnixMs {
        let back = u64::try_from(days.saturating_sub(1)).unwrap_or(0);
        self.today().checked_sub_days(chrono::Days::new(back)).map_or(UnixMs(i64::MIN), |first| self.zone.start_of(first))
    }
}
