//! BG/NBD and Gamma-Gamma give the published figures, and those that other software found, on the CDNOW data; and whatever the data, a fit ends.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use proptest::prelude::*;
use serde_json::Value;
use stammgast::base::money::Cents;
use stammgast::score::bgnbd::{BgNbd, Buyer};
use stammgast::score::bgnbd_fit::{self, Alike, alike};
use stammgast::score::clv::discounted;
use stammgast::score::gamma_gamma::{self, GammaGamma, Spent};

const TRANSACTIONS: &str = include_str!("../../fixtures/cdnow/transactions.csv");
const GOLDEN: &str = include_str!("../../fixtures/btyd/golden.json");

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

#[track_caller]
fn near(found: f64, expected: f64, relative: f64, what: &str) {
    assert!((found - expected).abs() <= relative * expected.abs() + 1e-12, "{what}: {found} instead of {expected}");
}

fn bgnbd(of: &Value) -> BgNbd {
    BgNbd { r: number(&of["r"]), alpha: number(&of["alpha"]), a: number(&of["a"]), b: number(&of["b"]) }
}

/// A customer's summary.
#[derive(Clone, Copy)]
struct Customer {
    id: u32,
    buyer: Buyer,
    monetary: f64,
}

/// The summaries of all customers with orders up to `end`, in units of `days`.
fn summary(end: &str, days: f64) -> Vec<Customer> {
    let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap();
    let mut purchases: BTreeMap<u32, BTreeMap<NaiveDate, i64>> = BTreeMap::new();
    for row in csv::Reader::from_reader(TRANSACTIONS.as_bytes()).into_deserialize::<(u32, String, u32, String)>() {
        let (id, date, _, amount) = row.unwrap();
        if day(&date) <= day(end) {
            *purchases.entry(id).or_default().entry(day(&date)).or_default() += Cents::parse(&amount).unwrap().0;
        }
    }
    let customer = |(id, of): (u32, BTreeMap<NaiveDate, i64>)| {
        let (first, last) = (*of.keys().next().unwrap(), *of.keys().next_back().unwrap());
        let time = |until: NaiveDate| f64::from(i32::try_from((until - first).num_days()).unwrap()) / days;
        let repeats = u32::try_from(of.len() - 1).unwrap();
        let cents = f64::from(i32::try_from(of.values().skip(1).sum::<i64>()).unwrap());
        let monetary = if repeats == 0 { 0.0 } else { cents / 100.0 / f64::from(repeats) };
        Customer { id, buyer: Buyer { repeats, recency: time(last), age: time(day(end)) }, monetary }
    };
    purchases.into_iter().map(customer).collect()
}

fn cases() -> Vec<(Value, Vec<Customer>)> {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let two_decimals = |value: f64| (value * 100.0).round() / 100.0;
    let rounded = |customer: Customer| {
        let Buyer { repeats, recency, age } = customer.buyer;
        let buyer = Buyer { repeats, recency: two_decimals(recency), age: two_decimals(age) };
        Customer { buyer, monetary: two_decimals(customer.monetary), ..customer }
    };
    let weeks = summary("1997-09-30", 7.0);
    let published = weeks.iter().copied().map(rounded).collect();
    let summaries = [published, weeks, summary("1998-06-30", 1.0), summary("1997-06-30", 1.0)];
    golden["cases"].as_array().unwrap().iter().cloned().zip(summaries).collect()
}

fn fitted(customers: &[Customer]) -> ((BgNbd, f64), (GammaGamma, f64)) {
    let groups = customers.iter().map(|customer| Alike { buyer: customer.buyer, people: 1.0 }).collect();
    let spent =
        |customer: &Customer| Spent { repeats: customer.buyer.repeats, sum: customer.monetary * f64::from(customer.buyer.repeats), people: 1.0 };
    let spent = customers.iter().filter(|customer| customer.buyer.repeats > 0).map(spent).collect();
    (bgnbd_fit::fit(groups).unwrap(), gamma_gamma::fit(spent).unwrap())
}

/// Lifetime value of twelve months at 1 % each.
fn clv(buying: &BgNbd, spending: &GammaGamma, customer: &Customer, month: f64) -> f64 {
    let months: [f64; 12] = std::array::from_fn(|month| f64::from(u8::try_from(month).unwrap()) + 1.0).map(|count| count * month);
    let expected = buying.expected(&customer.buyer, &months).unwrap();
    discounted(&expected, value(spending, customer), 0.01)
}

fn value(spending: &GammaGamma, customer: &Customer) -> f64 {
    spending.expected(customer.buyer.repeats, customer.monetary * f64::from(customer.buyer.repeats)).unwrap()
}

