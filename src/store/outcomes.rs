//! What came of decisions. Most of it are conversions: orders inside the goal's window, for treated and control alike.

use super::db::{StoreError, Tx, id_list};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::event::{About, Complaint};

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
    COMPLAINED_ABOUT = ["INSERT INTO outcomes (decision_id, kind, ref, at)
        SELECT m.decision_id, 'complained', CAST($1 AS BIGINT), CAST($2 AS BIGINT) FROM messages m JOIN deliveries d ON d.message_id = m.id
        WHERE m.customer_id ", ids "$3", " AND m.channel = 'email' AND d.state IN ('sent', 'in_doubt') AND m.id = $4
        ON CONFLICT (decision_id, kind, ref) DO NOTHING"];
    COMPLAINED = ["INSERT INTO outcomes (decision_id, kind, ref, at)
        SELECT m.decision_id, 'complained', CAST($1 AS BIGINT), CAST($2 AS BIGINT) FROM messages m JOIN deliveries d ON d.message_id = m.id
        WHERE m.customer_id ", ids "$3", " AND m.channel = 'email' AND d.state IN ('sent', 'in_doubt') AND d.done_at > $4 AND d.done_at <= $5
          AND ($6 = '' OR m.rule = $6)
        ORDER BY d.done_at DESC, m.id DESC LIMIT 1
        ON CONFLICT (decision_id, kind, ref) DO NOTHING"];
    WITHDRAWN = ["DELETE FROM outcomes WHERE kind = 'complained' AND ref = $1 AND decision_id IN (SELECT id FROM decisions WHERE customer_id ", ids "$2", ")"];
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

/// Logs a complaint for the email to one of these people that it names, else for the last one (of the rule that it names) that left in `window`: after its start, up to
/// its end. False when there is none: then nobody knows which one it is about.
pub async fn complained(tx: &mut Tx, complaint: &Complaint, people: &[Id], window: (UnixMs, UnixMs)) -> Result<bool, StoreError> {
    let (Complaint { event, about, at, .. }, people) = (complaint, id_list(people.iter().copied()));
    let rows = match About::of(about.as_deref()) {
        About::Foreign => 0,
        About::Message(id) => on!(tx, COMPLAINED_ABOUT, |c, q| sqlx::query(q)
            .bind(event.0)
            .bind(at.0)
            .bind(people)
            .bind(id.0)
            .execute(c)
            .await
            .map(|done| done.rows_affected()))?,
        about @ (About::Unsaid | About::Rule(_)) => {
            let rule = if let About::Rule(rule) = about { rule } else { "" };
            on!(tx, COMPLAINED, |c, q| sqlx::query(q)
                .bind(event.0)
                .bind(at.0)
                .bind(people)
                .bind(window.0.0)
                .bind(window.1.0)
                .bind(rule)
                .execute(c)
                .await
                .map(|done| done.rows_affected()))?
        }
    };
    Ok(rows > 0)
}

/// Takes the complaint that this event of these people was out of the log.
pub async fn withdraw(tx: &mut Tx, event: Id, people: &[Id]) -> Result<(), StoreError> {
    let people = id_list(people.iter().copied());
    on!(tx, WITHDRAWN, |c, q| sqlx::query(q).bind(event.0).bind(people).execute(c).await.map(drop))
}
