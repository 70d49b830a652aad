//! What the gates need to know about customers: suppressions, consents, occasions taken, recent emails.

use super::db::{StoreError, Tx, id_list};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::consent::ConsentKind;

statements! {
    SUPPRESSED = ["SELECT c.id FROM customers c JOIN suppressions s ON s.email_key = c.email_key WHERE c.id ", ids "$1"];
    CONSENTS = ["SELECT customer_id, kind, MAX(at) FROM consents WHERE at <= $2 AND customer_id ", ids "$1", " GROUP BY customer_id, kind"];
    TAKEN = ["SELECT customer_id, occasion, effective_at FROM decisions WHERE rule = $2 AND slot = 'arm' AND tick_at < $3 AND customer_id ", ids "$1"];
    /// By the moment that the decision was made for: rules of the same moment run one after the other, and see each other's messages.
    RECENT_EMAILS = ["SELECT m.customer_id, COUNT(*) FROM messages m JOIN decisions d ON d.id = m.decision_id
                      WHERE m.channel = 'email' AND m.basis <> 'contract' AND m.state NOT IN ('failed', 'cancelled')
                      AND d.tick_at > $2 AND d.tick_at <= $3 AND (d.rule <> $4 OR d.tick_at < $5) AND m.customer_id ", ids "$1", " GROUP BY m.customer_id"];
    SUPPRESS = "INSERT INTO suppressions (email_key, reason, at) VALUES ($1, $2, $3) ON CONFLICT (email_key) DO NOTHING";
}

/// Which of the customers have an address that must not be written to.
pub async fn suppressed(tx: &mut Tx, ids: &[Id]) -> Result<Vec<Id>, StoreError> {
    let list = id_list(ids.iter().copied());
    let rows: Vec<i64> = on!(tx, SUPPRESSED, |c, q| sqlx::query_scalar(q).bind(list).fetch_all(c).await)?;
    Ok(rows.into_iter().map(Id).collect())
}

/// The latest statement of each kind up to `now`.
pub async fn consents(tx: &mut Tx, ids: &[Id], now: UnixMs) -> Result<Vec<(Id, ConsentKind, UnixMs)>, StoreError> {
    let list = id_list(ids.iter().copied());
    let rows: Vec<(i64, String, i64)> = on!(tx, CONSENTS, |c, q| sqlx::query_as(q).bind(list).bind(now.0).fetch_all(c).await)?;
    rows.into_iter()
        .map(|(id, kind, at)| match ConsentKind::parse(&kind) {
            Some(kind) => Ok((Id(id), kind, UnixMs(at))),
            None => Err(StoreError::Corrupt { table: "consents", column: "kind", value: kind }),
        })
        .collect()
}

/// A rule, and the moment from which what the log says about it does not count.
#[derive(Clone, Copy, Debug)]
pub struct Until<'a> {
    /// The rule.
    pub rule: &'a str,
    /// Runs for this moment or later do not count.
    pub before: UnixMs,
}

/// The occasions that a rule has taken, sent or held out, each with the moment it took effect.
pub async fn taken(tx: &mut Tx, ids: &[Id], until: Until<'_>) -> Result<Vec<(Id, String, UnixMs)>, StoreError> {
    let list = id_list(ids.iter().copied());
    let rows: Vec<(i64, String, i64)> = on!(tx, TAKEN, |c, q| sqlx::query_as(q).bind(list).bind(until.rule).bind(until.before.0).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(id, occasion, at)| (Id(id), occasion, UnixMs(at))).collect())
}

/// How many emails each customer got (or is about to get) after `since`, from all rules but those of basis `contract`.
pub async fn recent_emails(tx: &mut Tx, ids: &[Id], since: UnixMs, now: UnixMs, until: Until<'_>) -> Result<Vec<(Id, i64)>, StoreError> {
    let list = id_list(ids.iter().copied());
    let rows: Vec<(i64, i64)> = on!(tx, RECENT_EMAILS, |c, q| sqlx::query_as(q)
        .bind(list)
        .bind(since.0)
        .bind(now.0)
        .bind(until.rule)
        .bind(until.before.0)
        .fetch_all(c)
        .await)?;
    Ok(rows.into_iter().map(|(id, count)| (Id(id), count)).collect())
}

/// Puts an address on the suppression list.
pub async fn suppress(tx: &mut Tx, email_key: &str, reason: &str, now: UnixMs) -> Result<(), StoreError> {
    on!(tx, SUPPRESS, |c, q| sqlx::query(q).bind(email_key).bind(reason).bind(now.0).execute(c).await.map(drop))
}
