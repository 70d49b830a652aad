//! Rates: how sure we are of one, and of the difference of two.

use super::special::normal_tail;
use super::{Interval, Z_95};

/// So many of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proportion {
    /// Those who did it, 0..=`of`.
    pub hits: i64,
    /// All of them.
    pub of: i64,
}

impl Proportion {
    /// The rate, 0 to 1; `None` of nobody, and for counts that are none.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "people are fewer than 2^53")]
    pub fn rate(self) -> Option<f64> {
        (self.of > 0 && (0..=self.of).contains(&self.hits)).then(|| self.hits as f64 / self.of as f64)
    }

    /// The Wilson score interval, 95 %, without continuity correction (Wilson 1927): stays within 0 to 1 and is honest for few people.
    #[must_use]
    pub fn wilson(self) -> Option<Interval> {
        self.rate()?;
        Some(wilson(self.numbers(), Z_95))
    }

    #[expect(clippy::cast_precision_loss, reason = "people are fewer than 2^53")]
    pub(super) fn numbers(self) -> (f64, f64) {
        (self.hits as f64, self.of as f64)
    }
}

/// Wilson's interval of `hits` of `people` that reaches `z` standard errors.
fn wilson((hits, people): (f64, f64), z: f64) -> Interval {
    let (rate, square) = (hits / people, z * z);
    let centre = (rate + square / (2.0 * people)) / (1.0 + square / people);
    let half = z / (1.0 + square / people) * (rate * (1.0 - rate) / people + square / (4.0 * people * people)).sqrt();
    // At the ends the interval ends exactly there; rounding would leave a crumb.
    (if hits > 0.0 { centre - half } else { 0.0 }, if hits < people { centre + half } else { 1.0 })
}

/// The end of Newcombe's interval of the difference on the side of the sign of `reach`, so many standard errors away.
fn newcombe_end(variant: (f64, f64), control: (f64, f64), reach: f64) -> f64 {
    let (rate, control_rate) = (variant.0 / variant.1, control.0 / control.1);
    let ((lower, upper), (control_lower, control_upper)) = (wilson(variant, reach.abs()), wilson(control, reach.abs()));
    if reach > 0.0 {
        rate - control_rate + (upper - rate).hypot(control_rate - control_lower)
    } else {
        rate - control_rate - (rate - lower).hypot(control_upper - control_rate)
    }
}

/// The difference variant − control and its 95 % interval by Newcombe's hybrid score method, without continuity correction (Newcombe 1998,
/// method 10): made of the two Wilson intervals. `None` when one of them has nobody.
#[must_use]
pub fn difference(variant: Proportion, control: Proportion) -> Option<(f64, Interval)> {
    let difference = variant.rate()? - control.rate()?;
    let end = |reach| newcombe_end(variant.numbers(), control.numbers(), reach);
    Some((difference, (end(-Z_95), end(Z_95))))
}

/// The lift, variant / control − 1, and its 95 % interval by the logarithm of the ratio (Katz et al. 1978). `None` when control has no hit; no interval when the variant
/// has none.
#[must_use]
pub fn lift(variant: Proportion, control: Proportion) -> Option<(f64, Option<Interval>)> {
    let ratio = variant.rate()? / control.rate().filter(|rate| *rate > 0.0)?;
    let ((hits, people), (control_hits, control_people)) = (variant.numbers(), control.numbers());
    let half = Z_95 * (1.0 / hits - 1.0 / people + 1.0 / control_hits - 1.0 / control_people).sqrt();
    Some((ratio - 1.0, (hits > 0.0).then(|| (ratio * (-half).exp() - 1.0, ratio * half.exp() - 1.0))))
}

/// The two-sided p-value of the z-test with the pooled rate, for one look at the end. `None` when one of them has nobody, or all or none of both did it.
#[must_use]
pub fn z_test(variant: Proportion, control: Proportion) -> Option<f64> {
    let difference = variant.rate()? - control.rate()?;
    let ((hits, people), (control_hits, control_people)) = (variant.numbers(), control.numbers());
    let pooled = (hits + control_hits) / (people + control_people);
    let error = (pooled * (1.0 - pooled) * (1.0 / people + 1.0 / control_people)).sqrt();
    (error > 0.0).then(|| 2.0 * normal_tail(difference.abs() / error))
}
