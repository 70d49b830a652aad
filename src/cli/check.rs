//! `stammgast check`: compile and lint rules and templates, and say what is wrong with file, line and column.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{App, Done};
use crate::base::clock::Clock;
use crate::base::time::{UnixMs, Zone};
use crate::base::token::TokenKey;
use crate::channel::message::Sender;
use crate::channel::smtp::SmtpClient;
use crate::channel::webhook::WebhookClient;
use crate::config::Config;
use crate::config::mail::Transport;
use crate::flow::campaign::Campaign;
use crate::model::facts::Moment;
use crate::model::fault::{FileFault, Severity};
use crate::model::predicate::{Clause, Leaf};
use crate::rules::crontab::Crontab;
use crate::rules::{Kept, Rule, RuleSet, ScoreSet};
use crate::store::filter::Filter;

/// Check rules, own scores and templates without running anything
///
/// Without a path: the rules, own scores and templates of the configuration, and whether each score, template and webhook target that a rule names is there.
/// With paths: the rules there, or the scores. Warnings say what is perhaps not what was meant, as a condition that is never true. Exit 1 when there are faults; warnings alone
/// are no fault.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  stammgast check\n  stammgast check --explain\n  stammgast check rules/win-back.rhai --json")]
pub(super) struct Args {
    /// Folders with *.rhai files, or single files
    paths: Vec<PathBuf>,
    /// Say of each rule what the database is asked, what only the interpreter can tell, and when it runs next
    #[arg(long)]
    explain: bool,
}

/// Runs that are shown.
const NEXT_RUNS: usize = 5;

/// How a rule will run.
#[derive(Debug, serde::Serialize)]
struct Explained {
    rule: String,
    place: String,
    /// Only these customers are read; `None`: everybody.
    reads: Option<String>,
    /// Clauses that only the interpreter can tell.
    interpreted: Vec<String>,
    /// In the shop's zone.
    next_runs: Vec<String>,
}

fn explain(rule: &Rule, zone: Zone, now: UnixMs) -> Explained {
    let is_script = |leaf: &&Leaf| leaf.clause == Clause::Script;
    let interpreted = match rule.predicate() {
        Some(predicate) => predicate.leaves().into_iter().filter(is_script).map(|leaf| leaf.text.clone()).collect(),
        None => vec!["the whole condition: it is a script of several statements".to_owned()],
    };
    let schedule = rule.spec.schedule.as_deref().and_then(|line| Crontab::parse(line).ok());
    let next_runs = schedule.map(|schedule| schedule.between(now, UnixMs(i64::MAX), zone, NEXT_RUNS)).unwrap_or_default();
    Explained {
        rule: rule.spec.name.clone(),
        place: rule.spec.place.clone(),
        reads: rule.predicate().and_then(|predicate| Filter::of(predicate, &Moment { now, zone })).map(|filter| filter.to_string()),
        interpreted,
        next_runs: next_runs.into_iter().map(|at| zone.format(at)).collect(),
    }
}

pub(super) fn run(args: &Args, app: &App) -> anyhow::Result<Done> {
    // Rules alone can be checked where the configuration is broken.
    let config = if args.paths.is_empty() || args.explain { app.config()? } else { Config::from_toml("")? };
    let (zone, now) = (config.shop.zone(), Clock::System.now());
    let mut rules: Vec<Explained> = Vec::new();
    let mut take = |set: &RuleSet| rules.extend(set.rules().iter().map(|rule| explain(rule, zone, now)));
    // Without a configuration scores may be as great and reach as far as they ever can.
    let kept = app.config().map_or(Kept::MOST, |config| Kept::of(&config.score));
    let mut faults = Vec::new();
    if args.paths.is_empty() {
        // The key plays no part in a check.
        match Campaign::load(&config, TokenKey::new([0; 32])) {
            Ok(campaign) => {
                take(&campaign.rules);
                faults.extend(campaign.rules.rules().is_empty().then(|| nothing_runs(&config.rules.path)));
                faults.extend(campaign.warnings);
            }
            Err(found) => faults.extend(found),
        }
        let file = app.config_name();
        faults.extend(of_channels(&config).err().map(|problem| FileFault::new(&file, (0, 0), &problem)));
        faults.extend(config.warnings().iter().map(|problem| FileFault::warning(&file, (0, 0), 0, problem)));
    }
    let scores = app.config().ok().and_then(|config| config.score.path.canonicalize().ok());
    let holds_scores = |path: &PathBuf| path.canonicalize().ok().zip(scores.as_ref()).is_some_and(|(path, scores)| path.starts_with(scores));
    for path in &args.paths {
        if holds_scores(path) {
            faults.extend(ScoreSet::load(path).err().into_iter().flatten());
            continue;
        }
        match RuleSet::load(path) {
            Ok(set) => {
                take(&set);
                faults.extend(set.rules().is_empty().then(|| without_rule(path)));
                faults.extend(set.warnings(&kept));
            }
            Err(found) => faults.extend(found),
        }
    }
    // Files that are named twice are told once.
    faults.sort();
    faults.dedup();
    let errors = faults.iter().filter(|fault| fault.severity == Severity::Error).count();
    if app.json {
        let mut document = json!({ "faults": faults });
        if args.explain {
            document["rules"] = json!(rules);
        }
        println!("{document}");
    } else {
        show(&faults);
        if args.explain {
            rules.iter().for_each(print);
        }
        let count = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let (told, warnings) = (count(errors, "fault"), count(faults.len() - errors, "warning"));
        let well = match (errors, faults.len() - errors) {
            (0, 0) => format!("{}, all well.", count(rules.len(), "rule")),
            (0, _) => format!("{} without fault, {warnings}.", count(rules.len(), "rule")),
            (_, 0) => format!("{told}."),
            _ => format!("{told}, {warnings}."),
        };
        println!("{well}");
        if !args.paths.is_empty() && !rules.is_empty() {
            eprintln!(
                "Not looked at: the templates, webhook targets, attributes and own scores that they name. Without a path, `stammgast check` does."
            );
        }
    }
    Ok(if errors == 0 { Done::Well } else { Done::WithFaults })
}

