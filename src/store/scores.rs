//! Order facts as of a moment, and scores.

use futures_util::{StreamExt as _, TryStreamExt as _};
use sqlx::{ColumnIndex, Decode, QueryBuilder, Row, Type};

use super::db::{MAX_BINDS, StoreError, Tx};
use crate::base::id::Id;
use crate::base::money::Cents;
use crate::base::time::{UnixMs, Zone};
use crate::model::outlook::Outlook;
use crate::model::score::{Abc, OrderFacts, PaidOrder, Score};
use crate::score::habit::Habits;

/// What [`facts`] and [`facts_of`] read for each customer.
type FactsRow = (i64, i64, i64, i64, String);

statements! {
    // The plus keeps SQLite off the index: sorting what one scan finds takes half the time of looking up every order in the index's order.
    FACTS = {
        sqlite: "SELECT +customer_id, COUNT(*), SUM(revenue_cents), SUM(COALESCE(revenue_cents - cost_cents, 0)), string_agg(concat(ordered_at, ' ', revenue_cents), ' ')
                 FROM orders WHERE status = 'paid' AND ordered_at <= $1 GROUP BY +customer_id ORDER BY +customer_id",
        postgres: "SELECT customer_id, COUNT(*), CAST(SUM(revenue_cents) AS BIGINT), CAST(SUM(COALESCE(revenue_cents - cost_cents, 0)) AS BIGINT),
                       string_agg(concat(ordered_at, ' ', revenue_cents), ' ')
                   FROM orders WHERE status = 'paid' AND ordered_at <= $1 GROUP BY customer_id ORDER BY customer_id"
    };
    PAID = "SELECT customer_id, ordered_at, revenue_cents, COALESCE(revenue_cents - cost_cents, 0) FROM orders
            WHERE status = 'paid' AND ordered_at <= $1 ORDER BY ordered_at, id";
    COUNT_PAID = "SELECT COUNT(*) FROM orders WHERE status = 'paid' AND ordered_at <= $1";
    FIRST_PAID = "SELECT MIN(ordered_at) FROM orders WHERE status = 'paid'";
    PAGE = "SELECT customer_id, as_of, recency_days, orders, revenue_cents, average_order_value_cents, first_order_at, last_order_at, tenure_days,
                r, f, m, rfm, rfm_weighted_e4, abc, revenue_rank, top_percent,
                typical_gap_e1, next_order_in_days, churn_risk_e2, expected_orders_365_e4, expected_order_value_cents, clv_12m_cents, abc_adjusted
            FROM scores WHERE customer_id > $1 ORDER BY customer_id LIMIT $2";
    EXTERNAL_IDS = "SELECT c.id, c.external_id FROM customers c WHERE EXISTS (SELECT 1 FROM orders o WHERE o.customer_id = c.id) ORDER BY c.id";
    DELETE_ALL = "DELETE FROM scores";
}

/// The facts of everybody with paid orders up to `as_of`, by customer id. The margin counts only orders whose cost is known.
///
/// # Errors
/// When the database fails.
pub async fn facts(tx: &mut Tx, as_of: UnixMs, zone: Zone) -> Result<Vec<OrderFacts>, StoreError> {
    let (mut orders, mut habits) = (Vec::new(), Habits::new(zone));
    let mut order_facts = |row: Result<FactsRow, sqlx::Error>| order_facts(&row?, &mut habits, &mut orders);
    on!(tx, FACTS, |c, q| {
        let rows = sqlx::query_as::<_, FactsRow>(q).bind(as_of.0).fetch(c);
        rows.map(&mut order_facts).try_collect::<Vec<_>>().await
    })
}

/// The paid orders up to `until`, oldest first: what [`facts`] adds up.
///
/// # Errors
/// When the database fails.
pub async fn paid(tx: &mut Tx, until: UnixMs) -> Result<Vec<PaidOrder>, StoreError> {
    let order = |(customer, at, revenue, margin): (i64, i64, i64, i64)| PaidOrder {
        customer_id: Id(customer),
        at: UnixMs(at),
        revenue: Cents(revenue),
        margin: Cents(margin),
    };
    let count: i64 = on!(tx, COUNT_PAID, |c, q| sqlx::query_scalar(q).bind(until.0).fetch_one(c).await)?;
    // Room for all at once: growing would hold the most of them twice.
    let mut orders = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    let mut keep = |row| {
        orders.push(order(row));
        std::future::ready(Ok(()))
    };
    on!(tx, PAID, |c, q| sqlx::query_as(q).bind(until.0).fetch(c).try_for_each(&mut keep).await)?;
    Ok(orders)
}

