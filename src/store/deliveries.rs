//! The durable marks around a send, written in groups: "its bytes may be with the receiver now", and how each try ended.

use serde_json::{Value, json};

use super::db::{Db, Kept, StoreError, Whole};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::message::MessageState;

/// What a row `v` of the list makes of its message, on both databases.
macro_rules! change {
    () => {
        "UPDATE deliveries SET state = v.state, due_at = COALESCE(v.due_at, deliveries.due_at), done_at = v.done_at, fault = v.fault, reply = v.reply,
                last_started_at = v.started_at, last_result = CASE WHEN v.done_at IS NOT NULL THEN v.result END,
                lease_owner = CASE WHEN v.state = 'data' THEN lease_owner END, lease_until = CASE WHEN v.state = 'data' THEN lease_until END"
    };
}

/// Whose message may leave: not one of somebody who objected, by whatever key with this address (unless it belongs to an order), or whose address is
/// suppressed. $2 is now.
macro_rules! allowed {
    () => {
        "(SELECT (messages.basis = 'contract' OR ((
                SELECT 1 FROM consents o WHERE o.customer_id = messages.customer_id AND o.kind = 'objected' AND o.at <= $2 AND (
                    SELECT 1 FROM consents d WHERE d.customer_id = messages.customer_id AND d.kind = 'double_opt_in' AND d.at > o.at AND d.at <= $2 LIMIT 1
                ) IS NULL LIMIT 1) IS NULL AND (
                SELECT 1 FROM customers c JOIN customers k ON k.email_key = c.email_key AND k.id <> c.id
                JOIN consents o ON o.customer_id = k.id AND o.kind = 'objected' AND o.at <= $2 WHERE c.id = messages.customer_id AND (
                    SELECT 1 FROM consents d WHERE d.customer_id = messages.customer_id AND d.kind = 'double_opt_in' AND d.at > o.at AND d.at <= $2 LIMIT 1
                ) IS NULL LIMIT 1) IS NULL))
             AND (SELECT 1 FROM customers k JOIN suppressions s ON s.email_key = k.email_key WHERE k.id = messages.customer_id LIMIT 1) IS NULL FROM messages WHERE messages.id = v.id)"
    };
}

/// Which message a row `v` of the list speaks of: the one whose claim still stands.
macro_rules! of_the_claim {
    () => {
        "deliveries.message_id = v.id AND deliveries.fence = v.fence AND deliveries.state IN ('claimed', 'data')"
    };
}

