//! Classes among customers of the same age: who came six weeks ago cannot have paid what somebody paid in three years, so in a plain ABC analysis newcomers are C.
//!
//! Newcomers are compared with those who came in the same 30 days, everybody of whom had as long to buy (a cohort: Glenn 2005, Cohort Analysis). Revenue per day since the
//! first order, the other usual correction, makes an A of everybody whose first order was yesterday: their time begins with a purchase.

use std::collections::BTreeMap;

use super::rank::{Ties, abc, ascending, descending};
use crate::model::score::{Abc, ScoreRules};

/// Days of first orders that are compared with each other.
const BAND_DAYS: i64 = 30;
/// Fewer customers than this have no shares worth a class.
const LEAST_PEERS: usize = 30;

/// The lowest value in A and in B among the newcomers of each band, the newest first; `None`: too few.
pub(super) type Bands = Vec<Option<[Option<i64>; 2]>>;

/// The band of a newcomer; `None` for whoever has been there for longer. The last band takes the days that are left over: five days of first orders would be too few people.
pub(super) fn band(tenure_days: i64, rules: &ScoreRules) -> Option<usize> {
    let last = (rules.newcomer_days / BAND_DAYS - 1).max(0);
    if tenure_days < rules.newcomer_days { usize::try_from((tenure_days / BAND_DAYS).min(last)).ok() } else { None }
}

/// Everybody's class among their like, from what counts, ids, days since the first order and plain classes; unknown for newcomers with too few
/// peers.
pub(super) fn adjusted(values: &[i64], ids: &[i64], tenure: &[i64], plain: &[Abc], rules: &ScoreRules) -> (Vec<Option<Abc>>, Bands) {
    let mut classes: Vec<Option<Abc>> = plain.iter().copied().map(Some).collect();
    let mut peers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, days) in tenure.iter().enumerate() {
        if let Some(band) = band(*days, rules) {
            classes[index] = None;
            peers.entry(band).or_default().push(index);
        }
    }
    let mut bands = vec![None; peers.keys().next_back().map_or(0, |last| last + 1)];
    for (band, peers) in peers.iter().filter(|(_, peers)| peers.len() >= LEAST_PEERS) {
        let of = |column: &[i64]| peers.iter().map(|index| column[*index]).collect::<Vec<i64>>();
        let (values, ids) = (of(values), of(ids));
        let (found, lowest) = abc(&values, &descending(&values, &ascending(&values, &Ties::of(&ids))), rules.abc_rule, rules.abc_percent);
        bands[*band] = Some(lowest);
        for (index, class) in peers.iter().zip(found) {
            classes[*index] = Some(class);
        }
    }
    (classes, bands)
}
