//! A person pauses a rule and lets it go on; a rule that fails too often pauses itself.

use serde::Serialize;
use serde_json::{Value, json};

use super::brake::{Weighed, Weight, cents, cut_at};
use super::{Ctx, FlowError};
use crate::base::time::{UnixMs, Zone};
use crate::model::pause::Pause;
use crate::model::rule::RuleSpec;
use crate::model::text;
use crate::policy::guard::Meter;
use crate::store::messages::{self, Open};
use crate::store::{Tx, pauses, ticks};

/// Fewer failures than this say nothing about a whole page.
const FEW: usize = 3;

/// A rule after a person paused it or let it go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AfterPause {
    /// The pause that holds now (after `pause`), or the one that is over (after `resume`); `None`: there was none to end.
    pub pause: Option<Pause>,
    /// Whether this call changed it.
    pub changed: bool,
    /// Messages of the rule that have not left: those that wait, and those that are on their way at this moment.
    pub open: Open,
    /// Messages that were cancelled.
    pub discarded: u64,
    /// The run that was under way and goes on, or will go on after `resume`, by its moment.
    pub run: Option<UnixMs>,
}

impl AfterPause {
    /// As JSON: `done` is `paused` or `resumed`, and `state` says so unless there was nothing to resume.
    #[must_use]
    pub fn document(&self, rule: &str, done: &str) -> Value {
        let mut document = json!(self);
        document["rule"] = json!(rule);
        document["state"] = json!(if done == "paused" || self.pause.is_some() { done } else { "not_paused" });
        document
    }
}

/// A person pauses a rule. A person's pause takes the place of the rule's own; one that a person began before stays as it is. With `discard` the
/// messages that wait are cancelled.
pub async fn pause(ctx: &Ctx, rule: &str, by: &str, reason: &str, discard: bool) -> Result<AfterPause, FlowError> {
    let now = ctx.clock.now();
    let mut tx = ctx.db.write().await?;
    if pauses::one(&mut tx, rule).await?.is_some_and(|pause| pause.by_itself()) {
        pauses::end(&mut tx, rule, by, now).await?;
    }
    let pause = Pause { rule: rule.to_owned(), since: now, by: by.to_owned(), failed: None, reason: text::reason(reason) };
    let changed = pauses::begin(&mut tx, &pause).await?;
    let pause = pauses::one(&mut tx, rule).await?;
    after(ctx, tx, rule, pause, changed, discard).await
}

/// A person lets a rule go on. Runs that were missed meanwhile are not made up for; one that was under way goes on, unless it is a day old.
/// With `discard` the messages that waited for the end of the pause are cancelled.
pub async fn resume(ctx: &Ctx, rule: &str, by: &str, discard: bool) -> Result<AfterPause, FlowError> {
    let mut tx = ctx.db.write().await?;
    let pause = pauses::one(&mut tx, rule).await?;
    let changed = pauses::end(&mut tx, rule, by, ctx.clock.now()).await?;
    after(ctx, tx, rule, pause, changed, discard && changed).await
}

async fn after(ctx: &Ctx, mut tx: Tx, rule: &str, pause: Option<Pause>, changed: bool, discard: bool) -> Result<AfterPause, FlowError> {
    let now = ctx.clock.now();
    let discarded = if discard { messages::discard(&mut tx, rule, now).await? } else { 0 };
    let open = messages::open_by_rule(&mut tx).await?.remove(rule).unwrap_or_default();
    let unfinished = ticks::unfinished(&mut tx, now).await?;
    let run = unfinished.into_iter().filter(|(of, at)| of == rule && now.since(*at) <= super::trigger::GRACE_MS).map(|(_, at)| at).max();
    tx.commit().await?;
    Ok(AfterPause { pause, changed, open, discarded, run })
}

/// The pauses that hold, by rule.
pub async fn all(ctx: &Ctx) -> Result<Vec<Pause>, FlowError> {
    Ok(pauses::open(&mut ctx.db.read().await?).await?)
}

/// For whom a rule failed, counted from where a run begins or goes on after a hold.
#[derive(Debug)]
pub(super) struct Failures {
    /// So many pause the rule; 0: any number is allowed.
    limit: usize,
    first_page: bool,
    /// How many.
    pub(super) failed: usize,
    /// The first one's sentence.
    pub(super) failure: Option<String>,
}

impl Failures {
    /// Begins to count; `begins`: with the first page of the run.
    pub(super) fn begin(ctx: &Ctx, begins: bool) -> Self {
        Self { limit: ctx.config.rules.pause_after_failures, first_page: begins, failed: 0, failure: None }
    }

