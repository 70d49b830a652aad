//! The latest full run of the scores, and whose facts change while the next one is being computed.

use super::db::{StoreError, Tx};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::score::Borders;

/// The latest full run.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoreRun {
    /// The moment that it was made for.
    pub as_of: UnixMs,
    /// To place single customers since then.
    pub borders: Borders,
    /// Facts have changed in a way that only a full run shows.
    pub stale: bool,
    /// The hash of the shop's own scores that were computed with it.
    pub own: String,
}

statements! {
    RUN = "SELECT as_of, borders, stale, own FROM score_runs WHERE name = 'latest'";
    // Changes nothing: takes the row, so that full runs and refreshes follow one another.
    LOCK = "UPDATE score_runs SET stale = stale WHERE name = 'latest' RETURNING as_of, borders, stale, own";
    // A list that is there belongs to another run that is under way, or to one that died: more than enough does no harm.
    BEGIN = "INSERT INTO score_runs (name, as_of, customers, borders, stale, refreshed) VALUES ('latest', $1, 0, $2, 1, '')
             ON CONFLICT (name) DO UPDATE SET refreshed = COALESCE(score_runs.refreshed, '') RETURNING fence";
    // Bounded: more than two thousand are too many for the run that computes, and one that died never takes them.
    NOTE = "UPDATE score_runs SET refreshed = CASE WHEN length(refreshed) <= 40000 THEN refreshed || $1 END, stale = CASE WHEN $2 = 1 THEN 1 ELSE stale END,
                   fence = fence + CASE WHEN length(refreshed) > 40000 THEN 1 ELSE 0 END
            WHERE name = 'latest'";
    COMPUTED = "UPDATE score_runs SET stale = stale WHERE name = 'latest' RETURNING fence, refreshed";
    END = "UPDATE score_runs SET as_of = $1, customers = $2, borders = $3, own = $4, stale = 0, refreshed = NULL, fence = fence + 1 WHERE name = 'latest'";
    // Whatever the row says already: it has to wait for a run that keeps others waiting, and PostgreSQL waits only for rows that match.
    MARK_STALE = "UPDATE score_runs SET stale = 1, refreshed = NULL, fence = fence + 1 WHERE name = 'latest'";
}

type Row = (i64, String, i64, String);

fn score_run((as_of, borders, stale, own): Row) -> Result<ScoreRun, StoreError> {
    let borders = serde_json::from_str(&borders).map_err(|_| StoreError::Corrupt { table: "score_runs", column: "borders", value: borders })?;
    Ok(ScoreRun { as_of: UnixMs(as_of), borders, stale: stale != 0, own })
}

fn text(borders: &Borders) -> Result<String, StoreError> {
    serde_json::to_string(borders).map_err(|error| StoreError::Unfit(format!("the borders of the scores cannot be written: {error}")))
}

/// The latest full run; `None` when none was begun yet.
///
/// # Errors
/// When the database fails or the stored borders cannot be read.
pub async fn latest(tx: &mut Tx) -> Result<Option<ScoreRun>, StoreError> {
    let row: Option<Row> = on!(tx, RUN, |c, q| sqlx::query_as(q).fetch_optional(c).await)?;
    row.map(score_run).transpose()
}

/// The latest full run, held until the transaction ends: no other run or refresh comes in between.
///
/// # Errors
/// As [`latest`].
pub async fn lock(tx: &mut Tx) -> Result<Option<ScoreRun>, StoreError> {
    let row: Option<Row> = on!(tx, LOCK, |c, q| sqlx::query_as(q).fetch_optional(c).await)?;
    row.map(score_run).transpose()
}

/// Begins a full run: from now on it is noted who is refreshed. Returns the fence that [`computed`] asks for. Commit before reading what the run is computed from.
///
/// # Errors
/// When the database fails.
pub async fn begin(tx: &mut Tx, as_of: UnixMs) -> Result<i64, StoreError> {
    let none = text(&Borders::default())?;
    on!(tx, BEGIN, |c, q| sqlx::query_scalar(q).bind(as_of.0).bind(none).fetch_one(c).await)
}

/// Notes that facts of a few customers have changed, for a run that is being computed; in the transaction of the change. `stale`: their scores were not refreshed by
/// them, because the last run does not fit: the next one does it.
///
/// # Errors
/// When the database fails.
pub async fn note(tx: &mut Tx, ids: &[Id], stale: bool) -> Result<(), StoreError> {
    let mut list = String::new();
    for id in ids {
        list.push_str(&id.0.to_string());
        list.push(' ');
    }
    on!(tx, NOTE, |c, q| sqlx::query(q).bind(list).bind(i64::from(stale)).execute(c).await.map(|_| ()))
}

/// Whose facts have changed since the run with this fence was begun, by id; nobody else's do until this transaction ends. `None`: what was computed will not do,
/// because facts of many have changed or another run has ended.
///
/// # Errors
/// When the database fails.
pub async fn computed(tx: &mut Tx, fence: i64) -> Result<Option<Vec<Id>>, StoreError> {
    let (now, list): (i64, Option<String>) = on!(tx, COMPUTED, |c, q| sqlx::query_as(q).fetch_one(c).await)?;
    let Some(list) = list.filter(|_| now == fence) else { return Ok(None) };
    let ids: Result<Vec<Id>, _> = list.split_whitespace().map(|id| id.parse().map(Id)).collect();
    let mut ids = ids.map_err(|_| StoreError::Corrupt { table: "score_runs", column: "refreshed", value: list })?;
    ids.sort_unstable();
    ids.dedup();
    Ok(Some(ids))
}

/// Ends a full run whose scores are stored, and the shop's own ones of that hash.
///
/// # Errors
/// When the database fails.
pub async fn end(tx: &mut Tx, as_of: UnixMs, borders: &Borders, own: &str) -> Result<(), StoreError> {
    let text = text(borders)?;
    on!(tx, END, |c, q| sqlx::query(q).bind(as_of.0).bind(borders.customers).bind(text).bind(own).execute(c).await.map(|_| ()))
}

/// Notes that facts have changed so that only a full run shows them, and one that is being computed does not; in the same transaction as the change.
///
/// # Errors
/// When the database fails.
pub async fn mark_stale(tx: &mut Tx) -> Result<(), StoreError> {
    on!(tx, MARK_STALE, |c, q| sqlx::query(q).execute(c).await.map(|_| ()))
}
