//! Crontab lines as Unix means them, in any time zone: the `cron` crate on wall time, mapped to moments by ourselves.
//!
//! Two kinds of job differ when the clock is changed (cron(8) of Debian makes the same difference):
//!
//! * a *fixed* job (no `*` in minute and hour, `30 2 * * *`) means an appointment: if the clock is set forward over it, it runs once right
//!   after the gap; if the hour comes twice, it runs on the first pass only;
//! * an *interval* job (`*/15 * * * *`) means a rhythm: it runs at every moment whose wall-clock time matches, on both passes.
//!
//! The `cron` crate itself never sees a zone: it loses runs in the gap and returns times in the past in the fold.

mod field;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Duration, NaiveDateTime};
use cron::Schedule;

use self::field::{FIELDS, Values};
use crate::base::time::{UnixMs, WallTime, Zone};

/// 2101-01-01T00:00:00Z: the `cron` crate knows no run later than 2100.
const END: UnixMs = UnixMs(4_133_980_800_000);

/// Why a text is no crontab line: names the field and what is expected.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{line}' is not a crontab line: {problem}")]
pub struct CrontabFault {
    /// The text.
    pub line: String,
    /// What is wrong with it.
    pub problem: String,
}

/// A crontab line that will run.
#[derive(Clone, Debug)]
pub struct Crontab {
    line: String,
    /// On wall time dressed as UTC. Two when both day fields are restricted: a day that matches either is meant.
    schedules: Vec<Schedule>,
    /// An appointment rather than a rhythm.
    fixed: bool,
}

impl Crontab {
    /// Reads `minute hour day-of-month month day-of-week`: numbers, names of months and weekdays, ranges, lists, `*`, steps on `*` or a range;
    /// 0 and 7 are Sunday; when neither day field contains `*`, a day that matches one of them is enough. Or one of `@hourly @daily @midnight
    /// @weekly @monthly @yearly @annually`.
    ///
    /// # Errors
    /// [`CrontabFault`] for everything else, and for a line that would never run (30 February).
    pub fn parse(line: &str) -> Result<Self, CrontabFault> {
        let line = line.trim();
        let fault = |problem: String| CrontabFault { line: line.to_owned(), problem };
        let expanded = match line {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            _ if line.starts_with('@') => {
                let known = "@hourly, @daily, @midnight, @weekly, @monthly, @yearly or @annually";
                return Err(fault(format!("the word is unknown: expected {known}")));
            }
            _ => line,
        };
        let texts: Vec<&str> = expanded.split_ascii_whitespace().collect();
        let &[minute, hour, day, month, weekday] = texts.as_slice() else {
            let found = texts.len();
            let fields = "five fields: minute, hour, day of month, month, day of week (no seconds, no year)";
            return Err(fault(format!("it has {found} field{}: expected {fields}", if found == 1 { "" } else { "s" })));
        };
        let mut values = [Values::default(); 5];
        for ((field, text), value) in FIELDS.iter().zip(&texts).zip(&mut values) {
            *value = field.parse(text).map_err(fault)?;
        }
        let [minutes, hours, days, months, weekdays] = values;
        // The crate counts Sunday as 1 and joins the two day fields with AND.
        let schedule = |days: &str, weekdays: &str| {
            Schedule::from_str(&format!("0 {} {} {days} {} {weekdays}", minutes.list(0), hours.list(0), months.list(0)))
                .map_err(|error| fault(format!("the cron crate refuses it: {error}")))
        };
        let schedules = if day.contains('*') || weekday.contains('*') {
            vec![schedule(&days.list(0), &weekdays.list(1))?]
        } else {
            vec![schedule(&days.list(0), "*")?, schedule("*", &weekdays.list(1))?]
        };
        let crontab = Self { line: line.to_owned(), schedules, fixed: !minute.contains('*') && !hour.contains('*') };
        if crontab.next_wall(DateTime::UNIX_EPOCH.naive_utc()).is_none() {
            let never = FIELDS[2].fault(day, &format!("never comes in month '{month}'"), "a day that at least one of the months has");
            return Err(fault(never));
        }
        Ok(crontab)
    }

    /// The first run after `after`; `None` when there is none until the year 2100.
    #[must_use]
    pub fn next_after(&self, after: UnixMs, zone: Zone) -> Option<UnixMs> {
        if after >= END {
            return None;
        }
        let mut wall = zone.wall(after);
        if let (false, WallTime::Twice(first, second)) = (self.fixed, zone.resolve(wall))
            && first == after
        {
            // The clock will be set back over times that lie behind us: they come again.
            wall -= Duration::milliseconds(second.since(first));
        }
        // Later wall-clock times begin later, so the first one that is not over ends the search; only a second pass may come before it.
        let mut second_pass: Option<UnixMs> = None;
        while let Some(next) = self.next_wall(wall) {
            wall = next;
            match zone.resolve(wall) {
                WallTime::Once(at) | WallTime::Twice(at, _) if at > after => return Some(second_pass.map_or(at, |again| again.min(at))),
                WallTime::Never(at) if self.fixed && at > after => return Some(at),
                WallTime::Twice(_, again) if !self.fixed && again > after => second_pass = Some(second_pass.map_or(again, |found| found.min(again))),
                _ => {}
            }
        }
        second_pass
    }

    /// The newest run in (`not_before`, `now`]: the one that was missed, if any.
    #[must_use]
    pub fn latest_at_or_before(&self, now: UnixMs, zone: Zone, not_before: UnixMs) -> Option<UnixMs> {
        let within = |after| self.next_after(after, zone).filter(|&at| at <= now);
        let mut latest = within(not_before)?;
        // Halves the time in which a newer one may lie: some forty steps, however many runs there were.
        let mut none_after = now;
        while latest < none_after {
            let middle = UnixMs(i64::midpoint(latest.0, none_after.0));
            match within(middle) {
                Some(newer) => latest = newer,
                None => none_after = middle,
            }
        }
        Some(latest)
    }

    /// The runs in (`from`, `to`], oldest first, `max` at most.
    #[must_use]
    pub fn between(&self, from: UnixMs, to: UnixMs, zone: Zone, max: usize) -> Vec<UnixMs> {
        std::iter::successors(self.next_after(from, zone), |&at| self.next_after(at, zone)).take_while(|&at| at <= to).take(max).collect()
    }

    /// What is special about the run at `at` because the clock is changed around it, for people.
    #[must_use]
    pub fn remark(&self, at: UnixMs, zone: Zone) -> Option<String> {
        let wall = zone.wall(at);
        let twice = matches!(zone.resolve(wall), WallTime::Twice(..));
        if twice {
            let (time, date) = (wall.format("%H:%M"), wall.date());
            return Some(if self.fixed {
                format!("{time} comes twice on {date}, runs the first time only")
            } else {
                format!("{time} comes twice on {date}, runs both times")
            });
        }
        let millisecond = Duration::milliseconds(1);
        let gap_begin = zone.wall(at.plus(-1)) + millisecond;
        let missing = self.next_wall(gap_begin - millisecond).filter(|&missing| self.fixed && missing < wall)?;
        let time = wall.format(if missing.date() == wall.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" });
        Some(format!("{} does not exist on {}, runs {time}", missing.format("%H:%M"), missing.date()))
    }

    /// The first wall-clock time after `wall` that matches.
    fn next_wall(&self, wall: NaiveDateTime) -> Option<NaiveDateTime> {
        self.schedules.iter().filter_map(|schedule| schedule.after(&wall.and_utc()).next()).min().map(|next| next.naive_utc())
    }
}

impl fmt::Display for Crontab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}
