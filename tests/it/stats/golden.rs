//! The golden cases of tests/fixtures/ab.

use serde_json::Value;
use stammgast::stats::bayes;
use stammgast::stats::exact;
use stammgast::stats::holm;
use stammgast::stats::mean::{self, Sample};
use stammgast::stats::power::{Design, MeanDesign};
use stammgast::stats::proportion::{self, Proportion};
use stammgast::stats::srm;

fn cases(text: &str) -> Vec<Value> {
    let cases: Vec<Value> = serde_json::from_str(text).unwrap();
    assert!(cases.len() >= 4);
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

fn near(found: f64, expected: &Value, tolerance: f64) -> bool {
    (found - expected.as_f64().unwrap()).abs() <= tolerance
}

fn same_interval(found: Option<(f64, f64)>, expected: &Value) -> bool {
    same(found.map(|ends| ends.0), &expected[0]) && same(found.map(|ends| ends.1), &expected[1])
}

fn arm(value: &Value) -> Proportion {
    Proportion { hits: value["conversions"].as_i64().unwrap(), of: value["visitors"].as_i64().unwrap() }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

#[test]
fn rates_and_their_difference_are_those_of_statsmodels() {
    for case in cases(include_str!("../../fixtures/ab/proportions.json")) {
        let (control, variant) = (arm(&case["control"]), arm(&case["variant"]));
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
fn tests_and_lifts_of_rates_are_those_of_statsmodels_and_scipy() {
    for case in cases(include_str!("../../fixtures/ab/proportions.json")) {
        let (control, variant) = (arm(&case["control"]), arm(&case["variant"]));
        let (z_test, fisher) = (proportion::z_test(variant, control), exact::fisher(variant, control));
        assert!(same(z_test, &case["z_test"]), "{z_test:?}: {case}");
        assert!(same(fisher, &case["fisher"]), "{fisher:?}: {case}");
        let lift = proportion::lift(variant, control);
        assert!(same(lift.map(|found| found.0), &case["lift"]), "{lift:?}: {case}");
        assert!(same_interval(lift.and_then(|found| found.1), &case["katz"]), "{lift:?}: {case}");
        let split = srm::p_value(&[control.of, variant.of], &numbers(&case["split"]));
        assert!(same(Some(split), &case["srm"]), "{split}: {case}");
    }
}

#[test]
fn chances_to_beat_and_expected_losses_are_those_of_the_quadrature() {
    for case in cases(include_str!("../../fixtures/ab/proportions.json")) {
        let chances = bayes::chances(&[arm(&case["control"]), arm(&case["variant"])]).unwrap();
        if case["chance_to_beat"].is_null() {
            continue;
        }
        assert!(near(chances[1].best, &case["chance_to_beat"], 1e-7), "{chances:?}: {case}");
        assert!(near(chances[0].expected_loss, &case["loss_control"], 1e-8), "{chances:?}: {case}");
        assert!(near(chances[1].expected_loss, &case["loss_variant"], 1e-8), "{chances:?}: {case}");
    }
}

#[test]
fn several_variants_are_judged_together() {
    for case in cases(include_str!("../../fixtures/ab/several.json")) {
        let arms: Vec<Proportion> = case["arms"].as_array().unwrap().iter().map(arm).collect();
        let p_values: Vec<f64> = arms[1..].iter().map(|variant| proportion::z_test(*variant, arms[0]).unwrap()).collect();
        for (index, (found, adjusted)) in p_values.iter().zip(holm::adjusted(&p_values)).enumerate() {
            assert!(same(Some(*found), &case["p"][index]) && same(Some(adjusted), &case["holm"][index]), "{found} {adjusted}: {case}");
        }
        for (index, chance) in bayes::chances(&arms).unwrap().iter().enumerate() {
            assert!(near(chance.best, &case["best"][index], 1e-6), "{chance:?}: {case}");
            assert!(near(chance.expected_loss, &case["loss"][index], 1e-8), "{chance:?}: {case}");
        }
    }
}

#[test]
fn the_check_of_the_split_is_that_of_growthbook() {
    for case in cases(include_str!("../../fixtures/ab/srm.json")) {
        let people: Vec<i64> = case["observed"].as_array().unwrap().iter().map(|count| count.as_i64().unwrap()).collect();
        let found = srm::p_value(&people, &numbers(&case["weights"]));
        assert!(same(Some(found), &case["p"]), "{found}: {case}");
    }
    assert!((srm::p_value(&[5, 5, 0], &[0.5, 0.5, 0.0]) - 1.0).abs() < 1e-12, "an arm that nobody should be in and nobody is in says nothing");
    assert!(srm::p_value(&[5, 5, 1], &[0.5, 0.5, 0.0]) < srm::LIMIT);
}

#[test]
fn people_needed_and_power_are_those_of_the_calculators() {
    for case in cases(include_str!("../../fixtures/ab/sample_size.json")) {
        let [baseline, effect, alpha, power, ratio, people] =
            ["baseline", "effect", "alpha", "power", "ratio", "people"].map(|key| case[key].as_f64().unwrap());
        let design = Design { baseline, alpha, power, ratio };
        let found = design.control_people(effect).unwrap();
        assert!(same(Some(found), &case["people"]), "{found}: {case}");
        if effect > 0.0 {
            let smallest = design.smallest_effect(people).unwrap();
            assert!((smallest - effect).abs() < 1e-8, "{smallest}: {case}");
            let chance = design.chance(effect, people).unwrap();
            assert!((chance - power).abs() < 1e-5, "{chance}: {case}");
        }
    }
    for case in cases(include_str!("../../fixtures/ab/power.json")) {
        let [baseline, variant, people] = ["baseline", "variant", "people"].map(|key| case[key].as_f64().unwrap());
        let design = Design { baseline, alpha: 0.05, power: 0.8, ratio: 1.0 };
        let found = design.chance(variant / baseline - 1.0, people);
        assert!(same(found, &case["power"]), "{found:?}: {case}");
    }
    let design = Design { baseline: 0.05, alpha: 0.05, power: 0.8, ratio: 1.0 };
    assert_eq!((design.control_people(0.0), design.control_people(30.0), design.control_people(-1.0)), (None, None, None));
    assert_eq!(design.smallest_effect(1.0), None, "one person in each arm finds nothing");
}

#[test]
fn people_needed_for_a_difference_of_means_are_those_of_students_test() {
    for case in cases(include_str!("../../fixtures/ab/sample_size_of_means.json")) {
        let [effect, alpha, power, people] = ["effect", "alpha", "power", "people"].map(|key| case[key].as_f64().unwrap());
        let design = MeanDesign { alpha, power, ratio: 1.0 };
        let found = design.control_people(effect);
        assert!(same(found, &case["people"]), "{found:?}: {case}");
        assert!((design.smallest_effect(people).unwrap() - effect).abs() < 1e-8, "{case}");
        assert!((design.chance(-effect, people).unwrap() - power).abs() < 1e-8, "{case}");
    }
    let design = MeanDesign { alpha: 0.05, power: 0.8, ratio: 1.0 };
    // One more person for each of the normal approximation's 1,568 would be too many; the halves of an unequal split are not worth the same.
    assert!((1_570.0..1_571.0).contains(&design.control_people(0.1).unwrap()));
    assert!((MeanDesign { ratio: 0.25, ..design }.control_people(0.1).unwrap() / design.control_people(0.1).unwrap() - 2.5).abs() < 1e-3);
    // Where the normal approximation takes over nothing jumps.
    let [before, after] = [499_999.0, 500_003.0].map(|people| design.chance(0.005, people).unwrap());
    assert!(after > before && after - before < 1e-5, "{before} {after}");
    assert_eq!((design.control_people(0.0), design.chance(0.1, 1.0), design.smallest_effect(1.0)), (None, None, None));
    assert_eq!((MeanDesign { power: 0.01, ..design }.control_people(0.1), MeanDesign { ratio: 0.0, ..design }.chance(0.1, 9.0)), (None, None));
    assert!((design.chance(0.0, 50.0).unwrap() - 0.05).abs() < 1e-8, "no difference is found as often as the level says");
    // Two people against one: t with one degree of freedom.
    assert!((MeanDesign { ratio: 2.0, ..design }.chance(0.0, 1.0).unwrap() - 0.05).abs() < 1e-4);
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
            let test = mean::welch_test(variant, control);
            assert!(same(test, &case["welch_test"]), "{test:?}: {case}");
        }
    }
}

#[test]
fn the_sums_of_single_amounts_are_those_of_the_golden_comparison() {
    let case = &cases(include_str!("../../fixtures/ab/means.json"))[0];
    let [control, variant] = ["control", "variant"].map(|arm| {
        let lines = include_str!("../../fixtures/ab/revenue_small_raw.csv").lines().filter_map(|line| line.strip_prefix(arm));
        let amounts = lines.map(|line| line.trim_start_matches(',').parse::<f64>().unwrap());
        let nobody = Sample { count: 0, sum: 0.0, sum_of_squares: 0.0 };
        let sample = amounts.fold(nobody, |of, amount| Sample {
            count: of.count + 1,
            sum: of.sum + amount,
            sum_of_squares: of.sum_of_squares + amount * amount,
        });
        assert_eq!(Some(sample.count), case[arm]["n"].as_i64());
        assert!(same(Some(sample.sum), &case[arm]["sum"]) && same(Some(sample.sum_of_squares), &case[arm]["sum_squares"]), "{sample:?}: {case}");
        assert!(same(sample.variance(), &case[format!("variance_{arm}")]), "{sample:?}: {case}");
        sample
    });
    let (difference, interval) = mean::difference(variant, control).unwrap();
    assert!(same(Some(difference), &case["difference"]) && same_interval(interval, &case["welch"]), "{difference} {interval:?}: {case}");
    assert!(same(mean::welch_test(variant, control), &case["welch_test"]), "{case}");
}
