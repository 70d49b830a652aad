//! Customers with their scores, page by page: what rules are evaluated on.

use chrono::NaiveDate;

use sqlx::QueryBuilder;

use super::db::{StoreError, Tx};
use super::filter::Filter;
use super::history;
use crate::base::id::Id;
use crate::base::money::Cents;
use crate::base::time::UnixMs;
use crate::model::attribute;
use crate::model::customer::{Customer, Locale};
use crate::model::email_address::EmailAddress;
use crate::model::facts::{Facts, Needs};
use crate::model::score::{Abc, Score};

statements! {
    COUNT = "SELECT COUNT(*) FROM customers";
    PAGE = "SELECT c.id, c.external_id, c.email, c.first_name, c.last_name, c.birthday, c.locale, c.tags, c.attributes,
                   s.as_of, s.recency_days, s.orders, s.revenue_cents, s.average_order_value_cents, s.first_order_at, s.last_order_at, s.tenure_days,
                   s.r, s.f, s.m, s.rfm, s.rfm_weighted_e4, s.abc, s.revenue_rank, s.top_percent
            FROM customers c LEFT JOIN scores s ON s.customer_id = c.id WHERE c.id > $1 ORDER BY c.id LIMIT $2";
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    external_id: String,
    email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    birthday: Option<String>,
    locale: Option<String>,
    tags: String,
    attributes: String,
    as_of: Option<i64>,
    recency_days: Option<i64>,
    orders: Option<i64>,
    revenue_cents: Option<i64>,
    average_order_value_cents: Option<i64>,
    first_order_at: Option<i64>,
    last_order_at: Option<i64>,
    tenure_days: Option<i64>,
    r: Option<i64>,
    f: Option<i64>,
    m: Option<i64>,
    rfm: Option<i64>,
    rfm_weighted_e4: Option<i64>,
    abc: Option<String>,
    revenue_rank: Option<i64>,
    top_percent: Option<i64>,
}

/// The next customers after `after`, by id, with the scores that are stored and the parts of their history that are asked for.
pub async fn page(tx: &mut Tx, after: Id, limit: i64, needs: Needs) -> Result<Vec<Facts>, StoreError> {
    let rows: Vec<Row> = on!(tx, PAGE, |c, q| sqlx::query_as(q).bind(after.0).bind(limit).fetch_all(c).await)?;
    with_history(tx, rows, needs).await
}

/// As [`page`], of those whom the filter lets pass.
pub async fn page_where(tx: &mut Tx, after: Id, limit: i64, needs: Needs, filter: &Filter) -> Result<Vec<Facts>, StoreError> {
    let rows: Vec<Row> = on!(tx, |c| {
        // The same columns, without the place and the limit.
        let (columns, _) = PAGE.sqlite.split_once("WHERE").unwrap_or((PAGE.sqlite, ""));
        let mut query = QueryBuilder::new(columns);
        query.push("WHERE c.id > ").push_bind(after.0).push(" AND ");
        filter.push(&mut query);
        query.push(" ORDER BY c.id LIMIT ").push_bind(limit);
        query.build_query_as().fetch_all(c).await
    })?;
    with_history(tx, rows, needs).await
}

async fn with_history(tx: &mut Tx, rows: Vec<Row>, needs: Needs) -> Result<Vec<Facts>, StoreError> {
    let mut people = rows.into_iter().map(facts).collect::<Result<Vec<_>, _>>()?;
    history::fill(tx, &mut people, needs).await?;
    Ok(people)
}

/// How many customers there are.
pub async fn count(tx: &mut Tx) -> Result<i64, StoreError> {
    on!(tx, COUNT, |c, q| sqlx::query_scalar(q).fetch_one(c).await)
}

fn facts(row: Row) -> Result<Facts, StoreError> {
    let corrupt = |column: &'static str, value: &str| StoreError::Corrupt { table: "customers", column, value: value.to_owned() };
    let birthday =
        row.birthday.as_deref().map(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| corrupt("birthday", text))).transpose()?;
    // An address that an older version accepted and this one does not is nobody's address: the gate says so.
    let email = row.email.as_deref().and_then(|text| EmailAddress::parse(text).ok());
    let tags = if row.tags == "[]" { Vec::new() } else { serde_json::from_str(&row.tags).map_err(|_| corrupt("tags", &row.tags))? };
    let score = score(&row)?;
    let customer = Customer {
        id: Id(row.id),
        external_id: row.external_id,
        email,
        first_name: row.first_name,
        last_name: row.last_name,
        birthday,
        locale: row.locale.as_deref().and_then(Locale::parse),
        tags,
        attributes: attribute::from_json(&row.attributes).ok_or_else(|| corrupt("attributes", &row.id.to_string()))?,
    };
    Ok(Facts::new(customer, score))
}

fn score(row: &Row) -> Result<Option<Score>, StoreError> {
    let Some(as_of) = row.as_of else { return Ok(None) };
    let need = |value: Option<i64>| value.ok_or(StoreError::Corrupt { table: "scores", column: "(any)", value: "NULL".to_owned() });
    let abc = row.abc.as_deref().unwrap_or_default();
    Ok(Some(Score {
        customer_id: Id(row.id),
        as_of: UnixMs(as_of),
        recency_days: need(row.recency_days)?,
        orders: need(row.orders)?,
        revenue: Cents(need(row.revenue_cents)?),
        average_order_value: Cents(need(row.average_order_value_cents)?),
        first_order_at: UnixMs(need(row.first_order_at)?),
        last_order_at: UnixMs(need(row.last_order_at)?),
        tenure_days: need(row.tenure_days)?,
        r: need(row.r)?,
        f: need(row.f)?,
        m: need(row.m)?,
        rfm: need(row.rfm)?,
        rfm_weighted_e4: need(row.rfm_weighted_e4)?,
        abc: Abc::parse(abc).ok_or_else(|| StoreError::Corrupt { table: "scores", column: "abc", value: abc.to_owned() })?,
        revenue_rank: need(row.revenue_rank)?,
        top_percent: need(row.top_percent)?,
    }))
}
