//! The stage "ingest": news of customers and orders enter the database, a batch a transaction.

use super::Ctx;
use crate::model::customer::NewCustomer;
use crate::model::import::{ImportCounts, Ingested};
use crate::model::order::NewOrder;
use crate::store::{StoreError, customers as stored_customers, orders as stored_orders};

/// Records that callers should put into a batch: enough to make a transaction worth it, few enough to keep memory and locks small.
pub const BATCH: usize = 2_000;

/// How often a batch is tried that lost against another writer of the same records.
const TRIES: u32 = 5;

/// Stores a batch of customers, all or none.
///
/// # Errors
/// When the database fails; then nothing of the batch is stored.
pub async fn customers(ctx: &Ctx, batch: Vec<NewCustomer>) -> Result<ImportCounts, StoreError> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let mut tx = ctx.db.write().await?;
        match stored_customers::upsert(&mut tx, &batch, ctx.clock.now()).await {
            Ok((counts, _)) => {
                tx.commit().await?;
                return Ok(counts);
            }
            Err(error) if tries == 0 || !is_lost_race(&error) => return Err(error),
            Err(_) => drop(tx),
        }
    }
}

/// Stores a batch of orders, all or none, and says whose figures are out of date now.
///
/// # Errors
/// When the database fails; then nothing of the batch is stored.
pub async fn orders(ctx: &Ctx, batch: Vec<NewOrder>) -> Result<Ingested, StoreError> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let mut tx = ctx.db.write().await?;
        match stored_orders::upsert(&mut tx, &batch, ctx.clock.now()).await {
            Ok(ingested) => {
                tx.commit().await?;
                return Ok(ingested);
            }
            Err(error) if tries == 0 || !is_lost_race(&error) => return Err(error),
            Err(_) => drop(tx),
        }
    }
}

/// Two imports, or an import and a hook, stored the same record in the same moment; the second try finds it stored.
fn is_lost_race(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict(_) | StoreError::Unavailable(_))
}
