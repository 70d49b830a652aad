//! How a customer has bought so far, and what that lets expect.

use crate::base::money::Cents;

/// How a customer has bought: the raw material of an outlook. Orders of one calendar day of the shop's zone are one purchase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habit {
    /// Days with a purchase, at least 1.
    pub purchase_days: i64,
    /// What was paid on all of them but the first.
    pub repeat_revenue: Cents,
    /// The median of the days between one purchase day and the next, in tenths of a day; `None` with fewer than three purchase days: one pause is no rhythm.
    pub typical_gap_e1: Option<i64>,
}

/// What to expect of a customer; `None`: not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outlook {
    /// [`Habit::typical_gap_e1`].
    pub typical_gap_e1: Option<i64>,
    /// Calendar days until the next order by the customer's own rhythm: the typical gap, rounded to whole days (half up), since the last order; negative: so many
    /// days late. Without a rhythm `None`.
    pub next_order_in_days: Option<i64>,
    /// The chance that the customer has left for good, in 1/100 percent: 0..=10,000. `None` for whoever bought on one day only: the model calls all of them active.
    pub churn_risk_e2: Option<i64>,
    /// Purchase days to expect in the next 365 days, in 1/10,000.
    pub expected_orders_365_e4: Option<i64>,
    /// What the customer is to be expected to pay on a purchase day.
    pub expected_order_value: Option<Cents>,
    /// What the customer is to be expected to pay in the next twelve months of 30 days, discounted by the month.
    pub clv_12m: Option<Cents>,
}
