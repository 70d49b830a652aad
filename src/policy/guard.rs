//! The brake against a mass mis-send: what still fits into an hour, a day and a budget, and what size of a run is usual. Pure.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate, Timelike};

use crate::base::time::{HOUR_MS, UnixMs, Zone};
use crate::model::hold::{Barrier, Guard};

/// Days that say what is usual.
const NORM_DAYS: u64 = 28;
/// Fewer days on which a rule wrote say nothing about what is usual.
pub const LEAST_DAYS: usize = 4;

/// An hour or a day of the shop's calendar on the time line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its first moment.
    pub from: UnixMs,
    /// The first moment after it.
    pub until: UnixMs,
}

impl Window {
    /// The calendar day that `at` falls into; 23 or 25 hours when the clocks change.
    #[must_use]
    pub fn day(zone: Zone, at: UnixMs) -> Self {
        let date = zone.date(at);
        let next = date.succ_opt().map_or(UnixMs(i64::MAX), |next| zone.start_of(next));
        Self { from: zone.start_of(date), until: next }
    }

    /// The hour that `at` falls into: from when the wall clock shows it full, for one hour of real time. An hour that the wall clock shows twice in autumn is
    /// two hours.
    #[must_use]
    pub fn hour(zone: Zone, at: UnixMs) -> Self {
        let wall = zone.wall(at);
        let seconds = i64::from(wall.minute() * 60 + wall.second());
        let from = at.plus(-(seconds * 1_000 + at.0.rem_euclid(1_000)));
        let day = Self::day(zone, at);
        Self { from: from.max(day.from), until: from.plus(HOUR_MS).min(day.until) }
    }

    /// Whether `at` falls into it.
    #[must_use]
    pub fn contains(&self, at: UnixMs) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// A limit and what has been counted against it: messages, or cents of vouchers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Gauge {
    guard: Guard,
    most: i64,
    counted: i64,
}

impl Gauge {
    /// What so many messages with vouchers of so many cents add.
    fn adds(&self, messages: i64, voucher_cents: i64) -> i64 {
        if matches!(self.guard, Guard::RuleVouchers | Guard::ShopVouchers) { voucher_cents.max(0) } else { messages }
    }
}

/// The limits that a run has to keep, each with what has been counted so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    gauges: Vec<Gauge>,
}

/// Where a run stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// So many messages still fit.
    pub after: usize,
    /// What the next one would pass.
    pub guard: Guard,
    /// Its limit.
    pub most: i64,
    /// The next message alone is more than the limit: waiting for another day does not help.
    pub never_fits: bool,
}

impl Meter {
    /// Adds a limit. Where a message would pass several, the one that was added first names the reason.
    pub fn add(&mut self, guard: Guard, most: i64, counted: i64) {
        self.gauges.push(Gauge { guard, most, counted });
    }

    /// Where a run stops that wants to write messages with vouchers of these cents, in this order; `None` when all fit.
    #[must_use]
    pub fn stop(&self, voucher_cents: impl IntoIterator<Item = i64>) -> Option<Stop> {
        let mut gauges = self.gauges.clone();
        voucher_cents.into_iter().enumerate().find_map(|(after, cents)| {
            gauges.iter_mut().find_map(|gauge| {
                let adds = gauge.adds(1, cents);
                gauge.counted = gauge.counted.saturating_add(adds);
                let passed = adds > 0 && gauge.counted > gauge.most;
                passed.then_some(Stop { after, guard: gauge.guard, most: gauge.most, never_fits: adds > gauge.most })
            })
        })
    }

    /// Counts what was written.
    pub fn count(&mut self, messages: i64, voucher_cents: i64) {
        for gauge in &mut self.gauges {
            gauge.counted = gauge.counted.saturating_add(gauge.adds(messages, voucher_cents));
        }
    }
}

/// When the size of a run is asked about; 0 switches a part off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeLimits {
    /// Times the norm.
    pub factor: i64,
    /// Percent of all customers.
    pub percent: i64,
    /// Up to so many messages nobody is asked.
    pub from: i64,
}

/// The size that a run may have without a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usual {
    /// The guard that is passed first, with its figures.
    pub barrier: Barrier,
    /// Messages that the run may write.
    pub room: i64,
}

/// What is usual for a rule that wrote `before` messages on each of the days on which it wrote anything (of the last 28 days, today not among them), and
/// `today` messages in other runs today; `None` when nothing is to be asked. The norm is the mean of `before`. Days, not runs, are compared: a rule
/// that looks every hour and writes to the birthdays of the day in the first run after midnight would otherwise be held each night.
#[must_use]
pub fn usual(limits: SizeLimits, before: &[i64], today: i64, customers: i64) -> Option<Usual> {
    let days = i64::try_from(before.len()).unwrap_or(i64::MAX).max(1);
    let total = before.iter().fold(0_i64, |sum, messages| sum.saturating_add(*messages));
    let norm = total / days + i64::from(total % days > 0);
    let by_norm = (limits.factor > 0 && before.len() >= LEAST_DAYS).then(|| Barrier {
        guard: Guard::Norm,
        most: (limits.factor.saturating_mul(total) / days).max(limits.from),
        norm: Some(norm),
        today,
        customers,
    });
    let by_percent = (limits.percent > 0).then(|| Barrier {
        guard: Guard::Percent,
        most: (customers.saturating_mul(limits.percent) / 100).max(limits.from),
        norm: None,
        today,
        customers,
    });
    let barrier = by_norm.into_iter().chain(by_percent).min_by_key(|barrier| barrier.most)?;
    Some(Usual { barrier, room: barrier.most.saturating_sub(today).max(0) })
}

