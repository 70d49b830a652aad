//! Every customer of the golden files gets the score that SQL and pandas found.

use std::collections::BTreeMap;

use stammgast::base::money::Cents;
use stammgast::model::score::{AbcRule, BucketRule, OrderFacts, Score, ScoreRules};
use stammgast::score::{Wanted, compute};

use super::{AS_OF, customer, default_rules, utc};

const RULES: [(&str, BucketRule); 4] =
    [("minrank", BucketRule::Minrank), ("midrank", BucketRule::Midrank), ("cumedist", BucketRule::Cumedist), ("ntile", BucketRule::Ntile)];

type Row = BTreeMap<String, String>;

fn rows(text: &str) -> Vec<Row> {
    csv::Reader::from_reader(text.as_bytes()).into_deserialize().collect::<Result<_, _>>().unwrap()
}

fn number(row: &Row, column: &str) -> i64 {
    row[column].parse().unwrap()
}

fn facts(rows: &[Row]) -> Vec<OrderFacts> {
    rows.iter()
        .map(|row| {
            let revenue = Cents::parse(&row["monetary"]).unwrap();
            customer(number(row, "customer_id"), number(row, "recency_days"), number(row, "orders"), revenue.0)
        })
        .collect()
}

fn check_file(text: &str, people: usize) {
    let rows = rows(text);
    assert_eq!(rows.len(), people);
    let facts = facts(&rows);
    let scores = |rules: &ScoreRules| compute(&facts, AS_OF, utc(), rules, Wanted::ALL).scores;
    for (word, bucket_rule) in RULES {
        for (score, row) in scores(&ScoreRules { bucket_rule, ..default_rules() }).iter().zip(&rows) {
            let expected = ["r", "f", "m"].map(|letter| number(row, &format!("{letter}_{word}")));
            assert_eq!([score.r, score.f, score.m], expected, "{word} of customer {}", row["customer_id"]);
            assert_eq!(score.rfm, expected[0] * 100 + expected[1] * 10 + expected[2]);
            assert_eq!(score.recency_days, number(row, "recency_days"));
        }
    }
    for (word, abc_rule) in [("abc_incl", AbcRule::Incl), ("abc_cross", AbcRule::Cross)] {
        for (score, row) in scores(&ScoreRules { abc_rule, ..default_rules() }).iter().zip(&rows) {
            assert_eq!(score.abc.code(), row[word], "{word} of customer {}", row["customer_id"]);
        }
    }
    for (score, row) in scores(&default_rules()).iter().zip(&rows) {
        assert_eq!(score.revenue_rank, number(row, "revenue_rank"), "customer {}", row["customer_id"]);
        for percent in [5, 10, 20] {
            assert_eq!(
                i64::from(score.top_percent <= percent),
                number(row, &format!("top{percent}")),
                "top {percent} % of customer {}",
                row["customer_id"]
            );
        }
    }
}

#[test]
fn all_cdnow_customers_of_june_1998_get_the_golden_scores() {
    check_file(include_str!("../../fixtures/rfm/rfm_cdnow_1998-06-30.csv"), 2357);
}

#[test]
fn half_of_them_in_september_1997_get_the_golden_scores() {
    check_file(include_str!("../../fixtures/rfm/rfm_firsthalf_1997-09-30.csv"), 1178);
}

#[test]
fn seven_and_three_customers_get_the_scores_that_one_can_check_by_hand() {
    let tiny: serde_json::Value = serde_json::from_str(include_str!("../../fixtures/rfm/rfm_tiny.json")).unwrap();
    for name in ["n7", "n3"] {
        let rows = tiny[name].as_array().unwrap();
        let number = |row: &serde_json::Value, column: &str| row[column].as_i64().unwrap();
        let facts: Vec<OrderFacts> = rows
            .iter()
            .map(|row| customer(number(row, "customer_id"), number(row, "recency_days"), number(row, "orders"), number(row, "cents")))
            .collect();
        for (word, bucket_rule) in RULES {
            for (score, row) in compute(&facts, AS_OF, utc(), &ScoreRules { bucket_rule, ..default_rules() }, Wanted::ALL).scores.iter().zip(rows) {
                let expected = ["r", "f", "m"].map(|letter| number(row, &format!("{letter}_{word}")));
                assert_eq!([score.r, score.f, score.m], expected, "{name}, {word}: {row}");
            }
        }
    }
}

#[test]
fn the_order_of_the_facts_changes_nothing() {
    let mut facts = facts(&rows(include_str!("../../fixtures/rfm/rfm_cdnow_1998-06-30.csv")));
    let rules = ScoreRules { bucket_rule: BucketRule::Ntile, ..default_rules() };
    let by_id = |mut scores: Vec<Score>| {
        scores.sort_by_key(|score| score.customer_id);
        scores
    };
    let forward = compute(&facts, AS_OF, utc(), &rules, Wanted::ALL);
    facts.reverse();
    let backward = compute(&facts, AS_OF, utc(), &rules, Wanted::ALL);
    assert_eq!(by_id(forward.scores), by_id(backward.scores));
    assert_eq!(forward.borders, backward.borders);
}
