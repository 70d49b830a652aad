//! Claimed messages on their way to the workers, handed over by the batch: to wake the one who claims for each message took longer than a webhook takes.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};

use crate::model::message::LeasedMessage;

/// What workers take their messages from; clones share it.
#[derive(Clone, Debug)]
pub(super) struct Queue(Arc<Mutex<Waiting>>);

#[derive(Debug)]
struct Waiting {
    batch: VecDeque<LeasedMessage>,
    more: mpsc::Receiver<Vec<LeasedMessage>>,
}

impl Queue {
    /// A queue, and where batches are put in: one waits besides the one that is being worked on. It ends when that end is dropped.
    pub(super) fn new() -> (mpsc::Sender<Vec<LeasedMessage>>, Self) {
        let (feed, more) = mpsc::channel(1);
        (feed, Self(Arc::new(Mutex::new(Waiting { batch: VecDeque::new(), more }))))
    }

    /// The next message; `None` when there will be none.
    pub(super) async fn next(&self) -> Option<LeasedMessage> {
        let mut waiting = self.0.lock().await;
        loop {
            if let Some(message) = waiting.batch.pop_front() {
                return Some(message);
            }
            waiting.batch = waiting.more.recv().await?.into();
        }
    }

    /// The next message, if there are so many that nobody else waits for one.
    pub(super) fn next_of_many(&self, many: usize) -> Option<LeasedMessage> {
        let mut waiting = self.0.try_lock().ok()?;
        if waiting.batch.len() < many {
            let more = waiting.more.try_recv().ok()?;
            waiting.batch.extend(more);
        }
        if waiting.batch.len() >= many { waiting.batch.pop_front() } else { None }
    }
}
