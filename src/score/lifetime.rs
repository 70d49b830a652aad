//! The outlook of a shop's customers: BG/NBD and Gamma-Gamma fitted to all of them, where there are enough, and what they say of each.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::bgnbd::{BgNbd, Buyer};
use super::clv::discounted;
use super::gamma_gamma::{GammaGamma, spent_alike, units};
use super::parallel::in_parts;
use super::rank::count;
use super::{bgnbd_fit, gamma_gamma};
use crate::base::money::Cents;
use crate::model::outlook::{Habit, Outlook};

/// Fewer customers who came back than this tell little about the others.
const LEAST_REPEATERS: i64 = 30;
/// A shop that is younger than so many days does not show who stays away.
const LEAST_DAYS: i64 = 90;
/// Months of the lifetime value, of 30 days each, as the field's software counts them; then the year of the orders.
const MONTHS: usize = 12;
const TIMES: [f64; MONTHS + 1] = [30.0, 60.0, 90.0, 120.0, 150.0, 180.0, 210.0, 240.0, 270.0, 300.0, 330.0, 360.0, 365.0];

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Thin {
    /// So many came back.
    #[error("{0} customers bought on a second day, {LEAST_REPEATERS} are needed")]
    Repeaters(i64),
    /// The first order is so many days old.
    #[error("the first order is {0} days ago, {LEAST_DAYS} are needed")]
    Days(i64),
    /// The likelihood has no clear maximum.
    #[error("the orders do not tell which parameters fit best")]
    NoMaximum,
    /// The order values have no mean (q ≤ 1).
    #[error("order values vary so much that they have no mean")]
    NoMean,
}

/// A fitted model.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fitted<M> {
    /// Its parameters.
    pub model: M,
    /// The logarithm of their likelihood.
    pub log_likelihood: f64,
    /// Customers that it was fitted to.
    pub customers: i64,
}

/// What is known about everybody.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lifetime {
    /// How often they buy and when they leave; unit: days.
    pub buying: Result<Fitted<BgNbd>, Thin>,
    /// What they spend; unit: the currency, not cents.
    pub spending: Result<Fitted<GammaGamma>, Thin>,
}

/// What a model is told of a customer: habit, calendar days since the last and since the first order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) habit: Habit,
    pub(super) recency_days: i64,
    pub(super) tenure_days: i64,
}

impl Known {
    fn repeats(&self) -> u32 {
        u32::try_from(self.habit.purchase_days - 1).unwrap_or(0)
    }

    /// From the first to the last purchase day, and from the first to today.
    fn times(&self) -> (u32, u32) {
        let days = |days: i64| u32::try_from(days).unwrap_or(0);
        (days(self.tenure_days - self.recency_days), days(self.tenure_days))
    }

    fn buyer(&self) -> Buyer {
        let (recency, age) = self.times();
        Buyer { repeats: self.repeats(), recency: recency.into(), age: age.into() }
    }
}

/// Those who came back.
fn repeaters(customers: &[Known]) -> impl Iterator<Item = &Known> {
    customers.iter().filter(|known| known.repeats() > 0)
}

/// Whether there are enough of them, and for long enough.
fn enough(customers: &[Known]) -> Result<(), Thin> {
    let days = customers.iter().map(|known| known.tenure_days).max().unwrap_or(0);
    match count(repeaters(customers).count()) {
        few if few < LEAST_REPEATERS => Err(Thin::Repeaters(few)),
        _ if days < LEAST_DAYS => Err(Thin::Days(days)),
        _ => Ok(()),
    }
}

/// Fits how often customers buy and when they leave.
fn buying(customers: &[Known]) -> Result<Fitted<BgNbd>, Thin> {
    enough(customers)?;
    let histories = customers.iter().map(|known| {
        let (recency, age) = known.times();
        (known.repeats(), recency, age)
    });
    let (model, log_likelihood) = bgnbd_fit::fit(bgnbd_fit::alike(histories)).ok_or(Thin::NoMaximum)?;
    Ok(Fitted { model, log_likelihood, customers: count(customers.len()) })
}

/// The chance that a customer is still there; and the churn risk, of those who came back.
fn alive(model: &BgNbd, known: &Known) -> (f64, Option<i64>) {
    let p_alive = model.p_alive(&known.buyer());
    (p_alive, if known.repeats() > 0 { whole((1.0 - p_alive) * 10_000.0) } else { None })
}

/// Everybody's rhythm and churn risk, without the rest of the outlook: a third of the time.
pub(super) fn churn_risks(customers: &[Known]) -> Vec<Outlook> {
    let fitted = buying(customers);
    let outlook = |known: &Known| Outlook { churn_risk_e2: fitted.ok().and_then(|fitted| alive(&fitted.model, known).1), ..rhythm(known) };
    in_parts(customers, 4_096, |customers| customers.iter().map(outlook).collect::<Vec<_>>()).into_iter().flatten().collect()
}

