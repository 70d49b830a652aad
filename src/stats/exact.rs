//! Fisher's exact test: right for any counts, however small.

use super::proportion::{self, Proportion};

/// Tables whose chance is larger than the observed one's by less than this share count as equally likely (as in R and scipy: rounding must not decide).
const TIE: f64 = 1e-7;

/// The two-sided p-value of Fisher's exact test: the chance of all tables with the same margins that are at most as likely as the observed one (Fisher 1935).
/// `None` when one of them has nobody. Time grows with the square root of the counts.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "people are fewer than 2^53")]
pub fn fisher(variant: Proportion, control: Proportion) -> Option<f64> {
    variant.rate().zip(control.rate())?;
    let (hits, all) = (variant.hits + control.hits, variant.of + control.of);
    let (least, most) = ((hits - control.of).max(0), hits.min(variant.of));
    // How much likelier k + 1 hits of the variant are than k.
    let up = |k: i64| (variant.of - k) as f64 * (hits - k) as f64 / ((k + 1) as f64 * (control.of - hits + k + 1) as f64);
    // The likeliest table has the weight 1; from there the weights fall to both sides until they are nothing.
    #[expect(clippy::cast_possible_truncation, reason = "between least and most")]
    let middle = (((hits + 1) as f64 * (variant.of + 1) as f64 / (all + 2) as f64).floor() as i64).clamp(least, most);
    let above = (middle..most).scan(1.0, |weight, k| next(weight, up(k))).zip(middle + 1..);
    let below = (least..middle).rev().scan(1.0, |weight, k| next(weight, 1.0 / up(k))).zip((least..middle).rev());
    let weights: Vec<(f64, i64)> = std::iter::once((1.0, middle)).chain(above).chain(below).collect();
    let observed = weights.iter().find(|(_, k)| *k == variant.hits).map_or(0.0, |(weight, _)| *weight);
    let total: f64 = weights.iter().map(|(weight, _)| weight).sum();
    let extreme: f64 = weights.iter().map(|(weight, _)| weight).filter(|weight| **weight <= observed * (1.0 + TIE)).sum();
    Some((extreme / total).min(1.0))
}

/// The p-value for one look at the end: Fisher's test where an arm is expected to hold fewer than five hits or five misses (Cochran 1954), else the z-test. `None` when one
/// of them has nobody.
#[must_use]
pub fn p_value(variant: Proportion, control: Proportion) -> Option<f64> {
    let hits = variant.hits + control.hits;
    let rarer = hits.min(variant.of + control.of - hits);
    let few = i128::from(rarer) * i128::from(variant.of.min(control.of)) < 5 * i128::from(variant.of + control.of);
    if few { fisher(variant, control) } else { proportion::z_test(variant, control) }
}

fn next(weight: &mut f64, factor: f64) -> Option<f64> {
    *weight *= factor;
    (*weight > 0.0).then_some(*weight)
}
