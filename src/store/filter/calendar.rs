//! Facts that only depend on the run's day, on the day of a birthday in the year, or on the days since the first order: all their values are tried out.

use chrono::{Datelike, Days, NaiveDate};

use super::expression::Expression;
use super::sql::{Sql, Value, all, any, constant, not};
use crate::base::time::{days_until_anniversary, is_marked_in_week_of, years_since};
use crate::model::fact::Fact;
use crate::model::facts::Moment;

/// Whether there is a birthday.
const BIRTHDAY: Expression = Expression::Customer("birthday");
/// The days since the first order.
const TENURE: Expression = Expression::Score("tenure_days");
/// Days of tenure that are tried out: sixty years.
const LONGEST_TENURE: i64 = 60 * 366;

/// Where such a fact is not missing.
pub(super) fn known(fact: Fact) -> Option<Sql> {
    match fact {
        Fact::Month | Fact::Day | Fact::Weekday | Fact::BirthdayThisWeek => Some(Sql::Always),
        Fact::BirthdayInDays | Fact::BirthdayMonth => Some(Sql::Known(BIRTHDAY)),
        _ => None,
    }
}

/// Where such a fact has a value that `holds`.
pub(super) fn compare(fact: Fact, moment: &Moment, holds: impl Fn(i64) -> bool) -> Option<Sql> {
    let today = moment.today();
    match fact {
        Fact::Month => Some(constant(holds(today.month().into()))),
        Fact::Day => Some(constant(holds(today.day().into()))),
        Fact::Weekday => Some(constant(holds(today.weekday().number_from_monday().into()))),
        Fact::BirthdayInDays => Some(birthdays(|day| holds(days_until_anniversary(day, today)))),
        Fact::BirthdayMonth => Some(birthdays(|day| holds(day.month().into()))),
        Fact::BirthdayThisWeek => {
            let within = birthdays(|day| is_marked_in_week_of(day, today));
            Some(any(vec![if holds(1) { within.clone() } else { Sql::Never }, if holds(0) { not(within) } else { Sql::Never }]))
        }
        Fact::AnniversaryInDays => tenures(today, |first| first < today && holds(days_until_anniversary(first, today))),
        Fact::AnniversaryYears => tenures(today, |first| holds(years_since(first, today))),
        _ => None,
    }
}

/// Customers whose birthday is on such a day of the year.
fn birthdays(holds: impl Fn(NaiveDate) -> bool) -> Sql {
    // A leap year has all days.
    let days = NaiveDate::from_ymd_opt(2024, 1, 1).into_iter().flat_map(|first| first.iter_days().take(366));
    let (on, off): (Vec<NaiveDate>, Vec<NaiveDate>) = days.partition(|day| holds(*day));
    let among = |days: Vec<NaiveDate>| Sql::Among(Expression::BirthdayInYear, days.iter().map(|day| day.format("%m-%d").to_string()).collect());
    match (on.len(), off.len()) {
        (0, _) => Sql::Never,
        (_, 0) => Sql::Known(BIRTHDAY),
        (on_days, off_days) if on_days <= off_days => among(on),
        _ => all(vec![Sql::Known(BIRTHDAY), not(among(off))]),
    }
}

/// Customers whose first order was on such a day.
fn tenures(today: NaiveDate, holds: impl Fn(NaiveDate) -> bool) -> Option<Sql> {
    let mut ranges: Vec<(i64, i64)> = Vec::new();
    for tenure in 0..=LONGEST_TENURE {
        let first = today.checked_sub_days(Days::new(tenure.unsigned_abs()))?;
        match ranges.last_mut() {
            _ if !holds(first) => {}
            Some((_, to)) if *to + 1 == tenure => *to = tenure,
            _ => ranges.push((tenure, tenure)),
        }
    }
    // Who came before that is left to the condition.
    let older = Sql::Compare(TENURE, " > ", Value::Whole(LONGEST_TENURE));
    let ranges = ranges.into_iter().map(|(from, to)| Sql::Between(TENURE, from, to));
    Some(any(ranges.chain([older]).collect()))
}
