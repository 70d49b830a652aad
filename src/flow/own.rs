//! The shop's own scores for many: computed page by page where the stored scores are made, or for a moment that is not stored.

use std::sync::Arc;

use super::Ctx;
use super::rescore::Unstored;
use super::scan::is_long;
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::fact::Fact;
use crate::model::facts::{Facts, Moment, Needs};
use crate::rules::{ScoreSet, Tally};
use crate::store::{StoreError, Tx, facts, own_scores};

/// Customers per page.
const PAGE: u32 = 5_000;
/// Customers per page where something long is read of each.
const NARROW_PAGE: u32 = 1_000;

/// Gives people, of whom what the scores need was read, their values as of a moment.
pub(super) async fn fill(scores: &Arc<ScoreSet>, mut people: Vec<Facts>, moment: Moment) -> Result<(Vec<Facts>, Vec<Tally>), StoreError> {
    let scores = Arc::clone(scores);
    let work = tokio::task::spawn_blocking(move || {
        let tallies = scores.fill(&mut people, moment);
        (people, tallies)
    });
    work.await.map_err(|error| StoreError::Unfit(format!("the own scores could not be computed: {error}")))
}

/// Where the scores of a moment come from.
#[derive(Clone, Copy)]
pub(super) enum Origin<'a> {
    /// They are stored; the own ones are stored beside them.
    Stored,
    /// From here; nothing is stored, who gets a value is kept.
    Here(&'a Unstored),
}

/// Computes everybody's own scores: stores them, or gives everybody who has one.
pub(super) async fn everybody(ctx: &Ctx, tx: &mut Tx, as_of: UnixMs, from: Origin<'_>) -> Result<(Vec<Facts>, Vec<Tally>), StoreError> {
    let (mut kept, mut tallies) = (Vec::new(), Vec::new());
    if matches!(from, Origin::Stored) {
        own_scores::clear(tx).await?;
    }
    let Some(scores) = ctx.own.get().filter(|scores| !scores.is_empty()) else { return Ok((kept, tallies)) };
    let moment = Moment { now: as_of, zone: ctx.config.shop.zone() };
    let needs = scores.needs().and(Needs::of([Fact::Id]));
    let size = if is_long(needs) { NARROW_PAGE } else { PAGE };
    let mut page = facts::page(tx, Id(0), size, needs, None).await?;
    while let Some(last) = page.last().map(|facts| facts.customer.id) {
        if let Origin::Here(unstored) = from {
            unstored.place(&mut page);
        }
        let (filled, ahead) = tokio::join!(fill(&scores, page, moment), facts::page(tx, last, size, needs, None));
        let (filled, part) = filled?;
        match from {
            Origin::Stored => own_scores::add(tx, filled.iter().map(|facts| (facts.customer.id, &facts.own))).await?,
            Origin::Here(_) => kept.extend(filled.into_iter().filter(|facts| !facts.own.is_empty())),
        }
        add(&mut tallies, part);
        page = ahead?;
    }
    Ok((kept, tallies))
}

/// Computes the own scores of a few customers and stores them in place of those that were there; their other scores are stored.
pub(super) async fn refresh(ctx: &Ctx, tx: &mut Tx, scores: &Arc<ScoreSet>, ids: &[Id], at: UnixMs) -> Result<(), StoreError> {
    if scores.is_empty() {
        return Ok(());
    }
    let people = facts::of(tx, ids, scores.needs()).await?;
    let (people, tallies) = fill(scores, people, Moment { now: at, zone: ctx.config.shop.zone() }).await?;
    own_scores::remove(tx, ids).await?;
    own_scores::add(tx, people.iter().map(|facts| (facts.customer.id, &facts.own))).await?;
    warn(&tallies);
    Ok(())
}

fn add(all: &mut Vec<Tally>, part: Vec<Tally>) {
    if all.is_empty() {
        *all = part;
        return;
    }
    for (all, part) in all.iter_mut().zip(part) {
        all.add(part);
    }
}

/// What failed, once for each score.
pub(super) fn warn(tallies: &[Tally]) {
    for tally in tallies.iter().filter(|tally| tally.failed > 0) {
        let failure = tally.failure.as_deref().unwrap_or_default();
        tracing::warn!(score = tally.score, customers = tally.failed, "the own score fails, so it is unknown for these: {failure}");
    }
}
