//! `stammgast run`: one pass, then exit.

use std::sync::Arc;

use anyhow::Context as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{App, Done};
use crate::base::time::UnixMs;
use crate::daemon::lock;
use crate::flow::campaign::InForce;
use crate::flow::dispatch::{DispatchReport, Dispatcher};
use crate::flow::evaluate::TickReport;
use crate::flow::share::Round;
use crate::flow::trigger::Due;
use crate::flow::{Ctx, evaluate, record, trigger, watch};
use crate::model::hold::Hold;
use crate::store::facts;

/// One pass: everything due, or the named rules, through decide and dispatch; then exit
///
/// Without names the runs are made that the rules' schedules ask for at TIME: the latest one that was missed in the last 24 hours too, unless the rule
/// is newer. A rule that is named runs whatever its schedule says. A run that was made for the same moment before is not made again. Runs that
/// a guard holds are told; while one waits for a person, the exit status is 1.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  stammgast run\n  stammgast run win-back --as-of 2026-07-01T09:00 --no-dispatch")]
pub(super) struct Args {
    /// Rules to run, whatever their schedule says
    rules: Vec<String>,
    /// Act as if it were TIME, e.g. 2026-07-01T09:00 in the shop's zone: scores, gates, decisions and mails of that moment
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Decide, but leave the messages in the outbox
    #[arg(long)]
    no_dispatch: bool,
}

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    let ctx = app.open(app.config()?, args.as_of.as_deref()).await?;
    let identity = lock::take(&ctx.config, &ctx.db)?;
    let in_force = Arc::new(InForce::new(app.campaign(&ctx).await?));
    let runs = decide(&ctx, &in_force, &args.rules, &identity.who).await?;
    // Nothing may fail between what leaves and the report of it.
    let customers = facts::count(&mut ctx.db.read().await?).await?;
    let held = watch::held(&ctx).await?;
    record::conversions(&ctx).await?;
    let dispatched = if args.no_dispatch {
        None
    } else {
        let dispatcher = Arc::new(Dispatcher::new(ctx.clone(), in_force, identity.who.clone()).map_err(anyhow::Error::msg)?);
        let stop = stop_on_signal()?;
        let report = dispatcher.drain(&stop).await?;
        dispatcher.close().await;
        Some(report)
    };
    ctx.db.close().await;
    let faults = runs.iter().any(|run| run.failed > 0 || run.paused.is_some())
        || held.iter().any(|hold| !hold.goes_on)
        || dispatched.as_ref().is_some_and(|report| report.relay_fault.is_some());
    if app.json {
        println!("{}", json!({ "as_of": ctx.clock.now(), "customers": customers, "runs": runs, "held": held, "dispatch": dispatched }));
    } else {
        print(&ctx, customers, &runs, &held, dispatched.as_ref());
    }
    Ok(if faults { Done::WithFaults } else { Done::Well })
}

/// Runs what is due, or what was named, under the lease to decide.
async fn decide(ctx: &Ctx, in_force: &InForce, named: &[String], who: &str) -> anyhow::Result<Vec<TickReport>> {
    let campaign = in_force.get();
    for name in named {
        campaign.rule(name).map_err(anyhow::Error::msg)?;
    }
    let lease =
        evaluate::lease(ctx, who).await?.context("another daemon is deciding at the moment: try again in a minute, or leave it to the daemon")?;
    // Notes the versions in force also when rules are named, so that a later pass makes up for nothing older.
    let due = trigger::due(ctx, &campaign).await?;
    let now = ctx.clock.now();
    let due = if named.is_empty() { due } else { runs_of(named, due, now) };
    let (mut runs, mut round) = (Vec::new(), Round::of(due));
    while let Some(report) = round.next(ctx, &campaign, &lease).await? {
        runs.push(report);
    }
    lease.release(ctx).await?;
    Ok(runs)
}

/// Runs of the named rules: what is left of earlier ones first, such as one that was held and released, then one for the present moment.
fn runs_of(named: &[String], due: Vec<Due>, now: UnixMs) -> Vec<Due> {
    let mut runs: Vec<Due> = due.into_iter().filter(|run| run.goes_on && named.contains(&run.rule)).collect();
    for rule in named {
        if !runs.iter().any(|run| run.rule == *rule && run.tick_at == now) {
            runs.push(Due { rule: rule.clone(), tick_at: now, goes_on: false });
        }
    }
    runs
}

fn stop_on_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, token) = (tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?, stop.clone());
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        token.cancel();
    });
    Ok(stop)
}

fn print(ctx: &Ctx, customers: i64, runs: &[TickReport], held: &[Hold], dispatched: Option<&DispatchReport>) {
    let zone = ctx.config.shop.zone();
    println!("As of {}:", zone.format(ctx.clock.now()));
    if runs.is_empty() {
        println!("  no rule is due; name one to run it anyway: stammgast run RULE");
    }
    for run in runs {
        if run.already_ran {
            println!("  {}: had run for {} before; nothing to do", run.rule, zone.format(run.tick_at));
            continue;
        }
        if let Some(pause) = &run.paused {
            println!("  {}: {}", run.rule, pause.sentence(zone));
            let so_far = if run.messages > 0 { format!("it stopped after {} messages", run.messages) } else { "nothing was done".to_owned() };
            println!("    {so_far}; `stammgast rules resume {}` lets it go on", run.rule);
            continue;
        }
        match &run.held {
            Some(hold) if hold.tick_at != run.tick_at => println!("  {}: nothing begins while an earlier run is held", run.rule),
            Some(_) => println!("  {}: held, {} messages were written before", run.rule, run.messages),
            None => println!("  {}: {customers} customers, {} proposals, {} messages", run.rule, run.proposed, run.messages),
        }
        if let Some(sentence) = &run.failure {
            println!("    failed for {} customers, e.g.: {sentence}", run.failed);
        }
    }
    for hold in held {
        println!("  {} is held: {}", hold.rule, hold.sentence(zone, ctx.config.shop.currency.code()));
        println!("    stammgast holds release {0} lets it go on, stammgast holds discard {0} drops the rest", hold.rule);
    }
    let Some(report) = dispatched else { return };
    println!(
        "  outbox: {} sent, {} later, {} failed, {} in doubt, {} cancelled",
        report.sent, report.retried, report.failed, report.in_doubt, report.cancelled
    );
    if let Some(fault) = &report.relay_fault {
        println!("  no mail leaves: {fault}");
    }
}
