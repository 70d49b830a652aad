//! The outbox as people look at it.

use serde::Serialize;

use super::db::{StoreError, Tx};
use crate::base::id::Id;
use crate::base::time::UnixMs;

statements! {
    LIST = "SELECT m.id, d.state, m.channel, m.rule, m.variant, m.occasion, c.external_id, d.attempts, m.created_at, d.due_at, d.fault, d.reply,
                   CASE WHEN d.state = 'queued' THEN p.rule END
            FROM deliveries d JOIN messages m ON m.id = d.message_id JOIN customers c ON c.id = m.customer_id
            LEFT JOIN rule_pauses p ON p.rule = m.rule AND p.resumed_at IS NULL
            WHERE d.state = $1 OR $1 = ''
            ORDER BY CASE d.state WHEN 'in_doubt' THEN 0 WHEN 'failed' THEN 1 WHEN 'data' THEN 2 WHEN 'claimed' THEN 3 WHEN 'queued' THEN 4 ELSE 5 END, m.id DESC
            LIMIT $2";
    ONE = "SELECT m.id, d.state, m.channel, m.rule, m.variant, m.occasion, c.external_id, d.attempts, m.created_at, d.due_at, d.fault, d.reply,
                  CASE WHEN d.state = 'queued' THEN p.rule END
           FROM messages m JOIN deliveries d ON d.message_id = m.id JOIN customers c ON c.id = m.customer_id
           LEFT JOIN rule_pauses p ON p.rule = m.rule AND p.resumed_at IS NULL
           WHERE m.id = $1";
    ATTEMPTS = "SELECT number, started_at, ended_at, result, fault, detail FROM attempt_log WHERE message_id = $1 ORDER BY number";
}

/// A message in a list. The customer is named by the shop's key, never by address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Our key.
    pub id: Id,
    /// Where it stands.
    pub state: String,
    /// `email` or `webhook`.
    pub channel: String,
    /// The rule.
    pub rule: String,
    /// The arm.
    pub variant: String,
    /// The occasion's key.
    pub occasion: String,
    /// The shop's key of the customer.
    pub customer: String,
    /// Tries so far.
    pub attempts: i64,
    /// When it was decided.
    pub created_at: UnixMs,
    /// When it is, or was, due.
    pub due_at: UnixMs,
    /// Word of the last fault.
    pub fault: Option<String>,
    /// The receiver's last words.
    pub reply: Option<String>,
    /// Whether it waits because its rule is paused.
    pub paused: bool,
}

/// One try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    /// The claim's number.
    pub number: i64,
    /// When it began.
    pub started_at: UnixMs,
    /// When it ended.
    pub ended_at: UnixMs,
    /// `accepted`, `retry`, `refused`, `in_doubt`, `cancelled`.
    pub result: String,
    /// Word of the fault.
    pub fault: Option<String>,
    /// The receiver's words or ours.
    pub detail: String,
}

#[derive(sqlx::FromRow)]
struct Row(i64, String, String, String, String, String, String, i64, i64, i64, Option<String>, Option<String>, Option<String>);

fn listed(row: Row) -> Listed {
    let Row(id, state, channel, rule, variant, occasion, customer, attempts, created_at, due_at, fault, reply, paused) = row;
    let paused = paused.is_some();
    let (id, created_at, due_at) = (Id(id), UnixMs(created_at), UnixMs(due_at));
    Listed { id, state, channel, rule, variant, occasion, customer, attempts, created_at, due_at, fault, reply, paused }
}

/// Messages in a state (or all), in-doubt and failed ones first, newest first.
pub async fn list(tx: &mut Tx, state: Option<&str>, limit: i64) -> Result<Vec<Listed>, StoreError> {
    let rows: Vec<Row> = on!(tx, LIST, |c, q| sqlx::query_as(q).bind(state.unwrap_or_default()).bind(limit).fetch_all(c).await)?;
    Ok(rows.into_iter().map(listed).collect())
}

/// One message.
pub async fn one(tx: &mut Tx, id: Id) -> Result<Option<Listed>, StoreError> {
    let row: Option<Row> = on!(tx, ONE, |c, q| sqlx::query_as(q).bind(id.0).fetch_optional(c).await)?;
    Ok(row.map(listed))
}

/// Its tries, oldest first.
pub async fn attempts(tx: &mut Tx, id: Id) -> Result<Vec<Attempt>, StoreError> {
    let rows: Vec<(i64, i64, i64, String, Option<String>, String)> = on!(tx, ATTEMPTS, |c, q| sqlx::query_as(q).bind(id.0).fetch_all(c).await)?;
    let attempt = |(number, started_at, ended_at, result, fault, detail)| Attempt {
        number,
        started_at: UnixMs(started_at),
        ended_at: UnixMs(ended_at),
        result,
        fault,
        detail,
    };
    Ok(rows.into_iter().map(attempt).collect())
}
