//! Two arms beside each other.

use serde::Serialize;

use super::{Arms, bought, capped, counted, revenue};
use crate::stats::Interval;
use crate::stats::mean;
use crate::stats::proportion;
use crate::stats::sequential::{self, Look};
use crate::stats::{bayes, exact};

/// Two arms: differences are always `arm` − `against`. What is not `always_valid` holds for one look at the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// What it is compared with.
    pub against: String,
    /// Difference of the rates.
    pub rate_difference: Option<f64>,
    /// 95 % Newcombe interval of it.
    pub rate_interval: Option<Interval>,
    /// Two-sided p-value of it: z-test with the pooled rate, Fisher's exact test where fewer than five are expected.
    pub p_value: Option<f64>,
    /// `rate / against's rate − 1`; null when nobody of the other arm bought.
    pub lift: Option<f64>,
    /// 95 % Katz interval of it.
    pub lift_interval: Option<Interval>,
    /// The chance that the arm's rate is the higher one (Beta(1, 1) before the first person).
    pub chance_to_beat: Option<f64>,
    /// How far the arm's rate is expected to stay below the better one's.
    pub expected_loss: Option<f64>,
    /// What holds for the rates at every look together.
    pub always_valid: Option<AlwaysValid>,
    /// Difference of the revenue per person, in cents.
    pub revenue_difference_cents: Option<f64>,
    /// 95 % Welch interval of it, in cents; null with fewer than two people in an arm.
    pub revenue_interval_cents: Option<Interval>,
    /// Two-sided p-value of Welch's test.
    pub revenue_p_value: Option<f64>,
    /// What holds for the revenue per person at every look together; the interval in cents.
    pub revenue_always_valid: Option<AlwaysValid>,
    /// The difference of the revenue per person where each counts up to the rule's `cap_cents` only.
    pub revenue_capped_difference_cents: Option<f64>,
    /// 95 % Welch interval of it.
    pub revenue_capped_interval_cents: Option<Interval>,
}

/// A p-value and an interval that hold at every look together: whoever stops when they find something is wrong in at most 5 %.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AlwaysValid {
    /// The p-value.
    pub p_value: f64,
    /// The p-value among all pairs of arms (Holm); the verdict goes by it. For revenue, which no verdict goes by, null.
    pub p_value_adjusted: Option<f64>,
    /// The 95 % interval.
    pub interval: Interval,
    /// Share of the planned information: at 1 a difference that is just worth having has been found in 80 %.
    pub progress: f64,
}

impl AlwaysValid {
    fn of(look: Look, p_value_adjusted: Option<f64>) -> Self {
        Self { p_value: look.p_value, p_value_adjusted, interval: look.interval, progress: look.progress }
    }
}

pub(super) fn compare(arms: &Arms<'_>, arm: usize, against: usize, smallest: f64) -> Comparison {
    let (of_arm, of_other) = (arms.counts[arm].1, arms.counts[against].1);
    let (rate, other_rate) = (bought(of_arm), bought(of_other));
    let rates = proportion::difference(rate, other_rate);
    let lift = proportion::lift(rate, other_rate);
    let chance = bayes::chances(&[other_rate, rate]).map(|chances| chances[1]);
    let (money, other_money) = (revenue(of_arm), revenue(of_other));
    let revenues = mean::difference(money, other_money);
    let held = mean::difference(capped(of_arm), capped(of_other));
    // A pair stands with the earlier arm first, as comparisons do.
    let pair = arms.pairs.iter().find(|pair| pair.arms == (against, arm));
    Comparison {
        arm: arms.name(arm),
        against: arms.name(against),
        rate_difference: counted(of_arm).rate().zip(counted(of_other).rate()).map(|(rate, other)| rate - other),
        rate_interval: rates.map(|(_, interval)| interval),
        p_value: exact::p_value(rate, other_rate),
        lift: lift.map(|(lift, _)| lift),
        lift_interval: lift.and_then(|(_, interval)| interval),
        chance_to_beat: chance.map(|chance| chance.best),
        expected_loss: chance.map(|chance| chance.expected_loss),
        always_valid: pair.map(|pair| AlwaysValid::of(pair.look, Some(pair.adjusted))),
        revenue_difference_cents: revenues.map(|(difference, _)| difference),
        revenue_interval_cents: revenues.and_then(|(_, interval)| interval),
        revenue_p_value: mean::welch_test(money, other_money),
        revenue_always_valid: sequential::means(money, other_money, smallest).map(|look| AlwaysValid::of(look, None)),
        revenue_capped_difference_cents: held.map(|(difference, _)| difference),
        revenue_capped_interval_cents: held.and_then(|(_, interval)| interval),
    }
}
