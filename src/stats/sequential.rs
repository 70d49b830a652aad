//! Looking at any time: p-values and intervals of a difference that hold at every look together, however often one looks and whenever one stops.
//!
//! # The boundary
//! Information grows like the time of a Brownian motion: after a share τ of the planned information the difference, in standard errors, is B(τ)/√τ if there is
//! no true difference. We call it found when |B(τ)|/√τ ≥ u(τ) with
//!
//! u(τ)² = c² + 2·|ln τ| before the plan is fulfilled (τ < 1), c² + 4·ln τ after it.
//!
//! The boundary is lowest where it matters, at the planned number of people, a little higher early, and goes on for ever. The chance of ever reaching it without
//! a true difference is at most 1.5·c·φ(c) + 3.5·(1 − Φ(c)): √τ·u(τ) is concave, so the chance of the first passage before τ = 1 is at most the integral of Durbin's
//! tangent approximation (Durbin 1992, J. Appl. Prob. 29), which is 2·[(c·φ(c) + Q)/(2a) + Q] for u² = c² + 2a·|ln τ| on both sides of zero, Q = 1 − Φ(c). Time
//! inversion, τ·B(1/τ), turns what comes after τ = 1 into the same with a = 2. Those who are beyond at τ = 1 (2·Q) are in both. For 5 % c is 2.733; the true chance
//! is 4.1 % (by simulating Brownian motion). Boundaries that hold for ever as well, but spread over all sample sizes (the normal mixture of Robbins 1970, which
//! GrowthBook and others use) are 3.0 at their lowest: that is where the power comes from.
//!
//! # The standard errors
//! Rates: the signed root of the likelihood ratio instead of a z-score: its tails are right with few conversions and unequal arms, where a z-score's are
//! not. The interval holds the differences whose likelihood ratio stays below the boundary, so it excludes 0 exactly when p < 5 %.
//! Means: the larger of Welch's and the pooled standard error (a small arm that has not seen a large order yet does not know its variance), and Student's t.

use super::Interval;
use super::mean::Sample;
use super::proportion::Proportion;
use super::special::normal_density_and_tail;

/// c² for 5 %.
const C_SQUARE_95: f64 = 7.471_055_940_955_828;
/// c for 5 % and the 80 % quantile of the normal distribution: with so many standard errors the planned effect is found in 80 % at τ = 1.
const DRIFT: f64 = 2.733_323_241 + 0.841_621_234;

/// What is known of a difference at a look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    /// Holds at every look together: whoever stops as soon as it is below 0.05 is wrong in at most 5 % of the comparisons without a difference.
    pub p_value: f64,
    /// 95 % interval that holds at every look together.
    pub interval: Interval,
    /// Share of the planned information, τ: at 1 an effect that is just worth having has been found in 80 %.
    pub progress: f64,
}

/// How many standard errors the boundary is away after the share `progress` of the plan.
#[must_use]
pub fn boundary(progress: f64) -> f64 {
    (C_SQUARE_95 + rise(progress)).sqrt()
}

fn rise(progress: f64) -> f64 {
    let log = progress.ln();
    if log < 0.0 { -2.0 * log } else { 4.0 * log }
}

/// The p-value of a difference of `z` standard errors after the share `progress` of the plan.
fn p_value(z: f64, progress: f64) -> f64 {
    let square = z * z - rise(progress);
    if square <= 0.0 {
        return 1.0;
    }
    let c = square.sqrt();
    let (density, tail) = normal_density_and_tail(c);
    (1.5 * c * density + 3.5 * tail).min(1.0)
}

/// The difference of two rates at a look; `smallest` is the smallest effect worth finding, relative to the common rate (0.2: 20 %), fixed before the first look. `None`
/// when one of them has nobody or `smallest` is not above 0.
#[must_use]
pub fn rates(variant: Proportion, control: Proportion, smallest: f64) -> Option<Look> {
    let pair = Pair::of(variant, control)?;
    let progress = pair.progress(smallest)?;
    let reach = boundary(progress);
    Some(Look { p_value: p_value(pair.root(), progress), interval: (-pair.turned().upper(reach), pair.upper(reach)), progress })
}

