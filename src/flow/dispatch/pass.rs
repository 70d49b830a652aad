//! What the workers of one pass over a channel share: the way to the writer, counts, and who must not be begun.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;

use super::DispatchReport;
use super::paused::Paused;
use super::queue::{Held, Queue, UnderWay};
use super::targets::Targets;
use super::writer::{Change, Suppress};
use crate::base::id::Id;
use crate::flow::campaign::InForce;
use crate::model::action::Channel;
use crate::model::message::{LeasedMessage, MessageState};
use crate::store::Db;
use crate::store::deliveries::Finish;

/// Mails of a rule of which none could be made say that none can be.
const FEW: usize = 3;

/// What the workers of one pass share.
#[derive(Debug)]
pub(super) struct Pass {
    pub(super) channel: Channel,
    /// Asked for each message: a pass may last as long as something is on its way, and rules and templates change meanwhile.
    pub(super) in_force: Arc<InForce>,
    pub(super) changes: mpsc::Sender<Change>,
    /// Emails that a worker has begun and not yet asked the writer's mark for.
    pub(super) beginning: Arc<AtomicUsize>,
    pub(super) stop: CancellationToken,
    pub(super) paused: Paused,
    /// No more emails in this pass: the relay is down, or our database.
    pub(super) no_more_emails: AtomicBool,
    pub(super) relay_fault: Mutex<Option<String>>,
    pub(super) unused: Mutex<Vec<Id>>,
    /// Messages of workers that got no connection, for those that have one.
    pub(super) handed_back: Mutex<Vec<Held>>,
    /// Messages whose target is down.
    pub(super) put_off: Mutex<Vec<Id>>,
    /// Messages that were claimed and have not come to an end.
    pub(super) under_way: UnderWay,
    pub(super) targets: Arc<Targets>,
    /// Of each rule: whether a mail could be made, and how many could not.
    made: std::sync::Mutex<HashMap<String, (bool, usize)>>,
    tally: Tally,
}

/// Counts while workers run.
#[derive(Debug, Default)]
struct Tally {
    sent: AtomicU64,
    retried: AtomicU64,
    failed: AtomicU64,
    in_doubt: AtomicU64,
    cancelled: AtomicU64,
    recovered: AtomicU64,
}

impl Pass {
    pub(super) fn new(
        channel: Channel,
        in_force: Arc<InForce>,
        targets: Arc<Targets>,
        changes: mpsc::Sender<Change>,
        stop: CancellationToken,
        db: Db,
    ) -> Self {
        Self {
            channel,
            in_force,
            changes,
            beginning: Arc::default(),
            stop,
            paused: Paused::new(db),
            no_more_emails: AtomicBool::new(false),
            relay_fault: Mutex::default(),
            unused: Mutex::default(),
            handed_back: Mutex::default(),
            put_off: Mutex::default(),
            under_way: UnderWay::default(),
            targets,
            made: std::sync::Mutex::default(),
            tally: Tally::default(),
        }
    }

    /// The next message for a worker; `None` when the pass is over. After a stop, or when no more emails can go, the rest is set aside to be given back, and
    /// so is what a rule wants to send that was paused meanwhile.
    pub(super) async fn next(&self, queue: &Queue) -> Option<Held> {
        loop {
            let handed_back = self.handed_back.lock().await.pop();
            let message = match handed_back {
                Some(message) => message,
                None => queue.next().await?,
            };
            if self.may_begin(&message).await {
                return Some(message);
            }
        }
    }

    /// Whether this message is to be begun; else it is set aside to be given back.
    pub(super) async fn may_begin(&self, message: &LeasedMessage) -> bool {
        if !self.is_halted() && !self.paused.has(&message.rule).await {
            return true;
        }
        self.unused.lock().await.push(message.id);
        false
    }

    /// Whether nothing more is to be begun: somebody wants to stop, or no email can leave.
    pub(super) fn is_halted(&self) -> bool {
        self.stop.is_cancelled() || self.no_more_emails.load(Ordering::Relaxed)
    }

    /// Hands the end of a try to the writer. Does not wait until it is written: the mark of an email's worker's next message is committed after it or with it.
    pub(super) async fn end(&self, message: &LeasedMessage, end: Finish, suppress: Option<Suppress>) {
        let counter = match end.state {
            MessageState::Sent => &self.tally.sent,
            MessageState::Failed => &self.tally.failed,
            MessageState::InDoubt => &self.tally.in_doubt,
            MessageState::Cancelled => &self.tally.cancelled,
            // A try that was the last one has failed, though the receiver said "later".
            MessageState::Queued | MessageState::Claimed | MessageState::Data => &self.tally.retried,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("stammgast_attempts_total", "result" => end.result).increment(1);
        // What the receiver said may name the customer: `messages show` has it.
        match end.state {
            MessageState::Failed => {
                tracing::warn!(message = %end.id, rule = message.rule, fault = end.fault, "a message has failed: `stammgast messages show` says why");
            }
            MessageState::InDoubt => {
                tracing::warn!(message = %end.id, rule = message.rule, "a message is in doubt: `stammgast messages` lists it");
            }
            _ => {}
        }
        let _ = self.changes.send(Change::Finish { end: Box::new(end), suppress }).await;
    }

    /// Sets a message aside whose target is down, so that it holds up none that is for another.
    pub(super) async fn is_put_off(&self, message: &LeasedMessage, target: &str) -> bool {
        if !self.targets.is_down(target, Instant::now()) {
            return false;
        }
        self.tally.retried.fetch_add(1, Ordering::Relaxed);
        self.put_off.lock().await.push(message.id);
        true
    }

    /// Notes whether a rule's mail could be made. Whether the rule has to pause: so many could not, or all of the first few.
    pub(super) fn makes(&self, rule: &str, made: bool, most: usize) -> Option<usize> {
        let mut rules = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let (any, failed) = match rules.get_mut(rule) {
            Some(known) => known,
            None => rules.entry(rule.to_owned()).or_default(),
        };
        *any |= made;
        *failed += usize::from(!made);
        let failed = *failed;
        (!made && (most > 0 && failed == most || failed == FEW && !*any)).then_some(failed)
    }

    /// Counts what another daemon left behind.
    pub(super) fn recovered(&self, messages: u64) {
        self.tally.recovered.fetch_add(messages, Ordering::Relaxed);
    }

    pub(super) async fn report(&self) -> DispatchReport {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        DispatchReport {
            sent: count(&self.tally.sent),
            retried: count(&self.tally.retried),
            failed: count(&self.tally.failed),
            in_doubt: count(&self.tally.in_doubt),
            cancelled: count(&self.tally.cancelled),
            recovered: count(&self.tally.recovered),
            relay_fault: self.relay_fault.lock().await.clone(),
        }
    }
}
