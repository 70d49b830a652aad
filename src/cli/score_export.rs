//! The CSV of `stammgast score --export`.

use std::cmp::Ordering;
use std::io::Write;
use std::path::Path;

use super::replaced::replace;
use crate::base::id::Id;
use crate::model::score::Score;

const HEADER: [&str; 22] = [
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
];

/// Writes one line for each score, by external id: numbers by value, before texts. `external_ids` by id. The file is complete or not there.
pub(super) fn write(path: &Path, scores: &[Score], external_ids: &[(Id, String)]) -> anyhow::Result<()> {
    let external_id = |id: Id| external_ids.binary_search_by_key(&id, |(id, _)| *id).ok().map(|place| external_ids[place].1.as_str());
    // Somebody erased since the scores were computed has no line.
    let mut lines: Vec<(&str, &Score)> = scores.iter().filter_map(|score| Some((external_id(score.customer_id)?, score))).collect();
    lines.sort_unstable_by(|a, b| by_external_id(a.0, b.0));
    replace(path, |file| write_lines(file, &lines))
}

fn write_lines(file: &mut impl Write, lines: &[(&str, &Score)]) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_writer(file);
    csv.write_record(HEADER)?;
    for (external_id, score) in lines {
        let number = |value: i64| value.to_string();
        let known = |value: Option<i64>| value.map(number).unwrap_or_default();
        let outlook = &score.outlook;
        csv.write_record([
            (*external_id).to_owned(),
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
        ])?;
    }
    csv.flush()?;
    Ok(())
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
