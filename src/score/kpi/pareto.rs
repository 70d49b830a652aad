//! How much of the revenue the best customers bring.

use serde::Serialize;

use super::figures::ratio;

/// The best customers by revenue.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Top {
    /// The best so many percent.
    pub percent: i64,
    /// How many customers that are: `ceil(n · percent / 100)`.
    pub customers: i64,
    /// What they paid.
    pub revenue_cents: i64,
    /// Their share of the revenue; unknown when that is 0 or less.
    pub share: Option<f64>,
}

/// The Pareto table of a stretch of time.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pareto {
    /// Customers with an order in it.
    pub customers: i64,
    /// What they paid.
    pub revenue_cents: i64,
    /// The best 1, 5, 10, 20, 50 and 100 percent.
    pub top: Vec<Top>,
    /// The fewest customers that bring 80 % of the revenue; unknown when that is 0 or less.
    pub customers_for_80_percent: Option<i64>,
    /// The share of revenue of the best 0, 1, … 100 percent of customers; empty when the revenue is 0 or less.
    pub curve: Vec<f64>,
}

/// The table of what each customer paid, in cents.
#[must_use]
pub fn pareto(mut revenues: Vec<i64>) -> Pareto {
    revenues.sort_unstable_by(|a, b| b.cmp(a));
    let customers = count(revenues.len());
    let mut sum = 0_i64;
    for revenue in &mut revenues {
        sum = sum.saturating_add(*revenue);
        *revenue = sum;
    }
    let best = |percent: i64| (customers * percent + 99) / 100;
    let paid = |people: i64| usize::try_from(people - 1).ok().and_then(|place| revenues.get(place)).copied().unwrap_or_default();
    let top = |percent| {
        let revenue_cents = paid(best(percent));
        Top { percent, customers: best(percent), revenue_cents, share: ratio(revenue_cents, sum) }
    };
    // Refunds can make the last sums fall again, so the first that reaches the border is asked for.
    let four_fifths = |paid: i64| i128::from(paid) * 5 >= i128::from(sum) * 4;
    Pareto {
        customers,
        revenue_cents: sum,
        top: [1, 5, 10, 20, 50, 100].into_iter().map(top).collect(),
        customers_for_80_percent: revenues.iter().position(|paid| four_fifths(*paid)).filter(|_| sum > 0).map(|place| count(place) + 1),
        curve: if sum > 0 { (0..=100).filter_map(|percent| ratio(paid(best(percent)), sum)).collect() } else { Vec::new() },
    }
}

fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
