//! Reads dates and times as exports write them; a date that can be read in two ways is never guessed from itself alone.

use chrono::{Datelike as _, NaiveDate, NaiveDateTime, NaiveTime};

use super::IntakeError;
use super::fields::Field;
use super::rows::{Next, Rows};
use crate::base::time::{UnixMs, Zone};

/// How times in a file are to be read where their form leaves it open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    /// `31/12/2025`.
    DayFirst,
    /// `12/31/2025`.
    MonthFirst,
    /// Whole seconds since 1970.
    UnixSeconds,
    /// Whole milliseconds since 1970.
    UnixMilliseconds,
}

const EXPECTED: &str = "expected e.g. 2025-12-31, 2025-12-31T14:30:00+01:00, 2025-12-31 14:30 or 31.12.2025 14:30";

/// A time as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Written {
    wall: NaiveDateTime,
    offset_s: Option<i64>,
    /// Whether the year had two digits, which were taken for those of this century.
    short_year: bool,
}

/// Three numbers of a date, and what stands between them.
struct Parts<'a> {
    numbers: [&'a str; 3],
    sign: char,
    rest: &'a str,
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let end = text.find(|c: char| c == 'T' || c == ',' || c.is_whitespace()).unwrap_or(text.len());
    let (date, rest) = text.split_at(end);
    if date.len() == 8 && date.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(Parts { numbers: [&date[..4], &date[4..6], &date[6..]], sign: '-', rest });
    }
    let sign = date.chars().find(|c| !c.is_ascii_digit()).filter(|c| matches!(c, '-' | '/' | '.'))?;
    let mut pieces = date.split(sign);
    let numbers = [pieces.next()?, pieces.next()?, pieces.next()?];
    let digits = |piece: &str| (1..=4).contains(&piece.len()) && piece.bytes().all(|byte| byte.is_ascii_digit());
    (pieces.next().is_none() && numbers.into_iter().all(digits)).then_some(Parts { numbers, sign, rest })
}

/// The first two numbers of a date such as `04/05/2025`, whose order its form leaves open.
fn open_order(parts: &Parts<'_>) -> Option<(u32, u32)> {
    let [a, b, year] = parts.numbers;
    let open = parts.sign != '.' && year.len() == 4 && a.len() <= 2 && b.len() <= 2;
    open.then(|| Some((a.parse().ok()?, b.parse().ok()?))).flatten()
}

/// `31.12.25`. With dots the day comes first and the year last; with other signs two digits may be any of the three.
fn short_year(parts: &Parts<'_>) -> bool {
    let [a, b, year] = parts.numbers;
    parts.sign == '.' && year.len() == 2 && a.len() <= 2 && b.len() <= 2
}

fn date(parts: &Parts<'_>, order: Option<DateOrder>) -> Result<Option<NaiveDate>, String> {
    let [a, b, c] = parts.numbers;
    let (year, month, day) = match (open_order(parts), order) {
        (Some(_), Some(DateOrder::DayFirst)) => (c, b, a),
        (Some(_), Some(DateOrder::MonthFirst)) => (c, a, b),
        (Some(_), _) => return Err("can be read in two ways: say --date-order dmy or mdy".to_owned()),
        (None, _) if a.len() == 4 => (a, b, c),
        (None, _) if c.len() == 4 || short_year(parts) => (c, b, a),
        (None, _) => return Ok(None),
    };
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let year = i32::try_from(number(year)).unwrap_or(0) + if short_year(parts) { 2000 } else { 0 };
    Ok(NaiveDate::from_ymd_opt(year, number(month), number(day)).filter(|_| (1900..2200).contains(&year)))
}

/// `14:30`, `14:30:15.123`, `2:30 PM`, and what follows.
fn time(text: &str) -> Option<(NaiveTime, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == ':' || c == '.')).unwrap_or(text.len());
    let (clock, rest) = text.split_at(end);
    let mut pieces = clock.splitn(3, ':');
    let mut hour: u32 = pieces.next()?.parse().ok()?;
    let minute: u32 = pieces.next()?.parse().ok()?;
    let (second, fraction) = pieces.next().map_or(("0", ""), |seconds| seconds.split_once('.').unwrap_or((seconds, "")));
    let milli: u32 = format!("{:0<3}", fraction.get(..3.min(fraction.len()))?).parse().ok()?;
    let half = rest.trim_start().get(..2).map(str::to_ascii_lowercase).filter(|word| word == "am" || word == "pm");
    let rest = rest.trim_start();
    if let Some(half) = &half {
        if !(1..=12).contains(&hour) {
            return None;
        }
        hour = hour % 12 + if half == "pm" { 12 } else { 0 };
    }
    let time = NaiveTime::from_hms_milli_opt(hour, minute, second.parse().ok()?, milli)?;
    Some((time, if half.is_some() { rest[2..].trim_start() } else { rest }))
}

