//! The one writer of a pass: gathers marks and ends from all workers and commits them in groups, which is many times faster than one by one.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::base::id::Id;
use crate::flow::Ctx;
use crate::store::deliveries::{self, Finish};
use crate::store::{StoreError, standings};

/// Most changes in one transaction.
const GROUP: usize = 512;

/// Whether a message may be handed over now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Permit {
    /// The mark is durable: go on.
    Go,
    /// The customer objected, the address is suppressed, or the lease was lost.
    Stop,
    /// The mark could not be written; what cannot be recorded must not start.
    Unavailable,
}

/// What workers ask for.
#[derive(Debug)]
pub(super) enum Change {
    /// May the final dot be sent? The answer comes when the mark is durable.
    Mark { id: Id, fence: i64, answer: oneshot::Sender<Permit> },
    /// A try has ended.
    Finish { end: Box<Finish>, suppress: Option<Suppress> },
}

/// An address that must not be written to any more.
#[derive(Debug)]
pub(super) struct Suppress {
    pub(super) email_key: String,
    pub(super) reason: &'static str,
}

/// Writes until the last worker is gone. Ends that cannot be written are tried again until they can: otherwise the messages would be in doubt.
pub(super) async fn run(ctx: Ctx, mut changes: mpsc::Receiver<Change>) {
    let mut group = Vec::with_capacity(GROUP);
    while changes.recv_many(&mut group, GROUP).await > 0 {
        gather(&mut changes, &mut group).await;
        let (mut marks, mut ends, mut suppressions) = (Vec::new(), Vec::new(), Vec::new());
        for change in group.drain(..) {
            match change {
                Change::Mark { id, fence, answer } => marks.push((id, fence, answer)),
                Change::Finish { end, suppress } => {
                    ends.push(*end);
                    suppressions.extend(suppress);
                }
            }
        }
        let mut wait = Duration::from_millis(100);
        let mut failed_before = false;
        loop {
            match commit(&ctx, &marks, &ends, &suppressions).await {
                Ok(allowed) => {
                    for (id, _, answer) in marks {
                        let _ = answer.send(if allowed.contains(&id) { Permit::Go } else { Permit::Stop });
                    }
                    break;
                }
                Err(error) => {
                    tracing::error!(%error, ends = ends.len(), "deliveries cannot be recorded; trying again");
                    // The first failure may be a connection that broke, and the second try waits for a database that is restarted. After that a
                    // relay must not be kept waiting longer.
                    if failed_before {
                        for (_, _, answer) in marks.drain(..) {
                            let _ = answer.send(Permit::Unavailable);
                        }
                    }
                    if marks.is_empty() && ends.is_empty() {
                        break;
                    }
                    failed_before = true;
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(Duration::from_secs(5));
                }
            }
        }
    }
}

/// Lets every worker that can go on at this moment hand in its change first: a commit costs the same for one as for all of them.
async fn gather(changes: &mut mpsc::Receiver<Change>, group: &mut Vec<Change>) {
    loop {
        let before = group.len();
        tokio::task::yield_now().await;
        while group.len() < GROUP
            && let Ok(change) = changes.try_recv()
        {
            group.push(change);
        }
        if group.len() == before || group.len() == GROUP {
            return;
        }
    }
}

type Mark = (Id, i64, oneshot::Sender<Permit>);

async fn commit(ctx: &Ctx, marks: &[Mark], ends: &[Finish], suppressions: &[Suppress]) -> Result<HashSet<Id>, StoreError> {
    let now = ctx.clock.now();
    let mut tx = ctx.db.write().await?;
    let mut allowed = HashSet::new();
    if !marks.is_empty() {
        let claims: Vec<(Id, i64)> = marks.iter().map(|(id, fence, _)| (*id, *fence)).collect();
        allowed.extend(deliveries::mark(&mut tx, &claims, now).await?);
    }
    if !ends.is_empty() {
        deliveries::finish(&mut tx, ends).await?;
    }
    for Suppress { email_key, reason } in suppressions {
        standings::suppress(&mut tx, email_key, reason, now).await?;
    }
    tx.commit().await?;
    Ok(allowed)
}
