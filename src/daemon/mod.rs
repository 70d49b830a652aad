//! Floor 6: schedules, supervision, signals, shutdown.

pub mod files;
pub mod lock;
mod notify;
mod reload;
mod stages;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::base::clock::Clock;
use crate::flow::Ctx;
use crate::flow::campaign::InForce;
use crate::flow::dispatch::Dispatcher;
use crate::flow::reload::Wish;
use crate::web::{self, Web, pulse::Pulse};

/// Longest wait for the database's goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Reloads that may wait for the one under way; further wishes by the API are refused.
const MOST_WISHES: usize = 8;

/// Everything a running daemon is made of.
pub struct Parts {
    /// Database, clock, settings.
    pub ctx: Ctx,
    /// Rules and templates.
    pub in_force: Arc<InForce>,
    /// This daemon among others, and its lock.
    pub identity: lock::Identity,
    /// Where the configuration was read from, for a reload.
    pub config_path: Option<PathBuf>,
    /// The files of rules and templates as they were before `in_force` was read from them.
    pub files: files::Fingerprint,
    /// Whether stages run; false serves only the pages (the demo).
    pub stages: bool,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Parts")
    }
}

/// Runs until SIGTERM or SIGINT (or `stop`), then ends: pages close, no message is begun any more, open mail transactions get
/// `daemon.shutdown_s` seconds.
pub async fn serve(parts: Parts, stop: CancellationToken, on_ready: impl FnOnce(SocketAddr)) -> anyhow::Result<()> {
    let Parts { ctx, in_force, identity, config_path, files, stages } = parts;
    // Before anything runs or is said to be ready: a signal that nobody has asked for ends the process on the spot.
    let signals = Signals::new()?;
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    // A second recorder in one process (tests) is refused; the first one goes on.
    let _ = metrics::set_global_recorder(recorder);
    let pulse = Arc::new(Pulse::default());
    let (wishes, wished) = mpsc::channel(MOST_WISHES);
    let page_source = Web {
        ctx: ctx.clone(),
        in_force: Arc::clone(&in_force),
        pulse: Arc::clone(&pulse),
        glance: Arc::default(),
        wishes: wishes.clone(),
        reading: Arc::new(Semaphore::new(1)),
        metrics: Arc::new(move || handle.render()),
    };
    let listener = TcpListener::bind(&ctx.config.server.listen)
        .await
        .with_context(|| format!("[server] listen = \"{}\": the address cannot be used", ctx.config.server.listen))?;
    let address = listener.local_addr()?;
    reload::log_warnings(&in_force.get());
    let tasks = TaskTracker::new();
    tasks.spawn(web::server::serve(listener, web::router(page_source), stop.clone()));
    let (wake, changed) = (stages::Wake::default(), Arc::new(Notify::new()));
    let reloader = reload::Reloader {
        ctx: ctx.clone(),
        in_force: Arc::clone(&in_force),
        config_path,
        pulse: Arc::clone(&pulse),
        changed: Arc::clone(&changed),
        watch: files::Watch::new(files),
    };
    tasks.spawn(reloader.run(wished, stop.clone()));
    let watched: &[&'static str] = if stages { &stages::WATCHED } else { &[] };
    if stages {
        let dispatcher = Arc::new(Dispatcher::new(ctx.clone(), Arc::clone(&in_force), identity.who.clone()).map_err(anyhow::Error::msg)?);
        let shared = stages::Shared { ctx: ctx.clone(), in_force, pulse: Arc::clone(&pulse), wake, changed, stop: stop.clone() };
        tasks.spawn(stages::decide(shared.clone(), identity.who.clone()));
        tasks.spawn(stages::dispatch(shared, dispatcher));
    }
    tasks.close();
    on_ready(address);
    notify::ready(&format!("listening on {address}"));
    tracing::info!(%address, "ready");
    signals.heed(&ctx, &wishes, &pulse, watched, &stop).await;
    stop.cancel();
    // Said when it is true: from here on no message is begun.
    notify::stopping();
    let patience = Duration::from_secs(ctx.config.daemon.shutdown_s);
    if tokio::time::timeout(patience, tasks.wait()).await.is_err() {
        tracing::warn!("open work did not end in time; messages whose end is unknown will be shown as in doubt");
    }
    // Work that did not end in time may hold a connection for ever.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, ctx.db.close()).await;
    drop(identity);
    Ok(())
}

/// What the operating system may ask of us.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())?, hang_up: signal(SignalKind::hangup())? })
    }

    /// Waits for the end, lets rules and templates be reloaded on SIGHUP, and tells the watchdog that we are alive as long as the watched stages are.
    async fn heed(mut self, ctx: &Ctx, wishes: &mpsc::Sender<Wish>, pulse: &Pulse, watched: &[&'static str], stop: &CancellationToken) {
        let started_at = Clock::System.now();
        let mut reloaded: Option<oneshot::Receiver<_>> = None;
        let mut beat = tokio::time::interval(notify::watchdog_interval().unwrap_or(Duration::from_secs(10)));
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = self.terminate.recv() => { tracing::info!("SIGTERM: ending"); return }
                _ = self.interrupt.recv() => { tracing::info!("interrupted: ending"); return }
                _ = self.hang_up.recv() => {
                    notify::reloading();
                    let (wish, answer) = oneshot::channel();
                    // Wishes that nobody has begun to fulfil stand for this one, too.
                    match wishes.try_send(wish) {
                        Ok(()) => reloaded = Some(answer),
                        Err(_) if reloaded.is_none() => notify::ready("a reload is waiting"),
                        Err(_) => {}
                    }
                }
                Some(answer) = async { Some(reloaded.as_mut()?.await) } => {
                    reloaded = None;
                    match answer {
                        Ok(Err(faults)) => notify::ready(&format!("nothing was reloaded, {} faults: the running rules stay in force", faults.len())),
                        Ok(Ok(_)) | Err(_) => notify::ready("reloaded"),
                    }
                }
                _ = beat.tick() => {
                    // A stage that hangs: let the watchdog restart us.
                    let now = Clock::System.now();
                    let since = if watched.is_empty() { now } else { pulse.oldest(watched).unwrap_or(started_at) };
                    if now.since(since) < longest_silence_ms(ctx) {
                        notify::alive();
                    }
                }
            }
        }
    }
}

/// How long a stage at work may be silent: as long as a relay may take for one message, five looks at the clock, and five minutes for a run of a rule.
fn longest_silence_ms(ctx: &Ctx) -> i64 {
    let mail = &ctx.config.mail;
    let message_s = mail.connect_timeout_s + 5 * mail.command_timeout_s + mail.data_timeout_s;
    i64::try_from(1_000 * (message_s + 5 * ctx.config.daemon.poll_s + 300)).unwrap_or(i64::MAX)
}
