//! Crontab lines: what is understood, what is refused with which sentence, and the runs around the clock changes of Berlin in 2026.

use stammgast::base::time::{UnixMs, Zone};
use stammgast::rules::crontab::Crontab;

fn zone(name: &str) -> Zone {
    Zone::parse(name).unwrap()
}

/// The runs after `from` in Berlin until `to`, in local time.
fn berlin(line: &str, from: &str, to: &str) -> Vec<String> {
    let zone = zone("Europe/Berlin");
    let runs = Crontab::parse(line).unwrap().between(zone.parse_time(from).unwrap(), zone.parse_time(to).unwrap(), zone, 1000);
    runs.into_iter().map(|at| zone.format(at)).collect()
}

#[test]
fn an_appointment_in_the_spring_gap_is_kept_once_right_after_it() {
    let gap = |line| berlin(line, "2026-03-28T12:00", "2026-03-30T12:00");
    assert_eq!(gap("30 2 * * *"), ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]);
    assert_eq!(gap("0,15,45 2 * * 0"), ["2026-03-29T03:00:00+02:00"], "several appointments in one gap are one run");
    assert_eq!(gap("0,30 2,3 29 3 *"), ["2026-03-29T03:00:00+02:00", "2026-03-29T03:30:00+02:00"], "and one with that of 03:00");
    assert_eq!(gap("*/30 2 29 * *"), Vec::<String>::new(), "a rhythm has no beat where there is no time");
}

#[test]
fn an_appointment_in_the_autumn_fold_is_kept_on_the_first_pass_only() {
    let fold = |line| berlin(line, "2026-10-24T12:00", "2026-10-26T00:00");
    assert_eq!(fold("30 2 * * *"), ["2026-10-25T02:30:00+02:00"]);
    assert_eq!(fold("0 2,3 * * *"), ["2026-10-25T02:00:00+02:00", "2026-10-25T03:00:00+01:00"]);
}

#[test]
fn a_rhythm_goes_on_through_both_passes_of_the_fold_in_order() {
    let hourly = berlin("0 * * * *", "2026-10-25T00:30", "2026-10-25T03:00");
    assert_eq!(hourly, ["2026-10-25T01:00:00+02:00", "2026-10-25T02:00:00+02:00", "2026-10-25T02:00:00+01:00", "2026-10-25T03:00:00+01:00"]);
    let quarterly = berlin("*/15 2 * * *", "2026-10-25T00:30", "2026-10-25T12:00");
    let expected = |offset: &'static str| ["00", "15", "30", "45"].map(|minute| format!("2026-10-25T02:{minute}:00+0{offset}:00"));
    assert_eq!(quarterly, [expected("2"), expected("1")].concat());
}

#[test]
fn asked_again_from_within_the_fold_the_next_run_is_never_in_the_past() {
    let zone = zone("Europe/Berlin");
    let second_pass = zone.parse_time("2026-10-25T02:10:00+01:00").unwrap();
    let next = |line: &str| zone.format(Crontab::parse(line).unwrap().next_after(second_pass, zone).unwrap());
    assert_eq!(next("*/15 * * * *"), "2026-10-25T02:15:00+01:00");
    assert_eq!(next("30 2 * * *"), "2026-10-26T02:30:00+01:00");
    assert_eq!(next("0 * * * *"), "2026-10-25T03:00:00+01:00");
}

#[test]
fn sunday_is_0_and_7_and_monday_is_1() {
    for (line, expected) in [
        ("0 9 * * 1", "2026-01-05"),
        ("0 9 * * 0", "2026-01-04"),
        ("0 9 * * 7", "2026-01-04"),
        ("0 9 * * sun", "2026-01-04"),
        ("0 9 * * Mon", "2026-01-05"),
    ] {
        assert_eq!(berlin(line, "2026-01-01", "2026-01-08"), [format!("{expected}T09:00:00+01:00")], "{line}");
    }
    let days = |line| berlin(line, "2026-01-01", "2026-01-08").len();
    assert_eq!(days("0 9 * * FRI-SUN"), 3);
    assert_eq!(days("0 9 * * 5-7"), 3);
    assert_eq!(days("0 9 * * 1-5"), 5);
    assert_eq!(days("0 9 * * 0-7"), 7);
    assert_eq!(days("0 9 * * */2"), 4, "Sunday, Tuesday, Thursday, Saturday");
}