/// The moment of the first paid order.
///
/// # Errors
/// When the database fails.
pub async fn first_paid(tx: &mut Tx) -> Result<Option<UnixMs>, StoreError> {
    let at: Option<i64> = on!(tx, FIRST_PAID, |c, q| sqlx::query_scalar(q).fetch_one(c).await)?;
    Ok(at.map(UnixMs))
}

/// The same as [`facts`] for some customers; who has no paid order up to then is not in it.
///
/// # Errors
/// When the database fails.
pub async fn facts_of(tx: &mut Tx, ids: &[Id], as_of: UnixMs, zone: Zone) -> Result<Vec<OrderFacts>, StoreError> {
    let (mut found, mut orders, mut habits) = (Vec::with_capacity(ids.len()), Vec::new(), Habits::new(zone));
    for chunk in ids.chunks(MAX_BINDS - 1) {
        let rows: Vec<FactsRow> = on!(tx, |c| {
            let mut query = QueryBuilder::new(
                "SELECT customer_id, COUNT(*), CAST(SUM(revenue_cents) AS BIGINT), CAST(SUM(COALESCE(revenue_cents - cost_cents, 0)) AS BIGINT),
                     string_agg(concat(ordered_at, ' ', revenue_cents), ' ') FROM orders WHERE status = 'paid' AND ordered_at <= ",
            );
            query.push_bind(as_of.0).push(" AND customer_id IN (");
            let mut list = query.separated(", ");
            for id in chunk {
                list.push_bind(id.0);
            }
            query.push(") GROUP BY customer_id");
            query.build_query_as().persistent(false).fetch_all(c).await
        })?;
        for row in rows {
            found.push(order_facts(&row, &mut habits, &mut orders)?);
        }
    }
    Ok(found)
}

/// `orders` is room that is used again.
fn order_facts(
    &(customer_id, count, revenue, margin, ref text): &FactsRow,
    habits: &mut Habits,
    orders: &mut Vec<(UnixMs, Cents)>,
) -> Result<OrderFacts, StoreError> {
    let mut numbers = Numbers(text.as_bytes());
    orders.clear();
    while let (Some(at), Some(cents)) = (numbers.next(), numbers.next()) {
        orders.push((UnixMs(at), Cents(cents)));
    }
    let habit = habits.of(orders);
    match (orders.first(), orders.last()) {
        (Some(first), Some(last)) if i64::try_from(orders.len()) == Ok(count) => Ok(OrderFacts {
            customer_id: Id(customer_id),
            orders: count,
            revenue: Cents(revenue),
            margin: Cents(margin),
            first_order_at: first.0,
            last_order_at: last.0,
            habit,
        }),
        _ => Err(StoreError::Corrupt { table: "orders", column: "(any)", value: format!("of the customer with id {customer_id}") }),
    }
}

/// Whole numbers with a sign between them, as the database writes them; ends at what is none. Ten million orders are read this way, in a third of the time that
/// splitting and parsing take.
struct Numbers<'a>(&'a [u8]);

impl Iterator for Numbers<'_> {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        let (negative, digits) = match self.0 {
            [b'-', digits @ ..] => (true, digits),
            digits => (false, digits),
        };
        let length = digits.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(digits.len());
        let (number, rest) = digits.split_at(length);
        // Towards the side that has room for one more.
        let whole = number.iter().try_fold(0_i64, |sum, digit| sum.checked_mul(10)?.checked_sub(i64::from(digit - b'0')));
        self.0 = rest.get(1..).unwrap_or_default();
        whole.filter(|_| length > 0).and_then(|whole| if negative { Some(whole) } else { whole.checked_neg() })
    }
}

/// Rows of scores in one statement; each has 24 columns.
const ROWS: usize = 1_300;

