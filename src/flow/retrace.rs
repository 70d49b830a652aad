//! Makes up the moves between classes from the stored orders, back to where the history is to begin: for the first run of a shop, which stores them, and for looks
//! at moments that the stored history does not reach.

use std::sync::Arc;

use super::{Ctx, FlowError, rescore, settle};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::crossing::{Crossing, PastClasses};
use crate::model::fact::Source;
use crate::model::facts::{Facts, Moment, Needs};
use crate::score::retrace::{Habits, Retrace, Retraced};
use crate::store::crossings::{self, ClassHistory};
use crate::store::{Tx, score_runs, scores};

/// Customers whose stored moves are read at once.
const CHUNK: usize = 10_000;

/// What was made up and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The first night: the history begins with it.
    pub begins_at: UnixMs,
    /// How many nights were walked through.
    pub nights: usize,
    /// How many moves were found.
    pub moves: usize,
}

/// Makes the history reach back, night by night.
#[derive(Debug)]
pub struct Reach {
    walk: Walk,
    /// As it was found.
    stored: Option<ClassHistory>,
    /// That, if the settings are still the same.
    known: Option<ClassHistory>,
}

impl Reach {
    /// To make the history reach back `days` (`[score] backfill_days` when `None`) from `as_of`, as far as there are orders: by what full runs at each midnight would
    /// have noted. `None`: it reaches so far already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin(ctx: &Ctx, as_of: UnixMs, days: Option<i64>) -> Result<Option<Self>, FlowError> {
        let mut tx = ctx.db.read().await?;
        let stored = crossings::history(&mut tx).await?;
        let known = stored.clone().filter(|known| known.settings == settle::settings(&ctx.config));
        let until = known.as_ref().map_or(as_of, |known| known.begins_at);
        let walk = Walk::between(ctx, &mut tx, known.as_ref(), (as_of, until), days).await?;
        Ok(walk.map(|walk| Self { walk, stored, known }))
    }

    /// Walks through the next night; false after the last.
    ///
    /// # Errors
    /// When the work dies.
    pub async fn night(&mut self) -> Result<bool, FlowError> {
        self.walk.night().await
    }

    /// Stores what came of it, in one transaction: what is stored stays as it is, what was made up goes before it. `None`: another run was faster.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn store(self, ctx: &Ctx) -> Result<Option<Reached>, FlowError> {
        let Some(past) = self.walk.ended() else { return Ok(None) };
        let mut tx = ctx.db.write().await?;
        // A full run notes moves: it waits for this, or this for it.
        score_runs::lock(&mut tx).await?;
        if crossings::history(&mut tx).await? != self.stored {
            return Ok(None);
        }
        let history = if let Some(known) = self.known {
            join(&mut tx, &past, known.begins_at).await?;
            ClassHistory { begins_at: past.begins, ..known }
        } else {
            crossings::forget(&mut tx).await?;
            crossings::put(&mut tx, &past.settled).await?;
            ClassHistory { begins_at: past.begins, recorded_at: past.ends, settings: settle::settings(&ctx.config) }
        };
        crossings::add(&mut tx, &past.moves).await?;
        crossings::note(&mut tx, &history).await?;
        tx.commit().await?;
        Ok(Some(Reached { begins_at: past.begins, nights: past.nights, moves: past.moves.len() }))
    }
}

/// Stores the moves from what was made up to the stored history that begins where it ends.
async fn join(tx: &mut Tx, past: &Retraced, begins: UnixMs) -> Result<(), FlowError> {
    let mut ids = crossings::ids(tx).await?;
    ids.extend(past.settled.iter().map(|(id, _)| *id));
    ids.sort_unstable();
    ids.dedup();
    for ids in ids.chunks(CHUNK) {
        let stored = crossings::of_all(tx, ids).await?;
        let joints = |id: &Id| {
            let older = past.of(*id).unwrap_or_default();
            let joints = stored.get(id).cloned().unwrap_or_default().joints(&older.settled, begins);
            joints.into_iter().map(|joint| (*id, joint)).collect::<Vec<(Id, Crossing)>>()
        };
        crossings::add(tx, &ids.iter().flat_map(joints).collect::<Vec<_>>()).await?;
    }
    Ok(())
}

/// A history as a run would find it, where that is not the stored one.
#[derive(Debug)]
pub(super) struct Unstored {
    past: Option<Retraced>,
    /// Where the stored history goes on from there; `None`: it does not.
    goes_on: Option<UnixMs>,
}

