//! Customers with their scores, page by page: what rules are evaluated on.

use chrono::NaiveDate;
use sqlx::{Database, QueryBuilder};

use super::db::{Sql, StoreError, Tx, id_list};
use super::filter::{Filter, Tables};
use super::{history, own_scores};
use crate::base::id::Id;
use crate::base::money::Cents;
use crate::base::time::UnixMs;
use crate::model::attribute::{self, Attributes};
use crate::model::customer::{Customer, Locale};
use crate::model::email_address::EmailAddress;
use crate::model::fact::Source;
use crate::model::facts::{Facts, Needs};
use crate::model::outlook::Outlook;
use crate::model::score::{Abc, Score};

statements! {
    COUNT = "SELECT COUNT(*) FROM customers";
    /// Whether many or few pass a filter decides how a page is best found, and only its values tell: planned without them, PostgreSQL takes the long way
    /// over the key's index. What comes after the page looks rows up by key again.
    PLAN_BY_VALUES = { postgres: "SET LOCAL plan_cache_mode = force_custom_plan" };
    PLAN_ONCE = { postgres: "SET LOCAL plan_cache_mode = force_generic_plan" };
}

/// Whose ids are in a list.
const AMONG: Sql = statements!(@one [" WHERE c.id ", ids "$1"]);

/// Between customers, and between the values of one: no text that was taken in holds a control character, and none that is there is empty.
const BETWEEN_CUSTOMERS: char = '\u{1e}';
const BETWEEN_VALUES: char = '\u{1f}';

/// How a value gets from its column into the record or the scores; `None` when it means nothing.
type Put<T> = fn(&mut T, &str) -> Option<()>;

const RECORD: &[(&str, Put<Customer>)] = &[
    ("external_id", |customer, text| set(&mut customer.external_id, Some(text.to_owned()))),
    // An address that an older version accepted and this one does not is nobody's address: the gate says so.
    ("email", |customer, text| set(&mut customer.email, Some(EmailAddress::parse(text).ok()))),
    ("first_name", |customer, text| set(&mut customer.first_name, Some(Some(text.to_owned())))),
    ("last_name", |customer, text| set(&mut customer.last_name, Some(Some(text.to_owned())))),
    ("referred_by", |customer, text| set(&mut customer.referred_by, Some(Some(text.to_owned())))),
    ("birthday", |customer, text| set(&mut customer.birthday, day(text).map(Some))),
    ("locale", |customer, text| set(&mut customer.locale, Some(Locale::parse(text)))),
    ("tags", |customer, text| if text == "[]" { Some(()) } else { set(&mut customer.tags, serde_json::from_str(text).ok()) }),
    ("attributes", |customer, text| if text == "{}" { Some(()) } else { set(&mut customer.attributes, attribute::from_json(text)) }),
];

/// The first ones are never empty for whoever has scores. Whoever has nothing but empty ones might as well have none: nothing else was asked for.
const SCORES: &[(&str, Put<Score>)] = &[
    ("as_of", |score, text| set(&mut score.as_of, text.parse().ok().map(UnixMs))),
    ("recency_days", |score, text| set(&mut score.recency_days, text.parse().ok())),
    ("orders", |score, text| set(&mut score.orders, text.parse().ok())),
    ("revenue_cents", |score, text| set(&mut score.revenue, text.parse().ok().map(Cents))),
    ("average_order_value_cents", |score, text| set(&mut score.average_order_value, text.parse().ok().map(Cents))),
    ("first_order_at", |score, text| set(&mut score.first_order_at, text.parse().ok().map(UnixMs))),
    ("last_order_at", |score, text| set(&mut score.last_order_at, text.parse().ok().map(UnixMs))),
    ("tenure_days", |score, text| set(&mut score.tenure_days, text.parse().ok())),
    ("r", |score, text| set(&mut score.r, text.parse().ok())),
    ("f", |score, text| set(&mut score.f, text.parse().ok())),
    ("m", |score, text| set(&mut score.m, text.parse().ok())),
    ("rfm", |score, text| set(&mut score.rfm, text.parse().ok())),
    ("rfm_weighted_e4", |score, text| set(&mut score.rfm_weighted_e4, text.parse().ok())),
    ("abc", |score, text| set(&mut score.abc, Abc::parse(text))),
    ("abc_adjusted", |score, text| set(&mut score.abc_adjusted, Abc::parse(text).map(Some))),
    ("revenue_rank", |score, text| set(&mut score.revenue_rank, text.parse().ok())),
    ("top_percent", |score, text| set(&mut score.top_percent, text.parse().ok())),
    ("typical_gap_e1", |score, text| set(&mut score.outlook.typical_gap_e1, text.parse().ok().map(Some))),
    ("next_order_in_days", |score, text| set(&mut score.outlook.next_order_in_days, text.parse().ok().map(Some))),
    ("churn_risk_e2", |score, text| set(&mut score.outlook.churn_risk_e2, text.parse().ok().map(Some))),
    ("expected_orders_365_e4", |score, text| set(&mut score.outlook.expected_orders_365_e4, text.parse().ok().map(Some))),
    ("expected_order_value_cents", |score, text| set(&mut score.outlook.expected_order_value, text.parse().ok().map(Cents).map(Some))),
    ("clv_12m_cents", |score, text| set(&mut score.outlook.clv_12m, text.parse().ok().map(Cents).map(Some))),
];

