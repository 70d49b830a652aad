//! `stammgast calc ab`, `mde` and `srm`: comparisons by hand, with the same mathematics as the report.

use serde_json::json;

use super::super::{App, Done};
use crate::model::customer::Locale;
use crate::stats::power::{Design, MeanDesign};
use crate::stats::proportion::{self, Proportion};
use crate::stats::sequential;
use crate::stats::verdict;
use crate::stats::words::{self, Told};
use crate::stats::{bayes, exact, srm};

/// The chance that an effect is found.
const POWER: f64 = 0.8;

/// The smallest share that is calculated with.
const SELDOM: f64 = 0.000_01;

/// Compare two arms: difference, p-value, chance to beat, and the verdict
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stammgast calc ab --control 500/10000 --treated 560/10000\n\n\
    What is worth having is [experiments] smallest_effect_percent of the configuration; the always valid p-value and interval go by it.")]
pub(super) struct Ab {
    /// Buyers and people of control, as 500/10000
    #[arg(long, value_name = "BUYERS/PEOPLE", value_parser = counts)]
    control: Proportion,
    /// Buyers and people of the other arm
    #[arg(long, value_name = "BUYERS/PEOPLE", value_parser = counts)]
    treated: Proportion,
    /// Planned weights of control and the other arm
    #[arg(long, value_delimiter = ',', default_value = "0.5,0.5", value_parser = super::weight)]
    weights: Vec<f64>,
}

/// Before the start: people needed for an effect, and the smallest effect that so many people show
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  stammgast calc mde --rate 0.05 --people 4000 --per-day 60\n  stammgast calc mde --rate 0.05 --people 4000 --order-value 62 --order-deviation 40\n\n\
    Found with 80 %, wrong in 5 %. The effect worth having is [experiments] smallest_effect_percent of the configuration. With the value of orders also for the\n\
    revenue per person, buyers or not: it takes more people than the rate, because orders differ."
)]
pub(super) struct Mde {
    /// Share of people who buy without the change, such as 0.05
    #[arg(long, value_parser = rate)]
    rate: f64,
    /// People there are, both arms together
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    people: u32,
    /// Control's share of the people
    #[arg(long, default_value = "0.5", value_parser = rate)]
    share: f64,
    /// People that come a day, both arms together
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    per_day: Option<u32>,
    /// What a buyer spends on average, such as 62.00
    #[arg(long, value_parser = amount, requires = "order_deviation")]
    order_value: Option<f64>,
    /// How far that is from what single buyers spend: the standard deviation, such as 40.00
    #[arg(long, value_parser = amount, requires = "order_value")]
    order_deviation: Option<f64>,
}

/// What can be told of a figure before the start.
#[derive(serde::Serialize)]
struct Ahead {
    smallest_effect: Option<f64>,
    wanted_effect: f64,
    chance: Option<f64>,
    one_look: Needed,
    any_look: Needed,
}

#[derive(serde::Serialize)]
struct Needed {
    people: Option<f64>,
    days: Option<f64>,
}

/// Check a split: were people assigned by the weights?
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stammgast calc srm --people 5000,5200 --weights 0.5,0.5")]
pub(super) struct Srm {
    /// People of each arm
    #[arg(long, value_delimiter = ',', required = true, value_parser = clap::value_parser!(u32))]
    people: Vec<u32>,
    /// Weight of each arm
    #[arg(long, value_delimiter = ',', required = true, value_parser = super::weight)]
    weights: Vec<f64>,
}

