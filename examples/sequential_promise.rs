//! Looking at any time, measured: how often comparisons without a difference end wrongly, how often true ones are found, and how long a test takes.
//!
//! `cargo run --release --example sequential_promise` simulates the whole grid (20,000 experiments a design; a minute); a number behind it says fewer. The tests
//! of the project run the part that is fast.

#[path = "../tests/it/common/dice.rs"]
mod dice;

use std::time::Instant;

use dice::Dice;

use stammgast::stats::mean::Sample;
use stammgast::stats::proportion::Proportion;
use stammgast::stats::sequential;
use stammgast::stats::verdict::{self, Outcome};

const SMALLEST: f64 = 0.2;

/// Hits of people, drawn from the distribution's cumulated chances.
fn hits(dice: &mut Dice, cumulated: &[f64]) -> i64 {
    let share = dice.share();
    i64::try_from(cumulated.partition_point(|chance| *chance <= share).min(cumulated.len() - 1)).unwrap_or(0)
}

/// The cumulated chances of 0, 1, 2 … hits of `people`.
fn binomial(people: u32, rate: f64) -> Vec<f64> {
    let (mut ln_chance, mut sum) = (f64::from(people) * (1.0 - rate).ln(), 0.0);
    (0..=people)
        .map(|hits| {
            sum += ln_chance.exp();
            ln_chance += (f64::from(people - hits) / f64::from(hits + 1)).ln() + (rate / (1.0 - rate)).ln();
            sum
        })
        .collect()
}

/// New people of control and variant at each look, their rates, and how often one looks.
type Design = ((u32, f64), (u32, f64), u32);

/// The share of experiments in which some look finds a difference.
fn found(((control_people, control_rate), (variant_people, variant_rate), looks): Design, experiments: u32) -> f64 {
    let (control_hits, variant_hits) = (binomial(control_people, control_rate), binomial(variant_people, variant_rate));
    let mut dice = Dice(42);
    let stops = (0..experiments).filter(|_| {
        let (mut control, mut variant) = (Proportion { hits: 0, of: 0 }, Proportion { hits: 0, of: 0 });
        (0..looks).any(|_| {
            control = Proportion { hits: control.hits + hits(&mut dice, &control_hits), of: control.of + i64::from(control_people) };
            variant = Proportion { hits: variant.hits + hits(&mut dice, &variant_hits), of: variant.of + i64::from(variant_people) };
            sequential::rates(variant, control, SMALLEST).is_some_and(|look| look.p_value < 0.05)
        })
    });
    f64::from(u32::try_from(stops.count()).unwrap_or(0)) / f64::from(experiments)
}

