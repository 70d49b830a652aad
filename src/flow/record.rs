//! Stage: what came of decisions: conversions by orders inside the goal's window.

use super::Ctx;
use crate::base::id::Id;
use crate::base::time::DAY_MS;
use crate::store::{StoreError, outcomes, settings};

/// How long after the end of a goal's window a regular look still finds late orders. Orders that come in later are looked at when they arrive.
const LOOK_BACK_MS: i64 = 2 * DAY_MS;
/// Where the moment of the last look is kept.
const LAST_LOOK: &str = "conversions_looked_at";

/// Logs conversions of all decisions whose goal's window has not been over for long, or was open at the last look. Returns how many were new.
pub async fn conversions(ctx: &Ctx) -> Result<u64, StoreError> {
    let now = ctx.clock.now();
    let mut tx = ctx.db.write().await?;
    let since = settings::moment(&mut tx, LAST_LOOK).await?.unwrap_or(now).min(now).plus(-LOOK_BACK_MS);
    let new = outcomes::convert_open(&mut tx, since, now).await?;
    settings::remember(&mut tx, LAST_LOOK, now).await?;
    tx.commit().await?;
    Ok(new)
}

/// Logs conversions by orders that have just arrived, however old they are.
pub async fn conversions_of(ctx: &Ctx, customers: &[Id]) -> Result<u64, StoreError> {
    if customers.is_empty() {
        return Ok(0);
    }
    let mut tx = ctx.db.write().await?;
    let mut new = 0;
    for chunk in customers.chunks(1_000) {
        new += outcomes::convert_of(&mut tx, chunk, ctx.clock.now()).await?;
    }
    tx.commit().await?;
    Ok(new)
}
