//! A rule that has gone silent: it reached nobody for much longer than it uses to. Pure.

use chrono::NaiveDate;

use crate::base::time::days_between;

/// Days that tell how often a rule reaches somebody.
pub const MEMORY_DAYS: i64 = 180;
/// Fewer gaps say nothing about how often that is.
const LEAST_GAPS: usize = 4;

/// How long a rule has been silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Silence {
    /// The last day on which it wrote to somebody or held somebody out.
    pub since: NaiveDate,
    /// Days since then.
    pub days: i64,
    /// Days that usually lie between two such days: the median.
    pub usual_days: i64,
}

/// Whether a rule is silent today that reached somebody on these days (rising, each once): for more than `factor` times its usual gap, and for longer than
/// ever before. `None` too when it was too seldom to tell, and for the factor 0.
#[must_use]
pub fn silent(reached: &[NaiveDate], today: NaiveDate, factor: i64) -> Option<Silence> {
    let mut gaps: Vec<i64> = reached.windows(2).map(|pair| days_between(pair[0], pair[1])).collect();
    gaps.sort_unstable();
    if gaps.len() < LEAST_GAPS || factor == 0 {
        return None;
    }
    let (usual_days, longest) = (gaps[gaps.len() / 2], gaps[gaps.len() - 1]);
    let since = *reached.last()?;
    let days = days_between(since, today);
    (days > usual_days.saturating_mul(factor).max(longest)).then_some(Silence { since, days, usual_days })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Days;
    use proptest::prelude::*;

    fn day(number: u64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + Days::new(number)
    }

    #[test]
    fn a_daily_rule_is_silent_after_the_fifth_day_without_anybody() {
        let days: Vec<NaiveDate> = (0..10).map(day).collect();
        assert_eq!(silent(&days, day(13), 4), None);
        assert_eq!(silent(&days, day(14), 4), Some(Silence { since: day(9), days: 5, usual_days: 1 }));
        assert_eq!(silent(&days, day(14), 0), None, "switched off");
        assert_eq!(silent(&days[..4], day(99), 4), None, "three gaps say nothing");
    }

    #[test]
    fn a_rule_that_was_silent_for_as_long_before_is_not_silent() {
        let days: Vec<NaiveDate> = [0, 1, 2, 3, 20, 21].map(day).into();
        assert_eq!(silent(&days, day(38), 4), None);
        assert!(silent(&days, day(39), 4).is_some());
    }

    proptest! {
        #[test]
        fn silence_begins_once_and_lasts_until_somebody_is_reached(gaps in prop::collection::vec(1u64..40, 0..40), factor in 1i64..10, wait in 0u64..400) {
            let mut reached = vec![day(0)];
            for gap in &gaps {
                reached.push(*reached.last().unwrap() + Days::new(*gap));
            }
            let last = *reached.last().unwrap();
            prop_assert_eq!(silent(&reached, last, factor), None, "not on a day on which it reached somebody");
            let today = last + Days::new(wait);
            match silent(&reached, today, factor) {
                None => prop_assert!(gaps.len() < 4 || wait <= gaps.iter().copied().max().unwrap().max(factor.unsigned_abs() * 39)),
                Some(found) => {
                    prop_assert_eq!((found.since, found.days), (last, i64::try_from(wait).unwrap()));
                    prop_assert!(gaps.iter().all(|gap| *gap < wait) && found.days > factor * found.usual_days);
                    // Half of the gaps at least are no longer than what is called usual, and half no shorter.
                    let usual = u64::try_from(found.usual_days).unwrap();
                    prop_assert!(gaps.iter().filter(|gap| **gap <= usual).count() * 2 >= gaps.len());
                    prop_assert!(gaps.iter().filter(|gap| **gap >= usual).count() * 2 >= gaps.len());
                    prop_assert!(silent(&reached, today + Days::new(1), factor).is_some());
                }
            }
        }
    }
}
