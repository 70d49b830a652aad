//! What the shop's key figures are counted from: paid orders, customer by customer.

use futures_util::TryStreamExt as _;

use super::db::{StoreError, Tx};
use crate::base::id::Id;
use crate::base::money::Cents;
use crate::base::time::UnixMs;
use crate::model::kpi::Purchase;

statements! {
    FIRST = "SELECT MIN(ordered_at) FROM orders WHERE status = 'paid' AND ordered_at <= $1";
    // The plus keeps SQLite off the index, as in the facts of scores: what one scan finds is sorted in a file, which is faster than looking up every order.
    PURCHASES = {
        sqlite: "SELECT customer_id, ordered_at, revenue_cents, cost_cents FROM orders WHERE status = 'paid' AND ordered_at <= $1
                 ORDER BY +customer_id, ordered_at",
        postgres: "SELECT customer_id, ordered_at, revenue_cents, cost_cents FROM orders WHERE status = 'paid' AND ordered_at <= $1
                   ORDER BY customer_id, ordered_at"
    };
}

/// When the first paid order up to `until` was placed.
///
/// # Errors
/// When the database fails.
pub async fn first_purchase(tx: &mut Tx, until: UnixMs) -> Result<Option<UnixMs>, StoreError> {
    let first: Option<i64> = on!(tx, FIRST, |c, q| sqlx::query_scalar(q).bind(until.0).fetch_one(c).await)?;
    Ok(first.map(UnixMs))
}

/// Gives every paid order up to `until` to `take`: those of a customer follow one another, oldest first. Nothing is kept in memory.
///
/// # Errors
/// When the database fails.
pub async fn purchases(tx: &mut Tx, until: UnixMs, mut take: impl FnMut(Purchase)) -> Result<(), StoreError> {
    let mut row = |(customer, at, revenue, cost): (i64, i64, i64, Option<i64>)| {
        take(Purchase { customer_id: Id(customer), at: UnixMs(at), revenue: Cents(revenue), cost: cost.map(Cents) });
    };
    on!(tx, PURCHASES, |c, q| {
        let mut rows = sqlx::query_as(q).bind(until.0).fetch(c);
        loop {
            match rows.try_next().await {
                Ok(Some(found)) => row(found),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        }
    })
}
