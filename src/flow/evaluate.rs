//! Stage: a run of a rule. Customers go through the condition page by page; each page's decisions are one transaction with the run's cursor,
//! so that a crash goes on where it was and nobody is decided twice.

use std::sync::Arc;

use super::campaign::Campaign;
use super::decide::{self, Candidate};
use super::recall::Past;
use super::{Ctx, FlowError, pause, rescore};
use crate::base::clock::Clock;
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::facts::{Facts, Moment, Needs};
use crate::model::pause::Pause;
use crate::rules::Evaluation;
use crate::store::decisions::Entry;
use crate::store::filter::Filter;
use crate::store::schema::Grown;
use crate::store::{decisions, facts, leases, pauses, ticks};

/// Customers per page.
const PAGE: i64 = 1_000;
/// The lease under which one daemon at a time decides: the caps of two rules for the same customer must not race.
const LEASE: &str = "decide";
/// How long the lease lasts without a sign of life, in milliseconds.
const LEASE_MS: i64 = 60_000;

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct TickReport {
    /// The rule.
    pub rule: String,
    /// The moment it ran for.
    pub tick_at: UnixMs,
    /// Whether it had run for that moment before: then nothing happened now.
    pub already_ran: bool,
    /// Customers there are.
    pub customers: usize,
    /// Customers the condition is true for, and those it failed for.
    pub proposed: usize,
    /// Messages put into the outbox.
    pub messages: usize,
    /// Customers for whom the condition or the action failed.
    pub failed: usize,
    /// The first failure's sentence.
    pub failure: Option<String>,
    /// Why it did not begin, or stopped: the rule is paused.
    pub paused: Option<Pause>,
}

impl TickReport {
    fn count(&mut self, entries: &[Entry]) {
        self.proposed += entries.len();
        for entry in entries.iter().filter(|entry| pause::is_failure(entry)) {
            self.failed += 1;
            self.failure.get_or_insert_with(|| entry.decision.detail.clone());
        }
    }
}

/// Takes the lease to decide for `who` (`NAME/PROCESS`); `None` when another daemon has it.
pub async fn lease(ctx: &Ctx, who: &str) -> Result<Option<Lease>, FlowError> {
    let lease = Lease { owner: who.to_owned() };
    let now = Clock::System.now();
    let mut tx = ctx.db.write().await?;
    let ours = leases::take(&mut tx, LEASE, &lease.owner, now.plus(LEASE_MS), now).await?;
    tx.commit().await?;
    Ok(ours.then_some(lease))
}

/// The right to decide, held by one daemon at a time.
#[derive(Debug)]
pub struct Lease {
    owner: String,
}

impl Lease {
    /// Gives it back.
    pub async fn release(self, ctx: &Ctx) -> Result<(), FlowError> {
        let mut tx = ctx.db.write().await?;
        leases::release(&mut tx, LEASE, &self.owner).await?;
        Ok(tx.commit().await?)
    }
}

