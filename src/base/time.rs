//! Moments in UTC milliseconds, calendar days in the shop's time zone, and the daylight-saving rules between the two.

use std::fmt;

use chrono::{DateTime, Datelike, Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeZone, Utc};

/// Milliseconds of one day of 24 hours.
pub const DAY_MS: i64 = 86_400_000;
/// Milliseconds of one hour.
pub const HOUR_MS: i64 = 3_600_000;

/// A moment: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// The moment `ms` milliseconds later (earlier when negative); saturates at the ends of time.
    #[must_use]
    pub fn plus(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment as chrono's UTC type; moments outside chrono's years become the epoch.
    #[must_use]
    pub fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }
}

impl fmt::Display for UnixMs {
    /// RFC 3339 in UTC, e.g. `2026-03-29T01:00:00Z`; milliseconds only when there are some.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.utc().to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl From<DateTime<Utc>> for UnixMs {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_millis())
    }
}

impl serde::Serialize for UnixMs {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Why a text is no moment.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is not a time: expected e.g. 2026-07-01, 2026-07-01T09:00 (shop's time zone) or 2026-07-01T07:00:00Z")]
pub struct BadTime(pub String);

/// An IANA time zone, such as `Europe/Berlin`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Zone(pub chrono_tz::Tz);

/// What a wall-clock time means on the time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WallTime {
    /// It happens once.
    Once(UnixMs),
    /// It happens twice: the clock was set back (first pass, second pass).
    Twice(UnixMs, UnixMs),
    /// It never happens: the clock was set forward over it; the moment right after the gap.
    Never(UnixMs),
}

impl WallTime {
    /// The moment a single appointment takes place: the first pass of two, the end of the gap for none.
    #[must_use]
    pub fn first(self) -> UnixMs {
        match self {
            Self::Once(at) | Self::Twice(at, _) | Self::Never(at) => at,
        }
    }
}

impl Zone {
    /// Finds a zone by its IANA name.
    ///
    /// # Errors
    /// A sentence when no zone has that name.
    pub fn parse(name: &str) -> Result<Self, String> {
        name.parse().map(Self).map_err(|_| format!("'{name}' is not a time zone: expected an IANA name such as Europe/Berlin"))
    }

    /// The calendar day in this zone at `at`.
    #[must_use]
    pub fn date(self, at: UnixMs) -> NaiveDate {
        self.wall(at).date()
    }

    /// The wall clock in this zone at `at`.
    #[must_use]
    pub fn wall(self, at: UnixMs) -> NaiveDateTime {
        at.utc().with_timezone(&self.0).naive_local()
    }

    /// When the wall clock of this zone shows `wall`.
    #[must_use]
    pub fn resolve(self, wall: NaiveDateTime) -> WallTime {
        match self.0.from_local_datetime(&wall) {
            LocalResult::Single(at) => WallTime::Once(at.with_timezone(&Utc).into()),
            LocalResult::Ambiguous(a, b) => {
                let (a, b) = (a.with_timezone(&Utc).into(), b.with_timezone(&Utc).into());
                if a <= b { WallTime::Twice(a, b) } else { WallTime::Twice(b, a) }
            }
            LocalResult::None => WallTime::Never(self.after_gap(wall)),
        }
    }

    /// The first moment after the gap that swallows `wall`. Gaps are at most a day (a zone that changed sides of the date line).
    fn after_gap(self, wall: NaiveDateTime) -> UnixMs {
        let exists = |minutes: i64| {
            let later = wall + Duration::minutes(minutes);
            match self.0.from_local_datetime(&later) {
                LocalResult::None => None,
                LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => Some(UnixMs::from(at.with_timezone(&Utc))),
            }
        };
        // Whole seconds decide nothing here: gaps begin and end on whole minutes in every zone since 1972.
        let (mut gone, mut there) = (0, 24 * 60 + 1);
        while there - gone > 1 {
            let middle = i64::midpoint(gone, there);
            if exists(middle).is_some() { there = middle } else { gone = middle }
        }
        let seconds = i64::from(chrono::Timelike::second(&wall));
        exists(there).map_or(UnixMs(0), |at| at.plus(-seconds * 1000))
    }

    /// The first moment of a calendar day in this zone.
    #[must_use]
    pub fn start_of(self, date: NaiveDate) -> UnixMs {
        self.resolve(date.and_time(NaiveTime::MIN)).first()
    }

