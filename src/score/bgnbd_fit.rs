//! Fits the BG/NBD model by maximum likelihood: Newton's method with the exact derivatives, over customers grouped by equal histories.

use super::bgnbd::{BgNbd, Buyer};
use super::newton::{Slope, maximum};
use super::parallel::partial_sums;

/// Customers with the same history.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Alike {
    /// The history.
    pub buyer: Buyer,
    /// How many have it.
    pub people: f64,
}

/// Groups customers by (repeats, recency, age) in whole units of time. Above 1,048,575 repeats and 4,194,303 units there are no differences any more.
#[must_use]
pub fn alike(buyers: impl Iterator<Item = (u32, u32, u32)>) -> Vec<Alike> {
    const TIME: u32 = 22;
    const LONGEST: u32 = (1 << TIME) - 1;
    // One number each: sorting a million takes a few hundredths of a second.
    let key = |(x, recency, age): (u32, u32, u32)| {
        u64::from(x.min((1 << 20) - 1)) << (2 * TIME) | u64::from(recency.min(LONGEST)) << TIME | u64::from(age.min(LONGEST))
    };
    let mut keys: Vec<u64> = buyers.map(key).collect();
    keys.sort_unstable();
    let part = |key: u64, shift: u32, most: u32| u32::try_from(key >> shift & u64::from(most)).unwrap_or(most);
    let mut groups: Vec<Alike> = Vec::new();
    let mut last = None;
    for key in keys {
        match groups.last_mut() {
            Some(group) if last == Some(key) => group.people += 1.0,
            _ => {
                let (recency, age) = (part(key, TIME, LONGEST), part(key, 0, LONGEST));
                let buyer = Buyer { repeats: part(key, 2 * TIME, u32::MAX >> 12), recency: recency.into(), age: age.into() };
                groups.push(Alike { buyer, people: 1.0 });
            }
        }
        last = Some(key);
    }
    groups
}

/// The most likely parameters, and the logarithm of their likelihood; `None` when there is no clear maximum (e.g. nobody ever came back). The order of the groups
/// does not matter.
#[must_use]
pub fn fit(mut groups: Vec<Alike>) -> Option<(BgNbd, f64)> {
    groups.sort_unstable_by(|a, b| {
        let times = |alike: &Alike| (alike.buyer.recency, alike.buyer.age);
        a.buyer.repeats.cmp(&b.buyer.repeats).then_with(|| times(a).partial_cmp(&times(b)).unwrap_or(std::cmp::Ordering::Equal))
    });
    let most = groups.last()?.buyer.repeats;
    let sum = |value: fn(&Buyer) -> f64| groups.iter().map(|group| group.people * value(&group.buyer)).sum::<f64>();
    let (repeats, time) = (sum(|buyer| buyer.repeats.into()), sum(|buyer| buyer.age));
    if repeats <= 0.0 || time <= 0.0 {
        return None;
    }
    // Beginning with the mean rate there was, and a fifth leaving after each purchase.
    let start = [0.5, 0.5 * time / repeats, 0.5, 2.0];
    let (parameters, log_likelihood) = maximum(start, |at| slope(&groups, most, at))?;
    let [r, alpha, a, b] = parameters.map(written);
    Some((BgNbd { r, alpha, a, b }, log_likelihood))
}