/// The next customers after `after`, by id, whom the filter lets pass; of each what `needs` names and nothing else, with the scores that are stored.
///
/// # Errors
/// When the database fails, or holds what means nothing.
pub async fn page(tx: &mut Tx, after: Id, limit: u32, needs: Needs, filter: Option<&Filter>) -> Result<Vec<Facts>, StoreError> {
    let columns = Columns::of(needs);
    let tables = columns.tables().and(filter.map(Filter::tables).unwrap_or_default());
    // Who has to have scores is looked for there: the rows are small, and few customers are left to look up.
    let by_scores = filter.is_some_and(Filter::asks_for_scores);
    // CROSS JOIN keeps SQLite from beginning with the customers. Where a page begins is said of both tables, or PostgreSQL, which merges them, reads one
    // of them from its beginning for each page.
    let (id, from, and_from) = match (by_scores, tables) {
        (true, Tables { customers: false, .. }) => ("s.customer_id", " FROM scores s WHERE s.customer_id > ", None),
        (true, _) => ("s.customer_id", " FROM scores s CROSS JOIN customers c WHERE c.id = s.customer_id AND c.id > ", Some(" AND s.customer_id > ")),
        (false, Tables { scores: false, .. }) => ("c.id", " FROM customers c WHERE c.id > ", None),
        (false, _) => ("c.id", " FROM customers c LEFT JOIN scores s ON s.customer_id = c.id AND s.customer_id > ", Some(" WHERE c.id > ")),
    };
    plan(tx, PLAN_BY_VALUES).await?;
    let page: Option<String> = on!(tx, |c| {
        let mut query = columns.select(id);
        query.push(from).push_bind(after.0);
        if let Some(and_from) = and_from {
            query.push(and_from).push_bind(after.0);
        }
        if let Some(filter) = filter {
            query.push(" AND ");
            filter.push(&mut query);
        }
        // The limit stands in the text: PostgreSQL plans for a tenth of all rows where it does not know it, and reads whole tables for each page.
        query.push(" ORDER BY ").push(id).push(" LIMIT ").push(limit).push(") p");
        query.build_query_scalar().fetch_one(c).await
    })?;
    plan(tx, PLAN_ONCE).await?;
    columns.read(tx, page.as_deref()).await
}

/// How PostgreSQL plans what comes next in this transaction.
async fn plan(tx: &mut Tx, how: Sql) -> Result<(), StoreError> {
    match tx {
        Tx::Sqlite(_) => Ok(()),
        Tx::Postgres(inner) => Ok(sqlx::query(how.postgres).execute(&mut **inner).await.map(drop)?),
    }
}

/// These customers, by id, as far as they are still there.
///
/// # Errors
/// As [`page`].
pub async fn of(tx: &mut Tx, ids: &[Id], needs: Needs) -> Result<Vec<Facts>, StoreError> {
    let (columns, list) = (Columns::of(needs), id_list(ids.iter().copied()));
    let page: Option<String> = on!(tx, AMONG, |c, q| {
        let mut query = columns.select("c.id");
        query.push(" FROM customers c LEFT JOIN scores s ON s.customer_id = c.id").push(q).push(") p");
        query.build_query_scalar().bind(&list).fetch_one(c).await
    })?;
    columns.read(tx, page.as_deref()).await
}

/// How many customers there are.
pub async fn count(tx: &mut Tx) -> Result<i64, StoreError> {
    on!(tx, COUNT, |c, q| sqlx::query_scalar(q).fetch_one(c).await)
}

/// What is read of each customer.
struct Columns {
    needs: Needs,
    /// The shop's own scores.
    own: bool,
    record: Vec<&'static (&'static str, Put<Customer>)>,
    scores: Vec<&'static (&'static str, Put<Score>)>,
}

impl Columns {
    fn of(needs: Needs) -> Self {
        // Who asks for the whole record gets what no rule can ask for, too.
        let whole = needs.and(Needs::RECORD) == needs;
        Self {
            needs,
            own: whole || needs.from(Source::Own),
            record: RECORD.iter().filter(|(name, _)| whole || needs.from(Source::Customer(name))).collect(),
            scores: SCORES.iter().filter(|(name, _)| whole || needs.from(Source::Score(name))).collect(),
        }
    }

    fn tables(&self) -> Tables {
        Tables { customers: !self.record.is_empty(), scores: !self.scores.is_empty() }
    }

