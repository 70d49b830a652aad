//! The commands that calculate: `cron`, `calc`, `score`.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use stammgast::base::time::Zone;
use stammgast::store::Db;

use crate::common::shop::{customers, execute, order};

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stammgast")).args(arguments).current_dir(folder).env_remove("STAMMGAST_CONFIG").output().unwrap()
}

fn text(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn document(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_str(&text(folder, &[arguments, &["--json"]].concat())).unwrap()
}

#[test]
fn cron_shows_the_next_runs_with_what_a_clock_change_does_to_them() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["cron", "30 2 * * *", "--zone", "Europe/Berlin", "--from", "2026-03-28T02:30", "--count", "2"];
    let found = document(folder.path(), &arguments);
    assert_eq!(
        found["runs"],
        json!([
            { "local": "2026-03-28T02:30:00+01:00", "utc": "2026-03-28T01:30:00Z", "remark": null },
            { "local": "2026-03-29T03:00:00+02:00", "utc": "2026-03-29T01:00:00Z", "remark": "02:30 does not exist on 2026-03-29, runs 03:00" },
        ])
    );
    let table = text(folder.path(), &arguments);
    assert!(table.contains("Sun 2026-03-29T03:00:00+02:00") && table.contains("02:30 does not exist on 2026-03-29, runs 03:00"), "{table}");
    std::fs::write(folder.path().join("shop.toml"), "[shop]\ntime_zone = \"Asia/Kathmandu\"").unwrap();
    let in_the_shops_zone = document(folder.path(), &["cron", "@daily", "--from", "2026-01-01", "--count", "1", "--config", "shop.toml"]);
    assert_eq!(in_the_shops_zone["runs"][0]["utc"], "2025-12-31T18:15:00Z");
}

#[test]
fn cron_refuses_what_it_does_not_understand_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, code, sentence) in [
        (&["cron", "0 9 30 2 *"][..], 1, "field 3 (day of month): '30' never comes in month '2'"),
        (&["cron", "@daily", "--zone", "Mars"], 1, "--zone: 'Mars' is not a time zone"),
        (&["cron", "@daily", "--from", "soon"], 1, "--from: 'soon' is not a time: expected e.g."),
        (&["cron", "@daily", "--count", "0"], 2, "invalid value '0' for '--count <COUNT>'"),
    ] {
        let output = run(folder.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && said.contains(sentence), "{:?}: {said}", output.status);
    }
}

#[test]
fn calc_bucket_shows_bucket_and_variation() {
    let folder = tempfile::tempdir().unwrap();
    let bucket =
        |value: &str, weights: &str| document(folder.path(), &["calc", "bucket", "--seed", "win-back", "--value", value, "--weights", weights]);
    assert_eq!(bucket("1", "0.1,0.45,0.45"), json!({ "bucket": 0.2889, "variation": 1 }));
    assert_eq!(bucket("", "0.5,0.5"), json!({ "bucket": null, "variation": null }));
    let sentence = text(folder.path(), &["calc", "bucket", "--seed", "win-back", "--value", "2", "--weights", "0.1,0.45,0.45"]);
    assert_eq!(sentence, "bucket 0.8045, variation 2\n");
}

#[test]
fn calc_compares_two_arms_as_the_report_does() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["calc", "ab", "--control", "500/10000", "--treated", "560/10000"];
    let found = document(folder.path(), &arguments);
    let near = |value: &Value, expected: f64| (value.as_f64().unwrap() - expected).abs() < 1e-6;
    assert!(near(&found["difference"], 0.006) && near(&found["interval"][0], -0.000_212_667) && near(&found["p_value"], 0.058_257_806), "{found}");
    assert!(near(&found["chance_to_beat"], 0.970_837_664) && near(&found["expected_loss"], 0.000_035_675) && near(&found["srm_p"], 1.0), "{found}");
    assert_eq!((&found["verdict"], &found["always_valid"]["p_value"].as_f64().map(|p_value| p_value > 0.05)), (&json!("not_enough"), &Some(true)));
    let said = text(folder.path(), &arguments);
    assert!(said.starts_with("Noch nicht genug Daten: es braucht noch etwa 2.900 Personen, um zwischen B und Kontrolle"), "{said}");
    std::fs::write(folder.path().join("shop.toml"), "[shop]\nlocale = \"en\"\n[experiments]\nsmallest_effect_percent = 50").unwrap();
    let english = text(folder.path(), &[&arguments[..], &["--config", "shop.toml"]].concat());
    assert!(english.starts_with("No difference worth having: B and control are less than 50 % apart."), "{english}");
    let output = run(folder.path(), &["calc", "ab", "--control", "5/30", "--treated", "1/20", "--weights", "1"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("there are 1 weights for 2 arms: expected one for each"), "{said}");
}

