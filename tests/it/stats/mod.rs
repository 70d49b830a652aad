//! Tests of stats: the golden cases of statsmodels and scipy, and what holds for any counts.

use proptest::prelude::*;
use serde_json::Value;
use stammgast::stats::mean::{self, Sample};
use stammgast::stats::proportion::{self, Proportion};

fn cases(text: &str) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(cases.len() >= 7);
    cases
}

/// Equal to a relative 1e-6 or an absolute 1e-9, or both undefined.
fn same(found: Option<f64>, expected: &Value) -> bool {
    match (found, expected.as_f64()) {
        (Some(found), Some(expected)) => (found - expected).abs() <= (1e-6 * expected.abs()).max(1e-9),
        (None, None) => true,
        _ => false,
    }
}

fn same_interval(found: Option<(f64, f64)>, expected: &Value) -> bool {
    same(found.map(|ends| ends.0), &expected[0]) && same(found.map(|ends| ends.1), &expected[1])
}

#[test]
fn rates_and_their_difference_are_those_of_statsmodels() {
    for case in cases(include_str!("../../fixtures/ab/proportions.json")) {
        let arm = |name: &str| Proportion { hits: case[name]["conversions"].as_i64().unwrap(), of: case[name]["visitors"].as_i64().unwrap() };
        let (control, variant) = (arm("control"), arm("variant"));
        let difference = proportion::difference(variant, control);
        assert!(same_interval(difference.map(|found| found.1), &case["newcombe"]), "{difference:?}: {case}");
        // With an empty arm the reference leaves everything out; the other arm still has its rate.
        if control.of > 0 {
            assert!(same_interval(control.wilson(), &case["wilson_control"]), "{:?}: {case}", control.wilson());
            assert!(same_interval(variant.wilson(), &case["wilson_variant"]), "{:?}: {case}", variant.wilson());
            assert!(same(difference.map(|found| found.0), &case["difference"]), "{difference:?}: {case}");
        } else {
            assert_eq!((control.rate(), control.wilson(), difference), (None, None, None));
        }
    }
}

#[test]
fn means_and_their_difference_are_those_of_scipy() {
    for case in cases(include_str!("../../fixtures/ab/means.json")) {
        let arm = |name: &str| Sample {
            count: case[name]["n"].as_i64().unwrap(),
            sum: case[name]["sum"].as_f64().unwrap(),
            sum_of_squares: case[name]["sum_squares"].as_f64().unwrap(),
        };
        let (control, variant) = (arm("control"), arm("variant"));
        assert!(same(control.variance(), &case["variance_control"]) && same(variant.variance(), &case["variance_variant"]), "{case}");
        let (difference, interval) = mean::difference(variant, control).unwrap();
        assert!(same(Some(difference), &case["difference"]), "{difference}: {case}");
        if case["name"] == "no_revenue_in_control" {
            // The reference's package refuses an arm that does not vary; Welch's formula does not: it is the variant's own interval.
            let (lower, upper) = variant.interval().unwrap();
            assert_eq!(interval, Some((lower, upper)));
        } else {
            assert!(same_interval(interval, &case["welch"]), "{interval:?}: {case}");
        }
    }
}

#[test]
fn nobody_and_impossible_counts_have_no_rate_and_no_mean() {
    assert_eq!(Proportion { hits: 3, of: 2 }.wilson(), None);
    assert_eq!(Proportion { hits: -1, of: 2 }.rate(), None);
    let nobody = Sample { count: 0, sum: 0.0, sum_of_squares: 0.0 };
    assert_eq!((nobody.mean(), nobody.variance(), nobody.interval()), (None, None, None));
    assert_eq!(mean::difference(nobody, nobody), None);
    let one = Sample { count: 1, sum: 5.0, sum_of_squares: 25.0 };
    assert_eq!((one.mean(), one.variance(), one.interval()), (Some(5.0), None, None));
}

proptest! {
    #[test]
    fn an_interval_holds_its_rate_and_turns_its_sign_with_the_arms(a in 0i64..=500, b in 0i64..=500, more_a in 0i64..5000, more_b in 0i64..5000) {
        let (first, second) = (Proportion { hits: a, of: a + more_a }, Proportion { hits: b, of: b + more_b });
        prop_assume!(first.of > 0 && second.of > 0);
        let (lower, upper) = first.wilson().unwrap();
        let rate = first.rate().unwrap();
        prop_assert!(0.0 <= lower && lower <= rate && rate <= upper && upper <= 1.0, "{lower} {rate} {upper}");
        let (difference, (low, high)) = proportion::difference(first, second).unwrap();
        prop_assert!(low <= difference && difference <= high);
        let (_, (other_low, other_high)) = proportion::difference(second, first).unwrap();
        prop_assert!((low + other_high).abs() < 1e-12 && (high + other_low).abs() < 1e-12);
    }
}
