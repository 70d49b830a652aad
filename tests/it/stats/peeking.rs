//! The promise of looking at any time beside the always-valid test that others use, in the designs of the reference and in those where the other one breaks it.

use serde_json::Value;
use stammgast::stats::proportion::{self, Proportion};
use stammgast::stats::sequential;

use super::dice::Dice;

/// The default of `[experiments] smallest_effect_percent`.
const SMALLEST: f64 = 0.2;

/// gbstats' sequential p-value (the normal mixture of Waudby-Smith and others, tuning 5000) of an estimate and its squared standard error.
fn mixture(estimate: f64, square: f64, people: i64) -> f64 {
    let rho_square = (-2.0 * 0.05_f64.ln() + (1.0 - 2.0 * 0.05_f64.ln()).ln()) / 5_000.0;
    let grown = f64::from(i32::try_from(people).unwrap()) * rho_square;
    (-(grown * estimate * estimate / square) / (2.0 * (grown + 1.0))).exp() * (grown + 1.0).sqrt()
}

/// The rate of an arm and its squared standard error.
fn rate(arm: Proportion) -> (f64, f64) {
    let rate = arm.rate().unwrap();
    (rate, rate * (1.0 - rate) / f64::from(i32::try_from(arm.of).unwrap()))
}

/// gbstats' test of the difference; an arm that does not vary has no answer there.
fn absolute(variant: Proportion, control: Proportion) -> bool {
    let ((above, above_square), (below, below_square)) = (rate(variant), rate(control));
    above_square > 0.0 && below_square > 0.0 && mixture(above - below, above_square + below_square, variant.of + control.of) < 0.05
}

/// gbstats' test of the lift, its default (delta method).
fn relative(variant: Proportion, control: Proportion) -> bool {
    let ((above, above_square), (below, below_square)) = (rate(variant), rate(control));
    let square = above_square / below.powi(2) + above.powi(2) * below_square / below.powi(4);
    above_square > 0.0 && below_square > 0.0 && mixture(above / below - 1.0, square, variant.of + control.of) < 0.05
}

fn plain(variant: Proportion, control: Proportion) -> bool {
    proportion::z_test(variant, control).is_some_and(|p_value| p_value < 0.05)
}

fn ours(variant: Proportion, control: Proportion) -> bool {
    sequential::rates(variant, control, SMALLEST).is_some_and(|look| look.p_value < 0.05)
}

/// The cumulated chances of 0, 1, 2 … hits of `people`.
fn binomial(people: u32, rate: f64) -> Vec<f64> {
    let (mut ln_chance, mut sum) = (f64::from(people) * (1.0 - rate).ln(), 0.0);
    let chances = (0..=people).map(|hits| {
        sum += ln_chance.exp();
        ln_chance += (f64::from(people - hits) / f64::from(hits + 1)).ln() + (rate / (1.0 - rate)).ln();
        sum
    });
    chances.collect()
}

/// New people of each arm at each look, the rate of both, the number of looks.
fn design(of: &Value) -> (u32, f64, u64) {
    (u32::try_from(of["people"].as_u64().unwrap()).unwrap(), of["rate"].as_f64().unwrap(), of["looks"].as_u64().unwrap_or(20))
}

/// The share of simulated experiments without a difference in which some look finds one, for each way of finding.
fn wrong<const WAYS: usize>(design: (u32, f64, u64), experiments: u32, finds: [fn(Proportion, Proportion) -> bool; WAYS]) -> [f64; WAYS] {
    let (people, rate, looks) = design;
    let (chances, mut dice, mut stopped) = (binomial(people, rate), Dice(1), [0_u32; WAYS]);
    for _ in 0..experiments {
        let (mut arms, mut found) = ([Proportion { hits: 0, of: 0 }; 2], [false; WAYS]);
        for _ in 0..looks {
            for arm in &mut arms {
                let share = dice.share();
                let hits = chances.partition_point(|chance| *chance <= share).min(chances.len() - 1);
                *arm = Proportion { hits: arm.hits + i64::try_from(hits).unwrap(), of: arm.of + i64::from(people) };
            }
            for (found, finds) in found.iter_mut().zip(finds) {
                *found = *found || finds(arms[1], arms[0]);
            }
        }
        for (stopped, found) in stopped.iter_mut().zip(found) {
            *stopped += u32::from(found);
        }
    }
    stopped.map(|count| f64::from(count) / f64::from(experiments))
}

/// Whether a share of so many experiments may come from the same chance as the reference's share of as many at least: four standard errors.
fn alike(found: f64, expected: &Value, experiments: u32) -> bool {
    let expected = expected.as_f64().unwrap();
    (found - expected).abs() <= 4.0 * (2.0 * expected.max(0.002) / f64::from(experiments)).sqrt()
}

fn rows(text: &str) -> Vec<Value> {
    serde_json::from_str(text).unwrap()
}

#[test]
fn the_always_valid_test_of_others_stops_where_the_reference_does() {
    let mut stops = Vec::new();
    for (experiment, line) in include_str!("../../fixtures/ab/peeking_aa.txt").lines().map(str::as_bytes).enumerate() {
        let mut arms = [Proportion { hits: 0, of: 0 }; 2];
        let found = (0..20).find(|look| {
            for (arm, new) in arms.iter_mut().zip([line[*look], line[20 + *look]]) {
                *arm = Proportion { hits: arm.hits + i64::from(new - 48), of: arm.of + 500 };
            }
            absolute(arms[1], arms[0])
        });
        stops.extend(found.map(|look| format!("{experiment} {}", look + 1)));
    }
    assert_eq!(stops, include_str!("../../fixtures/ab/first_stops_sequential.txt").lines().collect::<Vec<_>>());
}

#[test]
fn where_a_test_of_the_lift_breaks_its_promise_ours_keeps_it() {
    let designs = rows(include_str!("../../fixtures/ab/peeking_relative.json"));
    assert_eq!(designs.len(), 3);
    let mut broken = 0;
    for of in designs {
        let experiments = u32::try_from(of["experiments"].as_u64().unwrap()).unwrap();
        let [by_lift, by_difference, by_us] = wrong(design(&of), experiments, [relative, absolute, ours]);
        assert!(
            alike(by_lift, &of["relative"], experiments) && alike(by_difference, &of["absolute"], experiments),
            "{by_lift} {by_difference}: {of}"
        );
        assert!(by_us <= 0.05, "{by_us}: {of}");
        broken += u32::from(by_lift > 0.06);
    }
    assert_eq!(broken, 2, "in two of the three the lift's test is wrong more often than it says");
}

#[test]
fn in_every_design_of_the_grid_stopping_at_the_first_finding_is_seldom_wrong() {
    let designs = rows(include_str!("../../fixtures/ab/peeking_grid.json"));
    assert_eq!(designs.len(), 9);
    // The example sequential_promise simulates 20,000 of each.
    let experiments = 2_000;
    for of in designs {
        let [by_z, by_lift, by_difference, by_us] = wrong(design(&of), experiments, [plain, relative, absolute, ours]);
        for (found, word) in [(by_z, "z_test"), (by_lift, "relative"), (by_difference, "absolute")] {
            assert!(alike(found, &of[word], experiments), "{word} {found}: {of}");
        }
        // 5 % and two standard errors; 5.3 % of 20,000.
        assert!(by_us <= 0.05 + 2.0 * (0.05_f64 * 0.95 / f64::from(experiments)).sqrt(), "{by_us}: {of}");
    }
}
