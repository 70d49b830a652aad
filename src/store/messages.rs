//! The outbox: claims with lease and fence, the marks around a send, and what a person may do with a message.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::db::{Db, Kept, StoreError, Tx, id_list};
use super::leases::family;
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::action::Channel;
use crate::model::customer::Locale;
use crate::model::message::{Content, LeasedMessage, MessageState};

/// What may be claimed at $1: at most $2 of channel $3.
macro_rules! due {
    () => {
        " FROM deliveries WHERE state = 'queued' AND done_at IS NULL AND due_at <= $1 AND channel = $3
            AND rule NOT IN (SELECT rule FROM rule_pauses WHERE resumed_at IS NULL) ORDER BY due_at, message_id LIMIT $2"
    };
}

/// What a claim by $4 until $5 makes of a message.
macro_rules! claimed {
    () => {
        "UPDATE deliveries SET state = 'claimed', lease_owner = $4, lease_until = $5, fence = fence + 1, attempts = attempts + 1 WHERE "
    };
}

/// Cancels what waits for whom …
macro_rules! cancelled {
    () => {
        "UPDATE deliveries SET state = 'cancelled', done_at = $2, reply = 'the customer objected' WHERE state = 'queued' AND message_id "
    };
}

/// … objected at $3 and has not opted in anew until now ($2).
macro_rules! theirs {
    () => {
        "SELECT m.id FROM messages m
         WHERE m.basis <> 'contract'
           AND NOT EXISTS (SELECT 1 FROM consents d WHERE d.customer_id = m.customer_id AND d.kind = 'double_opt_in' AND d.at > $3 AND d.at <= $2)
           AND m.customer_id "
    };
}

