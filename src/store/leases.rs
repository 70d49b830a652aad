//! Leases: what only one daemon may do at a time.

use super::db::{StoreError, Tx};
use crate::base::time::UnixMs;

statements! {
    TAKE = "INSERT INTO leases (name, owner, until) VALUES ($1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
            WHERE leases.until <= $4 OR substr(leases.owner, 1, length($5)) = $5";
    RENEW = "UPDATE leases SET until = $3 WHERE name = $1 AND owner = $2 AND until > $4";
    RELEASE = "DELETE FROM leases WHERE name = $1 AND owner = $2";
}

/// Takes the lease until `until`; false when somebody else holds it. `owner` is `NAME/PROCESS`; what an earlier process of the same name holds is ours.
pub async fn take(tx: &mut Tx, name: &str, owner: &str, until: UnixMs, now: UnixMs) -> Result<bool, StoreError> {
    let family = family(owner);
    let rows = on!(tx, TAKE, |c, q| sqlx::query(q)
        .bind(name)
        .bind(owner)
        .bind(until.0)
        .bind(now.0)
        .bind(family)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Prolongs a lease that is still ours, within the transaction whose work it guards; false when it was lost.
pub async fn renew(tx: &mut Tx, name: &str, owner: &str, until: UnixMs, now: UnixMs) -> Result<bool, StoreError> {
    let rows =
        on!(tx, RENEW, |c, q| sqlx::query(q).bind(name).bind(owner).bind(until.0).bind(now.0).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// Gives the lease back.
pub async fn release(tx: &mut Tx, name: &str, owner: &str) -> Result<(), StoreError> {
    on!(tx, RELEASE, |c, q| sqlx::query(q).bind(name).bind(owner).execute(c).await.map(drop))
}

/// `NAME/` of `NAME/PROCESS`.
pub(super) fn family(owner: &str) -> &str {
    owner.split_inclusive('/').next().unwrap_or(owner)
}
