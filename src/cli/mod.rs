//! Floor 7: the command line: one file per command.

mod backtest;
mod calc;
mod check;
mod cron;
mod demo;
mod facts;
mod holds;
mod import;
mod init;
mod kpi;
mod logging;
mod messages;
mod migrate;
mod moves;
mod plan;
mod replaced;
mod report;
mod rules;
mod run;
mod score;
mod score_export;
mod serve;
mod shipped;
mod signs;
mod test;
mod why;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{Datelike as _, NaiveDate};
use clap::builder::FalseyValueParser;
use clap::{Parser, Subcommand};

use crate::base::clock::Clock;
use crate::config::{Config, DEFAULT_PATH};
use crate::flow::Ctx;
use crate::flow::campaign::Campaign;
use crate::model::text::one_line;
use crate::rules::ScoreSet;
use crate::store::{Db, settings};
use signs::Signs;

/// Campaign automation that a shop can run itself.
#[derive(Debug, Parser)]
#[command(name = "stammgast", version, propagate_version = true)]
struct Cli {
    /// Configuration file
    #[arg(long, global = true, env = "STAMMGAST_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON document on stdout instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Text without bars and sparklines, as files and pipes get it
    #[arg(long, global = true, env = "NO_COLOR", hide_env_values = true, value_parser = FalseyValueParser::new())]
    plain: bool,
    /// Bars and sparklines in files and pipes, too
    #[arg(long, global = true)]
    drawn: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Backtest(backtest::Args),
    Calc(calc::Args),
    Check(check::Args),
    Cron(cron::Args),
    Demo(demo::Args),
    Facts(facts::Args),
    Holds(holds::Args),
    Init(init::Args),
    Kpi(kpi::Args),
    Messages(messages::Args),
    Import(import::Args),
    Migrate(migrate::Args),
    Moves(moves::Args),
    Plan(plan::Args),
    Report(report::Args),
    Rules(rules::Args),
    Run(run::Args),
    Score(score::Args),
    Serve(serve::Args),
    Test(test::Args),
    Why(why::Args),
}

/// A day of the years that shops live in.
fn day(text: &str) -> Result<NaiveDate, String> {
    let day = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok().filter(|day| (1970..=2200).contains(&day.year()));
    day.ok_or_else(|| "expected a day of the years 1970 to 2200, e.g. 2026-03-01".to_owned())
}

/// A person who does something.
#[derive(Debug, clap::Args)]
struct By {
    /// Who does it
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "somebody")]
    by: String,
}

impl By {
    fn name(&self) -> String {
        one_line(&self.by)
    }
}

/// How a command ended that did not fail outright.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    /// Exit 0.
    Well,
    /// Exit 1: it ran, but found faults or could not do all (rejected lines, a check's faults).
    WithFaults,
}

/// What commands are given.
#[derive(Debug)]
struct App {
    config: Option<PathBuf>,
    json: bool,
    signs: Signs,
}

impl App {
    /// The configuration.
    fn config(&self) -> anyhow::Result<Config> {
        let config = Config::load(self.config.as_deref())?;
        // What only higher floors can tell.
        let checked = logging::check(&config.log).and_then(|()| import::check(&config));
        checked.map_err(|problem| anyhow::anyhow!("{}: {problem}", self.config_name()))?;
        Ok(config)
    }

    fn config_name(&self) -> String {
        self.config.as_deref().unwrap_or(Path::new(DEFAULT_PATH)).display().to_string()
    }

    /// Database (migrated, if the configuration says so), clock and settings. `as_of` is a time as people write it, in the shop's zone;
    /// with it the clock is simulated and stands at that moment.
    async fn open(&self, config: Config, as_of: Option<&str>) -> anyhow::Result<Ctx> {
        let clock = match as_of {
            Some(text) => Clock::simulated(config.shop.zone().parse_time(text).context("--as-of")?),
            None => Clock::System,
        };
        let db = Db::open(&config.database.url, config.database.connections).await?;
        if config.database.migrate {
            db.migrate().await?;
        } else {
            let missing = db.pending_migrations().await?;
            anyhow::ensure!(missing == 0, "the schema lacks {missing} migrations: run `stammgast migrate`, or set database.migrate = true");
        }
        let ctx = Ctx::new(db, clock, Arc::new(config));
        // Whoever needs them says what is wrong with them; an import or a report goes on without.
        ctx.own.put(ScoreSet::load(&ctx.config.score.path).ok().map(Arc::new));
        Ok(ctx)
    }

