//! Versions of rules by hash, and since when the present one is in force.

use serde::Serialize;

use super::db::{StoreError, Tx};
use crate::base::time::UnixMs;

statements! {
    ADD_VERSION = "INSERT INTO rule_versions (rule, hash, text, first_seen_at) VALUES ($1, $2, $3, $4) ON CONFLICT (rule, hash) DO NOTHING";
    SET_STATE = "INSERT INTO rule_states (rule, hash, changed_at) VALUES ($1, $2, $3)
                 ON CONFLICT (rule) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at 
                 WHERE rule_states.hash <> excluded.hash OR ($4 = 1 AND rule_states.changed_at > excluded.changed_at)";
    IN_FORCE = "SELECT v.hash, v.text, v.first_seen_at FROM rule_states s JOIN rule_versions v ON v.rule = s.rule AND v.hash = s.hash WHERE s.rule = $1";
    VERSIONS = "SELECT hash, text, first_seen_at FROM rule_versions WHERE rule = $1 AND substr(hash, 1, length($2)) = $2 ORDER BY hash LIMIT 2";
    NEWEST = "SELECT hash, text, first_seen_at FROM rule_versions WHERE rule = $1 ORDER BY first_seen_at DESC, hash LIMIT 50";
    STATES = "SELECT rule, changed_at FROM rule_states ORDER BY rule";
    /// Newest first.
    HISTORY = "SELECT v.hash, v.first_seen_at, COUNT(d.id), MAX(d.tick_at) FROM rule_versions v
               LEFT JOIN decisions d ON d.rule = v.rule AND d.rule_hash = v.hash WHERE v.rule = $1
               GROUP BY v.hash, v.first_seen_at ORDER BY v.first_seen_at DESC, v.hash";
    LAST_RUN = "SELECT tick_at, rule_hash, finished_at IS NOT NULL FROM ticks WHERE rule = $1 AND tick_at <= $2 ORDER BY tick_at DESC LIMIT 1";
    /// Refusals that came again count for the last run that they came in.
    FIGURES = "SELECT verdict, COUNT(*) FROM decisions WHERE rule = $1 AND last_at = $2 GROUP BY verdict";
    CHANGED_AT = "SELECT changed_at FROM rule_states WHERE rule = $1";
}

/// Notes that a rule is in force with this text; says since when. Runs before that moment are never made up for. With `real` time, a moment in the
/// future (left by a wrong clock or a look ahead) is mended, or the rule would not run until then.
pub async fn note(tx: &mut Tx, rule: &str, hash: &str, text: &str, now: UnixMs, real: bool) -> Result<UnixMs, StoreError> {
    on!(tx, ADD_VERSION, |c, q| sqlx::query(q).bind(rule).bind(hash).bind(text).bind(now.0).execute(c).await.map(drop))?;
    on!(tx, SET_STATE, |c, q| sqlx::query(q).bind(rule).bind(hash).bind(now.0).bind(i64::from(real)).execute(c).await.map(drop))?;
    let at: i64 = on!(tx, CHANGED_AT, |c, q| sqlx::query_scalar(q).bind(rule).fetch_one(c).await)?;
    Ok(UnixMs(at))
}

/// A version of a rule.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Version {
    /// SHA-256 of the text, 64 hex digits.
    pub hash: String,
    /// The text of the rule's file and of the modules that it imports.
    pub text: String,
    /// When it was in force for the first time, in Unix milliseconds.
    pub first_seen_at: i64,
}

/// The version that the daemon runs, as it last noted it; `None` when it never saw the rule.
pub async fn in_force(tx: &mut Tx, rule: &str) -> Result<Option<Version>, StoreError> {
    on!(tx, IN_FORCE, |c, q| sqlx::query_as(q).bind(rule).fetch_optional(c).await)
}

/// The versions whose hash begins like this: two when it is not enough to tell.
pub async fn versions(tx: &mut Tx, rule: &str, hash: &str) -> Result<Vec<Version>, StoreError> {
    on!(tx, VERSIONS, |c, q| sqlx::query_as(q).bind(rule).bind(hash).fetch_all(c).await)
}

/// The versions that were in force, newest first, 50 at most.
pub async fn newest(tx: &mut Tx, rule: &str) -> Result<Vec<Version>, StoreError> {
    on!(tx, NEWEST, |c, q| sqlx::query_as(q).bind(rule).fetch_all(c).await)
}

/// All rules that were ever in force, each with the moment since which its present version is.
pub async fn states(tx: &mut Tx) -> Result<Vec<(String, UnixMs)>, StoreError> {
    let rows: Vec<(String, i64)> = on!(tx, STATES, |c, q| sqlx::query_as(q).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(rule, at)| (rule, UnixMs(at))).collect())
}

/// A version and what was decided under it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Past {
    /// The version.
    pub hash: String,
    /// When it was in force for the first time.
    pub first_seen_at: UnixMs,
    /// How many decisions name it, refusals too.
    pub decisions: i64,
    /// The last run that decided something under it.
    pub last_run_at: Option<UnixMs>,
}

/// A rule's versions, newest first.
pub async fn history(tx: &mut Tx, rule: &str) -> Result<Vec<Past>, StoreError> {
    let rows: Vec<(String, i64, i64, Option<i64>)> = on!(tx, HISTORY, |c, q| sqlx::query_as(q).bind(rule).fetch_all(c).await)?;
    let past = |(hash, first_seen_at, decisions, last)| Past {
        hash,
        first_seen_at: UnixMs(first_seen_at),
        decisions,
        last_run_at: Option::map(last, UnixMs),
    };
    Ok(rows.into_iter().map(past).collect())
}

/// A run of a rule and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    /// The moment it ran for.
    pub at: UnixMs,
    /// The version it began with.
    pub hash: String,
    /// False: it is under way, or was interrupted.
    pub finished: bool,
    /// Messages.
    pub messages: i64,
    /// People held out.
    pub control: i64,
    /// People refused.
    pub refused: i64,
}

/// A rule's last run up to `now`.
pub async fn last_run(tx: &mut Tx, rule: &str, now: UnixMs) -> Result<Option<Run>, StoreError> {
    let row: Option<(i64, String, bool)> = on!(tx, LAST_RUN, |c, q| sqlx::query_as(q).bind(rule).bind(now.0).fetch_optional(c).await)?;
    let Some((at, hash, finished)) = row else { return Ok(None) };
    let figures: Vec<(String, i64)> = on!(tx, FIGURES, |c, q| sqlx::query_as(q).bind(rule).bind(at).fetch_all(c).await)?;
    let count = |word: &str| figures.iter().find(|(verdict, _)| verdict == word).map_or(0, |(_, count)| *count);
    Ok(Some(Run { at: UnixMs(at), hash, finished, messages: count("send"), control: count("control"), refused: count("refused") }))
}
