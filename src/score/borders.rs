//! Where the buckets and classes of the last full run end, to place one customer without looking at all the others.

use serde::{Deserialize, Serialize};

use super::compute::{Standing, days_before, score};
use super::lifetime::{Known, Lifetime, rhythm};
use super::newcomers::{Bands, band};
use super::rank::count;
use crate::base::time::{UnixMs, Zone};
use crate::model::score::{Abc, AbcBy, OrderFacts, Score, ScoreRules};

/// From this value on a column has this score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Days since the last order (negative, so that more is better), orders, or cents.
    pub from: i64,
    /// 1 to the number of buckets.
    pub score: i64,
}

/// What a full run leaves behind for placing single customers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Borders {
    /// The settings and the zone that it was made with; under others these borders mean nothing.
    pub settings: String,
    /// Customers with orders in that run.
    pub customers: i64,
    /// Of minus recency_days, rising.
    pub r: Vec<Step>,
    /// Of the number of orders, rising.
    pub f: Vec<Step>,
    /// Of revenue in cents, rising.
    pub m: Vec<Step>,
    /// The lowest revenue (or margin) in cents of class A and of class B; `None`: nobody is in it.
    pub abc_cents: [Option<i64>; 2],
    /// The same among the newcomers of each 30 days of first orders, the newest first; `None`: too few.
    #[serde(default)]
    pub newcomers: Bands,
    /// The lowest revenue in cents among the top 1, 2 … 100 percent.
    pub top_cents: Vec<i64>,
    /// The models of how customers buy; `None`: nobody asked.
    #[serde(default)]
    pub lifetime: Option<Lifetime>,
}

impl Borders {
    /// The text that tells whether borders were made with the same settings.
    #[must_use]
    pub fn settings(zone: Zone, rules: &ScoreRules) -> String {
        format!("{} {rules:?}", zone.0.name())
    }
}

/// Scores of one customer between full runs. What is about the customer alone is exact; r, f and m are those that anybody with these values got
/// in the last full run; class, rank and top percent are approximate until the next one: the rank is the best of the customer's percent, and
/// others are not moved. What to
/// expect is by the models of the last full run.
#[must_use]
pub fn place(facts: &OrderFacts, as_of: UnixMs, zone: Zone, rules: &ScoreRules, borders: &Borders) -> Score {
    let (revenue, people) = (facts.revenue.0, borders.customers.max(1));
    let abc_value = match rules.abc_by {
        AbcBy::Revenue => revenue,
        AbcBy::Margin => facts.margin.0,
    };
    let reaches = |lowest: Option<i64>| lowest.is_some_and(|lowest| abc_value >= lowest);
    let class = |lowest: [Option<i64>; 2]| match lowest.map(reaches) {
        [true, _] => Abc::A,
        [false, true] => Abc::B,
        [false, false] => Abc::C,
    };
    let abc = class(borders.abc_cents);
    let better_percents = count(borders.top_cents.partition_point(|&lowest| lowest > revenue).min(99));
    let recency_days = days_before(facts.last_order_at, zone.date(as_of), zone);
    let tenure_days = days_before(facts.first_order_at, zone.date(as_of), zone);
    let known = Known { habit: facts.habit, recency_days, tenure_days };
    let standing = Standing {
        recency_days,
        tenure_days,
        r: step(&borders.r, -recency_days),
        f: step(&borders.f, facts.orders),
        m: step(&borders.m, revenue),
        abc,
        abc_adjusted: match band(tenure_days, rules) {
            _ if rules.newcomer_days == 0 => None,
            Some(band) => borders.newcomers.get(band).copied().flatten().map(class),
            None => Some(abc),
        },
        revenue_rank: last_rank(people, better_percents).min(people - 1) + 1,
        outlook: borders.lifetime.map_or_else(|| rhythm(&known), |lifetime| lifetime.outlook_alone(&known, rules.clv_discount_percent)),
    };
    score(facts, as_of, &standing, people, rules)
}

/// The score of a value: the last step that it reaches; below all of them it would be the lowest of all, which every rule calls 1.
fn step(steps: &[Step], value: i64) -> i64 {
    let reached = steps.partition_point(|step| step.from <= value);
    reached.checked_sub(1).map_or(1, |last| steps[last].score)
}

/// How many customers are among the top `percent`: `ceil(people·percent/100)`.
pub(super) fn last_rank(people: i64, percent: i64) -> i64 {
    (people * percent + 99) / 100
}