/// A parameter with as many digits as survive being written and read again.
pub(super) fn written(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

/// Σ ln(p+k), Σ 1/(p+k) and -Σ 1/(p+k)², k < x, for all x: `ln Γ(p+x) - ln Γ(p)` with its derivatives.
fn rising(p: f64, most: u32) -> Vec<[f64; 3]> {
    let mut sums = [0.0; 3];
    let mut table = vec![sums];
    for k in 0..most {
        let at = p + f64::from(k);
        sums = [sums[0] + at.ln(), sums[1] + 1.0 / at, sums[2] - 1.0 / (at * at)];
        table.push(sums);
    }
    table
}

/// Log-likelihood with first and second derivatives by r, α, a, b.
fn slope(groups: &[Alike], most: u32, &[r, alpha, a, b]: &[f64; 4]) -> Slope<4> {
    let (by_r, by_b, by_both) = (rising(r, most), rising(b, most), rising(a + b, most));
    let part = |groups: &[Alike]| {
        let mut part = Slope::ZERO;
        for same in groups.chunk_by(|left, right| left.buyer.repeats == right.buyer.repeats) {
            let Some(repeats) = same.first().map(|alike| alike.buyer.repeats) else { continue };
            let place = repeats as usize;
            let sums = silences(same, [r, alpha, a, b], f64::from(repeats));
            let (rates, stays, both) = (by_r[place], by_b[place], by_both[place]);
            let n = sums.people;
            let (ln_alpha, leaves) = (alpha.ln(), -n * both[2]);
            part = part.plus(sums.slope).plus(Slope {
                value: n * (rates[0] + stays[0] - both[0] + r * ln_alpha),
                gradient: [n * (rates[1] + ln_alpha), n * r / alpha, -n * both[1], n * (stays[1] - both[1])],
                hessian: [
                    [n * rates[2], n / alpha, 0.0, 0.0],
                    [0.0, -n * r / (alpha * alpha), 0.0, 0.0],
                    [0.0, 0.0, leaves, leaves],
                    [0.0, 0.0, 0.0, n * stays[2] + leaves],
                ],
            });
        }
        part
    };
    partial_sums(groups, part).into_iter().fold(Slope::ZERO, Slope::plus)
}

/// What depends on the times, summed over customers with the same number of repeats.
struct Silences {
    people: f64,
    slope: Slope<4>,
}

/// Each customer adds ln(e^A + e^B): A = -(r+x) ln(α+T) if they are still there, B = ln a - ln(b+x-1) - (r+x) ln(α+t_x) if they left after the last purchase (x > 0).
fn silences(groups: &[Alike], [r, alpha, a, b]: [f64; 4], x: f64) -> Silences {
    let shape = r + x;
    // Sums over the customers: `gone` = the chance to have left, `spread` = that times the chance to be there; the rest are derivatives of A and of B - A.
    let (mut people, mut value, mut gone_sum, mut spread_sum) = (0.0, 0.0, 0.0, 0.0);
    let (mut ln_sum, mut inv_sum, mut square_sum) = (0.0, 0.0, 0.0);
    let (mut spread_r, mut spread_alpha, mut spread_rr, mut spread_ra, mut spread_aa) = (0.0, 0.0, 0.0, 0.0, 0.0);
    let left = if x > 0.0 { Some((a / (b + x - 1.0)).ln()) } else { None };
    for Alike { buyer, people: n } in groups {
        let (ln_age, inv_age) = ((alpha + buyer.age).ln(), 1.0 / (alpha + buyer.age));
        people += n;
        value -= n * shape * ln_age;
        let Some(left) = left else {
            ln_sum += n * ln_age;
            inv_sum += n * inv_age;
            square_sum += n * inv_age * inv_age;
            continue;
        };
        let (ln_recency, inv_recency) = ((alpha + buyer.recency).ln(), 1.0 / (alpha + buyer.recency));
        let odds = left + shape * (ln_age - ln_recency);
        let small = (-odds.abs()).exp();
        let gone = if odds > 0.0 { 1.0 / (1.0 + small) } else { small / (1.0 + small) };
        value += n * (odds.max(0.0) + small.ln_1p());
        let (stays, leaves) = (n * (1.0 - gone), n * gone);
        let spread = stays * gone;
        gone_sum += leaves;
        spread_sum += spread;
        ln_sum += stays * ln_age + leaves * ln_recency;
        inv_sum += stays * inv_age + leaves * inv_recency;
        square_sum += stays * inv_age * inv_age + leaves * inv_recency * inv_recency;
        let (by_r, by_alpha) = (ln_age - ln_recency, shape * (inv_age - inv_recency));
        spread_r += spread * by_r;
        spread_alpha += spread * by_alpha;
        spread_rr += spread * by_r * by_r;
        spread_ra += spread * by_r * by_alpha;
        spread_aa += spread * by_alpha * by_alpha;
    }
    let (by_a, by_b) = if x > 0.0 { (1.0 / a, -1.0 / (b + x - 1.0)) } else { (0.0, 0.0) };
    let slope = Slope {
        value,
        gradient: [-ln_sum, -shape * inv_sum, gone_sum * by_a, gone_sum * by_b],
        hessian: [
            [spread_rr, spread_ra - inv_sum, spread_r * by_a, spread_r * by_b],
            [0.0, spread_aa + shape * square_sum, spread_alpha * by_a, spread_alpha * by_b],
            [0.0, 0.0, (spread_sum - gone_sum) * by_a * by_a, spread_sum * by_a * by_b],
            [0.0, 0.0, 0.0, (spread_sum + gone_sum) * by_b * by_b],
        ],
    };
    Silences { people, slope }
}
