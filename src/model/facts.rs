//! What a rule may know about a customer, and when it asks.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::attribute::Attributes;
use super::crossing::{PastClasses, Tracked};
use super::customer::Customer;
use super::fact::{ALL, Fact, Reading, Source};
use super::score::Score;
use crate::base::money::Cents;
use crate::base::time::{UnixMs, Zone};

/// A customer as a rule sees them: record and scores. No scores: never bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The record.
    pub customer: Customer,
    /// The scores as of the rule's run; `None` when there is no order up to then. They are as large as all the rest: a replay, which keeps everybody, has only
    /// those at hand of the few whom it asks about.
    pub score: Option<Box<Score>>,
    /// The shop's own scores by name, as of the rule's run; one that is unknown is not there.
    pub own: Attributes,
    /// What happened.
    pub history: Option<Arc<History>>,
    /// What of all this was read; the rest is not known.
    pub read: Needs,
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

    /// A real customer whose history was not read.
    #[must_use]
    pub fn new(customer: Customer, score: Option<Score>) -> Self {
        Self { customer, score: score.map(Box::new), own: Attributes::new(), history: None, read: Needs::RECORD, stated: None }
    }
}

/// What happened to a customer, in the order of time; also what happened after the moment that a rule asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Paid orders.
    pub orders: Vec<PastOrder>,
    /// Their lines.
    pub lines: Vec<PastLine>,
    /// Emails that neither failed nor were withdrawn.
    pub emails: Vec<PastEmail>,
    /// Events that were imported.
    pub events: Vec<PastEvent>,
    /// When the customers came whom this one brought.
    pub referrals: Vec<UnixMs>,
    /// The classes they moved between.
    pub classes: PastClasses,
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

/// An event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastEvent {
    /// When.
    pub at: UnixMs,
    /// What happened, in lower case.
    pub kind: String,
    /// The answer to a survey.
    pub answer: Option<u8>,
}

/// What is known when nothing was asked for.
pub static NOTHING: History = History {
    orders: Vec::new(),
    lines: Vec::new(),
    emails: Vec::new(),
    events: Vec::new(),
    referrals: Vec::new(),
    classes: PastClasses { begins: None, settled: [None; Tracked::ALL.len()], crossings: Vec::new() },
};

/// A set of facts: those that a rule asks for, or those that were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs(u128);

const _: () = assert!(ALL.len() <= 128, "a fact is a bit");

impl Needs {
    /// Everything there is.
    pub const ALL: Self = Self(u128::MAX);
    /// Everything but what takes a look into the history.
    pub const RECORD: Self = {
        let (mut bits, mut place) = (0, 0);
        while place < ALL.len() {
            if !ALL[place].source.is_history() {
                bits |= 1 << place;
            }
            place += 1;
        }
        Self(bits)
    };

    /// What takes a look into the history.
    pub const HISTORY: Self = Self(!Self::RECORD.0);
    /// What compares a customer with all others.
    pub const STANDINGS: Self =
        Self::these(&[Fact::R, Fact::F, Fact::M, Fact::Rfm, Fact::RfmWeighted, Fact::Abc, Fact::AbcAdjusted, Fact::RevenueRank, Fact::TopPercent]);
    /// What follows from the models of how customers buy.
    pub const LIFETIME: Self = Self::these(&[Fact::ChurnRisk, Fact::ExpectedOrders365, Fact::ExpectedOrderValue, Fact::Clv12m]);

    const fn these(facts: &[Fact]) -> Self {
        let (mut bits, mut place) = (0, 0);
        while place < facts.len() {
            bits |= 1 << facts[place] as u8;
            place += 1;
        }
        Self(bits)
    }

    /// These facts.
    #[must_use]
    pub fn of(facts: impl IntoIterator<Item = Fact>) -> Self {
        Self(facts.into_iter().fold(0, |bits, fact| bits | 1 << fact as u8))
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether a fact is among them.
    #[must_use]
    pub const fn has(self, fact: Fact) -> bool {
        self.0 >> fact as u8 & 1 == 1
    }

    /// Whether they have one of these.
    #[must_use]
    pub const fn any(self, of: Self) -> bool {
        self.0 & of.0 != 0
    }

    /// But for these.
    #[must_use]
    pub const fn without(self, others: Self) -> Self {
        Self(self.0 & !others.0)
    }

    /// Whether one of them is read from there.
    #[must_use]
    pub fn from(self, source: Source) -> bool {
        ALL.iter().any(|about| about.source == source && self.has(about.fact))
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
