//! `stammgast test`: the rules' own examples and scenarios, offline, under a simulated clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::check::without_rule;
use super::{App, Done, why};
use crate::base::clock::Clock;
use crate::base::time::UnixMs;
use crate::base::token::TokenKey;
use crate::config::Config;
use crate::flow::campaign::Campaign;
use crate::flow::verify::examples::{self, Tried};
use crate::flow::verify::scenarios::{self, Played};
use crate::flow::why::Why;
use crate::flow::{Ctx, ingest};
use crate::intake::{Options, scenario};
use crate::model::fault::FileFault;
use crate::store::Db;

/// Try the rules' examples and scenarios out, offline and under a simulated clock
///
/// Without a path: the rules of the configuration, with the scenarios in its folder tests/*.toml. A folder of rules: the same there. One *.rhai file: its
/// examples. A *.toml file or a folder of them: these scenarios, with the rules of the folder above. Templates, time zone, quiet hours and caps are those
/// of the configuration; no database is opened and nothing is sent. Exit 1 when something is not as expected.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  stammgast test\n  stammgast test rules/win-back.rhai\n  stammgast test rules/tests/win-back.toml --json")]
pub(super) struct Args {
    /// Folders of rules or scenarios, or single files
    paths: Vec<PathBuf>,
}

/// The folder of scenarios beside rules.
const SCENARIOS: &str = "tests";
/// Most scenario files in a folder.
const MOST_FILES: usize = 500;
/// Lines of a scenario that are shown around differences.
const MOST_LINES: usize = 60;

/// What a path stands for.
struct Target {
    /// Folder or file of rules.
    rules: PathBuf,
    /// Whether their examples are tried.
    examples: bool,
    scenarios: Vec<PathBuf>,
}

#[derive(Default)]
struct Found {
    faults: Vec<FileFault>,
    tried: Vec<Tried>,
    played: Vec<Played>,
    /// Rules that no example shows.
    bare: Vec<String>,
}

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    let config = Arc::new(app.config()?);
    let paths = if args.paths.is_empty() { vec![config.rules.path.clone()] } else { args.paths };
    let mut found = Found::default();
    for path in &paths {
        found.path(&config, target(path)?).await?;
    }
    if app.json {
        println!("{}", found.json());
    } else {
        found.print(&config);
    }
    Ok(if found.failed() == 0 { Done::Well } else { Done::WithFaults })
}

fn target(path: &Path) -> anyhow::Result<Target> {
    let here = |path: &Path| if path.as_os_str().is_empty() { PathBuf::from(".") } else { path.to_owned() };
    let above = |folder: &Path| match folder.parent() {
        Some(above) if folder.file_name().is_some() => here(above),
        _ => folder.join(".."),
    };
    let ending = |path: &Path, ending: &str| path.extension().is_some_and(|found| found == ending);
    if path.is_dir() {
        let holds = |end: &str| files(path, end).map(|files| !files.is_empty());
        if holds("toml")? && !holds("rhai")? {
            return Ok(Target { rules: above(path), examples: false, scenarios: files(path, "toml")? });
        }
        let beside = path.join(SCENARIOS);
        let scenarios = if beside.is_dir() { files(&beside, "toml")? } else { Vec::new() };
        let holds_some = !scenarios.is_empty() || holds("rhai")?;
        anyhow::ensure!(holds_some, "{}: holds neither rules (*.rhai) nor scenarios (*.toml, {SCENARIOS}/*.toml)", path.display());
        return Ok(Target { rules: path.to_owned(), examples: true, scenarios });
    }
    anyhow::ensure!(path.is_file(), "{}: no such file or folder: expected rules (*.rhai) or scenarios (*.toml)", path.display());
    if ending(path, "toml") {
        let folder = path.parent().map(here).unwrap_or_default();
        return Ok(Target { rules: above(&folder), examples: false, scenarios: vec![path.to_owned()] });
    }
    Ok(Target { rules: path.to_owned(), examples: true, scenarios: Vec::new() })
}

/// The files of a folder with that ending, by name.
fn files(folder: &Path, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{}: cannot be read", folder.display()))?;
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let mut paths: Vec<PathBuf> =
        paths.filter(|path| path.extension().is_some_and(|found| found == ending) && path.is_file() && !hidden(path)).collect();
    anyhow::ensure!(paths.len() <= MOST_FILES, "{}: more than {MOST_FILES} *.{ending} files: name those that you mean", folder.display());
    paths.sort();
    Ok(paths)
}