#[test]
fn every_customer_of_june_1997_is_summed_up_as_by_others() {
    let text = include_str!("../../fixtures/btyd/summary_P4_days.csv");
    let rows: Vec<BTreeMap<String, f64>> = csv::Reader::from_reader(text.as_bytes()).into_deserialize().collect::<Result<_, _>>().unwrap();
    let customers = summary("1997-06-30", 1.0);
    assert_eq!((rows.len(), customers.len()), (2357, 2357));
    for (customer, row) in customers.iter().zip(&rows) {
        assert_eq!((f64::from(customer.id), f64::from(customer.buyer.repeats)), (row["customer_id"], row["frequency"]));
        for (found, column) in [(customer.buyer.recency, "recency"), (customer.buyer.age, "T"), (customer.monetary, "monetary_value")] {
            near(found, row[column], 1e-8, column);
        }
    }
}

#[test]
fn the_fits_of_all_four_cases_are_the_most_likely_ones() {
    for (case, customers) in cases() {
        let name = case["name"].as_str().unwrap();
        let ((buying, buying_likelihood), (spending, spending_likelihood)) = fitted(&customers);
        let (exact, exact_values) = (&case["bgnbd_fits"][0], &case["gammagamma_fits"][0]);
        assert!(buying_likelihood >= number(&exact["exact_loglik"]) - 0.001, "{name}: {buying_likelihood}");
        let own: f64 = customers.iter().map(|customer| buying.log_likelihood(&customer.buyer)).sum();
        near(own, buying_likelihood, 1e-10, "the sum over customers");
        for (key, found) in [("r", buying.r), ("alpha", buying.alpha), ("a", buying.a), ("b", buying.b)] {
            near(found, number(&exact["exact_params"][key]), 1e-6, &format!("{name} {key}"));
        }
        // In P1 the amounts are rounded to cents, .5 this way or that.
        assert!(spending_likelihood >= number(&exact_values["exact_loglik"]) - 0.001, "{name}: {spending_likelihood}");
        let tolerance = if name.starts_with("P1") { 1e-4 } else { 1e-6 };
        for (key, found) in [("p", spending.p), ("q", spending.q), ("v", spending.v)] {
            near(found, number(&exact_values["exact_params"][key]), tolerance, &format!("{name} {key}"));
        }
        near(spending.mean().unwrap(), number(&case["gammagamma_population_mean_exact"]), 1e-4, name);
        let (repeaters, repeats) = (customers.iter().filter(|c| c.buyer.repeats > 0).count(), customers.iter().map(|c| c.buyer.repeats).sum::<u32>());
        assert_eq!(
            (repeaters, i64::from(repeats)),
            (usize::try_from(case["n_repeat_customers"].as_u64().unwrap()).unwrap(), case["sum_frequency"].as_i64().unwrap())
        );
    }
}

#[test]
fn the_figures_of_the_paper_come_out() {
    let ((buying, likelihood), (spending, _)) = fitted(&cases()[0].1);
    for (found, published, half_a_digit) in [
        (buying.r, 0.243, 0.0005),
        (buying.alpha, 4.414, 0.001),
        (buying.a, 0.793, 0.0005),
        (buying.b, 2.426, 0.001),
        (likelihood, -9582.4, 0.05),
        (spending.p, 6.25, 0.005),
        (spending.q, 3.74, 0.01),
        (spending.v, 15.44, 0.02),
        (buying.expected(&Buyer { repeats: 2, recency: 30.43, age: 38.86 }, &[39.0]).unwrap()[0], 1.226, 0.0005),
    ] {
        assert!((found - published).abs() <= half_a_digit, "{found} instead of {published}");
    }
}

