//! Keeps the stored scores true: full runs, and single customers when an order arrives.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Ctx, FlowError, own, retrace, settle};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::config::Config;
use crate::model::facts::{Facts, Needs};
use crate::model::score::{AbcBy, AbcRule, BucketRule, OrderFacts, Score, ScoreRules};
use crate::rules::{ScoreSet, Tally};
use crate::score::{Borders, Scored, Wanted, compute, place};
use crate::store::own_scores::{self, Values};
use crate::store::score_runs::{self, ScoreRun};
use crate::store::{StoreError, Tx, scores};

/// What a call of this stage did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RescoreReport {
    /// The moment that the stored scores are for now.
    pub as_of: UnixMs,
    /// Customers who have scores.
    pub customers: i64,
    /// Whether they were computed by this call, or were fresh already.
    pub recomputed: bool,
}

/// More single customers than this at once are left to the next full run.
pub const MAX_SINGLE: usize = 1_000;

/// How often a full run is computed beside writers before it keeps them waiting: a large import changes the facts of many again and again.
const FREE_TRIES: u32 = 2;

/// How the configuration wants scores to be made.
#[must_use]
pub fn rules(config: &Config) -> ScoreRules {
    let score = &config.score;
    // The words were checked when the configuration was loaded.
    ScoreRules {
        buckets: score.buckets,
        bucket_rule: BucketRule::parse(&score.bucket_rule).unwrap_or_default(),
        weights: score.weights,
        abc_by: AbcBy::parse(&score.abc_by).unwrap_or_default(),
        abc_rule: AbcRule::parse(&score.abc_rule).unwrap_or_default(),
        abc_percent: score.abc_percent,
        newcomer_days: score.newcomer_days,
        clv_discount_percent: score.clv_discount_percent,
    }
}

/// Computes everybody's scores as of a moment and stores them in place of what was there, in one transaction.
///
/// # Errors
/// When the database fails; then the old scores stay.
pub async fn all(ctx: &Ctx, as_of: UnixMs) -> Result<RescoreReport, FlowError> {
    let (scored, tallies) = recompute(ctx, as_of).await?;
    own::warn(&tallies);
    Ok(RescoreReport { as_of, customers: scored.borders.customers, recomputed: true })
}

/// As [`all`], and returns the scores, and what came of the shop's own ones.
///
/// # Errors
/// As [`all`].
pub async fn recompute(ctx: &Ctx, as_of: UnixMs) -> Result<(Scored, Vec<Tally>), FlowError> {
    let mut free = FREE_TRIES;
    loop {
        let run = if free > 0 { Run::begin(ctx, as_of).await? } else { Run::begin_alone(ctx, as_of).await? };
        if let Some(done) = run.compute().await?.store().await? {
            return Ok(done);
        }
        free = free.saturating_sub(1);
    }
}

/// A full run that was begun. It computes without a write transaction, so that others write meanwhile: the interpreter may take minutes for the own scores. Who is
/// refreshed meanwhile is noted by the refresh and refreshed once more when the run is stored.
#[derive(Debug)]
pub struct Run<'a> {
    ctx: &'a Ctx,
    as_of: UnixMs,
    /// Tells whether what was computed will do.
    fence: i64,
    /// Keeps everybody else waiting.
    alone: Option<Tx>,
}

impl<'a> Run<'a> {
    /// Begins a run beside others.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(ctx: &'a Ctx, as_of: UnixMs) -> Result<Self, FlowError> {
        let mut run = Self::begin_alone(ctx, as_of).await?;
        if let Some(tx) = run.alone.take() {
            tx.commit().await?;
        }
        Ok(run)
    }

    /// Begins a run that keeps refreshes and other runs waiting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_alone(ctx: &'a Ctx, as_of: UnixMs) -> Result<Self, FlowError> {
        let mut tx = ctx.db.write().await?;
        let fence = score_runs::begin(&mut tx, as_of).await?;
        Ok(Self { ctx, as_of, fence, alone: Some(tx) })
    }

    /// Computes all scores, the shop's own ones too.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn compute(self) -> Result<Computed<'a>, FlowError> {
        let (ctx, as_of) = (self.ctx, self.as_of);
        let mut scored = preview(ctx, as_of).await?;
        // The same ones all along, whatever a reload puts in force; none where nothing is known of them.
        let own = ctx.own.get().unwrap_or_else(|| Arc::new(ScoreSet::none()));
        let unstored = Unstored::of(ctx, std::mem::take(&mut scored.scores), own.needs(), (as_of, as_of)).await?;
        let mut values = Values::default();
        let tallies = own::everybody(ctx, &own, as_of, &unstored, |people| own::keep(&mut values, &people)).await?;
        scored.scores = unstored.scores;
        Ok(Computed { run: self, scored, own: values, hash: own.hash().to_owned(), tallies })
    }
}

