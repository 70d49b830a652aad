//! `stammgast rules show` and `diff`: the texts that ran, and what changed between them.

use std::time::Duration;

use anyhow::Context as _;
use comfy_table::{Table, presets};
use serde_json::json;
use similar::{ChangeTag, TextDiff};

use super::super::{App, Done, short};
use super::exists;
use crate::base::time::UnixMs;
use crate::flow::{Ctx, survey};
use crate::rules::RuleSet;
use crate::store::rules::{self, Version};

/// The text of the version that runs, or of another one that ran
#[derive(Debug, clap::Args)]
#[command(
    disable_version_flag = true,
    after_help = "Examples:\n  stammgast rules show win-back\n  stammgast rules show win-back --versions\n  stammgast rules show win-back --version 36f84e5d"
)]
pub(super) struct Show {
    /// The rule
    rule: String,
    /// The version whose hash begins like this
    #[arg(long, value_name = "HASH")]
    version: Option<String>,
    /// All versions, newest first, and how many decisions were made under each
    #[arg(long, conflicts_with = "version")]
    versions: bool,
}

/// What differs between two versions, line by line; by default between the one that runs and the file
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  stammgast rules diff win-back\n  stammgast rules diff win-back 36f84e5d\n  stammgast rules diff win-back 36f84e5d 5d3ea04c"
)]
pub(super) struct Diff {
    /// The rule
    rule: String,
    /// The version whose hash begins like this, instead of the one that runs
    from: Option<String>,
    /// The version whose hash begins like this, instead of the file
    to: Option<String>,
}

/// Longest time for finding a short difference; after that a longer one is shown.
const DIFF_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) async fn show(args: Show, ctx: &Ctx, app: &App) -> anyhow::Result<Done> {
    exists(ctx, &args.rule).await?;
    if args.versions {
        return history(&args.rule, ctx, app).await;
    }
    let version = version(ctx, &args.rule, args.version.as_deref()).await?;
    let first_seen_at = UnixMs(version.first_seen_at);
    if app.json {
        println!("{}", json!({ "rule": args.rule, "hash": version.hash, "first_seen_at": first_seen_at, "text": version.text }));
    } else {
        // As a comment: what is printed stays a rule.
        println!("// rule {}, version {}, first in force {}", args.rule, version.hash, ctx.config.shop.zone().format(first_seen_at));
        println!("{}", version.text.trim_end());
    }
    Ok(Done::Well)
}

async fn history(rule: &str, ctx: &Ctx, app: &App) -> anyhow::Result<Done> {
    let mut tx = ctx.db.read().await?;
    let (versions, running) = (rules::history(&mut tx, rule).await?, rules::in_force(&mut tx, rule).await?);
    if app.json {
        println!("{}", json!({ "rule": rule, "running": running.map(|version| version.hash), "versions": versions }));
        return Ok(Done::Well);
    }
    let zone = ctx.config.shop.zone();
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["version", "", "first in force", "decisions", "last run"]);
    for past in &versions {
        let runs = running.as_ref().is_some_and(|version| version.hash == past.hash);
        table.add_row([
            short(&past.hash),
            if runs { "runs" } else { "" },
            &zone.format(past.first_seen_at),
            &past.decisions.to_string(),
            &past.last_run_at.map_or_else(|| "–".to_owned(), |at| zone.format(at)),
        ]);
    }
    if versions.is_empty() {
        println!("Rule {rule} has not run yet.");
    } else {
        println!("{table}");
    }
    Ok(Done::Well)
}

pub(super) async fn diff(args: Diff, ctx: &Ctx, app: &App) -> anyhow::Result<Done> {
    let Diff { rule, from, to } = args;
    exists(ctx, &rule).await?;
    let from = version(ctx, &rule, from.as_deref()).await?;
    let is_file = to.is_none();
    let to = match to {
        Some(hash) => version(ctx, &rule, Some(&hash)).await?,
        None => in_file(ctx, &rule)?,
    };
    let diff = TextDiff::configure().timeout(DIFF_TIMEOUT).diff_lines(&from.text, &to.text);
    let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
    let (added, removed) = (count(ChangeTag::Insert), count(ChangeTag::Delete));
    let name = |version: &Version, more| format!("{rule} {}{more}", short(&version.hash));
    let text = diff.unified_diff().header(&name(&from, ""), &name(&to, if is_file { " (the file)" } else { "" })).to_string();
    if app.json {
        println!("{}", json!({ "rule": rule, "from": from.hash, "to": to.hash, "added": added, "removed": removed, "diff": text }));
    } else if from.hash == to.hash {
        println!("Rule {rule} {}: no difference.", short(&from.hash));
    } else {
        print!("{text}");
    }
    Ok(Done::Well)
}

/// The version asked for, or the one that runs.
async fn version(ctx: &Ctx, rule: &str, hash: Option<&str>) -> anyhow::Result<Version> {
    let mut tx = ctx.db.read().await?;
    match hash {
        Some(hash) => survey::version(&mut tx, rule, hash).await?.map_err(|problem| anyhow::anyhow!("{hash}: {problem}")),
        None => rules::in_force(&mut tx, rule).await?.with_context(|| format!("rule '{rule}' has not run yet: its text is in the files")),
    }
}

/// The rule as its file is now.
fn in_file(ctx: &Ctx, rule: &str) -> anyhow::Result<Version> {
    let files = RuleSet::load(&ctx.config.rules.path).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("the files have faults:\n{}", faults.join("\n"))
    })?;
    let found = files.rule(rule).with_context(|| format!("rule '{rule}' is not in the files any more: name two versions that ran"))?;
    Ok(Version { hash: found.spec.hash.clone(), text: found.source.clone(), first_seen_at: 0 })
}