#[test]
fn sample_customers_and_totals_of_all_four_cases_are_predicted_as_by_others() {
    for (case, customers) in cases() {
        let exact = (bgnbd(&case["bgnbd_fits"][0]["exact_params"]), &case["gammagamma_fits"][0]["exact_params"]);
        let exact = (exact.0, GammaGamma { p: number(&exact.1["p"]), q: number(&exact.1["q"]), v: number(&exact.1["v"]) });
        let ((buying, _), (spending, _)) = fitted(&customers);
        let month = number(&case["clv"]["month_length_in_units"]);
        for ((buying, spending), relative, clv_relative) in [(exact, 1e-6, 1e-6), ((buying, spending), 1e-3, 2e-3)] {
            for sample in case["sample_customers"].as_array().unwrap() {
                let customer = Customer {
                    id: 0,
                    buyer: Buyer {
                        repeats: u32::try_from(sample["frequency"].as_u64().unwrap()).unwrap(),
                        recency: number(&sample["recency"]),
                        age: number(&sample["T"]),
                    },
                    monetary: number(&sample["monetary_value"]),
                };
                for (key, expected) in sample.as_object().unwrap() {
                    if let Some(time) = key.strip_prefix("expected_purchases_t").and_then(|rest| rest.strip_suffix("_exact")) {
                        near(buying.expected(&customer.buyer, &[time.parse().unwrap()]).unwrap()[0], number(expected), relative, key);
                    }
                }
                near(buying.p_alive(&customer.buyer), number(&sample["p_alive_exact"]), relative, "p_alive");
                near(value(&spending, &customer), number(&sample["expected_avg_value_exact"]), relative, "expected value");
                near(clv(&buying, &spending, &customer, month), number(&sample["clv12_exact"]), clv_relative, "clv");
            }
            for (time, expected) in case["expected_purchases_new_customer"].as_object().unwrap() {
                let newcomer = Buyer { repeats: 0, recency: 0.0, age: 0.0 };
                near(buying.expected(&newcomer, &[time.parse().unwrap()]).unwrap()[0], number(&expected["exact"]), relative, "newcomer");
            }
            let mut clvs: Vec<(f64, u32)> = customers.iter().map(|customer| (clv(&buying, &spending, customer, month), customer.id)).collect();
            near(clvs.iter().map(|(clv, _)| clv).sum(), number(&case["clv"]["total_exact"]), clv_relative.max(1e-5), "total");
            clvs.sort_by(|a, b| b.0.total_cmp(&a.0));
            let best: Vec<u32> = clvs.iter().take(10).map(|(_, id)| *id).collect();
            assert_eq!(serde_json::json!(best), case["clv"]["top10_customer_ids_exact"]);
            if let Some(holdout) = case.get("holdout") {
                let time = if case["time_unit"] == "week" { 39.0 } else { 273.0 };
                let total = customers.iter().map(|customer| buying.expected(&customer.buyer, &[time]).unwrap()[0]).sum::<f64>();
                near(total, number(&holdout["predicted_total"]), relative, "holdout");
            }
        }
    }
}

#[test]
fn every_customer_is_predicted_as_by_others() {
    let cases = cases();
    for (text, place, time, month) in [
        (include_str!("../../fixtures/btyd/per_customer_P2_weeks.csv"), 1, "39", 4.345),
        (include_str!("../../fixtures/btyd/per_customer_P3_days.csv"), 2, "273", 30.0),
    ] {
        let (case, customers) = &cases[place];
        let (exact, values) = (bgnbd(&case["bgnbd_fits"][0]["exact_params"]), &case["gammagamma_fits"][0]["exact_params"]);
        let values = GammaGamma { p: number(&values["p"]), q: number(&values["q"]), v: number(&values["v"]) };
        let ((own, _), (own_values, _)) = fitted(customers);
        let rows: Vec<BTreeMap<String, f64>> = csv::Reader::from_reader(text.as_bytes()).into_deserialize().collect::<Result<_, _>>().unwrap();
        assert_eq!((rows.len(), customers.len()), (2357, 2357));
        for (customer, row) in customers.iter().zip(&rows) {
            assert_eq!((f64::from(customer.id), f64::from(customer.buyer.repeats)), (row["customer_id"], row["frequency"]));
            for (found, column) in [(customer.buyer.recency, "recency"), (customer.buyer.age, "T"), (customer.monetary, "monetary_value")] {
                near(found, row[column], 1e-8, column);
            }
            for ((buying, spending), relative, clv_relative) in [((exact, values), 1e-6, 1e-6), ((own, own_values), 1e-3, 2e-3)] {
                near(buying.p_alive(&customer.buyer), row["p_alive"], relative, "p_alive");
                let expected = buying.expected(&customer.buyer, &[time.parse().unwrap()]).unwrap()[0];
                near(expected, row[&format!("expected_purchases_t{time}")], relative, "expected");
                near(value(&spending, customer), row["expected_avg_value"], relative, "value");
                near(clv(&buying, &spending, customer, month), row["clv12"], clv_relative, "clv");
            }
        }
    }
}

#[test]
fn awkward_customers_get_the_figures_of_a_hundred_digits() {
    let cases: Value = serde_json::from_str(include_str!("../../fixtures/btyd/hard_cases.json")).unwrap();
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 20);
    for case in cases {
        let label = case["label"].as_str().unwrap();
        let model = bgnbd(case);
        let repeats = u32::try_from(case["x"].as_u64().unwrap()).unwrap();
        let buyer = Buyer { repeats, recency: number(&case["t_x"]), age: number(&case["T"]) };
        // Far below 1e-12 too: the tolerance there would accept a zero.
        let exactly =
            |found: f64, expected: f64| assert!((found - expected).abs() <= 1e-9 * expected.abs(), "{label}: {found} instead of {expected}");
        exactly(model.p_alive(&buyer), number(&case["p_alive"]));
        exactly(model.expected(&buyer, &[number(&case["t"])]).unwrap()[0], number(&case["expected_purchases"]));
        assert!((model.log_likelihood(&buyer) - number(&case["loglik"])).abs() <= 1e-8, "{label}");
    }
}

