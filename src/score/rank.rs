//! Sorting columns: buckets for r, f and m, the order by turnover, and ABC classes.

use rayon::prelude::*;

use super::borders::Step;
use crate::model::score::{Abc, AbcRule, BucketRule};

/// The order of customers by id, which settles ties; `None` when they come in it.
pub(super) struct Ties(Option<Vec<usize>>);

impl Ties {
    pub(super) fn of(ids: &[i64]) -> Self {
        Self((!ids.is_sorted()).then(|| ascending(ids, &Self(None))))
    }

    /// The customer at a place of the order by id.
    fn at(&self, place: usize) -> usize {
        self.0.as_ref().and_then(|by_id| by_id.get(place)).copied().unwrap_or(place)
    }
}

/// Indices by value, lowest first; equal values by id, lowest first.
pub(super) fn ascending(values: &[i64], ties: &Ties) -> Vec<usize> {
    let lowest = values.iter().copied().min().unwrap_or(0);
    let places = u32::try_from(values.len()).unwrap_or(u32::MAX);
    // One number each, which is sorted several times as fast as a tuple: the value's distance from the lowest, and the place among equals.
    let packed = |place: u32| {
        let distance = values[ties.at(place as usize)].abs_diff(lowest);
        (distance <= u32::MAX.into()).then_some(distance << 32 | u64::from(place))
    };
    let packed: Option<Vec<u64>> = (0..places).map(packed).collect();
    if let Some(mut packed) = packed.filter(|_| places < u32::MAX) {
        packed.par_sort_unstable();
        return packed.into_iter().map(|one| ties.at(usize::try_from(one & u64::from(u32::MAX)).unwrap_or(usize::MAX))).collect();
    }
    let mut order: Vec<usize> = (0..values.len()).map(|place| ties.at(place)).collect();
    order.sort_by_key(|index| values[*index]);
    order
}

/// [`ascending`] turned round: highest first, but equal values still by id, lowest first.
pub(super) fn descending(values: &[i64], ascending: &[usize]) -> Vec<usize> {
    let groups: Vec<&[usize]> = ascending.chunk_by(|one, other| values[*one] == values[*other]).collect();
    groups.into_iter().rev().flatten().copied().collect()
}

/// Scores of a column where more is better, 1 to `buckets`, and the lowest value of each score; `order` as [`ascending`] gives it. Equal values differ only
/// under [`BucketRule::Ntile`], by id.
pub(super) fn buckets(values: &[i64], order: &[usize], buckets: i64, rule: BucketRule) -> (Vec<u8>, Vec<Step>) {
    let mut scores = vec![0; values.len()];
    let mut steps: Vec<Step> = Vec::new();
    let people = count(values.len());
    let mut before = 0;
    for group in order.chunk_by(|one, other| values[*one] == values[*other]) {
        let last = before + count(group.len());
        for (position, &index) in (before..).zip(group) {
            // `before` + 1 is the group's lowest rank, `last` its highest; they add up to twice the middle one.
            let score = match rule {
                BucketRule::Minrank => buckets * before / people + 1,
                BucketRule::Midrank => buckets * (before + last) / (2 * people) + 1,
                BucketRule::Cumedist => (buckets * last + people - 1) / people,
                BucketRule::Ntile => ntile(position, people, buckets),
            };
            scores[index] = u8::try_from(score).unwrap_or(u8::MAX);
            if steps.last().is_none_or(|step| step.score < score && step.from < values[index]) {
                steps.push(Step { from: values[index], score });
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
