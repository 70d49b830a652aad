//! Tests of stats: the golden cases of statsmodels, scipy and gbstats, what holds for any counts, and the promise of looking at any time.

mod golden;
mod sequential;
mod verdict;

use proptest::prelude::*;
use stammgast::stats::bayes;
use stammgast::stats::exact;
use stammgast::stats::mean::{self, Sample};
use stammgast::stats::proportion::{self, Proportion};

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

    #[test]
    fn chances_add_up_and_tests_do_not_ask_which_arm_comes_first(a in 0i64..=300, b in 0i64..=300, more_a in 0i64..3000, more_b in 0i64..3000) {
        let (first, second) = (Proportion { hits: a, of: a + more_a }, Proportion { hits: b, of: b + more_b });
        let chances = bayes::chances(&[first, second]).unwrap();
        prop_assert!((chances[0].best + chances[1].best - 1.0).abs() < 1e-7, "{chances:?}");
        prop_assume!(first.of > 0 && second.of > 0);
        let (one, other) = (exact::fisher(first, second).unwrap(), exact::fisher(second, first).unwrap());
        prop_assert!((one - other).abs() < 1e-9 && (0.0..=1.0).contains(&one), "{one} {other}");
    }
}
