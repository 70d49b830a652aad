//! Stage: a run of a rule. Customers go through the condition page by page; each page's decisions are one transaction with the run's cursor,
//! so that a crash goes on where it was and nobody is decided twice.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::analyse::winner;
use super::brake::{self, Brake, cut_at};
use super::campaign::Campaign;
use super::decide::{self, Arms};
use super::pause::Failures;
use super::recall::Past;
use super::retrace::Reach;
use super::scan::{self, Found, Scan};
use super::share::Shared;
use super::{Ctx, FlowError, pause, rescore};
use crate::base::clock::Clock;
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::facts::Moment;
use crate::model::hold::Hold;
use crate::model::pause::Pause;
use crate::model::rule::RuleSpec;
use crate::model::switch::Switch;
use crate::store::decisions::Entry;
use crate::store::schema::Grown;
use crate::store::{Tx, decisions, holdouts, holds, leases, pauses, switches, ticks};

/// Entries that are kept when a run is looked at before it is written: a large run is decided twice rather than kept in memory.
const MOST_AHEAD: usize = 5_000;
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
    /// The run stopped before a limit, or had to wait because another run of the rule has.
    pub held: Option<Hold>,
}

impl TickReport {
    fn hold(&mut self, ctx: &Ctx, hold: Hold) {
        let shop = &ctx.config.shop;
        tracing::warn!(rule = hold.rule, guard = hold.barrier.guard.code(), "held: {}", hold.sentence(shop.zone(), shop.currency.code()));
        self.held = Some(hold);
    }
}

/// Takes the lease to decide for `who` (`NAME/PROCESS`); `None` when another daemon has it.
pub async fn lease(ctx: &Ctx, who: &str) -> Result<Option<Lease>, FlowError> {
    let now = Clock::System.now();
    let lease = Lease { owner: who.to_owned(), renewed_at: AtomicI64::new(now.0) };
    let mut tx = ctx.db.write().await?;
    let ours = leases::take(&mut tx, LEASE, &lease.owner, now.plus(LEASE_MS), now).await?;
    tx.commit().await?;
    Ok(ours.then_some(lease))
}

/// The right to decide, held by one daemon at a time.
#[derive(Debug)]
pub struct Lease {
    owner: String,
    renewed_at: AtomicI64,
}

impl Lease {
    /// Begins a transaction that writes, unless the lease is lost.
    async fn write(&self, ctx: &Ctx) -> Result<Tx, FlowError> {
        let mut tx = ctx.db.write().await?;
        let now = Clock::System.now();
        if !leases::renew(&mut tx, LEASE, &self.owner, now.plus(LEASE_MS), now).await? {
            return Err(FlowError::LeaseLost);
        }
        self.renewed_at.store(now.0, Ordering::Relaxed);
        Ok(tx)
    }

    /// Who looks only shows now and then that it is alive.
    pub(super) async fn renew_in_time(&self, ctx: &Ctx) -> Result<(), FlowError> {
        if Clock::System.now().since(UnixMs(self.renewed_at.load(Ordering::Relaxed))) > LEASE_MS / 4 {
            self.write(ctx).await?.commit().await?;
        }
        Ok(())
    }

    /// Gives it back.
    pub async fn release(self, ctx: &Ctx) -> Result<(), FlowError> {
        let mut tx = ctx.db.write().await?;
        leases::release(&mut tx, LEASE, &self.owner).await?;
        Ok(tx.commit().await?)
    }
}

/// Runs a rule for one moment, or goes on with a run that a crash or a guard left. Whoever holds `lease` is the only one who decides. While a run of the
/// rule is held no other one begins.
pub async fn tick(ctx: &Ctx, campaign: &Arc<Campaign>, name: &str, tick_at: UnixMs, lease: &Lease) -> Result<TickReport, FlowError> {
    run(ctx, campaign, (name, tick_at), lease, &mut Shared::default()).await
}

