//! Customers: found by the shop's key, read page by page, written in batches.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::NaiveDate;
use sqlx::QueryBuilder;

use super::consents;
use super::db::{MAX_BINDS, StoreError, Tx};
use crate::base::id::{self, Id};
use crate::base::time::UnixMs;
use crate::model::attribute;
use crate::model::customer::{Customer, Locale, NewCustomer};
use crate::model::email_address::EmailAddress;
use crate::model::import::ImportCounts;

statements! {
    WITH_ADDRESS_OF = "SELECT k.id FROM customers c JOIN customers k ON k.email_key = c.email_key WHERE c.id = $1 ORDER BY k.id";
    BY_EXTERNAL_ID = "SELECT id, external_id, email, first_name, last_name, birthday, locale, tags, attributes, referred_by FROM customers WHERE external_id = $1";
    PAGE_AFTER = "SELECT id, external_id, email, first_name, last_name, birthday, locale, tags, attributes, referred_by FROM customers WHERE id > $1 ORDER BY id LIMIT $2";
}

type Row = (i64, String, Option<String>, Option<String>, Option<String>, Option<String>, Option<String>, String, String, Option<String>);

fn customer((id, external_id, email, first_name, last_name, birthday, locale, tags, attributes, referred_by): Row) -> Result<Customer, StoreError> {
    let corrupt = |column, value: &str| StoreError::Corrupt { table: "customers", column, value: value.to_owned() };
    let birthday = birthday.map(|text| text.parse::<NaiveDate>().map_err(|_| corrupt("birthday", &text))).transpose()?;
    Ok(Customer {
        id: Id(id),
        // The value itself is personal data and stays out of the message.
        email: email.map(|text| EmailAddress::parse(&text).map_err(|_| corrupt("email", &external_id))).transpose()?,
        first_name,
        last_name,
        birthday,
        locale: locale.as_deref().and_then(Locale::parse),
        tags: serde_json::from_str(&tags).map_err(|_| corrupt("tags", &tags))?,
        attributes: attribute::from_json(&attributes).ok_or_else(|| corrupt("attributes", &external_id))?,
        external_id,
        referred_by,
    })
}

/// The customer with the shop's key.
///
/// # Errors
/// When the database fails.
pub async fn by_external_id(tx: &mut Tx, external_id: &str) -> Result<Option<Customer>, StoreError> {
    let row: Option<Row> = on!(tx, BY_EXTERNAL_ID, |c, q| sqlx::query_as(q).bind(external_id).fetch_optional(c).await)?;
    row.map(customer).transpose()
}

/// At most `limit` customers with ids above `after`, ordered by id: pass the last one's id to go on.
///
/// # Errors
/// When the database fails.
pub async fn page_after(tx: &mut Tx, after: Id, limit: i64) -> Result<Vec<Customer>, StoreError> {
    let rows: Vec<Row> = on!(tx, PAGE_AFTER, |c, q| sqlx::query_as(q).bind(after.0).bind(limit).fetch_all(c).await)?;
    rows.into_iter().map(customer).collect()
}

/// The stored customers among those with the given keys.
async fn by_external_ids(tx: &mut Tx, keys: &[&str]) -> Result<HashMap<String, Customer>, StoreError> {
    let mut found = HashMap::with_capacity(keys.len());
    for chunk in keys.chunks(MAX_BINDS) {
        let rows: Vec<Row> = on!(tx, |c| {
            let mut query = QueryBuilder::new(
                "SELECT id, external_id, email, first_name, last_name, birthday, locale, tags, attributes, referred_by FROM customers WHERE external_id IN (",
            );
            let mut list = query.separated(", ");
            for key in chunk {
                list.push_bind(*key);
            }
            query.push(")").build_query_as().persistent(false).fetch_all(c).await
        })?;
        for row in rows {
            let customer = customer(row)?;
            found.insert(customer.external_id.clone(), customer);
        }
    }
    Ok(found)
}

/// Our ids of the given keys; keys that nobody has are left out.
async fn ids_of(tx: &mut Tx, keys: &[&str]) -> Result<HashMap<String, Id>, StoreError> {
    let mut found = HashMap::with_capacity(keys.len());
    for chunk in keys.chunks(MAX_BINDS) {
        let rows: Vec<(String, i64)> = on!(tx, |c| {
            let mut query = QueryBuilder::new("SELECT external_id, id FROM customers WHERE external_id IN (");
            let mut list = query.separated(", ");
            for key in chunk {
                list.push_bind(*key);
            }
            query.push(")").build_query_as().persistent(false).fetch_all(c).await
        })?;
        found.extend(rows.into_iter().map(|(key, id)| (key, Id(id))));
    }
    Ok(found)
}