/// Seconds east of Greenwich of `Z`, `+0100`, `+01:00`, `-05`.
fn offset(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z" | "UTC" | "GMT") {
        return Some(0);
    }
    let sign = if text.starts_with('+') { 1 } else { -1 };
    let digits = text.strip_prefix(['+', '-'])?.replace(':', "");
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let hours: i64 = digits[..2].parse().ok()?;
    let minutes: i64 = digits.get(2..).filter(|rest| !rest.is_empty()).unwrap_or("0").parse().ok()?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn read(text: &str, order: Option<DateOrder>) -> Result<Written, String> {
    let bad = || format!("'{}' is not a date or time: {EXPECTED}", text.chars().take(40).collect::<String>());
    let parts = parts(text).ok_or_else(bad)?;
    let date = date(&parts, order).map_err(|why| format!("'{text}' {why}"))?.ok_or_else(bad)?;
    let short_year = short_year(&parts);
    let rest = parts.rest.trim_start_matches(['T', ',']).trim();
    if rest.is_empty() {
        return Ok(Written { wall: date.and_time(NaiveTime::MIN), offset_s: None, short_year });
    }
    let (time, zone) = time(rest).ok_or_else(bad)?;
    let offset_s = if zone.is_empty() { None } else { Some(offset(zone).ok_or_else(bad)?) };
    Ok(Written { wall: date.and_time(time), offset_s, short_year })
}

/// Whether a text's year has two digits, which stand for those of this century.
#[must_use]
pub fn has_short_year(text: &str) -> bool {
    parts(text).as_ref().is_some_and(short_year)
}

/// The moment that a text means; without an offset in `zone`, without a time the day's first moment.
///
/// # Errors
/// A sentence with the accepted forms.
pub fn moment(text: &str, zone: Zone, order: Option<DateOrder>) -> Result<UnixMs, String> {
    let factor = match order {
        Some(DateOrder::UnixSeconds) => 1000,
        Some(DateOrder::UnixMilliseconds) => 1,
        _ => 0,
    };
    if factor > 0
        && let Ok(number) = text.parse::<i64>()
    {
        let at = number.checked_mul(factor).filter(|ms| (0..=7_258_118_400_000).contains(ms));
        return at.map(UnixMs).ok_or_else(|| format!("'{text}' is no Unix time between 1970 and 2199"));
    }
    let written = read(text, order)?;
    Ok(match written.offset_s {
        Some(offset_s) => UnixMs(written.wall.and_utc().timestamp_millis()).plus(-offset_s * 1000),
        None => zone.resolve(written.wall).first(),
    })
}

/// The day of birth that a text means, as known `today`; a time with an offset counts in `zone`, and a year of two digits is the latest
/// that has been.
///
/// # Errors
/// A sentence with the accepted forms, or that the day has not been yet.
pub fn birthday(text: &str, zone: Zone, order: Option<DateOrder>, today: NaiveDate) -> Result<NaiveDate, String> {
    let bad = || "not a date: expected e.g. 1980-12-31 or 31.12.1980".to_owned();
    let written = read(text, order).map_err(|_| bad())?;
    let day = match written.offset_s {
        Some(_) => zone.date(moment(text, zone, order).map_err(|_| bad())?),
        None => written.wall.date(),
    };
    if day <= today {
        return Ok(day);
    }
    if written.short_year {
        day.with_year(day.year() - 100).ok_or_else(bad)
    } else {
        Err("lies in the future: expected a day that has been".to_owned())
    }
}

/// Rows that are looked at before a file counts as one without dates with slashes.
const FIRST_ROWS: usize = 1_000;