/// A full run that is not stored yet.
#[derive(Debug)]
pub struct Computed<'a> {
    run: Run<'a>,
    scored: Scored,
    own: Values,
    /// Of the own scores' texts.
    hash: String,
    tallies: Vec<Tally>,
}

impl Computed<'_> {
    /// Stores everything in one transaction. `None`: facts of many have changed meanwhile or another run has ended; then nothing was stored.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn store(self) -> Result<Option<(Scored, Vec<Tally>)>, FlowError> {
        let Self { run: Run { ctx, as_of, fence, alone }, scored, own, hash, tallies } = self;
        let (mut tx, changed) = if let Some(tx) = alone {
            // Nobody could change anything; whoever is on the list was there before.
            (tx, Vec::new())
        } else {
            let mut tx = ctx.db.write().await?;
            let Some(changed) = score_runs::computed(&mut tx, fence).await? else { return Ok(None) };
            if changed.len() > MAX_SINGLE {
                // The list ends with this run, or the next one would find it just as long.
                score_runs::mark_stale(&mut tx).await?;
                tx.commit().await?;
                return Ok(None);
            }
            (tx, changed)
        };
        scores::replace(&mut tx, &scored.scores).await?;
        score_runs::end(&mut tx, as_of, &scored.borders, &hash).await?;
        settle::note(ctx, &mut tx, as_of, &scored.scores).await?;
        own_scores::clear(&mut tx).await?;
        own_scores::add(&mut tx, &own).await?;
        customers(ctx, &mut tx, &changed, ctx.clock.now().max(as_of)).await?;
        tx.commit().await?;
        Ok(Some((scored, tallies)))
    }
}

/// Computes everybody's scores as of a moment, past or future, and stores nothing.
///
/// # Errors
/// When the database fails.
pub async fn preview(ctx: &Ctx, as_of: UnixMs) -> Result<Scored, StoreError> {
    let mut tx = ctx.db.read().await?;
    computed(ctx, &mut tx, as_of).await
}

/// Everybody who has one of the shop's own scores as of a moment whose scores these are, by our id; and what came of each. Stores nothing.
///
/// # Errors
/// When the database fails.
pub async fn preview_own(ctx: &Ctx, as_of: UnixMs, scores: &[Score]) -> Result<(Vec<Facts>, Vec<Tally>), FlowError> {
    let own = ctx.own.get().unwrap_or_else(|| Arc::new(ScoreSet::none()));
    let unstored = Unstored::of(ctx, scores.to_vec(), own.needs(), (as_of, as_of)).await?;
    let mut kept = Vec::new();
    let tallies = own::everybody(ctx, &own, as_of, &unstored, |people| kept.extend(people.into_iter().filter(|facts| !facts.own.is_empty()))).await?;
    Ok((kept, tallies))
}

/// The shop's key of everybody who ever ordered, by our id: for exports.
///
/// # Errors
/// When the database fails.
pub async fn external_ids(ctx: &Ctx) -> Result<Vec<(Id, String)>, StoreError> {
    let mut tx = ctx.db.read().await?;
    scores::external_ids(&mut tx).await
}

async fn computed(ctx: &Ctx, tx: &mut Tx, as_of: UnixMs) -> Result<Scored, StoreError> {
    let (zone, rules) = (ctx.config.shop.zone(), rules(&ctx.config));
    let facts: Vec<OrderFacts> = scores::facts(tx, as_of, zone).await?;
    // Up to a second of sorting: not on a thread that serves others.
    let scored = tokio::task::spawn_blocking(move || compute(&facts, as_of, zone, &rules, Wanted::ALL)).await;
    scored.map_err(|error| StoreError::Unfit(format!("the scores could not be computed: {error}")))
}

/// Computes everybody's scores unless the stored ones will do for `at`: made with the same settings, not stale, not later than `at`, and on the
/// same calendar day of the shop's zone (days pass at midnight, and orders that arrive refresh their customer). Under a simulated clock orders do
/// not arrive, time passes over them: then only scores of that very moment will do.
///
/// # Errors
/// When the database fails.
pub async fn ensure_fresh(ctx: &Ctx, at: UnixMs) -> Result<RescoreReport, FlowError> {
    match fresh_run(ctx, at).await? {
        Some(run) => Ok(RescoreReport { as_of: run.as_of, customers: run.borders.customers, recomputed: false }),
        None => all(ctx, at).await,
    }
}

/// Whether the stored scores will do for `at` (see [`ensure_fresh`]).
///
/// # Errors
/// When the database fails.
pub async fn is_fresh(ctx: &Ctx, at: UnixMs) -> Result<bool, StoreError> {
    Ok(fresh_run(ctx, at).await?.is_some())
}

/// What a full run would store.
#[derive(Debug)]
pub(super) struct Unstored {
    /// By customer id.
    scores: Vec<Score>,
    classes: Option<retrace::Unstored>,
}

impl Unstored {
    async fn of(ctx: &Ctx, scores: Vec<Score>, needs: Needs, span: (UnixMs, UnixMs)) -> Result<Self, FlowError> {
        Ok(Self { scores, classes: retrace::unless_stored(ctx, needs, span).await? })
    }

