//! Rhythm and lifetime value of customers: what they follow from, when they are unknown, and that every way to them says the same.

use std::collections::BTreeMap;

use proptest::prelude::*;
use stammgast::base::id::Id;
use stammgast::base::money::Cents;
use stammgast::base::time::{DAY_MS, UnixMs, Zone};
use stammgast::model::outlook::{Habit, Outlook};
use stammgast::model::score::{OrderFacts, PaidOrder, ScoreRules};
use stammgast::score::habit::Habits;
use stammgast::score::lifetime::Thin;
use stammgast::score::{Borders, Models, OrderBook, Wanted, compute, place};

use super::{AS_OF, default_rules, utc};

fn day(days_ago: i64, cents: i64) -> (UnixMs, Cents) {
    (AS_OF.plus(-days_ago * DAY_MS), Cents(cents))
}

fn facts(id: i64, orders: &[(UnixMs, Cents)]) -> OrderFacts {
    let mut orders = orders.to_vec();
    let habit = Habits::new(utc()).of(&mut orders);
    OrderFacts {
        customer_id: Id(id),
        orders: i64::try_from(orders.len()).unwrap(),
        revenue: Cents(orders.iter().map(|(_, cents)| cents.0).sum()),
        margin: Cents(0),
        first_order_at: orders[0].0,
        last_order_at: orders[orders.len() - 1].0,
        habit,
    }
}

/// A shop of a year and a half: customer n comes n % 6 + 1 times, every 7 to 26 days, some of them until today.
fn shop(people: i64) -> Vec<OrderFacts> {
    (1..=people)
        .map(|id| {
            let orders: Vec<_> = (0..=id % 6).map(|nth| day(id * 37 % 500 + nth * (7 + id * 13 % 20), 900 + id * 7 % 50 * 100 + nth * 150)).collect();
            facts(id, &orders)
        })
        .collect()
}

#[test]
fn orders_of_one_day_are_one_purchase_and_the_rhythm_is_the_median_of_the_pauses() {
    let of = |orders: &[(UnixMs, Cents)]| Habits::new(utc()).of(&mut orders.to_vec());
    let expected = |purchase_days, repeat, typical_gap_e1| Habit { purchase_days, repeat_revenue: Cents(repeat), typical_gap_e1 };
    assert_eq!(of(&[day(9, 100)]), expected(1, 0, None));
    assert_eq!(of(&[day(9, 100), day(9, 50)]), expected(1, 0, None), "the same day");
    assert_eq!(of(&[day(2, 30), day(9, 100), (day(2, 0).0.plus(3_600_000), Cents(5))]), expected(2, 35, None), "one pause is no rhythm");
    assert_eq!(of(&[day(40, 1), day(30, 2), day(9, 4)]), expected(3, 6, Some(155)), "10 and 21 days");
    assert_eq!(of(&[day(400, 1), day(30, 2), day(20, 4), day(9, 8)]), expected(4, 14, Some(110)), "one long pause changes little");
    let berlin = Zone::parse("Europe/Berlin").unwrap();
    let late = berlin.parse_time("2026-03-28T23:30").unwrap();
    assert_eq!(
        Habits::new(berlin).of(&mut [(late, Cents(1)), (late.plus(3_600_000), Cents(2))]),
        expected(2, 2, None),
        "midnight of the shop lies between"
    );
}

#[test]
fn somebody_with_a_rhythm_is_due_or_late_and_without_one_nobody_knows() {
    let next =
        |orders: &[(UnixMs, Cents)]| compute(&[facts(1, orders)], AS_OF, utc(), &default_rules(), Wanted::ALL).scores[0].outlook.next_order_in_days;
    assert_eq!(next(&[day(24, 1), day(17, 1), day(10, 1)]), Some(-3), "every 7 days, the last one 10 days ago");
    assert_eq!(next(&[day(9, 1), day(2, 1), day(0, 1)]), Some(5), "4.5 is 5");
    assert_eq!(next(&[day(9, 1), day(2, 1)]), None);
}

#[test]
fn a_small_or_young_shop_gets_no_figures_but_a_reason() {
    let run = |facts: &[OrderFacts]| compute(facts, AS_OF, utc(), &default_rules(), Wanted::ALL);
    let few = run(&shop(30));
    assert_eq!(few.borders.lifetime.unwrap().buying.unwrap_err(), Thin::Repeaters(25));
    assert!(few.scores.iter().all(|score| Outlook { typical_gap_e1: None, next_order_in_days: None, ..score.outlook } == Outlook::default()));
    assert!(few.scores.iter().any(|score| score.outlook.next_order_in_days.is_some()), "a rhythm is the customer's own");
    let young: Vec<_> = (1..=60).map(|id| facts(id, &[day(id % 40 + 8, 100), day(id % 8, 200)])).collect();
    assert_eq!(run(&young).borders.lifetime.unwrap().spending.unwrap_err(), Thin::Days(47));
    let free: Vec<_> = (1..=60).map(|id| facts(id, &[day(id + 100, 0), day(id % 80, 0)])).collect();
    assert_eq!(run(&free).borders.lifetime.unwrap().spending.unwrap_err(), Thin::Repeaters(0), "nobody paid");
    assert_eq!(
        compute(&shop(300), AS_OF, utc(), &default_rules(), Wanted { lifetime: Models::Nothing, ..Wanted::ALL }).borders.lifetime,
        None,
        "nobody asked"
    );
    assert_eq!(run(&[]).borders.lifetime.unwrap().buying.unwrap_err(), Thin::Repeaters(0));
    let sentences = [Thin::Repeaters(25), Thin::Days(47), Thin::NoMaximum, Thin::NoMean].map(|thin| thin.to_string());
    assert_eq!(sentences[0], "25 customers bought on a second day, 30 are needed");
    assert_eq!(sentences[1], "the first order is 47 days ago, 90 are needed");
}

