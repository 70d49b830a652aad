//! Pauses of rules: who begins no run and sends nothing, since when and why.

use std::collections::HashMap;

use super::db::{StoreError, Tx};
use crate::base::id;
use crate::base::time::UnixMs;
use crate::model::pause::Pause;

statements! {
    BEGIN = "INSERT INTO rule_pauses (id, rule, paused_at, paused_by, hash, reason) VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (rule) WHERE resumed_at IS NULL DO NOTHING";
    OPEN = "SELECT rule, paused_at, paused_by, hash, reason FROM rule_pauses WHERE resumed_at IS NULL ORDER BY rule";
    ONE = "SELECT rule, paused_at, paused_by, hash, reason FROM rule_pauses WHERE rule = $1 AND resumed_at IS NULL";
    END = "UPDATE rule_pauses SET resumed_at = $2, resumed_by = $3 WHERE rule = $1 AND resumed_at IS NULL";
    LIFT = "UPDATE rule_pauses SET resumed_at = $3, resumed_by = 'a new version' WHERE rule = $1 AND resumed_at IS NULL AND hash <> $2";
    LAST_ENDED = "SELECT rule, MAX(resumed_at) FROM rule_pauses WHERE resumed_at IS NOT NULL GROUP BY rule";
}

type Row = (String, i64, String, Option<String>, String);

fn pause((rule, since, by, failed, reason): Row) -> Pause {
    Pause { rule, since: UnixMs(since), by, failed, reason }
}

/// Begins a pause; false when the rule is paused already.
pub async fn begin(tx: &mut Tx, pause: &Pause) -> Result<bool, StoreError> {
    let rows = on!(tx, BEGIN, |c, q| sqlx::query(q)
        .bind(id::next().0)
        .bind(&pause.rule)
        .bind(pause.since.0)
        .bind(&pause.by)
        .bind(pause.failed.as_deref())
        .bind(&pause.reason)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// All that are not over, by rule.
pub async fn open(tx: &mut Tx) -> Result<Vec<Pause>, StoreError> {
    let rows: Vec<Row> = on!(tx, OPEN, |c, q| sqlx::query_as(q).fetch_all(c).await)?;
    Ok(rows.into_iter().map(pause).collect())
}

/// The pause that a rule is in.
pub async fn one(tx: &mut Tx, rule: &str) -> Result<Option<Pause>, StoreError> {
    let row: Option<Row> = on!(tx, ONE, |c, q| sqlx::query_as(q).bind(rule).fetch_optional(c).await)?;
    Ok(row.map(pause))
}

/// Ends a rule's pause, whoever began it; false when there is none.
pub async fn end(tx: &mut Tx, rule: &str, by: &str, now: UnixMs) -> Result<bool, StoreError> {
    let rows = on!(tx, END, |c, q| sqlx::query(q).bind(rule).bind(now.0).bind(by).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Ends a rule's own pause when it came from another version than `hash`; a person's pause stays. True when there was one to end.
pub async fn lift(tx: &mut Tx, rule: &str, hash: &str, now: UnixMs) -> Result<bool, StoreError> {
    let rows = on!(tx, LIFT, |c, q| sqlx::query(q).bind(rule).bind(hash).bind(now.0).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// When each rule's last pause ended: runs before that are never made up for.
pub async fn last_ended(tx: &mut Tx) -> Result<HashMap<String, UnixMs>, StoreError> {
    let rows: Vec<(String, i64)> = on!(tx, LAST_ENDED, |c, q| sqlx::query_as(q).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(rule, at)| (rule, UnixMs(at))).collect())
}
