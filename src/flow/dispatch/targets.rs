//! Which webhooks' targets are down: what is for them waits, and holds up nothing that is for others.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A target that could not be reached so often, one time after the other, is down …
const DOWN_AFTER: u32 = 3;
/// … for so long: then it is tried again, and is down at once if it cannot be reached.
const DOWN_FOR: Duration = Duration::from_mins(1);

/// Of each target: how often in a row it could not be reached, and when last.
#[derive(Debug, Default)]
pub(super) struct Targets(Mutex<HashMap<String, (u32, Instant)>>);

impl Targets {
    /// Notes whether a target could be reached.
    pub(super) fn note(&self, target: &str, reached: bool, now: Instant) {
        let mut unreachable = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !reached {
            let (times, at) = unreachable.entry(target.to_owned()).or_insert((0, now));
            (*times, *at) = (times.saturating_add(1), now);
            if *times == DOWN_AFTER {
                tracing::warn!(target = target, "a webhook's target cannot be reached: what is for it waits for a minute at a time");
            }
        } else if !unreachable.is_empty() {
            unreachable.remove(target);
        }
    }

    /// Whether it is of no use to try one now. When the time is over one may try, and the others wait for what it finds.
    pub(super) fn is_down(&self, target: &str, now: Instant) -> bool {
        let mut unreachable = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, at)) = unreachable.get_mut(target).filter(|(times, _)| *times >= DOWN_AFTER) else { return false };
        let waits = now.duration_since(*at) < DOWN_FOR;
        if !waits {
            *at = now;
        }
        waits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_down_for_a_minute_after_three_times_and_again_after_each_further_one() {
        let (targets, begin) = (Targets::default(), Instant::now());
        let fails = |times: usize, now| (0..times).for_each(|_| targets.note("shop", false, now));
        fails(2, begin);
        assert!(!targets.is_down("shop", begin));
        targets.note("shop", true, begin);
        fails(2, begin);
        assert!(!targets.is_down("shop", begin), "not one after the other");
        fails(1, begin);
        assert!(targets.is_down("shop", begin) && !targets.is_down("other", begin));
        let later = begin + DOWN_FOR;
        assert!(!targets.is_down("shop", later));
        assert!(targets.is_down("shop", later), "one tries for all");
        fails(1, later);
        assert!(targets.is_down("shop", later));
        targets.note("shop", true, later);
        assert!(!targets.is_down("shop", later));
    }
}
