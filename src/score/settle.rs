//! When a customer has moved to another class: not at the first sight of it, but when every run of some days has seen it.
//!
//! A value near a border changes sides with every order of somebody else. Who counts each change counts noise, so a class has to hold for a while, as an alert has to
//! with Prometheus's `for`, and as switched systems are kept stable by a dwell time (Hespanha and Morse 1999). A margin around each border, the other usual way, would need
//! one for each score, in places and in percent; a number of days means the same for all of them.

use crate::base::time::{UnixMs, Zone, days_between};
use crate::model::crossing::{Classes, Crossing, Settled, Tracked, Waiting};

/// The classes of a customer after a run that saw `seen`, and their moves. A class is settled when the runs of `days` calendar days have seen nothing else, in
/// between and now; with 0 at once. Whoever is new (`before` is `None`) is settled in what is seen.
#[must_use]
pub fn settle(before: Option<&Settled>, seen: Classes, at: UnixMs, zone: Zone, days: i64) -> (Settled, Vec<Crossing>) {
    let Some(before) = before else {
        let known = Tracked::ALL.into_iter().filter(|score| seen[*score as usize].is_some());
        let crossings = known.map(|score| Crossing { at, score, was: None, class: seen[score as usize] }).collect();
        return (Settled { classes: seen, ..Settled::default() }, crossings);
    };
    let (mut after, mut crossings) = (*before, Vec::new());
    for score in Tracked::ALL {
        let place = score as usize;
        let (was, class) = (before.classes[place], seen[place]);
        after.waiting[place] = None;
        if was == class {
            continue;
        }
        let waiting = before.waiting[place].filter(|waiting| waiting.class == class).unwrap_or(Waiting { class, since: at });
        if days_between(zone.date(waiting.since), zone.date(at)) >= days {
            after.classes[place] = class;
            crossings.push(Crossing { at, score, was, class });
        } else {
            after.waiting[place] = Some(waiting);
        }
    }
    (after, crossings)
}
