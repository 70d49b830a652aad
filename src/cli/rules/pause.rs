//! `stammgast rules pause` and `resume`.

use super::super::{App, By, Done};
use super::exists;
use crate::flow::Ctx;
use crate::flow::pause::{self, AfterPause};

/// The rule begins no run and sends nothing until `resume`, whatever daemon runs it
///
/// A run that is under way stops at its next page. Messages that wait stay in the outbox; what is on its way at this moment may still arrive. A person's
/// pause outlives new versions of the rule. Runs that fall into the pause are not made up for.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  stammgast rules pause win-back --reason \"the voucher is wrong\"\n  stammgast rules pause win-back --discard")]
pub(super) struct Pause {
    /// The rule
    rule: String,
    /// Why, for those who come after you
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    #[command(flatten)]
    more: More,
}

/// A paused rule goes on: it runs when its schedule says so next, and its messages may leave
///
/// Runs that it missed are not made up for; one that was under way goes on, unless it is more than a day old.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  stammgast rules resume win-back\n  stammgast rules resume win-back --discard")]
pub(super) struct Resume {
    /// The rule
    rule: String,
    #[command(flatten)]
    more: More,
}

#[derive(Debug, clap::Args)]
struct More {
    /// Cancel the messages of the rule that wait; those people do not get them later either
    #[arg(long)]
    discard: bool,
    #[command(flatten)]
    by: By,
}

pub(super) async fn pause(args: Pause, ctx: &Ctx, app: &App) -> anyhow::Result<Done> {
    let Pause { rule, reason, more } = args;
    exists(ctx, &rule).await?;
    let after = pause::pause(ctx, &rule, &more.by.name(), &reason, more.discard).await?;
    if app.json {
        println!("{}", after.document(&rule, "paused"));
        return Ok(Done::Well);
    }
    match &after.pause {
        Some(pause) if !after.changed => println!("Nothing was changed: rule {rule} is {}", pause.sentence(ctx.config.shop.zone())),
        _ => println!("Rule {rule} is paused: it begins no run and sends nothing until `stammgast rules resume {rule}`."),
    }
    print_messages(&after, "wait; --discard cancels them");
    if after.open.on_the_way > 0 {
        println!("  {} messages are on their way at this moment and may still arrive", after.open.on_the_way);
    }
    if let Some(at) = after.run {
        println!("  its run for {} stops and goes on after `resume`, unless that comes more than a day later", ctx.config.shop.zone().format(at));
    }
    Ok(Done::Well)
}

pub(super) async fn resume(args: Resume, ctx: &Ctx, app: &App) -> anyhow::Result<Done> {
    let Resume { rule, more } = args;
    exists(ctx, &rule).await?;
    let after = pause::resume(ctx, &rule, &more.by.name(), more.discard).await?;
    if app.json {
        println!("{}", after.document(&rule, "resumed"));
        return Ok(Done::Well);
    }
    let zone = ctx.config.shop.zone();
    let Some(pause) = &after.pause else {
        println!("Rule {rule} is not paused: nothing was changed.");
        return Ok(Done::Well);
    };
    println!("Rule {rule} goes on; it was {}", pause.sentence(zone));
    let since = after.open.oldest_at.map_or_else(String::new, |at| format!(", the oldest of them decided at {}", zone.format(at)));
    print_messages(&after, &format!("may leave now{since}"));
    match after.run {
        Some(at) => println!("  its run for {} goes on; runs that it missed are not made up for", zone.format(at)),
        None => println!("  runs that it missed are not made up for"),
    }
    Ok(Done::Well)
}

fn print_messages(after: &AfterPause, what: &str) {
    if after.discarded > 0 {
        println!("  {} messages that waited were cancelled", after.discarded);
    }
    if after.open.waiting > 0 {
        println!("  {} messages {what}", after.open.waiting);
    }
}
