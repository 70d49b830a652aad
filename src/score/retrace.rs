//! The moves between classes that nightly runs would have noted, made up from the orders: forward, night by night, adding only what a day brought.

use super::order_book::OrderBook;
use super::settle::settle;
use super::{Wanted, columns};
use crate::base::id::Id;
use crate::base::time::{UnixMs, Zone};
use crate::model::crossing::{Crossing, PastClasses, Settled, classes};
use crate::model::score::{PaidOrder, ScoreRules};

/// How classes are made and when they count.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Of the scores.
    pub rules: ScoreRules,
    /// Percentages of the churn risk from which on it is medium and high.
    pub churn_bands: [i64; 2],
    /// Days that a class has to hold.
    pub settle_days: i64,
    /// The shop's.
    pub zone: Zone,
}

/// A walk through the past. Memory grows with orders (32 bytes), customers (about 300) and moves (24).
#[derive(Debug)]
pub struct Retrace {
    habits: Habits,
    orders: OrderBook,
    first: Option<UnixMs>,
    last: UnixMs,
    nights: usize,
    /// Of the customers at the places of the book.
    settled: Vec<(Id, Settled)>,
    moves: Vec<(Id, Crossing)>,
}

impl Retrace {
    /// Before the first night; `orders` come in the order of time.
    #[must_use]
    pub fn new(orders: Vec<PaidOrder>, habits: Habits) -> Self {
        let orders = OrderBook::new(orders, habits.zone);
        Self { habits, orders, first: None, last: UnixMs(i64::MIN), nights: 0, settled: Vec::new(), moves: Vec::new() }
    }

    /// Does what a full run for `at` would have done; nights come in the order of time. With the first one the history begins: what everybody is settled in then
    /// is no move.
    pub fn night(&mut self, at: UnixMs) {
        let Habits { rules, churn_bands, settle_days, zone } = &self.habits;
        let facts = self.orders.advance(at);
        let (columns, _) = columns(facts, at, *zone, rules, Wanted::CLASSES);
        for (place, score) in (0..facts.len()).filter_map(|place| Some((place, columns.score(place)?))) {
            let before = self.settled.get(place).map(|(_, settled)| settled);
            let (after, moved) = settle(before, classes(&score, *churn_bands), at, *zone, *settle_days);
            match self.settled.get_mut(place) {
                Some((_, settled)) => *settled = after,
                None => self.settled.push((score.customer_id, after)),
            }
            if self.first.is_some() {
                self.moves.extend(moved.into_iter().map(|crossing| (score.customer_id, crossing)));
            }
        }
        self.first.get_or_insert(at);
        (self.last, self.nights) = (at, self.nights + 1);
    }

    /// What came of it; nothing without a night.
    #[must_use]
    pub fn ended(self) -> Option<Retraced> {
        let (mut settled, mut moves) = (self.settled, self.moves);
        settled.sort_unstable_by_key(|(id, _)| *id);
        // Stable: of a customer they stay in the order of time.
        moves.sort_by_key(|(id, _)| *id);
        Some(Retraced { begins: self.first?, ends: self.last, nights: self.nights, settled, moves })
    }
}

/// A history that was made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retraced {
    /// The first night.
    pub begins: UnixMs,
    /// The last one.
    pub ends: UnixMs,
    /// How many there were.
    pub nights: usize,
    /// What everybody who had ordered was settled in after the last night, by id.
    pub settled: Vec<(Id, Settled)>,
    /// All moves, by customer and time.
    pub moves: Vec<(Id, Crossing)>,
}

impl Retraced {
    /// What it knows of a customer; `None` when they had not ordered yet.
    #[must_use]
    pub fn of(&self, id: Id) -> Option<PastClasses> {
        let place = self.settled.binary_search_by_key(&id, |(other, _)| *other).ok()?;
        let own = self.moves.partition_point(|(other, _)| *other < id)..self.moves.partition_point(|(other, _)| *other <= id);
        let crossings = self.moves[own].iter().map(|(_, crossing)| *crossing).collect();
        Some(PastClasses { begins: Some(self.begins), settled: self.settled[place].1.classes, crossings })
    }
}
