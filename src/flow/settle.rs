//! Notes which customers have moved from one class to another, with each full run of the scores and in its transaction.

use super::Ctx;
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::config::Config;
use crate::model::crossing::{Classes, Crossing, Settled, classes};
use crate::model::facts::Moment;
use crate::model::score::Score;
use crate::score::settle::settle;
use crate::store::crossings::{self, ClassHistory};
use crate::store::{StoreError, Tx};

/// The settings that classes are made with, as the history keeps them.
pub(super) fn settings(config: &Config) -> String {
    let (zone, score) = (config.shop.zone(), &config.score);
    format!(
        "{} {} {} {} {} {:?} {:?}",
        zone.0.name(),
        score.buckets,
        score.bucket_rule,
        score.abc_by,
        score.abc_rule,
        score.abc_percent,
        score.churn_bands
    )
}

/// Notes the moves that the scores of a run, by customer id, show. A run for a moment that is in the history already, or before its end, changes nothing. Other settings
/// make other classes, so with them the history begins anew.
///
/// # Errors
/// When the database fails.
pub(super) async fn note(ctx: &Ctx, tx: &mut Tx, as_of: UnixMs, scores: &[Score]) -> Result<(), StoreError> {
    let (config, zone) = (&ctx.config.score, ctx.config.shop.zone());
    let settings = settings(&ctx.config);
    let stored = crossings::history(tx).await?;
    let known = stored.as_ref().filter(|history| history.settings == settings && config.history_days > 0);
    if stored.is_some() && known.is_none() {
        crossings::forget(tx).await?;
    }
    if config.history_days == 0 || known.is_some_and(|history| as_of <= history.recorded_at) {
        return Ok(());
    }
    let mut run = Run { as_of, begins: known.is_none(), changed: Vec::new(), moved: Vec::new() };
    let (mut rest, mut after) = (scores, Id(0));
    loop {
        let (page, more) = crossings::page(tx, after).await?;
        let end = page.last().filter(|_| more).map_or(Id(i64::MAX), |(id, _)| *id);
        let (here, later) = rest.split_at(rest.partition_point(|score| score.customer_id <= end));
        run.compare(ctx, &page, here);
        crossings::put(tx, &std::mem::take(&mut run.changed)).await?;
        crossings::add(tx, &std::mem::take(&mut run.moved)).await?;
        (rest, after) = (later, end);
        if !more {
            break;
        }
    }
    let oldest = Moment { now: as_of, zone }.window(config.history_days);
    let mut begins_at = known.map_or(as_of, |history| history.begins_at);
    if begins_at < oldest {
        // What was before the oldest move that is kept is told by that move.
        crossings::forget_before(tx, oldest).await?;
        begins_at = oldest.plus(-1);
    }
    crossings::note(tx, &ClassHistory { begins_at, recorded_at: as_of, settings }).await
}

/// A run of the scores.
struct Run {
    as_of: UnixMs,
    /// Whether the history begins with it: what everybody is settled in then is no move.
    begins: bool,
    changed: Vec<(Id, Settled)>,
    moved: Vec<(Id, Crossing)>,
}

impl Run {
    /// Puts what was stored beside what is seen now, both by id.
    fn compare(&mut self, ctx: &Ctx, stored: &[(Id, Settled)], scores: &[Score]) {
        let bands = ctx.config.score.churn_bands;
        let (mut stored, mut scores) = (stored.iter().peekable(), scores.iter().peekable());
        loop {
            let next = [stored.peek().map(|(id, _)| *id), scores.peek().map(|score| score.customer_id)].into_iter().flatten().min();
            let Some(id) = next else { return };
            let before = stored.next_if(|(known, _)| *known == id).map(|(_, settled)| settled);
            // Without orders there is no class.
            let seen = scores.next_if(|score| score.customer_id == id).map_or(Classes::default(), |score| classes(score, bands));
            let (after, moved) = settle(before, seen, self.as_of, ctx.config.shop.zone(), ctx.config.score.settle_days);
            if before != Some(&after) {
                self.changed.push((id, after));
            }
            if !self.begins {
                self.moved.extend(moved.into_iter().map(|crossing| (id, crossing)));
            }
        }
    }
}
