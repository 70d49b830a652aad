//! Sorting columns: buckets for r, f and m, the order by turnover, and ABC classes.

use std::cmp::Reverse;

use super::borders::Step;
use crate::model::score::{Abc, AbcRule, BucketRule};

/// Scores of a column where more is better, 1 to `buckets`, and the lowest value of each score. Equal values differ only under
/// [`BucketRule::Ntile`], by id.
pub(super) fn buckets(values: &[i64], ids: &[i64], buckets: i64, rule: BucketRule) -> (Vec<u8>, Vec<Step>) {
    let mut sorted: Vec<(i64, i64, usize)> = values.iter().zip(ids).enumerate().map(|(index, (&value, &id))| (value, id, index)).collect();
    sorted.sort_unstable();
    let mut scores = vec![0; values.len()];
    let mut steps: Vec<Step> = Vec::new();
    let people = count(values.len());
    let mut before = 0;
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        let last = before + count(group.len());
        for (position, &(value, _, index)) in (before..).zip(group) {
            // `before` + 1 is the group's lowest rank, `last` its highest; they add up to twice the middle one.
            let score = match rule {
                BucketRule::Minrank => buckets * before / people + 1,
                BucketRule::Midrank => buckets * (before + last) / (2 * people) + 1,
                BucketRule::Cumedist => (buckets * last + people - 1) / people,
                BucketRule::Ntile => ntile(position, people, buckets),
            };
            scores[index] = u8::try_from(score).unwrap_or(u8::MAX);
            if steps.last().is_none_or(|step| step.score < score && step.from < value) {
                steps.push(Step { from: value, score });
            }
        }
        before = last;
    }
    (scores, steps)
}

/// A number of customers as the formulas take it.
pub(super) fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}

/// SQL's NTILE: groups of equal size, the first ones larger by one if it does not come out even.
fn ntile(position: i64, people: i64, buckets: i64) -> i64 {
    let (size, larger) = (people / buckets, people % buckets);
    let in_larger = larger * (size + 1);
    if position < in_larger { position / (size + 1) + 1 } else { (position - in_larger) / size + larger + 1 }
}

/// Indices by value, highest first; equal values by id, lowest first.
pub(super) fn descending(values: &[i64], ids: &[i64]) -> Vec<usize> {
    let mut sorted: Vec<(Reverse<i64>, i64, usize)> =
        values.iter().zip(ids).enumerate().map(|(index, (&value, &id))| (Reverse(value), id, index)).collect();
    sorted.sort_unstable();
    sorted.into_iter().map(|(_, _, index)| index).collect()
}

/// The class of each customer, and the lowest value in A and in B. `order` as [`descending`] gives it.
///
/// Two cases that the share alone answers badly: the best customer is A even when they alone are more than the border; and when the sum is 0 or
/// less there is no share to speak of, so everybody is C.
pub(super) fn abc(values: &[i64], order: &[usize], rule: AbcRule, percent: [i64; 2]) -> (Vec<Abc>, [Option<i64>; 2]) {
    let total: i128 = values.iter().map(|&value| i128::from(value)).sum();
    let mut classes = vec![Abc::C; values.len()];
    let mut lowest = [None; 2];
    if total <= 0 {
        return (classes, lowest);
    }
    let borders = percent.map(|percent| i128::from(percent) * total);
    let mut sum = 0;
    for (place, &index) in order.iter().enumerate() {
        let before = sum;
        sum += 100 * i128::from(values[index]);
        let within = |border: i128| match rule {
            AbcRule::Incl => sum <= border,
            AbcRule::Cross => before < border,
        };
        if place == 0 || within(borders[0]) {
            classes[index] = Abc::A;
            lowest[0] = Some(values[index]);
        } else if within(borders[1]) {
            classes[index] = Abc::B;
            lowest[1] = Some(values[index]);
        }
    }
    (classes, lowest)
}
