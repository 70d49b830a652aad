//! Messages that were claimed before their rule was paused must not leave after it.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::store::{Db, StoreError, pauses};

/// So long after a pause began a message of its rule may still be begun: a claim may last minutes with a slow relay, a look at each message would cost more
/// than the message.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The rules that are paused, looked up each second while messages leave.
#[derive(Debug)]
pub(super) struct Paused {
    db: Db,
    known: Mutex<(Instant, HashSet<String>)>,
}

impl Paused {
    /// A pass begins with a claim, which leaves out what paused rules want to send: the first look may wait.
    pub(super) fn new(db: Db) -> Self {
        Self { db, known: Mutex::new((Instant::now(), HashSet::new())) }
    }

    /// Whether messages of this rule have to wait.
    pub(super) async fn has(&self, rule: &str) -> bool {
        let mut known = self.known.lock().await;
        let (looked_at, rules) = &mut *known;
        if looked_at.elapsed() >= LOOK_EVERY {
            *looked_at = Instant::now();
            match self.look().await {
                Ok(paused) => *rules = paused,
                // Nothing leaves without its mark in the same database.
                Err(error) => tracing::debug!(%error, "the paused rules cannot be looked up"),
            }
        }
        rules.contains(rule)
    }

    /// Takes a pause for begun without a look.
    pub(super) async fn begin(&self, rule: &str) {
        self.known.lock().await.1.insert(rule.to_owned());
    }

    async fn look(&self) -> Result<HashSet<String>, StoreError> {
        Ok(pauses::open(&mut self.db.read().await?).await?.into_iter().map(|pause| pause.rule).collect())
    }
}
