//! Gamma-Gamma: what a customer spends at a time (Fader, Hardie 2013, "The Gamma-Gamma Model of Monetary Value"; Fader, Hardie, Lee 2005, "RFM and CLV").
//!
//! A customer's purchases vary around a mean of their own (gamma with shape p), and the means vary between customers (q, v). How much is spent must not depend on how
//! often. Money in any unit, the same for all.

use serde::{Deserialize, Serialize};

use super::bgnbd_fit::written;
use super::newton::{Slope, maximum};
use super::parallel::partial_sums;
use crate::base::gamma::{digamma, ln_gamma, trigamma};

/// The model's parameters, all above 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct GammaGamma {
    /// Shape of a customer's purchases.
    pub p: f64,
    /// Shape of the customers' rates; the mean over all customers exists above 1 only.
    pub q: f64,
    /// Rate of the customers' rates, in units of money.
    pub v: f64,
}

/// What repeat customers spent who are alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spent {
    /// Repeat purchases, at least 1.
    pub repeats: u32,
    /// What all of them were together, above 0.
    pub sum: f64,
    /// How many customers.
    pub people: f64,
}

impl GammaGamma {
    /// The mean purchase over all customers; `None` when q ≤ 1, so that there is none.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        self.expected(0, 0.0)
    }

    /// What to expect of a customer's purchase whose `repeats` repeat purchases were `sum` together; without repeats the mean over all customers.
    #[must_use]
    pub fn expected(&self, repeats: u32, sum: f64) -> Option<f64> {
        (self.q > 1.0).then(|| self.p * (self.v + sum) / (self.p * f64::from(repeats) + self.q - 1.0))
    }
}

/// Cents in units of the currency.
#[expect(clippy::cast_precision_loss, reason = "amounts below 90 billions are exact")]
pub(super) fn units(cents: i64) -> f64 {
    cents as f64 / 100.0
}

/// Groups repeat customers by (repeats, sum in hundredths of the unit); who has no repeat or a sum of 0 or less is left out.
#[must_use]
pub fn spent_alike(customers: impl Iterator<Item = (u32, i64)>) -> Vec<Spent> {
    let mut sorted: Vec<(u32, i64)> = customers.filter(|(repeats, cents)| *repeats > 0 && *cents > 0).collect();
    sorted.sort_unstable();
    let spent = |same: &[(u32, i64)]| {
        let &(repeats, cents) = same.first()?;
        Some(Spent { repeats, sum: units(cents), people: same.iter().map(|_| 1.0).sum() })
    };
    sorted.chunk_by(|a, b| a == b).filter_map(spent).collect()
}

/// The most likely parameters, and the logarithm of their likelihood; `None` when there is no clear maximum (e.g. everybody always pays the same).
#[must_use]
pub fn fit(mut customers: Vec<Spent>) -> Option<(GammaGamma, f64)> {
    customers.sort_unstable_by(|a, b| a.repeats.cmp(&b.repeats).then(a.sum.total_cmp(&b.sum)));
    let people: f64 = customers.iter().map(|spent| spent.people).sum();
    let purchases: f64 = customers.iter().map(|spent| spent.people * f64::from(spent.repeats)).sum();
    let mean = customers.iter().map(|spent| spent.people * spent.sum).sum::<f64>() / purchases;
    if !(people > 0.0 && mean > 0.0) {
        return None;
    }
    let start = [4.0, 4.0, mean * 3.0 / 4.0];
    let (parameters, log_likelihood) = maximum(start, |at| slope(&customers, at))?;
    let [p, q, v] = parameters.map(written);
    Some((GammaGamma { p, q, v }, log_likelihood))
}

/// Log-likelihood with first and second derivatives by p, q, v.
fn slope(customers: &[Spent], &[p, q, v]: &[f64; 3]) -> Slope<3> {
    let (of_q, ln_v) = ([ln_gamma(q), digamma(q), trigamma(q)], v.ln());
    let part = |customers: &[Spent]| {
        let mut part = Slope::<3>::ZERO;
        for same in customers.chunk_by(|left, right| left.repeats == right.repeats) {
            let Some(repeats) = same.first().map(|spent| f64::from(spent.repeats)) else { continue };
            let (px, pxq) = (p * repeats, p * repeats + q);
            let (mut people, mut ln_sum, mut ln_with, mut inv, mut square) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for spent in same {
                let with = v + spent.sum;
                people += spent.people;
                ln_sum += spent.people * spent.sum.ln();
                ln_with += spent.people * with.ln();
                inv += spent.people / with;
                square += spent.people / (with * with);
            }
            let (all, own) = (digamma(pxq), digamma(px));
            let (all2, own2) = (trigamma(pxq), trigamma(px));
            // The last two terms make it the density of the mean, not of the sum.
            part.value += people * (ln_gamma(pxq) - ln_gamma(px) - of_q[0] + q * ln_v) + (px - 1.0) * ln_sum - pxq * ln_with + people * repeats.ln();
            part.gradient[0] += people * repeats * (all - own) + repeats * (ln_sum - ln_with);
            part.gradient[1] += people * (all - of_q[1] + ln_v) - ln_with;
            part.gradient[2] += people * q / v - pxq * inv;
            part.hessian[0][0] += people * repeats * repeats * (all2 - own2);
            part.hessian[0][1] += people * repeats * all2;
            part.hessian[0][2] -= repeats * inv;
            part.hessian[1][1] += people * (all2 - of_q[2]);
            part.hessian[1][2] += people / v - inv;
            part.hessian[2][2] += pxq * square - people * q / (v * v);
        }
        part
    };
    partial_sums(customers, part).into_iter().fold(Slope::ZERO, Slope::plus)
}