    /// A page is one text: each row and each value of it costs the drivers more than its bytes do.
    fn select<DB: Database>(&self, id: &str) -> QueryBuilder<DB> {
        let mut query = QueryBuilder::new("SELECT string_agg(p.line, '\u{1e}') FROM (SELECT concat(");
        query.push(id);
        for (name, _) in &self.record {
            query.push(", '\u{1f}', c.").push(name);
        }
        for (name, _) in &self.scores {
            query.push(", '\u{1f}', s.").push(name);
        }
        if self.own {
            query.push(", '\u{1f}', ").push(own_scores::select(id));
        }
        query.push(") AS line");
        query
    }

    async fn read(&self, tx: &mut Tx, page: Option<&str>) -> Result<Vec<Facts>, StoreError> {
        let page = page.unwrap_or_default();
        // Room for all of them at once: growing would copy most of them twice, and hold both.
        let mut people =
            Vec::with_capacity(if page.is_empty() { 0 } else { memchr::memchr_iter(BETWEEN_CUSTOMERS as u8, page.as_bytes()).count() + 1 });
        for line in page.split(BETWEEN_CUSTOMERS).filter(|line| !line.is_empty()) {
            self.facts(line, &mut people)?;
        }
        // They are in this order already; no database promises it.
        people.sort_by_key(|facts| facts.customer.id);
        history::fill(tx, &mut people, self.needs).await?;
        Ok(people)
    }

    /// Adds a line's customer: made where it stays, because it is large.
    fn facts(&self, line: &str, people: &mut Vec<Facts>) -> Result<(), StoreError> {
        let mut values = Values(Some(line));
        let id = values.next().unwrap_or_default();
        // The values are personal data and stay out of the message.
        let corrupt =
            |table: &'static str, column: &'static str| StoreError::Corrupt { table, column, value: format!("of the customer with id {id}") };
        let id = Id(id.parse().map_err(|_| corrupt("customers", "id"))?);
        people.push(Facts { read: self.needs, ..Facts::new(nobody(id), None) });
        let Some(facts) = people.last_mut() else { return Ok(()) };
        for (column, put) in &self.record {
            let value = values.next().ok_or_else(|| corrupt("customers", column))?;
            if !value.is_empty() {
                put(&mut facts.customer, value).ok_or_else(|| corrupt("customers", column))?;
            }
        }
        for (column, put) in &self.scores {
            let value = values.next().ok_or_else(|| corrupt("scores", column))?;
            if !value.is_empty() {
                put(facts.score.get_or_insert_with(|| Box::new(nothing(id))), value).ok_or_else(|| corrupt("scores", column))?;
            }
        }
        if self.own {
            let text = values.next().ok_or_else(|| corrupt("own_scores", "(any)"))?;
            if !text.is_empty() {
                facts.own = own_scores::read(text).ok_or_else(|| corrupt("own_scores", "(any)"))?;
            }
        }
        values.next().map_or(Ok(()), |_| Err(corrupt("customers", "(any)")))
    }
}

/// The values of a line.
struct Values<'a>(Option<&'a str>);

impl<'a> Iterator for Values<'a> {
    type Item = &'a str;

    /// Most are short: looking byte by byte is faster than `split`.
    fn next(&mut self) -> Option<&'a str> {
        let rest = self.0?;
        let end = rest.bytes().position(|byte| u32::from(byte) == u32::from(BETWEEN_VALUES));
        self.0 = end.map(|end| &rest[end + 1..]);
        Some(end.map_or(rest, |end| &rest[..end]))
    }
}

fn set<T>(place: &mut T, value: Option<T>) -> Option<()> {
    *place = value?;
    Some(())
}

/// `YYYY-MM-DD`, as it is stored.
fn day(text: &str) -> Option<NaiveDate> {
    let mut parts = text.splitn(3, '-');
    let mut next = || parts.next();
    NaiveDate::from_ymd_opt(next()?.parse().ok()?, next()?.parse().ok()?, next()?.parse().ok()?)
}

fn nobody(id: Id) -> Customer {
    Customer {
        id,
        external_id: String::new(),
        email: None,
        first_name: None,
        last_name: None,
        birthday: None,
        locale: None,
        tags: Vec::new(),
        attributes: Attributes::new(),
        referred_by: None,
    }
}

fn nothing(customer_id: Id) -> Score {
    Score {
        customer_id,
        as_of: UnixMs(0),
        recency_days: 0,
        orders: 0,
        revenue: Cents(0),
        average_order_value: Cents(0),
        first_order_at: UnixMs(0),
        last_order_at: UnixMs(0),
        tenure_days: 0,
        r: 0,
        f: 0,
        m: 0,
        rfm: 0,
        rfm_weighted_e4: 0,
        abc: Abc::C,
        abc_adjusted: None,
        revenue_rank: 0,
        top_percent: 0,
        outlook: Outlook::default(),
    }
}
