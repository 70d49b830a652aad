//! Order facts that grow with time: what a replay needs, day by day, without adding everything up anew.

use super::days::Days;
use super::gather::{ById, gather};
use super::habit::Purchases;
use crate::base::money::Cents;
use crate::base::time::{UnixMs, Zone};
use crate::model::score::{OrderFacts, PaidOrder};

/// Orders in the order of time, and the facts of those up to a moment.
#[derive(Debug)]
pub struct OrderBook {
    orders: Vec<PaidOrder>,
    next: usize,
    facts: Vec<OrderFacts>,
    /// Of the customers at the same places.
    purchases: Vec<Purchases>,
    places: ById<usize>,
    /// For so many customers at least.
    room: usize,
    zone: Zone,
    days: Days,
}

impl OrderBook {
    /// Before the first of `orders`, which come in the order of time; days are calendar days in `zone`.
    #[must_use]
    pub fn new(orders: Vec<PaidOrder>, zone: Zone) -> Self {
        Self { orders, next: 0, facts: Vec::new(), purchases: Vec::new(), places: ById::default(), room: 0, zone, days: Days::new(zone) }
    }

    /// Has room for so many customers from the beginning: growing would hold most of them twice.
    #[must_use]
    pub fn with_room(self, customers: usize) -> Self {
        Self { room: customers, ..self }
    }

    /// The facts of everybody with orders up to `until`, which never goes back. Customers keep their place, newcomers follow.
    pub fn advance(&mut self, until: UnixMs) -> &[OrderFacts] {
        if self.next == 0 {
            self.next = self.orders.partition_point(|order| order.at <= until);
            (self.facts, self.purchases) = gather(&self.orders[..self.next], self.zone, self.room);
            self.places.reserve(self.room.max(self.facts.len()));
            self.places.extend(self.facts.iter().map(|facts| facts.customer_id).zip(0..));
        }
        while let Some(order) = self.orders.get(self.next).filter(|order| order.at <= until) {
            self.next += 1;
            let place = *self.places.entry(order.customer_id).or_insert(self.facts.len());
            if place == self.purchases.len() {
                self.purchases.push(Purchases::default());
            }
            let purchases = &mut self.purchases[place];
            purchases.add(self.days.of(order.at), order.revenue);
            let habit = purchases.habit();
            match self.facts.get_mut(place) {
                Some(facts) => {
                    facts.orders += 1;
                    facts.revenue = Cents(facts.revenue.0.saturating_add(order.revenue.0));
                    facts.margin = Cents(facts.margin.0.saturating_add(order.margin.0));
                    facts.last_order_at = order.at;
                    facts.habit = habit;
                }
                None => self.facts.push(OrderFacts {
                    customer_id: order.customer_id,
                    orders: 1,
                    revenue: order.revenue,
                    margin: order.margin,
                    first_order_at: order.at,
                    last_order_at: order.at,
                    habit,
                }),
            }
        }
        &self.facts
    }
}
