//! A confectioner's year: Advent, Easter, summer, and the days on which the branches are closed.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use crate::base::time::days_between;

/// What the time of year does to the shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Season {
    /// 15 November to 23 December.
    Advent,
    /// The three weeks up to Easter Sunday.
    Easter,
    /// July and August: people are away.
    Summer,
    /// 27 December to the end of January: people have had enough.
    AfterChristmas,
    /// Any other day.
    Usual,
}

/// The season of a day.
pub(super) fn season(day: NaiveDate) -> Season {
    let to_easter = days_between(day, easter(day.year()));
    match (day.month(), day.day()) {
        (11, 15..) | (12, ..=23) => Season::Advent,
        (12, 27..) | (1, _) => Season::AfterChristmas,
        (7 | 8, _) => Season::Summer,
        _ if (0..21).contains(&to_easter) => Season::Easter,
        _ => Season::Usual,
    }
}

/// Easter Sunday (the anonymous Gregorian computus of 1876).
pub(super) fn easter(year: i32) -> NaiveDate {
    let golden = year % 19;
    let (century, rest) = (year / 100, year % 100);
    let moon_shift = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - century / 4 - moon_shift + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (rest / 4) - epact - rest % 4) % 7;
    let late = (golden + 11 * epact + 22 * weekday) / 451;
    let days_after_21_march = epact + weekday - 7 * late + 1;
    let march = NaiveDate::from_ymd_opt(year, 3, 21).unwrap_or_default();
    march + Days::new(u64::try_from(days_after_21_march).unwrap_or(0))
}

/// Whether the branches are closed: Mondays, Christmas, New Year. The online shop never is.
pub(super) fn closed(day: NaiveDate) -> bool {
    day.weekday() == Weekday::Mon || matches!((day.month(), day.day()), (12, 25 | 26) | (1, 1))
}

/// The next day from `day` on that the branches are open.
pub(super) fn next_open(day: NaiveDate) -> NaiveDate {
    day.iter_days().find(|day| !closed(*day)).unwrap_or(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn easter_falls_on_the_known_days() {
        for text in ["1981-04-19", "2000-04-23", "2024-03-31", "2025-04-20", "2026-04-05", "2027-03-28", "2038-04-25", "2076-04-19"] {
            assert_eq!(easter(day(text).year()), day(text));
        }
    }

    #[test]
    fn the_branches_are_closed_on_mondays_and_high_holidays() {
        assert!(closed(day("2026-11-16")) && closed(day("2026-12-25")) && !closed(day("2026-11-17")));
        // Christmas 2025 was a Thursday and a Friday.
        assert_eq!(next_open(day("2025-12-25")), day("2025-12-27"));
    }
}
