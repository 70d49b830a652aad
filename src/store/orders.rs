//! Orders and their lines: written in batches, replaced as a whole.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sqlx::QueryBuilder;

use super::db::{MAX_BINDS, StoreError, Tx};
use super::{consents, customers};
use crate::base::id::{self, Id};
use crate::base::time::UnixMs;
use crate::model::import::{ImportCounts, Ingested};
use crate::model::order::{NewOrder, OrderLine};

/// What is stored of an order that comes again.
struct Known {
    id: Id,
    customer: Id,
    ordered_at: UnixMs,
    content_hash: i64,
}

/// An order on its way into the tables.
struct Placed<'a> {
    id: Id,
    customer: Id,
    order: &'a NewOrder,
    content_hash: i64,
}

/// Stores orders; one with a known key replaces the stored one with all its lines, unless nothing changed. Customers that nobody told us
/// of are made. Of two orders with the same key in a batch the later one counts.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else stored the same order or customer in this moment: the same call works anew.
pub async fn upsert(tx: &mut Tx, batch: &[NewOrder], now: UnixMs) -> Result<Ingested, StoreError> {
    let hashed: Vec<(&NewOrder, i64)> = batch.iter().map(|order| (order, order.content_hash())).collect();
    let last: BTreeMap<&str, (&NewOrder, i64)> = hashed.iter().map(|hashed| (hashed.0.external_id.as_str(), *hashed)).collect();
    let known = known(tx, &last.keys().copied().collect::<Vec<_>>()).await?;
    let counts = counts(&hashed, &known);
    let news: Vec<(&NewOrder, i64)> =
        last.into_values().filter(|(order, hash)| known.get(&order.external_id).is_none_or(|known| known.content_hash != *hash)).collect();
    let customers = customers_of(tx, &news, now).await?;

    let (mut new, mut changed) = (Vec::new(), Vec::new());
    let (mut touched, mut earliest) = (BTreeSet::new(), None::<UnixMs>);
    for ((order, content_hash), customer) in news.into_iter().zip(customers) {
        let mut moments = vec![order.ordered_at];
        touched.insert(customer);
        if let Some(before) = known.get(&order.external_id) {
            touched.insert(before.customer);
            moments.push(before.ordered_at);
            changed.push(Placed { id: before.id, customer, order, content_hash });
        } else {
            new.push(Placed { id: id::next(), customer, order, content_hash });
        }
        earliest = earliest.into_iter().chain(moments).min();
    }
    write(tx, &new, "", now).await?;
    write(
        tx,
        &changed,
        " ON CONFLICT (id) DO UPDATE SET customer_id = excluded.customer_id, ordered_at = excluded.ordered_at,
          revenue_cents = excluded.revenue_cents, cost_cents = excluded.cost_cents, currency = excluded.currency, status = excluded.status,
          voucher_code = excluded.voucher_code, content_hash = excluded.content_hash, updated_at = excluded.updated_at",
        now,
    )
    .await?;
    delete_lines(tx, &changed).await?;
    write_lines(tx, new.iter().chain(&changed)).await?;

    Ok(Ingested { counts, touched_customers: touched.into_iter().collect(), earliest })
}

/// What each order would do by itself, one after the other: where a batch ends must not tell, and one that replaces another of its batch has
/// changed it.
fn counts(batch: &[(&NewOrder, i64)], known: &HashMap<String, Known>) -> ImportCounts {
    let mut counts = ImportCounts::default();
    let mut seen: HashMap<&str, i64> = known.iter().map(|(key, known)| (key.as_str(), known.content_hash)).collect();
    for (order, hash) in batch {
        match seen.insert(&order.external_id, *hash) {
            None => counts.inserted += 1,
            Some(before) if before != *hash => counts.updated += 1,
            Some(_) => counts.unchanged += 1,
        }
    }
    counts
}

