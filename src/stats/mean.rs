//! Means: revenue per person, how sure we are of it, and of the difference of two.

use super::Interval;
use super::student::{critical_95, two_sided_tail};

/// A sample by its sums; amounts in any unit, the squares in its square.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// People, those with nothing included.
    pub count: i64,
    /// Sum of the amounts.
    pub sum: f64,
    /// Sum of the squares of the amounts.
    pub sum_of_squares: f64,
}

impl Sample {
    /// Amount per person; `None` of nobody.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "people are fewer than 2^53")]
    pub fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }

    /// The sample variance (n − 1 in the denominator); `None` of fewer than two.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "people are fewer than 2^53")]
    pub fn variance(self) -> Option<f64> {
        let mean = self.mean().filter(|_| self.count > 1)?;
        // Rounding may leave less than nothing when all amounts are equal.
        Some(((self.sum_of_squares - self.sum * mean) / (self.count - 1) as f64).max(0.0))
    }

    /// The squared standard error of the mean, and the degrees of freedom.
    #[expect(clippy::cast_precision_loss, reason = "people are fewer than 2^53")]
    fn error(self) -> Option<(f64, f64)> {
        Some((self.variance()? / self.count as f64, (self.count - 1) as f64))
    }

    /// The 95 % interval of the mean by Student's t; `None` of fewer than two people, and when all amounts are equal: that says nothing about
    /// how far the next one may be.
    #[must_use]
    pub fn interval(self) -> Option<Interval> {
        let (mean, (square, freedom)) = (self.mean()?, self.error()?);
        around(mean, square, freedom)
    }
}

/// The difference variant − control of the means and, if there is one, its 95 % interval by Welch's t (unequal variances; degrees of freedom
/// by Welch and Satterthwaite). `None` when one of them has nobody; no interval when one has fewer than two or neither varies.
#[must_use]
pub fn difference(variant: Sample, control: Sample) -> Option<(f64, Option<Interval>)> {
    let difference = variant.mean()? - control.mean()?;
    let interval = error_of_difference(variant, control).and_then(|(square, freedom)| around(difference, square, freedom));
    Some((difference, interval))
}

/// The two-sided p-value of Welch's test, for one look at the end; `None` where [`difference`] has no interval.
#[must_use]
pub fn welch_test(variant: Sample, control: Sample) -> Option<f64> {
    let difference = variant.mean()? - control.mean()?;
    let (square, freedom) = error_of_difference(variant, control).filter(|(square, _)| *square > 0.0)?;
    Some(two_sided_tail(difference / square.sqrt(), freedom))
}

/// The squared standard error of the difference, and its degrees of freedom; `None` when one has fewer than two.
pub(super) fn error_of_difference(variant: Sample, control: Sample) -> Option<(f64, f64)> {
    let ((a, freedom_a), (b, freedom_b)) = variant.error().zip(control.error())?;
    Some((a + b, (a + b).powi(2) / (a * a / freedom_a + b * b / freedom_b)))
}

fn around(centre: f64, square: f64, freedom: f64) -> Option<Interval> {
    let half = critical_95(freedom).filter(|_| square > 0.0)? * square.sqrt();
    half.is_finite().then_some((centre - half, centre + half))
}