#[test]
fn what_waits_a_month_counts_less_and_who_bought_once_has_no_risk() {
    let run = |clv_discount_percent| compute(&shop(300), AS_OF, utc(), &ScoreRules { clv_discount_percent, ..default_rules() }, Wanted::ALL).scores;
    for (full, less) in run(0).iter().zip(run(20)) {
        let (Some(full_clv), Some(less_clv)) = (full.outlook.clv_12m, less.outlook.clv_12m) else { panic!("{full:?}") };
        assert!(full_clv.0 >= 0 && less_clv <= full_clv, "{full:?} {less:?}");
        assert_eq!(Outlook { clv_12m: None, ..full.outlook }, Outlook { clv_12m: None, ..less.outlook });
        assert_eq!(full.outlook.churn_risk_e2.is_some(), full.orders > 1);
        assert!(full.outlook.churn_risk_e2.is_none_or(|risk| (0..=10_000).contains(&risk)));
    }
}

#[test]
fn a_customer_who_is_placed_between_two_runs_is_expected_to_do_what_the_run_said() {
    let facts = shop(400);
    let run = compute(&facts, AS_OF, utc(), &default_rules(), Wanted::ALL);
    assert!(run.borders.lifetime.unwrap().spending.is_ok(), "{:?}", run.borders.lifetime);
    let json = serde_json::to_string(&run.borders).unwrap();
    let borders: Borders = serde_json::from_str(&json).unwrap();
    assert_eq!(borders, run.borders, "written and read it is the same to the last digit");
    for (full, facts) in run.scores.iter().zip(&facts) {
        assert_eq!(place(facts, AS_OF, utc(), &default_rules(), &borders).outlook, full.outlook);
    }
    let mut backwards = facts.clone();
    backwards.reverse();
    let mut scores = compute(&backwards, AS_OF, utc(), &default_rules(), Wanted::ALL).scores;
    scores.reverse();
    assert_eq!(scores, run.scores);
    let old: Borders = serde_json::from_str(&json.replace("\"lifetime\"", "\"not_there\"")).unwrap();
    assert_eq!(old.lifetime, None, "what an older version wrote");
}

proptest! {
    #[test]
    fn a_replay_counts_habits_as_a_look_at_all_orders_does(orders in proptest::collection::vec((1i64..6, 0i64..4_000, -500i64..5_000), 1..80), until in 0i64..4_000) {
        let berlin = Zone::parse("Europe/Berlin").unwrap();
        let at = |hours: i64| AS_OF.plus(hours * 3_600_000);
        let mut paid: Vec<PaidOrder> = orders
            .iter()
            .map(|&(id, hours, cents)| PaidOrder { customer_id: Id(id), at: at(hours), revenue: Cents(cents), margin: Cents(0) })
            .collect();
        paid.sort_by_key(|order| (order.at, order.revenue.0));
        let mut known: BTreeMap<Id, Vec<(UnixMs, Cents)>> = BTreeMap::new();
        for order in paid.iter().filter(|order| order.at <= at(until)) {
            known.entry(order.customer_id).or_default().push((order.at, order.revenue));
        }
        let mut order_book = OrderBook::new(paid, berlin);
        order_book.advance(at(until / 2));
        let found: BTreeMap<Id, Habit> = order_book.advance(at(until)).iter().map(|facts| (facts.customer_id, facts.habit)).collect();
        let expected: BTreeMap<Id, Habit> = known.into_iter().map(|(id, mut orders)| (id, Habits::new(berlin).of(&mut orders))).collect();
        prop_assert_eq!(found, expected);
    }
}

#[test]
fn a_replay_that_begins_late_knows_of_very_many_orders_what_one_knows_that_took_them_one_by_one() {
    let berlin = Zone::parse("Europe/Berlin").unwrap();
    // So many that several processors share them; several at the same moment, refunds, and ids far apart.
    let order = |n: i64| PaidOrder {
        customer_id: Id((n * 7_919 % 1_009 - 300) * 1_000_003),
        at: AS_OF.plus(n / 3 * 1_800_000),
        revenue: Cents(n * 31 % 9_000 - 50),
        margin: Cents(n % 700),
    };
    let orders: Vec<PaidOrder> = (0..40_000).map(order).collect();
    let (mut at_once, mut one_by_one) = (OrderBook::new(orders.clone(), berlin), OrderBook::new(orders, berlin));
    one_by_one.advance(AS_OF);
    let by_id = |facts: &[OrderFacts]| facts.iter().map(|facts| (facts.customer_id, *facts)).collect::<BTreeMap<_, _>>();
    for until in [AS_OF.plus(12_000 * 1_800_000), AS_OF.plus(14_000 * 1_800_000)] {
        let (found, expected) = (by_id(at_once.advance(until)), by_id(one_by_one.advance(until)));
        assert_eq!(found.len(), 1_009);
        assert_eq!(found, expected);
    }
}
