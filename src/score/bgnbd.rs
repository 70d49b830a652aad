//! BG/NBD: how often customers buy and whether they still do (Fader, Hardie, Lee 2005, "Counting Your Customers the Easy Way", Marketing Science 24(2) 275–284).
//!
//! While active, a customer buys at random at a rate of their own (gamma with shape r and rate α over all customers); after each purchase they leave for good with a
//! chance of their own (beta with a and b). Time has any unit, the same for all.

use serde::{Deserialize, Serialize};

/// What the model knows of a customer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Buyer {
    /// Repeat purchases x: days with a purchase, the first one left out.
    pub repeats: u32,
    /// Time from the first to the last purchase, t_x; 0 without a repeat.
    pub recency: f64,
    /// Time from the first purchase to the end of the observation, T.
    pub age: f64,
}

/// The model's parameters, all above 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BgNbd {
    /// Shape of the buying rates.
    pub r: f64,
    /// Rate parameter of the buying rates, in units of time: r/α is the mean rate.
    pub alpha: f64,
    /// First parameter of the chance to leave: a/(a+b) is its mean.
    pub a: f64,
    /// Second parameter of the chance to leave.
    pub b: f64,
}

/// More terms than this are not added up: a minute-old customer and decades to come.
const MOST_TERMS: u32 = 200_000;
/// Sums above it are scaled down; sixteen terms later they are still numbers.
const LARGE: f64 = 1e150;

impl BgNbd {
    /// The chance that a customer still buys, 0 to 1. Who never came back has 1: the model lets people leave after a repeat purchase only.
    #[must_use]
    pub fn p_alive(&self, buyer: &Buyer) -> f64 {
        1.0 / (1.0 + self.gone_odds(buyer).map_or(0.0, f64::exp))
    }

    /// The logarithm of the odds that they have left.
    fn gone_odds(&self, buyer: &Buyer) -> Option<f64> {
        let (x, silence) = (f64::from(buyer.repeats), ((buyer.age - buyer.recency) / (self.alpha + buyer.recency)).ln_1p());
        (buyer.repeats > 0).then(|| (self.a / (self.b + x - 1.0)).ln() + (self.r + x) * silence)
    }

    /// Purchases to expect until each of `times` from now, which rise; `None` when the sum does not settle (times thousands of times as long as α + age).
    #[must_use]
    pub fn expected<const N: usize>(&self, buyer: &Buyer, times: &[f64; N]) -> Option<[f64; N]> {
        let p_alive = self.p_alive(buyer);
        self.expected_if_alive(buyer.repeats, buyer.age, times).map(|expected| expected.map(|expected| expected * p_alive))
    }

    /// The same for somebody who still buys at present.
    ///
    /// The textbook has `(a+b+x-1)/(a-1)` times one minus a hypergeometric function, which means nothing at a = 1. The same figure, term by term: if they never left
    /// they would make k purchases (negative binomial), and of k purchases they make D(k) = Σ (b+x)…(b+x+j-1)/((a+b+x)…(a+b+x+j-1)), j < k, before they leave. All
    /// terms are positive, so nothing cancels.
    #[must_use]
    pub fn expected_if_alive<const N: usize>(&self, repeats: u32, age: f64, times: &[f64; N]) -> Option<[f64; N]> {
        let x = f64::from(repeats);
        let (shape, stays, both) = (self.r + x, self.b + x, self.a + self.b + x);
        let z = times.map(|time| time / (self.alpha + age + time));
        let longest = *z.last()?;
        // Terms without the factor (1-z)^shape, which may be too small for a number; large sums are scaled down. Both are made up for at the end.
        let (mut chance, mut sum) = ([1.0; N], [0.0; N]);
        let mut scale = times.map(|time| -shape * (time / (self.alpha + age)).ln_1p());
        let (mut stay, mut purchases) = (1.0, 0.0);
        for count in 0..MOST_TERMS {
            let k = f64::from(count);
            let ratio = (shape + k) / (k + 1.0);
            purchases += stay;
            stay *= (stays + k) / (both + k);
            for i in 0..N {
                chance[i] *= z[i] * ratio;
                sum[i] += chance[i] * purchases;
            }
            // From here on each term of the longest time is less than `grows` times the one before; the others shrink faster.
            let grows = longest * ratio.max(1.0) * (1.0 + stay / purchases);
            let (last, total) = (chance[N - 1] * purchases, sum[N - 1]);
            if grows < 1.0 && last * grows <= 1e-13 * total * (1.0 - grows) {
                return Some(std::array::from_fn(|i| sum[i] * scale[i].exp()));
            }
            for i in 0..N {
                if count % 16 == 0 && sum[i] > LARGE {
                    chance[i] /= LARGE;
                    sum[i] /= LARGE;
                    scale[i] += LARGE.ln();
                }
            }
        }
        None
    }

    /// The logarithm of the likelihood of what a customer did.
    #[must_use]
    pub fn log_likelihood(&self, buyer: &Buyer) -> f64 {
        let (r, b, both) = (self.r, self.b, self.a + self.b);
        let before: f64 = (0..buyer.repeats).map(f64::from).map(|k| (r + k).ln() + (b + k).ln() - (both + k).ln()).sum();
        let silent = self.r * self.alpha.ln() - (r + f64::from(buyer.repeats)) * (self.alpha + buyer.age).ln();
        before + silent + self.gone_odds(buyer).map_or(0.0, softplus)
    }
}

/// `ln(1 + e^x)`
pub(super) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