/// The difference of two means at a look, `smallest` relative to the common mean. `None` when one of them has fewer than two people, nobody brought anything,
/// neither varies, or they are too few for any interval.
#[must_use]
pub fn means(variant: Sample, control: Sample, smallest: f64) -> Option<Look> {
    let all = Sample {
        count: variant.count + control.count,
        sum: variant.sum + control.sum,
        sum_of_squares: variant.sum_of_squares + control.sum_of_squares,
    };
    let (welch, freedom) = super::mean::error_of_difference(variant, control)?;
    let share = 1.0 / count(variant.count) + 1.0 / count(control.count);
    let square = welch.max(all.variance()? * share);
    let (difference, common) = (variant.mean()? - control.mean()?, all.mean()?);
    let progress = (smallest * common / DRIFT).powi(2) / square;
    if !(progress > 0.0 && progress.is_finite()) {
        return None;
    }
    // Student's t as the normal value with the same tail, nearly (Wallace 1959), and back.
    let shrink = (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0);
    let normal = shrink * (freedom * (difference * difference / square / freedom).ln_1p()).sqrt();
    let reach = (freedom * ((boundary(progress) / shrink).powi(2) / freedom).exp_m1()).sqrt() * square.sqrt();
    // With two or three people t reaches further than numbers do.
    reach.is_finite().then(|| Look { p_value: p_value(normal, progress), interval: (difference - reach, difference + reach), progress })
}

/// People in both arms together at which the plan is fulfilled (τ = 1): an effect that is just worth having has been found in 80 %. `rate` is the common rate and
/// `share` one arm's share of the people, both between 0 and 1.
#[must_use]
pub fn people_planned(rate: f64, smallest: f64, share: f64) -> f64 {
    people_planned_of_mean(((1.0 - rate) / rate).sqrt(), smallest, share)
}

/// The same for means; `spread` is a person's standard deviation as a multiple of the common mean.
#[must_use]
pub fn people_planned_of_mean(spread: f64, smallest: f64, share: f64) -> f64 {
    (DRIFT * spread / smallest).powi(2) / (share * (1.0 - share))
}

#[expect(clippy::cast_precision_loss, reason = "people are fewer than 2^53")]
fn count(people: i64) -> f64 {
    people as f64
}

/// Hits and people of the variant and of control, and what speaks for a difference of their rates.
struct Pair {
    variant: (f64, f64),
    control: (f64, f64),
    /// Difference of the observed rates.
    observed: f64,
    /// The log-likelihood of the observed rates.
    best: f64,
    /// Of the difference of the observed rates; half a hit for none, which would know nothing.
    variance: f64,
    /// How the root of the likelihood ratio bends away from a straight line in the slope, see [`Pair::upper`].
    bend: f64,
}

impl Pair {
    fn of(variant: Proportion, control: Proportion) -> Option<Self> {
        let observed = variant.rate()? - control.rate()?;
        let numbers = |arm: Proportion| (count(arm.hits), count(arm.of));
        Some(Self::new(numbers(variant), numbers(control), observed))
    }

    fn new(variant: (f64, f64), control: (f64, f64), observed: f64) -> Self {
        let of_arm = |(hits, all): (f64, f64)| {
            let (share, rate) = (1.0 / all, hits / all);
            let variance = hits.max(0.5) * share * ((all - hits).max(0.5) * share) * share;
            (ln_likelihood((hits, all), rate), variance, variance * share * (1.0 - 2.0 * rate))
        };
        let ((best, variance, bend), (control_best, control_variance, control_bend)) = (of_arm(variant), of_arm(control));
        let variance = variance + control_variance;
        Self { variant, control, observed, best: best + control_best, variance, bend: (bend - control_bend) / (1.5 * variance) }
    }

    /// τ: the information there is, by the variance without a difference, as a share of what finding the effect `smallest` takes.
    fn progress(&self, smallest: f64) -> Option<f64> {
        let (hits, all) = (self.variant.0 + self.control.0, self.variant.1 + self.control.1);
        // Half a hit more, or a rate of 0 (or 1) would know nothing (or everything).
        let rate = (hits + 0.5) / (all + 1.0);
        let progress = (smallest / DRIFT).powi(2) * rate / (1.0 - rate) * (self.variant.1 / all * self.control.1);
        (progress > 0.0 && progress.is_finite()).then_some(progress)
    }

    /// The root of the likelihood ratio against "no difference": how many standard errors the difference is, without its sign.
    fn root(&self) -> f64 {
        let (hits, all) = (self.variant.0 + self.control.0, self.variant.1 + self.control.1);
        (2.0 * (self.best - ln_likelihood((hits, all), hits / all))).max(0.0).sqrt()
    }

