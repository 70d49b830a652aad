//! Rates: how sure we are of one, and of the difference of two.

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
    #[expect(clippy::cast_precision_loss, reason = "people are fewer than 2^53")]
    pub fn wilson(self) -> Option<Interval> {
        let (rate, people) = (self.rate()?, self.of as f64);
        let square = Z_95 * Z_95;
        let centre = (rate + square / (2.0 * people)) / (1.0 + square / people);
        let half = Z_95 / (1.0 + square / people) * (rate * (1.0 - rate) / people + square / (4.0 * people * people)).sqrt();
        // At the ends the interval ends exactly there; rounding would leave a crumb.
        let lower = if self.hits == 0 { 0.0 } else { centre - half };
        let upper = if self.hits == self.of { 1.0 } else { centre + half };
        Some((lower, upper))
    }
}

/// The difference variant − control and its 95 % interval by Newcombe's hybrid score method, without continuity correction (Newcombe 1998,
/// method 10): made of the two Wilson intervals. `None` when one of them has nobody.
#[must_use]
pub fn difference(variant: Proportion, control: Proportion) -> Option<(f64, Interval)> {
    let (rate, control_rate) = (variant.rate()?, control.rate()?);
    let ((lower, upper), (control_lower, control_upper)) = (variant.wilson()?, control.wilson()?);
    let difference = rate - control_rate;
    Some((
        difference,
        (difference - (rate - lower).hypot(control_upper - control_rate), difference + (upper - rate).hypot(control_rate - control_lower)),
    ))
}
