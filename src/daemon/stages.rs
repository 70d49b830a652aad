//! The loops of the daemon: each runs its stage, notes what it did, and looks again when woken or after a while.

use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::base::time::{HOUR_MS, UnixMs};
use crate::flow::campaign::InForce;
use crate::flow::dispatch::{DispatchReport, Dispatcher};
use crate::flow::share::Round;
use crate::flow::{Ctx, FlowError, evaluate, pause, record, trigger, watch};
use crate::model::action::Channel;
use crate::model::hold::Hold;
use crate::model::pause::Pause;
use crate::web::pulse::{Health, Pulse, Warning};

/// The stages by which the watchdog tells whether we are alive.
pub(super) const WATCHED: [&str; 3] = ["decide", EMAILS, WEBHOOKS];
/// The stages that empty the outbox, one for each channel: whoever is slow at the end of one holds up nothing of the other.
const EMAILS: &str = "dispatch";
const WEBHOOKS: &str = "webhooks";
/// How often a long step shows that it moves.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);

/// Signals for those who empty the outbox.
#[derive(Clone, Debug, Default)]
pub(super) struct Wake {
    emails: Arc<Notify>,
    webhooks: Arc<Notify>,
}

impl Wake {
    fn all(&self) {
        self.emails.notify_one();
        self.webhooks.notify_one();
    }

    fn of(&self, channel: Channel) -> &Notify {
        match channel {
            Channel::Email => &self.emails,
            Channel::Webhook => &self.webhooks,
        }
    }
}

/// What the loops share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) ctx: Ctx,
    pub(super) in_force: Arc<InForce>,
    pub(super) pulse: Arc<Pulse>,
    /// "Look now", for each channel; carries no data.
    pub(super) wake: Wake,
    /// Other rules are in force.
    pub(super) changed: Arc<Notify>,
    pub(super) stop: CancellationToken,
}

impl Shared {
    fn poll(&self) -> Duration {
        Duration::from_secs(self.ctx.config.daemon.poll_s)
    }

    fn note(&self, stage: &'static str, result: Result<String, &FlowError>) {
        let now = Clock::System.now();
        match result {
            Ok(said) => self.pulse.note(stage, now, Health::Well, said),
            Err(error) => {
                tracing::error!(stage, %error, "a stage failed; it looks again later");
                self.pulse.note(stage, now, Health::Fails, error.to_string());
            }
        }
    }

    /// A rule that paused itself needs a person, as long as it is paused.
    fn note_decided(&self, said: &str, paused: &[Pause]) {
        let themselves: Vec<&str> = paused.iter().filter(|pause| pause.by_itself()).map(|pause| pause.rule.as_str()).collect();
        let (health, more) = match themselves.as_slice() {
            [] => (Health::Well, String::new()),
            rules => (Health::Warns, format!("; paused after too many failures: {} (`stammgast rules list` says why)", rules.join(", "))),
        };
        self.pulse.note("decide", Clock::System.now(), health, format!("{said}{more}"));
    }
}