    /// The highest difference whose root of the likelihood ratio is at most `reach`.
    ///
    /// The likeliest rates with a given difference are where the variant's likelihood falls with its rate as steeply as control's rises. So we turn the question round
    /// and look for that slope instead of the difference: it gives both rates without a cubic, and the root is nearly a straight line in it.
    fn upper(&self, reach: f64) -> f64 {
        // All of one arm and nobody of the other: there is no higher difference.
        if self.observed >= 1.0 {
            return 1.0;
        }
        // A good guess: the root's first two terms in the slope.
        let mut slope = reach / self.variance.sqrt();
        slope *= (1.0 - slope * self.bend).max(0.5);
        let (mut low, mut high) = (0.0, f64::INFINITY);
        let mut end = self.observed;
        for _ in 0..100 {
            let (variant, variant_moves) = pushed(self.variant, slope);
            let (control, control_moves) = pushed((self.control.1 - self.control.0, self.control.1), slope);
            let (difference, moves) = (variant + control - 1.0, variant_moves + control_moves);
            let ratio = self.best - ln_likelihood(self.variant, variant) - ln_likelihood(self.control, 1.0 - control);
            let root = (2.0 * ratio).max(0.0).sqrt();
            let missing = reach - root;
            if missing > 0.0 {
                low = slope;
            } else {
                high = slope;
            }
            // The ratio falls by the slope times what the difference moves.
            let mut next = slope + missing * root / (slope * moves);
            if !(next > low && next < high) {
                next = if high.is_finite() { f64::midpoint(low, high) } else { 2.0 * slope };
            }
            end = difference + moves * (next - slope);
            // So near the last step, which is in the end already, leaves an error below a millionth of a standard error.
            if missing.abs() < 3e-3 || high - low <= 1e-14 * low {
                break;
            }
            slope = next;
        }
        end.clamp(self.observed, 1.0)
    }

    /// The same pair with the arms changed over: its differences are ours with the other sign.
    fn turned(&self) -> Self {
        Self { variant: self.control, control: self.variant, observed: -self.observed, bend: -self.bend, ..*self }
    }
}

/// The rate, not below the observed one, where the log-likelihood of the hits falls with `slope` > 0, and how fast it moves with the slope.
fn pushed((hits, all): (f64, f64), slope: f64) -> (f64, f64) {
    let rest = all - slope;
    let root = (rest * rest + 4.0 * slope * hits).sqrt();
    // Both are the same number; each loses digits where the other does not.
    let rate = if rest > 0.0 { 2.0 * hits / (rest + root) } else { (root - rest) / (2.0 * slope) };
    (rate, if root > 0.0 { rate * (1.0 - rate) / root } else { 0.0 })
}

/// ln of the chance of the hits at this rate, without the binomial coefficient; 0·ln 0 is 0.
fn ln_likelihood((hits, all): (f64, f64), rate: f64) -> f64 {
    let part = |times: f64, chance: f64| if times > 0.0 { times * chance.ln() } else { 0.0 };
    part(hits, rate) + part(all - hits, 1.0 - rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boundary_spends_five_percent() {
        assert!((p_value(C_SQUARE_95.sqrt(), 1.0) - 0.05).abs() < 1e-6, "{}", p_value(C_SQUARE_95.sqrt(), 1.0));
        for progress in [1e-4, 0.03, 0.5, 1.0, 2.0, 100.0] {
            assert!((p_value(boundary(progress), progress) - 0.05).abs() < 1e-6);
        }
    }

    #[test]
    fn at_the_ends_the_likelihood_ratio_is_as_far_as_the_boundary() {
        for (variant, control) in [
            ((5.0, 20.0), (50.0, 1000.0)),
            ((0.0, 100.0), (3.0, 90.0)),
            ((0.0, 50.0), (0.0, 70.0)),
            ((560.0, 1e4), (500.0, 1e4)),
            ((40.0, 40.0), (7.0, 9.0)),
        ] {
            let of = |(hits, all): (f64, f64)| hits / all;
            let best = ln_likelihood(variant, of(variant)) + ln_likelihood(control, of(control));
            let pair = Pair::new(variant, control, of(variant) - of(control));
            for (end, sign) in [(pair.upper(2.8), 1.0), (-pair.turned().upper(2.8), -1.0)] {
                // The likeliest rates with this difference, by going through them.
                let (low, high) = ((-end).max(0.0), (1.0 - end).min(1.0));
                let likelihood = |step: i32| {
                    let rate = low + (high - low) * f64::from(step) / 100_000.0;
                    ln_likelihood(variant, (rate + end).clamp(0.0, 1.0)) + ln_likelihood(control, rate)
                };
                let likeliest = (0..=100_000).map(likelihood).fold(f64::NEG_INFINITY, f64::max);
                let root = (2.0 * (best - likeliest)).sqrt();
                assert!((root - 2.8).abs() < 1e-4 && sign * (end - pair.observed) >= 0.0, "{variant:?} {control:?}: {end} is {root} away");
            }
        }
    }
}
