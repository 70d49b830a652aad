//! Versions of rules by hash, and since when the present one is in force.

use super::db::{StoreError, Tx};
use crate::base::time::UnixMs;

statements! {
    ADD_VERSION = "INSERT INTO rule_versions (rule, hash, text, first_seen_at) VALUES ($1, $2, $3, $4) ON CONFLICT (rule, hash) DO NOTHING";
    SET_STATE = "INSERT INTO rule_states (rule, hash, changed_at) VALUES ($1, $2, $3)
                 ON CONFLICT (rule) DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at 
                 WHERE rule_states.hash <> excluded.hash OR ($4 = 1 AND rule_states.changed_at > excluded.changed_at)";
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
