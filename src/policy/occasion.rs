//! The occasion's key: what makes "this customer, now" one occasion, so that the database's unique key can refuse a second message.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use crate::base::time::UnixMs;
use crate::model::rule::Occasion;

/// An occasion's key. What is stored is its text; comparing numbers instead is what lets a replay ask millions of times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// The only one.
    Ever,
    /// The so many-th.
    Number(u32),
    /// A day's.
    Day(NaiveDate),
    /// That of a week by ISO 8601: the year it belongs to, and its number.
    Week(i32, u32),
    /// That of a month: the year and the number.
    Month(i32, u32),
    /// A year's.
    Year(i32),
    /// That of the order of this moment.
    Order(UnixMs),
    /// That of whoever has not ordered.
    NoOrder,
    /// A stored text that no rule of this version makes: it is equal to no key that one makes.
    Foreign,
}

/// The key for a customer on a day of the shop. `taken` is how many occasions the rule has taken for the customer so far; `last_order_at` is their latest order.
///
/// A cooldown has no natural name, so its occasions are numbered: two deciders that race both come to the same number, and the second collides.
#[must_use]
pub fn key(occasion: Occasion, today: NaiveDate, taken: usize, last_order_at: Option<UnixMs>) -> Key {
    match occasion {
        Occasion::Ever => Key::Ever,
        Occasion::Cooldown { .. } => Key::Number(u32::try_from(taken).unwrap_or(u32::MAX).saturating_add(1)),
        Occasion::Day => Key::Day(today),
        Occasion::Week => Key::Week(today.iso_week().year(), today.iso_week().week()),
        Occasion::Month => Key::Month(today.year(), today.month()),
        Occasion::Year => Key::Year(today.year()),
        Occasion::Order => last_order_at.map_or(Key::NoOrder, Key::Order),
    }
}

impl Key {
    /// Reads a stored text.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let pair = |between: &str| {
            let (year, number) = text.rsplit_once(between)?;
            Some((year.parse().ok()?, number.parse().ok()?))
        };
        let order = || text.strip_prefix("order ").and_then(|at| at.parse::<DateTime<Utc>>().ok());
        let number = || text.strip_prefix('#').and_then(|number| number.parse().ok());
        let made = [
            (text == "ever").then_some(Self::Ever),
            (text == "no order").then_some(Self::NoOrder),
            number().map(Self::Number),
            order().map(|at| Self::Order(at.into())),
            text.parse().ok().map(Self::Day),
            pair("-W").map(|(year, week)| Self::Week(year, week)),
            pair("-").map(|(year, month)| Self::Month(year, month)),
            text.parse().ok().map(Self::Year),
        ];
        // Only what would be written like that is the same key: the database compares texts.
        made.into_iter().flatten().find(|key| key.to_string() == text).unwrap_or(Self::Foreign)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ever => f.write_str("ever"),
            Self::Number(number) => write!(f, "#{number}"),
            Self::Day(day) => write!(f, "{day}"),
            Self::Week(year, week) => write!(f, "{year}-W{week:02}"),
            Self::Month(year, month) => write!(f, "{year}-{month:02}"),
            Self::Year(year) => write!(f, "{year}"),
            Self::Order(at) => write!(f, "order {at}"),
            Self::NoOrder => f.write_str("no order"),
            Self::Foreign => f.write_str("foreign"),
        }
    }
}

/// The occasions that a rule has taken for a customer: sent, or held out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    stored: Vec<Key>,
    /// The latest one that a replay took.
    latest: Option<Key>,
    times: u32,
    last_at: Option<UnixMs>,
}

impl Taken {
    /// None.
    pub const NONE: &Self = &Self { stored: Vec::new(), latest: None, times: 0, last_at: None };

    /// Adds one that the log has, with the moment it took effect.
    pub fn add(&mut self, key: Key, at: UnixMs) {
        self.stored.push(key);
        self.count(at);
    }

