//! What a replay has found so far: counts, and whom it reached.

use chrono::NaiveDate;

use super::people::Arm;
use super::run::{Made, What};
use super::{Backtest, Bought, Day, People};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::decision::Refusal;
use crate::model::facts::Facts;
use crate::model::rule::RuleSpec;
use crate::model::score::PaidOrder;

/// What a replay has found so far.
pub(super) struct Found {
    pub(super) backtest: Backtest,
    /// How often each customer was reached: once, or more.
    times: Vec<u8>,
    buyers: Option<Buyers>,
}

impl Found {
    /// Nothing yet of a rule that runs so often, about these customers with these orders, which come in the order of time.
    pub(super) fn new(spec: &RuleSpec, (from, to): (NaiveDate, NaiveDate), runs: usize, ids: &[Id], orders: &[PaidOrder]) -> Self {
        let backtest = Backtest {
            rule: spec.name.clone(),
            hash: spec.hash.clone(),
            from,
            to,
            runs,
            days: from.iter_days().take_while(|day| *day <= to).map(|date| Day { date, ..Day::default() }).collect(),
            people: People::of(spec.variants.iter().map(|variant| variant.name.clone()).collect()),
            winner: spec.winner.is_some(),
            ..Backtest::default()
        };
        Self { backtest, times: vec![0; ids.len()], buyers: spec.goal.is_some().then(|| Buyers::of(ids, orders)) }
    }

    /// Counts a run: what was decided, and whom a gate had stopped before.
    pub(super) fn run(&mut self, date: NaiveDate, made: &[Made], stopped: &[(u32, Refusal)]) {
        let mut day = Day { date, ..Day::default() };
        let mut refused = [0; Refusal::ALL.len()];
        for (_, reason) in stopped {
            refused[*reason as usize] += 1;
        }
        let found = &mut self.backtest;
        for one in made {
            match &one.what {
                What::Reached { arm, vouchers, voucher_cents, goal_until, .. } => {
                    match arm {
                        Arm::Variant(_) => day.sent += 1,
                        Arm::Control => day.control += 1,
                        Arm::Holdout => day.holdout += 1,
                    }
                    found.vouchers += *vouchers as usize;
                    found.voucher_exposure_cents = found.voucher_exposure_cents.saturating_add(*voucher_cents);
                    if let Some(times) = self.times.get_mut(one.place as usize) {
                        *times = times.saturating_add(1);
                    }
                    if let (Some(buyers), Some(until)) = (&mut self.buyers, goal_until) {
                        buyers.window(one.place as usize, one.effective_at, *until);
                    }
                }
                What::Stopped(reason) => refused[*reason as usize] += 1,
                What::Failed(sentence) => {
                    refused[Refusal::RuleFailed as usize] += 1;
                    found.failure.get_or_insert_with(|| sentence.clone().into());
                }
            }
        }
        found.people.run(date, made.iter().filter_map(Made::reached));
        for (reason, count) in Refusal::ALL.into_iter().zip(refused).filter(|(_, count)| *count > 0) {
            *found.refused.entry(reason.code()).or_default() += count;
            day.refused += count;
        }
        if let Ok(place) = found.days.binary_search_by_key(&date, |day| day.date) {
            found.days[place].add(&day);
        }
    }

    /// All of it; the names are those of the people it was about.
    pub(super) fn ended(mut self, people: Vec<Facts>) -> Backtest {
        self.backtest.repeated = self.times.iter().filter(|times| **times > 1).count();
        self.backtest.bought_anyway = self.buyers.map(|buyers| buyers.bought);
        self.backtest.people.name(people.into_iter().map(|facts| facts.customer.external_id).collect());
        self.backtest
    }
}

/// When each customer ordered, and what came of the windows after messages so far.
struct Buyers {
    /// Where the orders of each customer begin.
    begins: Vec<u32>,
    /// Of one customer after the other, in the order of time.
    orders: Vec<UnixMs>,
    history_ends: UnixMs,
    bought: Bought,
}

impl Buyers {
    fn of(ids: &[Id], orders: &[PaidOrder]) -> Self {
        let place = |order: &PaidOrder| ids.binary_search(&order.customer_id).ok();
        // Counted first, then put side by side: half a million orders take four megabytes.
        let mut begins = vec![0_u32; ids.len() + 1];
        for place in orders.iter().filter_map(place) {
            begins[place + 1] += 1;
        }
        for place in 1..begins.len() {
            begins[place] += begins[place - 1];
        }
        let mut next = begins.clone();
        let mut sorted = vec![UnixMs(0); begins.last().map_or(0, |all| *all as usize)];
        for order in orders {
            if let Some(place) = place(order) {
                sorted[next[place] as usize] = order.at;
                next[place] += 1;
            }
        }
        let history_ends = orders.last().map_or(UnixMs(i64::MIN), |order| order.at);
        Self { begins, orders: sorted, history_ends, bought: Bought::default() }
    }

    /// Counts the window of somebody who was reached.
    fn window(&mut self, place: usize, after: UnixMs, until: UnixMs) {
        let own = match self.begins.get(place..place + 2) {
            Some(&[begin, end]) => &self.orders[begin as usize..end as usize],
            _ => &[],
        };
        let next = own.get(own.partition_point(|at| *at <= after));
        self.bought.reached += 1;
        self.bought.bought += usize::from(next.is_some_and(|at| *at <= until));
        self.bought.open += usize::from(until > self.history_ends);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::money::Cents;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn windows_are_counted_as_a_look_through_all_orders_counts_them(
            orders in prop::collection::vec((0i64..50, 0i64..9), 0..40),
            windows in prop::collection::vec((0usize..5, 0i64..50, 0i64..20), 0..20),
        ) {
            // Customer 8 and others are not among those whom the replay is about.
            let ids = [1, 2, 4, 5, 7].map(Id);
            let order = |(at, id): (i64, i64)| PaidOrder { customer_id: Id(id), at: UnixMs(at), revenue: Cents(1), margin: Cents(0) };
            let mut orders: Vec<PaidOrder> = orders.into_iter().map(order).collect();
            orders.sort_by_key(|order| order.at);
            let (mut buyers, mut expected) = (Buyers::of(&ids, &orders), Bought::default());
            for (place, after, days) in windows {
                let (after, until) = (UnixMs(after), UnixMs(after + days));
                buyers.window(place, after, until);
                expected.reached += 1;
                expected.bought += usize::from(orders.iter().any(|order| order.customer_id == ids[place] && order.at > after && order.at <= until));
                expected.open += usize::from(orders.last().is_none_or(|last| until > last.at));
            }
            prop_assert_eq!(buyers.bought, expected);
        }
    }

    #[test]
    fn a_reason_stands_at_its_place_among_all() {
        assert!(Refusal::ALL.iter().enumerate().all(|(place, reason)| *reason as usize == place));
    }
}
