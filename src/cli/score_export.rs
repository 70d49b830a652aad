//! The CSV of `stammgast score --export`.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use super::replaced::replace;
use crate::base::id::Id;
use crate::model::attribute::Attributes;
use crate::model::facts::Facts;
use crate::model::predicate::Literal;
use crate::model::score::{Abc, Score};

const HEADER: [&str; 23] = [
    "customer_id",
    "recency_days",
    "orders",
    "revenue_cents",
    "r",
    "f",
    "m",
    "rfm",
    "abc",
    "revenue_rank",
    "top_percent",
    "rfm_weighted_e4",
    "average_order_value_cents",
    "first_order_at",
    "last_order_at",
    "tenure_days",
    "typical_gap_e1",
    "next_order_in_days",
    "churn_risk_e2",
    "expected_orders_365_e4",
    "expected_order_value_cents",
    "clv_12m_cents",
    "abc_adjusted",
];

/// What is written.
pub(super) struct Export<'a> {
    /// The scores of everybody with orders.
    pub scores: &'a [Score],
    /// The shop's keys of these, by our id.
    pub external_ids: &'a [(Id, String)],
    /// Names of the shop's own scores.
    pub own: &'a [String],
    /// Who has a value of one.
    pub people: &'a [Facts],
}

/// Somebody's line.
#[derive(Default)]
struct Line<'a> {
    score: Option<&'a Score>,
    own: Option<&'a Attributes>,
}

/// Writes one line for each score, and for each customer with an own score, by external id: numbers by value, before texts. The file is complete or not
/// there.
pub(super) fn write(path: &Path, export: &Export) -> anyhow::Result<()> {
    let ids = export.external_ids;
    let external_id = |id: Id| ids.binary_search_by_key(&id, |(id, _)| *id).ok().map(|place| ids[place].1.as_str());
    let mut found: HashMap<&str, Line> = HashMap::new();
    for score in export.scores {
        // Somebody erased since the scores were computed has no line.
        if let Some(id) = external_id(score.customer_id) {
            found.entry(id).or_default().score = Some(score);
        }
    }
    for facts in export.people {
        found.entry(&facts.customer.external_id).or_default().own = Some(&facts.own);
    }
    let mut lines: Vec<(&str, Line)> = found.into_iter().collect();
    lines.sort_unstable_by(|a, b| by_external_id(a.0, b.0));
    replace(path, |file| write_lines(file, &lines, export.own))
}

fn write_lines(file: &mut impl Write, lines: &[(&str, Line)], own: &[String]) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    csv.write_record(HEADER.iter().map(|name| (*name).to_owned()).chain(own.iter().map(|name| format!("score_{name}"))))?;
    for (external_id, line) in lines {
        let known = line.score.map_or_else(|| std::array::from_fn(|_| String::new()), figures);
        let own = own.iter().map(|name| line.own.and_then(|values| values.get(name)).map(written).unwrap_or_default());
        csv.write_record(std::iter::once((*external_id).to_owned()).chain(known).chain(own))?;
    }
    csv.flush()?;
    Ok(())
}

fn written(value: &Literal) -> String {
    match value {
        Literal::Number(number) => number.to_string(),
        Literal::Flag(flag) => flag.to_string(),
        Literal::Text(text) => text.clone(),
    }
}

/// The columns of the header after the first.
fn figures(score: &Score) -> [String; HEADER.len() - 1] {
    let number = |value: i64| value.to_string();
    let known = |value: Option<i64>| value.map(number).unwrap_or_default();
    let outlook = &score.outlook;
    [
        number(score.recency_days),
        number(score.orders),
        number(score.revenue.0),
        number(score.r),
        number(score.f),
        number(score.m),
        number(score.rfm),
        score.abc.code().to_owned(),
        number(score.revenue_rank),
        number(score.top_percent),
        number(score.rfm_weighted_e4),
        number(score.average_order_value.0),
        score.first_order_at.to_string(),
        score.last_order_at.to_string(),
        number(score.tenure_days),
        known(outlook.typical_gap_e1),
        known(outlook.next_order_in_days),
        known(outlook.churn_risk_e2),
        known(outlook.expected_orders_365_e4),
        known(outlook.expected_order_value.map(|cents| cents.0)),
        known(outlook.clv_12m.map(|cents| cents.0)),
        score.abc_adjusted.map(Abc::code).unwrap_or_default().to_owned(),
    ]
}

/// Numbers by value, then texts as bytes; `7` before `07`, so that the order is always the same.
fn by_external_id(a: &str, b: &str) -> Ordering {
    fn key(text: &str) -> (bool, usize, &str) {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let digits = text.trim_start_matches('0');
        if is_number { (false, digits.len(), digits) } else { (true, 0, text) }
    }
    key(a).cmp(&key(b)).then_with(|| a.len().cmp(&b.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_sorted_by_value_and_texts_after_them() {
        let mut ids = ["b", "10", "9", "07", "a2", "7", "123456789012345678901234567890", "", "a10"];
        ids.sort_by(|a, b| by_external_id(a, b));
        assert_eq!(ids, ["7", "07", "9", "10", "123456789012345678901234567890", "", "a10", "a2", "b"]);
    }
}
