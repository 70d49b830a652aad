//! The classes that customers are settled in, their moves, and how far back these are known.

use std::collections::HashMap;

use sqlx::QueryBuilder;

use super::db::{MAX_BINDS, StoreError, Tx};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::crossing::{Classes, Crossing, PastClasses, Settled, Tracked, Waiting};

statements! {
    HISTORY = "SELECT begins_at, recorded_at, settings FROM class_histories WHERE name = 'latest'";
    NOTE = "INSERT INTO class_histories (name, begins_at, recorded_at, settings) VALUES ('latest', $1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET begins_at = excluded.begins_at, recorded_at = excluded.recorded_at, settings = excluded.settings";
    FORGET_HISTORY = "DELETE FROM class_histories";
    FORGET_CLASSES = "DELETE FROM classes";
    FORGET_BEFORE = "DELETE FROM crossings WHERE at < $1";
    // One text, as with pages of customers: each row and each value of it costs the drivers more than its bytes do.
    PAGE = "SELECT string_agg(p.line, '\u{1e}') FROM (
                SELECT concat(customer_id, ',', abc, ',', r, ',', f, ',', m, ',', churn, ',', waiting) AS line FROM classes
                WHERE customer_id > $1 ORDER BY customer_id LIMIT 20000) p";
    IDS = "SELECT customer_id FROM classes ORDER BY customer_id";
    MOVES = "SELECT score, was, class, COUNT(*), COUNT(DISTINCT customer_id) FROM crossings
             WHERE at >= $1 AND at < $2 AND was IS NOT NULL AND class IS NOT NULL GROUP BY score, was, class ORDER BY score, was, class";
    OF_ALL = ["SELECT customer_id, score, at, was, class FROM crossings WHERE customer_id ", ids "$1", " ORDER BY at, score"];
    CLASSES_OF_ALL = ["SELECT customer_id, abc, r, f, m, churn FROM classes WHERE customer_id ", ids "$1"];
}

/// Rows of a page; [`PAGE`] says the same.
const ROWS: usize = 20_000;
/// The largest class, of 20 buckets.
const MOST_CLASSES: i64 = 20;

/// What the history reaches over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassHistory {
    /// The run that it begins with: the classes after it are known.
    pub begins_at: UnixMs,
    /// The latest run that is in it.
    pub recorded_at: UnixMs,
    /// The settings that the classes were made with; under others they mean something else.
    pub settings: String,
}

/// How often customers moved from one class to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moves {
    /// Of which score.
    pub score: Tracked,
    /// From where.
    pub was: u8,
    /// Where to.
    pub class: u8,
    /// How often.
    pub moves: i64,
    /// By how many customers.
    pub customers: i64,
}

/// The history there is.
///
/// # Errors
/// When the database fails.
pub async fn history(tx: &mut Tx) -> Result<Option<ClassHistory>, StoreError> {
    let row: Option<(i64, i64, String)> = on!(tx, HISTORY, |c, q| sqlx::query_as(q).fetch_optional(c).await)?;
    Ok(row.map(|(begins, recorded, settings)| ClassHistory { begins_at: UnixMs(begins), recorded_at: UnixMs(recorded), settings }))
}

/// Notes how far it reaches.
///
/// # Errors
/// When the database fails.
pub async fn note(tx: &mut Tx, history: &ClassHistory) -> Result<(), StoreError> {
    let ClassHistory { begins_at, recorded_at, settings } = history;
    on!(tx, NOTE, |c, q| sqlx::query(q).bind(begins_at.0).bind(recorded_at.0).bind(settings).execute(c).await.map(drop))
}

/// Forgets all of it.
///
/// # Errors
/// When the database fails.
pub async fn forget(tx: &mut Tx) -> Result<(), StoreError> {
    for statement in [FORGET_HISTORY, FORGET_CLASSES] {
        on!(tx, statement, |c, q| sqlx::query(q).execute(c).await.map(drop))?;
    }
    forget_before(tx, UnixMs(i64::MAX)).await
}

