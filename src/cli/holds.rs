//! `stammgast holds`: runs that a guard stopped; a person lets them go on or discards the rest.

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;

use super::{App, By, Done};
use crate::flow::{Ctx, brake, watch};
use crate::model::hold::{Ending, Hold};
use crate::store::holds;

/// Most answered holds that are listed.
const ANSWERED: i64 = 10;

/// Runs that a guard holds: list, release, discard
///
/// A run stops before a limit is passed (.limit, .budget, [guards]). For an hour or a day it goes on by itself; a run that is larger than usual waits for you.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  stammgast holds\n  stammgast holds release win-back\n  stammgast holds discard win-back --by \"Anna\"")]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Held runs, and those that were answered last
    List,
    /// Let the held run of a rule go on without the guard that holds it
    Release(Answer),
    /// Write no more messages in the held run of a rule
    Discard(Answer),
}

#[derive(Debug, clap::Args)]
struct Answer {
    /// The rule
    rule: String,
    #[command(flatten)]
    by: By,
}

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    let ctx = app.open(app.config()?, None).await?;
    match args.action.unwrap_or(Action::List) {
        Action::List => list(&ctx, app).await?,
        Action::Release(answer) => said(&ctx, app, &answer, Ending::Released).await?,
        Action::Discard(answer) => said(&ctx, app, &answer, Ending::Discarded).await?,
    }
    ctx.db.close().await;
    Ok(Done::Well)
}

async fn said(ctx: &Ctx, app: &App, answer: &Answer, ending: Ending) -> anyhow::Result<()> {
    let rule = &answer.rule;
    let Some(hold) = brake::answer(ctx, rule, ending, &answer.by.name()).await? else {
        let held: Vec<String> = watch::held(ctx).await?.into_iter().map(|hold| hold.rule).collect();
        let only = if held.is_empty() { String::new() } else { format!(", only of {}", held.join(", ")) };
        anyhow::bail!("no run of a rule '{rule}' is held{only}: nothing was changed");
    };
    if app.json {
        println!("{}", json!(hold));
        return Ok(());
    }
    let (at, waiting) = (ctx.config.shop.zone().format(hold.tick_at), hold.waiting);
    match ending {
        Ending::Released => {
            println!("{rule}: the run for {at} goes on with {waiting} messages when the daemon looks next; without a daemon: stammgast run");
        }
        _ => println!("{rule}: the run for {at} is over, {waiting} messages are not written"),
    }
    Ok(())
}

async fn list(ctx: &Ctx, app: &App) -> anyhow::Result<()> {
    let mut tx = ctx.db.read().await?;
    let (open, ended) = (holds::open(&mut tx).await?, holds::ended(&mut tx, ANSWERED).await.context("answered holds")?);
    drop(tx);
    if app.json {
        println!("{}", json!({ "holds": open, "answered": ended }));
        return Ok(());
    }
    let shop = &ctx.config.shop;
    if open.is_empty() {
        println!("No run is held.");
    }
    for hold in &open {
        println!("{}: since {}: {}", hold.rule, shop.zone().format(hold.held_at), hold.sentence(shop.zone(), shop.currency.code()));
        println!("  stammgast holds release {0}   or   stammgast holds discard {0}", hold.rule);
    }
    if !ended.is_empty() {
        println!("Answered last:");
    }
    for hold in &ended {
        println!("  {}", answered(ctx, hold));
    }
    Ok(())
}

fn answered(ctx: &Ctx, hold: &Hold) -> String {
    let zone = ctx.config.shop.zone();
    let (Some(at), Some(ending)) = (hold.ended_at, hold.ended_how) else { return String::new() };
    let how = match (ending, &hold.ended_by) {
        (Ending::Expired, _) => "discarded because nobody answered".to_owned(),
        (_, Some(who)) => format!("{} by {who}", ending.code()),
        (_, None) => ending.code().to_owned(),
    };
    format!("{} {}: the run for {} with {} messages was {how}", zone.format(at), hold.rule, zone.format(hold.tick_at), hold.waiting)
}