    /// The shop's own scores.
    fn own_scores(ctx: &Ctx) -> anyhow::Result<Arc<ScoreSet>> {
        match ScoreSet::load(&ctx.config.score.path) {
            Ok(scores) => Ok(Arc::new(scores)),
            Err(faults) => {
                let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
                anyhow::bail!("the own scores cannot be used:\n{}", faults.join("\n"))
            }
        }
    }

    /// Rules and templates of the configured folders.
    async fn campaign(&self, ctx: &Ctx) -> anyhow::Result<Campaign> {
        let token_key = settings::token_key(&ctx.db).await?;
        let campaign = Campaign::load(&ctx.config, token_key).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
            anyhow::anyhow!("rules, scores or templates cannot be used:\n{}", faults.join("\n"))
        })?;
        ctx.own.put(Some(Arc::clone(&campaign.scores)));
        Ok(campaign)
    }
}

/// A version's hash as people read and type it.
fn short(hash: &str) -> &str {
    hash.get(..8).unwrap_or(hash)
}

/// Reads the command line, runs the command, and turns its end into an exit code: 0 done, 1 failed or faults found, 2 wrong usage.
#[must_use]
pub fn main() -> ExitCode {
    end_with_the_reader();
    let cli = Cli::parse();
    let app = App { config: cli.config, json: cli.json, signs: Signs::for_output(cli.plain, cli.drawn) };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: the runtime cannot be started: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli.command, &app)) {
        Ok(Done::Well) => ExitCode::SUCCESS,
        Ok(Done::WithFaults) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// `stammgast facts | head` ends when `head` has seen enough, without a word, as other programs do: with the code of SIGPIPE. Where the output finds no room
/// for another reason, that is said.
fn end_with_the_reader() {
    const SIGPIPE: i32 = 128 + 13;
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload().downcast_ref::<String>();
        match said.and_then(|said| said.strip_prefix("failed printing to stdout: ")) {
            Some(fault) if fault.starts_with("Broken pipe") => std::process::exit(SIGPIPE),
            Some(fault) => {
                eprintln!("error: the output cannot be written: {fault}");
                std::process::exit(1);
            }
            None => {}
        }
        usual(panic);
    }));
}

async fn run(command: Command, app: &App) -> anyhow::Result<Done> {
    match command {
        Command::Backtest(args) => backtest::run(args, app).await,
        Command::Calc(args) => calc::run(args, app),
        Command::Check(args) => check::run(&args, app),
        Command::Cron(args) => cron::run(&args, app),
        Command::Moves(args) => moves::run(args, app).await,
        Command::Demo(args) => demo::run(args, app).await,
        Command::Facts(args) => Ok(facts::run(&args, app)),
        Command::Holds(args) => holds::run(args, app).await,
        Command::Init(args) => init::run(&args, app),
        Command::Kpi(args) => kpi::run(args, app).await,
        Command::Messages(args) => messages::run(args, app).await,
        Command::Import(args) => import::run(args, app).await,
        Command::Plan(args) => plan::run(args, app).await,
        Command::Migrate(args) => migrate::run(args, app).await,
        Command::Report(args) => report::run(args, app).await,
        Command::Rules(args) => rules::run(args, app).await,
        Command::Run(args) => run::run(args, app).await,
        Command::Serve(args) => serve::run(args, app).await,
        Command::Test(args) => test::run(args, app).await,
        Command::Why(args) => why::run(args, app).await,
        Command::Score(args) => score::run(args, app).await,
    }
}