fn counts(text: &str) -> Result<Proportion, String> {
    let numbers = text.split_once('/').and_then(|(hits, of)| Some((hits.trim().parse::<u64>().ok()?, of.trim().parse::<u64>().ok()?)));
    match numbers.map(|(hits, of)| (u32::try_from(hits), u32::try_from(of))) {
        Some((Ok(hits), Ok(of))) if hits <= of && of > 0 => Ok(Proportion { hits: hits.into(), of: of.into() }),
        Some((Err(_), _) | (_, Err(_))) => Err(format!("these are more people than can be calculated with: expected at most {}", u32::MAX)),
        Some(_) => Err("there are more buyers than people, or nobody: expected e.g. 500/10000".to_owned()),
        None => Err("expected buyers and people, e.g. 500/10000".to_owned()),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.trim().parse().ok().filter(|rate| *rate > 0.0 && *rate < 1.0).ok_or("expected a number between 0 and 1, e.g. 0.05")?;
    // Beyond these everything needs more people than there are.
    if (SELDOM..=1.0 - SELDOM).contains(&rate) { Ok(rate) } else { Err(format!("expected a number from {SELDOM} to {}", 1.0 - SELDOM)) }
}

fn amount(text: &str) -> Result<f64, String> {
    let fits = |amount: &f64| *amount > 0.0 && *amount < 1e9;
    text.trim().parse().ok().filter(fits).ok_or_else(|| "expected an amount above 0 and below a billion, e.g. 62.00".to_owned())
}

/// A p-value as people read it.
fn chance_of(p_value: f64) -> String {
    if p_value < 1e-4 { "p < 0.0001".to_owned() } else { format!("p = {p_value:.4}") }
}

fn same_length(what: &str, arms: usize, weights: usize) -> anyhow::Result<()> {
    anyhow::ensure!(arms == weights, "there are {weights} weights for {arms} {what}: expected one for each");
    Ok(())
}

pub(super) fn ab(args: &Ab, app: &App) -> anyhow::Result<Done> {
    same_length("arms", 2, args.weights.len())?;
    let config = app.config()?;
    let smallest = config.experiments.smallest_effect();
    let arms = [args.control, args.treated];
    let (difference, interval) = proportion::difference(args.treated, args.control).unwrap_or((0.0, (-1.0, 1.0)));
    let split_p = srm::p_value(&arms.map(|arm| arm.of), &args.weights);
    let pairs = verdict::pairs(&arms, smallest);
    let (Some(verdict), Some(chances)) = (verdict::judge(&arms, &pairs, Some(split_p)), bayes::chances(&arms)) else {
        anyhow::bail!("there is nothing to compare: an arm has nobody")
    };
    let told = [(None, args.control), (Some("B"), args.treated)].map(|(name, arm)| (name, arm.rate().unwrap_or(0.0)));
    let told = Told { arms: &told, smallest_percent: config.experiments.smallest_effect_percent, more_days: None };
    let sentence = words::sentence(&verdict, &told, Locale::parse(&config.shop.locale).unwrap_or_default());
    let look = pairs[0].look;
    let (p_value, lift, chance) = (exact::p_value(args.treated, args.control), proportion::lift(args.treated, args.control), chances[1]);
    if app.json {
        let document = json!({
            "difference": difference, "interval": interval, "p_value": p_value,
            "lift": lift.map(|lift| lift.0), "lift_interval": lift.and_then(|lift| lift.1),
            "chance_to_beat": chance.best, "expected_loss": chance.expected_loss,
            "always_valid": { "interval": look.interval, "p_value": look.p_value, "progress": look.progress },
            "srm_p": split_p, "verdict": verdict.outcome, "more_people": verdict.more_people, "sentence": sentence,
        });
        println!("{document}");
        return Ok(Done::Well);
    }
    let points = |(low, high): (f64, f64)| format!("{:+.2} to {:+.2}", low * 100.0, high * 100.0);
    println!("{sentence}");
    println!("difference {:+.2} points", difference * 100.0);
    println!("  at any look: {}, {}", points(look.interval), chance_of(look.p_value));
    println!("  one look at the end: {}{}", points(interval), p_value.map_or_else(String::new, |p_value| format!(", {}", chance_of(p_value))));
    println!("chance that B beats control {:.1} %, expected loss of choosing B {:.3} points", chance.best * 100.0, chance.expected_loss * 100.0);
    println!("split: {}", chance_of(split_p));
    Ok(Done::Well)
}

pub(super) fn mde(args: &Mde, app: &App) -> anyhow::Result<Done> {
    let config = app.config()?;
    let smallest = config.experiments.smallest_effect();
    let rate = ahead_of_rate(args, smallest);
    let revenue = args.order_value.zip(args.order_deviation).map(|(value, deviation)| ahead_of_revenue(args, value, deviation, smallest));
    if app.json {
        let mut document = serde_json::to_value(&rate)?;
        document["rate"] = json!(args.rate);
        document["people"] = json!(args.people);
        document["revenue"] = match &revenue {
            Some((mean, spread, ahead)) => {
                let mut document = serde_json::to_value(ahead)?;
                document["mean"] = json!(mean);
                document["deviation"] = json!(mean * spread);
                document
            }
            None => serde_json::Value::Null,
        };
        println!("{document}");
        return Ok(Done::Well);
    }
    let bought = |effect: f64| format!("{:.1} % ({:.2} % to {:.2} % buy)", effect * 100.0, args.rate * 100.0, args.rate * (1.0 + effect) * 100.0);
    tell(args, &rate, bought);
    if let Some((mean, _, ahead)) = &revenue {
        let currency = config.shop.currency.code();
        println!("\nRevenue per person, buyers or not: {mean:.2} {currency}");
        tell(args, ahead, |effect| format!("{:.1} % ({mean:.2} to {:.2} {currency})", effect * 100.0, mean * (1.0 + effect)));
    }
    Ok(Done::Well)
}

fn ahead_of_rate(args: &Mde, smallest: f64) -> Ahead {
    let design = Design { baseline: args.rate, alpha: verdict::LEVEL, power: POWER, ratio: (1.0 - args.share) / args.share };
    let control = f64::from(args.people) * args.share;
    let one_look = design.control_people(smallest).map(|people| (people.ceil() / args.share).ceil());
    let common = args.rate * (1.0 + smallest * (1.0 - args.share));
    let any_look = one_look.map(|_| sequential::people_planned(common, smallest, args.share).ceil());
    Ahead {
        smallest_effect: design.smallest_effect(control),
        wanted_effect: smallest,
        chance: design.chance(smallest, control),
        one_look: args.needed(one_look),
        any_look: args.needed(any_look),
    }
}

/// The mean revenue of a person, their standard deviation as a multiple of it, and what can be told. The effect is taken to be on the mean alone.
fn ahead_of_revenue(args: &Mde, value: f64, deviation: f64, smallest: f64) -> (f64, f64, Ahead) {
    let mean = args.rate * value;
    // Most bring nothing: the variance of a value that is 0 for all but a share.
    let spread = (args.rate * (deviation * deviation + value * value) - mean * mean).sqrt() / mean;
    let design = MeanDesign { alpha: verdict::LEVEL, power: POWER, ratio: (1.0 - args.share) / args.share };
    let control = f64::from(args.people) * args.share;
    let one_look = design.control_people(smallest / spread).map(|people| (people.ceil() / args.share).ceil());
    // The plan goes by the mean of all people, which the effect has raised.
    let of_common = spread / (1.0 + smallest * (1.0 - args.share));
    let any_look = one_look.map(|_| sequential::people_planned_of_mean(of_common, smallest, args.share).ceil());
    let ahead = Ahead {
        smallest_effect: design.smallest_effect(control).map(|effect| effect * spread),
        wanted_effect: smallest,
        chance: design.chance(smallest / spread, control),
        one_look: args.needed(one_look),
        any_look: args.needed(any_look),
    };
    (mean, spread, ahead)
}

impl Mde {
    fn needed(&self, people: Option<f64>) -> Needed {
        Needed { people, days: people.zip(self.per_day).map(|(people, per_day)| (people / f64::from(per_day)).ceil()) }
    }
}

/// What can be told of a figure, as text; `rise` writes an effect.
fn tell(args: &Mde, ahead: &Ahead, rise: impl Fn(f64) -> String) {
    match ahead.smallest_effect {
        Some(effect) => println!("{} people show a rise of {} in 80 %", args.people, rise(effect)),
        None => println!("no rise is shown in 80 % with {} people", args.people),
    }
    let line = |what: &str, needed: &Needed| match (needed.people, needed.days) {
        (Some(people), Some(days)) => println!("  {what}: {people} people, about {days} days"),
        (Some(people), None) => println!("  {what}: {people} people"),
        (None, _) => println!("  {what}: it cannot be found, more than everybody would have to buy"),
    };
    if let Some(chance) = ahead.chance {
        println!("and a rise of {} in {:.0} %", rise(ahead.wanted_effect), chance * 100.0);
    }
    println!("a rise of {} takes, both arms together", rise(ahead.wanted_effect));
    line("looking once, at the end", &ahead.one_look);
    line("looking at any time", &ahead.any_look);
}

pub(super) fn check_split(args: &Srm, app: &App) -> anyhow::Result<Done> {
    same_length("arms", args.people.len(), args.weights.len())?;
    anyhow::ensure!(args.people.len() > 1, "there is one arm, so nothing was split: expected two or more");
    anyhow::ensure!(args.people.iter().any(|people| *people > 0), "nobody is in any arm: there is nothing to check");
    anyhow::ensure!(args.weights.iter().any(|weight| *weight > 0.0), "all weights are 0: expected what each arm should get, e.g. 0.5,0.5");
    let people: Vec<i64> = args.people.iter().map(|people| i64::from(*people)).collect();
    let p_value = srm::p_value(&people, &args.weights);
    let broken = p_value < srm::LIMIT;
    if app.json {
        println!("{}", json!({ "p_value": p_value, "broken": broken }));
    } else {
        println!(
            "{}: {}",
            chance_of(p_value),
            if broken { "the split is broken, compare nothing before the cause is found" } else { "the split is as planned" }
        );
    }
    Ok(Done::Well)
}
