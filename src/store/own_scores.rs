//! The shop's own scores: one row for each customer and score that is known.

use sqlx::QueryBuilder;

use super::db::{MAX_BINDS, StoreError, Tx, id_list};
use crate::base::id::Id;
use crate::model::attribute::Attributes;
use crate::model::own_score::DECIMALS;
use crate::model::predicate::Literal;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

statements! {
    CLEAR = "DELETE FROM own_scores";
    REMOVE = ["DELETE FROM own_scores WHERE customer_id ", ids "$1"];
}

/// Between the scores of a customer, and between the parts of one, where they are one text.
const BETWEEN_SCORES: char = '\u{1c}';
const BETWEEN_PARTS: char = '\u{1d}';

/// All scores of the customer whose id this expression is, as [`read`] takes them.
pub(super) fn select(id: &str) -> String {
    format!(
        "(SELECT string_agg(concat(o.name, '{BETWEEN_PARTS}', o.number_e6, '{BETWEEN_PARTS}', o.flag, '{BETWEEN_PARTS}', o.words), '{BETWEEN_SCORES}') \
         FROM own_scores o WHERE o.customer_id = {id})"
    )
}

/// What [`select`] found; `None` when it means nothing.
pub(super) fn read(text: &str) -> Option<Attributes> {
    text.split(BETWEEN_SCORES).map(value).collect()
}

fn value(text: &str) -> Option<(String, Literal)> {
    let mut parts = text.splitn(4, BETWEEN_PARTS);
    let (name, number, flag, words) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let literal = match (number, flag, words) {
        (number, "", "") => Literal::Number(Decimal::new(number.parse().ok()?, DECIMALS).normalize()),
        ("", flag, "") => Literal::Flag(flag == "1"),
        ("", "", words) => Literal::Text(words.to_owned()),
        _ => return None,
    };
    Some((name.to_owned(), literal))
}

/// A number as it is stored.
fn stored(number: &Decimal) -> Option<i64> {
    number.checked_mul(Decimal::from(10_i64.pow(DECIMALS)))?.to_i64()
}

/// Values to be stored, of many customers: 40 bytes each.
#[derive(Debug, Default)]
pub struct Values {
    names: Vec<String>,
    rows: Vec<(Id, u32, Value)>,
}

#[derive(Debug)]
enum Value {
    Number(i64),
    Flag(bool),
    Words(Box<str>),
}

impl Values {
    /// Adds those of a customer.
    pub fn keep(&mut self, id: Id, values: &Attributes) {
        for (name, value) in values {
            let value = match value {
                // What cannot be stored is unknown.
                Literal::Number(number) => stored(number).map(Value::Number),
                Literal::Flag(flag) => Some(Value::Flag(*flag)),
                Literal::Text(words) => Some(Value::Words(words.as_str().into())),
            };
            let known = self.names.iter().position(|known| known == name).unwrap_or_else(|| {
                self.names.push(name.clone());
                self.names.len() - 1
            });
            self.rows.extend(value.and_then(|value| Some((id, u32::try_from(known).ok()?, value))));
        }
    }
}

/// Stores values beside those that are there; of nobody who has some already.
///
/// # Errors
/// When the database fails, and when a customer is not there any more.
pub async fn add(tx: &mut Tx, values: &Values) -> Result<(), StoreError> {
    for chunk in values.rows.chunks(MAX_BINDS / 5) {
        on!(tx, |c| {
            let mut query = QueryBuilder::new("INSERT INTO own_scores (customer_id, name, number_e6, flag, words) ");
            query.push_values(chunk, |mut row, (id, name, value)| {
                let (number, flag, words) = match value {
                    Value::Number(number) => (Some(*number), None, None),
                    Value::Flag(flag) => (None, Some(i64::from(*flag)), None),
                    Value::Words(words) => (None, None, Some(&**words)),
                };
                row.push_bind(id.0).push_bind(values.names.get(*name as usize)).push_bind(number).push_bind(flag).push_bind(words);
            });
            query.build().persistent(false).execute(c).await.map(|_| ())
        })?;
    }
    Ok(())
}

/// Takes all values away.
///
/// # Errors
/// When the database fails.
pub async fn clear(tx: &mut Tx) -> Result<(), StoreError> {
    on!(tx, CLEAR, |c, q| sqlx::query(q).execute(c).await.map(|_| ()))
}

/// Takes the values of some customers away.
///
/// # Errors
/// When the database fails.
pub async fn remove(tx: &mut Tx, ids: &[Id]) -> Result<(), StoreError> {
    let list = id_list(ids.iter().copied());
    on!(tx, REMOVE, |c, q| sqlx::query(q).bind(&list).execute(c).await.map(|_| ()))
}
