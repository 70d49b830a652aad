//! The shop's own scores for many: computed page by page for a moment that is not stored (yet), and for few where they are stored.

use std::sync::Arc;

use super::Ctx;
use super::rescore::Unstored;
use super::scan::is_long;
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::fact::Fact;
use crate::model::facts::{Facts, Moment, Needs};
use crate::rules::{ScoreSet, Tally};
use crate::store::own_scores::{self, Values};
use crate::store::{StoreError, Tx, facts};

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

/// Computes everybody's own scores as of a moment whose other scores are in memory, and hands over each page; stores nothing and holds no transaction while the
/// interpreter works.
pub(super) async fn everybody(
    ctx: &Ctx,
    scores: &Arc<ScoreSet>,
    as_of: UnixMs,
    unstored: &Unstored,
    mut keep: impl FnMut(Vec<Facts>),
) -> Result<Vec<Tally>, StoreError> {
    let mut tallies = Vec::new();
    if scores.is_empty() {
        return Ok(tallies);
    }
    let moment = Moment { now: as_of, zone: ctx.config.shop.zone() };
    let needs = scores.needs().and(Needs::of([Fact::Id]));
    let size = if is_long(needs) { NARROW_PAGE } else { PAGE };
    let after = async |last: Id| facts::page(&mut ctx.db.read().await?, last, size, needs, None).await;
    let mut page = after(Id(0)).await?;
    while let Some(last) = page.last().map(|facts| facts.customer.id) {
        unstored.place(&mut page);
        let (filled, ahead) = tokio::join!(fill(scores, page, moment), after(last));
        let (filled, part) = filled?;
        keep(filled);
        add(&mut tallies, part);
        page = ahead?;
    }
    Ok(tallies)
}

/// Computes the own scores of a few customers and stores them in place of those that were there; their other scores are stored.
pub(super) async fn refresh(ctx: &Ctx, tx: &mut Tx, scores: &Arc<ScoreSet>, ids: &[Id], at: UnixMs) -> Result<(), StoreError> {
    if scores.is_empty() {
        return Ok(());
    }
    let people = facts::of(tx, ids, scores.needs()).await?;
    let (people, tallies) = fill(scores, people, Moment { now: at, zone: ctx.config.shop.zone() }).await?;
    own_scores::remove(tx, ids).await?;
    let mut values = Values::default();
    keep(&mut values, &people);
    own_scores::add(tx, &values).await?;
    warn(&tallies);
    Ok(())
}

/// Keeps what is stored of people who were filled.
pub(super) fn keep(values: &mut Values, people: &[Facts]) {
    for facts in people {
        values.keep(facts.customer.id, &facts.own);
    }
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
