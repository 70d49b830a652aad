//! Held runs: one open hold for each rule at most. Every change is one guarded statement, so that of two who answer one is too late.

use std::collections::HashMap;

use super::db::{StoreError, Tx};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::hold::{Barrier, Ending, Guard, Hold};

statements! {
    BEGIN = "INSERT INTO holds (id, rule, tick_at, rule_hash, guard, most, norm, today, customers, written, waiting, held_at, until_at, goes_on)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    OPEN = "SELECT * FROM holds WHERE ended_at IS NULL ORDER BY held_at, rule";
    OPEN_OF = "SELECT * FROM holds WHERE ended_at IS NULL AND rule = $1";
    ENDED = "SELECT * FROM holds WHERE ended_at IS NOT NULL AND ended_how <> 'went_on' ORDER BY ended_at DESC, id DESC LIMIT $1";
    LAST_ENDED = "SELECT h.rule, h.tick_at, MAX(h.ended_at) FROM holds h JOIN ticks t ON t.rule = h.rule AND t.tick_at = h.tick_at
                  WHERE t.finished_at IS NULL AND h.ended_at IS NOT NULL GROUP BY h.rule, h.tick_at";
    LET_PASS = "SELECT guard FROM holds WHERE rule = $1 AND tick_at = $2 AND rule_hash = $3 AND ended_how = 'released'";
    END = "UPDATE holds SET ended_at = $2, ended_how = $3, ended_by = $4 WHERE id = $1 AND ended_at IS NULL";
    END_OF_TIME = "UPDATE holds SET ended_at = $1, ended_how = CASE goes_on WHEN 1 THEN 'went_on' ELSE 'expired' END
                   WHERE ended_at IS NULL AND until_at <= $1 RETURNING *";
    /// A run whose rest was discarded is over.
    END_RUNS = "UPDATE ticks SET finished_at = $1 WHERE finished_at IS NULL AND EXISTS (SELECT 1 FROM holds h WHERE h.rule = ticks.rule
                AND h.tick_at = ticks.tick_at AND h.ended_how IN ('discarded', 'expired'))";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    rule: String,
    tick_at: i64,
    rule_hash: String,
    guard: String,
    most: i64,
    norm: Option<i64>,
    today: i64,
    customers: i64,
    written: i64,
    waiting: i64,
    held_at: i64,
    until_at: Option<i64>,
    goes_on: i64,
    ended_at: Option<i64>,
    ended_how: Option<String>,
    ended_by: Option<String>,
}

fn guard(code: String) -> Result<Guard, StoreError> {
    Guard::parse(&code).ok_or(StoreError::Corrupt { table: "holds", column: "guard", value: code })
}

impl TryFrom<Row> for Hold {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let ending = |how: String| Ending::parse(&how).ok_or(StoreError::Corrupt { table: "holds", column: "ended_how", value: how });
        Ok(Self {
            id: Id(row.id),
            rule: row.rule,
            tick_at: UnixMs(row.tick_at),
            rule_hash: row.rule_hash,
            barrier: Barrier { guard: guard(row.guard)?, most: row.most, norm: row.norm, today: row.today, customers: row.customers },
            written: row.written,
            waiting: row.waiting,
            held_at: UnixMs(row.held_at),
            until: row.until_at.map(UnixMs),
            goes_on: row.goes_on == 1,
            ended_at: row.ended_at.map(UnixMs),
            ended_how: row.ended_how.map(ending).transpose()?,
            ended_by: row.ended_by,
        })
    }
}

fn holds(rows: Vec<Row>) -> Result<Vec<Hold>, StoreError> {
    rows.into_iter().map(Hold::try_from).collect()
}

/// Holds a run.
pub async fn begin(tx: &mut Tx, hold: &Hold) -> Result<(), StoreError> {
    let Barrier { guard, most, norm, today, customers } = hold.barrier;
    on!(tx, BEGIN, |c, q| sqlx::query(q)
        .bind(hold.id.0)
        .bind(&hold.rule)
        .bind(hold.tick_at.0)
        .bind(&hold.rule_hash)
        .bind(guard.code())
        .bind(most)
        .bind(norm)
        .bind(today)
        .bind(customers)
        .bind(hold.written)
        .bind(hold.waiting)
        .bind(hold.held_at.0)
        .bind(hold.until.map(|at| at.0))
        .bind(i64::from(hold.goes_on))
        .execute(c)
        .await
        .map(drop))
}

/// All runs that are held.
pub async fn open(tx: &mut Tx) -> Result<Vec<Hold>, StoreError> {
    holds(on!(tx, OPEN, |c, q| sqlx::query_as(q).fetch_all(c).await)?)
}

/// The rule's run that is held.
pub async fn open_of(tx: &mut Tx, rule: &str) -> Result<Option<Hold>, StoreError> {
    let row: Option<Row> = on!(tx, OPEN_OF, |c, q| sqlx::query_as(q).bind(rule).fetch_optional(c).await)?;
    row.map(Hold::try_from).transpose()
}

/// The latest holds that a person ended or that nobody answered.
pub async fn ended(tx: &mut Tx, limit: i64) -> Result<Vec<Hold>, StoreError> {
    holds(on!(tx, ENDED, |c, q| sqlx::query_as(q).bind(limit).fetch_all(c).await)?)
}

/// When the runs that have not ended were last held, by rule and moment.
pub async fn last_ended(tx: &mut Tx) -> Result<HashMap<(String, UnixMs), UnixMs>, StoreError> {
    let rows: Vec<(String, i64, i64)> = on!(tx, LAST_ENDED, |c, q| sqlx::query_as(q).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(rule, tick_at, ended_at)| ((rule, UnixMs(tick_at)), UnixMs(ended_at))).collect())
}

/// The guards that a person let this run of this version pass.
pub async fn let_pass(tx: &mut Tx, rule: &str, tick_at: UnixMs, rule_hash: &str) -> Result<Vec<Guard>, StoreError> {
    let codes: Vec<String> = on!(tx, LET_PASS, |c, q| sqlx::query_scalar(q).bind(rule).bind(tick_at.0).bind(rule_hash).fetch_all(c).await)?;
    codes.into_iter().map(guard).collect()
}

/// Ends a hold as a person said, and its run too when they discarded the rest; false when somebody was faster.
pub async fn end(tx: &mut Tx, id: Id, how: Ending, who: &str, now: UnixMs) -> Result<bool, StoreError> {
    let rows =
        on!(tx, END, |c, q| sqlx::query(q).bind(id.0).bind(now.0).bind(how.code()).bind(who).execute(c).await.map(|done| done.rows_affected()))?;
    end_runs(tx, now).await?;
    Ok(rows == 1)
}

/// Ends the holds whose time has come: those go on that wait for an hour or a day, and what nobody answered is discarded.
pub async fn end_of_time(tx: &mut Tx, now: UnixMs) -> Result<Vec<Hold>, StoreError> {
    let ended = holds(on!(tx, END_OF_TIME, |c, q| sqlx::query_as(q).bind(now.0).fetch_all(c).await)?)?;
    if !ended.is_empty() {
        end_runs(tx, now).await?;
    }
    Ok(ended)
}

async fn end_runs(tx: &mut Tx, now: UnixMs) -> Result<(), StoreError> {
    on!(tx, END_RUNS, |c, q| sqlx::query(q).bind(now.0).execute(c).await.map(drop))
}
