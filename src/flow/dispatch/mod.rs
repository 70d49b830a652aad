//! Stage: empties the outbox. Claim with lease and fence → COMMIT → talk to the receiver → mark "its bytes may be there" → COMMIT → final dot → record.
//!
//! No transaction is open while the network is used. One message per connection is between mark and record at any time, so that a crash leaves at most
//! as many messages in doubt as connections were open.

pub(super) mod compose;
mod email;
mod paused;
mod queue;
mod settle;
mod webhook;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::campaign::{Campaign, InForce};
use super::decide::quiet_hours;
use super::{Ctx, FlowError};
use crate::base::clock::Clock;
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::channel::webhook::WebhookClient;
use crate::model::action::Channel;
use crate::model::facts::Moment;
use crate::model::message::{LeasedMessage, MessageState};
use crate::policy::quiet;
use crate::store::deliveries::Finish;
use crate::store::messages::{self, Claimer};
use paused::Paused;
use queue::Queue;
use writer::Change;

/// What a pass over the outbox did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct DispatchReport {
    /// Taken by the receiver.
    pub sent: u64,
    /// Put off to a later try.
    pub retried: u64,
    /// Refused for good.
    pub failed: u64,
    /// Nobody knows.
    pub in_doubt: u64,
    /// Not sent because the customer objected or the address is suppressed.
    pub cancelled: u64,
    /// Found in doubt or waiting again after another daemon ended.
    pub recovered: u64,
    /// Why the relay cannot be used, if it cannot: then the rest waits.
    pub relay_fault: Option<String>,
}

impl DispatchReport {
    /// Whether nothing was there to do.
    #[must_use]
    pub fn idle(&self) -> bool {
        *self == Self::default()
    }
}

/// Counts while workers run.
#[derive(Debug, Default)]
struct Tally {
    sent: AtomicU64,
    retried: AtomicU64,
    failed: AtomicU64,
    in_doubt: AtomicU64,
    cancelled: AtomicU64,
}

impl Tally {
    /// Counts what became of the message: a try that was the last one has failed, though the receiver said "later".
    fn count(&self, end: &Finish) {
        let counter = match end.state {
            MessageState::Sent => &self.sent,
            MessageState::Failed => &self.failed,
            MessageState::InDoubt => &self.in_doubt,
            MessageState::Cancelled => &self.cancelled,
            MessageState::Queued | MessageState::Claimed | MessageState::Data => &self.retried,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("stammgast_attempts_total", "result" => end.result).increment(1);
    }
}

/// Empties the outbox; keeps connections to the relay open between passes.
#[derive(Debug)]
pub struct Dispatcher {
    ctx: Ctx,
    in_force: Arc<InForce>,
    post: email::Post,
    webhooks: WebhookClient,
    owner: String,
    /// Tries that came to an end since the start.
    ended: AtomicU64,
}

/// What the workers of one pass share.
#[derive(Debug)]
struct Pass {
    campaign: Arc<Campaign>,
    changes: mpsc::Sender<Change>,
    /// Emails that a worker has begun and not yet asked the writer's mark for.
    beginning: Arc<AtomicUsize>,
    tally: Tally,
    stop: CancellationToken,
    paused: Paused,
    /// No more emails in this pass: the relay is down, or our database.
    no_more_emails: AtomicBool,
    relay_fault: Mutex<Option<String>>,
    unused: Mutex<Vec<Id>>,
    /// Messages of workers that got no connection, for those that have one.
    handed_back: Mutex<Vec<LeasedMessage>>,
}

impl Dispatcher {
    /// Makes a dispatcher for the configured channels. `owner` is `NAME/PROCESS`, what messages are leased as.
    ///
    /// # Errors
    /// A sentence when a setting cannot be used.
    pub fn new(ctx: Ctx, in_force: Arc<InForce>, owner: String) -> Result<Self, String> {
        let post = email::Post::new(&ctx.config)?;
        let webhooks = WebhookClient::new(&ctx.config.webhook, &ctx.config.webhooks)?;
        Ok(Self { ctx, in_force, post, webhooks, owner, ended: AtomicU64::new(0) })
    }