/// Looks through a whole file for the order of its dates with slashes: `13/05/2025` tells for all others. `None`: it has none at its
/// beginning.
///
/// # Errors
/// [`IntakeError::Unfit`] when no date tells, or when they tell different things.
pub fn order_in(mut rows: Rows) -> Result<Option<DateOrder>, IntakeError> {
    let (mut example, mut day_first, mut month_first) = (None, None, None);
    for number in 0.. {
        if number == FIRST_ROWS && example.is_none() {
            return Ok(None);
        }
        let row = match rows.next_row()? {
            Next::Row(row) => row,
            Next::Refused(_) => continue,
            Next::End => break,
        };
        for field in [Field::OrderedAt, Field::Birthday, Field::ConsentAt, Field::CreatedAt, Field::At] {
            let Some(text) = row.value(field) else { continue };
            let Some((a, b)) = parts(text).as_ref().and_then(open_order) else { continue };
            match (a > 12, b > 12) {
                (true, false) => day_first = day_first.or_else(|| Some((row.line, text.to_owned()))),
                (false, true) => month_first = month_first.or_else(|| Some((row.line, text.to_owned()))),
                _ => {}
            }
            example = example.or_else(|| Some(text.to_owned()));
        }
    }
    match (example, day_first, month_first) {
        (None, ..) => Ok(None),
        (_, Some(_), None) => Ok(Some(DateOrder::DayFirst)),
        (_, None, Some(_)) => Ok(Some(DateOrder::MonthFirst)),
        (Some(example), None, None) => {
            Err(IntakeError::Unfit(format!("dates such as '{example}' can be read in two ways: say --date-order dmy or --date-order mdy")))
        }
        (_, Some((day_line, day)), Some((month_line, month))) => Err(IntakeError::Unfit(format!(
            "line {day_line} has the day first ('{day}'), line {month_line} the month ('{month}'): say --date-order dmy or mdy; the others are refused"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utc(text: &str, order: Option<DateOrder>) -> Result<String, String> {
        moment(text, Zone::parse("Europe/Berlin").unwrap(), order).map(|at| at.to_string())
    }

    #[test]
    fn the_forms_of_usual_exports_mean_the_same_moment() {
        for text in [
            "2025-12-31T14:30:00+01:00",
            "2025-12-31 14:30:00 +0100",
            "2025-12-31T13:30:00Z",
            "2025-12-31 13:30 UTC",
            "2025-12-31 14:30",
            "2025-12-31T14:30:00.000",
            "31.12.2025 14:30",
            "31.12.2025, 14:30:00",
            "31.12.25 14:30",
            "2025/12/31 14:30",
            "2025-12-31 2:30 PM",
            "20251231 14:30",
        ] {
            assert_eq!(utc(text, None).as_deref(), Ok("2025-12-31T13:30:00Z"), "{text}");
        }
        assert_eq!(utc("12/31/2025 2:30 pm", Some(DateOrder::MonthFirst)).as_deref(), Ok("2025-12-31T13:30:00Z"));
        assert_eq!(utc("31-12-2025 14:30", Some(DateOrder::DayFirst)).as_deref(), Ok("2025-12-31T13:30:00Z"));
        assert_eq!(utc("31.12.2025", None).as_deref(), Ok("2025-12-30T23:00:00Z"));
        assert_eq!(utc("1.7.2025", None).as_deref(), Ok("2025-06-30T22:00:00Z"));
        assert_eq!(utc("1767187800", Some(DateOrder::UnixSeconds)).as_deref(), Ok("2025-12-31T13:30:00Z"));
        assert_eq!(utc("1767187800123", Some(DateOrder::UnixMilliseconds)).as_deref(), Ok("2025-12-31T13:30:00.123Z"));
    }

    #[test]
    fn what_is_doubtful_or_impossible_is_refused_with_the_accepted_forms() {
        for text in [
            "",
            "x",
            "31.02.2025",
            "2025-13-01",
            "31.12.5",
            "31.12.025",
            "31-12-25",
            "12/31/25",
            "2025-12-31 25:00",
            "2025-12-31 14:30 CEST",
            "1767187800",
            "2025-12-31 13:30 PM",
            "0000-00-00",
            "ä.ö.ü",
        ] {
            assert!(utc(text, None).unwrap_err().contains("expected e.g. 2025-12-31"), "{text}");
        }
        assert!(utc("04/05/2025", None).unwrap_err().contains("--date-order"));
        assert!(utc("13/05/2025", None).unwrap_err().contains("--date-order"), "the column decides, not the date");
        assert!(utc("13/05/2025", Some(DateOrder::MonthFirst)).is_err());
        assert!(utc("99999999999999", Some(DateOrder::UnixSeconds)).is_err());
    }

    #[test]
    fn a_birthday_is_a_day_in_the_shops_zone_that_has_been() {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let day = |year, month, day| NaiveDate::from_ymd_opt(year, month, day).unwrap();
        let read = |text: &str| birthday(text, berlin, None, day(2026, 7, 1));
        for text in ["1980-05-17", "17.05.1980", "17.5.80", "1980-05-17T00:00:00", "1980-05-16T22:00:00Z"] {
            assert_eq!(read(text), Ok(day(1980, 5, 17)), "{text}");
        }
        assert_eq!(read("01.02.03"), Ok(day(2003, 2, 1)));
        assert_eq!(read("1.7.26"), Ok(day(2026, 7, 1)));
        assert_eq!(read("2.7.26"), Ok(day(1926, 7, 2)));
        for text in ["2026-07-02", "02.07.2026", "31.12.2080"] {
            assert_eq!(read(text), Err("lies in the future: expected a day that has been".to_owned()), "{text}");
        }
        for text in ["80-05-17", "17/5/80", "x", "31.2.80"] {
            assert_eq!(read(text), Err("not a date: expected e.g. 1980-12-31 or 31.12.1980".to_owned()), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,24}|[0-9TZ:./+\\- apm]{0,24}") {
            let berlin = Zone::parse("Europe/Berlin").unwrap();
            for order in [None, Some(DateOrder::DayFirst), Some(DateOrder::UnixSeconds)] {
                let _ = (moment(&text, berlin, order), birthday(&text, berlin, order, NaiveDate::MIN));
            }
        }
    }
}
