//! The promise of looking at any time: whoever stops at the first finding is wrong in at most 5 % of the comparisons without a difference.

use proptest::prelude::*;
use stammgast::stats::exact;
use stammgast::stats::mean::{self, Sample};
use stammgast::stats::proportion::{self, Proportion};
use stammgast::stats::sequential::{self, Look};

use super::dice::Dice;

/// The default of `[experiments] smallest_effect_percent`.
const SMALLEST: f64 = 0.2;
const LOOKS: usize = 20;

/// In how many of the experiments of a file some look finds a difference.
fn found(text: &str, finds: impl Fn(Proportion, Proportion) -> bool) -> usize {
    let experiments: Vec<&[u8]> = text.lines().map(str::as_bytes).collect();
    assert_eq!(experiments.len(), 2000);
    let stops = |line: &&&[u8]| {
        let (mut control, mut variant) = (Proportion { hits: 0, of: 0 }, Proportion { hits: 0, of: 0 });
        (0..LOOKS).any(|look| {
            control = Proportion { hits: control.hits + i64::from(line[look] - 48), of: control.of + 500 };
            variant = Proportion { hits: variant.hits + i64::from(line[LOOKS + look] - 48), of: variant.of + 500 };
            finds(variant, control)
        })
    };
    experiments.iter().filter(stops).count()
}

fn surely(variant: Proportion, control: Proportion) -> bool {
    sequential::rates(variant, control, SMALLEST).unwrap().p_value < 0.05
}

#[test]
fn stopping_at_the_first_finding_is_seldom_wrong() {
    let same = include_str!("../../fixtures/ab/peeking_aa.txt");
    // The harness itself: the plain z-test at every look is wrong in 23.2 %.
    assert_eq!(found(same, |variant, control| proportion::z_test(variant, control).unwrap() < 0.05), 464);
    let wrong = found(same, surely);
    assert!(wrong <= 100, "{wrong} of 2,000");
}

#[test]
fn whoever_looks_at_every_p_value_stops_where_the_reference_does() {
    let same = include_str!("../../fixtures/ab/peeking_aa.txt");
    let mut stops = Vec::new();
    for (experiment, line) in same.lines().map(str::as_bytes).enumerate() {
        let (mut control, mut variant) = (Proportion { hits: 0, of: 0 }, Proportion { hits: 0, of: 0 });
        let found = (0..LOOKS).find(|look| {
            control = Proportion { hits: control.hits + i64::from(line[*look] - 48), of: control.of + 500 };
            variant = Proportion { hits: variant.hits + i64::from(line[LOOKS + *look] - 48), of: variant.of + 500 };
            exact::p_value(variant, control).unwrap() < 0.05
        });
        stops.extend(found.map(|look| format!("{experiment} {}", look + 1)));
    }
    assert_eq!(stops, include_str!("../../fixtures/ab/first_stops.txt").lines().collect::<Vec<_>>());
}

#[test]
fn stopping_at_the_first_finding_in_revenue_is_seldom_wrong_either() {
    let wrong = |finds: &dyn Fn(Sample, Sample) -> bool| {
        let stops = |line: &&str| {
            let mut numbers = line.split(' ').map(|number| number.parse::<f64>().unwrap());
            let [mut control, mut variant] = [Sample { count: 0, sum: 0.0, sum_of_squares: 0.0 }; 2];
            (0..LOOKS).any(|_| {
                for arm in [&mut control, &mut variant] {
                    let [sum, squares] = [(); 2].map(|()| numbers.next().unwrap());
                    *arm = Sample { count: arm.count + 500, sum: arm.sum + sum, sum_of_squares: arm.sum_of_squares + squares * 10_000.0 };
                }
                finds(variant, control)
            })
        };
        include_str!("../../fixtures/ab/peeking_revenue.txt").lines().filter(stops).count()
    };
    // The harness itself: Welch's test at every look is wrong in 23.6 % of 500.
    assert_eq!(wrong(&|variant, control| mean::welch_test(variant, control).unwrap() < 0.05), 118);
    let ours = wrong(&|variant, control| sequential::means(variant, control, SMALLEST).unwrap().p_value < 0.05);
    assert!(ours <= 25, "{ours} of 500");
}

#[test]
fn a_true_difference_is_found_more_often_than_by_a_normal_mixture() {
    // gbstats' sequential test finds 1,208.
    let right = found(include_str!("../../fixtures/ab/peeking_lift20.txt"), surely);
    assert!(right >= 1_380, "{right} of 2,000");
}