/// As [`tick`], one of several that share what they find.
pub(super) async fn run(
    ctx: &Ctx,
    campaign: &Arc<Campaign>,
    (name, tick_at): (&str, UnixMs),
    lease: &Lease,
    shared: &mut Shared,
) -> Result<TickReport, FlowError> {
    let mut report = TickReport { rule: name.to_owned(), tick_at, ..TickReport::default() };
    let Some(rule) = campaign.rules.rule(name) else { return Ok(report) };
    let mut tx = ctx.db.write().await?;
    report.paused = pauses::one(&mut tx, name).await?;
    report.held = holds::open_of(&mut tx, name).await?;
    if report.paused.is_some() || report.held.is_some() {
        return Ok(report);
    }
    let policy = &ctx.config.policy;
    holdouts::note(&mut tx, &policy.holdout_seed, policy.holdout_percent, ctx.clock.now()).await?;
    let tick = ticks::begin(&mut tx, name, tick_at, &rule.spec.hash, ctx.clock.now()).await?;
    tx.commit().await?;
    if tick.finished {
        report.already_ran = true;
        return Ok(report);
    }
    if !rescore::is_fresh(ctx, tick_at).await?
        && let Some(mut reach) = Reach::begin(ctx, tick_at, None).await?
    {
        while reach.night().await? {
            lease.renew_in_time(ctx).await?;
        }
        // All of it goes in one transaction.
        lease.write(ctx).await?.commit().await?;
        reach.store(ctx).await?;
    }
    rescore::ensure_fresh(ctx, tick_at).await?;
    let moment = Moment { now: tick_at, zone: ctx.config.shop.zone() };
    let begins = tick.cursor == Id(0);
    let found = if begins { shared.take(ctx, campaign, rule, moment, lease).await? } else { None };
    let mut scan = Scan::new(ctx, campaign, rule, moment).among(found);
    scan.go_to(tick.cursor);
    let arms = Arms::after(winner(ctx, &rule.spec, tick_at, begins, lease).await?.as_ref());
    let mut pages = Pages { ctx, campaign, name, moment, arms, scan, lease, cursor: tick.cursor, ahead: VecDeque::new() };
    let mut brake = Brake::read(ctx, &rule.spec, tick_at, tick.messages).await?;
    if brake.asks_about_size() {
        let messages = pages.look_ahead().await?;
        if brake.may_be_too_large(messages)
            && let Some(barrier) = brake.too_large(messages, scan::count(ctx).await?)
        {
            let hold = brake.hold(barrier, false, messages, ctx.clock.now());
            let mut tx = lease.write(ctx).await?;
            report.paused = pauses::one(&mut tx, name).await?;
            if report.paused.is_some() {
                return Ok(report);
            }
            holds::begin(&mut tx, &hold).await?;
            tx.commit().await?;
            report.hold(ctx, hold);
            return Ok(report);
        }
    }
    let mut failures = Failures::begin(ctx, begins);
    while let Some(page) = pages.next().await? {
        let now = ctx.clock.now();
        brake.move_to(ctx, now).await?;
        let stop = brake.stop(&page.entries);
        let (mut page, rest) = match stop {
            Some(stop) => page.cut(stop.after),
            None => (page, 0),
        };
        let waiting = if stop.is_some() { rest + pages.messages_ahead().await? } else { 0 };
        let mut tx = lease.write(ctx).await?;
        report.paused = pauses::one(&mut tx, name).await?;
        if report.paused.is_some() {
            return Ok(report);
        }
        report.proposed += page.entries.len();
        let needed = failures.page(&page.entries, 0);
        (report.failed, report.failure) = (failures.failed, failures.failure.clone());
        if let Some(reason) = needed {
            page.entries.retain(pause::is_failure);
            decisions::append(&mut tx, &rule.spec, tick_at, now, &page.entries).await?;
            let failure = report.failure.as_deref().unwrap_or_default();
            report.paused = Some(pause::itself(&mut tx, &rule.spec, &reason, failure, now).await?);
            tx.commit().await?;
            tracing::error!(rule = name, "the rule {reason}: it pauses itself; `stammgast rules list` says why");
            return Ok(report);
        }
        let written = decisions::append(&mut tx, &rule.spec, tick_at, now, &page.entries).await?;
        brake.count(&mut tx, written).await?;
        ticks::advance(&mut tx, name, tick_at, page.last, written).await?;
        let hold = stop.map(|stop| brake.hold(brake::barrier(stop), stop.never_fits, waiting, now));
        if let Some(hold) = &hold {
            holds::begin(&mut tx, hold).await?;
        }
        tx.commit().await?;
        report.messages += usize::try_from(written.messages).unwrap_or(0);
        if let Some(hold) = hold {
            report.hold(ctx, hold);
            break;
        }
    }
    if report.held.is_none() {
        let mut tx = ctx.db.write().await?;
        ticks::finish(&mut tx, name, tick_at, ctx.clock.now()).await?;
        tx.commit().await?;
        tracing::info!(rule = name, tick_at = %tick_at, proposed = report.proposed, messages = report.messages, "rule ran");
    }
    ctx.db.has_grown(Grown::Campaign, report.messages as u64).await?;
    Ok(report)
}