    /// Reads a date (its first moment), a wall-clock time of this zone, or a time with offset.
    ///
    /// # Errors
    /// [`BadTime`] with the accepted forms.
    pub fn parse_time(self, text: &str) -> Result<UnixMs, BadTime> {
        let text = text.trim();
        // Seconds may be left out with an offset as they may without one.
        let offset = text.strip_suffix(['Z', 'z']).map_or_else(|| text.to_owned(), |wall| format!("{wall}+00:00"));
        let short = || ["%Y-%m-%dT%H:%M%:z", "%Y-%m-%d %H:%M%:z"].iter().find_map(|form| DateTime::parse_from_str(&offset, form).ok());
        if let Some(at) = DateTime::parse_from_rfc3339(text).ok().or_else(short) {
            return Ok(at.with_timezone(&Utc).into());
        }
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(self.start_of(date));
        }
        ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .map(|wall| self.resolve(wall).first())
            .ok_or_else(|| BadTime(text.to_owned()))
    }

    /// RFC 3339 with this zone's offset, e.g. `2026-03-29T03:00:00+02:00`.
    #[must_use]
    pub fn format(self, at: UnixMs) -> String {
        at.utc().with_timezone(&self.0).to_rfc3339_opts(SecondsFormat::AutoSi, true)
    }
}

/// Calendar days from `from` to `to` (negative when `to` is earlier).
#[must_use]
pub fn days_between(from: NaiveDate, to: NaiveDate) -> i64 {
    to.signed_duration_since(from).num_days()
}

/// The day on which `of` (a birthday, a first order) is marked in `year`; 29 February is marked on 1 March in a common year.
#[must_use]
pub fn anniversary(of: NaiveDate, year: i32) -> NaiveDate {
    of.with_year(year).or_else(|| NaiveDate::from_ymd_opt(year, 3, 1)).unwrap_or(of)
}

/// Days from `today` to the next return of `of`'s month and day; 0 = today.
#[must_use]
pub fn days_until_anniversary(of: NaiveDate, today: NaiveDate) -> i64 {
    let this_year = anniversary(of, today.year());
    let next = if this_year < today { anniversary(of, today.year() + 1) } else { this_year };
    days_between(today, next)
}

/// How often `of`'s month and day have come round, `today` included.
#[must_use]
pub fn years_since(of: NaiveDate, today: NaiveDate) -> i64 {
    let passed = anniversary(of, today.year()) <= today;
    i64::from(today.year() - of.year()) - i64::from(!passed)
}

/// Whether `of`'s month and day are marked in the calendar week (Monday to Sunday) of `today`, which may belong to two years.
#[must_use]
pub fn is_marked_in_week_of(of: NaiveDate, today: NaiveDate) -> bool {
    let week = today.week(chrono::Weekday::Mon);
    let days = week.first_day()..=week.last_day();
    [days.start(), days.end()].iter().any(|day| days.contains(&anniversary(of, day.year())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> Zone {
        Zone::parse("Europe/Berlin").unwrap()
    }

    #[test]
    fn a_wall_time_in_the_spring_gap_means_the_moment_after_it() {
        let wall = NaiveDate::from_ymd_opt(2026, 3, 29).unwrap().and_hms_opt(2, 30, 15).unwrap();
        let WallTime::Never(at) = berlin().resolve(wall) else { panic!("02:30 does not exist that day") };
        assert_eq!(at.to_string(), "2026-03-29T01:00:00Z");
    }

    #[test]
    fn a_wall_time_in_the_autumn_fold_happens_twice() {
        let wall = NaiveDate::from_ymd_opt(2026, 10, 25).unwrap().and_hms_opt(2, 30, 0).unwrap();
        let WallTime::Twice(first, second) = berlin().resolve(wall) else { panic!("02:30 happens twice that day") };
        assert_eq!(second.since(first), HOUR_MS);
    }

    #[test]
    fn times_are_read_as_dates_wall_times_or_with_an_offset() {
        for text in [
            "1998-07-01T09:00",
            "1998-07-01 09:00:00",
            "1998-07-01T07:00:00Z",
            "1998-07-01T09:00:00+02:00",
            "1998-07-01T09:00+02:00",
            "1998-07-01 07:00Z",
        ] {
            assert_eq!(berlin().parse_time(text).unwrap().to_string(), "1998-07-01T07:00:00Z", "{text}");
        }
        assert_eq!(berlin().parse_time("1998-07-01").unwrap().to_string(), "1998-06-30T22:00:00Z");
        assert!(berlin().parse_time("next week").unwrap_err().to_string().contains("expected e.g. 2026-07-01"));
    }

    #[test]
    fn a_leap_day_birthday_is_marked_on_the_first_of_march_in_common_years() {
        let born = NaiveDate::from_ymd_opt(1996, 2, 29).unwrap();
        let today = NaiveDate::from_ymd_opt(2026, 2, 27).unwrap();
        assert_eq!(days_until_anniversary(born, today), 2);
        assert_eq!(days_until_anniversary(born, NaiveDate::from_ymd_opt(2028, 2, 29).unwrap()), 0);
        assert_eq!(days_until_anniversary(born, NaiveDate::from_ymd_opt(2026, 3, 2).unwrap()), 364);
    }
}
