//! The one writer of a pass: gathers marks and ends from all workers and commits them in groups, which is many times faster than one by one.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::base::id::Id;
use crate::flow::Ctx;
use crate::store::deliveries::{Finish, Recorder};
use crate::store::{StoreError, standings};

/// Most changes in one transaction.
const GROUP: usize = 512;
/// Longest that a mark waits for others: its connection does nothing meanwhile.
const GATHER_MARKS: Duration = Duration::from_millis(1);
/// Longest that ends wait for others when nobody waits for them. What a crash leaves of them is in doubt (an email; never more than one of a connection, as
/// the next one's mark takes the end along) or posted once more under the same id (a webhook).
const GATHER_ENDS: Duration = Duration::from_millis(10);
/// From so many ends on they come in a crowd: then they are fetched together, for to be woken for each takes longer than the end itself.
const CROWD: usize = 16;

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
/// `beginning`: how many emails are on their way to asking for a mark.
pub(super) async fn run(ctx: Ctx, mut changes: mpsc::Receiver<Change>, beginning: Arc<AtomicUsize>) {
    let mut recorder = Recorder::new(ctx.db.clone());
    let mut group = Vec::with_capacity(GROUP);
    while changes.recv_many(&mut group, GROUP).await > 0 {
        gather(&mut changes, &mut group, &beginning).await;
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
            match commit(&ctx, &mut recorder, &marks, &ends, &suppressions).await {
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

/// Waits a moment for more: a commit costs nearly the same for one change as for many. Goes ahead when as many emails wait for their mark as are still
/// being begun, so that one half of the connections is busy while the other half's marks are committed.
async fn gather(changes: &mut mpsc::Receiver<Change>, group: &mut Vec<Change>, beginning: &AtomicUsize) {
    let is_mark = |change: &Change| matches!(change, Change::Mark { .. });
    let mut marks = group.iter().filter(|change| is_mark(change)).count();
    let mut end = Instant::now() + if marks > 0 { GATHER_MARKS } else { GATHER_ENDS };
    while group.len() < GROUP && (marks == 0 || marks < beginning.load(Ordering::Relaxed)) {
        if marks == 0 && group.len() >= CROWD && beginning.load(Ordering::Relaxed) == 0 {
            sleep_until(end).await;
            while group.len() < GROUP
                && let Ok(change) = changes.try_recv()
            {
                group.push(change);
            }
            return;
        }
        let Ok(Some(change)) = timeout_at(end, changes.recv()).await else { return };
        if is_mark(&change) {
            if marks == 0 {
                end = end.min(Instant::now() + GATHER_MARKS);
            }
            marks += 1;
        }
        group.push(change);
    }
}

type Mark = (Id, i64, oneshot::Sender<Permit>);

async fn commit(ctx: &Ctx, recorder: &mut Recorder, marks: &[Mark], ends: &[Finish], suppressions: &[Suppress]) -> Result<HashSet<Id>, StoreError> {
    let now = ctx.clock.now();
    // First: an end that is recorded is not looked at again.
    if !suppressions.is_empty() {
        let mut tx = ctx.db.write().await?;
        for Suppress { email_key, reason } in suppressions {
            standings::suppress(&mut tx, email_key, reason, now).await?;
        }
        tx.commit().await?;
    }
    let claims: Vec<(Id, i64)> = marks.iter().map(|(id, fence, _)| (*id, *fence)).collect();
    Ok(recorder.record(&claims, ends, now).await?.into_iter().collect())
}
