//! `stammgast why`: why somebody gets a message, or does not.

use std::sync::Arc;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::{App, Done};
use crate::config::Config;
use crate::flow::Ctx;
use crate::flow::why::{self, Clause, Gate, Line, Why};
use crate::model::facts::Needs;

/// Why a customer gets a message of a rule, or does not: clause by clause, gate by gate, the arm, and what the log says
///
/// Shows every clause of the condition with the value it saw, also those that did not matter any more, and every gate. Of this rule the log counts up
/// to TIME; the rules are those of the configured folder as it is now. Nothing is written.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  stammgast why 1001\n  stammgast why 1001 win-back --as-of 2026-07-01T09:00")]
pub(super) struct Args {
    /// The shop's key of the customer
    customer: String,
    /// Only this rule
    rule: Option<String>,
    /// Ask as if it were TIME, e.g. 2026-07-01T09:00 in the shop's zone
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
}

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    let ctx = app.open(app.config()?, args.as_of.as_deref()).await?;
    let campaign = Arc::new(app.campaign(&ctx).await?);
    let names: Vec<String> = match &args.rule {
        Some(name) => vec![campaign.rule(name).map_err(anyhow::Error::msg)?.spec.name.clone()],
        None => campaign.rules.rules().iter().map(|rule| rule.spec.name.clone()).collect(),
    };
    let asked =
        names.iter().filter_map(|name| campaign.rules.rule(name)).fold(Needs::default(), |asked, rule| asked.and(campaign.with_own(rule.needs)));
    let facts = why::customer(&ctx, &args.customer, asked).await?;
    let facts = facts
        .with_context(|| format!("there is no customer '{}': expected the shop's key, as in the column customer_id of an import", args.customer))?;
    let mut answers = Vec::new();
    for name in names {
        answers.push(why::why(&ctx, &campaign, &name, &facts).await?);
    }
    ctx.db.close().await;
    if app.json {
        let one = answers.first().filter(|_| args.rule.is_some());
        println!("{}", one.map_or_else(|| json!({ "rules": answers }), |why| json!(why)));
    } else {
        for why in &answers {
            print(&ctx, why);
        }
    }
    Ok(Done::Well)
}

fn print(ctx: &Ctx, why: &Why) {
    let zone = ctx.config.shop.zone();
    println!("\n{} and rule {} as of {}", why.customer, why.rule, zone.format(why.as_of));
    if let Some(pause) = &why.paused {
        println!("  the rule is {}", pause.sentence(zone));
    }
    println!("  {}", sentence(&ctx.config, why));
    why.clauses.iter().map(clause).chain(why.gates.iter().map(gate)).for_each(|line| println!("  {line}"));
    if let Some(hold) = &why.held {
        println!("  HELD   {}", hold.sentence(zone, ctx.config.shop.currency.code()));
    }
    for line in &why.log {
        let late = line.made_at.map(|at| format!(" (made {})", zone.format(at))).unwrap_or_default();
        println!("  log {}{late} {}", zone.format(line.at), logged(line));
    }
}

/// A clause in a line.
pub(super) fn clause(clause: &Clause) -> String {
    let answer = match clause.result {
        Some(true) => "yes",
        Some(false) => "no ",
        None => "?  ",
    };
    format!("{answer} {}   {}{}", clause.text, seen(&clause.value), if clause.skipped { "   (did not matter)" } else { "" })
}

/// A gate in a line.
pub(super) fn gate(gate: &Gate) -> String {
    let word = if gate.passed { "passes" } else { "STOPS " };
    format!("{word} {}", gate.reason.map_or_else(|| gate.gate.to_owned(), |reason| format!("{}: {reason}", gate.gate)))
}

/// What comes of it.
pub(super) fn sentence(config: &Config, why: &Why) -> String {
    let waits = why.waits_until.map_or_else(String::new, |at| format!(", after the quiet hours at {}", config.shop.zone().format(at)));
    match (why.verdict, &why.variant, why.reason) {
        ("send", Some(variant), _) => {
            let won = why.switch.as_ref().map_or("", |_| ", which has won");
            format!("gets a message, variant {variant}{won}{waits}")
        }
        ("control", ..) => "is held out, to see what the rule earns".to_owned(),
        ("holdout", ..) => format!("is one of the {} % held out from all rules ([policy] holdout_percent)", config.policy.holdout_percent),
        (_, _, Some("rule_failed")) => format!("the rule fails: {}", why.failure.as_deref().unwrap_or_default()),
        (_, _, Some(reason)) => format!("would get a message, but for: {reason}"),
        _ => "the condition is not true".to_owned(),
    }
}

/// What a clause saw, in few words.
fn seen(value: &Value) -> String {
    let one = |value: &Value| match value {
        Value::Null => "missing".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| format!("{name}: {}", one(value))).collect::<Vec<_>>().join(", "),
        other => one(other),
    }
}

fn logged(line: &Line) -> String {
    let variant = line.variant.as_deref().map_or_else(String::new, |variant| format!(" {variant}"));
    let times = if line.times > 1 { format!(" ({} times)", line.times) } else { String::new() };
    let state = line.state.as_deref().map_or_else(String::new, |state| format!(": {state}"));
    let detail = if line.detail.is_empty() { String::new() } else { format!(", {}", line.detail) };
    format!("{}{variant}{times}{state}{detail}", line.verdict)
}