/// The first of the days that say what is usual on `today`.
#[must_use]
pub fn first_day(today: NaiveDate) -> NaiveDate {
    today.checked_sub_days(Days::new(NORM_DAYS)).unwrap_or(NaiveDate::MIN)
}

/// Adds up messages by day: `before` and `today` as [`usual`] takes them, from runs (their day, their messages, whether a person let them pass in spite of
/// their size: then they do not count for the rest of their day).
#[must_use]
pub fn days(runs: impl IntoIterator<Item = (NaiveDate, i64, bool)>, today: NaiveDate) -> (Vec<i64>, i64) {
    let mut by_day: BTreeMap<NaiveDate, i64> = BTreeMap::new();
    let mut written_today = 0_i64;
    let first = first_day(today);
    for (day, messages, let_pass) in runs {
        if day == today && !let_pass {
            written_today = written_today.saturating_add(messages);
        } else if (first..today).contains(&day) && messages > 0 {
            let sum = by_day.entry(day).or_default();
            *sum = sum.saturating_add(messages);
        }
    }
    (by_day.into_values().collect(), written_today)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: SizeLimits = SizeLimits { factor: 3, percent: 50, from: 100 };

    fn zone() -> Zone {
        Zone::parse("Europe/Berlin").unwrap()
    }

    fn local(window: Window) -> String {
        format!("{} {}", zone().format(window.from), zone().format(window.until))
    }

    #[test]
    fn hours_and_days_are_those_of_the_shops_clock() {
        let at = |text: &str| zone().parse_time(text).unwrap();
        assert_eq!(local(Window::hour(zone(), at("2026-07-01T09:59:59.999"))), "2026-07-01T09:00:00+02:00 2026-07-01T10:00:00+02:00");
        assert_eq!(local(Window::day(zone(), at("2026-03-29T12:00"))), "2026-03-29T00:00:00+01:00 2026-03-30T00:00:00+02:00");
        // The hour from two to three comes twice, and is two hours.
        let first = at("2026-10-25T02:30");
        assert_eq!(local(Window::hour(zone(), first)), "2026-10-25T02:00:00+02:00 2026-10-25T02:00:00+01:00");
        assert_eq!(local(Window::hour(zone(), first.plus(HOUR_MS))), "2026-10-25T02:00:00+01:00 2026-10-25T03:00:00+01:00");
        let day = Window::day(zone(), first);
        assert_eq!(day.until.since(day.from), 25 * HOUR_MS);
    }

    #[test]
    fn a_run_that_is_larger_than_three_usual_days_or_half_of_all_customers_is_asked_about() {
        let most = |before: &[i64], today, customers| {
            usual(SIZE, before, today, customers).map(|usual| (usual.barrier.guard, usual.barrier.most, usual.room))
        };
        assert_eq!(most(&[40, 50, 60, 50], 0, 10_000), Some((Guard::Norm, 150, 150)));
        assert_eq!(most(&[40, 50, 60, 50], 120, 10_000), Some((Guard::Norm, 150, 30)), "what it wrote today counts");
        assert_eq!(most(&[40, 50, 60], 0, 10_000), Some((Guard::Percent, 5_000, 5_000)), "three days say nothing");
        assert_eq!(most(&[1, 1, 1, 2], 0, 10_000), Some((Guard::Norm, 100, 100)), "a handful is nothing to ask about");
        assert_eq!(most(&[900, 900, 900, 900], 0, 2_357), Some((Guard::Percent, 1_178, 1_178)));
        assert_eq!(usual(SizeLimits { factor: 0, percent: 0, from: 0 }, &[1; 9], 0, 10), None);
        let found = usual(SIZE, &[40, 41, 40, 40], 0, 10_000).unwrap();
        assert_eq!((found.barrier.norm, found.barrier.most), (Some(41), 120), "told rounded up, reckoned exactly");
    }

    #[test]
    fn what_is_usual_is_told_by_days_and_a_run_that_was_let_pass_does_not_count_for_the_rest_of_its_day() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let runs = [
            ("2026-06-01", 9, false),
            ("2026-06-03", 1, false),
            ("2026-06-03", 2, true),
            ("2026-06-04", 0, false),
            ("2026-07-01", 5, false),
            ("2026-07-01", 800, true),
            ("2026-07-02", 7, false),
        ];
        let found = days(runs.map(|(text, messages, let_pass)| (day(text), messages, let_pass)), day("2026-07-01"));
        assert_eq!(found, (vec![3], 5), "the first lies too far back, another wrote nothing, one is of tomorrow");
    }

    #[test]
    fn a_voucher_dearer_than_the_budget_never_fits() {
        let mut meter = Meter::default();
        meter.add(Guard::RuleVouchers, 500, 500);
        assert_eq!(meter.stop([0, 0, 0]), None, "letters without vouchers cost nothing");
        assert_eq!(meter.stop([0, 1]), Some(Stop { after: 1, guard: Guard::RuleVouchers, most: 500, never_fits: false }));
        assert_eq!(meter.stop([501]).map(|stop| stop.never_fits), Some(true));
    }

    proptest! {
        #[test]
        fn hours_tile_days_and_days_tile_time(ms in 1_500_000_000_000i64..2_000_000_000_000, zone in prop::sample::select(vec!["Europe/Berlin", "America/Havana", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Nuuk"])) {
            let (zone, at) = (Zone::parse(zone).unwrap(), UnixMs(ms));
            let (hour, day) = (Window::hour(zone, at), Window::day(zone, at));
            prop_assert!(hour.contains(at) && day.contains(at), "{hour:?} {day:?}");
            prop_assert!(hour.from >= day.from && hour.until <= day.until);
            prop_assert!(hour.until.since(hour.from) <= HOUR_MS);
            prop_assert_eq!(Window::hour(zone, hour.from).from, hour.from);
            prop_assert_eq!(Window::day(zone, day.until).from, day.until);
            prop_assert!(Window::hour(zone, hour.until).from >= hour.until.plus(-HOUR_MS / 2));
        }

        /// Pages come, some are cut, some belong to a run that a person lets pass, the process dies before or after some commits; hours and days pass.
        #[test]
        fn no_sequence_of_pages_crashes_releases_and_hours_passes_a_limit(
            steps in prop::collection::vec((prop::collection::vec(0i64..900, 0..40), 0u8..6, 0i64..5_000_000), 1..60),
            hourly in 0i64..30, daily in 0i64..60, budget in 0i64..5_000,
        ) {
            let mut now = zone().parse_time("2026-10-24T20:00").unwrap();
            // What is committed: the moment, messages, cents.
            let mut log: Vec<(UnixMs, i64, i64)> = Vec::new();
            let within = |log: &[(UnixMs, i64, i64)], window: Window| {
                log.iter().filter(|(at, ..)| window.contains(*at)).fold((0, 0), |(m, c), (_, messages, cents)| (m + messages, c + cents))
            };
            for (page, fate, pause) in steps {
                now = now.plus(pause);
                let (released, dies_before, dies_after) = (fate == 0, fate == 1, fate == 2);
                let (hour, day) = (Window::hour(zone(), now), Window::day(zone(), now));
                let (in_hour, in_day) = (within(&log, hour), within(&log, day));
                let mut meter = Meter::default();
                if !released {
                    meter.add(Guard::RuleDay, daily, in_day.0);
                    meter.add(Guard::RuleVouchers, budget, in_day.1);
                    meter.add(Guard::RuleHour, hourly, in_hour.0);
                }
                for part in page.chunks(7) {
                    let fits = meter.stop(part.iter().copied()).map_or(part.len(), |stop| stop.after);
                    if dies_before {
                        break;
                    }
                    let (messages, cents) = (i64::try_from(fits).unwrap(), part[..fits].iter().sum());
                    log.push((now, messages, cents));
                    meter.count(messages, cents);
                    let (hour_now, day_now) = (within(&log, hour), within(&log, day));
                    prop_assert!(released || messages == 0 || hour_now.0 <= hourly && day_now.0 <= daily, "{hour_now:?} {day_now:?}");
                    prop_assert!(released || cents == 0 || day_now.1 <= budget, "{day_now:?}");
                    if fits < part.len() {
                        // Nor does it stop too early: one more would pass a limit.
                        prop_assert!(hour_now.0 + 1 > hourly || day_now.0 + 1 > daily || day_now.1 + part[fits] > budget);
                    }
                    if dies_after || fits < part.len() {
                        break;
                    }
                }
            }
        }

        #[test]
        fn a_usual_run_is_never_larger_than_either_guard_allows(before in prop::collection::vec(1i64..5_000, 0..28), today in 0i64..5_000, customers in 0i64..100_000, factor in 0i64..9, percent in 0i64..100, from in 0i64..500) {
            let found = usual(SizeLimits { factor, percent, from }, &before, today, customers);
            prop_assert_eq!(found.is_none(), percent == 0 && (factor == 0 || before.len() < LEAST_DAYS));
            if let Some(Usual { room, .. }) = found.filter(|found| found.room > 0) {
                let all = i128::from(room + today);
                let (total, days) = (before.iter().map(|n| i128::from(*n)).sum::<i128>(), before.len() as i128);
                prop_assert!(all <= i128::from(from) || percent == 0 || all * 100 <= i128::from(customers) * i128::from(percent));
                prop_assert!(all <= i128::from(from) || factor == 0 || before.len() < LEAST_DAYS || all * days <= total * i128::from(factor));
            }
        }
    }
}