/// The history that a run for `from` would find, with what it would note up to `until`; `None` when the stored one will do, or nobody asks for it.
///
/// # Errors
/// When the database fails.
pub(super) async fn unless_stored(ctx: &Ctx, needs: Needs, (from, until): (UnixMs, UnixMs)) -> Result<Option<Unstored>, FlowError> {
    if !needs.from(Source::Classes) {
        return Ok(None);
    }
    let mut tx = ctx.db.read().await?;
    let stored = crossings::history(&mut tx).await?;
    let known = stored.clone().filter(|known| ctx.config.score.history_days > 0 && known.settings == settle::settings(&ctx.config));
    let goes_on = known.as_ref().map(|known| known.begins_at).filter(|begins| *begins <= until);
    let Some(mut walk) = Walk::between(ctx, &mut tx, known.as_ref(), (from, goes_on.unwrap_or(until)), None).await? else {
        // What was made with other settings is forgotten by the next run.
        return Ok((stored.is_some() && known.is_none()).then_some(Unstored { past: None, goes_on: None }));
    };
    drop(tx);
    while walk.night().await? {}
    Ok(Some(Unstored { past: walk.ended(), goes_on }))
}

impl Unstored {
    /// Gives people their classes in place of the stored ones, which were read.
    pub(super) fn place(&self, people: &mut [Facts]) {
        for facts in people.iter_mut().filter(|facts| facts.read.from(Source::Classes)) {
            let older = self.past.as_ref().and_then(|past| past.of(facts.customer.id));
            let history = Arc::make_mut(facts.history.get_or_insert_default());
            let stored = std::mem::take(&mut history.classes);
            history.classes = match (self.goes_on, older) {
                (Some(_), None) if stored.begins.is_none() => stored,
                (Some(begins), older) => {
                    let mut joined = older.unwrap_or_default();
                    joined.crossings.extend(stored.joints(&joined.settled, begins));
                    joined.crossings.extend(stored.crossings);
                    PastClasses { begins: self.past.as_ref().map(|past| past.begins), settled: stored.settled, ..joined }
                }
                (None, older) => older.unwrap_or_default(),
            };
        }
    }
}

/// Nights that are missing, with the orders to walk through them.
#[derive(Debug)]
struct Walk {
    nights: std::vec::IntoIter<UnixMs>,
    /// Gone when a night died.
    retrace: Option<Retrace>,
}

impl Walk {
    /// The nights before `until` that a history lacks which is to reach back `days` from `from`; `None` when it lacks none.
    async fn between(
        ctx: &Ctx,
        tx: &mut Tx,
        known: Option<&ClassHistory>,
        (from, until): (UnixMs, UnixMs),
        days: Option<i64>,
    ) -> Result<Option<Self>, FlowError> {
        let (config, zone) = (&ctx.config.score, ctx.config.shop.zone());
        let moment = Moment { now: from, zone };
        let days = days.unwrap_or(config.backfill_days).min(config.history_days);
        if days == 0 || known.is_some_and(|known| known.begins_at < moment.window(days)) {
            return Ok(None);
        }
        let Some(first) = scores::first_paid(tx).await? else { return Ok(None) };
        // The first night that sees an order. What held before a window is told by the night before it.
        let Some(first_night) = zone.date(first.plus(-1)).succ_opt() else { return Ok(None) };
        let begin = first_night.max(zone.date(moment.window(days + 1)));
        let nights: Vec<UnixMs> = begin.iter_days().map(|day| zone.start_of(day)).take_while(|night| *night < until).collect();
        let Some(last) = nights.last() else { return Ok(None) };
        let orders = scores::paid(tx, *last).await?;
        let habits = Habits { rules: rescore::rules(&ctx.config), churn_bands: config.churn_bands, settle_days: config.settle_days, zone };
        Ok(Some(Self { nights: nights.into_iter(), retrace: Some(Retrace::new(orders, habits)) }))
    }

    /// Walks through the next night; false after the last.
    async fn night(&mut self) -> Result<bool, FlowError> {
        let (Some(night), Some(mut retrace)) = (self.nights.next(), self.retrace.take()) else { return Ok(false) };
        // Hundredths of a second of sorting: not on a thread that serves others.
        let work = tokio::task::spawn_blocking(move || {
            retrace.night(night);
            retrace
        });
        self.retrace = Some(work.await.map_err(|error| FlowError::Worker(error.to_string()))?);
        Ok(self.nights.len() > 0)
    }

    fn ended(self) -> Option<Retraced> {
        self.retrace?.ended()
    }
}
