//! When a customer has moved to another class.

use proptest::prelude::*;
use stammgast::base::time::{DAY_MS, UnixMs};
use stammgast::model::crossing::{Classes, Crossing, Settled, Tracked};
use stammgast::score::settle::settle;

use super::utc;

fn abc(class: u8) -> Classes {
    [Some(class), None, None, None, None]
}

/// `day class>class` of the moves of a customer who is in the first class of `seen` already, with a run at noon of each day.
fn moves(seen: &[u8], days: i64) -> Vec<String> {
    let mut settled = Settled { classes: abc(seen[0]), ..Settled::default() };
    let mut found = Vec::new();
    for (day, class) in (0..).zip(seen) {
        let (after, crossings) = settle(Some(&settled), abc(*class), UnixMs(day * DAY_MS + DAY_MS / 2), utc(), days);
        settled = after;
        found.extend(crossings.iter().map(|crossing| format!("{day} {}>{}", crossing.was.unwrap(), crossing.class.unwrap())));
    }
    found
}

#[test]
fn a_class_counts_when_it_has_held_for_the_days_asked_for() {
    assert_eq!(moves(&[1, 2, 2, 2, 2, 2], 3), ["4 1>2"]);
    assert_eq!(moves(&[1, 2, 2, 2, 2, 2], 0), ["1 1>2"]);
    assert_eq!(moves(&[1, 2, 1, 2, 1, 2, 1, 2], 1), Vec::<String>::new(), "what flickers each night never moves");
    assert_eq!(moves(&[1, 2, 2, 1, 2, 2, 2, 1, 1, 2], 3), Vec::<String>::new());
    assert_eq!(moves(&[1, 2, 2, 3, 3, 3, 3, 3], 3), ["6 1>3"], "another class begins to wait anew");
    assert_eq!(moves(&[1, 2, 2, 2, 2, 1, 1, 1, 1], 3), ["4 1>2", "8 2>1"]);
}

#[test]
fn whoever_is_new_is_settled_at_once_and_whoever_is_gone_is_not() {
    let seen = [Some(3), Some(5), None, Some(1), None];
    let (settled, crossings) = settle(None, seen, UnixMs(7), utc(), 3);
    assert_eq!(settled, Settled { classes: seen, ..Settled::default() });
    let told: Vec<(Tracked, Option<u8>, Option<u8>)> = crossings.iter().map(|crossing| (crossing.score, crossing.was, crossing.class)).collect();
    assert_eq!(told, [(Tracked::Abc, None, Some(3)), (Tracked::R, None, Some(5)), (Tracked::M, None, Some(1))]);
    let (waits, none) = settle(Some(&settled), Classes::default(), UnixMs(8), utc(), 3);
    assert!(none.is_empty() && waits.classes == seen && waits.waiting.iter().flatten().count() == 3);
    let (gone, left) = settle(Some(&waits), Classes::default(), UnixMs(3 * DAY_MS), utc(), 3);
    assert!(gone == Settled::default() && left.len() == 3 && left.iter().all(|crossing| crossing.class.is_none()), "{left:?}");
}

proptest! {
    /// Runs at any hours: moves are a chain, each was seen in every run of the days before it, and what is seen long enough is moved to.
    #[test]
    fn moves_are_a_chain_of_classes_that_held(seen in prop::collection::vec((1_u8..=3, 1_i64..40), 1..60), days in 0_i64..5) {
        let (mut settled, mut at, mut class) = (Settled { classes: abc(1), ..Settled::default() }, 0, 1);
        let mut runs: Vec<(i64, u8)> = Vec::new();
        for (next, hours) in seen {
            at += hours * DAY_MS / 24;
            runs.push((at, next));
            let (after, crossings) = settle(Some(&settled), abc(next), UnixMs(at), utc(), days);
            let since = runs.iter().rev().take_while(|(_, seen)| *seen == next).last().unwrap().0;
            let held = at / DAY_MS - since / DAY_MS >= days;
            if next != class && held {
                prop_assert_eq!(&crossings, &[Crossing { at: UnixMs(at), score: Tracked::Abc, was: Some(class), class: Some(next) }]);
                class = next;
            } else {
                prop_assert!(crossings.is_empty());
            }
            prop_assert_eq!(after.classes, abc(class));
            prop_assert_eq!(after.waiting.iter().flatten().count(), usize::from(next != class));
            // The same run once more changes nothing.
            prop_assert_eq!(settle(Some(&after), abc(next), UnixMs(at), utc(), days), (after, vec![]));
            settled = after;
        }
    }
}
