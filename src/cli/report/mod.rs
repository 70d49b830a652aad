//! `stammgast report`: variants side by side with intervals, control, money.

mod export;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use comfy_table::{CellAlignment, Table, presets};

use super::replaced::replace;
use super::signs::{Signs, end_of_scale};
use super::{App, Done};
use crate::base::money::Cents;
use crate::flow::analyse::{self, AlwaysValid, ArmReport, Comparison, Guardrail, Harm, HoldoutReport, Ledger, Report, RuleReport};
use crate::flow::{Ctx, record};
use crate::model::decision::Refusal;

/// What each rule earned: variants and control side by side, with intervals; refusals by reason
///
/// People count for the arm they were assigned to, also when their mail failed. A rate is the share of people with an order inside the goal's window.
/// Intervals are 95 %. Those of a rate are for this look; those of differences, and the verdict, hold at every look together: look as often as you like. What is
/// worth having says [experiments] smallest_effect_percent. What a rule earned is revenue against control × margin − vouchers redeemed − sending; tell [shop]
/// margin_percent and cost_per_message. docs/comparing-variants.md explains every number.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  stammgast report\n  stammgast report win-back --json\n  stammgast report --csv report.csv --svg pictures")]
pub(super) struct Args {
    /// Only this rule
    rule: Option<String>,
    /// Write the arms as CSV, one line each, and two for all rules together
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Draw variants.svg and, for each rule and for all together, what was earned into this folder
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
}

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    let ctx = app.open(app.config()?, None).await?;
    record::conversions(&ctx).await?;
    let report = analyse::report(&ctx, args.rule.as_deref()).await?;
    if let Some(rule) = &args.rule {
        anyhow::ensure!(!report.rules.is_empty(), "rule '{rule}' has decided nothing yet; `stammgast report` lists those that have");
    }
    if let Some(path) = &args.csv {
        export::write(path, &report, ctx.config.shop.currency.code())?;
    }
    let mut drawn = Vec::new();
    if let Some(folder) = &args.svg {
        std::fs::create_dir_all(folder).with_context(|| format!("{}: cannot be made", folder.display()))?;
        for picture in analyse::pictures(&ctx, &report) {
            let path = folder.join(format!("{}.svg", picture.name));
            replace(&path, |file| Ok(file.write_all(picture.svg.as_bytes())?))?;
            drawn.push(path.display().to_string());
        }
    }
    if app.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&ctx, &report, app.signs);
        if args.svg.is_some() && drawn.is_empty() {
            println!("\nThere is nothing to draw yet.");
        } else if !drawn.is_empty() {
            println!("\nDrawn: {}", drawn.join(", "));
        }
    }
    Ok(Done::Well)
}

