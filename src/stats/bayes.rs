//! Chances: how likely each arm is the best, and what choosing it may cost.
//!
//! Every rate begins as Beta(1, 1): before the first person any rate is as likely as any other. So an arm with `hits` of `of` is Beta(1 + hits, 1 + of − hits).
//! The integrals are exact to about nine digits for any counts: in the logit of the rate the density has one peak and falls off at least exponentially. What is
//! integrated changes within the range of an arm and, where another arm is much larger, within the far narrower one of that arm: each is gone through by itself.

use super::proportion::Proportion;
use super::special::beta_below;
use crate::base::gamma::ln_gamma;

/// Equal parts of each range between two ends.
const PANELS: u32 = 8;
/// Gauss and Legendre's rule with 16 places for a part: distance from the middle on both sides, in halves, and weight.
const RULE: [(f64, f64); 8] = [
    (0.095_012_509_837_637_45, 0.189_450_610_455_068_59),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
    (0.458_016_777_657_227_37, 0.169_156_519_395_002_62),
    (0.617_876_244_402_643_8, 0.149_595_988_816_576_76),
    (0.755_404_408_355_003, 0.124_628_971_255_534_03),
    (0.865_631_202_387_831_8, 0.095_158_511_682_492_59),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_706),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_037),
];
/// Where the density is e^-40 of its peak it is over.
const DEPTH: f64 = 40.0;

/// What speaks for an arm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chance {
    /// The chance that its rate is the highest of all, 0 to 1.
    pub best: f64,
    /// How far its rate is expected to stay below that of the best arm, when it is chosen (Stucchio 2015): 0 to 1, in shares of people.
    pub expected_loss: f64,
}

/// The chances of all arms, in their order. `None` when a count is none; an arm with nobody is as open as can be.
#[must_use]
pub fn chances(arms: &[Proportion]) -> Option<Vec<Chance>> {
    let posteriors: Vec<Beta> = arms.iter().map(|arm| Beta::of(*arm)).collect::<Option<_>>()?;
    let mut best = vec![0.0; arms.len()];
    // E[max] is the sum over the arms of E[its rate, where it is the best].
    let mut highest = 0.0;
    let ends: Vec<(f64, f64)> = posteriors.iter().map(Beta::ends).collect();
    for (index, (arm, (low, high))) in posteriors.iter().zip(&ends).enumerate() {
        let mut add = |logit: f64, weight: f64| {
            let rate = 1.0 / (1.0 + (-logit).exp());
            let others = posteriors.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, other)| beta_below(other.a, other.b, rate));
            let part = weight * arm.ln_density(logit).exp() * others.product::<f64>();
            best[index] += part;
            highest += part * rate;
        };
        let mut edges: Vec<f64> = ends.iter().flat_map(|(low, high)| [*low, *high]).filter(|end| (low..=high).contains(&end)).collect();
        edges.sort_by(f64::total_cmp);
        for (from, to) in edges.iter().zip(edges.iter().skip(1)) {
            let half = (to - from) / f64::from(2 * PANELS);
            for panel in 0..PANELS {
                let middle = from + half * f64::from(2 * panel + 1);
                for (distance, weight) in RULE {
                    add(middle - half * distance, half * weight);
                    add(middle + half * distance, half * weight);
                }
            }
        }
    }
    let chance = |(best, arm): (f64, &Beta)| Chance { best: best.clamp(0.0, 1.0), expected_loss: (highest - arm.mean()).max(0.0) };
    Some(best.into_iter().zip(&posteriors).map(chance).collect())
}

/// What is known of a rate.
struct Beta {
    a: f64,
    b: f64,
    ln_norm: f64,
}

impl Beta {
    #[expect(clippy::cast_precision_loss, reason = "people are fewer than 2^53")]
    fn of(arm: Proportion) -> Option<Self> {
        if !(0..=arm.of).contains(&arm.hits) {
            return None;
        }
        let (a, b) = (1.0 + arm.hits as f64, 1.0 + (arm.of - arm.hits) as f64);
        Some(Self { a, b, ln_norm: ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) })
    }

    fn mean(&self) -> f64 {
        self.a / (self.a + self.b)
    }

    /// The logarithm of the density of the rate's logit.
    fn ln_density(&self, logit: f64) -> f64 {
        // ln(rate) and ln(1 − rate) without loss on either side.
        let softplus = |x: f64| x.max(0.0) + (-x.abs()).exp().ln_1p();
        self.ln_norm - self.a * softplus(-logit) - self.b * softplus(logit)
    }

    /// Where the density is over on both sides of its peak.
    fn ends(&self) -> (f64, f64) {
        let peak = (self.a / self.b).ln();
        let floor = self.ln_density(peak) - DEPTH;
        let end = |direction: f64| {
            let mut far = direction * 10.0 / (self.a.min(self.b)).sqrt();
            while self.ln_density(peak + far) > floor {
                far *= 2.0;
            }
            let mut near = 0.0;
            for _ in 0..30 {
                let middle = f64::midpoint(near, far);
                if self.ln_density(peak + middle) > floor { near = middle } else { far = middle }
            }
            peak + far
        };
        (end(-1.0), end(1.0))
    }
}