/// Stores scores, in place of what was stored for these customers.
///
/// # Errors
/// When the database fails, and when a customer is not there any more.
pub async fn put(tx: &mut Tx, scores: &[Score]) -> Result<(), StoreError> {
    for chunk in scores.chunks(ROWS) {
        on!(tx, |c| {
            let mut query = QueryBuilder::new(
                "INSERT INTO scores (customer_id, as_of, recency_days, orders, revenue_cents, average_order_value_cents, first_order_at, last_order_at,
                     tenure_days, r, f, m, rfm, rfm_weighted_e4, abc, revenue_rank, top_percent,
                typical_gap_e1, next_order_in_days, churn_risk_e2, expected_orders_365_e4, expected_order_value_cents, clv_12m_cents, abc_adjusted) ",
            );
            query.push_values(chunk, |mut row, score| {
                row.push_bind(score.customer_id.0)
                    .push_bind(score.as_of.0)
                    .push_bind(score.recency_days)
                    .push_bind(score.orders)
                    .push_bind(score.revenue.0)
                    .push_bind(score.average_order_value.0)
                    .push_bind(score.first_order_at.0)
                    .push_bind(score.last_order_at.0)
                    .push_bind(score.tenure_days)
                    .push_bind(score.r)
                    .push_bind(score.f)
                    .push_bind(score.m)
                    .push_bind(score.rfm)
                    .push_bind(score.rfm_weighted_e4)
                    .push_bind(score.abc.code())
                    .push_bind(score.revenue_rank)
                    .push_bind(score.top_percent)
                    .push_bind(score.outlook.typical_gap_e1)
                    .push_bind(score.outlook.next_order_in_days)
                    .push_bind(score.outlook.churn_risk_e2)
                    .push_bind(score.outlook.expected_orders_365_e4)
                    .push_bind(score.outlook.expected_order_value.map(|cents| cents.0))
                    .push_bind(score.outlook.clv_12m.map(|cents| cents.0))
                    .push_bind(score.abc_adjusted.map(Abc::code));
            });
            query.push(
                " ON CONFLICT (customer_id) DO UPDATE SET as_of = excluded.as_of, recency_days = excluded.recency_days, orders = excluded.orders,
                     revenue_cents = excluded.revenue_cents, average_order_value_cents = excluded.average_order_value_cents,
                     first_order_at = excluded.first_order_at, last_order_at = excluded.last_order_at, tenure_days = excluded.tenure_days,
                     r = excluded.r, f = excluded.f, m = excluded.m, rfm = excluded.rfm, rfm_weighted_e4 = excluded.rfm_weighted_e4,
                     abc = excluded.abc, revenue_rank = excluded.revenue_rank, top_percent = excluded.top_percent,
                     typical_gap_e1 = excluded.typical_gap_e1, next_order_in_days = excluded.next_order_in_days, churn_risk_e2 = excluded.churn_risk_e2,
                     expected_orders_365_e4 = excluded.expected_orders_365_e4, expected_order_value_cents = excluded.expected_order_value_cents,
                     clv_12m_cents = excluded.clv_12m_cents, abc_adjusted = excluded.abc_adjusted",
            );
            query.build().persistent(false).execute(c).await.map(|_| ())
        })?;
    }
    Ok(())
}

/// Takes the scores of customers away who have no orders that count any more.
///
/// # Errors
/// When the database fails.
pub async fn remove(tx: &mut Tx, ids: &[Id]) -> Result<(), StoreError> {
    for chunk in ids.chunks(MAX_BINDS) {
        on!(tx, |c| {
            let mut query = QueryBuilder::new("DELETE FROM scores WHERE customer_id IN (");
            let mut list = query.separated(", ");
            for id in chunk {
                list.push_bind(id.0);
            }
            query.push(")");
            query.build().persistent(false).execute(c).await.map(|_| ())
        })?;
    }
    Ok(())
}