#[test]
fn several_times_at_once_are_what_each_is_alone_and_sums_beyond_all_numbers_settle() {
    let model = BgNbd { r: 0.243, alpha: 4.414, a: 0.793, b: 2.426 };
    for (repeats, age) in [(0, 0.0), (3, 38.0), (900, 40.0), (5_000, 30.0)] {
        let times = [1.0, 39.0, 400.0];
        let together = model.expected_if_alive(repeats, age, &times).unwrap();
        for (time, found) in times.iter().zip(together) {
            near(found, model.expected_if_alive(repeats, age, &[*time]).unwrap()[0], 1e-9, "alone");
        }
        assert!(together.is_sorted() && together[0] > 0.0 && together[2].is_finite());
    }
    assert_eq!(BgNbd { alpha: 1e-9, ..model }.expected_if_alive(0, 0.0, &[365.0]), None, "it does not settle, and says so in a bounded time");
}

#[test]
fn a_fit_says_nothing_where_there_is_no_clear_maximum() {
    let group = |repeats, recency, age| Alike { buyer: Buyer { repeats, recency, age }, people: 50.0 };
    assert_eq!(bgnbd_fit::fit(vec![]), None);
    assert_eq!(bgnbd_fit::fit(vec![group(0, 0.0, 90.0), group(0, 0.0, 10.0)]), None, "nobody came back");
    assert_eq!(bgnbd_fit::fit(vec![group(0, 0.0, 0.0)]), None, "everybody is new today");
    assert_eq!(gamma_gamma::fit(vec![]), None);
    let same = |repeats: u32| Spent { repeats, sum: 20.0 * f64::from(repeats), people: 50.0 };
    assert_eq!(gamma_gamma::fit(vec![same(1), same(2), same(7)]), None, "everybody always pays the same");
    let heavy = GammaGamma { p: 2.0, q: 1.0, v: 10.0 };
    assert_eq!((heavy.mean(), heavy.expected(3, 60.0)), (None, None), "a mean that does not exist");
}

fn histories() -> impl Strategy<Value = Vec<(u32, u32, u32)>> {
    let one = (0u32..12, 0u32..=1000, 0u32..800).prop_map(|(repeats, part, age)| {
        let repeats = repeats.min(age);
        (repeats, if repeats == 0 { 0 } else { (age * part / 1000).max(repeats) }, age)
    });
    proptest::collection::vec(one, 0..80)
}

proptest! {
    #[test]
    fn whatever_they_bought_a_fit_is_finite_and_better_than_its_neighbours(histories in histories()) {
        let groups = alike(histories.iter().copied());
        let people = f64::from(u32::try_from(histories.len()).unwrap());
        prop_assert!((groups.iter().map(|group| group.people).sum::<f64>() - people).abs() < 0.5);
        let mut backwards = groups.clone();
        backwards.reverse();
        let fit = bgnbd_fit::fit(groups.clone());
        prop_assert_eq!(fit, bgnbd_fit::fit(backwards));
        if let Some((model, likelihood)) = fit {
            let of = |model: &BgNbd| groups.iter().map(|group| group.people * model.log_likelihood(&group.buyer)).sum::<f64>();
            prop_assert!((of(&model) - likelihood).abs() <= 1e-7 * likelihood.abs().max(1.0));
            for factor in [0.99, 1.01] {
                for other in [
                    BgNbd { r: model.r * factor, ..model },
                    BgNbd { alpha: model.alpha * factor, ..model },
                    BgNbd { a: model.a * factor, ..model },
                    BgNbd { b: model.b * factor, ..model },
                ] {
                    prop_assert!(of(&other) <= likelihood + 2e-5 + 1e-9 * likelihood.abs(), "{:?} is better than {:?}", other, model);
                }
            }
            for group in &groups {
                let (p_alive, expected) = (model.p_alive(&group.buyer), model.expected(&group.buyer, &[30.0, 365.0]));
                prop_assert!((0.0..=1.0).contains(&p_alive));
                if let Some([month, year]) = expected {
                    prop_assert!(month >= 0.0 && year >= month && year.is_finite(), "{:?}", expected);
                }
            }
        }
    }

    #[test]
    fn whatever_they_spent_a_fit_is_finite(amounts in proptest::collection::vec((1u32..9, -100i64..100_000), 0..60)) {
        let spent = gamma_gamma::spent_alike(amounts.iter().copied());
        if let Some((model, likelihood)) = gamma_gamma::fit(spent) {
            prop_assert!(likelihood.is_finite() && model.p > 0.0 && model.q > 0.0 && model.v > 0.0);
            if let Some(mean) = model.mean() {
                prop_assert!(mean > 0.0 && model.expected(3, 60.0).unwrap() > 0.0);
            }
        }
    }
}
