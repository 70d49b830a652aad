//! Tests of stats: the golden cases of statsmodels, scipy and gbstats, what holds for any counts, and the promise of looking at any time.

mod earned;
mod earned_shops;
mod golden;
mod peeking;
mod sequential;
mod verdict;

use proptest::prelude::*;
use stammgast::stats::bayes;
use stammgast::stats::exact;
use stammgast::stats::mean::{self, Sample};
use stammgast::stats::proportion::{self, Proportion};
use stammgast::stats::ratio::{self, Ratio};

use crate::common::dice;

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

#[test]
fn who_comes_again_does_not_count_as_somebody_else() {
    // Twenty people with three decisions each who always do the same: the sixty say as much as the twenty, but for the n − 1.
    let always = Ratio { people: 20.0, bottom_squares: 180.0, top_squares: 45.0, products: 45.0 };
    let effect = always.design_effect(15.0, 60.0, 0.25 * 0.75);
    assert!((effect - 3.0 * 20.0 / 19.0).abs() < 1e-12, "{effect}");
    assert_eq!(ratio::alone_of_rate(Proportion { hits: 15, of: 60 }, effect), Proportion { hits: 5, of: 19 });
    let sample = ratio::alone_of_mean(Sample { count: 60, sum: 600.0, sum_of_squares: 24_000.0 }, 3.0);
    assert_eq!(sample, Sample { count: 20, sum: 200.0, sum_of_squares: 8_000.0 });
    // Nobody counts for more than they are, and nobody at all is no fault.
    let opposed = Ratio { people: 20.0, bottom_squares: 80.0, top_squares: 20.0, products: 40.0 };
    assert!((opposed.design_effect(20.0, 40.0, 0.25) - 1.0).abs() < 1e-12);
    assert!((Ratio::default().design_effect(0.0, 0.0, 0.0) - 1.0).abs() < 1e-12);
}

#[test]
fn the_chance_of_a_small_arm_beside_a_very_large_one_is_exact() {
    // The chance that a rate of Beta(1, b) is above p is (1 − p)^b, whose mean over the other's Beta is a product.
    for (people, hits, of) in [(10_i32, 5_000_i32, 100_000_i32), (50, 112, 1_225), (3, 900_000, 1_000_000), (1_000, 1_000, 1_000_000)] {
        let arm = |hits: i32, of: i32| Proportion { hits: hits.into(), of: of.into() };
        let chances = bayes::chances(&[arm(0, people), arm(hits, of)]).unwrap();
        let exact: f64 = (0..=people).map(|step| f64::from(of - hits + 1 + step) / f64::from(of + 2 + step)).product();
        assert!((chances[0].best - exact).abs() < 1e-9 && (chances[1].best - (1.0 - exact)).abs() < 1e-9, "{people}: {chances:?}, {exact}");
    }
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

    #[test]
    fn chances_add_up_and_tests_do_not_ask_which_arm_comes_first(a in 0i64..=300, b in 0i64..=300, more_a in 0i64..3000, more_b in 0i64..3000) {
        let (first, second) = (Proportion { hits: a, of: a + more_a }, Proportion { hits: b, of: b + more_b });
        let chances = bayes::chances(&[first, second]).unwrap();
        // Where both rates lie at the ends of their ranges the steps leave some 1e-8 over.
        prop_assert!((chances[0].best + chances[1].best - 1.0).abs() < 1e-7, "{chances:?}");
        prop_assume!(first.of > 0 && second.of > 0);
        let (one, other) = (exact::fisher(first, second).unwrap(), exact::fisher(second, first).unwrap());
        prop_assert!((one - other).abs() < 1e-9 && (0.0..=1.0).contains(&one), "{one} {other}");
    }
}
