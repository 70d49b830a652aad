//! The durable marks around a send, written in groups: "its bytes may be with the receiver now", and how each try ended.

use serde_json::{Value, json};
use sqlx::Postgres;
use sqlx::pool::PoolConnection;

use super::db::{Db, StoreError, Whole};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::message::MessageState;

statements! {
    /// Marks and ends of one group, a transaction of its own in one trip: BEGIN and COMMIT as trips of their own took longer than the rows. Returns the
    /// messages that may be sent.
    ///
    /// A mark: only whoever still holds the lease may go on, and only for customers who did not object or bounce meanwhile: an unsubscribe is final.
    /// "(SELECT 1 … LIMIT 1) IS NULL" and not "NOT EXISTS", and the messages in question by key: PostgreSQL would otherwise read all consents, or ask
    /// about all claimed messages, for each group. A mark that was written already (by a commit whose answer was lost) is found again: only this claim's
    /// fence can have set it.
    ///
    /// An end: the message's state, its attempt, and whether it bounced. Only tries whose claim still stands count.
    ///
    /// SQLite takes the lists as JSON: $1 [[id, fence]], $2 now, $3 [[id, fence, state, due_at, done_at, fault, reply, result, started_at, ended_at,
    /// decision, bounced]]. PostgreSQL takes each column as an array.
    RECORD = {
        sqlite: "BEGIN IMMEDIATE;
                 UPDATE messages SET state = 'data'
                 FROM (SELECT value->>0 AS id, value->>1 AS fence FROM jsonb_each($1)) AS v
                 WHERE messages.id = v.id AND messages.fence = v.fence AND messages.state IN ('claimed', 'data')
                   AND (messages.basis = 'contract' OR (
                        SELECT 1 FROM consents o WHERE o.customer_id = messages.customer_id AND o.kind = 'objected' AND o.at <= $2 AND (
                            SELECT 1 FROM consents d WHERE d.customer_id = o.customer_id AND d.kind = 'double_opt_in' AND d.at > o.at AND d.at <= $2 LIMIT 1
                        ) IS NULL LIMIT 1) IS NULL)
                   AND (SELECT 1 FROM customers k JOIN suppressions s ON s.email_key = k.email_key WHERE k.id = messages.customer_id LIMIT 1) IS NULL
                 RETURNING messages.id;
                 UPDATE messages SET state = v.state, due_at = COALESCE(v.due_at, messages.due_at), done_at = v.done_at, fault = v.fault, reply = v.reply,
                        lease_owner = NULL, lease_until = NULL
                 FROM (SELECT value->>0 AS id, value->>1 AS fence, value->>2 AS state, value->>3 AS due_at, value->>4 AS done_at, value->>5 AS fault, value->>6 AS reply
                       FROM jsonb_each($3)) AS v
                 WHERE messages.id = v.id AND messages.fence = v.fence AND messages.state IN ('claimed', 'data');
                 INSERT INTO attempts (message_id, number, started_at, ended_at, result, fault, detail)
                 SELECT m.id, m.fence, v.value->>8, v.value->>9, v.value->>7, m.fault, m.reply
                 FROM jsonb_each($3) AS v JOIN messages m ON m.id = v.value->>0 AND m.fence = v.value->>1 AND m.state = v.value->>2
                      AND m.done_at IS v.value->>4 AND m.reply = v.value->>6
                 WHERE true ON CONFLICT (message_id, number) DO NOTHING;
                 INSERT INTO outcomes (decision_id, kind, ref, at, value_cents)
                 SELECT v.value->>10, 'bounced', 0, v.value->>9, NULL
                 FROM jsonb_each($3) AS v
                 WHERE v.value->>11 AND EXISTS (SELECT 1 FROM attempts a WHERE a.message_id = v.value->>0 AND a.number = v.value->>1 AND a.result = v.value->>7)
                 ON CONFLICT (decision_id, kind, ref) DO NOTHING;
                 COMMIT",
        postgres: "WITH marked AS (
                     UPDATE messages SET state = 'data' FROM UNNEST($1::bigint[], $2::bigint[]) AS v (id, fence)
                     WHERE messages.id = v.id AND messages.fence = v.fence AND messages.state IN ('claimed', 'data')
                       AND (messages.basis = 'contract' OR (
                            SELECT 1 FROM consents o WHERE o.customer_id = messages.customer_id AND o.kind = 'objected' AND o.at <= $3 AND (
                                SELECT 1 FROM consents d WHERE d.customer_id = o.customer_id AND d.kind = 'double_opt_in' AND d.at > o.at AND d.at <= $3 LIMIT 1
                            ) IS NULL LIMIT 1) IS NULL)
                       AND (SELECT 1 FROM customers k JOIN suppressions s ON s.email_key = k.email_key WHERE k.id = messages.customer_id LIMIT 1) IS NULL
                     RETURNING messages.id),
                 v AS MATERIALIZED (
                     SELECT * FROM UNNEST($4::bigint[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::text[],
                                          $12::bigint[], $13::bigint[], $14::bigint[], $15::boolean[])
                         AS v (id, fence, state, due_at, done_at, fault, reply, result, started_at, ended_at, decision_id, bounced)),
                 counted AS (
                     UPDATE messages SET state = v.state, due_at = COALESCE(v.due_at, messages.due_at), done_at = v.done_at, fault = v.fault,
                            reply = v.reply, lease_owner = NULL, lease_until = NULL
                     FROM v WHERE messages.id = v.id AND messages.fence = v.fence AND messages.state IN ('claimed', 'data')
                     RETURNING v.*),
                 tried AS (
                     INSERT INTO attempts (message_id, number, started_at, ended_at, result, fault, detail)
                     SELECT id, fence, started_at, ended_at, result, fault, reply FROM counted ON CONFLICT (message_id, number) DO NOTHING),
                 noted AS (
                     INSERT INTO outcomes (decision_id, kind, ref, at, value_cents)
                     SELECT decision_id, 'bounced', 0, ended_at, NULL FROM counted WHERE bounced
                     ON CONFLICT (decision_id, kind, ref) DO NOTHING)
                 SELECT id FROM marked"
    };
}

