//! Purchase days and the pauses between them, order by order.

use chrono::{Datelike as _, NaiveDate};

use crate::base::money::Cents;
use crate::base::time::{UnixMs, Zone};
use crate::model::outlook::Habit;

/// A customer's purchases up to now.
#[derive(Clone, Debug, Default)]
pub(super) struct Purchases {
    days: i64,
    /// Of the common era.
    last: i32,
    repeat_revenue: i64,
    /// Sorted.
    gaps: Vec<i32>,
}

impl Purchases {
    /// Adds an order that is not before those there are.
    pub(super) fn add(&mut self, day: NaiveDate, revenue: Cents) {
        let day = day.num_days_from_ce();
        if self.days == 0 {
            (self.days, self.last) = (1, day);
            return;
        }
        if day > self.last {
            let gap = day - self.last;
            let place = self.gaps.partition_point(|shorter| *shorter < gap);
            self.gaps.insert(place, gap);
            (self.days, self.last) = (self.days + 1, day);
        }
        if self.days > 1 {
            self.repeat_revenue = self.repeat_revenue.saturating_add(revenue.0);
        }
    }

    pub(super) fn habit(&self) -> Habit {
        let middle = self.gaps.len() / 2;
        let typical_gap_e1 = (self.gaps.len() > 1).then(|| {
            let upper = i64::from(self.gaps[middle]);
            let lower = if self.gaps.len() % 2 == 1 { upper } else { i64::from(self.gaps[middle - 1]) };
            (lower + upper) * 5
        });
        Habit { purchase_days: self.days, repeat_revenue: Cents(self.repeat_revenue), typical_gap_e1 }
    }
}

/// The habit of somebody with these orders, in any order.
#[must_use]
pub fn habit(orders: &mut [(UnixMs, Cents)], zone: Zone) -> Habit {
    orders.sort_unstable();
    let mut purchases = Purchases::default();
    for (at, revenue) in orders {
        purchases.add(zone.date(*at), *revenue);
    }
    purchases.habit()
}
