//! The durable marks around a send, written in groups: "its bytes may be with the receiver now", and how each try ended.

use serde_json::{Value, json};

use super::db::{StoreError, Tx};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::message::MessageState;
use crate::model::outcome::OutcomeKind;

statements! {
    /// Only whoever still holds the lease may go on, and only for customers who did not object or bounce meanwhile: an unsubscribe is final.
    /// "(SELECT 1 … LIMIT 1) IS NULL" and not "NOT EXISTS", and the messages in question first: PostgreSQL would otherwise read all consents, or ask about
    /// all claimed messages, for each group of marks.
    /// A mark that was written already (by a commit whose answer was lost) is found again: only this claim's fence can have set it.
    MARK = {
        sqlite: "UPDATE messages SET state = 'data'
                 FROM (SELECT value->>0 AS id, value->>1 AS fence FROM json_each($1)) AS v
                 WHERE messages.id = v.id AND messages.fence = v.fence AND messages.state IN ('claimed', 'data')
                   AND (messages.basis = 'contract' OR (
                        SELECT 1 FROM consents o WHERE o.customer_id = messages.customer_id AND o.kind = 'objected' AND o.at <= $2 AND (
                            SELECT 1 FROM consents d WHERE d.customer_id = o.customer_id AND d.kind = 'double_opt_in' AND d.at > o.at AND d.at <= $2 LIMIT 1
                        ) IS NULL LIMIT 1) IS NULL)
                   AND (SELECT 1 FROM customers k JOIN suppressions s ON s.email_key = k.email_key WHERE k.id = messages.customer_id LIMIT 1) IS NULL
                 RETURNING messages.id",
        postgres: "WITH v AS MATERIALIZED (
                     SELECT m.id, m.fence, m.customer_id, m.basis
                     FROM (SELECT (value->>0)::bigint AS id, (value->>1)::bigint AS fence FROM json_array_elements($1::json)) AS j
                     JOIN messages m ON m.id = j.id AND m.fence = j.fence)
                 UPDATE messages SET state = 'data' FROM v
                 WHERE messages.id = v.id AND messages.fence = v.fence AND messages.state IN ('claimed', 'data')
                   AND (v.basis = 'contract' OR (
                        SELECT 1 FROM consents o WHERE o.customer_id = v.customer_id AND o.kind = 'objected' AND o.at <= $2 AND (
                            SELECT 1 FROM consents d WHERE d.customer_id = o.customer_id AND d.kind = 'double_opt_in' AND d.at > o.at AND d.at <= $2 LIMIT 1
                        ) IS NULL LIMIT 1) IS NULL)
                   AND (SELECT 1 FROM customers k JOIN suppressions s ON s.email_key = k.email_key WHERE k.id = v.customer_id LIMIT 1) IS NULL
                 RETURNING messages.id"
    };
    /// The state of each message, its attempt, and its outcomes, in one go: a trip to the database costs more than the rows. A row of the list is
    /// [id, fence, state, due_at, done_at, fault, reply, result, started_at, ended_at, decision, [outcomes]]. Only tries whose claim still stands count.
    FINISH = {
        sqlite: "UPDATE messages SET state = v.state, due_at = COALESCE(v.due_at, messages.due_at), done_at = v.done_at, fault = v.fault, reply = v.reply,
                        lease_owner = NULL, lease_until = NULL
                 FROM (SELECT value->>0 AS id, value->>1 AS fence, value->>2 AS state, value->>3 AS due_at, value->>4 AS done_at, value->>5 AS fault, value->>6 AS reply
                       FROM json_each($1)) AS v
                 WHERE messages.id = v.id AND messages.fence = v.fence AND messages.state IN ('claimed', 'data') RETURNING messages.id;
                 INSERT INTO attempts (message_id, number, started_at, ended_at, result, fault, detail)
                 SELECT m.id, m.fence, v.value->>8, v.value->>9, v.value->>7, m.fault, m.reply
                 FROM json_each($1) AS v JOIN messages m ON m.id = v.value->>0 AND m.fence = v.value->>1 AND m.state = v.value->>2
                      AND m.done_at IS v.value->>4 AND m.reply = v.value->>6
                 WHERE true ON CONFLICT (message_id, number) DO NOTHING;
                 INSERT INTO outcomes (decision_id, kind, ref, at, value_cents)
                 SELECT v.value->>10, k.value, 0, v.value->>9, NULL
                 FROM json_each($1) AS v, json_each(v.value, '$[11]') AS k
                 WHERE EXISTS (SELECT 1 FROM attempts a WHERE a.message_id = v.value->>0 AND a.number = v.value->>1 AND a.result = v.value->>7)
                 ON CONFLICT (decision_id, kind, ref) DO NOTHING",
        postgres: "WITH v AS MATERIALIZED (
                     SELECT (value->>0)::bigint AS id, (value->>1)::bigint AS fence, value->>2 AS state, (value->>3)::bigint AS due_at,
                            (value->>4)::bigint AS done_at, value->>5 AS fault, value->>6 AS reply, value->>7 AS result, (value->>8)::bigint AS started_at,
                            (value->>9)::bigint AS ended_at, (value->>10)::bigint AS decision_id, value->11 AS outcomes
                     FROM json_array_elements($1::json)),
                 counted AS (
                     UPDATE messages SET state = v.state, due_at = COALESCE(v.due_at, messages.due_at), done_at = v.done_at, fault = v.fault,
                            reply = v.reply, lease_owner = NULL, lease_until = NULL
                     FROM v WHERE messages.id = v.id AND messages.id = ANY (ARRAY(SELECT id FROM v)) AND messages.fence = v.fence
                                  AND messages.state IN ('claimed', 'data')
                     RETURNING v.*),
                 tried AS (
                     INSERT INTO attempts (message_id, number, started_at, ended_at, result, fault, detail)
                     SELECT id, fence, started_at, ended_at, result, fault, reply FROM counted ON CONFLICT (message_id, number) DO NOTHING),
                 noted AS (
                     INSERT INTO outcomes (decision_id, kind, ref, at, value_cents)
                     SELECT decision_id, kind, 0, ended_at, NULL FROM counted, json_array_elements_text(outcomes) AS kind
                     ON CONFLICT (decision_id, kind, ref) DO NOTHING)
                 SELECT id FROM counted"
    };
    ADD_OUTCOMES = {
        sqlite: "INSERT INTO outcomes (decision_id, kind, ref, at, value_cents)
                 SELECT value->>0, value->>1, 0, value->>2, NULL FROM json_each($1) WHERE true ON CONFLICT (decision_id, kind, ref) DO NOTHING",
        postgres: "INSERT INTO outcomes (decision_id, kind, ref, at, value_cents)
                 SELECT (value->>0)::bigint, value->>1, 0, (value->>2)::bigint, NULL FROM json_array_elements($1::json)
                 ON CONFLICT (decision_id, kind, ref) DO NOTHING"
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
    /// What came of it, if it is final.
    pub outcomes: Vec<OutcomeKind>,
}