#[test]
fn two_restricted_day_fields_mean_either_and_one_with_a_star_means_both() {
    let either = berlin("0 12 13 * 5", "2026-02-01", "2026-03-01");
    let dates: Vec<&str> = either.iter().map(|run| &run[8..10]).collect();
    assert_eq!(dates, ["06", "13", "20", "27"]);
    assert_eq!(berlin("0 12 14 * 5", "2026-02-01", "2026-03-01").len(), 5);
    assert_eq!(berlin("0 12 */2 * 5", "2026-02-01", "2026-03-01").len(), 2, "odd days that are Fridays: 13 and 27");
}

#[test]
fn words_stand_for_lines() {
    for (word, line) in [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ] {
        let (from, to) = ("2026-01-01T00:30", "2027-06-01");
        assert_eq!(berlin(word, from, to), berlin(line, from, to), "{word}");
    }
}

#[test]
fn the_leap_day_is_found_years_ahead() {
    let from = zone("UTC").parse_time("2026-03-01").unwrap();
    assert_eq!(Crontab::parse("0 9 29 2 *").unwrap().next_after(from, zone("UTC")).unwrap().to_string(), "2028-02-29T09:00:00Z");
}

#[test]
fn the_ends_of_time_are_no_trap() {
    let minutely = Crontab::parse("* * * * *").unwrap();
    assert_eq!(minutely.next_after(UnixMs(i64::MAX), zone("UTC")), None);
    assert!(minutely.next_after(UnixMs(i64::MIN), zone("UTC")).is_some());
    let now = zone("UTC").parse_time("2026-03-01T10:00:30").unwrap();
    assert_eq!(minutely.latest_at_or_before(now, zone("UTC"), UnixMs(i64::MIN)).unwrap().to_string(), "2026-03-01T10:00:00Z");
    assert_eq!(minutely.latest_at_or_before(now, zone("UTC"), now), None);
    assert_eq!(minutely.between(UnixMs(0), now, zone("UTC"), 3).len(), 3);
}

#[test]
fn the_latest_missed_run_lies_after_the_bound_and_may_be_now() {
    let (utc, daily) = (zone("UTC"), Crontab::parse("0 9 * * *").unwrap());
    let at = |text: &str| utc.parse_time(text).unwrap();
    let latest = |now: &str, not_before: &str| daily.latest_at_or_before(at(now), utc, at(not_before)).map(|tick| tick.to_string());
    assert_eq!(latest("2026-03-05T09:00", "2026-03-01").as_deref(), Some("2026-03-05T09:00:00Z"));
    assert_eq!(latest("2026-03-05T08:59:59", "2026-03-01").as_deref(), Some("2026-03-04T09:00:00Z"));
    assert_eq!(latest("2026-03-05T08:59:59", "2026-03-04T09:00"), None, "the bound itself does not count");
    assert_eq!(latest("2026-03-01", "2026-03-04"), None);
}