/// Address key, shop's key and our id of everybody with one of the addresses, the oldest first.
async fn by_email_keys(tx: &mut Tx, keys: &[&str]) -> Result<Vec<(String, String, Id)>, StoreError> {
    let mut found = Vec::new();
    for chunk in keys.chunks(MAX_BINDS) {
        let rows: Vec<(String, String, i64)> = on!(tx, |c| {
            let mut query = QueryBuilder::new("SELECT email_key, external_id, id FROM customers WHERE email_key IN (");
            let mut list = query.separated(", ");
            for key in chunk {
                list.push_bind(*key);
            }
            query.push(") ORDER BY id").build_query_as().persistent(false).fetch_all(c).await
        })?;
        found.extend(rows.into_iter().map(|(email, key, id)| (email, key, Id(id))));
    }
    Ok(found)
}

/// The key that a customer has while only their orders are known, and those name an address instead of a customer number.
fn provisional_key(news: &NewCustomer) -> Option<String> {
    let address = news.email.as_ref()?.as_ref()?.key();
    let key = news.external_id.split_once(':').map_or_else(|| address.clone(), |(source, _)| format!("{source}:{address}"));
    (key != news.external_id).then_some(key)
}

/// Stores news of customers, the later of two about the same customer on top of the earlier, with the consents that come along.
/// Returns what it did, and our id for each of the news. A customer who so far had an address as key, because only orders were known,
/// gets the shop's key now.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else stored the same customer in this moment: the transaction is lost, the same call works anew.
pub async fn upsert(tx: &mut Tx, batch: &[NewCustomer], now: UnixMs) -> Result<(ImportCounts, Vec<Id>), StoreError> {
    let keys: Vec<&str> = batch.iter().map(|news| news.external_id.as_str()).collect();
    let mut stored = by_external_ids(tx, &keys).await?;
    let unknown = batch.iter().filter(|news| !stored.contains_key(&news.external_id));
    let provisional: Vec<(&str, String)> = unknown.filter_map(|news| Some((news.external_id.as_str(), provisional_key(news)?))).collect();
    let found = by_external_ids(tx, &provisional.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>()).await?;
    let mut taken = HashMap::new();
    for (key, provisional) in &provisional {
        // Of two who share the address the first one takes the orders over.
        if let Some(customer) = found.get(provisional)
            && *taken.entry(customer.id).or_insert(*key) == *key
            && !keys.contains(&provisional.as_str())
        {
            stored.insert((*key).to_owned(), customer.clone());
        }
    }

    let mut after: BTreeMap<&str, (Customer, UnixMs)> = BTreeMap::new();
    let mut counts = ImportCounts::default();
    for news in batch {
        let so_far = after.get(news.external_id.as_str()).map(|(customer, _)| customer).or_else(|| stored.get(&news.external_id));
        let customer = news.apply(so_far.map_or_else(id::next, |customer| customer.id), so_far);
        match after.get(news.external_id.as_str()) {
            Some((before, _)) if *before == customer => counts.unchanged += 1,
            // The line before was the news, this one changes it.
            Some(_) => counts.updated += 1,
            None => {}
        }
        after.insert(&news.external_id, (customer, news.created_at.unwrap_or(now)));
    }
    let (mut new, mut changed, mut same) = (Vec::new(), Vec::new(), HashSet::new());
    for (key, row) in &after {
        match stored.get(*key) {
            None => new.push(row),
            Some(before) if *before != row.0 => changed.push(row),
            Some(_) => _ = same.insert(row.0.id),
        }
    }
    write(tx, &new, "", now).await?;
    write(
        tx,
        &changed,
        " ON CONFLICT (id) DO UPDATE SET external_id = excluded.external_id, email = excluded.email, email_key = excluded.email_key,
          first_name = excluded.first_name, last_name = excluded.last_name, birthday = excluded.birthday, locale = excluded.locale,
          tags = excluded.tags, attributes = excluded.attributes, referred_by = excluded.referred_by, updated_at = excluded.updated_at",
        now,
    )
    .await?;
    let ids: Vec<Id> = batch.iter().map(|news| after[news.external_id.as_str()].0.id).collect();
    let statements: Vec<_> = batch.iter().zip(&ids).filter_map(|(news, id)| Some((*id, news.consent.as_ref()?))).collect();
    for spoken in consents::append(tx, &statements).await? {
        // A new statement is a change, even of a customer whose record is as before.
        if same.remove(&spoken) {
            counts.updated += 1;
        }
    }
    counts.inserted += new.len() as u64;
    counts.updated += changed.len() as u64;
    counts.unchanged += same.len() as u64;
    Ok((counts, ids))
}