statements! {
    /// Marks and ends of one group, a transaction of its own in one trip: BEGIN and COMMIT as trips of their own took longer than the rows. Returns the
    /// messages that may be sent.
    ///
    /// A mark: only whoever still holds the lease may go on, and only for customers who did not object or bounce meanwhile: an unsubscribe is final.
    /// "(SELECT 1 … LIMIT 1) IS NULL" and not "NOT EXISTS", and for PostgreSQL the question who may be written to about the list's own rows, before the
    /// join: it would otherwise read all consents, or all messages, for each group. A mark that was written already (by a commit whose answer was lost) is found again: only this claim's
    /// fence can have set it.
    ///
    /// An end: the message's state and its last try; a try that was not the last goes to `attempts`, and a bounce to `outcomes`. Only tries whose claim
    /// still stands count.
    ///
    /// SQLite gives the answer as one row: a row takes longer to come from its thread than to be found. It takes lists as JSON, $1 of all, $3 of the tries
    /// that are not the last, $4 of the bounces, $5 of the marks: [[id, fence, state, due_at, done_at, fault, reply, result, started_at, ended_at]]. $2 is
    /// now. PostgreSQL takes each column as an array. A mark has the state "data", id and fence.
    RECORD = {
        sqlite: concat!("BEGIN IMMEDIATE; ", change!(), "
                 FROM (SELECT value->>0 AS id, value->>1 AS fence, value->>2 AS state, value->>3 AS due_at, value->>4 AS done_at, value->>5 AS fault,
                              value->>6 AS reply, value->>7 AS result, value->>8 AS started_at
                       FROM jsonb_each($1)) AS v
                 WHERE ", of_the_claim!(), " AND (v.state <> 'data' OR ", allowed!(), ");
                 INSERT INTO attempts (message_id, number, started_at, ended_at, result, fault, detail)
                 SELECT d.message_id, d.fence, v.value->>8, v.value->>9, v.value->>7, d.fault, d.reply
                 FROM jsonb_each($3) AS v
                 JOIN deliveries d ON d.message_id = v.value->>0 AND d.fence = v.value->>1 AND d.state = 'queued' AND d.due_at = v.value->>3
                 WHERE TRUE ON CONFLICT (message_id, number) DO NOTHING;
                 INSERT INTO outcomes (decision_id, kind, ref, at, value_cents)
                 SELECT m.decision_id, 'bounced', 0, d.done_at, NULL
                 FROM jsonb_each($4) AS v JOIN deliveries d ON d.message_id = v.value->>0 AND d.fence = v.value->>1 AND d.last_result = v.value->>7
                 JOIN messages m ON m.id = d.message_id
                 WHERE TRUE ON CONFLICT (decision_id, kind, ref) DO NOTHING;
                 SELECT json_group_array(v.id)
                 FROM (SELECT value->>0 AS id, value->>1 AS fence FROM jsonb_each($5)) AS v CROSS JOIN deliveries
                 WHERE ", of_the_claim!(), " AND deliveries.state = 'data' AND ", allowed!(), ";
                 COMMIT"),
        postgres: concat!("WITH changed AS (", change!(), "
                     FROM (SELECT * FROM UNNEST($1::bigint[], $3::bigint[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[],
                                                $10::bigint[], $11::bigint[], $12::boolean[])
                                         AS v (id, fence, state, due_at, done_at, fault, reply, result, started_at, ended_at, bounced)
                           WHERE v.state <> 'data' OR ", allowed!(), ") AS v
                     WHERE ", of_the_claim!(), "
                     RETURNING v.*),
                 tried AS (
                     INSERT INTO attempts (message_id, number, started_at, ended_at, result, fault, detail)
                     SELECT id, fence, started_at, ended_at, result, fault, reply FROM changed WHERE state = 'queued'
                     ON CONFLICT (message_id, number) DO NOTHING),
                 noted AS (
                     INSERT INTO outcomes (decision_id, kind, ref, at, value_cents)
                     SELECT (SELECT decision_id FROM messages WHERE messages.id = changed.id), 'bounced', 0, ended_at, NULL
                     FROM changed WHERE bounced ON CONFLICT (decision_id, kind, ref) DO NOTHING)
                 SELECT id FROM changed WHERE state = 'data'")
    };
    /// The same for a group of plain ends, as a crowd of webhooks makes them. PostgreSQL sets up every part of a statement, needed or not, and keeps what the
    /// parts tell each other.
    END = { postgres: "UPDATE deliveries SET state = v.state, done_at = v.done_at, fault = v.fault, reply = v.reply, last_started_at = v.started_at,
                              last_result = v.result, lease_owner = NULL, lease_until = NULL
                       FROM UNNEST($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::bigint[])
                            AS v (id, fence, state, done_at, fault, reply, result, started_at)
                       WHERE deliveries.message_id = v.id AND deliveries.fence = v.fence AND deliveries.state IN ('claimed', 'data')" };
}

/// How a try ended, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    /// The message.
    pub id: Id,
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
    kept: Kept,
}

impl Recorder {
    /// Opens nothing yet.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db, kept: Kept::default() }
    }

    /// Marks messages as "its bytes may be with the receiver" (id and fence of the claim), and writes how other tries ended. Returns the messages whose
    /// mark is durable; the others must not be sent. Tries whose lease was lost change nothing.
    ///
    /// # Errors
    /// When the database fails; then nothing of it happened, unless the connection was lost in this very call.
    pub async fn record(&mut self, marks: &[(Id, i64)], ends: &[Finish], now: UnixMs) -> Result<Vec<Id>, StoreError> {
        let list: Vec<Row> = marks.iter().map(Row::mark).chain(ends.iter().map(Row::end)).collect();
        let marked: Vec<i64> = match &self.db {
            Db::Sqlite { write, .. } => {
                let json =
                    |is_in: fn(&Row<'_>) -> bool| Value::from(list.iter().filter(|row| is_in(row)).map(Row::json).collect::<Vec<_>>()).to_string();
                let record = sqlx::query_scalar(RECORD.sqlite)
                    .bind(json(|_| true))
                    .bind(now.0)
                    .bind(json(|row| row.state == MessageState::Queued))
                    .bind(json(|row| row.end.is_some_and(|end| end.bounced)))
                    .bind(json(|row| row.state == MessageState::Data));
                let mut whole = Whole::acquire(write).await?;
                // Not fetch_one: the statements after the answer have to run too.
                let answers: Vec<String> = record.fetch_all(whole.connection()).await?;
                whole.done();
                let ids = answers.iter().map(|answer| serde_json::from_str::<Vec<i64>>(answer)).collect::<Result<Vec<_>, _>>();
                ids.map_err(|error| StoreError::Unfit(format!("marks cannot be read: {error}")))?.concat()
            }
            Db::Postgres(pool) => {
                let mut connection = self.kept.take(pool).await?;
                let ids = column(&list, |row| row.id);
                let fences = column(&list, |row| row.fence);
                if list.iter().all(Row::is_plain_end) {
                    sqlx::query(END.postgres)
                        .bind(ids)
                        .bind(fences)
                        .bind(column(&list, |row| row.state.code()))
                        .bind(column(&list, |row| row.done_at))
                        .bind(column(&list, |row| row.end.and_then(|end| end.fault)))
                        .bind(column(&list, |row| row.end.map(|end| end.reply.as_str())))
                        .bind(column(&list, |row| row.end.map(|end| end.result)))
                        .bind(column(&list, |row| row.end.map(|end| end.started_at.0)))
                        .execute(&mut *connection)
                        .await?;
                    self.kept.put_back(connection, pool);
                    return Ok(Vec::new());
                }
                let rows = sqlx::query_scalar(RECORD.postgres)
                    .bind(ids)
                    .bind(now.0)
                    .bind(fences)
                    .bind(column(&list, |row| row.state.code()))
                    .bind(column(&list, |row| row.end.and_then(|end| end.due_at).map(|at| at.0)))
                    .bind(column(&list, |row| row.done_at))
                    .bind(column(&list, |row| row.end.and_then(|end| end.fault)))
                    .bind(column(&list, |row| row.end.map(|end| end.reply.as_str())))
                    .bind(column(&list, |row| row.end.map(|end| end.result)))
                    .bind(column(&list, |row| row.end.map(|end| end.started_at.0)))
                    .bind(column(&list, |row| row.end.map(|end| end.ended_at.0)))
                    .bind(column(&list, |row| row.end.is_some_and(|end| end.bounced)))
                    .fetch_all(&mut *connection)
                    .await?;
                self.kept.put_back(connection, pool);
                rows
            }
        };
        Ok(marked.into_iter().map(Id).collect())
    }
}

/// A row of the list: a mark, or how a try ended.
struct Row<'group> {
    id: i64,
    fence: i64,
    state: MessageState,
    done_at: Option<i64>,
    end: Option<&'group Finish>,
}

impl<'group> Row<'group> {
    fn mark((id, fence): &(Id, i64)) -> Self {
        Self { id: id.0, fence: *fence, state: MessageState::Data, done_at: None, end: None }
    }

    fn end(end: &'group Finish) -> Self {
        let done_at = (end.state != MessageState::Queued).then_some(end.ended_at.0);
        Self { id: end.id.0, fence: end.fence, state: end.state, done_at, end: Some(end) }
    }

    /// Whether the message's own row says all about it: nothing is to be noted elsewhere, and nobody asks for leave.
    fn is_plain_end(&self) -> bool {
        self.end.is_some_and(|end| self.done_at.is_some() && !end.bounced)
    }

    fn json(&self) -> Value {
        let Some(end) = self.end else { return json!([self.id, self.fence, self.state.code()]) };
        json!([
            self.id,
            self.fence,
            self.state.code(),
            end.due_at.map(|at| at.0),
            self.done_at,
            end.fault,
            end.reply,
            end.result,
            end.started_at.0,
            end.ended_at.0
        ])
    }
}

fn column<'group, T>(rows: &'group [Row<'_>], of: impl Fn(&'group Row<'_>) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}
