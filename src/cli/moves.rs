//! `stammgast moves`: who moved from one class to another.

use anyhow::Context as _;
use chrono::{Datelike as _, NaiveDate};
use serde_json::{Map, Value, json};

use super::{App, Done, day};
use crate::flow::{Ctx, why};
use crate::model::crossing::{PastClasses, Tracked};
use crate::model::facts::Needs;
use crate::store::crossings::{self, Moves};

/// How many customers moved between classes (A to B …), or the moves of one customer
///
/// A customer has moved when all full runs of `[score] settle_days` days have seen the new class: what flickers around a border does not count.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  stammgast moves\n  stammgast moves --from 2026-06-01 --to 2026-06-30\n  stammgast moves 1001\n\n\
    Rules read the same history: c.abc == \"B\" && c.abc_was(days(90)) == \"A\". The days before the first run are made up from the\n    \
    orders ([score] backfill_days; more with stammgast score --history DAYS). docs/scores.md says how.")]
pub(super) struct Args {
    /// The moves of this customer, by the shop's key
    #[arg(conflicts_with_all = ["from", "to"])]
    customer: Option<String>,
    /// The first day, in the shop's time zone [default: the first of the month]
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: Option<NaiveDate>,
    /// The last day [default: today]
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: Option<NaiveDate>,
}

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    let ctx = app.open(app.config()?, None).await?;
    match &args.customer {
        Some(customer) => one(customer, &ctx, app).await?,
        None => all(&args, &ctx, app).await?,
    }
    ctx.db.close().await;
    Ok(Done::Well)
}

async fn all(args: &Args, ctx: &Ctx, app: &App) -> anyhow::Result<()> {
    let zone = ctx.config.shop.zone();
    let to = args.to.unwrap_or_else(|| zone.date(ctx.clock.now()));
    let from = args.from.or_else(|| to.with_day(1)).unwrap_or(to);
    anyhow::ensure!(from <= to, "--from {from} lies after --to {to}: expected the earlier day first");
    let until = to.succ_opt().context("--to lies too far ahead")?;
    let mut tx = ctx.db.read().await?;
    let history = crossings::history(&mut tx).await?;
    let moves = crossings::moves(&mut tx, zone.start_of(from), zone.start_of(until)).await?;
    let known_since = history.map(|history| history.begins_at);
    if app.json {
        let row = |Moves { score, was, class, moves, customers }: &Moves| json!({ "score": score.code(), "from": score.name(*was), "to": score.name(*class), "customers": customers, "moves": moves });
        println!("{}", json!({ "from": from, "to": to, "known_since": known_since, "moves": moves.iter().map(row).collect::<Vec<_>>() }));
        return Ok(());
    }
    let Some(known_since) = known_since else {
        println!("{}", no_history(ctx));
        return Ok(());
    };
    println!("Moves from {from} to {to}; the history begins on {}", zone.date(known_since));
    if moves.is_empty() {
        println!(" none");
        return Ok(());
    }
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_header(["score", "from", "to", "customers", "moves"]);
    for Moves { score, was, class, moves, customers } in &moves {
        table.add_row([score.code().to_owned(), score.name(*was), score.name(*class), customers.to_string(), moves.to_string()]);
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(comfy_table::CellAlignment::Right);
    }
    println!("{table}");
    Ok(())
}

async fn one(customer: &str, ctx: &Ctx, app: &App) -> anyhow::Result<()> {
    let zone = ctx.config.shop.zone();
    let facts = why::customer(ctx, customer, Needs::default()).await?.with_context(|| format!("there is no customer '{customer}'"))?;
    let PastClasses { begins, settled, crossings } = &facts.history().classes;
    let class = |score: Tracked, class: Option<u8>| class.map(|class| score.name(class));
    let settled = || Tracked::ALL.into_iter().map(|score| (score.code().to_owned(), class(score, settled[score as usize])));
    if app.json {
        let rows = crossings.iter().map(|crossing| {
            let (from, to) = (class(crossing.score, crossing.was), class(crossing.score, crossing.class));
            json!({ "at": crossing.at, "score": crossing.score.code(), "from": from, "to": to })
        });
        let settled: Map<String, Value> = settled().map(|(score, class)| (score, class.into())).collect();
        let crossings: Vec<Value> = rows.collect();
        println!("{}", json!({ "customer": customer, "known_since": begins, "settled": settled, "moves": crossings }));
        return Ok(());
    }
    let Some(begins) = begins else {
        println!("{customer}: no class is known. Whoever has a paid order gets one with the next full run (stammgast score, or the daemon).");
        return Ok(());
    };
    let now = settled().map(|(score, class)| format!("{score} {}", class.unwrap_or_else(|| "–".to_owned())));
    println!("{customer}: {}; the history begins on {}", now.collect::<Vec<_>>().join(", "), zone.date(*begins));
    for crossing in crossings {
        let [from, to] = [crossing.was, crossing.class].map(|at| class(crossing.score, at).unwrap_or_else(|| "–".to_owned()));
        println!("  {} {:<5} {from} → {to}", zone.date(crossing.at), crossing.score.code());
    }
    Ok(())
}

fn no_history(ctx: &Ctx) -> &'static str {
    if ctx.config.score.history_days == 0 {
        "Moves are not followed: [score] history_days is 0."
    } else {
        "No history yet: the next full run of the scores makes it up from the orders (stammgast score, or the daemon)."
    }
}
