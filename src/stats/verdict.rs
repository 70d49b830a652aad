//! What a comparison says, as a decision: a winner, no difference worth having, not enough data, or a broken split.

use super::holm;
use super::proportion::Proportion;
use super::sequential::{self, Look};
use super::srm;

/// Below this a difference is found.
pub const LEVEL: f64 = 0.05;
/// No plan looks further ahead than this many times what there is.
const FURTHEST: f64 = 1e6;

/// The four ends that a look can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// People were not split as planned: no comparison can be trusted.
    Broken,
    /// One arm is better than each other one.
    Winner,
    /// The leading arms differ by less than is worth having.
    NoDifference,
    /// Neither can be said yet.
    NotEnough,
}

impl Outcome {
    /// The word in JSON and CSV.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Winner => "winner",
            Self::NoDifference => "no_difference",
            Self::NotEnough => "not_enough",
        }
    }
}

/// The decision; arms by their places.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Which end.
    pub outcome: Outcome,
    /// The arm with the highest rate first, then those that are not surely worse. The winner alone, when there is one.
    pub leaders: Vec<usize>,
    /// Arms that are surely worse than the first leader.
    pub beaten: Vec<usize>,
    /// For `NotEnough`: so many people more in all arms together, until a difference that is just worth having is found in 80 of 100 cases, or the arms are
    /// known to be nearer than that. `None` while nobody did it, or an arm has nobody.
    pub more_people: Option<i64>,
}

/// Two arms at a look, and the p-value among all pairs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Places of the arms; the difference is the second's rate minus the first's.
    pub arms: (usize, usize),
    /// What is known of the difference.
    pub look: Look,
    /// The look's p-value after Holm over all pairs.
    pub adjusted: f64,
    /// The smallest difference that is worth having, in shares of people.
    pub worth: f64,
}

/// All pairs of arms that have people. `smallest` is the smallest effect worth having, relative to the pair's common rate.
#[must_use]
pub fn pairs(arms: &[Proportion], smallest: f64) -> Vec<Pair> {
    let places = (0..arms.len()).flat_map(|first| (first + 1..arms.len()).map(move |second| (first, second)));
    let looks: Vec<((usize, usize), Look)> =
        places.filter_map(|(first, second)| Some(((first, second), sequential::rates(arms[second], arms[first], smallest)?))).collect();
    let adjusted = holm::adjusted(&looks.iter().map(|(_, look)| look.p_value).collect::<Vec<f64>>());
    let pair = |(((first, second), look), adjusted): (((usize, usize), Look), f64)| {
        let common = Proportion { hits: arms[first].hits + arms[second].hits, of: arms[first].of + arms[second].of };
        Pair { arms: (first, second), look, adjusted, worth: smallest * common.rate().unwrap_or(0.0) }
    };
    looks.into_iter().zip(adjusted).map(pair).collect()
}

/// The verdict over arms and their [`pairs`]; `split_p` is the p-value of the check of the split, if there is one. `None` with fewer than two arms that have people.
#[must_use]
pub fn judge(arms: &[Proportion], pairs: &[Pair], split_p: Option<f64>) -> Option<Verdict> {
    let rates: Vec<Option<f64>> = arms.iter().map(|arm| arm.rate()).collect();
    let best = (0..arms.len()).filter(|place| rates[*place].is_some()).max_by(|a, b| {
        // Of equal arms the first leads.
        rates[*a].partial_cmp(&rates[*b]).unwrap_or(std::cmp::Ordering::Equal).then(b.cmp(a))
    })?;
    let of_pair = |a: usize, b: usize| pairs.iter().find(|pair| pair.arms == (a.min(b), a.max(b)));
    let beats = |other: &usize| of_pair(best, *other).is_some_and(|pair| pair.adjusted < LEVEL);
    let (beaten, level): (Vec<usize>, Vec<usize>) = (0..arms.len()).filter(|place| *place != best && rates[*place].is_some()).partition(beats);
    if beaten.is_empty() && level.is_empty() {
        return None;
    }
    let leaders: Vec<usize> = std::iter::once(best).chain(level).collect();
    let broken = split_p.is_some_and(|p_value| p_value < srm::LIMIT);
    let open: Vec<&Pair> = pairs.iter().filter(|pair| leaders.contains(&pair.arms.0) && leaders.contains(&pair.arms.1)).collect();
    let near = open.iter().all(|pair| pair.worth > 0.0 && pair.look.interval.0 > -pair.worth && pair.look.interval.1 < pair.worth);
    let outcome = match leaders.len() {
        _ if broken => Outcome::Broken,
        1 => Outcome::Winner,
        _ if near => Outcome::NoDifference,
        _ => Outcome::NotEnough,
    };
    let more_people = (outcome == Outcome::NotEnough).then(|| more_people(arms, &open)).flatten();
    Some(Verdict { outcome, leaders, beaten, more_people })
}

/// How many people more the pair that knows least needs, when all arms grow alike.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "people are fewer than 2^53, and the factor is limited")]
fn more_people(arms: &[Proportion], open: &[&Pair]) -> Option<i64> {
    let all: i64 = arms.iter().map(|arm| arm.of).sum();
    let factor = open.iter().map(|pair| still_needed(pair)).fold(1.0, f64::max);
    arms.iter().all(|arm| arm.of > 0 && open.iter().all(|pair| pair.worth > 0.0)).then(|| ((factor.min(FURTHEST) - 1.0) * all as f64).ceil() as i64)
}

/// The factor by which the people of a pair must grow: up to the plan, and beyond it until the interval that shrinks around the present difference excludes 0 or lies
/// within what is worth having.
fn still_needed(pair: &Pair) -> f64 {
    let Look { progress, interval: (low, high), .. } = pair.look;
    if progress < 1.0 {
        return 1.0 / progress;
    }
    let (middle, half) = (f64::midpoint(low, high).abs(), 0.5 * (high - low));
    let wanted = middle.max(pair.worth - middle);
    let half_after = |factor: f64| half * sequential::boundary(progress * factor) / sequential::boundary(progress) / factor.sqrt();
    super::special::falling_root(half_after, wanted, 1.0, FURTHEST)
}
