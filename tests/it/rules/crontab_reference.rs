//! Crontab runs against a reference that walks the wall clock minute by minute through clock changes of many zones.

use std::sync::OnceLock;

use chrono::{Datelike, NaiveDateTime, Timelike};
use proptest::prelude::*;
use stammgast::base::time::{HOUR_MS, UnixMs, Zone};
use stammgast::rules::crontab::Crontab;

const MINUTE_MS: i64 = 60_000;
const WINDOW_MINUTES: i64 = 50 * 60;
const CASES: u32 = 16_000;

/// Zones with everything that is awkward: half-hour and 45-minute offsets, a half-hour summer time, changes at midnight, Ramadan, a lost day.
const ZONES: [&str; 16] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Havana",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Asia/Gaza",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Antarctica/Casey",
];

/// Two days of minutes around a clock change, with the wall clock at each.
struct Window {
    zone: Zone,
    begin: UnixMs,
    walls: Vec<NaiveDateTime>,
}

impl Window {
    fn around(zone: Zone, change: UnixMs) -> Self {
        let begin = UnixMs(change.0 - change.0.rem_euclid(MINUTE_MS) - 22 * HOUR_MS);
        let walls = (0..WINDOW_MINUTES).map(|minute| zone.wall(begin.plus(minute * MINUTE_MS))).collect();
        Self { zone, begin, walls }
    }

    fn end(&self) -> UnixMs {
        self.begin.plus((WINDOW_MINUTES - 1) * MINUTE_MS)
    }
}

fn offset_ms(zone: Zone, at: UnixMs) -> i64 {
    UnixMs::from(zone.wall(at).and_utc()).since(at)
}

/// The moment in (`from`, `to`] from which on another offset holds.
fn change(zone: Zone, mut from: UnixMs, mut to: UnixMs) -> UnixMs {
    while to.since(from) > 1 {
        let middle = UnixMs(i64::midpoint(from.0, to.0));
        if offset_ms(zone, middle) == offset_ms(zone, from) { from = middle } else { to = middle }
    }
    to
}

/// Up to twelve windows per zone: around clock changes spread over the years, and an ordinary turn of the year.
fn windows() -> &'static [Window] {
    static WINDOWS: OnceLock<Vec<Window>> = OnceLock::new();
    WINDOWS.get_or_init(|| {
        let mut windows = Vec::new();
        for name in ZONES {
            let zone = Zone::parse(name).unwrap();
            let start = zone.parse_time("1990-01-05").unwrap();
            let weeks = (0..45 * 52).map(|week| start.plus(week * 7 * 24 * HOUR_MS));
            let changes: Vec<UnixMs> = weeks
                .map(|from| (from, from.plus(7 * 24 * HOUR_MS)))
                .filter(|&(from, to)| offset_ms(zone, from) != offset_ms(zone, to))
                .map(|(from, to)| change(zone, from, to))
                .collect();
            let spread = changes.len().div_ceil(10).max(1);
            // The changes of 1993 (Kwajalein) and 2011 (Apia), which lost a whole day, must be among them.
            let lost_day = |at: &UnixMs| (offset_ms(zone, *at) - offset_ms(zone, at.plus(-1))).abs() > 20 * HOUR_MS;
            let chosen = changes.iter().enumerate().filter(|(place, at)| place % spread == place / spread % spread || lost_day(at));
            windows.extend(chosen.map(|(_, at)| Window::around(zone, *at)));
            windows.push(Window::around(zone, zone.parse_time("2026-12-31").unwrap()));
        }
        windows
    })
}

/// Small numbers as bits.
#[derive(Clone, Copy, Debug)]
struct Set(u64);

impl Set {
    fn contains(self, value: u32) -> bool {
        self.0 >> value & 1 == 1
    }
}

impl FromIterator<u32> for Set {
    fn from_iter<I: IntoIterator<Item = u32>>(values: I) -> Self {
        Self(values.into_iter().fold(0, |bits, value| bits | 1 << value))
    }
}

/// One entry of a field: text and the values it means, written down independently of the parser.
#[derive(Clone, Debug)]
struct Part {
    text: String,
    values: Set,
}

fn part(low: u32, high: u32, star: u32, single: u32) -> BoxedStrategy<Part> {
    let star_end = if high == 7 { 6 } else { high };
    let fold = move |value: u32| if high == 7 { value % 7 } else { value };
    let list = proptest::collection::vec(low..=high, 1..4).prop_map(move |values| Part {
        text: values.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        values: values.into_iter().map(fold).collect(),
    });
    let range = (low..=high, low..=high, prop_oneof![3 => Just(1), 1 => 2..=high.min(20)]).prop_map(move |(a, b, step)| {
        let (from, until) = (a.min(b), a.max(b));
        let text = if step == 1 { format!("{from}-{until}") } else { format!("{from}-{until}/{step}") };
        Part { text, values: (from..=until).filter(|value| (value - from).is_multiple_of(step)).map(fold).collect() }
    });
    let every = (2..=high.min(20)).prop_map(move |step| Part {
        text: format!("*/{step}"),
        values: (low..=star_end).filter(|value| (value - low).is_multiple_of(step)).collect(),
    });
    prop_oneof![
        star => Just(Part { text: "*".to_owned(), values: (low..=star_end).collect() }),
        single => list,
        2 => range,
        1 => every,
    ]
    .boxed()
}

