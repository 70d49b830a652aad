//! Every customer of the golden files gets the score that SQL and pandas found.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stammgast::base::money::Cents;
use stammgast::model::score::{AbcRule, BucketRule, OrderFacts, Score, ScoreRules};
use stammgast::score::{Wanted, compute};

use super::{AS_OF, customer, default_rules, utc};

const RULES: [(&str, BucketRule); 4] =
    [("minrank", BucketRule::Minrank), ("midrank", BucketRule::Midrank), ("cumedist", BucketRule::Cumedist), ("ntile", BucketRule::Ntile)];

type Row = BTreeMap<String, String>;

/// A figure of a score.
type Figure = fn(&Score) -> i64;

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

/// Whole cents of an amount in a summary.
fn cents(amount: &Value) -> i64 {
    Cents::parse(&format!("{:.2}", amount.as_f64().unwrap())).unwrap().0
}

/// How often each word occurs.
fn counted<Word: Ord>(words: impl Iterator<Item = Word>) -> BTreeMap<Word, i64> {
    words.fold(BTreeMap::new(), |mut counts, word| {
        *counts.entry(word).or_default() += 1;
        counts
    })
}

/// How many of the rows share their value with another one.
fn tied(values: impl Iterator<Item = i64>) -> i64 {
    counted(values).values().filter(|count| **count > 1).sum()
}

fn check_summary(rows_text: &str, summary: &str) {
    let (rows, golden): (Vec<Row>, Value) = (rows(rows_text), serde_json::from_str(summary).unwrap());
    let facts = facts(&rows);
    let scores = |rules: &ScoreRules| compute(&facts, AS_OF, utc(), rules, Wanted::ALL).scores;
    let total = facts.iter().map(|of| of.revenue.0).sum::<i64>();
    assert_eq!(golden["n_customers"], scores(&default_rules()).len());
    assert_eq!((cents(&golden["total_revenue"]), &golden["orders"]), (total, &json!(facts.iter().map(|of| of.orders).sum::<i64>())));
    let by_ntile = scores(&ScoreRules { bucket_rule: BucketRule::Ntile, ..default_rules() });
    for (word, bucket_rule) in RULES {
        let scores = scores(&ScoreRules { bucket_rule, ..default_rules() });
        let letters: [(&str, Figure, Figure); 3] = [
            ("r", |score| score.r, |score| score.recency_days),
            ("f", |score| score.f, |score| score.orders),
            ("m", |score| score.m, |score| score.revenue.0),
        ];
        for (letter, points, value) in letters {
            let counts = counted(scores.iter().map(|score| points(score).to_string()));
            assert_eq!(golden["score_counts"][format!("{letter}_{word}")], json!(counts), "{letter} by {word}");
            let others = scores.iter().zip(&by_ntile).filter(|(score, ntile)| points(score) != points(ntile)).count();
            assert_eq!(golden["disagreement_with_ntile"][word][letter], others, "{letter} by {word}");
            let classes = counted(scores.iter().map(|score| (value(score), points(score))));
            let split = counted(classes.keys().map(|(value, _)| *value));
            let apart = scores.iter().filter(|score| split[&value(score)] > 1).count();
            assert_eq!(golden["equal_value_different_score_customers"][word][letter], apart, "{letter} by {word}");
        }
        if let Some(cells) = golden.get(format!("cells_{word}")) {
            let found = counted(scores.iter().map(|score| score.rfm.to_string()));
            assert_eq!(cells["distinct"], found.len());
            for (cell, people) in cells["top5"].as_object().unwrap() {
                assert_eq!(people, found[cell], "{cell} by {word}");
            }
        }
    }
    let ties =
        [tied(by_ntile.iter().map(|of| of.recency_days)), tied(by_ntile.iter().map(|of| of.orders)), tied(by_ntile.iter().map(|of| of.revenue.0))];
    assert_eq!(json!(ties), json!(["recency_days", "orders", "monetary"].map(|column| &golden["customers_with_tied_value"][column])));
    let share = |revenue: i64, of: &Value| {
        let (revenue, total) = (f64::from(i32::try_from(revenue).unwrap()), f64::from(i32::try_from(total).unwrap()));
        (revenue / total - of["revenue_share"].as_f64().unwrap()).abs() < 1e-9
    };
    for (word, abc_rule) in [("abc_incl", AbcRule::Incl), ("abc_cross", AbcRule::Cross)] {
        let scores = scores(&ScoreRules { abc_rule, ..default_rules() });
        for (class, expected) in golden["abc"][word].as_object().unwrap() {
            let members: Vec<i64> = scores.iter().filter(|score| score.abc.code() == class).map(|score| score.revenue.0).collect();
            let sum = members.iter().sum();
            assert_eq!((&expected["customers"], cents(&expected["revenue"])), (&json!(members.len()), sum), "{word} {class}");
            assert_eq!(members.iter().min(), Some(&cents(&expected["min_revenue_in_class"])), "{word} {class}");
            assert!(share(sum, expected), "{word} {class}");
        }
    }
    let mut by_rank = scores(&default_rules());
    by_rank.sort_by_key(|score| score.revenue_rank);
    for percent in [5, 10, 20] {
        let expected = &golden["top"][format!("top_{percent}pct")];
        let best: Vec<&Score> = by_rank.iter().filter(|score| score.top_percent <= percent).collect();
        let sum = best.iter().map(|score| score.revenue.0).sum();
        assert_eq!((&expected["n_ceil"], cents(&expected["revenue"])), (&json!(best.len()), sum), "top {percent} %");
        assert!(share(sum, expected), "top {percent} %");
        let (last, next) = (best[best.len() - 1], &by_rank[best.len()]);
        assert_eq!((&expected["last_customer_id"], cents(&expected["threshold_revenue"])), (&json!(last.customer_id.0), last.revenue.0));
        assert_eq!(cents(&expected["next_revenue"]), next.revenue.0);
        assert_eq!(expected["first_10_ids"], json!(best[..10].iter().map(|score| score.customer_id.0).collect::<Vec<_>>()));
    }
}

#[test]
fn counts_shares_and_borders_of_all_cdnow_customers_are_the_golden_ones() {
    check_summary(include_str!("../../fixtures/rfm/rfm_cdnow_1998-06-30.csv"), include_str!("../../fixtures/rfm/summary_1998-06-30.json"));
}

#[test]
fn counts_shares_and_borders_of_half_of_them_are_the_golden_ones() {
    check_summary(
        include_str!("../../fixtures/rfm/rfm_firsthalf_1997-09-30.csv"),
        include_str!("../../fixtures/rfm/summary_firsthalf_1997-09-30.json"),
    );
}

#[test]
fn seven_and_three_customers_get_the_scores_that_one_can_check_by_hand() {
    let tiny: Value = serde_json::from_str(include_str!("../../fixtures/rfm/rfm_tiny.json")).unwrap();
    for name in ["n7", "n3"] {
        let rows = tiny[name].as_array().unwrap();
        let number = |row: &Value, column: &str| row[column].as_i64().unwrap();
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