impl Lifetime {
    /// Fits both models. A million customers take about half a second on two cores.
    pub(super) fn fit(customers: &[Known]) -> Self {
        let buying = buying(customers);
        let spending = enough(customers).and_then(|()| {
            let spent = || repeaters(customers).map(|known| (known.repeats(), known.habit.repeat_revenue.0)).filter(|(_, cents)| *cents > 0);
            let payers = count(spent().count());
            if payers < LEAST_REPEATERS {
                return Err(Thin::Repeaters(payers));
            }
            let (model, log_likelihood) = gamma_gamma::fit(spent_alike(spent())).ok_or(Thin::NoMaximum)?;
            model.mean().ok_or(Thin::NoMean)?;
            Ok(Fitted { model, log_likelihood, customers: payers })
        });
        Self { buying, spending }
    }

    /// What is ahead of a customer with so many repeats and days since the first order, if they are still there: orders in 365 days, and orders of twelve months as
    /// if all came today. `percent`: what a month's waiting takes from an order.
    pub(super) fn ahead(&self, repeats: u32, age: u32, percent: i64) -> Option<Ahead> {
        let expected = self.buying.ok()?.model.expected_if_alive(repeats, age.into(), &TIMES)?;
        let discount = f64::from(i32::try_from(percent).unwrap_or(0)) / 100.0;
        Some(Ahead { orders: expected[MONTHS], orders_today: discounted(&expected[..MONTHS], 1.0, discount) })
    }

    /// The outlook of one customer.
    pub(super) fn outlook(&self, known: &Known, ahead: Option<Ahead>) -> Outlook {
        let alive = self.buying.ok().map(|fitted| alive(&fitted.model, known));
        let value = self.value(known);
        let both = alive.map(|(p_alive, _)| p_alive).zip(ahead);
        Outlook {
            churn_risk_e2: alive.and_then(|(_, risk)| risk),
            expected_orders_365_e4: both.and_then(|(p_alive, ahead)| whole(ahead.orders * p_alive * 10_000.0)),
            expected_order_value: value.and_then(|value| whole(value * 100.0)).map(Cents),
            clv_12m: both.zip(value).and_then(|((p_alive, ahead), value)| whole(ahead.orders_today * p_alive * value * 100.0)).map(Cents),
            ..rhythm(known)
        }
    }

    /// The same without the others'.
    pub(super) fn outlook_alone(&self, known: &Known, percent: i64) -> Outlook {
        self.outlook(known, self.ahead(known.repeats(), known.times().1, percent))
    }

    /// What a purchase day brings, in units of the currency.
    fn value(&self, known: &Known) -> Option<f64> {
        // Refunds may have left less than nothing; the model is about payments.
        self.spending.ok()?.model.expected(known.repeats(), units(known.habit.repeat_revenue.0.max(0)))
    }
}

/// What is ahead of somebody who still buys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ahead {
    orders: f64,
    orders_today: f64,
}

/// Everybody's outlook, in the order of the customers; the models are asked once for all with the same number of purchases and the same age.
pub(super) fn outlooks(lifetime: &Lifetime, customers: &[Known], percent: i64) -> Vec<Outlook> {
    let mut keys: Vec<(u32, u32)> = customers.iter().map(|known| (known.repeats(), known.times().1)).collect();
    keys.sort_unstable();
    keys.dedup();
    let aheads = in_parts(&keys, 256, |keys| keys.iter().map(|key| (*key, lifetime.ahead(key.0, key.1, percent))).collect::<Vec<_>>());
    let aheads: HashMap<(u32, u32), Option<Ahead>> = aheads.into_iter().flatten().collect();
    let outlook = |known: &Known| lifetime.outlook(known, aheads.get(&(known.repeats(), known.times().1)).copied().flatten());
    in_parts(customers, 4_096, |customers| customers.iter().map(outlook).collect::<Vec<_>>()).into_iter().flatten().collect()
}

/// What a customer's own pauses say; no other customer matters.
pub(super) fn rhythm(known: &Known) -> Outlook {
    let typical_gap_e1 = known.habit.typical_gap_e1;
    Outlook { typical_gap_e1, next_order_in_days: typical_gap_e1.map(|gap| (gap + 5) / 10 - known.recency_days), ..Outlook::default() }
}

/// The nearest whole number, if it is one that is stored.
#[expect(clippy::cast_possible_truncation, reason = "checked to be far inside")]
fn whole(value: f64) -> Option<i64> {
    (value.abs() < 1e15).then(|| value.round() as i64)
}
