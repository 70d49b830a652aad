//! Before the start: how many people a comparison of rates or means takes, what it can find with those there are, and how surely.
//!
//! For one look at the end. Rates: by the normal approximation with the pooled rate under "no difference" (Fleiss, Levin and Paik 2003, §4.2, without continuity
//! correction): what most calculators show. Means: the power of Student's test with equal variances (Cohen 1988, §2.3). For looking at any time see `sequential`.

use super::special::{falling_root, normal_quantile_above, normal_tail};
use super::student::two_sided_tail;
use crate::base::gamma::ln_gamma;

/// What is asked of a comparison.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Design {
    /// The control's rate, between 0 and 1.
    pub baseline: f64,
    /// The chance of finding a difference where there is none, two-sided, such as 0.05.
    pub alpha: f64,
    /// The chance of finding the difference, such as 0.8.
    pub power: f64,
    /// People of the variant for each person of control.
    pub ratio: f64,
}

impl Design {
    /// People that control needs to find the variant's rate `baseline × (1 + effect)`; not rounded. `None` when a rate or a chance is not between 0 and 1, or the
    /// effect is 0.
    #[must_use]
    pub fn control_people(self, effect: f64) -> Option<f64> {
        let (p1, p2) = self.rates(effect)?;
        let pooled = (p1 + self.ratio * p2) / (1.0 + self.ratio);
        let under_none = normal_quantile_above(self.alpha / 2.0) * (pooled * (1.0 - pooled) * (1.0 + 1.0 / self.ratio)).sqrt();
        let under_effect = normal_quantile_above(1.0 - self.power) * (p1 * (1.0 - p1) + p2 * (1.0 - p2) / self.ratio).sqrt();
        Some(((under_none + under_effect) / (p2 - p1)).powi(2))
    }

    /// The smallest rise (relative to the baseline) that `control` people of control, and as many of the variant as the ratio says, find with the power; `None`
    /// when not even a rate of nearly 1 would be found, and as above.
    #[must_use]
    pub fn smallest_effect(self, control: f64) -> Option<f64> {
        let most = (1.0 / self.baseline - 1.0) * (1.0 - 1e-9);
        self.control_people(most).filter(|people| *people <= control)?;
        Some(falling_root(|effect| self.control_people(effect).unwrap_or(f64::INFINITY), control, 0.0, most))
    }

    /// The chance that `control` people of control, and as many of the variant as the ratio says, show the effect; both directions count. `None` as above; the design's own
    /// power is not asked.
    #[must_use]
    pub fn chance(self, effect: f64, control: f64) -> Option<f64> {
        let (p1, p2) = self.rates(effect)?;
        let pooled = (p1 + self.ratio * p2) / (1.0 + self.ratio);
        let under_none = (pooled * (1.0 - pooled) * (1.0 + 1.0 / self.ratio)).sqrt();
        let under_effect = (p1 * (1.0 - p1) + p2 * (1.0 - p2) / self.ratio).sqrt();
        let z = normal_quantile_above(self.alpha / 2.0) * under_none / under_effect;
        let shift = (p2 - p1) * control.sqrt() / under_effect;
        Some(normal_tail(z - shift) + normal_tail(z + shift))
    }

    fn rates(self, effect: f64) -> Option<(f64, f64)> {
        let inside = |value: f64| value > 0.0 && value < 1.0;
        let (p1, p2) = (self.baseline, self.baseline * (1.0 + effect));
        (inside(p1) && inside(p2) && inside(self.alpha) && inside(self.power) && self.ratio > 0.0 && self.ratio.is_finite() && effect.abs() > 0.0)
            .then_some((p1, p2))
    }
}

/// What is asked of a comparison of means, such as the revenue per person. An effect is a difference in standard deviations of a person (Cohen's d).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MeanDesign {
    /// The chance of finding a difference where there is none, two-sided, between 0 and 1.
    pub alpha: f64,
    /// The chance of finding the difference, above `alpha` and below 1.
    pub power: f64,
    /// People of the variant for each person of control.
    pub ratio: f64,
}