impl Found {
    async fn path(&mut self, config: &Config, target: Target) -> anyhow::Result<()> {
        let mut config = config.clone();
        config.rules.path = target.rules;
        // The key plays no part in a test.
        let campaign = match Campaign::load(&config, TokenKey::new([0; 32])) {
            Ok(campaign) => Arc::new(campaign),
            Err(faults) => {
                self.faults.extend(faults);
                return Ok(());
            }
        };
        let config = Arc::new(config);
        // A single file may be a module that the shell named along with the others.
        if campaign.rules.rules().is_empty() && target.scenarios.is_empty() && config.rules.path.is_dir() {
            self.faults.push(without_rule(&config.rules.path));
            return Ok(());
        }
        if target.examples {
            let ctx = Ctx::new(Db::in_memory().await?, Clock::System, Arc::clone(&config));
            self.tried.extend(examples::examples(&ctx, &campaign).await?);
            ctx.db.close().await;
            let bare = campaign.rules.rules().iter().filter(|rule| rule.examples.is_empty());
            self.bare.extend(bare.map(|rule| rule.spec.name.clone()));
        }
        let own = ingest::attributes(&config);
        let (zone, currency) = (config.shop.zone(), config.shop.currency);
        let options = Options { zone, currency, date_order: None, source: None, data_at: UnixMs(0), now: Clock::System.now() };
        for file in target.scenarios {
            match scenario::load(&file, &options, &own) {
                Err(faults) => self.faults.extend(faults),
                Ok(scenario) => match scenarios::faults(&config, &campaign, &scenario) {
                    faults if faults.is_empty() => self.played.push(scenarios::play(&config, &campaign, &scenario).await?),
                    faults => self.faults.extend(faults),
                },
            }
        }
        Ok(())
    }

    fn failed(&self) -> usize {
        let examples = self.tried.iter().filter(|tried| !tried.passed).count();
        examples + self.played.iter().filter(|played| !played.passed).count() + self.faults.len()
    }

    fn json(&self) -> Value {
        let fault = |fault: &FileFault| json!({ "file": fault.file, "line": fault.line, "column": fault.column, "severity": "error", "message": fault.message });
        json!({
            "faults": self.faults.iter().map(fault).collect::<Vec<_>>(),
            "examples": self.tried,
            "scenarios": self.played,
            "without_example": self.bare,
            "failed": self.failed(),
        })
    }

    fn print(&self, config: &Config) {
        for fault in &self.faults {
            println!("{fault}");
        }
        for tried in self.tried.iter().filter(|tried| !tried.passed) {
            print_example(config, tried);
        }
        for played in self.played.iter().filter(|played| !played.passed) {
            print_scenario(config, played);
        }
        if !self.bare.is_empty() {
            println!("without an example (.example): {}", self.bare.join(", "));
        }
        let count = |count: usize, word: &str| format!("{count} {word}{}", if count == 1 { "" } else { "s" });
        let all = format!("{}, {}", count(self.tried.len(), "example"), count(self.played.len(), "scenario"));
        match (self.failed() - self.faults.len(), self.faults.len()) {
            (0, 0) => println!("{all}: all well."),
            (failed, 0) => println!("{all}: {failed} failed."),
            (failed, faults) => println!("{all}: {failed} failed; {}.", count(faults, "fault")),
        }
    }
}

fn print_example(config: &Config, tried: &Tried) {
    let Tried { file, line, column, rule, name, expected, got, .. } = tried;
    println!("{file}:{line}:{column} {rule}, \"{name}\": expected {expected}, got {got}");
    if let Some(sentence) = &tried.failure {
        println!("    {sentence}");
    }
    print_why(config, &tried.why, got != "no");
}

fn print_scenario(config: &Config, played: &Played) {
    let mails = if played.lines.iter().any(|line| line.outcome == "mail") { "; ! its mail is not as it should be" } else { "" };
    println!("{} \"{}\": not as expected (- expected, did not happen; + happened, not expected{mails})", played.file, played.name);
    let differs = |place: usize| played.lines.get(place).is_some_and(|line| line.outcome != "same");
    let near = |place: usize| (place.saturating_sub(1)..=place + 1).any(differs);
    let told: Vec<_> = played.lines.iter().enumerate().filter(|(place, _)| near(*place)).map(|(_, line)| line).collect();
    for line in told.iter().take(MOST_LINES) {
        let mark = match line.outcome {
            "missing" => '-',
            "unexpected" => '+',
            "mail" => '!',
            _ => ' ',
        };
        let place = if line.line > 0 && matches!(mark, '-' | '!') { format!("   (line {})", line.line) } else { String::new() };
        println!("  {mark} {}{place}", line.text);
        if let Some(sentence) = &line.sentence {
            sentence.lines().for_each(|line| println!("      {line}"));
        }
        if let Some(why) = &line.why {
            print_why(config, why, true);
        }
    }
    if told.len() > MOST_LINES {
        println!("    … and {} lines more: --json tells all", told.len() - MOST_LINES);
    }
}

/// The clauses, and the gates that stop.
fn print_why(config: &Config, told: &Why, gates: bool) {
    println!("      {}", why::sentence(config, told));
    let stops = told.gates.iter().filter(|gate| gates && !gate.passed).map(why::gate);
    told.clauses.iter().map(why::clause).chain(stops).for_each(|line| println!("      {line}"));
}