/// All customers with the address of this one, that one among them, by id: one person may be known by several keys.
///
/// # Errors
/// When the database fails.
pub async fn with_address_of(tx: &mut Tx, customer: Id) -> Result<Vec<Id>, StoreError> {
    let ids: Vec<i64> = on!(tx, WITH_ADDRESS_OF, |c, q| sqlx::query_scalar(q).bind(customer.0).fetch_all(c).await)?;
    Ok(if ids.is_empty() { vec![customer] } else { ids.into_iter().map(Id).collect() })
}

/// Our id for each of the keys that orders or events name: of the customer with the shop's key; with the address, where the key is nothing but an
/// address; else of a new customer, made from what came along with the key.
///
/// # Errors
/// As [`upsert`].
pub(super) async fn found_or_made<'a>(
    tx: &mut Tx,
    named: impl Iterator<Item = (&'a str, Option<&'a NewCustomer>)>,
    now: UnixMs,
) -> Result<HashMap<String, Id>, StoreError> {
    // The first who says anything about a person is heard.
    let mut missing: BTreeMap<&str, Option<&NewCustomer>> = BTreeMap::new();
    for (key, person) in named {
        let known = missing.entry(key).or_default();
        *known = known.or(person);
    }
    let mut ids = ids_of(tx, &missing.keys().copied().collect::<Vec<_>>()).await?;
    missing.retain(|key, _| !ids.contains_key(*key));

    // Key → the address in it, where the key is an address (behind the name of a source).
    let address = |person: &NewCustomer| person.email.as_ref()?.as_ref().map(EmailAddress::key);
    let by_address: Vec<(&str, String)> =
        missing.iter().filter_map(|(key, person)| Some((*key, address((*person)?).filter(|address| key.ends_with(address.as_str()))?))).collect();
    let found = by_email_keys(tx, &by_address.iter().map(|(_, address)| address.as_str()).collect::<Vec<_>>()).await?;
    let mut owners: HashMap<&str, Vec<&(String, String, Id)>> = HashMap::new();
    for owner in &found {
        owners.entry(owner.0.as_str()).or_default().push(owner);
    }
    for (key, address) in &by_address {
        let source = &key[..key.len() - address.len()];
        let owner = owners.get(address.as_str()).into_iter().flatten().find(|owner| owner.1.starts_with(source));
        if let Some(owner) = owner {
            ids.insert((*key).to_owned(), owner.2);
            missing.remove(key);
        }
    }
    let made: Vec<NewCustomer> = missing.into_iter().map(|(key, person)| person.cloned().unwrap_or_else(|| NewCustomer::unknown(key))).collect();
    let (_, made_ids) = upsert(tx, &made, now).await?;
    ids.extend(made.into_iter().map(|person| person.external_id).zip(made_ids));
    Ok(ids)
}

const COLUMNS: usize = 13;

async fn write(tx: &mut Tx, rows: &[&(Customer, UnixMs)], on_conflict: &str, now: UnixMs) -> Result<(), StoreError> {
    for chunk in rows.chunks(MAX_BINDS / COLUMNS) {
        on!(tx, |c| {
            let mut query = QueryBuilder::new(
                "INSERT INTO customers (id, external_id, email, email_key, first_name, last_name, birthday, locale, tags, attributes, referred_by,
                 created_at, updated_at) ",
            );
            query.push_values(chunk, |mut values, (customer, created_at)| {
                let tags = if customer.tags.is_empty() { "[]".to_owned() } else { serde_json::json!(customer.tags).to_string() };
                values.push_bind(customer.id.0).push_bind(customer.external_id.as_str()).push_bind(customer.email.as_ref().map(EmailAddress::as_str));
                values.push_bind(customer.email.as_ref().map(EmailAddress::key)).push_bind(customer.first_name.as_deref());
                values.push_bind(customer.last_name.as_deref()).push_bind(customer.birthday.map(|day| day.to_string()));
                values.push_bind(customer.locale.map(Locale::code)).push_bind(tags).push_bind(attribute::to_json(&customer.attributes));
                values.push_bind(customer.referred_by.as_deref()).push_bind(created_at.0).push_bind(now.0);
            });
            query.push(on_conflict).build().persistent(false).execute(c).await.map(|done| done.rows_affected())
        })?;
    }
    Ok(())
}