    /// Counts the next page, up to where a limit cuts it; `stopped`: those of it whom a gate has stopped already. Why the run must not go on: the rule
    /// failed for too many, or for everybody of the first page whom it came to.
    pub(super) fn page(&mut self, entries: &[impl Weighed], stopped: usize) -> Option<String> {
        let mut passed = false;
        for weight in entries.iter().map(Weighed::weight) {
            if let Weight::Failed(sentence) = weight {
                self.failed += 1;
                self.failure.get_or_insert_with(|| sentence.to_owned());
            }
            passed |= matches!(weight, Weight::Message(_) | Weight::HeldOut);
        }
        let first_page = self.first_page;
        self.first_page &= entries.is_empty() && stopped == 0;
        if self.limit == 0 || self.failed == 0 {
            return None;
        }
        let failed = self.failed;
        if failed >= self.limit {
            Some(format!("failed for {failed} customers in one run"))
        } else if first_page && failed >= FEW && !passed {
            Some(format!("failed for all {failed} customers that it came to"))
        } else {
            None
        }
    }
}

/// Where a rule would pause itself in a run that is not made: nothing that comes after would leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OwnPause {
    /// The moment of the run.
    pub at: UnixMs,
    /// So many messages of the run would be written before.
    pub after: usize,
    /// What happened, without the rule's name.
    pub reason: String,
    /// The first failure's sentence.
    pub failure: String,
}

impl OwnPause {
    /// `2026-07-01T09:00:00+02:00 after 3 messages: it failed for …`.
    #[must_use]
    pub fn sentence(&self, zone: Zone) -> String {
        let Self { at, after, reason, failure } = self;
        let place = if *after == 0 { "before anything is written".to_owned() } else { format!("after {after} messages") };
        format!("{} {place}: it {reason}, e.g.: {failure}", zone.format(*at))
    }
}

/// A run that is not made, page by page: leaves what the daemon would write, up to where the rule would pause itself. As the daemon does it looks at a page up
/// to where a limit cuts it. Behind the cut it looks at nothing: there the daemon counts anew for each part of the run, and what the other rules write
/// says how large the parts are.
#[derive(Debug)]
pub(super) struct Course {
    at: UnixMs,
    failures: Failures,
    /// What the run has to keep to.
    meter: Meter,
    /// Whether a limit has cut it.
    cut: bool,
    messages: usize,
    /// Where it ended, if it did.
    pub(super) ended: Option<OwnPause>,
}

impl Course {
    /// Begins the run for `at`, which has to keep to `meter`.
    pub(super) fn begin(ctx: &Ctx, at: UnixMs, meter: Meter) -> Self {
        Self { at, failures: Failures::begin(ctx, true), meter, cut: false, messages: 0, ended: None }
    }

    /// Takes out of the next page what would not be written. `stopped`: those of the page whom a gate has stopped already.
    pub(super) fn page(&mut self, entries: &mut Vec<impl Weighed>, stopped: usize) {
        if self.ended.is_some() {
            return entries.clear();
        }
        if self.cut {
            return;
        }
        let stop = self.meter.stop(cents(entries));
        let fits = stop.and_then(|stop| cut_at(entries, stop.after)).unwrap_or(entries.len());
        if let Some(reason) = self.failures.page(&entries[..fits], stopped) {
            entries.truncate(fits);
            entries.retain(is_failure);
            let failure = self.failures.failure.clone().unwrap_or_default();
            self.ended = Some(OwnPause { at: self.at, after: self.messages, reason, failure });
            return;
        }
        self.cut = stop.is_some();
        for voucher_cents in cents(entries) {
            self.messages += 1;
            self.meter.count(1, voucher_cents);
        }
    }
}

/// Pauses a rule until there is another version of it, or a person lets it go on. The page in which that happened is decided anew then: the caller writes
/// its failures only, and leaves the run's cursor where it is. Whom the rule failed for has a refusal, which stands in nobody's way.
pub(super) async fn itself(tx: &mut Tx, rule: &RuleSpec, reason: &str, failure: &str, now: UnixMs) -> Result<Pause, FlowError> {
    let (rule, failed) = (rule.name.clone(), Some(rule.hash.clone()));
    let pause = Pause { rule, since: now, by: String::new(), failed, reason: format!("{reason}, e.g.: {failure}") };
    pauses::begin(tx, &pause).await?;
    Ok(pause)
}

/// Pauses a rule whose mails cannot be made; messages that wait stay, and leave when it goes on.
pub(super) async fn unmade(ctx: &Ctx, rule: &RuleSpec, failed: usize, problem: &str) -> Result<(), FlowError> {
    let mut tx = ctx.db.write().await?;
    let reason = format!("made {failed} mails that could not be filled in (`stammgast messages retry` sends them when the template is mended)");
    itself(&mut tx, rule, &reason, problem, ctx.clock.now()).await?;
    Ok(tx.commit().await?)
}

/// Whether the rule failed for the customer.
pub(super) fn is_failure(decided: &impl Weighed) -> bool {
    matches!(decided.weight(), Weight::Failed(_))
}
