//! `stammgast backtest`: a rule replayed over the stored history.

use std::io::{BufWriter, Write as _};
use std::sync::Arc;

use anyhow::Context as _;
use chrono::NaiveDate;
use indicatif::{ProgressBar, ProgressStyle};

use super::signs::Signs;
use super::{App, Done, day};
use crate::base::memory;
use crate::base::money::Cents;
use crate::flow::Ctx;
use crate::flow::backtest::{self, Backtest, Day};
use crate::model::decision::Refusal;
use crate::rules::crontab::Crontab;

/// Most lines of the chart.
const LINES: usize = 45;
/// Most held runs that are listed.
const HELD: usize = 10;
/// Columns of its longest bar.
const COLUMNS: usize = 40;

/// Replay a rule over the stored history day by day, gates included: messages, people, vouchers, and who bought anyway
///
/// Each run sees the orders up to its moment. Cooldowns, occasions and the frequency cap count what the replay has decided itself, what the log says
/// about this rule before FROM, and about other rules throughout. Names, tags and addresses are those of today. A run that a guard
/// would hold is named, and goes on as if it were released at once. Nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  stammgast backtest win-back --from 2026-01-01 --to 2026-06-30")]
pub(super) struct Args {
    /// The rule
    rule: String,
    /// The first day, in the shop's time zone
    #[arg(long, value_name = "DATE", value_parser = day)]
    from: NaiveDate,
    /// The last day
    #[arg(long, value_name = "DATE", value_parser = day)]
    to: NaiveDate,
    /// Run it on this schedule instead of its own, e.g. "0 9 * * *"
    #[arg(long, value_name = "CRON")]
    every: Option<String>,
}

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    anyhow::ensure!(args.from <= args.to, "--from {} lies after --to {}: expected the earlier day first", args.from, args.to);
    memory::spare();
    let ctx = app.open(app.config()?, None).await?;
    let campaign = Arc::new(app.campaign(&ctx).await?);
    let rule = campaign.rule(&args.rule).map_err(anyhow::Error::msg)?;
    let line = args.every.as_deref().or(rule.spec.schedule.as_deref());
    let line = line.with_context(|| format!("rule '{}' has no schedule (.every): say when it is to run, e.g. --every \"0 9 * * *\"", args.rule))?;
    let schedule = Crontab::parse(line).context("--every")?;
    let bar = ProgressBar::new(0).with_style(ProgressStyle::with_template("{bar:30} run {pos} of {len}, {eta} left")?);
    let progress = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let found = backtest::backtest(&ctx, &campaign, &args.rule, (args.from, args.to), &schedule, progress).await?;
    bar.finish_and_clear();
    ctx.db.close().await;
    if app.json {
        // A wide rule reaches a million people: they are told one after the other.
        let mut out = BufWriter::new(std::io::stdout().lock());
        serde_json::to_writer(&mut out, &found)?;
        writeln!(out)?;
        out.flush()?;
    } else {
        print(&ctx, &found, app.signs);
    }
    Ok(if found.failure.is_some() { Done::WithFaults } else { Done::Well })
}

fn print(ctx: &Ctx, found: &Backtest, signs: Signs) {
    let sum = |of: fn(&Day) -> usize| found.days.iter().map(of).sum::<usize>();
    println!(
        "{} {} from {} to {}: {} runs; nothing is written or sent",
        found.rule,
        found.hash.get(..8).unwrap_or_default(),
        found.from,
        found.to,
        found.runs
    );
    println!("{}", chart(&found.days, signs));
    let holdout = match sum(|day| day.holdout) {
        0 => String::new(),
        people => format!(", held out from all rules {people}"),
    };
    println!("  messages {}, held out {}{holdout}; {} people reached more than once", sum(|day| day.sent), sum(|day| day.control), found.repeated);
    for (reason, times) in &found.refused {
        println!("  not written to {times} times: {}", Refusal::parse(reason).map_or(*reason, Refusal::sentence));
    }
    if let Some(sentence) = &found.failure {
        println!("    e.g. {sentence}");
    }
    if found.vouchers > 0 {
        println!(
            "  vouchers {}: up to {} {} if all are redeemed",
            found.vouchers,
            Cents(found.voucher_exposure_cents),
            ctx.config.shop.currency.code()
        );
    }
    if let Some(pause) = &found.pauses_itself {
        println!("  the rule would have paused itself at {}", pause.sentence(ctx.config.shop.zone()));
        println!("    nothing after that would have left; the replay ends there");
    }
    if !found.held.is_empty() {
        let shop = &ctx.config.shop;
        println!("  {} runs would have been held (the replay goes on as if each were released at once):", found.held.len());
        for run in found.held.iter().take(HELD) {
            println!("    {} {}", shop.zone().format(run.at), run.foreseen.sentence(shop.currency.code()));
        }
        if found.held.len() > HELD {
            println!("    … (--json lists all)");
        }
    }
    if found.winner {
        println!("  a variant takes the traffic here only where it has done so by now: nobody can win in a replay");
    }
    if let Some(bought) = &found.bought_anyway {
        let share = (bought.bought * 100).checked_div(bought.reached).map_or_else(String::new, |percent| format!(" ({percent} %)"));
        println!("  bought within the goal's window without any mail: {} of {}{share}", bought.bought, bought.reached);
        if bought.open > 0 {
            println!("    {} of these windows end after the last order there is", bought.open);
        }
    }
}

/// Messages per day, or of several days where there are many.
fn chart(days: &[Day], signs: Signs) -> String {
    let step = days.len().div_ceil(LINES).max(1);
    let step = if step > 1 { step.next_multiple_of(7) } else { 1 };
    let rows: Vec<(NaiveDate, usize)> =
        days.chunks(step).filter_map(|days| Some((days.first()?.date, days.iter().map(|day| day.sent).sum()))).collect();
    let most = rows.iter().map(|(_, sent)| *sent).max().unwrap_or(0).max(1);
    let line = |(date, sent): &(NaiveDate, usize)| format!("  {date} {sent:>7} {}", signs.bar((sent * COLUMNS).div_ceil(most)));
    let lines: Vec<String> = rows.iter().map(line).map(|line| line.trim_end().to_owned()).collect();
    let head = if step == 1 { "  day        messages".to_owned() } else { format!("  {step} days from messages") };
    format!("{head}\n{}", lines.join("\n"))
}
