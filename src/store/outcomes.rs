//! What came of decisions. Most of it are conversions: orders inside the goal's window, for treated and control alike.

use super::db::{StoreError, Tx, id_list};
use crate::base::id::Id;
use crate::base::time::UnixMs;

statements! {
    CONVERT_OPEN = "INSERT INTO outcomes (decision_id, kind, ref, at, value_cents)
        SELECT d.id, 'converted', o.id, o.ordered_at, o.revenue_cents
        FROM decisions d JOIN orders o ON o.customer_id = d.customer_id
             AND o.ordered_at > d.effective_at AND o.ordered_at <= d.goal_until AND o.ordered_at <= $2 AND o.status = 'paid'
        WHERE d.goal_until >= $1 AND d.slot = 'arm'
        ON CONFLICT (decision_id, kind, ref) DO NOTHING";
    CONVERT_OF = ["INSERT INTO outcomes (decision_id, kind, ref, at, value_cents)
        SELECT d.id, 'converted', o.id, o.ordered_at, o.revenue_cents
        FROM decisions d JOIN orders o ON o.customer_id = d.customer_id
             AND o.ordered_at > d.effective_at AND o.ordered_at <= d.goal_until AND o.ordered_at <= $2 AND o.status = 'paid'
        WHERE d.goal_until IS NOT NULL AND d.slot = 'arm' AND d.customer_id ", ids "$1", "
        ON CONFLICT (decision_id, kind, ref) DO NOTHING"];
    UNSUBSCRIBED = "INSERT INTO outcomes (decision_id, kind, ref, at, value_cents) VALUES ($1, 'unsubscribed', 0, $2, NULL)
                    ON CONFLICT (decision_id, kind, ref) DO NOTHING";
}

/// Logs conversions of decisions whose goal's window ends at `open_since` or later, by orders up to `now`. Returns how many were new.
pub async fn convert_open(tx: &mut Tx, open_since: UnixMs, now: UnixMs) -> Result<u64, StoreError> {
    on!(tx, CONVERT_OPEN, |c, q| sqlx::query(q).bind(open_since.0).bind(now.0).execute(c).await.map(|done| done.rows_affected()))
}

/// The same for given customers, however long ago: their orders have just arrived.
pub async fn convert_of(tx: &mut Tx, customers: &[Id], now: UnixMs) -> Result<u64, StoreError> {
    let list = id_list(customers.iter().copied());
    on!(tx, CONVERT_OF, |c, q| sqlx::query(q).bind(list).bind(now.0).execute(c).await.map(|done| done.rows_affected()))
}

/// Logs that a customer unsubscribed by the mail of this decision; a second click changes nothing.
pub async fn unsubscribed(tx: &mut Tx, decision: Id, at: UnixMs) -> Result<(), StoreError> {
    on!(tx, UNSUBSCRIBED, |c, q| sqlx::query(q).bind(decision.0).bind(at.0).execute(c).await.map(drop))
}