/// The stored scores of some customers, by customer id; who never bought has none.
///
/// # Errors
/// When the database fails or holds a class that is none.
pub async fn of(tx: &mut Tx, ids: &[Id]) -> Result<Vec<Score>, StoreError> {
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(MAX_BINDS) {
        on!(tx, |c| {
            let mut query = QueryBuilder::new(
                "SELECT customer_id, as_of, recency_days, orders, revenue_cents, average_order_value_cents, first_order_at, last_order_at, tenure_days,
                     r, f, m, rfm, rfm_weighted_e4, abc, revenue_rank, top_percent,
                typical_gap_e1, next_order_in_days, churn_risk_e2, expected_orders_365_e4, expected_order_value_cents, clv_12m_cents, abc_adjusted FROM scores WHERE customer_id IN (",
            );
            let mut list = query.separated(", ");
            for id in chunk {
                list.push_bind(id.0);
            }
            query.push(") ORDER BY customer_id");
            let rows = query.build().persistent(false).fetch_all(c).await?;
            rows.iter().try_for_each(|row| {
                found.push(score(row)?);
                Ok::<_, StoreError>(())
            })
        })?;
    }
    Ok(found)
}

/// The stored scores of the next customers after `after`, by customer id, `limit` at most.
///
/// # Errors
/// When the database fails or holds a class that is none.
pub async fn page(tx: &mut Tx, after: Id, limit: i64) -> Result<Vec<Score>, StoreError> {
    on!(tx, PAGE, |c, q| {
        let rows = sqlx::query(q).bind(after.0).bind(limit).fetch_all(c).await?;
        rows.iter().map(score).collect::<Result<Vec<Score>, StoreError>>()
    })
}

/// Reads a row as [`PAGE`] lists the columns; the same for both drivers.
fn score<'r, R>(row: &'r R) -> Result<Score, StoreError>
where
    R: Row,
    usize: ColumnIndex<R>,
    i64: Decode<'r, R::Database> + Type<R::Database>,
    &'r str: Decode<'r, R::Database> + Type<R::Database>,
{
    let number = |column: usize| row.try_get::<i64, usize>(column);
    let class =
        |column: &'static str, text: &str| Abc::parse(text).ok_or_else(|| StoreError::Corrupt { table: "scores", column, value: text.to_owned() });
    Ok(Score {
        customer_id: Id(number(0)?),
        as_of: UnixMs(number(1)?),
        recency_days: number(2)?,
        orders: number(3)?,
        revenue: Cents(number(4)?),
        average_order_value: Cents(number(5)?),
        first_order_at: UnixMs(number(6)?),
        last_order_at: UnixMs(number(7)?),
        tenure_days: number(8)?,
        r: number(9)?,
        f: number(10)?,
        m: number(11)?,
        rfm: number(12)?,
        rfm_weighted_e4: number(13)?,
        abc: class("abc", row.try_get(14)?)?,
        abc_adjusted: row.try_get::<Option<&str>, usize>(23)?.map(|text| class("abc_adjusted", text)).transpose()?,
        revenue_rank: number(15)?,
        top_percent: number(16)?,
        outlook: Outlook {
            typical_gap_e1: row.try_get(17)?,
            next_order_in_days: row.try_get(18)?,
            churn_risk_e2: row.try_get(19)?,
            expected_orders_365_e4: row.try_get(20)?,
            expected_order_value: row.try_get::<Option<i64>, usize>(21)?.map(Cents),
            clv_12m: row.try_get::<Option<i64>, usize>(22)?.map(Cents),
        },
    })
}

/// The shop's key of everybody who ever ordered, by customer id.
///
/// # Errors
/// When the database fails.
pub async fn external_ids(tx: &mut Tx) -> Result<Vec<(Id, String)>, StoreError> {
    on!(tx, EXTERNAL_IDS, |c, q| {
        sqlx::query_as::<_, (i64, String)>(q).fetch(c).map_ok(|(id, external_id)| (Id(id), external_id)).try_collect().await
    })
}

/// These are all the scores there are.
///
/// # Errors
/// When the database fails.
pub async fn replace(tx: &mut Tx, scores: &[Score]) -> Result<(), StoreError> {
    on!(tx, DELETE_ALL, |c, q| sqlx::query(q).execute(c).await.map(|_| ()))?;
    put(tx, scores).await
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let all = [0, 7, -7, 1_768_478_400_000, i64::MAX, i64::MIN, 10];
        let text = all.map(|number| number.to_string()).join(" ");
        assert_eq!(Numbers(text.as_bytes()).collect::<Vec<_>>(), all);
        for (text, read) in [("", vec![]), ("5 x 6", vec![5]), ("-", vec![]), ("9223372036854775808", vec![]), ("1  2", vec![1])] {
            assert_eq!(Numbers(text.as_bytes()).collect::<Vec<_>>(), read, "'{text}'");
        }
    }
}