/// Runs due rules, logs conversions; sleeps until the next run, never longer than a poll: the clock may be set, the machine may have slept.
pub(super) async fn decide(shared: Shared, who: String) {
    let mut silence = Silence::default();
    while !shared.stop.is_cancelled() {
        let result = decide_once(&shared, &who).await;
        let paused = pause::all(&shared.ctx).await.unwrap_or_default();
        match &result {
            Ok(said) => shared.note_decided(said, &paused),
            Err(error) => shared.note("decide", Err(error)),
        }
        if let Err(error) = warn(&shared, &mut silence).await {
            tracing::error!(%error, "what is held or silent cannot be told; another look comes later");
        }
        let now = shared.ctx.clock.now();
        let until_next = trigger::next(&shared.ctx, &shared.in_force.get(), &paused).map_or(i64::MAX, |due| due.tick_at.since(now));
        let wait = Duration::from_millis(u64::try_from(until_next).unwrap_or(0)).clamp(Duration::from_millis(10), shared.poll());
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = shared.changed.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// The rules that are silent, looked for once an hour and logged once a day.
#[derive(Default)]
struct Silence {
    looked_at: Option<UnixMs>,
    told_on: Option<NaiveDate>,
    warnings: Vec<Warning>,
}

/// Notes what a person should look at.
async fn warn(shared: &Shared, silence: &mut Silence) -> Result<(), FlowError> {
    let ctx = &shared.ctx;
    let (now, shop) = (ctx.clock.now(), &ctx.config.shop);
    if silence.looked_at.is_none_or(|at| now.since(at) >= HOUR_MS || at > now) {
        let found = watch::silent(ctx, &shared.in_force.get()).await?;
        let today = Some(shop.zone().date(now));
        if silence.told_on != today {
            for silent in &found {
                tracing::warn!(rule = silent.rule, "silent: {}", silent.sentence());
            }
        }
        silence.warnings = found.iter().map(|silent| Warning { kind: "silent", rule: silent.rule.clone(), said: silent.sentence() }).collect();
        (silence.looked_at, silence.told_on) = (Some(now), today);
    }
    let held = watch::held(ctx).await?;
    let said = |hold: Hold| Warning { kind: "held", said: hold.sentence(shop.zone(), shop.currency.code()), rule: hold.rule };
    shared.pulse.warn(held.into_iter().map(said).chain(silence.warnings.iter().cloned()).collect());
    Ok(())
}

async fn decide_once(shared: &Shared, who: &str) -> Result<String, FlowError> {
    let Some(lease) = evaluate::lease(&shared.ctx, who).await? else {
        return Ok("another daemon decides".to_owned());
    };
    let result = run_due(shared, &lease).await;
    lease.release(&shared.ctx).await?;
    result
}

async fn run_due(shared: &Shared, lease: &evaluate::Lease) -> Result<String, FlowError> {
    let campaign = shared.in_force.get();
    let due = trigger::due(&shared.ctx, &campaign).await?;
    let (mut messages, runs, mut round) = (0, due.len(), Round::of(due));
    while !shared.stop.is_cancelled()
        && let Some(report) = round.next(&shared.ctx, &campaign, lease).await?
    {
        if let Some(hold) = &report.held {
            metrics::counter!("stammgast_holds_total", "rule" => report.rule.clone(), "guard" => hold.barrier.guard.code()).increment(1);
        }
        metrics::counter!("stammgast_runs_total", "rule" => report.rule.clone()).increment(1);
        metrics::counter!("stammgast_proposals_total", "rule" => report.rule.clone()).increment(report.proposed as u64);
        let became = match (&report.paused, &report.held) {
            (Some(_), _) => "stopped",
            (_, Some(_)) => "is held",
            _ => "ran",
        };
        shared.note("decide", Ok(format!("{} {became}", report.rule)));
        messages += report.messages;
        if messages > 0 {
            shared.wake.all();
        }
    }
    let converted = record::conversions(&shared.ctx).await?;
    Ok(format!("{runs} runs, {messages} messages, {converted} conversions"))
}

/// Empties the outbox, by both channels.
pub(super) async fn dispatch(shared: Shared, dispatcher: Arc<Dispatcher>) {
    tokio::join!(dispatch_one(&shared, &dispatcher, Channel::Email), dispatch_one(&shared, &dispatcher, Channel::Webhook));
    dispatcher.close().await;
}

async fn dispatch_one(shared: &Shared, dispatcher: &Arc<Dispatcher>, channel: Channel) {
    let stage = if channel == Channel::Email { EMAILS } else { WEBHOOKS };
    let mut pause = Duration::ZERO;
    // Why the relay cannot be used, as it was last told.
    let mut told: Option<String> = None;
    while !shared.stop.is_cancelled() {
        let result = drain(shared, dispatcher, channel, stage).await;
        let fault = result.as_ref().ok().and_then(|report| report.relay_fault.clone());
        if let Some(fault) = fault.filter(|fault| told.as_ref() != Some(fault)) {
            tracing::warn!(fault, "the mail relay cannot be used: mails wait");
            told = Some(fault);
        }
        let said = result.as_ref().map(|report| match &report.relay_fault {
            Some(fault) => format!("the mail relay cannot be used: {fault}"),
            None => format!("{} sent, {} later, {} failed, {} in doubt", report.sent, report.retried, report.failed, report.in_doubt),
        });
        // A relay that was down is so until a message goes through: with nothing due nobody has tried.
        let untried = !pause.is_zero() && matches!(&result, Ok(report) if report.idle());
        let relay_down = untried || matches!(&result, Ok(report) if report.relay_fault.is_some());
        if untried {
            let why = told.as_deref().map(|fault| format!(" ({fault})")).unwrap_or_default();
            let said = format!("the mail relay could not be used{why}; nothing is due for another try yet");
            shared.pulse.note(stage, Clock::System.now(), Health::Fails, said);
        } else if relay_down {
            // 5 s, 10 s … 5 min: a relay that is down is not hammered.
            pause = (pause * 2).clamp(Duration::from_secs(5), Duration::from_mins(5));
            shared.pulse.note(stage, Clock::System.now(), Health::Fails, said.unwrap_or_default());
        } else {
            if told.take_if(|_| said.is_ok()).is_some() {
                tracing::info!("the mail relay can be used again");
            }
            pause = Duration::ZERO;
            shared.note(stage, said);
        }
        let wait = if relay_down { pause } else { shared.poll() };
        tokio::select! {
            () = shared.stop.cancelled() => {}
            () = shared.wake.of(channel).notified(), if !relay_down => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// A pass over a channel's part of the outbox, which may take hours: as long as messages come to an end, it is alive.
async fn drain(shared: &Shared, dispatcher: &Arc<Dispatcher>, channel: Channel, stage: &'static str) -> Result<DispatchReport, FlowError> {
    let mut seen = dispatcher.ended();
    let mut pass = std::pin::pin!(dispatcher.drain_channel(channel, &shared.stop));
    loop {
        tokio::select! {
            result = &mut pass => return result,
            () = tokio::time::sleep(SIGN_OF_LIFE) => {
                let ended = dispatcher.ended();
                if ended != seen {
                    shared.note(stage, Ok(format!("at work: {ended} messages ended since the start")));
                    seen = ended;
                }
            }
        }
    }
}
