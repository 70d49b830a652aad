//! Runs of rules: a tick is a row, unique by rule and moment, with a cursor so that a crash goes on where it was.

use std::ops::{Range, RangeInclusive};

use super::db::{StoreError, Tx};
use super::decisions::Written;
use crate::base::id::Id;
use crate::base::time::UnixMs;

statements! {
    BEGIN = "INSERT INTO ticks (rule, tick_at, rule_hash, started_at, finished_at, cursor_customer_id) VALUES ($1, $2, $3, $4, NULL, 0)
             ON CONFLICT (rule, tick_at) DO NOTHING";
    READ = "SELECT rule_hash, cursor_customer_id, finished_at, messages FROM ticks WHERE rule = $1 AND tick_at = $2";
    ADVANCE = "UPDATE ticks SET cursor_customer_id = $3, messages = messages + $4, reached = reached + $5 WHERE rule = $1 AND tick_at = $2 AND cursor_customer_id <= $3";
    FINISH = "UPDATE ticks SET finished_at = $3 WHERE rule = $1 AND tick_at = $2 AND finished_at IS NULL";
    UNFINISHED = "SELECT rule, tick_at FROM ticks WHERE finished_at IS NULL AND tick_at <= $1 ORDER BY tick_at, rule";
    /// A person who let a run pass in spite of its size has said so for that run alone.
    WRITTEN = "SELECT t.tick_at, t.messages, CAST(CASE WHEN EXISTS (SELECT 1 FROM holds h WHERE h.rule = t.rule AND h.tick_at = t.tick_at
               AND h.ended_how = 'released' AND h.guard IN ('norm', 'percent')) THEN 1 ELSE 0 END AS BIGINT)
               FROM ticks t WHERE t.rule = $1 AND t.tick_at >= $2 AND t.tick_at < $3 AND t.messages > 0";
    REACHED = "SELECT tick_at FROM ticks WHERE rule = $1 AND tick_at >= $2 AND tick_at <= $3 AND reached > 0 ORDER BY tick_at";
    LATEST = "SELECT MAX(tick_at) FROM ticks WHERE rule = $1 AND tick_at <= $2";
}

/// How far a tick is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Hash of the rule that it began with.
    pub rule_hash: String,
    /// Customers up to here are decided.
    pub cursor: Id,
    /// Whether it has ended.
    pub finished: bool,
    /// Messages that it has written so far.
    pub messages: i64,
}

/// Begins a tick, or finds the one that began before.
pub async fn begin(tx: &mut Tx, rule: &str, tick_at: UnixMs, rule_hash: &str, now: UnixMs) -> Result<Tick, StoreError> {
    on!(tx, BEGIN, |c, q| sqlx::query(q).bind(rule).bind(tick_at.0).bind(rule_hash).bind(now.0).execute(c).await.map(drop))?;
    let (rule_hash, cursor, finished_at, messages): (String, i64, Option<i64>, i64) =
        on!(tx, READ, |c, q| sqlx::query_as(q).bind(rule).bind(tick_at.0).fetch_one(c).await)?;
    Ok(Tick { rule_hash, cursor: Id(cursor), finished: finished_at.is_some(), messages })
}

/// Notes that customers up to `cursor` are decided, and what was written to them.
pub async fn advance(tx: &mut Tx, rule: &str, tick_at: UnixMs, cursor: Id, written: Written) -> Result<(), StoreError> {
    let Written { messages, reached, .. } = written;
    on!(tx, ADVANCE, |c, q| sqlx::query(q).bind(rule).bind(tick_at.0).bind(cursor.0).bind(messages).bind(reached).execute(c).await.map(drop))
}

/// The runs of a rule for a moment in this range that wrote anything: the moment, messages, and whether a person let it pass in spite of its size.
pub async fn written(tx: &mut Tx, rule: &str, range: Range<UnixMs>) -> Result<Vec<(UnixMs, i64, bool)>, StoreError> {
    let rows: Vec<(i64, i64, i64)> = on!(tx, WRITTEN, |c, q| sqlx::query_as(q).bind(rule).bind(range.start.0).bind(range.end.0).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(at, messages, let_pass)| (UnixMs(at), messages, let_pass == 1)).collect())
}

/// The moments in this range whose runs wrote to somebody or held somebody out, rising.
pub async fn reached(tx: &mut Tx, rule: &str, range: RangeInclusive<UnixMs>) -> Result<Vec<UnixMs>, StoreError> {
    let rows: Vec<i64> = on!(tx, REACHED, |c, q| sqlx::query_scalar(q).bind(rule).bind(range.start().0).bind(range.end().0).fetch_all(c).await)?;
    Ok(rows.into_iter().map(UnixMs).collect())
}

/// Ends a tick.
pub async fn finish(tx: &mut Tx, rule: &str, tick_at: UnixMs, now: UnixMs) -> Result<(), StoreError> {
    on!(tx, FINISH, |c, q| sqlx::query(q).bind(rule).bind(tick_at.0).bind(now.0).execute(c).await.map(drop))
}

/// Ticks up to `until` that began and did not end: a crash left them.
pub async fn unfinished(tx: &mut Tx, until: UnixMs) -> Result<Vec<(String, UnixMs)>, StoreError> {
    let rows: Vec<(String, i64)> = on!(tx, UNFINISHED, |c, q| sqlx::query_as(q).bind(until.0).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(rule, at)| (rule, UnixMs(at))).collect())
}

/// The newest tick of a rule up to `now`: one that a wrong clock or a look ahead left in the future must not stop the schedule until then.
pub async fn latest(tx: &mut Tx, rule: &str, now: UnixMs) -> Result<Option<UnixMs>, StoreError> {
    let at: Option<i64> = on!(tx, LATEST, |c, q| sqlx::query_scalar(q).bind(rule).bind(now.0).fetch_one(c).await)?;
    Ok(at.map(UnixMs))
}