/// Marks messages as "its bytes may be with the receiver" and returns those for which that is allowed; the others must not be sent.
pub async fn mark(tx: &mut Tx, claims: &[(Id, i64)], now: UnixMs) -> Result<Vec<Id>, StoreError> {
    let list = Value::from(claims.iter().map(|(id, fence)| json!([id.0, fence])).collect::<Vec<_>>()).to_string();
    let rows: Vec<i64> = on!(tx, MARK, |c, q| sqlx::query_scalar(q).bind(list).bind(now.0).fetch_all(c).await)?;
    Ok(rows.into_iter().map(Id).collect())
}

/// Writes how tries ended: state, attempt and outcomes. Tries whose lease was lost change nothing. Returns how many counted.
pub async fn finish(tx: &mut Tx, ends: &[Finish]) -> Result<usize, StoreError> {
    let row = |end: &Finish| {
        let done_at = (end.state != MessageState::Queued).then_some(end.ended_at.0);
        let outcomes: Vec<&str> = end.outcomes.iter().map(|kind| kind.code()).collect();
        json!([
            end.id.0,
            end.fence,
            end.state.code(),
            end.due_at.map(|at| at.0),
            done_at,
            end.fault,
            end.reply,
            end.result,
            end.started_at.0,
            end.ended_at.0,
            end.decision_id.0,
            outcomes
        ])
    };
    let list = Value::from(ends.iter().map(row).collect::<Vec<_>>()).to_string();
    let counted: Vec<i64> = on!(tx, FINISH, |c, q| sqlx::query_scalar(q).bind(list).fetch_all(c).await)?;
    Ok(counted.len())
}

/// Logs the same outcome for several decisions.
pub async fn note(tx: &mut Tx, decisions: &[Id], kind: OutcomeKind, at: UnixMs) -> Result<(), StoreError> {
    let rows = decisions.iter().map(|id| json!([id.0, kind.code(), at.0])).collect::<Vec<_>>();
    add_outcomes(tx, Value::from(rows).to_string()).await
}

async fn add_outcomes(tx: &mut Tx, rows: String) -> Result<(), StoreError> {
    if rows == "[]" {
        return Ok(());
    }
    on!(tx, ADD_OUTCOMES, |c, q| sqlx::query(q).bind(rows).execute(c).await.map(drop))
}