async fn known(tx: &mut Tx, keys: &[&str]) -> Result<HashMap<String, Known>, StoreError> {
    let mut found = HashMap::new();
    for chunk in keys.chunks(MAX_BINDS) {
        let rows: Vec<(String, i64, i64, i64, i64)> = on!(tx, |c| {
            let mut query = QueryBuilder::new("SELECT external_id, id, customer_id, ordered_at, content_hash FROM orders WHERE external_id IN (");
            let mut list = query.separated(", ");
            for key in chunk {
                list.push_bind(*key);
            }
            query.push(")").build_query_as().persistent(false).fetch_all(c).await
        })?;
        found.extend(rows.into_iter().map(|(key, id, customer, ordered_at, content_hash)| {
            (key, Known { id: Id(id), customer: Id(customer), ordered_at: UnixMs(ordered_at), content_hash })
        }));
    }
    Ok(found)
}

/// The customer of each order. What orders say about consent is kept; what they say about names and addresses only serves to make new customers.
async fn customers_of(tx: &mut Tx, news: &[(&NewOrder, i64)], now: UnixMs) -> Result<Vec<Id>, StoreError> {
    let named = news.iter().map(|(order, _)| (order.customer_external_id.as_str(), order.customer.as_deref()));
    let ids = customers::found_or_made(tx, named, now).await?;
    let owners: Vec<Id> = news.iter().map(|(order, _)| ids[&order.customer_external_id]).collect();
    let said = news.iter().zip(&owners).filter_map(|((order, _), id)| Some((*id, order.customer.as_ref()?.consent.as_ref()?)));
    consents::append(tx, &said.collect::<Vec<_>>()).await?;
    Ok(owners)
}

const ORDER_COLUMNS: usize = 11;
const LINE_COLUMNS: usize = 8;

async fn write(tx: &mut Tx, orders: &[Placed<'_>], on_conflict: &str, now: UnixMs) -> Result<(), StoreError> {
    for chunk in orders.chunks(MAX_BINDS / ORDER_COLUMNS) {
        on!(tx, |c| {
            let mut query = QueryBuilder::new(
                "INSERT INTO orders (id, external_id, customer_id, ordered_at, revenue_cents, cost_cents, currency, status, voucher_code, content_hash,
                 updated_at) ",
            );
            query.push_values(chunk, |mut values, Placed { id, customer, order, content_hash }| {
                values.push_bind(id.0).push_bind(order.external_id.as_str()).push_bind(customer.0).push_bind(order.ordered_at.0);
                values.push_bind(order.revenue.0).push_bind(order.cost.map(|cost| cost.0)).push_bind(order.currency.code());
                values.push_bind(order.status.code()).push_bind(order.voucher_code.as_deref()).push_bind(*content_hash).push_bind(now.0);
            });
            query.push(on_conflict).build().persistent(false).execute(c).await.map(|done| done.rows_affected())
        })?;
    }
    Ok(())
}

async fn delete_lines(tx: &mut Tx, orders: &[Placed<'_>]) -> Result<(), StoreError> {
    for chunk in orders.chunks(MAX_BINDS) {
        on!(tx, |c| {
            let mut query = QueryBuilder::new("DELETE FROM order_lines WHERE order_id IN (");
            let mut list = query.separated(", ");
            for placed in chunk {
                list.push_bind(placed.id.0);
            }
            query.push(")").build().persistent(false).execute(c).await.map(|done| done.rows_affected())
        })?;
    }
    Ok(())
}

async fn write_lines<'a>(tx: &mut Tx, orders: impl Iterator<Item = &'a Placed<'a>>) -> Result<(), StoreError> {
    let lines: Vec<(Id, i64, &OrderLine)> =
        orders.flat_map(|placed| (1..).zip(&placed.order.lines).map(|(number, line)| (placed.id, number, line))).collect();
    for chunk in lines.chunks(MAX_BINDS / LINE_COLUMNS) {
        on!(tx, |c| {
            let mut query = QueryBuilder::new("INSERT INTO order_lines (order_id, line_no, sku, name, category, quantity, total_cents, cost_cents) ");
            query.push_values(chunk, |mut values, (order, number, line)| {
                values.push_bind(order.0).push_bind(*number).push_bind(line.sku.as_deref()).push_bind(line.name.as_deref());
                values.push_bind(line.category.as_deref()).push_bind(line.quantity).push_bind(line.total.map(|total| total.0));
                values.push_bind(line.cost.map(|cost| cost.0));
            });
            query.build().persistent(false).execute(c).await.map(|done| done.rows_affected())
        })?;
    }
    Ok(())
}
