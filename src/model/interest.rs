//! What somebody is interested in, from what they bought: the shares of categories, newer purchases counting more, and how far these shares have moved.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::PastLine;
use crate::base::time::{DAY_MS, UnixMs};

/// After so many days a purchase counts half, unless a rule says otherwise.
pub const HALF_LIFE_DAYS: i64 = 180;
/// Categories of a smaller share are no interest of somebody's: in hundredths.
const LEAST_PERCENT: f64 = 10.0;
/// Most interests of a person.
const MOST: usize = 5;
/// Purchases that each side of a comparison has to have: fewer are no mix.
pub const LEAST_PURCHASES: usize = 5;

/// The shares of the categories that somebody bought, which are 1 together, the strongest first (of equal ones the first by name); empty without a purchase
/// of a category. A purchase is a category in an order, however many lines or pieces; it counts ½^(age ÷ half-life). What lies after `now` does not exist.
#[must_use]
pub fn shares(lines: &[PastLine], now: UnixMs, half_life_days: i64) -> Vec<(&str, f64)> {
    let bought = purchases(lines, |at| at <= now);
    let Some(latest) = bought.iter().map(|(at, _)| *at).max() else { return Vec::new() };
    let mut weights: BTreeMap<&str, f64> = BTreeMap::new();
    for (at, category) in &bought {
        // Ages count from the latest purchase: the shares are the same, and a short half-life does not make all of them 0.
        *weights.entry(category).or_default() += (-days(latest.since(*at)) / days(half_life_days.max(1) * DAY_MS)).exp2();
    }
    let all: f64 = weights.values().sum();
    let mut shares: Vec<(&str, f64)> = weights.into_iter().map(|(category, weight)| (category, weight / all)).collect();
    shares.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(other.0)));
    shares
}

/// The interests among the shares: a tenth at least, five at most.
#[must_use]
pub fn strongest<'a>(shares: &[(&'a str, f64)]) -> Vec<&'a str> {
    shares.iter().take_while(|(_, share)| share * 100.0 >= LEAST_PERCENT).take(MOST).map(|(category, _)| *category).collect()
}

/// How far the mix of categories bought since `since` is from the mix before: 0 the same, 1 nothing in common. The total variation distance, half the
/// sum of the differences of the shares (Levin, Peres: Markov Chains and Mixing Times, 2nd ed. 2017, proposition 4.2): the part of the purchases that would have to be
/// of another category. As a numerator and a denominator, because both are counts. `None` with fewer than five purchases on either side: the
/// mix of three is chance.
#[must_use]
pub fn drift(lines: &[PastLine], since: UnixMs, now: UnixMs) -> Option<(i64, i64)> {
    let (recent, before) = (purchases(lines, |at| at >= since && at <= now), purchases(lines, |at| at < since && at <= now));
    if recent.len() < LEAST_PURCHASES || before.len() < LEAST_PURCHASES {
        return None;
    }
    let count = |all: &BTreeSet<(UnixMs, &str)>, category: &str| whole(all.iter().filter(|(_, other)| *other == category).count());
    let (all_recent, all_before) = (whole(recent.len()), whole(before.len()));
    let categories: BTreeSet<&str> = recent.iter().chain(&before).map(|(_, category)| *category).collect();
    let differences = categories.iter().map(|category| (count(&recent, category) * all_before - count(&before, category) * all_recent).abs());
    Some((differences.sum(), 2 * all_recent * all_before))
}

/// Each category once in an order.
fn purchases(lines: &[PastLine], counts: impl Fn(UnixMs) -> bool) -> BTreeSet<(UnixMs, &str)> {
    lines.iter().filter(|line| counts(line.at)).filter_map(|line| Some((line.at, line.category.as_deref()?))).collect()
}

fn whole(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of centuries are exact")]
fn days(ms: i64) -> f64 {
    ms as f64 / DAY_MS as f64
}