/// Forgets older moves.
///
/// # Errors
/// When the database fails.
pub async fn forget_before(tx: &mut Tx, before: UnixMs) -> Result<(), StoreError> {
    on!(tx, FORGET_BEFORE, |c, q| sqlx::query(q).bind(before.0).execute(c).await.map(drop))
}

/// The next customers after `after`, by id, with what they are settled in; and whether there are more.
///
/// # Errors
/// When the database fails, or holds what means nothing.
pub async fn page(tx: &mut Tx, after: Id) -> Result<(Vec<(Id, Settled)>, bool), StoreError> {
    let page: Option<String> = on!(tx, PAGE, |c, q| sqlx::query_scalar(q).bind(after.0).fetch_one(c).await)?;
    let lines = page.iter().flat_map(|page| page.split('\u{1e}'));
    let read = |line: &str| settled(line).ok_or_else(|| StoreError::Corrupt { table: "classes", column: "(any)", value: line.to_owned() });
    let mut found = lines.map(read).collect::<Result<Vec<_>, _>>()?;
    // They are in this order already; no database promises it.
    found.sort_by_key(|(id, _)| *id);
    let more = found.len() == ROWS;
    Ok((found, more))
}

/// Reads a line of [`PAGE`].
fn settled(line: &str) -> Option<(Id, Settled)> {
    let mut values = line.splitn(2 + Tracked::ALL.len(), ',');
    let (id, mut settled) = (values.next()?.parse().ok()?, Settled::default());
    for class in &mut settled.classes {
        let text = values.next()?;
        *class = if text.is_empty() { None } else { Some(text.parse().ok()?) };
    }
    let waiting = values.next().filter(|text| !text.is_empty());
    let waiting: Vec<(Tracked, Option<u8>, i64)> = waiting.map_or(Some(Vec::new()), |text| serde_json::from_str(text).ok())?;
    for (score, class, since) in waiting {
        settled.waiting[score as usize] = Some(Waiting { class, since: UnixMs(since) });
    }
    Some((Id(id), settled))
}

fn waiting(settled: &Settled) -> Option<String> {
    let waiting = Tracked::ALL.into_iter().filter_map(|score| settled.waiting[score as usize].map(|waiting| (score, waiting.class, waiting.since.0)));
    let waiting: Vec<(Tracked, Option<u8>, i64)> = waiting.collect();
    (!waiting.is_empty()).then(|| serde_json::json!(waiting).to_string())
}

/// Stores what customers are settled in, in place of what was stored.
///
/// # Errors
/// When the database fails, and when a customer is not there any more.
pub async fn put(tx: &mut Tx, rows: &[(Id, Settled)]) -> Result<(), StoreError> {
    for chunk in rows.chunks(MAX_BINDS / (2 + Tracked::ALL.len())) {
        on!(tx, |c| {
            let mut query = QueryBuilder::new("INSERT INTO classes (customer_id, abc, r, f, m, churn, waiting) ");
            query.push_values(chunk, |mut values, (id, settled)| {
                values.push_bind(id.0);
                for class in settled.classes {
                    values.push_bind(class.map(i64::from));
                }
                values.push_bind(waiting(settled));
            });
            query.push(
                " ON CONFLICT (customer_id) DO UPDATE SET abc = excluded.abc, r = excluded.r, f = excluded.f, m = excluded.m, churn = excluded.churn,
                  waiting = excluded.waiting",
            );
            query.build().persistent(false).execute(c).await.map(drop)
        })?;
    }
    Ok(())
}

/// Stores moves; what is known already stays.
///
/// # Errors
/// When the database fails, and when a customer is not there any more.
pub async fn add(tx: &mut Tx, moves: &[(Id, Crossing)]) -> Result<(), StoreError> {
    for chunk in moves.chunks(MAX_BINDS / 5) {
        on!(tx, |c| {
            let mut query = QueryBuilder::new("INSERT INTO crossings (customer_id, score, at, was, class) ");
            query.push_values(chunk, |mut values, (id, crossing)| {
                values.push_bind(id.0).push_bind(crossing.score.code()).push_bind(crossing.at.0);
                values.push_bind(crossing.was.map(i64::from)).push_bind(crossing.class.map(i64::from));
            });
            query.push(" ON CONFLICT DO NOTHING").build().persistent(false).execute(c).await.map(drop)
        })?;
    }
    Ok(())
}