/// Runs a rule for one moment, or goes on with a run that a crash left. Whoever holds `lease` is the only one who decides.
pub async fn tick(ctx: &Ctx, campaign: &Arc<Campaign>, name: &str, tick_at: UnixMs, lease: &Lease) -> Result<TickReport, FlowError> {
    let mut report = TickReport { rule: name.to_owned(), tick_at, ..TickReport::default() };
    let Some(rule) = campaign.rules.rule(name) else { return Ok(report) };
    let mut tx = ctx.db.write().await?;
    report.paused = pauses::one(&mut tx, name).await?;
    if report.paused.is_some() {
        return Ok(report);
    }
    let tick = ticks::begin(&mut tx, name, tick_at, &rule.spec.hash, ctx.clock.now()).await?;
    tx.commit().await?;
    if tick.finished {
        report.already_ran = true;
        return Ok(report);
    }
    rescore::ensure_fresh(ctx, tick_at).await?;
    let moment = Moment { now: tick_at, zone: ctx.config.shop.zone() };
    // Only those whom the condition may be true for, or fail for, are read.
    let filter = rule.predicate().and_then(|predicate| Filter::of(predicate, &moment));
    let needs = rule.needs;
    report.customers = count(ctx).await?;
    let mut cursor = tick.cursor;
    while let Some((page, last)) = page(ctx, cursor, needs, filter.as_ref()).await? {
        let candidates = candidates(campaign, name, page, moment).await?;
        let mut entries = decide::decide(ctx, campaign, name, moment, candidates, &Past::Logged).await?;
        let mut tx = ctx.db.write().await?;
        report.paused = pauses::one(&mut tx, name).await?;
        if report.paused.is_some() {
            return Ok(report);
        }
        let now = Clock::System.now();
        if !leases::renew(&mut tx, LEASE, &lease.owner, now.plus(LEASE_MS), now).await? {
            return Err(FlowError::LeaseLost);
        }
        report.count(&entries);
        if let Some(reason) = pause::needed(ctx.config.rules.pause_after_failures, report.failed, cursor == Id(0), &entries) {
            entries.retain(pause::is_failure);
            decisions::append(&mut tx, &rule.spec, tick_at, ctx.clock.now(), &entries).await?;
            let failure = report.failure.as_deref().unwrap_or_default();
            report.paused = Some(pause::itself(&mut tx, &rule.spec, &reason, failure, ctx.clock.now()).await?);
            tx.commit().await?;
            tracing::error!(rule = name, "the rule {reason}: it pauses itself; `stammgast rules list` says why");
            return Ok(report);
        }
        report.messages += decisions::append(&mut tx, &rule.spec, tick_at, ctx.clock.now(), &entries).await?;
        ticks::advance(&mut tx, name, tick_at, last).await?;
        tx.commit().await?;
        cursor = last;
    }
    let mut tx = ctx.db.write().await?;
    ticks::finish(&mut tx, name, tick_at, ctx.clock.now()).await?;
    tx.commit().await?;
    ctx.db.has_grown(Grown::Campaign, report.messages as u64).await?;
    tracing::info!(rule = name, tick_at = %tick_at, customers = report.customers, proposed = report.proposed, messages = report.messages, "rule ran");
    Ok(report)
}

/// The next customers after `after` (all, or those whom the filter lets pass) with the stored scores and the parts of their
/// history that are asked for, and the last one's id; `None` after the last.
pub(super) async fn page(ctx: &Ctx, after: Id, needs: Needs, filter: Option<&Filter>) -> Result<Option<(Vec<Facts>, Id)>, FlowError> {
    let mut tx = ctx.db.read().await?;
    let page = match filter {
        Some(filter) => facts::page_where(&mut tx, after, PAGE, needs, filter).await?,
        None => facts::page(&mut tx, after, PAGE, needs).await?,
    };
    Ok(page.last().map(|facts| facts.customer.id).map(|last| (page, last)))
}

/// How many customers there are.
pub(super) async fn count(ctx: &Ctx) -> Result<usize, FlowError> {
    let mut tx = ctx.db.read().await?;
    Ok(usize::try_from(facts::count(&mut tx).await?).unwrap_or(usize::MAX))
}

/// Customers of a page that the rule wants to write to, and those for whom its condition failed.
pub(super) async fn candidates(campaign: &Arc<Campaign>, name: &str, page: Vec<Facts>, moment: Moment) -> Result<Vec<Candidate>, FlowError> {
    let (campaign, rule_name) = (Arc::clone(campaign), name.to_owned());
    let evaluated = tokio::task::spawn_blocking(move || {
        let found = campaign.rules.rule(&rule_name).map(|rule| rule.evaluate(&page, moment)).unwrap_or_default();
        (page, found)
    });
    let (page, evaluations) = evaluated.await.map_err(|error| FlowError::Worker(error.to_string()))?;
    Ok(page.into_iter().zip(evaluations).filter_map(|(facts, evaluation)| candidate(|| facts, evaluation)).collect())
}

/// Whoever the condition is true for, or failed for.
pub(super) fn candidate(facts: impl FnOnce() -> Facts, evaluation: Evaluation) -> Option<Candidate> {
    match evaluation {
        Evaluation::NoMatch => None,
        Evaluation::Match { inputs } => Some(Candidate { facts: facts(), inputs, failure: None }),
        Evaluation::Failed(sentence) => Some(Candidate { facts: facts(), inputs: serde_json::Map::new(), failure: Some(sentence) }),
    }
}
