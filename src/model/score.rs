//! Figures about a customer as of a moment.

use super::outlook::{Habit, Outlook};
use crate::base::id::Id;
use crate::base::money::Cents;
use crate::base::time::UnixMs;

/// The class of an ABC analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Abc {
    /// The customers that make up the first 80 % of the turnover; the best customer is always among them, even when they alone are more.
    A,
    /// The next 15 %.
    B,
    /// The rest; everybody when there is no turnover (a sum of 0 or less).
    C,
}

impl Abc {
    /// `A`, `B` or `C`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }

    /// Reads the letter.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "A" => Some(Self::A),
            "B" => Some(Self::B),
            "C" => Some(Self::C),
            _ => None,
        }
    }
}

/// What is known of a customer's orders up to a moment; the raw material of the scores. Only orders that count (paid) are in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderFacts {
    /// Whose.
    pub customer_id: Id,
    /// Number of orders, at least 1 (customers without orders have no scores).
    pub orders: i64,
    /// Sum of what was paid.
    pub revenue: Cents,
    /// Sum of revenue minus cost over the orders whose cost is known; 0 when no cost is known.
    pub margin: Cents,
    /// The first order.
    pub first_order_at: UnixMs,
    /// The latest order.
    pub last_order_at: UnixMs,
    /// Purchase days and pauses.
    pub habit: Habit,
}

/// What scores need of a paid order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaidOrder {
    /// Whose.
    pub customer_id: Id,
    /// When.
    pub at: UnixMs,
    /// What was paid.
    pub revenue: Cents,
    /// Revenue minus cost; 0 when the cost is not known.
    pub margin: Cents,
}

/// The scores of a customer as of a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Score {
    /// Whose.
    pub customer_id: Id,
    /// The moment they are valid for: orders after it do not exist.
    pub as_of: UnixMs,
    /// Calendar days in the shop's zone from the last order to `as_of`.
    pub recency_days: i64,
    /// Number of orders.
    pub orders: i64,
    /// Sum of what was paid.
    pub revenue: Cents,
    /// `revenue / orders`, rounded half away from zero to the cent.
    pub average_order_value: Cents,
    /// The first order.
    pub first_order_at: UnixMs,
    /// The latest order.
    pub last_order_at: UnixMs,
    /// Calendar days in the shop's zone from the first order to `as_of`.
    pub tenure_days: i64,
    /// Recency score, 1 (long ago) to the number of buckets (just now).
    pub r: i64,
    /// Frequency score, 1 (few orders) to the number of buckets.
    pub f: i64,
    /// Monetary score, 1 (little) to the number of buckets.
    pub m: i64,
    /// The three scores as digits of one number, e.g. 543; with ten or more buckets each takes two digits.
    pub rfm: i64,
    /// Weighted mean of the three scores in 1/10,000 of a score point (weights from the configuration).
    pub rfm_weighted_e4: i64,
    /// Class by revenue or margin.
    pub abc: Abc,
    /// The same, newcomers compared with newcomers of their age; `None`: too few of these, or nobody asked.
    pub abc_adjusted: Option<Abc>,
    /// Place by revenue: 1 = the best customer.
    pub revenue_rank: i64,
    /// The smallest whole p such that the customer is among the top p percent by revenue: 1..=100.
    pub top_percent: i64,
    /// What to expect.
    pub outlook: Outlook,
}

/// How equal values are bucketed into scores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BucketRule {
    /// `floor(n·(min_rank-1)/N)+1`: equal values get an equal score, ties go down. The default.
    #[default]
    Minrank,
    /// `floor(n·(mid_rank-½)/N)+1`: equal values get an equal score, symmetric.
    Midrank,
    /// `ceil(n·max_rank/N)`: equal values get an equal score, ties go up.
    Cumedist,
    /// SQL's NTILE: groups of equal size, ties split by customer id.
    Ntile,
}

impl BucketRule {
    /// Reads the word of the configuration.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "minrank" => Some(Self::Minrank),
            "midrank" => Some(Self::Midrank),
            "cumedist" => Some(Self::Cumedist),
            "ntile" => Some(Self::Ntile),
            _ => None,
        }
    }
}

/// What the ABC classes are made from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AbcBy {
    /// What customers paid.
    #[default]
    Revenue,
    /// What was left after the cost of goods.
    Margin,
}

impl AbcBy {
    /// Reads the word of the configuration.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "revenue" => Some(Self::Revenue),
            "margin" => Some(Self::Margin),
            _ => None,
        }
    }
}

/// Where the customer stands who crosses a class's border.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AbcRule {
    /// Cumulative share *including* the customer ≤ 80 % is A, ≤ 95 % is B: the usual spreadsheet.
    #[default]
    Incl,
    /// Cumulative share *before* the customer < 80 % is A, < 95 % is B: the one who crosses belongs to the better class.
    Cross,
}

impl AbcRule {
    /// Reads the word of the configuration.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "incl" => Some(Self::Incl),
            "cross" => Some(Self::Cross),
            _ => None,
        }
    }
}

/// How scores are made; from the configuration's `[score]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreRules {
    /// Number of buckets of r, f and m: 2..=20.
    pub buckets: i64,
    /// How values become buckets.
    pub bucket_rule: BucketRule,
    /// Weights of r, f, m in the weighted score; any non-negative whole numbers, not all 0.
    pub weights: [i64; 3],
    /// What ABC counts.
    pub abc_by: AbcBy,
    /// Who crosses the border.
    pub abc_rule: AbcRule,
    /// Borders of A and B in percent, e.g. `[80, 95]`.
    pub abc_percent: [i64; 2],
    /// Whose first order is less than so many days ago is a newcomer: 0 (nobody)..=3650.
    pub newcomer_days: i64,
    /// What a month's waiting takes from an order in the lifetime value, in percent: 0..=20.
    pub clv_discount_percent: i64,
}