#[test]
fn calc_says_how_many_people_an_effect_takes_and_what_they_show() {
    let folder = tempfile::tempdir().unwrap();
    let found = document(folder.path(), &["calc", "mde", "--rate", "0.05", "--people", "16316", "--per-day", "100"]);
    assert_eq!((&found["one_look"], &found["wanted_effect"]), (&json!({ "people": 16316.0, "days": 164.0 }), &json!(0.2)));
    assert!((found["smallest_effect"].as_f64().unwrap() - 0.2).abs() < 1e-4, "{found}");
    assert!((20_000.0..24_000.0).contains(&found["any_look"]["people"].as_f64().unwrap()), "{found}");
    let found = document(folder.path(), &["calc", "mde", "--rate", "0.9", "--people", "4000"]);
    assert_eq!(found["any_look"], json!({ "people": null, "days": null }), "a rise of 20 % would be more than everybody");
    let revenue = document(
        folder.path(),
        &["calc", "mde", "--rate", "0.05", "--people", "16316", "--per-day", "100", "--order-value", "62", "--order-deviation", "40"],
    );
    let revenue = &revenue["revenue"];
    // Standard deviation of a person: √(0.05 · (40² + 62²) − 3.10²) = 16.20; the effect of 20 % is 0.62 of it.
    assert!((revenue["mean"].as_f64().unwrap() - 3.1).abs() < 1e-9 && (revenue["deviation"].as_f64().unwrap() - 16.205).abs() < 1e-3, "{revenue}");
    assert_eq!(revenue["one_look"], json!({ "people": 21450.0, "days": 215.0 }), "16 · (16.2 ÷ 0.62)² for each arm");
    assert!(revenue["smallest_effect"].as_f64().unwrap() > 0.2 && revenue["chance"].as_f64().unwrap() < 0.8, "{revenue}");
    assert!(revenue["any_look"]["people"].as_f64().unwrap() > 21_450.0, "{revenue}");
    let said = text(folder.path(), &["calc", "mde", "--rate", "0.05", "--people", "4000", "--order-value", "62", "--order-deviation", "40"]);
    assert!(said.contains("Revenue per person, buyers or not: 3.10 EUR\n4000 people show a rise of "), "{said}");
    let found = document(folder.path(), &["calc", "srm", "--people", "9000,1150", "--weights", "0.9,0.1"]);
    assert_eq!((&found["broken"], found["p_value"].as_f64().map(|p_value| p_value < 1e-5)), (&json!(true), Some(true)));
    assert_eq!(text(folder.path(), &["calc", "srm", "--people", "5000,5200", "--weights", "0.5,0.5"]), "p = 0.0477: the split is as planned\n");
    for (arguments, sentence) in [
        (&["calc", "srm", "--people", "5", "--weights", "1"][..], "there is one arm, so nothing was split"),
        (&["calc", "srm", "--people", "0,0", "--weights", "0.5,0.5"], "nobody is in any arm"),
        (&["calc", "srm", "--people", "5,6", "--weights", "0,0"], "all weights are 0"),
        (&["calc", "mde", "--rate", "1e-300", "--people", "100"], "expected a number from 0.00001 to 0.99999"),
        (&["calc", "mde", "--rate", "0.05", "--people", "100", "--order-value", "1e308", "--order-deviation", "1"], "above 0 and below a billion"),
        (&["calc", "ab", "--control", "5/9999999999", "--treated", "1/2"], "more people than can be calculated with"),
    ] {
        let output = run(folder.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && output.stdout.is_empty() && said.contains(sentence), "{arguments:?}: {said}");
    }
    assert!(text(folder.path(), &["calc", "mde", "--rate", "0.05", "--people", "1"]).starts_with("no rise is shown in 80 % with 1 people"));
}

/// A folder with a database: customers 1 to 20, number n ordered for n euros; 7 is called "anna".
async fn shop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite://{}/data/stammgast.db", folder.path().display()), 2).await.unwrap();
    db.migrate().await.unwrap();
    customers(&db, 1..=21).await;
    let at = Zone::parse("Europe/Berlin").unwrap().parse_time("2026-03-01T10:00").unwrap();
    for id in 1..=20 {
        order(&db, id, id, at.0, id * 100, None, "paid").await;
    }
    execute(&db, "UPDATE customers SET external_id = 'anna' WHERE id = 7".to_owned()).await;
    db.close().await;
    folder
}

