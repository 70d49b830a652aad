//! `stammgast plan`: a dry run: who would get what, who not and why, and what differs from the running version.

use std::sync::Arc;

use serde_json::json;

use super::{App, Done, short};
use crate::base::money::Cents;
use crate::flow::campaign::Campaign;
use crate::flow::plan::{self, Person, Plan};
use crate::flow::{Ctx, survey};
use crate::model::decision::Refusal;
use crate::rules::RuleSet;
use crate::store::rules;

/// Who would get what if the rules ran now, who not and why; nothing is written or sent
///
/// The rules are those of the configured folder as it is now. A rule that the daemon runs in another version is compared with that one: people
/// added and removed. Percent vouchers count as that part of the customer's average order.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  stammgast plan\n  stammgast plan win-back --as-of 2026-07-01T09:00 --preview\n  stammgast plan win-back --against 1e821d51"
)]
pub(super) struct Args {
    /// Only this rule
    rule: Option<String>,
    /// Act as if it were TIME, e.g. 2026-07-01T09:00 in the shop's zone
    #[arg(long, value_name = "TIME")]
    as_of: Option<String>,
    /// Compare with the version whose hash begins like this, instead of the one that the daemon runs
    #[arg(long, value_name = "HASH", requires = "rule")]
    against: Option<String>,
    /// Show a message of each variant
    #[arg(long)]
    preview: bool,
    /// How many people to list (--json lists all)
    #[arg(long, value_name = "N", default_value_t = 5)]
    people: usize,
}

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    let ctx = app.open(app.config()?, args.as_of.as_deref()).await?;
    let campaign = Arc::new(app.campaign(&ctx).await?);
    let names = match &args.rule {
        Some(name) => vec![campaign.rule(name).map_err(anyhow::Error::msg)?.spec.name.clone()],
        None => campaign.rules.rules().iter().map(|rule| rule.spec.name.clone()).collect(),
    };
    let mut plans = Vec::new();
    for name in names {
        let other = other(&ctx, &campaign, &name, args.against.as_deref()).await?;
        let plan = plan::plan(&ctx, &campaign, &name, other.as_ref()).await?;
        if !app.json {
            print(&ctx, &plan, &args);
        }
        plans.push(plan);
    }
    ctx.db.close().await;
    let faults = plans.iter().any(|plan| plan.refused.contains_key(Refusal::RuleFailed.code()) || plan.previews.iter().any(|preview| preview.fails));
    if app.json {
        let one = plans.first().filter(|_| args.rule.is_some());
        println!("{}", one.map_or_else(|| json!({ "plans": plans }), |plan| json!(plan)));
    }
    Ok(if faults { Done::WithFaults } else { Done::Well })
}

/// The version to compare with: the one asked for, or the running one when it differs.
async fn other(ctx: &Ctx, campaign: &Campaign, name: &str, against: Option<&str>) -> anyhow::Result<Option<Arc<Campaign>>> {
    let mut tx = ctx.db.read().await?;
    let version = match against {
        None => {
            let own = campaign.rules.rule(name).map(|rule| rule.spec.hash.as_str());
            rules::in_force(&mut tx, name).await?.filter(|version| Some(version.hash.as_str()) != own)
        }
        Some(hash) => Some(survey::version(&mut tx, name, hash).await?.map_err(|problem| anyhow::anyhow!("--against {hash}: {problem}"))?),
    };
    drop(tx);
    let Some(version) = version else { return Ok(None) };
    let rules = RuleSet::from_stored(&version.text).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("version {} of rule '{name}' cannot be used any more:\n{}", short(&version.hash), faults.join("\n"))
    })?;
    Ok(Some(Arc::new(campaign.with_rules(rules))))
}

