//! People who come again: a rate or a mean per decision, where one person's decisions hang together.
//!
//! People are assigned, but decisions are counted, and somebody who has three birthdays in the log is not three people. The variance of a ratio of two sums over people is
//! that of the delta method: Σ(top − ratio × bottom)² over people, by the square of the bottom's sum (Deng, Knoblich and Lu 2018; with n ÷ (n − 1)). Divided by what it would be if decisions
//! did not hang together that is the design effect (Kish 1965): so many decisions say as much as one that stands alone.

use super::mean::Sample;
use super::proportion::Proportion;

/// Sums over people; the bottom is how many decisions a person has, the top what these brought (buyers, or cents).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Ratio {
    /// People.
    pub people: f64,
    /// Sum of the squares of the bottoms.
    pub bottom_squares: f64,
    /// Sum of the squares of the tops.
    pub top_squares: f64,
    /// Sum of bottom × top.
    pub products: f64,
}

impl Ratio {
    /// How many decisions say as much as one that stands alone, when all of them together brought `top` in `bottom` decisions with this variance of a single one; never below 1,
    /// so that nobody counts for more than they are.
    #[must_use]
    pub fn design_effect(self, top: f64, bottom: f64, variance: f64) -> f64 {
        let ratio = top / bottom;
        let squares = self.top_squares - 2.0 * ratio * self.products + ratio * ratio * self.bottom_squares;
        let effect = self.people / (self.people - 1.0) * squares / bottom / variance;
        if effect.is_finite() { effect.max(1.0) } else { 1.0 }
    }
}

/// The same rate of so many decisions as stand alone; whole numbers, as near as they come.
#[must_use]
#[expect(clippy::cast_possible_truncation, reason = "smaller than counts that are whole")]
pub fn alone_of_rate(plain: Proportion, effect: f64) -> Proportion {
    let (hits, of) = plain.numbers();
    Proportion { hits: (hits / effect).round() as i64, of: (of / effect).round() as i64 }
}

/// The same mean and variance of so many decisions as stand alone.
#[must_use]
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "people are fewer than 2^53")]
pub fn alone_of_mean(plain: Sample, effect: f64) -> Sample {
    let alone = (plain.count as f64 / effect).round();
    let share = alone / plain.count as f64;
    if share.is_finite() { Sample { count: alone as i64, sum: plain.sum * share, sum_of_squares: plain.sum_of_squares * share } } else { plain }
}