/// The moves between known classes from `from` up to, not including, `until`.
///
/// # Errors
/// When the database fails, or holds what means nothing.
pub async fn moves(tx: &mut Tx, from: UnixMs, until: UnixMs) -> Result<Vec<Moves>, StoreError> {
    let rows: Vec<(String, i64, i64, i64, i64)> = on!(tx, MOVES, |c, q| sqlx::query_as(q).bind(from.0).bind(until.0).fetch_all(c).await)?;
    let read = |(score, was, class, moves, customers): (String, i64, i64, i64, i64)| {
        let (was, class) = (known(Some(was))?, known(Some(class))?);
        let score = Tracked::parse(&score).ok_or(StoreError::Corrupt { table: "crossings", column: "score", value: score })?;
        Ok(Moves { score, was: was.unwrap_or(0), class: class.unwrap_or(0), moves, customers })
    };
    let mut moves = rows.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
    moves.sort_by_key(|found| (found.score, found.was, found.class));
    Ok(moves)
}

fn known(class: Option<i64>) -> Result<Option<u8>, StoreError> {
    let corrupt = |class: i64| StoreError::Corrupt { table: "crossings", column: "class", value: class.to_string() };
    class.map(|class| u8::try_from(class).ok().filter(|_| (1..=MOST_CLASSES).contains(&class)).ok_or_else(|| corrupt(class))).transpose()
}

type MoveRow = (i64, String, i64, Option<i64>, Option<i64>);
type ClassRow = (i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<i64>);

/// Everybody who is settled in classes, by id.
///
/// # Errors
/// When the database fails.
pub async fn ids(tx: &mut Tx) -> Result<Vec<Id>, StoreError> {
    let ids: Vec<i64> = on!(tx, IDS, |c, q| sqlx::query_scalar(q).fetch_all(c).await)?;
    Ok(ids.into_iter().map(Id).collect())
}

/// What is known of the classes of these customers; of whoever is not in it nothing is.
///
/// # Errors
/// When the database fails, or holds what means nothing.
pub async fn of_all(tx: &mut Tx, ids: &[Id]) -> Result<HashMap<Id, PastClasses>, StoreError> {
    let found = past(tx, &super::db::id_list(ids.iter().copied())).await?;
    Ok(found.into_iter().map(|(id, past)| (Id(id), past)).collect())
}

/// What is known of the classes of the customers in a list of ids.
pub(super) async fn past(tx: &mut Tx, list: &str) -> Result<HashMap<i64, PastClasses>, StoreError> {
    let mut found: HashMap<i64, PastClasses> = HashMap::new();
    let begins = history(tx).await?.map(|history| history.begins_at);
    let rows: Vec<ClassRow> = on!(tx, CLASSES_OF_ALL, |c, q| sqlx::query_as(q).bind(list).fetch_all(c).await)?;
    for (id, abc, r, f, m, churn) in rows {
        let mut settled: Classes = [None; Tracked::ALL.len()];
        for (place, class) in settled.iter_mut().zip([abc, r, f, m, churn]) {
            *place = known(class)?;
        }
        found.insert(id, PastClasses { begins, settled, crossings: Vec::new() });
    }
    let rows: Vec<MoveRow> = on!(tx, OF_ALL, |c, q| sqlx::query_as(q).bind(list).fetch_all(c).await)?;
    for (id, score, at, was, class) in rows {
        let score = Tracked::parse(&score).ok_or(StoreError::Corrupt { table: "crossings", column: "score", value: score })?;
        if let Some(past) = found.get_mut(&id) {
            past.crossings.push(Crossing { at: UnixMs(at), score, was: known(was)?, class: known(class)? });
        }
    }
    Ok(found)
}

/// The moves of a customer, in the order of time.
///
/// # Errors
/// When the database fails, or holds what means nothing.
pub async fn of(tx: &mut Tx, id: Id) -> Result<PastClasses, StoreError> {
    Ok(of_all(tx, &[id]).await?.remove(&id).unwrap_or_default())
}
