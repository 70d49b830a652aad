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
}

/// A page is one text: each row and each value of it costs the drivers more than its bytes do.
const COLUMNS: &str = "SELECT string_agg(p.line, '\u{1e}' ORDER BY p.id) FROM (
            SELECT c.id, concat(c.id, '\u{1f}', c.external_id, '\u{1f}', c.email, '\u{1f}', c.first_name, '\u{1f}', c.last_name, '\u{1f}', c.birthday, '\u{1f}', c.locale, '\u{1f}', c.tags, '\u{1f}', c.attributes,
                   '\u{1f}', concat_ws(' ', s.as_of, s.recency_days, s.orders, s.revenue_cents, s.average_order_value_cents, s.first_order_at, s.last_order_at,
                                   s.tenure_days, s.r, s.f, s.m, s.rfm, s.rfm_weighted_e4, s.revenue_rank, s.top_percent, s.abc)) AS line ";

/// CROSS JOIN keeps SQLite from beginning with the customers. Where a page begins is said of both tables, or PostgreSQL, which merges them, reads one of them from
/// its beginning for each page.
const BY_SCORES: [&str; 3] =
    ["FROM scores s CROSS JOIN customers c WHERE c.id = s.customer_id AND c.id > ", " AND s.customer_id > ", " ORDER BY s.customer_id LIMIT "];
const BY_CUSTOMERS: [&str; 3] =
    ["FROM customers c LEFT JOIN scores s ON s.customer_id = c.id AND s.customer_id > ", " WHERE c.id > ", " ORDER BY c.id LIMIT "];

/// Between customers, and between the columns of one: no text that was taken in holds a control character, and none that is there is empty.
const BETWEEN_CUSTOMERS: char = '\u{1e}';
const BETWEEN_COLUMNS: char = '\u{1f}';

/// The next customers after `after`, by id, with the scores that are stored and the parts of their history that are asked for.
pub async fn page(tx: &mut Tx, after: Id, limit: u32, needs: Needs) -> Result<Vec<Facts>, StoreError> {
    read(tx, after, limit, needs, None).await
}

/// As [`page`], of those whom the filter lets pass.
pub async fn page_where(tx: &mut Tx, after: Id, limit: u32, needs: Needs, filter: &Filter) -> Result<Vec<Facts>, StoreError> {
    read(tx, after, limit, needs, Some(filter)).await
}

async fn read(tx: &mut Tx, after: Id, limit: u32, needs: Needs, filter: Option<&Filter>) -> Result<Vec<Facts>, StoreError> {
    // Who has to have scores is looked for there: the rows are small, and few customers are left to look up.
    let by_scores = filter.is_some_and(Filter::asks_for_scores);
    let [tables, begin, order] = if by_scores { BY_SCORES } else { BY_CUSTOMERS };
    let page: Option<String> = on!(tx, |c| {
        let mut query = QueryBuilder::new(COLUMNS);
        query.push(tables).push_bind(after.0).push(begin).push_bind(after.0);
        if let Some(filter) = filter {
            query.push(" AND ");
            filter.push(&mut query);
        }
        // The limit stands in the text: PostgreSQL plans for a tenth of all rows where it does not know it, and reads whole tables for each page.
        query.push(order).push(limit).push(") p");
        query.build_query_scalar().fetch_one(c).await
    })?;
    with_history(tx, page, needs).await
}

async fn with_history(tx: &mut Tx, page: Option<String>, needs: Needs) -> Result<Vec<Facts>, StoreError> {
    let lines = page.iter().flat_map(|page| page.split(BETWEEN_CUSTOMERS));
    let mut people = lines.map(facts).collect::<Result<Vec<_>, _>>()?;
    history::fill(tx, &mut people, needs).await?;
    Ok(people)
}

/// How many customers there are.
pub async fn count(tx: &mut Tx) -> Result<i64, StoreError> {
    on!(tx, COUNT, |c, q| sqlx::query_scalar(q).fetch_one(c).await)
}

fn facts(line: &str) -> Result<Facts, StoreError> {
    let mut parts = line.split(BETWEEN_COLUMNS);
    let id = parts.next().unwrap_or_default();
    // The values are personal data and stay out of the message.
    let corrupt = |column: &'static str| StoreError::Corrupt { table: "customers", column, value: format!("of the customer with id {id}") };
    let id = Id(id.parse().map_err(|_| corrupt("id"))?);
    let mut part = || parts.next().map(|text| (!text.is_empty()).then_some(text)).ok_or_else(|| corrupt("(any)"));
    let (external_id, email, first_name, last_name, birthday) = (part()?.unwrap_or_default(), part()?, part()?, part()?, part()?);
    let (locale, tags, attributes, scores) = (part()?, part()?.unwrap_or("[]"), part()?.unwrap_or("{}"), part()?);
    if part().is_ok() {
        return Err(corrupt("(any)"));
    }
    let customer = Customer {
        id,
        external_id: external_id.to_owned(),
        // An address that an older version accepted and this one does not is nobody's address: the gate says so.
        email: email.and_then(|text| EmailAddress::parse(text).ok()),
        first_name: first_name.map(str::to_owned),
        last_name: last_name.map(str::to_owned),
        birthday: birthday.map(|text| NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| corrupt("birthday"))).transpose()?,
        locale: locale.and_then(Locale::parse),
        tags: if tags == "[]" { Vec::new() } else { serde_json::from_str(tags).map_err(|_| corrupt("tags"))? },
        attributes: attribute::from_json(attributes).ok_or_else(|| corrupt("attributes"))?,
    };
    let read = |text: &str| score(id, text).ok_or_else(|| StoreError::Corrupt { table: "scores", column: "(any)", value: text.to_owned() });
    let score = scores.map(read).transpose()?;
    Ok(Facts::new(customer, score))
}

fn score(customer_id: Id, text: &str) -> Option<Score> {
    let mut parts = text.split(' ');
    let mut next = || parts.next()?.parse::<i64>().ok();
    let score = Score {
        customer_id,
        as_of: UnixMs(next()?),
        recency_days: next()?,
        orders: next()?,
        revenue: Cents(next()?),
        average_order_value: Cents(next()?),
        first_order_at: UnixMs(next()?),
        last_order_at: UnixMs(next()?),
        tenure_days: next()?,
        r: next()?,
        f: next()?,
        m: next()?,
        rfm: next()?,
        rfm_weighted_e4: next()?,
        revenue_rank: next()?,
        top_percent: next()?,
        abc: Abc::C,
    };
    Some(Score { abc: Abc::parse(parts.next()?)?, ..score })
}