/// The report as text.
pub(super) fn print(ctx: &Ctx, report: &Report, signs: Signs) {
    let currency = ctx.config.shop.currency.code();
    if report.rules.is_empty() {
        println!("No rule has decided anything yet.");
    }
    for rule in &report.rules {
        println!("\n{}: {} proposals", rule.rule, rule.proposed);
        let mut table = Table::new();
        table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header([
            "arm",
            "people",
            "sent",
            "failed",
            "in doubt",
            "waiting",
            "left",
            "spam",
            "bought",
            "rate",
            "95 % interval",
            "revenue",
            "per person",
        ]);
        let control = (rule.control.counts.people > 0).then_some(&rule.control);
        for arm in control.into_iter().chain(&rule.variants) {
            table.add_row(row(arm, rule.goal, currency));
        }
        for column in table.column_iter_mut().skip(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        println!("{table}");
        print_rates(rule, signs);
        if let Some(verdict) = &rule.verdict {
            println!("  {}", verdict.sentence);
        }
        if let Some(ledger) = rule.ledger.as_ref().filter(|_| rule.goal) {
            print_ledger(ledger, currency);
        }
        for comparison in &rule.comparisons {
            println!("  {}", sentence(comparison, rule.cap_cents, currency));
        }
        for line in rule.guardrails.iter().filter_map(mind) {
            println!("  mind: {line}");
        }
        if !rule.goal {
            println!("  no goal: nothing is counted as bought");
        } else if rule.open > 0 {
            let people = if rule.open == 1 { "person" } else { "people" };
            println!("  the goal's window of {} {people} is still open: the figures may grow", rule.open);
        }
        if rule.holdout > 0 {
            println!("  held out from all rules: {} × (they are in no arm)", rule.holdout);
        }
        let refused: Vec<String> = rule.refused.iter().map(|(reason, count)| format!("{count} × {}", why(reason))).collect();
        if !refused.is_empty() {
            println!("  not written to: {}", refused.join("; "));
        }
    }
    if let Some(holdout) = &report.holdout {
        print_holdout(ctx, holdout);
    }
}

/// The rates below each other, each with the interval of the table, on one scale.
fn print_rates(rule: &RuleReport, signs: Signs) {
    let arms = std::iter::once(&rule.control).chain(&rule.variants);
    let rates: Vec<(&str, f64, (f64, f64))> = arms.filter_map(|arm| Some((arm.counts.name.as_str(), arm.rate?, arm.rate_interval?))).collect();
    // One alone is beside nothing.
    if !signs.drawn() || rates.len() < 2 {
        return;
    }
    let most = end_of_scale(rates.iter().map(|(_, _, (_, high))| *high));
    let width = rates.iter().map(|(name, _, _)| name.chars().count()).max().unwrap_or_default();
    println!("  rate");
    for (name, rate, interval) in rates {
        println!("    {name:<width$} {:>7}  {}", percent(rate), signs.interval(rate, interval, most));
    }
    println!("    {:<width$}          {}", "", signs.scale(most));
}

/// What all rules earned together.
fn print_holdout(ctx: &Ctx, holdout: &HoldoutReport) {
    let (shop, currency) = (&ctx.config.shop, ctx.config.shop.currency.code());
    let until = holdout.until.map_or_else(String::new, |until| format!(" until {}", shop.zone().format(until)));
    println!("\nAll campaigns together: {} % held out from all of them since {}{until}", holdout.percent, shop.zone().format(holdout.since));
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.set_header(["", "people", "bought", "revenue", "per person"]);
    for (name, group) in [("held out", &holdout.control), ("everybody else", &holdout.rest)] {
        table.add_row([
            name.to_owned(),
            group.people.to_string(),
            group.bought.to_string(),
            format!("{} {currency}", Cents(group.revenue_cents)),
            group.revenue_per_person_cents.map_or_else(|| "–".to_owned(), |cents| money(cents, currency)),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    print_ledger(&holdout.ledger, currency);
    if holdout.changed_sides > 0 {
        println!("  {} people are in neither group, because the share changed meanwhile", holdout.changed_sides);
    }
}

/// The sum that leads to what was earned, below the sentence.
fn print_ledger(ledger: &Ledger, currency: &str) {
    println!("  {}", ledger.sentence);
    let amount = |cents: f64| format!("{:>12} {currency}", format!("{:.2}", cents / 100.0));
    let interval =
        |ends: Option<(f64, f64)>| ends.map_or_else(String::new, |(low, high)| format!("  (95 %: {:+.2} to {:+.2})", low / 100.0, high / 100.0));
    if let Some(revenue) = ledger.revenue_cents {
        println!("      revenue against control  {}{}", amount(revenue), interval(ledger.revenue_interval_cents));
    }
    if let Some(margin) = ledger.margin_cents {
        println!("      its margin               {}", amount(margin));
    }
    if ledger.vouchers > 0 {
        let outside = match ledger.vouchers_outside {
            0 => String::new(),
            count => format!(", {count} of them after the goal's window or by somebody else"),
        };
        println!("      vouchers redeemed        {}  ({}{outside})", amount(-ledger.voucher_cents), ledger.vouchers);
    }
    if ledger.sending_cents > 0.0 {
        println!("      sending                  {}", amount(-ledger.sending_cents));
    }
    if let Some(earned) = ledger.earned_cents {
        println!("      earned                   {}{}", amount(earned), interval(ledger.earned_interval_cents));
    }
}

fn why(reason: &str) -> String {
    Refusal::parse(reason).map_or_else(|| reason.to_owned(), |refusal| refusal.sentence().to_owned())
}

fn row(arm: &ArmReport, goal: bool, currency: &str) -> Vec<String> {
    let control = arm.counts.name == "control";
    let count = |count: i64| if control { "–".to_owned() } else { count.to_string() };
    vec![
        arm.counts.name.clone(),
        arm.counts.people.to_string(),
        count(arm.counts.sent),
        count(arm.counts.failed),
        count(arm.counts.in_doubt),
        count(arm.counts.pending),
        count(arm.counts.unsubscribed),
        count(arm.counts.complained),
        if goal { arm.counts.converted.to_string() } else { "–".to_owned() },
        arm.rate.map_or_else(|| "–".to_owned(), percent),
        arm.rate_interval.map_or_else(|| "–".to_owned(), |(low, high)| format!("{} to {}", percent(low), percent(high))),
        if goal { format!("{} {currency}", Cents(arm.counts.revenue_cents)) } else { "–".to_owned() },
        arm.revenue_per_person_cents.map_or_else(|| "–".to_owned(), |cents| money(cents, currency)),
    ]
}

/// What is to be minded of two variants.
fn mind(guardrail: &Guardrail) -> Option<String> {
    let Guardrail { harm, arm, against, difference, .. } = guardrail;
    // Complaints are rare: one in a thousand is many.
    let (what, points) = match harm {
        Harm::Unsubscribed => ("unsubscribe", format!("{:.1}", difference * 100.0)),
        Harm::Complained => ("call it spam", format!("{:.2}", difference * 100.0)),
    };
    match (guardrail.worse, guardrail.doubtful) {
        (true, _) => Some(format!("{arm} makes {points} points more people {what} than {against}")),
        (false, true) => Some(format!(
            "{points} points more people {what} with {arm} than with {against}: not sure yet, but {arm} takes no traffic by itself meanwhile"
        )),
        (false, false) => None,
    }
}

fn sentence(comparison: &Comparison, cap_cents: i64, currency: &str) -> String {
    let points = |ratio: f64| format!("{:+.1}", ratio * 100.0);
    let rates = match (comparison.rate_difference, comparison.always_valid) {
        (Some(difference), Some(AlwaysValid { interval: (low, high), .. })) => {
            format!("rate {} points ({} to {})", points(difference), points(low), points(high))
        }
        _ => "too few people to compare rates".to_owned(),
    };
    let revenue = match (comparison.revenue_difference_cents, comparison.revenue_always_valid) {
        (Some(difference), Some(AlwaysValid { interval: (low, high), .. })) => {
            format!("revenue {:+.2} {currency} per person ({:+.2} to {:+.2})", difference / 100.0, low / 100.0, high / 100.0)
        }
        _ => "too few buyers to compare revenue".to_owned(),
    };
    // A few large orders may turn the sign: then the difference without their upper part says more.
    let capped = match (comparison.revenue_difference_cents, comparison.revenue_capped_difference_cents) {
        (Some(difference), Some(capped)) if difference * capped < 0.0 => {
            format!(", {:+.2} {currency} where nobody counts for more than {} {currency}", capped / 100.0, Cents(cap_cents))
        }
        _ => String::new(),
    };
    format!("{} against {}: {rates}; {revenue}{capped}", comparison.arm, comparison.against)
}

fn percent(ratio: f64) -> String {
    format!("{:.1} %", ratio * 100.0)
}

fn money(cents: f64, currency: &str) -> String {
    format!("{:.2} {currency}", cents / 100.0)
}
