//! The stage "ingest": news of customers, orders and events enter the database, a batch a transaction.

use std::sync::Arc;

use super::{Ctx, object, record, rescore};
use crate::config::Config;
use crate::model::attribute::{AttributeKind, Declared};
use crate::model::customer::NewCustomer;
use crate::model::event::NewEvent;
use crate::model::import::{ComplaintCounts, ImportCounts, Ingested};
use crate::model::order::NewOrder;
use crate::store::{StoreError, customers as stored_customers, events as stored_events, orders as stored_orders, score_runs};

/// Records that callers should put into a batch: enough to make a transaction worth it, few enough to keep memory and locks small.
pub const BATCH: usize = 2_000;

/// Up to so many orders at once count as "arriving": their customers' scores are refreshed one by one.
const FEW: usize = 100;

/// How often a batch is tried that lost against another writer of the same records.
const TRIES: u32 = 5;

/// The attributes that the configuration declares, in the order of their names.
#[must_use]
pub fn attributes(config: &Config) -> Arc<[Declared]> {
    // The words were checked when the configuration was loaded.
    let declared = |(name, kind): (&String, &String)| Some(Declared { name: name.clone(), kind: AttributeKind::parse(kind)? });
    config.attributes.0.iter().filter_map(declared).collect()
}

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
            Ok((counts, mut ids)) => {
                if counts.inserted + counts.updated > 0 {
                    ids.sort();
                    ids.dedup();
                    rescore::records(ctx, &mut tx, &ids, ctx.clock.now()).await?;
                }
                tx.commit().await?;
                return Ok(counts);
            }
            Err(error) if tries == 0 || !is_lost_race(&error) => return Err(error),
            Err(_) => drop(tx),
        }
    }
}

/// Stores a batch of orders, all or none; then refreshes the scores of few customers at once (of many, the next run of a rule does it for all),
/// and logs the conversions that the orders mean.
///
/// # Errors
/// When the database fails; then nothing of the batch is stored.
pub async fn orders(ctx: &Ctx, batch: Vec<NewOrder>) -> Result<Ingested, StoreError> {
    let many = batch.len() > FEW;
    let mut tries = TRIES;
    let ingested = loop {
        tries -= 1;
        let mut tx = ctx.db.write().await?;
        match stored_orders::upsert(&mut tx, &batch, ctx.clock.now()).await {
            Ok(ingested) => {
                let touched = &ingested.touched_customers;
                if many && !touched.is_empty() {
                    score_runs::mark_stale(&mut tx).await?;
                } else {
                    rescore::customers(ctx, &mut tx, touched, ctx.clock.now()).await?;
                }
                tx.commit().await?;
                break ingested;
            }
            Err(error) if tries == 0 || !is_lost_race(&error) => return Err(error),
            Err(_) => drop(tx),
        }
    };
    record::conversions_of(ctx, &ingested.touched_customers).await?;
    Ok(ingested)
}

/// Stores a batch of events, all or none, with what follows from the complaints among them.
///
/// # Errors
/// When the database fails; then nothing of the batch is stored.
pub async fn events(ctx: &Ctx, batch: Vec<NewEvent>) -> Result<(ImportCounts, ComplaintCounts), StoreError> {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        match events_once(ctx, &batch).await {
            Err(error) if tries > 0 && is_lost_race(&error) => {}
            result => return result,
        }
    }
}

async fn events_once(ctx: &Ctx, batch: &[NewEvent]) -> Result<(ImportCounts, ComplaintCounts), StoreError> {
    let mut tx = ctx.db.write().await?;
    let stored = stored_events::upsert(&mut tx, batch, ctx.clock.now()).await?;
    let complaints = object::complaints(ctx, &mut tx, &stored).await?;
    tx.commit().await?;
    Ok((stored.counts, complaints))
}

/// Two imports, or an import and a hook, stored the same record in the same moment; the second try finds it stored.
fn is_lost_race(error: &StoreError) -> bool {
    matches!(error, StoreError::Conflict(_) | StoreError::Unavailable(_))
}