#[test]
fn few_people_and_zero_hits_have_an_answer() {
    let look =
        |hits, of, control_hits, control_of| sequential::rates(Proportion { hits, of }, Proportion { hits: control_hits, of: control_of }, SMALLEST);
    let Look { p_value, interval: (low, high), progress } = look(0, 100, 0, 100).unwrap();
    assert!(p_value >= 1.0 && low < -0.05 && high > 0.05 && progress < 0.01, "{low} to {high}");
    assert_eq!(look(0, 0, 5, 100), None);
    assert_eq!(look(5, 4, 5, 100), None);
    assert!(look(1, 1, 0, 1).unwrap().p_value >= 1.0);
    assert!(look(20, 20, 0, 20).unwrap().p_value < 0.001);
    // Five of twenty beside 5 % of a large control: a z-score of 4.1, but a chance of 1 in 400.
    assert!(look(5, 20, 50, 1_000).unwrap().p_value > 0.05);
    let nobody_bought = Sample { count: 50, sum: 0.0, sum_of_squares: 0.0 };
    assert_eq!(sequential::means(nobody_bought, nobody_bought, SMALLEST), None);
}

/// In how many of 400 experiments some of 20 looks finds a difference of revenue per person: 5 % buy, for exp(3.5 + N(0, 1)), the variant's buyers `times` as much.
fn found_in_revenue(people: [i64; 2], times: f64) -> usize {
    let mut dice = Dice(7);
    let stops = |_: &i32| {
        let mut arms = [Sample { count: 0, sum: 0.0, sum_of_squares: 0.0 }; 2];
        (0..LOOKS).any(|_| {
            for (arm, (people, times)) in arms.iter_mut().zip(people.into_iter().zip([1.0, times])) {
                arm.count += people;
                for _ in 0..people {
                    if dice.share() < 0.05 {
                        let amount = (3.5 + dice.normal()).exp() * times;
                        arm.sum += amount;
                        arm.sum_of_squares += amount * amount;
                    }
                }
            }
            sequential::means(arms[1], arms[0], SMALLEST).is_some_and(|look| look.p_value < 0.05)
        })
    };
    (0..400).filter(stops).count()
}

#[test]
fn revenue_with_large_orders_is_seldom_called_different_and_a_true_difference_is_found() {
    for people in [[100, 100], [20, 180], [180, 20]] {
        let wrong = found_in_revenue(people, 1.0);
        assert!(wrong <= 20, "{people:?}: {wrong} of 400");
    }
    let right = found_in_revenue([400, 400], 2.0);
    assert!(right >= 380, "{right} of 400");
}

#[test]
fn an_arm_that_has_not_seen_an_order_yet_is_not_called_worse() {
    let control = Sample { count: 2_000, sum: 6_000.0, sum_of_squares: 500_000.0 };
    let young = Sample { count: 20, sum: 0.0, sum_of_squares: 0.0 };
    // By the arms' own variances the young one would be twelve standard errors away.
    assert!(mean::welch_test(young, control).unwrap() < 1e-9);
    assert!(sequential::means(young, control, SMALLEST).unwrap().p_value > 0.5);
}

proptest! {
    #[test]
    fn the_interval_excludes_zero_when_the_p_value_says_so(a in 0i64..=400, b in 0i64..=400, more_a in 0i64..4000, more_b in 0i64..4000) {
        let (variant, control) = (Proportion { hits: a, of: a + more_a }, Proportion { hits: b, of: b + more_b });
        prop_assume!(variant.of > 0 && control.of > 0);
        let look = sequential::rates(variant, control, SMALLEST).unwrap();
        let (low, high) = look.interval;
        let difference = variant.rate().unwrap() - control.rate().unwrap();
        prop_assert!((-1.0..=difference).contains(&low) && (difference..=1.0).contains(&high), "{look:?}");
        prop_assert_eq!(look.p_value < 0.05 - 1e-6, low > 1e-7 || high < -1e-7, "{:?}", look);
        // The other way round everything turns its sign.
        let other = sequential::rates(control, variant, SMALLEST).unwrap();
        prop_assert!((other.p_value - look.p_value).abs() < 1e-9 && (other.interval.0 + high).abs() < 1e-6, "{look:?} {other:?}");
    }
}