#[tokio::test]
async fn score_exports_everybody_with_orders_by_external_id() {
    let folder = shop().await;
    let found = document(folder.path(), &["score", "--as-of", "2026-03-11T23:59", "--export", "scores.csv"]);
    assert_eq!((&found["as_of"], &found["customers"]), (&json!("2026-03-11T22:59:00Z"), &json!(20)));
    let thin = json!({ "unknown": "0 customers bought on a second day, 30 are needed" });
    assert_eq!((&found["models"]["bgnbd"], &found["models"]["gamma_gamma"], &found["known"]["clv_12m"]), (&thin, &thin, &json!(0)));
    assert_eq!(found["clv_12m_cents"], Value::Null, "nobody knows, which is not nothing");
    let top = &found["top"]["5"];
    assert_eq!((&top["customers"], &top["revenue_cents"]), (&json!(1), &json!(2000)));
    assert!((top["share"].as_f64().unwrap() - 2000.0 / 21_000.0).abs() < 1e-9, "{top}");
    assert_eq!((&found["abc"]["A"]["customers"], &found["m"]["5"], &found["stored"]), (&json!(11), &json!(4), &json!(false)));
    let csv = std::fs::read_to_string(folder.path().join("scores.csv")).unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[0],
        "customer_id,recency_days,orders,revenue_cents,r,f,m,rfm,abc,revenue_rank,top_percent,rfm_weighted_e4,average_order_value_cents,\
         first_order_at,last_order_at,tenure_days,\
         typical_gap_e1,next_order_in_days,churn_risk_e2,expected_orders_365_e4,expected_order_value_cents,clv_12m_cents,abc_adjusted"
    );
    assert_eq!(lines[1], "1,10,1,100,1,1,1,111,C,20,96,10000,100,2026-03-01T09:00:00Z,2026-03-01T09:00:00Z,10,,,,,,,");
    assert!(lines[2].starts_with("2,10,1,200,") && lines[19].starts_with("20,10,1,2000,1,1,5,115,A,1,1,") && lines[20].starts_with("anna,"), "{csv}");
    assert_eq!(lines.len(), 21);
    assert!(!folder.path().join("scores.csv.part").exists());
}

#[tokio::test]
async fn score_stores_the_present_and_only_looks_at_the_past() {
    let folder = shop().await;
    let stored = async || {
        let db = Db::open(&format!("sqlite://{}/data/stammgast.db", folder.path().display()), 2).await.unwrap();
        let run = stammgast::store::score_runs::latest(&mut db.read().await.unwrap()).await.unwrap();
        db.close().await;
        run
    };
    text(folder.path(), &["score", "--as-of", "2026-03-11"]);
    assert_eq!(stored().await, None);
    let summary = text(folder.path(), &["score"]);
    assert!(summary.starts_with("20 customers with orders as of 2") && summary.contains("class A"), "{summary}");
    let run = stored().await.unwrap();
    text(folder.path(), &["score", "--as-of", "2026-03-11"]);
    assert_eq!(stored().await.unwrap(), run);
}

#[tokio::test]
async fn score_says_which_file_it_cannot_write() {
    let folder = shop().await;
    let output = run(folder.path(), &["score", "--as-of", "2026-03-11", "--export", "no/such/folder.csv"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains("error: no/such/folder.csv: cannot be written"), "{said}");
}

#[test]
fn classes_and_best_customers_of_cdnow_bring_what_sql_says() {
    let folder = tempfile::tempdir().unwrap();
    let transactions = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/cdnow/transactions.csv");
    text(folder.path(), &["import", "orders", transactions]);
    let found = document(folder.path(), &["score", "--as-of", "1998-06-30T23:59"]);
    // Golden figures: SQL over the same file (the reference's rfm_cdnow_1998-06-30.json, abc_incl and top).
    for (group, customers, cents, share) in [
        (&found["abc"]["A"], 776, 19_522_642, 0.799_806_908_823),
        (&found["abc"]["B"], 801, 3_664_971, 0.150_147_153_568),
        (&found["abc"]["C"], 780, 1_221_581, 0.050_045_937_608_6),
        (&found["top"]["5"], 118, 8_803_575, 0.360_666_353_834),
        (&found["top"]["10"], 236, 12_401_585, 0.508_070_237_796),
        (&found["top"]["20"], 472, 16_465_226, 0.674_550_171_546),
    ] {
        assert_eq!((&group["customers"], &group["revenue_cents"]), (&json!(customers), &json!(cents)));
        assert!((group["share"].as_f64().unwrap() - share).abs() < 1e-9, "{group}");
    }
    assert_eq!(found["r"], json!({ "1": 482, "2": 471, "3": 463, "4": 470, "5": 471 }), "r_minrank, the default");
}
