//! Claimed messages on their way to the workers, handed over by the batch: to wake the one who claims for each message took longer than a webhook takes.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Mutex, Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::model::message::LeasedMessage;

/// A claimed message; dropped when it came to an end, or was set aside.
#[derive(Debug)]
pub(super) struct Held {
    message: LeasedMessage,
    _under_way: Begun,
}

impl Deref for Held {
    type Target = LeasedMessage;

    fn deref(&self) -> &LeasedMessage {
        &self.message
    }
}

/// How many messages are on their way, however each of them ends.
#[derive(Clone, Debug, Default)]
pub(super) struct UnderWay(Arc<(AtomicUsize, Notify)>);

#[derive(Debug)]
struct Begun(UnderWay);

impl Drop for Begun {
    fn drop(&mut self) {
        let (count, ended) = &*self.0.0;
        if count.fetch_sub(1, Ordering::Relaxed) == 1 {
            ended.notify_one();
        }
    }
}

impl UnderWay {
    pub(super) fn begin(&self, message: LeasedMessage) -> Held {
        self.0.0.fetch_add(1, Ordering::Relaxed);
        Held { message, _under_way: Begun(self.clone()) }
    }

    pub(super) fn is_none(&self) -> bool {
        self.0.0.load(Ordering::Relaxed) == 0
    }

    /// Waits until the last one ends, for so long at most.
    pub(super) async fn end_or(&self, longest: Duration, stop: &CancellationToken) {
        tokio::select! {
            () = self.0.1.notified() => {}
            () = tokio::time::sleep(longest) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// What workers take their messages from; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Queue(Arc<Mutex<Waiting>>);

#[derive(Debug)]
struct Waiting {
    batch: VecDeque<Held>,
    more: mpsc::Receiver<Vec<Held>>,
}

impl Queue {
    /// A queue, and where batches are put in: one waits besides the one that is being worked on. It ends when that end is dropped.
    pub(super) fn new() -> (mpsc::Sender<Vec<Held>>, Self) {
        let (feed, more) = mpsc::channel(1);
        (feed, Self(Arc::new(Mutex::new(Waiting { batch: VecDeque::new(), more }))))
    }

    /// The next message; `None` when there will be none.
    pub(super) async fn next(&self) -> Option<Held> {
        let mut waiting = self.0.lock().await;
        loop {
            if let Some(message) = waiting.batch.pop_front() {
                return Some(message);
            }
            waiting.batch = waiting.more.recv().await?.into();
        }
    }

    /// The next message, if there are so many that nobody else waits for one.
    pub(super) fn next_of_many(&self, many: usize) -> Option<Held> {
        let mut waiting = self.0.try_lock().ok()?;
        if waiting.batch.len() < many {
            let more = waiting.more.try_recv().ok()?;
            waiting.batch.extend(more);
        }
        if waiting.batch.len() >= many { waiting.batch.pop_front() } else { None }
    }
}
