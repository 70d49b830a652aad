//! What the gates need to know about customers: suppressions, consents, occasions taken, recent emails.

use std::ops::RangeInclusive;

use super::db::{StoreError, Tx, id_list};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::consent::ConsentKind;

statements! {
    SUPPRESSED = ["SELECT c.id, s.at FROM customers c JOIN suppressions s ON s.email_key = c.email_key WHERE c.id ", ids "$1"];
    /// And who objected by another key with the same address: an address is one person's, whenever we got to know the key.
    CONSENTS = ["SELECT customer_id, kind, at FROM consents WHERE at <= $2 AND customer_id ", ids "$1", "
                 UNION ALL
                 SELECT c.id, o.kind, o.at FROM customers c JOIN customers k ON k.email_key = c.email_key AND k.id <> c.id
                 JOIN consents o ON o.customer_id = k.id AND o.kind = 'objected' AND o.at <= $2 WHERE c.id ", ids "$1"];
    TAKEN = ["SELECT customer_id, occasion, effective_at FROM decisions WHERE rule = $2 AND slot = 'arm' AND tick_at < $3 AND customer_id ", ids "$1"];
    /// Rules of the same moment run one after the other, and see each other's messages.
    EMAILS = ["SELECT customer_id, rule, at FROM email_log WHERE basis <> 'contract' AND state NOT IN ('failed', 'cancelled')
               AND at > $2 AND at <= $3 AND (rule <> $4 OR tick_at < $5) AND customer_id ", ids "$1"];
    SUPPRESS = "INSERT INTO suppressions (email_key, reason, at) VALUES ($1, $2, $3) ON CONFLICT (email_key) DO NOTHING";
}

/// Which of the customers have an address that must not be written to, and since when.
pub async fn suppressed(tx: &mut Tx, ids: &[Id]) -> Result<Vec<(Id, UnixMs)>, StoreError> {
    let list = id_list(ids.iter().copied());
    let rows: Vec<(i64, i64)> = on!(tx, SUPPRESSED, |c, q| sqlx::query_as(q).bind(list).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(id, at)| (Id(id), UnixMs(at))).collect())
}

/// What customers said up to `now`; and the objections of others with the same address, as theirs.
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
pub async fn taken(tx: &mut Tx, ids: &[Id], own: Until<'_>) -> Result<Vec<(Id, String, UnixMs)>, StoreError> {
    let list = id_list(ids.iter().copied());
    let rows: Vec<(i64, String, i64)> = on!(tx, TAKEN, |c, q| sqlx::query_as(q).bind(list).bind(own.rule).bind(own.before.0).fetch_all(c).await)?;
    Ok(rows.into_iter().map(|(id, occasion, at)| (Id(id), occasion, UnixMs(at))).collect())
}

/// The emails that customers got (or are about to get) after the range's start up to its end, each with its rule and the moment it was decided for; from all
/// rules but those of basis `contract`.
pub async fn emails(tx: &mut Tx, ids: &[Id], range: RangeInclusive<UnixMs>, own: Until<'_>) -> Result<Vec<(Id, String, UnixMs)>, StoreError> {
    let list = id_list(ids.iter().copied());
    let rows: Vec<(i64, String, i64)> = on!(tx, EMAILS, |c, q| sqlx::query_as(q)
        .bind(list)
        .bind(range.start().0)
        .bind(range.end().0)
        .bind(own.rule)
        .bind(own.before.0)
        .fetch_all(c)
        .await)?;
    Ok(rows.into_iter().map(|(id, rule, at)| (Id(id), rule, UnixMs(at))).collect())
}

/// Puts an address on the suppression list.
pub async fn suppress(tx: &mut Tx, email_key: &str, reason: &str, now: UnixMs) -> Result<(), StoreError> {
    on!(tx, SUPPRESS, |c, q| sqlx::query(q).bind(email_key).bind(reason).bind(now.0).execute(c).await.map(drop))
}