fn print(ctx: &Ctx, plan: &Plan, args: &Args) {
    let shop = &ctx.config.shop;
    let share = |people: usize| match (people * 100).checked_div(plan.customers) {
        None => String::new(),
        Some(0) if people > 0 => " (under 1 % of all)".to_owned(),
        Some(percent) => format!(" ({percent} % of all)"),
    };
    println!("\n{} {} as of {}: nothing is written or sent", plan.rule, short(&plan.hash), shop.zone().format(plan.as_of));
    if let Some(pause) = &plan.paused {
        println!("  the rule is {}", pause.sentence(shop.zone()));
    }
    if let Some(hold) = &plan.waits_for {
        println!(
            "  an earlier run is held, and none begins before it has ended (stammgast holds): {}",
            hold.sentence(shop.zone(), shop.currency.code())
        );
    }
    let failed = plan.refused.get(Refusal::RuleFailed.code()).copied().unwrap_or_default();
    let found = plan.people.len() - failed;
    let fails = if failed > 0 { format!(", the rule fails for {failed}{}", share(failed)) } else { String::new() };
    println!("  {} customers, the condition is true for {found}{}{fails}", plan.customers, share(found));
    let arms: Vec<String> = plan.variants.iter().map(|arm| format!("{} {}", arm.name, arm.people)).collect();
    println!("  messages {}{}: {}", plan.messages(), share(plan.messages()), arms.join(", "));
    if let Some(switch) = &plan.switch {
        println!("    {} has won: everybody who is not held out gets it, from {} on", switch.winner, shop.zone().format(switch.at));
    }
    if plan.waiting > 0 {
        println!("    {} of them wait for the end of quiet hours", plan.waiting);
    }
    if plan.control > 0 {
        println!("  held out {}", plan.control);
    }
    if plan.holdout > 0 {
        println!("  held out from all rules {}", plan.holdout);
    }
    for (reason, people) in &plan.refused {
        println!("  not written to {people}: {}", Refusal::parse(reason).map_or(*reason, Refusal::sentence));
    }
    if plan.vouchers > 0 {
        println!("  vouchers {}: up to {} {} if all are redeemed", plan.vouchers, Cents(plan.voucher_exposure_cents), shop.currency.code());
    }
    if let Some(foreseen) = &plan.held {
        println!("  the run would be {}", foreseen.sentence(shop.currency.code()));
    }
    if let Some(pause) = &plan.pauses_itself {
        println!("  the rule would pause itself at {}", pause.sentence(shop.zone()));
        println!("    nothing after that leaves; these figures end there");
    }
    if let Some(hash) = &plan.against {
        println!(
            "  against version {}: {} people added, {} removed, {} unchanged",
            short(hash),
            plan.added.len(),
            plan.removed.len(),
            plan.unchanged
        );
        let few = |people: &[String]| people.iter().take(args.people).cloned().collect::<Vec<_>>().join(", ");
        for (word, people) in [("added", &plan.added), ("removed", &plan.removed)] {
            if !people.is_empty() && args.people > 0 {
                println!("    {word}: {}{}", few(people), if people.len() > args.people { ", …" } else { "" });
            }
        }
    }
    // Whoever gets something is looked at first.
    let (refused, reached): (Vec<&Person>, Vec<&Person>) = plan.people.iter().partition(|person| person.reason.is_some());
    for person in reached.into_iter().chain(refused).take(args.people) {
        println!("  {}", line(person));
    }
    for preview in plan.previews.iter().filter(|preview| preview.fails) {
        println!("  the message of variant {} cannot be made, e.g. for {}: {}", preview.variant, preview.customer, preview.text);
    }
    for preview in plan.previews.iter().filter(|preview| args.preview && !preview.fails) {
        println!("\n  {} to {}: {}\n", preview.variant, preview.customer, preview.subject);
        for line in preview.text.lines() {
            println!("    | {line}");
        }
    }
}

fn line(person: &Person) -> String {
    let what = match (&person.variant, person.reason) {
        (Some(variant), _) => format!("message {variant}"),
        (None, Some(reason)) => format!("refused: {reason}"),
        (None, None) if person.verdict == "holdout" => "held out from all rules".to_owned(),
        (None, None) => "held out".to_owned(),
    };
    if person.detail.is_empty() { format!("{}  {what}", person.customer) } else { format!("{}  {what} ({})", person.customer, person.detail) }
}