/// What the daemon would say of the ways out when it starts.
fn of_channels(config: &Config) -> Result<(), String> {
    let mail = &config.mail;
    if mail.transport == Transport::Smtp {
        SmtpClient::new(mail)?;
    }
    for (key, text) in [("from", &mail.from), ("reply_to", &mail.reply_to)] {
        if !text.is_empty() {
            Sender::parse(text).map_err(|problem| format!("[mail] {key}: {problem}"))?;
        }
    }
    WebhookClient::new(&config.webhook, &config.webhooks).map(drop)
}

/// What is said of a path that holds no rule: of a folder that it is the wrong one, of a file that it does nothing by itself.
pub(super) fn without_rule(path: &Path) -> FileFault {
    let file = path.display().to_string();
    if path.is_dir() {
        FileFault::new(&file, (0, 0), "holds no rule: expected a folder with *.rhai files that have rules, or one such file")
    } else {
        FileFault::warning(&file, (0, 0), 0, "holds no rule: it does nothing unless another file imports it")
    }
}

/// What is said when the configuration's own path holds no rule: a shop that has none yet may still count its key figures.
fn nothing_runs(path: &Path) -> FileFault {
    FileFault::warning(&path.display().to_string(), (0, 0), 0, "holds no rule, so nothing will run: is this what [rules] path should name?")
}

fn print(rule: &Explained) {
    println!("{} ({})", rule.rule, rule.place);
    println!("  the database reads {}", rule.reads.as_deref().unwrap_or("everybody"));
    for clause in &rule.interpreted {
        println!("  only the interpreter can tell: {clause}");
    }
    match rule.next_runs.as_slice() {
        [] => println!("  runs only when named: stammgast run {}", rule.rule),
        runs => println!("  next runs {}", runs.join(", ")),
    }
}

/// Each fault with its line of the file and what is meant underlined.
fn show(faults: &[FileFault]) {
    let mut texts: HashMap<&str, String> = HashMap::new();
    for fault in faults {
        println!("{fault}");
        // Of a fault without a line nothing is shown, and the file may be none that ends.
        if fault.line == 0 {
            continue;
        }
        let text = texts.entry(&fault.file).or_insert_with(|| fs::read_to_string(&fault.file).unwrap_or_default());
        if let Some(line) = fault.line.checked_sub(1).and_then(|line| text.lines().nth(line)) {
            print_line(line, fault.column, fault.length);
        }
    }
}

/// Most letters that are shown of a line.
const WIDEST: usize = 160;

/// A line and the mark below it; of a long line the part around the mark.
fn print_line(line: &str, column: usize, length: usize) {
    let from = column.saturating_sub(1);
    let cut = if line.chars().count() > WIDEST { from.saturating_sub(WIDEST / 4) } else { 0 };
    let shown: String = line.chars().skip(cut).take(WIDEST).map(|c| if c.is_control() && c != '\t' { ' ' } else { c }).collect();
    println!("    {shown}");
    if column > 0 {
        // Tabs stay tabs, so that the mark stands where the column is.
        let indent: String = shown.chars().take(from - cut).map(|c| if c == '\t' { c } else { ' ' }).collect();
        println!("    {indent}{}", "^".repeat(length.clamp(1, WIDEST)));
    }
}