    /// Sends everything that is due, until nothing is or `stop`: then messages that were not begun are given back and open transactions end.
    pub async fn drain(self: &Arc<Self>, stop: &CancellationToken) -> Result<DispatchReport, FlowError> {
        let recovered = self.recover().await?;
        let (changes, changed) = mpsc::channel(1024);
        let beginning = Arc::new(AtomicUsize::new(0));
        let writer = tokio::spawn(writer::run(self.ctx.clone(), changed, Arc::clone(&beginning)));
        let pass = Arc::new(Pass {
            campaign: self.in_force.get(),
            changes,
            beginning,
            tally: Tally::default(),
            stop: stop.clone(),
            paused: Paused::new(self.ctx.db.clone()),
            no_more_emails: AtomicBool::new(false),
            relay_fault: Mutex::new(None),
            unused: Mutex::new(Vec::new()),
            handed_back: Mutex::new(Vec::new()),
        });
        let emails = self.drain_channel(&pass, Channel::Email, self.ctx.config.mail.connections);
        let webhooks = self.drain_channel(&pass, Channel::Webhook, self.ctx.config.webhook.connections);
        let (emails, webhooks) = tokio::join!(emails, webhooks);
        let unused = std::mem::take(&mut *pass.unused.lock().await);
        let report = report(&pass, recovered).await;
        // The last sender goes, so the writer ends when all is written. It comes first: no end of a try may outlive the pass.
        drop(pass);
        writer.await.map_err(|error| FlowError::Worker(error.to_string()))?;
        if !unused.is_empty() {
            let mut tx = self.ctx.db.write().await?;
            messages::release(&mut tx, &self.owner, &unused, None).await?;
            tx.commit().await?;
        }
        emails.and(webhooks)?;
        Ok(report)
    }

    /// Claims batches and feeds them to workers until nothing is due.
    async fn drain_channel(self: &Arc<Self>, pass: &Arc<Pass>, channel: Channel, workers: usize) -> Result<(), FlowError> {
        let batch = self.ctx.config.dispatch.batch as usize;
        let (feed, queue) = Queue::new();
        let mut claimer = Claimer::new(self.ctx.db.clone(), self.owner.clone());
        let mut crew = JoinSet::new();
        let claimed = loop {
            if pass.is_halted(channel) {
                break Ok(());
            }
            let claimed = match self.claim(&mut claimer, &pass.campaign, channel, batch).await {
                Ok(claimed) => claimed,
                Err(error) => break Err(error),
            };
            if claimed.is_empty() {
                break Ok(());
            }
            if let Some(missing) = self.post.missing(&self.ctx.config).filter(|_| channel == Channel::Email) {
                // A setting that is not filled in yet is no fault of the mails: they wait.
                pass.unused.lock().await.extend(claimed.iter().map(|message| message.id));
                *pass.relay_fault.lock().await = Some(missing);
                break Ok(());
            }
            for _ in crew.len()..workers.min(crew.len() + claimed.len()) {
                let (this, pass, queue) = (Arc::clone(self), Arc::clone(pass), queue.clone());
                match channel {
                    Channel::Email => crew.spawn(async move { email::work(&this, &pass, &queue).await }),
                    Channel::Webhook => crew.spawn(async move { webhook::work(&this, &pass, &queue).await }),
                };
            }
            // The workers hold the other end until the feed is dropped.
            let _ = feed.send(claimed).await;
        };
        drop(feed);
        while let Some(ended) = crew.join_next().await {
            if let Err(error) = ended {
                // Its message stays claimed (or marked) until the lease ends; nothing is lost, nothing is sent twice.
                tracing::error!(%error, "a delivery worker ended unexpectedly");
            }
        }
        if channel == Channel::Email {
            // Whoever got no connection may have handed its message back when all others had ended: theirs are kept, so it goes over one of them.
            Box::pin(email::work(self, pass, &queue)).await;
        }
        claimed
    }

