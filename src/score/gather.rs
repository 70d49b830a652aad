//! Very many orders become the facts of each customer: on all processors, each of which takes the customers that fall to it.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use rayon::prelude::*;

use super::days::Days;
use super::habit::Purchases;
use crate::base::id::Id;
use crate::base::money::Cents;
use crate::base::time::{UnixMs, Zone};
use crate::model::score::{OrderFacts, PaidOrder};

/// Fewer orders are not worth a thread each.
const WORTH_IT: usize = 10_000;

/// By customer id; ids are ours, so nobody chooses them to collide.
pub(super) type ById<T> = HashMap<Id, T, BuildHasherDefault<Spread>>;

/// Spreads ids that follow one another.
#[derive(Clone, Copy, Default)]
pub(super) struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }

    fn write_i64(&mut self, number: i64) {
        self.write_u64(number.cast_unsigned());
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// What is known of each customer with one of these orders, which come in the order of time; customers by id, with room for so many at least.
pub(super) fn gather(orders: &[PaidOrder], zone: Zone, room: usize) -> (Vec<OrderFacts>, Vec<Purchases>) {
    let processors = rayon::current_num_threads().min(orders.len() / WORTH_IT).max(1);
    // Each takes a range of ids that about as many orders fall into, by the look of a thousand of them.
    let mut sample: Vec<Id> = orders.iter().step_by((orders.len() / 1_000).max(1)).map(|order| order.customer_id).collect();
    sample.sort_unstable();
    let begin = |part: usize| if part == 0 { None } else { sample.get(part * sample.len() / processors).copied() };
    let range = |part: usize| (begin(part), if part + 1 == processors { None } else { begin(part + 1) });
    let parts: Vec<_> = (0..processors).into_par_iter().map(|part| gather_part(orders, zone, range(part))).collect();
    let room = room.max(parts.iter().map(|(facts, _)| facts.len()).sum());
    let mut parts = parts.into_iter();
    let (mut facts, mut purchases) = parts.next().unwrap_or_default();
    facts.reserve_exact(room.saturating_sub(facts.len()));
    purchases.reserve_exact(room.saturating_sub(purchases.len()));
    for (more_facts, more_purchases) in parts {
        facts.extend(more_facts);
        purchases.extend(more_purchases);
    }
    (facts, purchases)
}

/// The customers of one processor: whose ids are not below the first and below the second.
fn gather_part(orders: &[PaidOrder], zone: Zone, (from, to): (Option<Id>, Option<Id>)) -> (Vec<OrderFacts>, Vec<Purchases>) {
    let is_mine = |id: Id| from.is_none_or(|from| id >= from) && to.is_none_or(|to| id < to);
    let mine = || orders.iter().filter(|order| is_mine(order.customer_id));
    // How many orders each customer has, and who has which. Every look at a customer is one into far memory, so what is needed together stands together.
    let (mut found, mut owners) = (ById::<(u32, u32)>::default(), Vec::with_capacity(mine().count()));
    for order in mine() {
        let next = u32::try_from(found.len()).unwrap_or(u32::MAX);
        let (owner, count) = found.entry(order.customer_id).or_insert((next, 0));
        *count += 1;
        owners.push(*owner);
    }
    let mut customers: Vec<(Id, u32, u32)> = found.into_iter().map(|(id, (owner, count))| (id, owner, count)).collect();
    customers.sort_unstable_by_key(|(id, ..)| *id);
    // Each customer's orders side by side, customers by id, in the order of time; and the margin.
    let (mut places, mut begin) = (vec![(0, 0_i64); customers.len()], 0);
    for (_, owner, count) in &customers {
        places[*owner as usize].0 = begin;
        begin += *count as usize;
    }
    let mut sorted = vec![(UnixMs(0), Cents(0)); owners.len()];
    for (order, owner) in mine().zip(&owners) {
        let (place, margin) = &mut places[*owner as usize];
        sorted[*place] = (order.at, order.revenue);
        *place += 1;
        *margin = margin.saturating_add(order.margin.0);
    }
    drop(owners);
    let (mut days, mut rest) = (Days::new(zone), sorted.as_slice());
    let facts_of = |(customer_id, owner, count): (Id, u32, u32)| {
        let (orders, others) = rest.split_at(count as usize);
        rest = others;
        let purchases = Purchases::of(orders, &mut days);
        let facts = OrderFacts {
            customer_id,
            orders: count.into(),
            revenue: Cents(orders.iter().fold(0, |sum: i64, (_, revenue)| sum.saturating_add(revenue.0))),
            margin: Cents(places[owner as usize].1),
            first_order_at: orders.first().map_or(UnixMs(0), |first| first.0),
            last_order_at: orders.last().map_or(UnixMs(0), |last| last.0),
            habit: purchases.habit(),
        };
        (facts, purchases)
    };
    customers.into_iter().map(facts_of).unzip()
}