/// How a try ended, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// The message.
    pub id: Id,
    /// The decision behind it.
    pub decision_id: Id,
    /// The claim's number; an older one changes nothing.
    pub fence: i64,
    /// Where the message stands now; `Queued` = once more later.
    pub state: MessageState,
    /// When the next try is due, for `Queued`.
    pub due_at: Option<UnixMs>,
    /// Word of the fault.
    pub fault: Option<&'static str>,
    /// The receiver's words or ours.
    pub reply: String,
    /// `accepted`, `retry`, `refused`, `in_doubt`, `cancelled`.
    pub result: &'static str,
    /// When the try began.
    pub started_at: UnixMs,
    /// When it ended.
    pub ended_at: UnixMs,
    /// Whether the mailbox does not exist.
    pub bounced: bool,
}

/// Writes groups of marks and ends, each in one transaction. Keeps its connection to PostgreSQL between groups: the pool's questions whether it is
/// still alive are two more trips.
#[derive(Debug)]
pub struct Recorder {
    db: Db,
    kept: Option<PoolConnection<Postgres>>,
}

impl Recorder {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db, kept: None }
    }

    /// Marks messages as "its bytes may be with the receiver" (id and fence of the claim), and writes how other tries ended. Returns the messages whose
    /// mark is durable; the others must not be sent. Tries whose lease was lost change nothing.
    ///
    /// # Errors
    /// When the database fails; then nothing of it happened, unless the connection was lost in this very call.
    pub async fn record(&mut self, marks: &[(Id, i64)], ends: &[Finish], now: UnixMs) -> Result<Vec<Id>, StoreError> {
        let rows: Vec<i64> = match &self.db {
            Db::Sqlite { write, .. } => {
                let marks = Value::from(marks.iter().map(|(id, fence)| json!([id.0, fence])).collect::<Vec<_>>()).to_string();
                let ends = Value::from(ends.iter().map(Finish::row).collect::<Vec<_>>()).to_string();
                let mut whole = Whole::acquire(write).await?;
                let rows = sqlx::query_scalar(RECORD.sqlite).bind(marks).bind(now.0).bind(ends).fetch_all(whole.connection()).await?;
                whole.done();
                rows
            }
            Db::Postgres(pool) => {
                let mut connection = match self.kept.take() {
                    Some(connection) => connection,
                    None => pool.acquire().await?,
                };
                let (ids, fences): (Vec<i64>, Vec<i64>) = marks.iter().map(|(id, fence)| (id.0, *fence)).unzip();
                let rows = sqlx::query_scalar(RECORD.postgres)
                    .bind(ids)
                    .bind(fences)
                    .bind(now.0)
                    .bind(column(ends, |end| end.id.0))
                    .bind(column(ends, |end| end.fence))
                    .bind(column(ends, |end| end.state.code()))
                    .bind(column(ends, |end| end.due_at.map(|at| at.0)))
                    .bind(column(ends, Finish::done_at))
                    .bind(column(ends, |end| end.fault))
                    .bind(column(ends, |end| end.reply.as_str()))
                    .bind(column(ends, |end| end.result))
                    .bind(column(ends, |end| end.started_at.0))
                    .bind(column(ends, |end| end.ended_at.0))
                    .bind(column(ends, |end| end.decision_id.0))
                    .bind(column(ends, |end| end.bounced))
                    .fetch_all(&mut *connection)
                    .await?;
                self.kept = Some(connection);
                rows
            }
        };
        Ok(rows.into_iter().map(Id).collect())
    }
}

fn column<'ends, T>(ends: &'ends [Finish], of: impl Fn(&'ends Finish) -> T) -> Vec<T> {
    ends.iter().map(of).collect()
}

impl Finish {
    fn done_at(&self) -> Option<i64> {
        (self.state != MessageState::Queued).then_some(self.ended_at.0)
    }

    fn row(&self) -> Value {
        json!([
            self.id.0,
            self.fence,
            self.state.code(),
            self.due_at.map(|at| at.0),
            self.done_at(),
            self.fault,
            self.reply,
            self.result,
            self.started_at.0,
            self.ended_at.0,
            self.decision_id.0,
            self.bounced
        ])
    }
}
