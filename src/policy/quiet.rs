//! Quiet hours: nobody gets an email at night; what falls into them is put off, not dropped.

use chrono::{Days, Timelike};

use crate::base::time::{UnixMs, WallTime};
use crate::model::facts::Moment;
use crate::model::rule::QuietHours;

/// The first moment from `moment` on that is not quiet: the moment itself, or the end of the quiet hours it falls into, in the shop's zone.
/// An end that the clock skips in spring is the moment after the gap.
#[must_use]
pub fn first_loud(quiet: QuietHours, moment: &Moment) -> UnixMs {
    let wall = moment.zone.wall(moment.now);
    let minute = wall.hour() * 60 + wall.minute();
    let QuietHours { from_minute: from, until_minute: until } = quiet;
    let inside = if from <= until { (from..until).contains(&minute) } else { minute >= from || minute < until };
    if !inside {
        return moment.now;
    }
    let day = if minute < until { wall.date() } else { wall.date().checked_add_days(Days::new(1)).unwrap_or(wall.date()) };
    let end = day.and_hms_opt(until / 60, until % 60, 0).map_or(moment.now, |end| match moment.zone.resolve(end) {
        // In the autumn fold the wall clock shows the end twice; in the second pass the first one is over.
        WallTime::Twice(first, second) if first < moment.now => second,
        wall_time => wall_time.first(),
    });
    end.max(moment.now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::Zone;
    use proptest::prelude::*;

    const NIGHT: QuietHours = QuietHours { from_minute: 20 * 60, until_minute: 8 * 60 };

    fn berlin(text: &str) -> Moment {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        Moment { now: zone.parse_time(text).unwrap(), zone }
    }

    #[test]
    fn a_message_at_night_waits_for_the_morning() {
        for (at, loud) in [
            ("2026-07-01T19:59", "2026-07-01T19:59:00+02:00"),
            ("2026-07-01T20:00", "2026-07-02T08:00:00+02:00"),
            ("2026-07-02T07:59", "2026-07-02T08:00:00+02:00"),
            ("2026-07-02T08:00", "2026-07-02T08:00:00+02:00"),
            ("2026-03-28T23:00", "2026-03-29T08:00:00+02:00"),
        ] {
            let moment = berlin(at);
            assert_eq!(moment.zone.format(first_loud(NIGHT, &moment)), loud, "{at}");
        }
    }

    #[test]
    fn hours_within_a_day_and_none_at_all_work_too() {
        let noon = QuietHours { from_minute: 12 * 60, until_minute: 13 * 60 };
        assert_eq!(first_loud(noon, &berlin("2026-07-01T12:30")), berlin("2026-07-01T13:00").now);
        let never = QuietHours { from_minute: 0, until_minute: 0 };
        assert_eq!(first_loud(never, &berlin("2026-07-01T00:00")), berlin("2026-07-01T00:00").now);
    }

    proptest! {
        #[test]
        fn the_moment_found_is_never_quiet_never_earlier_and_within_a_day(ms in 1_700_000_000_000i64..1_900_000_000_000, from in 0u32..1440, until in 0u32..1440, zone in prop::sample::select(vec!["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])) {
            let quiet = QuietHours { from_minute: from, until_minute: until };
            let zone = Zone::parse(zone).unwrap();
            let loud = first_loud(quiet, &Moment { now: UnixMs(ms), zone });
            prop_assert!(loud.0 >= ms && loud.0 - ms <= 26 * 3_600_000);
            let wall = zone.wall(loud);
            let minute = wall.hour() * 60 + wall.minute();
            let inside = if from <= until { (from..until).contains(&minute) } else { minute >= from || minute < until };
            // Right after a spring gap the wall clock may already stand past the end, never before it.
            prop_assert!(!inside, "{wall} is quiet");
        }
    }
}