    /// Gives people their scores and classes in place of the stored ones, as far as these were read.
    pub(super) fn place(&self, people: &mut [Facts]) {
        for facts in people.iter_mut() {
            let place = self.scores.binary_search_by_key(&facts.customer.id, |score| score.customer_id);
            facts.score = place.ok().and_then(|place| self.scores.get(place)).copied().map(Box::new);
        }
        if let Some(classes) = &self.classes {
            classes.place(people);
        }
    }
}

/// What a full run for `at` would store of what `needs` names, when what is stored will not do (see [`ensure_fresh`]); stores nothing.
pub(super) async fn unless_stored(ctx: &Ctx, at: UnixMs, needs: Needs) -> Result<Option<Unstored>, FlowError> {
    match fresh_run(ctx, at).await? {
        Some(_) => Ok(None),
        None => Unstored::of(ctx, preview(ctx, at).await?.scores, needs, (at, at)).await.map(Some),
    }
}

/// The latest full run, if its scores will do for `at`.
async fn fresh_run(ctx: &Ctx, at: UnixMs) -> Result<Option<ScoreRun>, StoreError> {
    let mut tx = ctx.db.read().await?;
    let run = score_runs::latest(&mut tx).await?;
    drop(tx);
    let zone = ctx.config.shop.zone();
    let will_do = |run: &ScoreRun| {
        let same_moment = if ctx.clock.is_simulated() { run.as_of == at } else { run.as_of <= at && zone.date(run.as_of) == zone.date(at) };
        same_moment && !run.stale && run.borders.settings == Borders::settings(zone, &rules(&ctx.config)) && has_own(run, ctx.own.get().as_deref())
    };
    Ok(run.filter(will_do))
}

/// Refreshes the scores of customers whose orders have changed, in the transaction of the change, by the borders of the last full run (see [`place`]
/// for what is approximate). Returns how many were refreshed: none when there are more than [`MAX_SINGLE`] or the last full run does not fit; then
/// the next one is asked for.
///
/// # Errors
/// When the database fails.
pub async fn customers(ctx: &Ctx, tx: &mut Tx, ids: &[Id], at: UnixMs) -> Result<usize, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let (zone, rules) = (ctx.config.shop.zone(), rules(&ctx.config));
    let own = ctx.own.get();
    let fits = |run: &ScoreRun| {
        run.as_of <= at && run.borders.customers > 0 && run.borders.settings == Borders::settings(zone, &rules) && has_own(run, own.as_deref())
    };
    let run = score_runs::lock(tx).await?.filter(fits).filter(|_| ids.len() <= MAX_SINGLE);
    let (Some(run), Some(own)) = (run, own) else {
        leave(tx, ids).await?;
        return Ok(0);
    };
    let facts = scores::facts_of(tx, ids, at, zone).await?;
    let placed: Vec<_> = facts.iter().map(|facts| place(facts, at, zone, &rules, &run.borders)).collect();
    scores::put(tx, &placed).await?;
    let with_orders: HashSet<Id> = facts.iter().map(|facts| facts.customer_id).collect();
    let without: Vec<Id> = ids.iter().copied().filter(|id| !with_orders.contains(id)).collect();
    scores::remove(tx, &without).await?;
    own::refresh(ctx, tx, &own, ids, at).await?;
    score_runs::note(tx, ids, false).await?;
    Ok(placed.len())
}

/// Refreshes the shop's own scores of customers whose record has changed, in the transaction of the change; of many, the next full run does it.
///
/// # Errors
/// When the database fails.
pub async fn records(ctx: &Ctx, tx: &mut Tx, ids: &[Id], at: UnixMs) -> Result<(), StoreError> {
    let own = ctx.own.get();
    if ids.is_empty() || own.as_ref().is_some_and(|own| own.is_empty()) {
        return Ok(());
    }
    let fits = |run: &ScoreRun| run.as_of <= at && has_own(run, own.as_deref());
    let run = score_runs::lock(tx).await?.filter(fits).filter(|_| ids.len() <= MAX_SINGLE);
    match own.as_ref().filter(|_| run.is_some()) {
        Some(own) => {
            own::refresh(ctx, tx, own, ids, at).await?;
            score_runs::note(tx, ids, false).await
        }
        None => leave(tx, ids).await,
    }
}

/// Leaves customers to the next full run; few of them to one that is being computed, too.
async fn leave(tx: &mut Tx, ids: &[Id]) -> Result<(), StoreError> {
    if ids.len() > MAX_SINGLE { score_runs::mark_stale(tx).await } else { score_runs::note(tx, ids, true).await }
}

/// Whether a run has the values of these own scores; of none that are known any will do.
fn has_own(run: &ScoreRun, own: Option<&ScoreSet>) -> bool {
    own.is_none_or(|own| own.hash() == run.own)
}
