//! When whom the hunger for cake takes: the days on which a customer orders.

use chrono::{Datelike, Days, NaiveDate, Weekday};

use super::calendar::{self, Season};
use super::dice::Dice;
use crate::base::time::days_between;

/// Why somebody comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// Every two to three weeks.
    Regular,
    /// Every four to seven weeks.
    Monthly,
    /// For Christmas, Easter and the own celebration.
    Seasonal,
    /// Was a regular or came monthly, and stopped.
    Lapsed,
    /// Came once.
    Once,
    /// Came for the first time in the last ten weeks.
    Newcomer,
}

impl Habit {
    /// The habit of customer number `number`: a fixed mixture of a hundred, so that the shares hold in a shop of any size.
    pub(super) fn of(number: usize) -> Self {
        // 37 and 100 have no common divisor: neighbours differ, and every hundred customers have the same mixture.
        match number * 37 % 100 {
            0..=10 => Self::Regular,
            11..=23 => Self::Monthly,
            24..=41 => Self::Seasonal,
            42..=54 => Self::Lapsed,
            55..=94 => Self::Once,
            _ => Self::Newcomer,
        }
    }

    /// Whether customer number `number` was not there when the window opens and came to stay: three quarters of those with such a habit.
    pub(super) fn joins(self, number: usize) -> bool {
        !matches!(self, Self::Once | Self::Newcomer) && !number.is_multiple_of(4)
    }

    /// Whether they came again and again: holders of the loyalty card.
    pub(super) fn is_loyal(self) -> bool {
        matches!(self, Self::Regular | Self::Monthly | Self::Lapsed)
    }
}

/// The two years in which orders were placed, both days included.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) first: NaiveDate,
    pub(super) last: NaiveDate,
}

impl Window {
    pub(super) fn ending(last: NaiveDate) -> Self {
        Self { first: last - Days::new(730), last }
    }

    /// The day `days` after the first, or the last day if that is earlier.
    fn day(self, days: i64) -> NaiveDate {
        (self.first + Days::new(u64::try_from(days).unwrap_or(0))).min(self.last)
    }

    fn days(self) -> i64 {
        days_between(self.first, self.last)
    }
}

/// The day of the first order. `turn` is the place among those who join, and their number, if the customer is one of them: they join evenly,
/// in turn, so that no day of the year is without the anniversary of somebody's first order.
pub(super) fn first_day(dice: &mut Dice, habit: Habit, turn: Option<(i64, i64)>, window: Window) -> NaiveDate {
    match (habit, turn) {
        (Habit::Once, _) => {
            let day = window.day(dice.between(0, window.days()));
            // Feasts bring people who never come again: half of those of a dull week come in a better one.
            if calendar::season(day) == Season::Usual && dice.chance(50) { towards_feast(dice, day, window) } else { day }
        }
        (Habit::Newcomer, _) => window.day(window.days() - dice.between(0, 69)),
        (_, Some((turn, of))) => window.day(turn * (window.days() + 1) / of),
        (_, None) => window.day(dice.between(0, 27)),
    }
}

/// A day in the Advent or before the Easter of the same year, if the window has it.
fn towards_feast(dice: &mut Dice, day: NaiveDate, window: Window) -> NaiveDate {
    let easter = calendar::easter(day.year()) - Days::new(dice.between(1, 14).unsigned_abs());
    let advent = NaiveDate::from_ymd_opt(day.year(), 12, 22).unwrap_or(day) - Days::new(dice.between(0, 30).unsigned_abs());
    let feast = if dice.chance(60) { advent } else { easter };
    if (window.first..=window.last).contains(&feast) { feast } else { day }
}

/// All days on which the customer orders, the first one included, in order. `online`: days on which the branches are closed are days too.
pub(super) fn order_days(dice: &mut Dice, habit: Habit, first: NaiveDate, window: Window, online: bool) -> Vec<NaiveDate> {
    let mut days = vec![first];
    match habit {
        Habit::Once => {}
        Habit::Regular => rhythm(dice, &mut days, (14, 21), window.last, online),
        Habit::Newcomer if dice.chance(45) => {}
        Habit::Newcomer => rhythm(dice, &mut days, (12, 40), window.last, online),
        Habit::Monthly => rhythm(dice, &mut days, (28, 49), window.last, online),
        Habit::Lapsed => {
            let stayed = dice.between(60, 540);
            let gone = (first + Days::new(stayed.unsigned_abs())).min(window.last);
            let interval = if dice.chance(50) { (14, 21) } else { (28, 49) };
            rhythm(dice, &mut days, interval, gone, online);
        }
        Habit::Seasonal => feasts(dice, &mut days, window.last, online),
    }
    days.sort_unstable();
    days.dedup();
    days
}

/// Adds days at about the same distance until `last`: closer in Advent and before Easter, wider in summer and January.
fn rhythm(dice: &mut Dice, days: &mut Vec<NaiveDate>, (shortest, longest): (i64, i64), last: NaiveDate, online: bool) {
    let favourite = dice.weighted(&[(30, Weekday::Sat), (22, Weekday::Sun), (18, Weekday::Fri), (15, Weekday::Thu), (15, Weekday::Wed)]);
    let Some(mut day) = days.last().copied() else { return };
    loop {
        let percent = match calendar::season(day) {
            Season::Advent => 60,
            Season::Easter => 75,
            Season::Summer => 135,
            Season::AfterChristmas => 125,
            Season::Usual => 100,
        };
        day = day + Days::new((dice.between(shortest, longest) * percent / 100).unsigned_abs());
        if dice.chance(60) {
            day = day.iter_days().find(|day| day.weekday() == favourite).unwrap_or(day);
        }
        if !online {
            day = calendar::next_open(day);
        }
        if day > last {
            return;
        }
        days.push(day);
    }
}

/// Adds the feasts after the first order: Christmas mostly, Easter often, a celebration of one's own sometimes.
fn feasts(dice: &mut Dice, days: &mut Vec<NaiveDate>, last: NaiveDate, online: bool) {
    let Some(first) = days.first().copied() else { return };
    let celebration = dice.between(1, 365);
    for year in first.year()..=last.year() {
        let christmas = NaiveDate::from_ymd_opt(year, 12, 22).unwrap_or(last);
        let own = NaiveDate::from_yo_opt(year, u32::try_from(celebration).unwrap_or(1)).unwrap_or(last);
        for (percent, feast, before) in [(85, christmas, 30), (35, christmas, 15), (65, calendar::easter(year), 13), (45, own, 3)] {
            if dice.chance(percent) {
                let day = feast - Days::new(dice.between(1, before).unsigned_abs());
                let day = if online { day } else { calendar::next_open(day) };
                if day > first && day <= last {
                    days.push(day);
                }
            }
        }
    }
}