statements! {
    /// The next that are due, on SQLite, which has one writer. One row holds the whole answer, here and in [`CLAIM`]: a row takes longer to come from
    /// SQLite's thread than to be found.
    ///
    /// What paused rules want to send waits: the list, which is nearly always empty, is read once for a claim, from an index that holds nothing else.
    DUE = { sqlite: concat!("SELECT json_group_array(message_id) FROM (SELECT message_id", due!(), ")") };
    /// Takes and loads: on SQLite those of the list $1. PostgreSQL finds them in the same trip, by their place (a row that moved meanwhile waits for the next
    /// claim), and its daemons step over each other's rows. It looks messages and customers (whose address only an email needs) up by key, because the text
    /// leaves it no other way: it would rather read either table whole.
    CLAIM = {
        sqlite: concat!(claimed!(), "message_id IN (SELECT value FROM json_each($1));
                 SELECT json_group_array(json_array(m.id, m.customer_id, m.rule, m.variant, m.basis, m.action, m.body, m.created_at, d.attempts, d.fence,
                                                    c.email, c.first_name, c.last_name, c.locale) ORDER BY d.due_at, m.id)
                 FROM deliveries d JOIN messages m ON m.id = d.message_id JOIN customers c ON c.id = m.customer_id
                 WHERE d.message_id IN (SELECT value FROM json_each($1))"),
        postgres: concat!("WITH d AS (", claimed!(), "ctid = ANY (ARRAY(SELECT ctid", due!(), " FOR UPDATE SKIP LOCKED)) RETURNING message_id, due_at, attempts, fence)
                   SELECT m.id, m.customer_id, m.rule, m.variant, m.basis, m.action, m.body, m.created_at, d.attempts, d.fence,
                          c.email, c.first_name, c.last_name, c.locale
                   FROM d JOIN LATERAL (SELECT * FROM messages WHERE id = d.message_id LIMIT 1) AS m ON TRUE
                   LEFT JOIN LATERAL (SELECT email, first_name, last_name, locale FROM customers
                                      WHERE id = m.customer_id AND $3 = 'email' LIMIT 1) AS c ON TRUE
                   ORDER BY d.due_at, m.id")
    };
    RELEASE = ["UPDATE deliveries SET state = 'queued', lease_owner = NULL, lease_until = NULL, attempts = attempts - 1, due_at = COALESCE($3, due_at)
                WHERE state = 'claimed' AND lease_owner = $2 AND message_id ", ids "$1"];
    /// One look at all that is open: it may be much, as after quiet hours.
    EXPIRE = "UPDATE deliveries SET lease_owner = NULL, lease_until = NULL,
                     state = CASE state WHEN 'data' THEN 'in_doubt' ELSE 'queued' END,
                     attempts = CASE state WHEN 'data' THEN attempts ELSE attempts - 1 END,
                     done_at = CASE state WHEN 'data' THEN CAST($3 AS BIGINT) END,
                     last_started_at = CASE state WHEN 'data' THEN $3 ELSE last_started_at END,
                     last_result = CASE state WHEN 'data' THEN 'in_doubt' ELSE last_result END,
                     reply = CASE state WHEN 'data' THEN 'the daemon ended while the receiver was taking the message' ELSE reply END
              WHERE state IN ('claimed', 'data') AND done_at IS NULL AND channel = $4 AND (lease_until <= $1 OR substr(lease_owner, 1, length($2)) = $2)
                    AND lease_owner IS DISTINCT FROM $5 RETURNING state";
    CANCEL_FOR = {
        sqlite: concat!(cancelled!(), "IN (", theirs!(), "IN (SELECT value FROM json_each($1)))"),
        postgres: concat!(cancelled!(), "= ANY (ARRAY(", theirs!(), "= ANY (ARRAY(SELECT value::bigint FROM json_array_elements_text($1::json)))))")
    };
    DISCARD = "UPDATE deliveries SET state = 'cancelled', done_at = $2, reply = 'discarded while its rule was paused'
               WHERE rule = $1 AND state = 'queued' AND done_at IS NULL";
    OPEN_BY_RULE = "SELECT d.rule, SUM(CASE WHEN d.state = 'queued' THEN 1 ELSE 0 END), COUNT(*), MIN(m.created_at)
                    FROM deliveries d JOIN messages m ON m.id = d.message_id WHERE d.done_at IS NULL GROUP BY d.rule";
    /// Before a person changes what the last try left.
    KEEP_LAST = "INSERT INTO attempts (message_id, number, started_at, ended_at, result, fault, detail)
                 SELECT message_id, fence, last_started_at, done_at, last_result, fault, reply FROM deliveries
                 WHERE message_id = $1 AND last_result IS NOT NULL AND state IN ('in_doubt', $2) ON CONFLICT (message_id, number) DO NOTHING";
    RESOLVE = "UPDATE deliveries SET state = $2, done_at = $3, reply = $4, last_result = NULL WHERE message_id = $1 AND state = 'in_doubt'";
    REQUEUE = "UPDATE deliveries SET state = 'queued', due_at = $2, done_at = NULL, fault = NULL, reply = NULL, last_result = NULL WHERE message_id = $1 AND state IN ('in_doubt', 'failed')";
    NEXT_DUE = "SELECT MIN(due_at) FROM deliveries WHERE state = 'queued' AND done_at IS NULL";
    LOCALE = "SELECT c.locale FROM messages m JOIN customers c ON c.id = m.customer_id WHERE m.id = $1";
    OWNER = "SELECT decision_id, customer_id FROM messages WHERE id = $1";
}

/// Claims messages for one owner, each time in a transaction of its own, which on PostgreSQL is one trip.
#[derive(Debug)]
pub struct Claimer {
    db: Db,
    owner: String,
    kept: Kept,
}

impl Claimer {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(db: Db, owner: String) -> Self {
        Self { db, owner, kept: Kept::default() }
    }

    /// Claims up to `limit` messages that are due at `now`; `until` is when the lease ends, by the machine's clock.
    ///
    /// # Errors
    /// When the database fails; then nothing is claimed, unless the connection was lost in this very call.
    pub async fn claim(&mut self, until: UnixMs, now: UnixMs, limit: i64, channel: Channel) -> Result<Vec<LeasedMessage>, StoreError> {
        let rows: Vec<LeasedRow> = match &self.db {
            Db::Sqlite { .. } => {
                let Tx::Sqlite(mut tx) = self.db.write().await? else { return Ok(Vec::new()) };
                let due: String = sqlx::query_scalar(DUE.sqlite).bind(now.0).bind(limit).bind(channel.code()).fetch_one(&mut *tx).await?;
                if due == "[]" {
                    return Ok(Vec::new());
                }
                let claim = sqlx::query_scalar(CLAIM.sqlite).bind(due).bind(None::<i64>).bind(None::<i64>).bind(&self.owner).bind(until.0);
                let rows: String = claim.fetch_one(&mut *tx).await?;
                tx.commit().await?;
                serde_json::from_str(&rows).map_err(|error| StoreError::Unfit(format!("claimed messages cannot be read: {error}")))?
            }
            Db::Postgres(pool) => {
                let mut connection = self.kept.take(pool).await?;
                let claim = sqlx::query_as(CLAIM.postgres).bind(now.0).bind(limit).bind(channel.code()).bind(&self.owner).bind(until.0);
                let rows = claim.fetch_all(&mut *connection).await?;
                self.kept.put_back(connection, pool);
                rows
            }
        };
        rows.into_iter().map(|row| leased(row, channel)).collect()
    }
}

#[derive(sqlx::FromRow, Deserialize)]
struct LeasedRow(
    i64,
    i64,
    String,
    String,
    String,
    String,
    Option<String>,
    i64,
    i64,
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
);

fn leased(row: LeasedRow, channel: Channel) -> Result<LeasedMessage, StoreError> {
    /// Of a webhook's action; what else stands in it is in the body already.
    #[derive(Deserialize)]
    struct Call {
        target: String,
    }

    let LeasedRow(id, customer_id, rule, variant, basis, action, body, created_at, attempts, fence, email, first_name, last_name, locale) = row;
    let content = match channel {
        Channel::Email => serde_json::from_str(&action).map(Content::Email),
        Channel::Webhook => serde_json::from_str(&action).map(|Call { target }| Content::Webhook { target, body }),
    };
    Ok(LeasedMessage {
        id: Id(id),
        customer_id: Id(customer_id),
        rule,
        variant,
        content: content.map_err(|_| StoreError::Corrupt { table: "messages", column: "action", value: action })?,
        created_at: UnixMs(created_at),
        attempt: u32::try_from(attempts).unwrap_or(u32::MAX),
        fence,
        email,
        first_name,
        last_name,
        locale,
        basis,
    })
}

/// Gives back messages that were claimed and not tried; they are due at `due_at`, or as before.
pub async fn release(tx: &mut Tx, owner: &str, ids: &[Id], due_at: Option<UnixMs>) -> Result<(), StoreError> {
    let list = id_list(ids.iter().copied());
    on!(tx, RELEASE, |c, q| sqlx::query(q).bind(list).bind(owner).bind(due_at.map(|at| at.0)).execute(c).await.map(drop))
}

/// What expired leases, earlier processes of our own name, and earlier passes of our own that could not finish, left behind: claimed messages wait
/// again, those that may have been taken are in doubt. An owner who is at work on messages of this channel keeps what has their name.
/// `lease_now` is the machine's clock. Returns how many wait again and how many are in doubt.
pub async fn recover(
    tx: &mut Tx,
    (owner, at_work): (&str, bool),
    channel: Channel,
    lease_now: UnixMs,
    now: UnixMs,
) -> Result<(u64, u64), StoreError> {
    let (family, own) = ((!at_work).then(|| family(owner)), at_work.then_some(owner));
    let states: Vec<String> = on!(tx, EXPIRE, |c, q| {
        sqlx::query_scalar(q).bind(lease_now.0).bind(family).bind(now.0).bind(channel.code()).bind(own).fetch_all(c).await
    })?;
    let doubtful = states.iter().filter(|state| *state == MessageState::InDoubt.code()).count() as u64;
    let waiting = states.len() as u64 - doubtful;
    Ok((waiting, doubtful))
}

/// Cancels what waits for customers who objected at a moment and have not opted in anew since then, order mails excepted.
pub async fn cancel_for(tx: &mut Tx, customers: &[Id], objected_at: UnixMs, now: UnixMs) -> Result<u64, StoreError> {
    let list = id_list(customers.iter().copied());
    on!(tx, CANCEL_FOR, |c, q| sqlx::query(q).bind(list).bind(now.0).bind(objected_at.0).execute(c).await.map(|done| done.rows_affected()))
}

/// Cancels what waits of a rule, whatever it is for.
pub async fn discard(tx: &mut Tx, rule: &str, now: UnixMs) -> Result<u64, StoreError> {
    on!(tx, DISCARD, |c, q| sqlx::query(q).bind(rule).bind(now.0).execute(c).await.map(|done| done.rows_affected()))
}

/// Messages of a rule that have not left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Open {
    /// Those that wait.
    pub waiting: i64,
    /// Those that a worker has.
    pub on_the_way: i64,
    /// When the oldest of them was decided.
    pub oldest_at: Option<UnixMs>,
}

/// Messages that have not left, by rule.
pub async fn open_by_rule(tx: &mut Tx) -> Result<HashMap<String, Open>, StoreError> {
    let rows: Vec<(String, i64, i64, i64)> = on!(tx, OPEN_BY_RULE, |c, q| sqlx::query_as(q).fetch_all(c).await)?;
    let open = |(rule, waiting, all, oldest)| (rule, Open { waiting, on_the_way: all - waiting, oldest_at: Some(UnixMs(oldest)) });
    Ok(rows.into_iter().map(open).collect())
}

/// A person says what became of a message in doubt; false when it is not in doubt.
pub async fn resolve(tx: &mut Tx, id: Id, state: MessageState, note: &str, now: UnixMs) -> Result<bool, StoreError> {
    keep_last(tx, id, MessageState::InDoubt).await?;
    let rows = on!(tx, RESOLVE, |c, q| sqlx::query(q)
        .bind(id.0)
        .bind(state.code())
        .bind(now.0)
        .bind(note)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

/// A person wants a failed or doubtful message sent (again); false when it is neither.
pub async fn requeue(tx: &mut Tx, id: Id, now: UnixMs) -> Result<bool, StoreError> {
    keep_last(tx, id, MessageState::Failed).await?;
    let rows = on!(tx, REQUEUE, |c, q| sqlx::query(q).bind(id.0).bind(now.0).execute(c).await.map(|done| done.rows_affected()))?;
    Ok(rows == 1)
}

async fn keep_last(tx: &mut Tx, id: Id, or_in: MessageState) -> Result<(), StoreError> {
    on!(tx, KEEP_LAST, |c, q| sqlx::query(q).bind(id.0).bind(or_in.code()).execute(c).await.map(drop))
}

/// When the next waiting message is due.
pub async fn next_due(tx: &mut Tx) -> Result<Option<UnixMs>, StoreError> {
    let at: Option<i64> = on!(tx, NEXT_DUE, |c, q| sqlx::query_scalar(q).fetch_one(c).await)?;
    Ok(at.map(UnixMs))
}

/// The decision and the customer behind a message.
pub async fn owner(tx: &mut Tx, id: Id) -> Result<Option<(Id, Id)>, StoreError> {
    let row: Option<(i64, i64)> = on!(tx, OWNER, |c, q| sqlx::query_as(q).bind(id.0).fetch_optional(c).await)?;
    Ok(row.map(|(decision, customer)| (Id(decision), Id(customer))))
}

/// The language of the customer behind a message; `None` when they have none, or there is no such message.
pub async fn locale(tx: &mut Tx, id: Id) -> Result<Option<Locale>, StoreError> {
    let code: Option<Option<String>> = on!(tx, LOCALE, |c, q| sqlx::query_scalar(q).bind(id.0).fetch_optional(c).await)?;
    Ok(code.flatten().as_deref().and_then(Locale::parse))
}
