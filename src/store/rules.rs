//! Versions of rules by hash, and since when the present one is in force.

use super::db::{StoreError, Tx};
use crate::base::time::UnixMs;

statements! {
    ADD_VERSION = "INSERT INTO rule_versions (rule, hash, text, first_seen_at) VALUES ($1, $2, $3, $4) ON CONFLICT (rule, hash) DO NOTHING";
    SET_STATE = "INSERT INTO rule_states (rule, hash, changed_at) VALUES ($1, $2, $3)
                 ON CONFLICT (rule) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at 
                 WHERE rule_states.hash <> excluded.hash OR ($4 = 1 AND rule_states.changed_at > excluded.changed_at)";
    IN_FORCE = "SELECT v.hash, v.text FROM rule_states s JOIN rule_versions v ON v.rule = s.rule AND v.hash = s.hash WHERE s.rule = $1";
    VERSIONS = "SELECT hash, text FROM rule_versions WHERE rule = $1 AND substr(hash, 1, length($2)) = $2 ORDER BY hash LIMIT 2";
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
}

/// The version that the daemon runs, as it last noted it; `None` when it never saw the rule.
pub async fn in_force(tx: &mut Tx, rule: &str) -> Result<Option<Version>, StoreError> {
    on!(tx, IN_FORCE, |c, q| sqlx::query_as(q).bind(rule).fetch_optional(c).await)
}

/// The versions whose hash begins like this: two when it is not enough to tell.
pub async fn versions(tx: &mut Tx, rule: &str, hash: &str) -> Result<Vec<Version>, StoreError> {
    on!(tx, VERSIONS, |c, q| sqlx::query_as(q).bind(rule).bind(hash).fetch_all(c).await)
}