/// A line as the reference understands it.
#[derive(Clone, Debug)]
struct Line {
    parts: [Part; 5],
}

impl Line {
    fn text(&self) -> String {
        self.parts.each_ref().map(|part| part.text.as_str()).join(" ")
    }

    fn is_fixed(&self) -> bool {
        !self.parts[0].text.contains('*') && !self.parts[1].text.contains('*')
    }

    fn matches(&self, wall: NaiveDateTime) -> bool {
        let [minute, hour, day, month, weekday] = &self.parts;
        if !minute.values.contains(wall.minute()) || !hour.values.contains(wall.hour()) {
            return false;
        }
        let day_fits = day.values.contains(wall.day());
        let weekday_fits = weekday.values.contains(wall.weekday().num_days_from_sunday());
        let either = !day.text.contains('*') && !weekday.text.contains('*');
        month.values.contains(wall.month()) && if either { day_fits || weekday_fits } else { day_fits && weekday_fits }
    }

    /// The runs in a window after its first four hours. An appointment runs when the clock first reaches or passes it.
    fn runs(&self, window: &Window) -> Vec<UnixMs> {
        let mut runs = Vec::new();
        let mut reached = window.walls[0];
        for (&wall, minute) in window.walls.iter().zip(0..).skip(1) {
            let runs_now = if self.is_fixed() {
                let first = reached;
                reached = reached.max(wall);
                let passed = (wall - first).num_minutes();
                (1..=passed).any(|minutes| self.matches(first + chrono::Duration::minutes(minutes)))
            } else {
                self.matches(wall)
            };
            if runs_now {
                runs.push(window.begin.plus(minute * MINUTE_MS));
            }
        }
        runs.retain(|at| at.since(window.begin) > 4 * HOUR_MS);
        runs
    }
}

fn line() -> impl Strategy<Value = Line> {
    // Mostly lines that run within two days, with hours around the usual changes often enough.
    let hour = prop_oneof![
        2 => part(0, 23, 3, 2),
        3 => part(0, 3, 0, 3).prop_filter("without *", |part| !part.text.contains('*')),
    ];
    (part(0, 59, 1, 6), hour, part(1, 31, 12, 1), part(1, 12, 24, 1), part(0, 7, 12, 1)).prop_map(|(a, b, c, d, e)| Line { parts: [a, b, c, d, e] })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_run_is_one_of_a_clock_walked_minute_by_minute(line in line(), place in any::<prop::sample::Index>(), start_minute in 0..46i64 * 60, extra_ms in 0..MINUTE_MS) {
        let window = &windows()[place.index(windows().len())];
        let Ok(crontab) = Crontab::parse(&line.text()) else {
            // 30 February: the reference must agree that it never comes.
            let never = (0..28 * 366).all(|day| !line.parts[3].values.contains(day_of(day).month()) || !line.parts[2].values.contains(day_of(day).day()));
            prop_assert!(never, "'{}' was refused", line.text());
            return Ok(());
        };
        let from = window.begin.plus(4 * HOUR_MS + start_minute * MINUTE_MS + extra_ms);
        let expected: Vec<UnixMs> = line.runs(window).into_iter().filter(|&at| at > from).collect();
        // The whole window for sparse lines; for dense ones sixty runs from wherever we start.
        let found = crontab.between(from, window.end(), window.zone, 60);
        let shown = |runs: &[UnixMs]| runs.iter().take(60).map(|&at| window.zone.format(at)).collect::<Vec<_>>();
        prop_assert_eq!(shown(&found), shown(&expected), "'{}' after {}", line.text(), window.zone.format(from));
        let latest = crontab.latest_at_or_before(window.end(), window.zone, from);
        prop_assert_eq!(latest, expected.last().copied(), "latest of '{}'", line.text());
    }
}

fn day_of(number: i64) -> NaiveDateTime {
    UnixMs(0).plus(number * 24 * HOUR_MS).utc().naive_utc()
}

#[test]
fn the_windows_hold_gaps_folds_and_a_lost_day() {
    let jump = |window: &Window| window.walls.windows(2).map(|pair| (pair[1] - pair[0]).num_minutes()).find(|&minutes| minutes != 1).unwrap_or(1);
    let jumps: Vec<i64> = windows().iter().map(jump).collect();
    assert!(windows().len() > 100, "{}", windows().len());
    for expected in [61, -59, 31, -29, 24 * 60 + 1] {
        assert!(jumps.contains(&expected), "no jump by {expected} minutes among {jumps:?}");
    }
}
