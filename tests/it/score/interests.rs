//! Interests from purchases, and how far they have moved.

use proptest::prelude::*;
use stammgast::base::time::{DAY_MS, UnixMs};
use stammgast::model::facts::PastLine;
use stammgast::model::interest::{drift, shares, strongest};

const NOW: UnixMs = UnixMs(1_782_900_000_000);

/// A line of this category so many days ago.
fn line((category, days_ago): (&str, i64)) -> PastLine {
    PastLine { at: NOW.plus(-days_ago * DAY_MS), sku: None, name: None, category: Some(category.to_owned()), quantity: 1 }
}

fn lines(bought: &[(&str, i64)]) -> Vec<PastLine> {
    bought.iter().copied().map(line).collect()
}

fn told(bought: &[(&str, i64)], half_life_days: i64) -> String {
    let lines = lines(bought);
    shares(&lines, NOW, half_life_days).iter().map(|(name, share)| format!("{name} {share:.4}")).collect::<Vec<_>>().join(", ")
}

#[test]
fn a_purchase_counts_half_after_the_half_life_and_a_quarter_after_twice_that() {
    // By hand: 1, 1/2 and 1/4 of 7/4.
    assert_eq!(told(&[("tea", 0), ("cake", 180), ("soap", 360)], 180), "tea 0.5714, cake 0.2857, soap 0.1429");
    assert_eq!(told(&[("tea", 0), ("cake", 180), ("soap", 360)], 90), "tea 0.7619, cake 0.1905, soap 0.0476");
    // 1/2 + 1/4 against 1/2: two old ones outweigh a newer one.
    assert_eq!(told(&[("tea", 180), ("cake", 180), ("cake", 360)], 180), "cake 0.6000, tea 0.4000");
    assert_eq!(told(&[("tea", 30), ("cake", 30)], 180), "cake 0.5000, tea 0.5000");
    assert_eq!(told(&[("tea", 5_000), ("cake", 9_000)], 1), "tea 1.0000, cake 0.0000", "however old and however short the half-life");
}

#[test]
fn a_category_counts_once_in_an_order_and_neither_the_future_nor_lines_without_a_category_count() {
    let mut bought = lines(&[("tea", 10), ("tea", 10), ("tea", 10), ("cake", 10), ("cake", -1)]);
    bought.push(PastLine { category: None, ..line(("", 0)) });
    assert_eq!(shares(&bought, NOW, 180), [("cake", 0.5), ("tea", 0.5)]);
    assert_eq!(shares(&bought[5..], NOW, 180), [], "nothing is known");
}

#[test]
fn interests_are_the_strong_shares_at_most_five() {
    let few = [("a", 0.85), ("b", 0.1), ("c", 0.05)];
    assert_eq!(strongest(&few), ["a", "b"]);
    assert_eq!(strongest(&["a", "b", "c", "d", "e", "f"].map(|name| (name, 1.0 / 6.0))), ["a", "b", "c", "d", "e"]);
    assert_eq!(strongest(&[]), [""; 0]);
}

#[test]
fn drift_is_the_part_of_the_purchases_that_would_have_to_be_of_another_category() {
    let since = NOW.plus(-100 * DAY_MS);
    let of = |bought: &[(&str, i64)]| drift(&lines(bought), since, NOW);
    let before = [("tea", 300), ("tea", 290), ("tea", 285), ("cake", 280), ("cake", 270), ("cake", 260)];
    let with = |recent: &[(&'static str, i64)]| [&before[..], recent].concat();
    // Half tea and half cake before; four of five tea now: three purchases of ten.
    assert_eq!(of(&with(&[("tea", 1), ("tea", 2), ("tea", 3), ("tea", 4), ("cake", 5)])).map(|(part, whole)| part * 100 / whole), Some(30));
    assert_eq!(of(&with(&[("tea", 1), ("cake", 2), ("tea", 3), ("cake", 4), ("tea", 5), ("cake", 6)])), Some((0, 72)));
    let soap = [("soap", 1), ("soap", 2), ("soap", 3), ("soap", 4), ("soap", 5)];
    assert_eq!(of(&with(&soap)).map(|(part, whole)| part == whole), Some(true));
    assert_eq!(of(&with(&soap[1..])), None, "four purchases are no mix");
    assert_eq!(of(&[&soap[..], &before[2..]].concat()), None, "nor are four before");
}

#[expect(clippy::cast_precision_loss, reason = "a part that is wrong by 1e-16 is right enough")]
fn float(number: impl TryInto<i64, Error: std::fmt::Debug>) -> f64 {
    number.try_into().unwrap() as f64
}

fn purchases() -> impl Strategy<Value = Vec<(&'static str, i64)>> {
    prop::collection::vec((prop::sample::select(&["tea", "cake", "soap", "wine"][..]), 0_i64..700), 0..40)
}

proptest! {
    #[test]
    fn shares_are_one_together_and_do_not_change_while_nothing_is_bought(bought in purchases(), half_life in 1_i64..400, later in 0_i64..900) {
        let lines = lines(&bought);
        let now = shares(&lines, NOW, half_life);
        let sum: f64 = now.iter().map(|(_, share)| share).sum();
        prop_assert!(bought.is_empty() || (sum - 1.0).abs() < 1e-9);
        prop_assert!(now.windows(2).all(|pair| pair[0].1 >= pair[1].1));
        prop_assert_eq!(&now, &shares(&lines, NOW.plus(later * DAY_MS), half_life));
    }

    #[test]
    fn drift_is_half_the_sum_of_the_differences_and_the_same_either_way(bought in purchases(), border in 1_i64..700) {
        let (since, lines) = (NOW.plus(-border * DAY_MS), lines(&bought));
        let share = |recent: bool, category: &str| {
            let side: std::collections::BTreeSet<_> = bought.iter().filter(|(_, days)| (*days <= border) == recent).collect();
            (float(side.iter().filter(|(name, _)| *name == category).count()) / float(side.len()), side.len())
        };
        let naive = ["tea", "cake", "soap", "wine"].map(|name| (share(true, name).0 - share(false, name).0).abs()).iter().sum::<f64>() / 2.0;
        match drift(&lines, since, NOW) {
            None => prop_assert!(share(true, "tea").1 < 5 || share(false, "tea").1 < 5),
            Some((part, whole)) => {
                prop_assert!(0 <= part && part <= whole);
                prop_assert!((float(part) / float(whole) - naive).abs() < 1e-12);
                // The mirror image of time: what was recent is before, and the other way round.
                let mirrored: Vec<PastLine> = bought.iter().map(|(name, days)| line((name, 2 * border + 1 - days))).collect();
                let swapped = drift(&mirrored, since, NOW.plus(900 * DAY_MS));
                prop_assert_eq!(swapped, Some((part, whole)));
            }
        }
    }
}
