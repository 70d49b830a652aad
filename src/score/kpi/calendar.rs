//! Calendar periods and windows of days in the shop's zone, as spans of the time line.

use chrono::{Datelike, Days, Months, NaiveDate};

use crate::base::time::{UnixMs, Zone};
use crate::model::kpi::{By, Period, Span};

/// The periods from the one that `first` lies in to the one that `as_of` lies in; none when `first` is later than `as_of`.
#[must_use]
pub fn periods(by: By, first: NaiveDate, as_of: UnixMs, zone: Zone) -> Vec<Period> {
    let today = zone.date(as_of);
    let length = Months::new(by.months());
    let mut found = Vec::new();
    let mut from = start(by, first);
    while from <= today {
        let Some((next, before)) = from.checked_add_months(length).zip(from.checked_sub_months(length)) else { break };
        let until = zone.start_of(next);
        let label = match by {
            By::Month => from.format("%Y-%m").to_string(),
            By::Quarter => format!("{}Q{}", from.year(), from.month0() / 3 + 1),
            By::Year => from.year().to_string(),
        };
        let span = Span { before: zone.start_of(before), from: zone.start_of(from), until };
        found.push(Period { label, from, to: next.pred_opt().unwrap_or(next), complete: until <= as_of.plus(1), span });
        from = next;
    }
    found
}

/// The first day of the period that a day lies in.
fn start(by: By, day: NaiveDate) -> NaiveDate {
    let month = day.month0() / by.months() * by.months() + 1;
    NaiveDate::from_ymd_opt(day.year(), month, 1).unwrap_or(day)
}

/// The months from the one of `first` to the one of `as_of`: label and first moment.
#[must_use]
pub fn months(first: NaiveDate, as_of: UnixMs, zone: Zone) -> Vec<(String, UnixMs)> {
    periods(By::Month, first, as_of, zone).into_iter().map(|month| (month.label, month.span.from)).collect()
}

/// The window of `days` calendar days that ends with `day`, and the one as long before it.
#[must_use]
pub fn days_back(day: NaiveDate, days: u32, zone: Zone) -> Span {
    let back = |count: u32| zone.start_of(day.checked_sub_days(Days::new(count.into())).unwrap_or(NaiveDate::MIN));
    let after = zone.start_of(day.succ_opt().unwrap_or(day));
    Span { before: back((2 * days).saturating_sub(1)), from: back(days.saturating_sub(1)), until: after }
}
