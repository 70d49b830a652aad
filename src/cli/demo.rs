//! `stammgast demo`: the main job on embedded parts: a made-up shop, the shipped rules, mails as files, the status page.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use chrono::Days;
use indicatif::{ProgressBar, ProgressStyle};
use tokio_util::sync::CancellationToken;

use super::{App, Done, report, shipped};
use crate::base::clock::Clock;
use crate::base::time::{DAY_MS, UnixMs};
use crate::config::Config;
use crate::daemon::files::Fingerprint;
use crate::daemon::{self, lock};
use crate::flow::campaign::InForce;
use crate::flow::dispatch::Dispatcher;
use crate::flow::share::Round;
use crate::flow::{Ctx, analyse, evaluate, ingest, record, trigger};
use crate::intake::sample_shop;
use crate::store::{messages, settings};

/// The main job on embedded parts: a sample shop, the shipped rules over the last six weeks, mails as files, the status page
///
/// Everything is in DIR: database, mails, rules and templates to try changes on. Ctrl-C ends it; a second start goes on where it was.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  stammgast demo\n  stammgast demo --dir /tmp/demo --port 9000\n  stammgast report --config demo/config/stammgast.toml"
)]
pub(super) struct Args {
    /// Where the demo keeps its files
    #[arg(long, default_value = "demo")]
    dir: PathBuf,
    /// Port of the status page on this machine; 0: any free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Print the report and exit instead of serving the status page
    #[arg(long)]
    no_serve: bool,
}

/// How far back the rules run.
const DAYS_BACK: i64 = 42;
/// Where the demo's clock stands, between two starts.
const POSITION: &str = "demo_position";

pub(super) async fn run(args: Args, app: &App) -> anyhow::Result<Done> {
    if !args.no_serve {
        // Half a minute of work is no time to learn that it cannot be shown.
        let free = std::net::TcpListener::bind(("127.0.0.1", args.port));
        free.with_context(|| format!("--port {}: the status page cannot be there; expected a free port, e.g. --port 0 for any", args.port))?;
    }
    shipped::write(&args.dir, Some(&demo_config(&args.dir, args.port)?))?;
    let config = Config::load(Some(&args.dir.join("config/stammgast.toml")))?;
    super::logging::start(&crate::config::sections::Log { filter: "warn".to_owned(), json: false });
    let mut ctx = app.open(config, None).await?;
    let identity = lock::take(&ctx.config, &ctx.db)?;
    let files = Fingerprint::of(&ctx.config);
    let in_force = Arc::new(InForce::new(app.campaign(&ctx).await?));
    let stop = CancellationToken::new();
    let interrupted = tokio::spawn(cancel_on_interrupt(stop.clone()));
    let start = open_shop(&ctx, app.json).await?;
    play(&mut ctx, &in_force, &identity.who, start, &stop).await?;
    ctx.clock = Clock::System;
    if stop.is_cancelled() {
        println!("Stopped. The same command goes on from here.");
        return Ok(Done::Well);
    }
    let found = analyse::report(&ctx, None).await?;
    if app.json {
        println!("{}", serde_json::to_string(&found)?);
    } else {
        report::print(&ctx, &found, app.signs);
        println!("\nMails: {}", ctx.config.mail.folder);
    }
    if args.no_serve {
        ctx.db.close().await;
        return Ok(Done::Well);
    }
    interrupted.abort();
    let config_path = Some(args.dir.join("config/stammgast.toml"));
    let dir = args.dir.clone();
    let mut live = ctx.config.as_ref().clone();
    live.server.listen = format!("127.0.0.1:{}", args.port);
    ctx.config = Arc::new(live);
    let parts = daemon::Parts { ctx, in_force, identity, config_path, files, stages: true };
    daemon::serve(parts, stop, |address| {
        eprintln!("Status page: http://{address}/   (Ctrl-C ends the demo)");
        eprintln!("More:        stammgast report --config {}/config/stammgast.toml", dir.display());
    })
    .await?;
    Ok(Done::Well)
}