    /// Claims the next messages that may leave now. Emails whose time came at night (tried again, or kept by a relay that was down) are put off to the
    /// end of the quiet hours.
    async fn claim(&self, claimer: &mut Claimer, campaign: &Campaign, channel: Channel, batch: usize) -> Result<Vec<LeasedMessage>, FlowError> {
        let limit = i64::try_from(batch).unwrap_or(200);
        loop {
            let (now, zone) = (self.ctx.clock.now(), self.ctx.config.shop.zone());
            let until = Clock::System.now().plus(i64::try_from(self.ctx.config.dispatch.lease_s).unwrap_or(900) * 1000);
            let mut claimed = claimer.claim(until, now, limit, channel).await?;
            let all = claimed.len();
            let mut late: BTreeMap<UnixMs, Vec<Id>> = BTreeMap::new();
            if channel == Channel::Email {
                claimed.retain(|message| {
                    let quiet = quiet_hours(&self.ctx, campaign.rules.rule(&message.rule).map(|rule| &rule.spec));
                    let loud_at = quiet::first_loud(quiet, &Moment { now, zone });
                    if loud_at > now {
                        late.entry(loud_at).or_default().push(message.id);
                    }
                    loud_at <= now
                });
            }
            if !late.is_empty() {
                let mut tx = self.ctx.db.write().await?;
                for (loud_at, ids) in &late {
                    messages::release(&mut tx, &self.owner, ids, Some(*loud_at)).await?;
                }
                tx.commit().await?;
            }
            if all == 0 || !claimed.is_empty() {
                return Ok(claimed);
            }
        }
    }

    /// Puts back what expired leases left, and shows what is in doubt.
    async fn recover(&self) -> Result<u64, FlowError> {
        let now = self.ctx.clock.now();
        let mut tx = self.ctx.db.write().await?;
        let (waiting, doubtful) = messages::recover(&mut tx, &self.owner, Clock::System.now(), now).await?;
        if doubtful > 0 {
            tracing::warn!(messages = doubtful, "messages in doubt after a daemon ended: `stammgast messages` lists them");
        }
        tx.commit().await?;
        Ok(waiting + doubtful)
    }

    /// Tries that came to an end since the start: grows while a pass is at work.
    #[must_use]
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Relaxed)
    }

    /// Says goodbye on the connections that were kept.
    pub async fn close(&self) {
        self.post.close().await;
    }
}

async fn report(pass: &Pass, recovered: u64) -> DispatchReport {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    DispatchReport {
        sent: count(&pass.tally.sent),
        retried: count(&pass.tally.retried),
        failed: count(&pass.tally.failed),
        in_doubt: count(&pass.tally.in_doubt),
        cancelled: count(&pass.tally.cancelled),
        recovered,
        relay_fault: pass.relay_fault.lock().await.clone(),
    }
}

impl Pass {
    /// The next message for a worker; `None` when the pass is over. After a stop, or when no more emails can go, the rest is set aside to be given back, and
    /// so is what a rule wants to send that was paused meanwhile.
    async fn next(&self, queue: &Queue, channel: Channel) -> Option<LeasedMessage> {
        loop {
            let message = match self.handed_back(channel).await {
                Some(message) => message,
                None => queue.next().await?,
            };
            if self.may_begin(&message, channel).await {
                return Some(message);
            }
        }
    }

    /// Whether this message is to be begun; else it is set aside to be given back.
    async fn may_begin(&self, message: &LeasedMessage, channel: Channel) -> bool {
        if !self.is_halted(channel) && !self.paused.has(&message.rule).await {
            return true;
        }
        self.unused.lock().await.push(message.id);
        false
    }

    async fn handed_back(&self, channel: Channel) -> Option<LeasedMessage> {
        if channel == Channel::Email { self.handed_back.lock().await.pop() } else { None }
    }

    /// Whether nothing more is to be begun: somebody wants to stop, or no email can leave.
    fn is_halted(&self, channel: Channel) -> bool {
        self.stop.is_cancelled() || (channel == Channel::Email && self.no_more_emails.load(Ordering::Relaxed))
    }
}