/// The switch to a winner that holds for a run. A run that begins may make it; one that goes on stays as it began.
async fn winner(ctx: &Ctx, spec: &RuleSpec, tick_at: UnixMs, begins: bool, lease: &Lease) -> Result<Option<Switch>, FlowError> {
    let stored = winner::stored(ctx, spec).await?;
    if stored.is_some() || !begins {
        return Ok(stored.filter(|switch| switch.at <= tick_at));
    }
    let found = winner::find(ctx, spec, tick_at).await?;
    if let Some(switch) = &found {
        let mut tx = lease.write(ctx).await?;
        switches::add(&mut tx, switch).await?;
        tx.commit().await?;
        tracing::info!(rule = spec.name, winner = switch.winner, "the winner takes the traffic: everybody new who is not held out gets it");
    }
    Ok(found)
}

/// A page of a run: decided, not written.
struct Page {
    /// By customer.
    entries: Vec<Entry>,
    /// Customers up to here are decided.
    last: Id,
}

impl Page {
    fn messages(&self) -> usize {
        brake::cents(&self.entries).count()
    }

    /// The page up to its `messages`th message and what lies before the next one; and how many messages are left over.
    fn cut(mut self, messages: usize) -> (Self, usize) {
        let all = self.messages();
        if let Some(place) = cut_at(&self.entries, messages) {
            // Nobody between the last that is decided and this one is a candidate, so this is where to go on.
            self.last = Id(self.entries[place].decision.customer_id.0 - 1);
            self.entries.truncate(place);
        }
        (self, all.saturating_sub(messages))
    }
}

/// The pages of a run, one after the other.
struct Pages<'a> {
    ctx: &'a Ctx,
    campaign: &'a Arc<Campaign>,
    name: &'a str,
    moment: Moment,
    arms: Arms,
    scan: Scan<'a>,
    lease: &'a Lease,
    cursor: Id,
    /// Pages that were looked at and are still to be written.
    ahead: VecDeque<Page>,
}

impl Pages<'_> {
    async fn next(&mut self) -> Result<Option<Page>, FlowError> {
        match self.ahead.pop_front() {
            Some(page) => Ok(Some(page)),
            None => self.read().await,
        }
    }

    async fn read(&mut self) -> Result<Option<Page>, FlowError> {
        let Some(Found { candidates, last }) = self.scan.next().await? else { return Ok(None) };
        self.cursor = last;
        let entries = decide::decide(self.ctx, self.campaign, self.name, self.moment, candidates, &Past::Logged, &self.arms).await?;
        Ok(Some(Page { entries, last }))
    }

    /// How many messages the pages that come would write. Those at the beginning are kept, so that a run of usual size is decided once.
    async fn look_ahead(&mut self) -> Result<usize, FlowError> {
        let (mut messages, mut entries, mut kept_to) = (0, 0, self.cursor);
        while let Some(page) = self.read().await? {
            self.lease.renew_in_time(self.ctx).await?;
            messages += page.messages();
            entries += page.entries.len();
            if entries <= MOST_AHEAD {
                kept_to = page.last;
                self.ahead.push_back(page);
            }
        }
        self.cursor = kept_to;
        self.scan.go_to(kept_to);
        Ok(messages)
    }

    /// How many messages the pages that come would write; they are not asked for any more.
    async fn messages_ahead(&mut self) -> Result<usize, FlowError> {
        let mut messages = 0;
        while let Some(page) = self.next().await? {
            self.lease.renew_in_time(self.ctx).await?;
            messages += page.messages();
        }
        Ok(messages)
    }
}
