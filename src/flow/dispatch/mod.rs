//! Stage: empties the outbox. Claim with lease and fence → COMMIT → talk to the receiver → mark "its bytes may be there" → COMMIT → final dot → record.
//!
//! No transaction is open while the network is used. One message per connection is between mark and record at any time, so that a crash leaves at most
//! as many messages in doubt as connections were open.

mod compose;
mod email;
mod settle;
mod webhook;
mod writer;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::campaign::{Campaign, InForce};
use super::{Ctx, FlowError};
use crate::base::clock::Clock;
use crate::base::id::Id;
use crate::channel::webhook::WebhookClient;
use crate::model::action::Channel;
use crate::model::attempt::Delivery;
use crate::model::message::LeasedMessage;
use crate::model::outcome::OutcomeKind;
use crate::store::{deliveries, messages};
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
    fn count(&self, delivery: &Delivery) {
        let (counter, result) = match delivery {
            Delivery::Accepted { .. } => (&self.sent, "accepted"),
            Delivery::Retry { .. } => (&self.retried, "retry"),
            Delivery::Refused { .. } => (&self.failed, "refused"),
            Delivery::InDoubt { .. } => (&self.in_doubt, "in_doubt"),
            Delivery::Cancelled => (&self.cancelled, "cancelled"),
        };
        counter.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("stammgast_attempts_total", "result" => result).increment(1);
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
    relay_down: AtomicBool,
    relay_fault: Mutex<Option<String>>,
    unused: Mutex<Vec<Id>>,
}

type Queue = Arc<Mutex<mpsc::Receiver<LeasedMessage>>>;

impl Dispatcher {
    /// Makes a dispatcher for the configured channels. `owner` is `NAME/PROCESS`, what messages are leased as.
    ///
    /// # Errors
    /// A sentence when a setting cannot be used.
    pub fn new(ctx: Ctx, in_force: Arc<InForce>, owner: String) -> Result<Self, String> {
        let post = email::Post::new(&ctx.config)?;
        let webhooks = WebhookClient::new(&ctx.config.webhook, &ctx.config.webhooks)?;
        Ok(Self { ctx, in_force, post, webhooks, owner })
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
            relay_down: AtomicBool::new(false),
            relay_fault: Mutex::new(None),
            unused: Mutex::new(Vec::new()),
        });
        let emails = self.drain_channel(&pass, Channel::Email, self.ctx.config.mail.connections);
        let webhooks = self.drain_channel(&pass, Channel::Webhook, self.ctx.config.webhook.connections);
        let (emails, webhooks) = tokio::join!(emails, webhooks);
        let unused = std::mem::take(&mut *pass.unused.lock().await);
        if !unused.is_empty() {
            let mut tx = self.ctx.db.write().await?;
            messages::release(&mut tx, &self.owner, &unused).await?;
            tx.commit().await?;
        }
        let report = report(&pass, recovered).await;
        // The last sender goes, so the writer ends when all is written.
        drop(pass);
        writer.await.map_err(|error| FlowError::Worker(error.to_string()))?;
        emails.and(webhooks)?;
        Ok(report)
    }

    /// Claims batches and feeds them to workers until nothing is due.
    async fn drain_channel(self: &Arc<Self>, pass: &Arc<Pass>, channel: Channel, workers: usize) -> Result<(), FlowError> {
        let batch = self.ctx.config.dispatch.batch as usize;
        let (feed, queue) = mpsc::channel(batch);
        let queue: Queue = Arc::new(Mutex::new(queue));
        let mut crew = JoinSet::new();
        let claimed = loop {
            if pass.stop.is_cancelled() || (channel == Channel::Email && pass.relay_down.load(Ordering::Relaxed)) {
                break Ok(());
            }
            let claimed = match self.claim(channel, batch).await {
                Ok(claimed) => claimed,
                Err(error) => break Err(error),
            };
            if claimed.is_empty() {
                break Ok(());
            }
            for _ in crew.len()..workers.min(crew.len() + claimed.len()) {
                let (this, pass, queue) = (Arc::clone(self), Arc::clone(pass), Arc::clone(&queue));
                match channel {
                    Channel::Email => crew.spawn(async move { email::work(&this, &pass, &queue).await }),
                    Channel::Webhook => crew.spawn(async move { webhook::work(&this, &pass, &queue).await }),
                };
            }
            for message in claimed {
                // The workers hold the other end until the feed is dropped.
                let _ = feed.send(message).await;
            }
        };
        drop(feed);
        while let Some(ended) = crew.join_next().await {
            if let Err(error) = ended {
                // Its message stays claimed (or marked) until the lease ends; nothing is lost, nothing is sent twice.
                tracing::error!(%error, "a delivery worker ended unexpectedly");
            }
        }
        claimed
    }

    async fn claim(&self, channel: Channel, batch: usize) -> Result<Vec<LeasedMessage>, FlowError> {
        let until = Clock::System.now().plus(i64::try_from(self.ctx.config.dispatch.lease_s).unwrap_or(900) * 1000);
        let limit = i64::try_from(batch).unwrap_or(200);
        let mut tx = self.ctx.db.write().await?;
        let claimed = messages::claim(&mut tx, &self.owner, until, self.ctx.clock.now(), limit, channel).await?;
        tx.commit().await?;
        Ok(claimed)
    }

    /// Puts back what expired leases left, and shows what is in doubt.
    async fn recover(&self) -> Result<u64, FlowError> {
        let now = self.ctx.clock.now();
        let mut tx = self.ctx.db.write().await?;
        let (waiting, doubtful) = messages::recover(&mut tx, &self.owner, Clock::System.now(), now).await?;
        if !doubtful.is_empty() {
            deliveries::note(&mut tx, &doubtful, OutcomeKind::InDoubt, now).await?;
            tracing::warn!(messages = doubtful.len(), "messages in doubt after a daemon ended: `stammgast messages` lists them");
        }
        tx.commit().await?;
        Ok(waiting + doubtful.len() as u64)
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
    /// The next message for a worker; `None` when the pass is over. After a stop, or when the relay is down, the rest is set aside to be given back.
    async fn next(&self, queue: &Queue, channel: Channel) -> Option<LeasedMessage> {
        loop {
            let message = queue.lock().await.recv().await?;
            let halted = self.stop.is_cancelled() || (channel == Channel::Email && self.relay_down.load(Ordering::Relaxed));
            if !halted {
                return Some(message);
            }
            self.unused.lock().await.push(message.id);
        }
    }
}