#[test]
fn whatever_is_no_unix_crontab_is_refused_with_the_field_and_what_is_expected() {
    for (line, sentence) in [
        ("0 0 9 * * *", "it has 6 fields: expected five fields: minute, hour, day of month, month, day of week (no seconds, no year)"),
        ("", "it has 0 fields"),
        ("@reboot", "the word is unknown: expected @hourly, @daily"),
        ("60 9 * * *", "field 1 (minute): '60' is out of range: expected numbers from 0 to 59"),
        ("0 24 * * *", "field 2 (hour): '24' is out of range: expected numbers from 0 to 23"),
        ("0 9 0 * *", "field 3 (day of month): '0' is out of range: expected numbers from 1 to 31"),
        ("0 9 L * *", "field 3 (day of month): 'L' is not understood"),
        ("0 9 15W * *", "field 3 (day of month): '15W' is not understood"),
        ("0 9 ? * 1", "field 3 (day of month): '?' is not understood"),
        ("0 9 * 13 *", "field 4 (month): '13' is out of range: expected numbers from 1 to 12, names from JAN to DEC"),
        ("0 9 * * 8", "field 5 (day of week): '8' is out of range: expected numbers from 0 to 7, names from SUN to SAT"),
        ("0 9 * * 5#2", "field 5 (day of week): '5#2' is not understood"),
        ("0 9 * * FRI-MON", "field 5 (day of week): 'FRI-MON' runs backwards: expected a range from low to high"),
        ("0 9 * * 6-0", "field 5 (day of week): '6-0' runs backwards"),
        ("0 22-2 * * *", "field 2 (hour): '22-2' runs backwards"),
        ("*/90 * * * *", "field 1 (minute): '*/90' has a step that is out of range: expected a step from 1 to 59"),
        ("*/0 * * * *", "field 1 (minute): '*/0' has a step that is out of range"),
        ("5/15 * * * *", "field 1 (minute): '5/15' has a step on a single value: expected a step on * or on a range"),
        ("0 9 30 2 *", "field 3 (day of month): '30' never comes in month '2': expected a day that at least one of the months has"),
        ("0 9 31 4,6,9,11 *", "field 3 (day of month): '31' never comes in month '4,6,9,11'"),
        ("+5 9 * * *", "field 1 (minute): '+5' is not understood"),
        ("1,,2 9 * * *", "field 1 (minute): '' is not understood"),
        ("99999999999 9 * * *", "field 1 (minute): '99999999999' is not understood"),
        ("1-2-3 9 * * *", "field 1 (minute): '1-2-3' is not understood"),
        ("MON 9 * * *", "field 1 (minute): 'MON' is not understood"),
        ("0 9 * * MO", "field 5 (day of week): 'MO' is not understood"),
    ] {
        let fault = Crontab::parse(line).unwrap_err().to_string();
        assert!(fault.starts_with(&format!("'{line}' is not a crontab line: {sentence}")), "{fault}\nshould say\n{sentence}");
    }
    assert!(Crontab::parse("0 9 30 2 1").is_ok(), "every Monday in February comes");
}

#[test]
fn remarks_say_what_a_clock_change_does_to_a_run() {
    let zone = zone("Europe/Berlin");
    let remark = |line: &str, at: &str| Crontab::parse(line).unwrap().remark(zone.parse_time(at).unwrap(), zone).unwrap_or_default();
    assert_eq!(remark("30 2 * * *", "2026-03-29T03:00"), "02:30 does not exist on 2026-03-29, runs 03:00");
    assert_eq!(remark("0 3 * * *", "2026-03-29T03:00"), "");
    assert_eq!(remark("30 2 * * *", "2026-03-30T02:30"), "");
    assert_eq!(remark("30 2 * * *", "2026-10-25T02:30:00+02:00"), "02:30 comes twice on 2026-10-25, runs the first time only");
    assert_eq!(remark("30 * * * *", "2026-10-25T02:30:00+01:00"), "02:30 comes twice on 2026-10-25, runs both times");
    let apia = Zone::parse("Pacific/Apia").unwrap();
    let after_the_lost_day = apia.parse_time("2011-12-31").unwrap();
    let lost = Crontab::parse("0 9 * * *").unwrap().remark(after_the_lost_day, apia);
    assert_eq!(lost.as_deref(), Some("09:00 does not exist on 2011-12-30, runs 2011-12-31 00:00"));
}
