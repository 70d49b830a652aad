//! What the shop's key figures are made of: purchases, and the stretches of time that they are counted in.

use chrono::NaiveDate;

use crate::base::id::Id;
use crate::base::money::Cents;
use crate::base::time::UnixMs;

/// The calendar periods that figures are counted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum By {
    /// Calendar months.
    Month,
    /// Calendar quarters.
    #[default]
    Quarter,
    /// Calendar years.
    Year,
}

impl By {
    /// Months in a period.
    #[must_use]
    pub fn months(self) -> u32 {
        match self {
            Self::Month => 1,
            Self::Quarter => 3,
            Self::Year => 12,
        }
    }

    /// `month`, `quarter` or `year`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}

/// What the key figures need of a paid order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// Whose.
    pub customer_id: Id,
    /// When.
    pub at: UnixMs,
    /// What was paid.
    pub revenue: Cents,
    /// What the goods cost the shop; `None`: not known.
    pub cost: Option<Cents>,
}

/// A stretch of time that customers are counted in, and the one before it that retention compares with: `[before, from)` and `[from, until)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first moment of the stretch before.
    pub before: UnixMs,
    /// The first moment.
    pub from: UnixMs,
    /// The first moment after it.
    pub until: UnixMs,
}

/// A calendar period in the shop's zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// `2026-03`, `2026Q1` or `2026`.
    pub label: String,
    /// Its first day.
    pub from: NaiveDate,
    /// Its last day, also when that is still to come.
    pub to: NaiveDate,
    /// Whether all of it has passed; a running period's orders are counted so far.
    pub complete: bool,
    /// The same on the time line.
    pub span: Span,
}

/// What is counted in a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Paid orders.
    pub orders: i64,
    /// What was paid, in cents.
    pub revenue_cents: i64,
    /// The part of it that was paid for orders whose cost is known.
    pub costed_cents: i64,
    /// Revenue minus cost of those orders.
    pub margin_cents: i64,
    /// Customers with an order.
    pub active: i64,
    /// Customers whose first order ever is in it.
    pub new: i64,
    /// Customers with two orders or more in it.
    pub repeat: i64,
    /// Customers with an order in the span before.
    pub before: i64,
    /// Customers with an order in the span before and in this one.
    pub retained: i64,
    /// Customers with an order before the span's end, ever.
    pub ever: i64,
    /// Customers with two orders or more before the span's end.
    pub repeat_ever: i64,
}
