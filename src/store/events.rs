//! Events of customers: written in batches, read as survey answers.

use std::collections::{BTreeMap, HashMap};

use futures_util::TryStreamExt as _;
use sqlx::QueryBuilder;

use super::customers;
use super::db::{MAX_BINDS, StoreError, Tx};
use crate::base::id::{self, Id};
use crate::base::time::UnixMs;
use crate::model::event::{COMPLAINT, Complaint, NewEvent, Survey};
use crate::model::import::ImportCounts;

statements! {
    FIRST_ANSWER = "SELECT MIN(at) FROM events WHERE kind IN ('nps', 'csat') AND at <= $1 AND value IS NOT NULL";
    ANSWERS = "SELECT kind, value, at FROM events WHERE kind IN ('nps', 'csat') AND at <= $1 AND value IS NOT NULL";
}

/// What is stored of an event that comes again.
#[derive(PartialEq, Eq)]
struct Known<'a> {
    customer: Id,
    kind: &'a str,
    value: Option<&'a str>,
    at: UnixMs,
}

/// What a batch of events did, and what follows from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// What happened to the events.
    pub counts: ImportCounts,
    /// Complaints that are new, or whose event has changed.
    pub complaints: Vec<Complaint>,
    /// Changed events that were complaints before, with whom they were from.
    pub withdrawn: Vec<(Id, Id)>,
}

/// Stores events; one with a known key replaces the stored one, unless nothing changed. Customers that nobody told us of are made. Of two
/// events with the same key in a batch the later one counts.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else stored the same event or customer in this moment: the same call works anew.
pub async fn upsert(tx: &mut Tx, batch: &[NewEvent], now: UnixMs) -> Result<Stored, StoreError> {
    let last: BTreeMap<&str, &NewEvent> = batch.iter().map(|event| (event.external_id.as_str(), event)).collect();
    let named = last.values().map(|event| (event.customer_external_id.as_str(), event.customer.as_deref()));
    let owners = customers::found_or_made(tx, named, now).await?;
    let known = known(tx, &last.keys().copied().collect::<Vec<_>>()).await?;
    let (mut new, mut changed) = (Vec::new(), Vec::new());
    let (mut complaints, mut withdrawn) = (Vec::new(), Vec::new());
    for (key, event) in last {
        let row = Known { customer: owners[&event.customer_external_id], kind: &event.kind, value: event.value.as_deref(), at: event.at };
        let before =
            known.get(key).map(|(id, customer, kind, value, at)| (*id, Known { customer: *customer, kind, value: value.as_deref(), at: *at }));
        if before.as_ref().is_some_and(|(_, before)| *before == row) {
            continue;
        }
        let id = before.as_ref().map_or_else(id::next, |(id, _)| *id);
        if row.kind == COMPLAINT {
            complaints.push(Complaint { event: id, customer: row.customer, about: event.value.clone(), at: row.at });
        }
        match before {
            None => new.push((id, key, row)),
            Some((_, before)) => {
                if before.kind == COMPLAINT {
                    withdrawn.push((id, before.customer));
                }
                changed.push((id, key, row));
            }
        }
    }
    write(tx, &new, "", now).await?;
    write(
        tx,
        &changed,
        " ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, kind = excluded.kind, value = excluded.value, at = excluded.at,
          updated_at = excluded.updated_at",
        now,
    )
    .await?;
    let (inserted, updated) = (new.len() as u64, changed.len() as u64);
    let counts = ImportCounts { inserted, updated, unchanged: batch.len() as u64 - inserted - updated, rejected: 0 };
    Ok(Stored { counts, complaints, withdrawn })
}

/// Id, customer, kind, value and moment by key.
type ByKey = HashMap<String, (Id, Id, String, Option<String>, UnixMs)>;

async fn known(tx: &mut Tx, keys: &[&str]) -> Result<ByKey, StoreError> {
    let mut found = HashMap::new();
    for chunk in keys.chunks(MAX_BINDS) {
        let rows: Vec<(String, i64, i64, String, Option<String>, i64)> = on!(tx, |c| {
            let mut query = QueryBuilder::new("SELECT external_id, id, customer_id, kind, value, at FROM events WHERE external_id IN (");
            let mut list = query.separated(", ");
            for key in chunk {
                list.push_bind(*key);
            }
            query.push(")").build_query_as().persistent(false).fetch_all(c).await
        })?;
        found.extend(rows.into_iter().map(|(key, id, customer, kind, value, at)| (key, (Id(id), Id(customer), kind, value, UnixMs(at)))));
    }
    Ok(found)
}

const COLUMNS: usize = 7;

async fn write(tx: &mut Tx, rows: &[(Id, &str, Known<'_>)], on_conflict: &str, now: UnixMs) -> Result<(), StoreError> {
    for chunk in rows.chunks(MAX_BINDS / COLUMNS) {
        on!(tx, |c| {
            let mut query = QueryBuilder::new("INSERT INTO events (id, external_id, customer_id, kind, value, at, updated_at) ");
            query.push_values(chunk, |mut values, (id, key, row)| {
                values.push_bind(id.0).push_bind(*key).push_bind(row.customer.0).push_bind(row.kind).push_bind(row.value);
                values.push_bind(row.at.0).push_bind(now.0);
            });
            query.push(on_conflict).build().persistent(false).execute(c).await.map(|done| done.rows_affected())
        })?;
    }
    Ok(())
}

/// When the first survey answer up to `until` was given.
///
/// # Errors
/// When the database fails.
pub async fn first_answer(tx: &mut Tx, until: UnixMs) -> Result<Option<UnixMs>, StoreError> {
    let first: Option<i64> = on!(tx, FIRST_ANSWER, |c, q| sqlx::query_scalar(q).bind(until.0).fetch_one(c).await)?;
    Ok(first.map(UnixMs))
}

/// Gives every survey answer up to `until` to `take`, in no order. Nothing is kept in memory.
///
/// # Errors
/// When the database fails, and for an answer that is none.
pub async fn answers(tx: &mut Tx, until: UnixMs, mut take: impl FnMut(Survey, u8, UnixMs)) -> Result<(), StoreError> {
    let mut row = |(kind, value, at): (String, String, i64)| {
        let survey = Survey::of_kind(&kind);
        let answer = survey.and_then(|survey| Some((survey, survey.answer(&value).ok()?)));
        let (survey, answer) = answer.ok_or(StoreError::Corrupt { table: "events", column: "value", value })?;
        take(survey, answer, UnixMs(at));
        Ok::<(), StoreError>(())
    };
    let mut faulty = Ok(());
    on!(tx, ANSWERS, |c, q| {
        let mut rows = sqlx::query_as(q).bind(until.0).fetch(c);
        loop {
            match rows.try_next().await {
                Ok(Some(found)) => {
                    faulty = row(found);
                    if faulty.is_err() {
                        break Ok(());
                    }
                }
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        }
    })?;
    faulty
}
