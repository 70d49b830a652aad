//! Held out from all rules: since when which share is, and what everybody bought since they entered the comparison.

use futures_util::TryStreamExt as _;

use super::db::{StoreError, Tx};
use crate::base::id;
use crate::base::time::UnixMs;
use crate::model::holdout::{Change, Entrant};

statements! {
    LATEST = "SELECT since_at, seed, percent FROM holdouts ORDER BY id DESC LIMIT 1";
    ALL = "SELECT since_at, seed, percent FROM holdouts ORDER BY id";
    ADD = "INSERT INTO holdouts (id, since_at, seed, percent) VALUES ($1, $2, $3, $4)";
    /// Everybody enters with their first decision since $1, held out or not; orders count after that, up to $2. A voucher is deducted from whom it was handed to, whoever redeemed it;
    /// the order counts for whoever placed it. $3: the margin's share of the price where an order's cost is not known.
    ENTRANTS = "WITH entered AS (SELECT customer_id, MIN(effective_at) AS since FROM decisions
                         WHERE holdout IS NOT NULL AND decided_at >= $1 AND decided_at <= $2 GROUP BY customer_id),
                   redeemed AS (SELECT r.order_id AS order_id, r.customer_id AS customer_id, r.worth AS worth FROM redemptions r JOIN decisions d ON d.id = r.decision_id
                         WHERE d.holdout = 0 AND d.decided_at >= $1 AND d.decided_at <= $2 AND r.ordered_at <= $2),
                   bought AS (SELECT e.customer_id AS customer_id, CAST(SUM(o.revenue_cents) AS BIGINT) AS revenue,
                         SUM((o.revenue_cents + COALESCE(r.worth, 0.0)) * CASE WHEN o.cost_cents IS NULL THEN CAST($3 AS DOUBLE PRECISION) ELSE 1.0 END
                             - COALESCE(o.cost_cents, 0)) AS margin,
                         SUM(CASE WHEN o.cost_cents IS NULL THEN 1 ELSE 0 END) AS without_cost
                         FROM entered e CROSS JOIN orders o LEFT JOIN redeemed r ON r.order_id = o.id
                         WHERE o.customer_id = e.customer_id AND o.ordered_at > e.since AND o.ordered_at <= $2 AND o.status = 'paid' GROUP BY e.customer_id),
                   spent AS (SELECT customer_id, SUM(worth) AS worth, COUNT(*) AS used FROM redeemed GROUP BY customer_id),
                   mailed AS (SELECT d.customer_id AS customer_id, COUNT(*) AS messages FROM messages m JOIN decisions d ON d.id = m.decision_id
                         JOIN deliveries s ON s.message_id = m.id WHERE d.holdout = 0 AND d.decided_at >= $1 AND d.decided_at <= $2 AND s.state IN ('sent', 'in_doubt') GROUP BY d.customer_id)
                   SELECT c.external_id, e.since, b.revenue, b.margin, CAST(b.without_cost AS BIGINT), s.worth, s.used, m.messages
                   FROM entered e JOIN customers c ON c.id = e.customer_id LEFT JOIN bought b ON b.customer_id = e.customer_id
                   LEFT JOIN spent s ON s.customer_id = e.customer_id LEFT JOIN mailed m ON m.customer_id = e.customer_id";
}

/// Notes which share is held out from now on, by which seed, if that is new.
pub async fn note(tx: &mut Tx, seed: &str, percent: u32, now: UnixMs) -> Result<(), StoreError> {
    let latest: Option<(i64, String, i64)> = on!(tx, LATEST, |c, q| sqlx::query_as(q).fetch_optional(c).await)?;
    let same = latest.map_or(percent == 0, |(_, known, of_100)| of_100 == i64::from(percent) && (percent == 0 || known == seed));
    if !same {
        let id = id::next();
        on!(tx, ADD, |c, q| sqlx::query(q).bind(id.0).bind(now.0).bind(seed).bind(i64::from(percent)).execute(c).await.map(drop))?;
    }
    Ok(())
}

/// All changes of the share, oldest first.
pub async fn changes(tx: &mut Tx) -> Result<Vec<Change>, StoreError> {
    let rows: Vec<(i64, String, i64)> = on!(tx, ALL, |c, q| sqlx::query_as(q).fetch_all(c).await)?;
    let change = |(at, seed, percent)| Change { at: UnixMs(at), seed, percent: u32::try_from(percent).unwrap_or_default() };
    Ok(rows.into_iter().map(change).collect())
}

/// Gives everybody who entered the comparison from `since` to `until`, with what they bought up to then, to `take`. Nothing is kept in memory. `margin` is the
/// margin's share of the price of orders whose cost is not known, 0 to 1.
pub async fn entrants(tx: &mut Tx, (since, until): (UnixMs, UnixMs), margin: f64, mut take: impl FnMut(Entrant)) -> Result<(), StoreError> {
    let mut row = |(external_id, entered, revenue, margin, without_cost, voucher, vouchers, messages): Row| {
        take(Entrant {
            external_id,
            entered: UnixMs(entered),
            bought: revenue.is_some(),
            revenue_cents: revenue.unwrap_or_default(),
            margin_cents: margin.unwrap_or_default(),
            without_cost: without_cost.unwrap_or_default(),
            voucher_cents: voucher.unwrap_or_default(),
            vouchers: vouchers.unwrap_or_default(),
            messages: messages.unwrap_or_default(),
        });
    };
    on!(tx, ENTRANTS, |c, q| {
        let mut rows = sqlx::query_as(q).bind(since.0).bind(until.0).bind(margin).fetch(c);
        loop {
            match rows.try_next().await {
                Ok(Some(found)) => row(found),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        }
    })
}

/// Key, entered, and the rest of an [`Entrant`] in its order; NULL where there is nothing.
type Row = (String, i64, Option<i64>, Option<f64>, Option<i64>, Option<f64>, Option<i64>, Option<i64>);
