//! The formulas: counts of a span become rates and amounts. Where the divisor is 0 or unknown the figure is unknown, never 0.

use serde::Serialize;

use crate::model::kpi::Counts;

/// What figures need besides the counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assumptions {
    /// Such spans in a year: 4 for quarters.
    pub spans_per_year: f64,
    /// How many years a customer stays, for the simple CLV.
    pub years: f64,
    /// Gross margin as a share of revenue; `None`: not known.
    pub margin: Option<f64>,
    /// Whether all of the span has passed. What compares with a whole span before, or is projected to a year, is unknown in a running one.
    pub complete: bool,
}

/// The key figures of a span. Amounts in cents; rates as shares (0.25 = 25 %).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Paid orders.
    pub orders: i64,
    /// What was paid.
    pub revenue_cents: i64,
    /// Customers with an order.
    pub active: i64,
    /// Customers whose first order ever is in the span.
    pub new: i64,
    /// `active − new`.
    pub returning: i64,
    /// Customers with an order in this span and in the one before; unknown when nobody ordered in the one before.
    pub retained: Option<i64>,
    /// `retained / active of the span before`.
    pub retention_rate: Option<f64>,
    /// `1 − retention_rate`.
    pub churn_rate: Option<f64>,
    /// The classic customer retention rate `(E − N) / S`: E active now, N new, S active before. Who came back after a pause counts as retained, so it
    /// is at least the retention rate and may exceed 1.
    pub crr: Option<f64>,
    /// Customers with two orders or more in the span.
    pub repeat_customers: i64,
    /// `repeat_customers / active`.
    pub repeat_purchase_rate: Option<f64>,
    /// Customers with two orders or more until the end of the span / customers with an order until then.
    pub repeat_purchase_rate_cumulative: Option<f64>,
    /// Customers with an order until the end of the span.
    pub customers_ever: i64,
    /// `orders / active`.
    pub purchase_frequency: Option<f64>,
    /// Average order value: `revenue / orders`.
    pub aov_cents: Option<f64>,
    /// Average revenue per user (active customer): `revenue / active`.
    pub arpu_cents: Option<f64>,
    /// `aov × purchase frequency per year × years`. It knows only customers who were active, so it overstates.
    pub clv_simple_cents: Option<f64>,
    /// `arpu × margin / churn_rate`, both per span; unknown without a margin and with a churn of 0.
    pub clv_margin_churn_cents: Option<f64>,
}

impl Figures {
    /// The figures of these counts.
    #[must_use]
    pub fn of(counts: &Counts, assumed: &Assumptions) -> Self {
        let comparable = counts.before > 0 && assumed.complete;
        let retention_rate = ratio(counts.retained, counts.before).filter(|_| comparable);
        let churn_rate = retention_rate.map(|rate| 1.0 - rate);
        let arpu = ratio(counts.revenue_cents, counts.active);
        let projected = arpu.filter(|_| assumed.complete).map(|arpu| arpu * assumed.spans_per_year * assumed.years);
        let stays = churn_rate.filter(|churn| *churn > 0.0).zip(assumed.margin).zip(arpu);
        Self {
            orders: counts.orders,
            revenue_cents: counts.revenue_cents,
            active: counts.active,
            new: counts.new,
            returning: counts.active - counts.new,
            retained: (counts.before > 0).then_some(counts.retained),
            retention_rate,
            churn_rate,
            crr: ratio(counts.active - counts.new, counts.before).filter(|_| comparable),
            repeat_customers: counts.repeat,
            repeat_purchase_rate: ratio(counts.repeat, counts.active),
            repeat_purchase_rate_cumulative: ratio(counts.repeat_ever, counts.ever),
            customers_ever: counts.ever,
            purchase_frequency: ratio(counts.orders, counts.active),
            aov_cents: ratio(counts.revenue_cents, counts.orders),
            arpu_cents: arpu,
            clv_simple_cents: projected,
            clv_margin_churn_cents: stays.map(|((churn, margin), arpu)| arpu * margin / churn),
        }
    }
}

/// `part / whole`; unknown for a whole of 0 or less.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a figure for people, not an amount that is stored")]
pub fn ratio(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// The gross margin as a share of revenue, from the orders whose cost is known; unknown when these are less than half of the revenue.
#[must_use]
pub fn gross_margin(counts: &Counts) -> Option<f64> {
    ratio(counts.margin_cents, counts.costed_cents).filter(|_| counts.costed_cents >= counts.revenue_cents - counts.costed_cents)
}