    /// Adds one that a replay takes, which goes forward in time: days, numbers and latest orders do not come again, so of what it took only the latest is kept.
    pub fn go_on(&mut self, key: Key, at: UnixMs) {
        self.latest = Some(key);
        self.count(at);
    }

    fn count(&mut self, at: UnixMs) {
        self.times = self.times.saturating_add(1);
        self.last_at = self.last_at.max(Some(at));
    }

    /// How many.
    #[must_use]
    pub fn times(&self) -> usize {
        self.times as usize
    }

    /// The latest moment at which one took effect.
    #[must_use]
    pub fn last_at(&self) -> Option<UnixMs> {
        self.last_at
    }

    /// Whether this one is among them.
    #[must_use]
    pub fn has(&self, key: Key) -> bool {
        self.latest == Some(key) || self.stored.contains(&key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::time::{DAY_MS, Zone};
    use proptest::prelude::*;

    const ALL: [Occasion; 7] =
        [Occasion::Ever, Occasion::Cooldown { days: 3 }, Occasion::Day, Occasion::Week, Occasion::Month, Occasion::Year, Occasion::Order];

    #[test]
    fn keys_follow_the_calendar_of_the_shop() {
        let zone = Zone::parse("Europe/Berlin").unwrap();
        // 23:30 UTC on New Year's Eve is already the new year in Berlin, and still the last ISO week of the old one.
        let today = zone.date(zone.parse_time("2027-01-01T00:30").unwrap());
        let keys = ALL.map(|occasion| key(occasion, today, 2, Some(UnixMs(0))).to_string());
        assert_eq!(keys, ["ever", "#3", "2027-01-01", "2026-W53", "2027-01", "2027", "order 1970-01-01T00:00:00Z"]);
        assert_eq!(key(Occasion::Order, today, 2, None).to_string(), "no order");
    }

    #[test]
    fn what_no_rule_writes_is_no_key() {
        for text in ["", "Ever", "#", "#03", "# 3", "#-1", "foreign", "2027-1", "2027-W1", "order", "order 1970-01-01T00:00:00+00:00", "order 1970"] {
            assert_eq!(Key::read(text), Key::Foreign, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(day in -800_000i32..800_000, taken in 0usize..100_000, order in prop::option::of(-9_000_000_000_000i64..9_000_000_000_000), which in 0usize..7) {
            let today = NaiveDate::from_num_days_from_ce_opt(day).unwrap();
            let made = key(ALL[which], today, taken, order.map(UnixMs));
            prop_assert_eq!(Key::read(&made.to_string()), made);
        }

        /// As the database has it: every text that there is, compared with each.
        #[test]
        fn a_replay_that_keeps_the_latest_key_knows_what_was_taken(
            stored in prop::collection::vec((0usize..7, 0i64..40, 0usize..4), 0..4),
            steps in prop::collection::vec((0i64..20, any::<bool>()), 0..60),
            which in 0usize..7,
        ) {
            let zone = Zone::parse("Europe/Berlin").unwrap();
            let at = |day: i64| UnixMs(1_700_000_000_000 + day * DAY_MS);
            let (mut taken, mut texts) = (Taken::default(), Vec::new());
            for (which, day, number) in stored {
                let text = key(ALL[which], zone.date(at(day)), number, Some(at(day))).to_string();
                taken.add(Key::read(&text), at(day));
                texts.push((text, at(day)));
            }
            let (mut day, mut order) = (20, None);
            for (days, orders) in steps {
                day += days;
                order = if orders { Some(at(day)) } else { order };
                let made = key(ALL[which], zone.date(at(day)), taken.times(), order);
                let known = texts.iter().any(|(text, _)| *text == made.to_string());
                prop_assert_eq!(taken.has(made), known, "{} among {:?}", made, texts);
                prop_assert_eq!((taken.times(), taken.last_at()), (texts.len(), texts.iter().map(|(_, at)| *at).max()));
                // A rehearsal notes what passed the gate.
                if !known {
                    taken.go_on(made, at(day));
                    texts.push((made.to_string(), at(day)));
                }
            }
        }
    }
}
