//! Purchase days and the pauses between them, order by order.

use super::days::Days;
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
    /// Those of somebody with these orders, oldest first.
    pub(super) fn of(orders: &[(UnixMs, Cents)], days: &mut Days) -> Self {
        // Room at once: with a million customers, growing it step by step is what takes the time.
        let mut purchases = Self { gaps: Vec::with_capacity(orders.len().saturating_sub(1)), ..Self::default() };
        for (at, revenue) in orders {
            let gap = purchases.note(days.of(*at), *revenue);
            purchases.gaps.extend(gap);
        }
        purchases.gaps.sort_unstable();
        purchases
    }

    /// Adds an order that is not before those there are; `day` is its calendar day's number.
    pub(super) fn add(&mut self, day: i32, revenue: Cents) {
        if let Some(gap) = self.note(day, revenue) {
            let place = self.gaps.partition_point(|shorter| *shorter < gap);
            self.gaps.insert(place, gap);
        }
    }

    /// The days since the last purchase day, if it is another one.
    fn note(&mut self, day: i32, revenue: Cents) -> Option<i32> {
        if self.days == 0 {
            (self.days, self.last) = (1, day);
            return None;
        }
        let gap = (day > self.last).then(|| day - self.last);
        if gap.is_some() {
            (self.days, self.last) = (self.days + 1, day);
        }
        if self.days > 1 {
            self.repeat_revenue = self.repeat_revenue.saturating_add(revenue.0);
        }
        gap
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

/// Tells habits: of many it remembers the calendar.
pub struct Habits(Days);

impl Habits {
    /// Days are calendar days in `zone`.
    #[must_use]
    pub fn new(zone: Zone) -> Self {
        Self(Days::new(zone))
    }

    /// The habit of somebody with these orders, in any order; they are sorted by it.
    #[must_use]
    pub fn of(&mut self, orders: &mut [(UnixMs, Cents)]) -> Habit {
        orders.sort_unstable();
        Purchases::of(orders, &mut self.0).habit()
    }
}
