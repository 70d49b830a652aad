//! Stage: empties the outbox. Claim with lease and fence → COMMIT → talk to the receiver → mark "its bytes may be there" → COMMIT → final dot → record.
//!
//! No transaction is open while the network is used. One message per connection is between mark and record at any time, so that a crash leaves at most
//! as many messages in doubt as connections were open.

pub(super) mod compose;
mod email;
mod pass;
mod paused;
mod queue;
mod settle;
mod targets;
mod webhook;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
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
use crate::model::message::LeasedMessage;
use crate::policy::quiet;
use crate::store::messages::{self, Claimer};
use pass::Pass;
use queue::Queue;
use targets::Targets;

/// How often a pass looks for what has become due while something is on its way.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// So long a message waits whose target is down, in milliseconds; it is no try of it.
const PUT_OFF_MS: i64 = 60_000;

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
    /// That of both.
    fn and(self, other: Self) -> Self {
        Self {
            sent: self.sent + other.sent,
            retried: self.retried + other.retried,
            failed: self.failed + other.failed,
            in_doubt: self.in_doubt + other.in_doubt,
            cancelled: self.cancelled + other.cancelled,
            recovered: self.recovered + other.recovered,
            relay_fault: self.relay_fault.or(other.relay_fault),
        }
    }

    /// Whether nothing was there to do.
    #[must_use]
    pub fn idle(&self) -> bool {
        *self == Self::default()
    }
}

/// Empties the outbox; keeps connections to the relay open between passes.
#[derive(Debug)]
pub struct Dispatcher {
    ctx: Ctx,
    in_force: Arc<InForce>,
    post: email::Post,
    webhooks: WebhookClient,
    targets: Arc<Targets>,
    owner: String,
    /// Tries that came to an end since the start.
    ended: AtomicU64,
}

impl Dispatcher {
    /// Makes a dispatcher for the configured channels. `owner` is `NAME/PROCESS`, what messages are leased as.
    ///
    /// # Errors
    /// A sentence when a setting cannot be used.
    pub fn new(ctx: Ctx, in_force: Arc<InForce>, owner: String) -> Result<Self, String> {
        let post = email::Post::new(&ctx.config)?;
        let webhooks = WebhookClient::new(&ctx.config.webhook, &ctx.config.webhooks)?;
        Ok(Self { ctx, in_force, post, webhooks, targets: Arc::default(), owner, ended: AtomicU64::new(0) })
    }

    /// Sends everything that is due, until nothing is or `stop`: then messages that were not begun are given back and open transactions end.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn drain(self: &Arc<Self>, stop: &CancellationToken) -> Result<DispatchReport, FlowError> {
        let (emails, webhooks) = tokio::join!(self.drain_channel(Channel::Email, stop), self.drain_channel(Channel::Webhook, stop));
        Ok(emails?.and(webhooks?))
    }

    /// The same of one channel: whoever is slow at the end of one holds the other up by nothing.
    ///
    /// # Errors
    /// As [`Self::drain`].
    pub async fn drain_channel(self: &Arc<Self>, channel: Channel, stop: &CancellationToken) -> Result<DispatchReport, FlowError> {
        let recovered = self.recover(channel, false).await?;
        let (changes, changed) = mpsc::channel(1024);
        let (in_force, targets) = (Arc::clone(&self.in_force), Arc::clone(&self.targets));
        let pass = Arc::new(Pass::new(channel, in_force, targets, changes, stop.clone(), self.ctx.db.clone()));
        pass.recovered(recovered);
        let writer = tokio::spawn(writer::run(self.ctx.clone(), changed, Arc::clone(&pass.beginning)));
        let done = self.feed(&pass).await;
        let put_off = self.put_back(&pass).await;
        let unused = std::mem::take(&mut *pass.unused.lock().await);
        let report = pass.report().await;
        // The last sender goes, so the writer ends when all is written. It comes first: no end of a try may outlive the pass.
        drop(pass);
        writer.await.map_err(|error| FlowError::Worker(error.to_string()))?;
        if !unused.is_empty() {
            let mut tx = self.ctx.db.write().await?;
            messages::release(&mut tx, &self.owner, &unused, None).await?;
            tx.commit().await?;
        }
        done.and(put_off)?;
        Ok(report)
    }

    /// Claims batches and feeds them to workers until nothing is due and nothing is on its way: one receiver that is slow keeps nobody else waiting.
    async fn feed(self: &Arc<Self>, pass: &Arc<Pass>) -> Result<(), FlowError> {
        let (channel, config) = (pass.channel, &self.ctx.config);
        let batch = config.dispatch.batch as usize;
        let workers = if channel == Channel::Email { config.mail.connections } else { config.webhook.connections };
        let (feed, queue) = Queue::new();
        let mut claimer = Claimer::new(self.ctx.db.clone(), self.owner.clone());
        let mut crew = JoinSet::new();
        let ended = loop {
            while let Some(ended) = crew.try_join_next() {
                tell(ended);
            }
            if pass.is_halted() {
                break Ok(());
            }
            if let Err(error) = self.put_back(pass).await {
                break Err(error);
            }
            let claimed = match self.claim(&mut claimer, &pass.in_force.get(), channel, batch).await {
                Ok(claimed) => claimed,
                Err(error) => break Err(error),
            };
            if claimed.is_empty() {
                // What was handed back is for those who are left when the queue ends.
                if crew.is_empty() || pass.under_way.is_none() || !pass.handed_back.lock().await.is_empty() {
                    break Ok(());
                }
                pass.under_way.end_or(LOOK_AGAIN, &pass.stop).await;
                // What another daemon left behind does not wait for what hangs here. On SQLite there is no other.
                if self.ctx.db.is_shared() {
                    match self.recover(channel, true).await {
                        Ok(recovered) => pass.recovered(recovered),
                        Err(error) => tracing::warn!(%error, "what other daemons left behind could not be looked for"),
                    }
                }
                continue;
            }
            if let Some(missing) = self.post.missing(config).filter(|_| channel == Channel::Email) {
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
            let _ = feed.send(claimed.into_iter().map(|message| pass.under_way.begin(message)).collect()).await;
        };
        drop(feed);
        while let Some(ended) = crew.join_next().await {
            tell(ended);
        }
        if channel == Channel::Email {
            // Whoever got no connection may have handed its message back when all others had ended: theirs are kept, so it goes over one of them.
            Box::pin(email::work(self, pass, &queue)).await;
        }
        ended
    }

    /// Puts messages off whose target is down.
    async fn put_back(&self, pass: &Pass) -> Result<(), FlowError> {
        let ids = std::mem::take(&mut *pass.put_off.lock().await);
        if !ids.is_empty() {
            let mut tx = self.ctx.db.write().await?;
            messages::release(&mut tx, &self.owner, &ids, Some(self.ctx.clock.now().plus(PUT_OFF_MS))).await?;
            tx.commit().await?;
        }
        Ok(())
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

    /// Puts back what expired leases left, and shows what is in doubt; `at_work`: while this process has messages of its own.
    async fn recover(&self, channel: Channel, at_work: bool) -> Result<u64, FlowError> {
        let now = self.ctx.clock.now();
        let mut tx = self.ctx.db.write().await?;
        let (waiting, doubtful) = messages::recover(&mut tx, (&self.owner, at_work), channel, Clock::System.now(), now).await?;
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

fn tell(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        // Its message stays claimed (or marked) until the lease ends; nothing is lost, nothing is sent twice.
        tracing::error!(%error, "a delivery worker ended unexpectedly");
    }
}
