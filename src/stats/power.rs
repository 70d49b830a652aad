//! Before the start: how many people a comparison of rates takes, what it can find with those there are, and how surely.
//!
//! For one look at the end, by the normal approximation with the pooled rate under "no difference" (Fleiss, Levin and Paik 2003, §4.2, without continuity
//! correction): what most calculators show. For looking at any time see `sequential`.

use super::special::{falling_root, normal_quantile_above, normal_tail};

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