/// No shop has so many people.
const MOST_PEOPLE: f64 = 1e12;
/// From so many degrees of freedom on Student's t is the normal distribution to six digits.
const NEARLY_NORMAL: f64 = 1e6;

impl MeanDesign {
    /// People that control needs to find the effect; not rounded. `None` when a chance is not as it should be, the effect is 0, or more people are needed than there are
    /// anywhere.
    #[must_use]
    pub fn control_people(self, effect: f64) -> Option<f64> {
        let few = self.fewest();
        let missed = |people: f64| 1.0 - self.chance(effect, people).unwrap_or(0.0);
        self.chance(effect, MOST_PEOPLE).filter(|chance| *chance >= self.power && self.is_sound())?;
        Some(falling_root(missed, 1.0 - self.power, few, MOST_PEOPLE))
    }

    /// The smallest effect that `control` people of control, and as many of the variant as the ratio says, find with the power. `None` with fewer than three people in all, and
    /// as above.
    #[must_use]
    pub fn smallest_effect(self, control: f64) -> Option<f64> {
        // Twice as far as the power reaches with the fewest people.
        let most = 1e4;
        let missed = |effect: f64| 1.0 - self.chance(effect, control).unwrap_or(0.0);
        self.chance(most, control).filter(|chance| *chance >= self.power && self.is_sound())?;
        Some(falling_root(missed, 1.0 - self.power, 0.0, most))
    }

    /// The chance that `control` people of control, and as many of the variant as the ratio says, show the effect; both directions count. `None` as above; the design's own
    /// power is not asked.
    #[must_use]
    pub fn chance(self, effect: f64, control: f64) -> Option<f64> {
        let sound = self.alpha > 0.0 && self.alpha < 1.0 && self.ratio > 0.0 && self.ratio.is_finite() && effect.is_finite();
        if !sound || !control.is_finite() || control < self.fewest() {
            return None;
        }
        let freedom = control * (1.0 + self.ratio) - 2.0;
        let shift = effect.abs() * (control * self.ratio / (1.0 + self.ratio)).sqrt();
        if freedom > NEARLY_NORMAL {
            let critical = normal_quantile_above(self.alpha / 2.0);
            return Some(normal_tail(critical - shift) + normal_tail(critical + shift));
        }
        let critical = falling_root(|t| two_sided_tail(t, freedom), self.alpha, 0.0, 1e8);
        Some(beyond(critical, shift, freedom) + beyond(critical, -shift, freedom))
    }

    /// People of control with whom there are three in all.
    fn fewest(self) -> f64 {
        3.0 / (1.0 + self.ratio)
    }

    fn is_sound(self) -> bool {
        self.power > self.alpha && self.power < 1.0
    }
}

/// The chance that Student's t with so many degrees, its normal part shifted, is above `critical`: over all values of the standard deviation that may be measured, by
/// Simpson's rule (to about ten digits).
fn beyond(critical: f64, shift: f64, freedom: f64) -> f64 {
    const STEPS: u32 = 400;
    // The measured standard deviation, in true ones, lies near 1, about 1/√(2·freedom) to either side.
    let width = 9.0 / (2.0 * freedom).sqrt();
    let (low, high) = ((1.0 - width).max(1e-9), 1.0 + width);
    let step = (high - low) / f64::from(STEPS);
    let half = freedom / 2.0;
    let front = half * half.ln() - ln_gamma(half);
    let density = |deviation: f64| 2.0 * (front + (freedom - 1.0) * deviation.ln() - half * deviation * deviation).exp();
    let value = |place: u32| {
        let deviation = low + step * f64::from(place);
        let weight = if place == 0 || place == STEPS { 1.0 } else { f64::from(2 + 2 * (place % 2)) };
        weight * density(deviation) * normal_tail(critical * deviation - shift)
    };
    (0..=STEPS).map(value).sum::<f64>() * step / 3.0
}