/// The same for revenue per person: 5 % buy, for exp(3.5 + N(0, 1)); the variant's buyers for `times` as much.
fn found_revenue(control_people: u32, variant_people: u32, looks: u32, times: f64, experiments: u32) -> f64 {
    let mut dice = Dice(7);
    let stops = (0..experiments).filter(|_| {
        let mut arms = [Sample { count: 0, sum: 0.0, sum_of_squares: 0.0 }; 2];
        (0..looks).any(|_| {
            for (arm, (people, times)) in arms.iter_mut().zip([(control_people, 1.0), (variant_people, times)]) {
                arm.count += i64::from(people);
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
    });
    f64::from(u32::try_from(stops.count()).unwrap_or(0)) / f64::from(experiments)
}

/// How the verdicts of experiments end that are looked at up to 60 times, 500 new people in each arm and look: shares of winners, of wrong ones, and of "no difference".
fn verdicts(rates: &[f64], experiments: u32) -> [f64; 3] {
    let cumulated: Vec<Vec<f64>> = rates.iter().map(|rate| binomial(500, *rate)).collect();
    let (mut dice, mut ends) = (Dice(3), [0_u32; 3]);
    for _ in 0..experiments {
        let mut arms = vec![Proportion { hits: 0, of: 0 }; rates.len()];
        let decided = (0..60).find_map(|_| {
            for (arm, cumulated) in arms.iter_mut().zip(&cumulated) {
                *arm = Proportion { hits: arm.hits + hits(&mut dice, cumulated), of: arm.of + 500 };
            }
            verdict::judge(&arms, &verdict::pairs(&arms, SMALLEST), None).filter(|verdict| verdict.outcome != Outcome::NotEnough)
        });
        let Some(verdict) = decided else { continue };
        let best = rates[verdict.leaders[0]];
        let wrong = rates.iter().enumerate().any(|(place, rate)| place != verdict.leaders[0] && *rate >= best);
        match verdict.outcome {
            Outcome::Winner => ends = [ends[0] + 1, ends[1] + u32::from(wrong), ends[2]],
            _ => ends[2] += 1,
        }
    }
    ends.map(|count| f64::from(count) / f64::from(experiments))
}

fn main() {
    let experiments: u32 = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(20_000);
    println!("no difference: share of {experiments} that stop at a look (to be at most 5 %)");
    let grid = [
        (500, 0.05, 20),
        (50, 0.05, 20),
        (50, 0.02, 20),
        (500, 0.01, 20),
        (5000, 0.05, 20),
        (500, 0.3, 20),
        (100, 0.05, 100),
        (20, 0.1, 20),
        (10, 0.5, 20),
    ];
    for (people, rate, looks) in grid {
        println!(
            "  {people} people an arm and look, rate {rate}, {looks} looks: {:.2} %",
            100.0 * found(((people, rate), (people, rate), looks), experiments)
        );
    }
    for (control, variant, rate, looks) in
        [(10, 90, 0.05, 100), (90, 10, 0.05, 100), (99, 1, 0.05, 200), (1, 1, 0.05, 2000), (1, 1, 0.5, 2000), (1, 9, 0.1, 2000)]
    {
        let share = found(((control, rate), (variant, rate), looks), experiments / 4);
        println!("  {control} and {variant} people, rate {rate}, {looks} looks: {:.2} %", 100.0 * share);
    }
    println!("a true difference: share found (20 looks, 500 people an arm and look, control 5 %)");
    for lift in [0.1, 0.2, 0.3, 0.5] {
        println!("  lift {lift}: {:.1} %", 100.0 * found(((500, 0.05), (500, 0.05 * (1.0 + lift)), 20), experiments));
    }
    println!("revenue, no difference (5 % buy, lognormal baskets)");
    for (control, variant, looks) in [(100, 100, 20), (500, 500, 20), (2000, 2000, 20), (50, 450, 20), (450, 50, 20), (500, 5, 100), (2, 2, 200)] {
        println!("  {control} and {variant} people, {looks} looks: {:.2} %", 100.0 * found_revenue(control, variant, looks, 1.0, experiments / 10));
    }
    println!("revenue, baskets half as large again: {:.1} % found", 100.0 * found_revenue(2000, 2000, 20, 1.5, experiments / 10));

    println!("verdicts of up to 60 looks, 500 people an arm and look");
    for rates in [&[0.05, 0.06][..], &[0.05, 0.05], &[0.05, 0.05, 0.05, 0.05], &[0.02, 0.05, 0.05]] {
        let [winner, wrong, none] = verdicts(rates, experiments / 10).map(|share| share * 100.0);
        println!("  {rates:?}: winner {winner:.1} % (wrong {wrong:.1} %), no difference {none:.1} %");
    }

    let arms: Vec<(Proportion, Proportion)> =
        (0..1000).map(|hits| (Proportion { hits: 400 + hits % 300, of: 10_000 }, Proportion { hits: 500, of: 10_000 })).collect();
    let (mut best, mut sum) = (f64::INFINITY, 0.0);
    for _ in 0..200 {
        let start = Instant::now();
        for (variant, control) in &arms {
            sum += sequential::rates(*variant, *control, SMALLEST).map_or(1.0, |look| look.p_value + look.interval.0);
        }
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("1,000 sequential tests with their intervals: {:.3} ms (checksum {sum:.3})", best * 1e3);
}