/// The demo's settings: everything in one folder, nothing leaves the machine.
fn demo_config(dir: &Path, port: u16) -> anyhow::Result<String> {
    let dir = std::path::absolute(dir).context("--dir")?;
    let path = |name: &str| toml_text(&dir.join(name).display().to_string());
    let url = toml_text(&format!("sqlite://{}", dir.join("stammgast.db").display()));
    Ok(format!(
        "# Made by `stammgast demo`. Every key there is stands in the program's config/default.toml; `stammgast init DIR` writes it out.\n\n\
         [shop]\nname = {}\nimprint = {}\n\n[database]\nurl = {url}\n\n[rules]\npath = {}\n\n[score]\npath = {}\n\n[templates]\npath = {}\n\n\
         [mail]\ntransport = \"file\"\nfolder = {}\nfrom = {}\n\n[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\n",
        toml_text(sample_shop::NAME),
        toml_text(sample_shop::IMPRINT),
        path("rules"),
        path("scores"),
        path("templates"),
        path("mails"),
        toml_text(sample_shop::FROM),
    ))
}

/// A TOML string: JSON's escapes are TOML's.
fn toml_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Fills the empty database with the sample shop; says where the demo's clock stands.
async fn open_shop(ctx: &Ctx, quiet: bool) -> anyhow::Result<UnixMs> {
    let mut tx = ctx.db.read().await?;
    let position = settings::moment(&mut tx, POSITION).await?;
    drop(tx);
    if let Some(position) = position {
        return Ok(position);
    }
    let zone = ctx.config.shop.zone();
    let yesterday = zone.date(ctx.clock.now()) - Days::new(1);
    let shop = sample_shop::sample_shop(yesterday, zone, sample_shop::CUSTOMERS);
    let (customers, orders) = (shop.customers.len(), shop.orders.len());
    for batch in shop.customers.chunks(ingest::BATCH) {
        ingest::customers(ctx, batch.to_vec()).await?;
    }
    for batch in shop.orders.chunks(ingest::BATCH) {
        ingest::orders(ctx, batch.to_vec()).await?;
    }
    let start = zone.start_of(yesterday).plus(-DAYS_BACK * DAY_MS);
    remember(ctx, start).await?;
    if !quiet {
        println!("{}: {customers} customers and {orders} orders of two years.", ctx.config.shop.name);
    }
    Ok(start)
}

async fn remember(ctx: &Ctx, at: UnixMs) -> anyhow::Result<()> {
    let mut tx = ctx.db.write().await?;
    settings::remember(&mut tx, POSITION, at).await?;
    Ok(tx.commit().await?)
}

/// Lets the rules run from `start` to now by a simulated clock: at each moment when a run or a message is due, what the daemon would do.
async fn play(ctx: &mut Ctx, in_force: &Arc<InForce>, who: &str, start: UnixMs, stop: &CancellationToken) -> anyhow::Result<()> {
    let end = ctx.clock.now();
    ctx.clock = Clock::simulated(start);
    let dispatcher = Arc::new(Dispatcher::new(ctx.clone(), Arc::clone(in_force), who.to_owned()).map_err(anyhow::Error::msg)?);
    let days = u64::try_from(end.since(start) / DAY_MS).unwrap_or(0);
    let bar = ProgressBar::new(days).with_style(ProgressStyle::with_template("{bar:30} day {pos} of {len}  {msg}")?);
    let mut sent = 0;
    while ctx.clock.now() < end && !stop.is_cancelled() {
        let campaign = in_force.get();
        let lease = evaluate::lease(ctx, who).await?.context("another daemon is deciding")?;
        let mut round = Round::of(trigger::due(ctx, &campaign).await?);
        while round.next(ctx, &campaign, &lease).await?.is_some() {}
        lease.release(ctx).await?;
        sent += dispatcher.drain(stop).await?.sent;
        record::conversions(ctx).await?;
        let now = ctx.clock.now();
        remember(ctx, now).await?;
        bar.set_position(u64::try_from(now.since(start) / DAY_MS).unwrap_or(0));
        bar.set_message(format!("{sent} mails"));
        let next_message = messages::next_due(&mut ctx.db.read().await?).await?.filter(|due_at| *due_at > now);
        let next_run = trigger::next(ctx, &campaign, &[]).map(|due| due.tick_at);
        let next = [next_message, next_run].into_iter().flatten().min().unwrap_or(end);
        ctx.clock.set(next.min(end));
    }
    record::conversions(ctx).await?;
    bar.finish_and_clear();
    Ok(())
}

async fn cancel_on_interrupt(stop: CancellationToken) {
    let _ = tokio::signal::ctrl_c().await;
    stop.cancel();
}
