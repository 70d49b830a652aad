//! The main job on real orders, through the binary and a real SMTP server: the figures that the project promises.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use chrono::NaiveDate;
use mail_parser::{HeaderName, MessageParser};
use serde_json::{Value, json};
use stammgast::base::money::Cents;
use stammgast::base::time::{DAY_MS, Zone};
use stammgast::store::Db;

use crate::common::databases::TestDb;
use crate::common::smtp::{Received, SmtpSink};
use crate::common::stage::{Stage, to_sink};
use crate::store::texts;

const HOME: &str = env!("CARGO_MANIFEST_DIR");

/// Runs the program in `folder` and gives its JSON.
async fn run(folder: &Path, arguments: &[&str]) -> Value {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_stammgast"));
    command.args(arguments).args(["--json", "--config", "shop.toml"]).current_dir(folder).env_remove("STAMMGAST_CONFIG");
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A folder with the configuration, and the CDNOW data imported.
async fn shop(test: &TestDb, mail: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let name = folder.path().file_name().unwrap().to_str().unwrap().replace('.', "");
    let config = format!(
        "[shop]\nname = \"Konditorei Süßner\"\nimprint = \"Marktplatz 3, 01234 Zuckerstadt\"\n[database]\nurl = \"{}\"\n[rules]\npath = \"{HOME}/rules/win-back.rhai\"\n\
         [templates]\npath = \"{HOME}/templates\"\n[server]\npublic_url = \"https://shop.example\"\n[daemon]\nname = \"{name}\"\n{mail}",
        test.url
    );
    std::fs::write(folder.path().join("shop.toml"), config).unwrap();
    let customers = run(folder.path(), &["import", "customers", &format!("{HOME}/tests/fixtures/cdnow/customers.csv")]).await;
    let orders = run(folder.path(), &["import", "orders", &format!("{HOME}/tests/fixtures/cdnow/transactions.csv")]).await;
    assert_eq!((&customers["inserted"], &orders["inserted"]), (&json!(2_357), &json!(6_919)));
    folder
}

fn rows(file: &str) -> Vec<BTreeMap<String, String>> {
    let text = std::fs::read_to_string(Path::new(HOME).join("tests/fixtures").join(file)).unwrap();
    csv::Reader::from_reader(text.as_bytes()).into_deserialize().collect::<Result<_, _>>().unwrap()
}

on_both!(the_win_back_rule_on_cdnow_finds_923_and_744_mails_arrive_once, |test| {
    let sink = SmtpSink::start().await;
    let folder = shop(test, &to_sink(&sink)).await;
    let plan = run(folder.path(), &["plan", "win-back", "--as-of", "1998-07-01T09:00"]).await;
    assert_eq!((&plan["refused"], &plan["control"]), (&json!({ "no_basis": 92, "objected": 17 }), &json!(70)));
    assert_eq!(plan["variants"], json!([{ "name": "A", "people": 343 }, { "name": "B", "people": 401 }]));
    let run_rule = ["run", "win-back", "--as-of", "1998-07-01T09:00"];
    let first = run(folder.path(), &run_rule).await;
    assert_eq!((&first["runs"][0]["proposed"], &first["runs"][0]["messages"], &first["dispatch"]["sent"]), (&json!(923), &json!(744), &json!(744)));
    let report = run(folder.path(), &["report", "win-back"]).await;
    let rule = &report["rules"][0];
    assert_eq!((&rule["proposed"], &rule["refused"]), (&json!(923), &json!({ "no_basis": 92, "objected": 17 })));
    let arm = |arm: &Value| (arm["name"].as_str().unwrap().to_owned(), arm["people"].as_i64().unwrap(), arm["sent"].as_i64().unwrap());
    assert_eq!(arm(&rule["control"]), ("control".to_owned(), 70, 0));
    assert_eq!(arm(&rule["variants"][0]), ("A".to_owned(), 343, 343));
    assert_eq!(arm(&rule["variants"][1]), ("B".to_owned(), 401, 401));
    let again = run(folder.path(), &run_rule).await;
    assert_eq!((&again["runs"][0]["already_ran"], &again["dispatch"]["sent"]), (&json!(true), &json!(0)));
    let next_day = run(folder.path(), &["run", "win-back", "--as-of", "1998-07-02T09:00", "--no-dispatch"]).await;
    assert_eq!(next_day["runs"][0]["messages"], 2, "only those whose 61st day it is");
    assert_eq!(texts(&test.db, "SELECT 'twice' FROM messages GROUP BY customer_id HAVING COUNT(*) > 1").await, [""; 0]);
    let mails = sink.messages();
    assert_eq!(mails.len(), 744);
    assert_eq!(mails.iter().map(|mail| &mail.to).collect::<BTreeSet<_>>().len(), 744, "nobody twice");
    mails.iter().for_each(check);
    check_with_python(&mails, folder.path()).await;
});

/// What a mail program relies on, read by a parser that had no part in making it.
fn check(mail: &Received) {
    let parsed = MessageParser::default().parse(&mail.bytes).unwrap();
    assert_eq!(parsed.to().unwrap().first().unwrap().address(), Some(mail.to.as_str()));
    assert_eq!(parsed.from().unwrap().first().unwrap().address(), Some("post@shop.example"));
    assert_eq!(parsed.header("List-Unsubscribe-Post").unwrap().as_text(), Some("List-Unsubscribe=One-Click"));
    assert!(parsed.header(HeaderName::ListUnsubscribe).is_some() && parsed.header(HeaderName::ListId).is_some());
    assert!(parsed.message_id().unwrap().ends_with("@shop.example"), "{:?}", parsed.message_id());
    assert!(parsed.body_text(0).unwrap().contains("Zuckerstadt") && parsed.body_html(0).unwrap().contains("Zuckerstadt"));
    assert_eq!((parsed.text_body_count(), parsed.html_body_count()), (1, 1));
}

async fn check_with_python(mails: &[Received], folder: &Path) {
    for (number, mail) in mails.iter().enumerate() {
        std::fs::write(folder.join(format!("{number}.eml")), &mail.bytes).unwrap();
    }
    let script = Path::new(HOME).join("tests/mime_check.py");
    let output = tokio::process::Command::new("python3").arg(script).arg(folder).output().await.expect("python3, which script/test installs");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(found, json!({ "mails": 744, "faults": [] }));
}

on_both!(the_exported_scores_of_cdnow_equal_the_golden_ones, |test| {
    let folder = shop(test, "").await;
    run(folder.path(), &["score", "--as-of", "1998-06-30T23:59:59", "--export", "scores.csv"]).await;
    let exported = std::fs::read_to_string(folder.path().join("scores.csv")).unwrap();
    let exported: Vec<BTreeMap<String, String>> = csv::Reader::from_reader(exported.as_bytes()).into_deserialize().collect::<Result<_, _>>().unwrap();
    let found: BTreeMap<&str, _> = exported.iter().map(|row| (row["customer_id"].as_str(), row)).collect();
    let golden = rows("rfm/rfm_cdnow_1998-06-30.csv");
    assert_eq!((found.len(), golden.len()), (2_357, 2_357));
    for row in &golden {
        let ours = found[row["customer_id"].as_str()];
        for (our, their) in
            [("recency_days", "recency_days"), ("orders", "orders"), ("r", "r_minrank"), ("f", "f_minrank"), ("m", "m_minrank"), ("abc", "abc_incl")]
        {
            assert_eq!(ours[our], row[their], "{our} of customer {}", row["customer_id"]);
        }
        assert_eq!(ours["revenue_cents"], Cents::parse(&row["monetary"]).unwrap().0.to_string());
    }
});

on_both!(what_to_expect_of_each_cdnow_customer_equals_the_golden_figures, |test| {
    let folder = shop(test, "").await;
    let summary = run(folder.path(), &["score", "--as-of", "1998-06-30T23:59:59", "--export", "scores.csv"]).await;
    let (buying, spending) = (&summary["models"]["bgnbd"], &summary["models"]["gamma_gamma"]);
    assert_eq!((&buying["customers"], &spending["customers"]), (&json!(2_357), &json!(1_139)));
    assert!(buying["log_likelihood"].as_f64().unwrap() >= -25_581.538_2 && spending["log_likelihood"].as_f64().unwrap() >= -4_884.566_4, "{summary}");
    assert!((summary["clv_12m_cents"].as_f64().unwrap() - 6_709_495.7).abs() < 500.0, "{summary}");
    let exported = std::fs::read_to_string(folder.path().join("scores.csv")).unwrap();
    let exported: Vec<BTreeMap<String, String>> = csv::Reader::from_reader(exported.as_bytes()).into_deserialize().collect::<Result<_, _>>().unwrap();
    let golden = rows("btyd/per_customer_P3_days.csv");
    let (mut gone, mut with_rhythm) = (0, 0);
    for (ours, row) in exported.iter().zip(&golden) {
        assert_eq!(ours["customer_id"], row["customer_id"]);
        let expected = |column: &str, scale: f64| row[column].parse::<f64>().unwrap() * scale;
        let near = |column: &str, expected: f64| {
            let found: f64 = ours[column].parse().unwrap();
            assert!(
                (found - expected).abs() <= 0.001 * expected.abs() + 0.51,
                "{column} of customer {}: {found} instead of {expected}",
                row["customer_id"]
            );
        };
        near("clv_12m_cents", expected("clv12", 100.0));
        near("expected_order_value_cents", expected("expected_avg_value", 100.0));
        // 365 days are at least 273, and not much more than in proportion: whoever stays buys evenly.
        let year: f64 = ours["expected_orders_365_e4"].parse().unwrap();
        let part = expected("expected_purchases_t273", 10_000.0);
        assert!(year >= part - 1.0 && year <= part * 365.0 / 273.0 + 1.0, "{year} {part}");
        if row["frequency"] == "0" {
            assert_eq!(ours["churn_risk_e2"], "", "the model calls all of them active");
        } else {
            near("churn_risk_e2", 10_000.0 - expected("p_alive", 10_000.0));
            gone += 1;
        }
        let purchase_days = row["frequency"].parse::<i64>().unwrap() + 1;
        assert_eq!(ours["typical_gap_e1"].is_empty(), purchase_days < 3);
        if let Ok(gap) = ours["typical_gap_e1"].parse::<i64>() {
            let late = ours["next_order_in_days"].parse::<i64>().unwrap() + ours["recency_days"].parse::<i64>().unwrap();
            assert_eq!(late, (gap + 5) / 10);
            with_rhythm += 1;
        }
    }
    assert_eq!((exported.len(), gone), (2_357, 1_139));
    assert_eq!(
        json!({ "churn_risk": gone, "typical_gap_days": with_rhythm }),
        json!({
            "churn_risk": summary["known"]["churn_risk"], "typical_gap_days": summary["known"]["typical_gap_days"]
        })
    );
});

on_both!(the_conversions_of_cdnow_equal_those_counted_from_the_file, |test| {
    let folder = shop(test, "").await;
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let day = |text: &str| NaiveDate::parse_from_str(text, "%Y-%m-%d").unwrap();
    let (today, now) = (day("1997-07-01"), zone.parse_time("1997-07-01T09:00").unwrap());
    run(folder.path(), &["run", "win-back", "--as-of", "1997-07-01T09:00", "--no-dispatch"]).await;
    // A month later; nobody's cooldown is over, and whoever is new has no time to buy before the moment of the count.
    let report = run(folder.path(), &["report", "win-back"]).await;
    let rule = &report["rules"][0];
    let mut orders: BTreeMap<String, Vec<(NaiveDate, i64)>> = BTreeMap::new();
    for row in rows("cdnow/transactions.csv") {
        orders.entry(row["customer_id"].clone()).or_default().push((day(&row["date"]), Cents::parse(&row["amount"]).unwrap().0));
    }
    let customers = rows("cdnow/customers.csv");
    let wanted: Vec<_> = customers
        .iter()
        .filter(|customer| {
            let past: Vec<NaiveDate> = orders[&customer["customer_id"]].iter().map(|order| order.0).filter(|date| *date <= today).collect();
            past.len() >= 2 && (today - *past.iter().max().unwrap()).num_days() > 60
        })
        .collect();
    assert_eq!(rule["proposed"], wanted.len());
    let said =
        |kind: &str| wanted.iter().filter(|customer| customer["consent"] == kind && zone.parse_time(&customer["consent_at"]).unwrap() <= now).count();
    let (agreed, objected) = (said("double_opt_in"), said("objected"));
    assert_eq!(rule["refused"]["objected"], objected);
    assert_eq!(rule["refused"]["no_basis"], wanted.len() - agreed - objected);
    let arms = texts(
        &test.db,
        "SELECT c.external_id || ' ' || COALESCE(d.variant, 'control') FROM decisions d JOIN customers c ON c.id = d.customer_id WHERE d.slot = 'arm'",
    )
    .await;
    assert_eq!(arms.len(), agreed);
    // People, buyers and cents by arm.
    let mut counted: BTreeMap<&str, (i64, i64, i64)> = BTreeMap::new();
    for line in &arms {
        let (customer, arm) = line.split_once(' ').unwrap();
        let inside = |date: NaiveDate| (1..=14 * DAY_MS).contains(&zone.start_of(date).since(now));
        let bought: Vec<i64> = orders[customer].iter().filter(|order| inside(order.0)).map(|order| order.1).collect();
        let (people, buyers, cents) = counted.entry(arm).or_default();
        (*people, *buyers, *cents) = (*people + 1, *buyers + i64::from(!bought.is_empty()), *cents + bought.iter().sum::<i64>());
    }
    for arm in [&rule["control"], &rule["variants"][0], &rule["variants"][1]] {
        let name = arm["name"].as_str().unwrap();
        let reported = ["people", "converted", "revenue_cents"].map(|key| arm[key].as_i64().unwrap());
        assert_eq!((reported[0], reported[1], reported[2]), counted[name], "{name}");
        assert!(reported[1] > 0, "{name}: the test shows nothing");
    }
});

/// A rule that reads what the models say, also in a function of its own.
const LATE: &str = r#"fn worthy(c) { c.clv_12m > 20 && c.expected_orders_365 >= 0.5 }
rule("win-back").every("0 9 * * *").basis("consent")
    .when(|c| c.churn_risk >= 40 && worthy(c) && c.next_order_in_days <= -10)
    .cooldown(days(90)).send(|c| email("win-back", #{ voucher: voucher("LATE", percent(10), days(14)) }));"#;

on_both!(a_replay_of_a_rule_about_lifetime_value_equals_what_the_daemon_does, |test| {
    let folder = shop(test, "").await;
    std::fs::write(folder.path().join("late.rhai"), LATE).unwrap();
    let config = std::fs::read_to_string(folder.path().join("shop.toml")).unwrap().replace(&format!("{HOME}/rules/win-back.rhai"), "late.rhai");
    std::fs::write(folder.path().join("shop.toml"), config).unwrap();
    let replayed = run(folder.path(), &["backtest", "win-back", "--from", "1998-05-01", "--to", "1998-05-08"]).await;
    let stage = Stage::new(&test.db, "1998-05-01T00:00", LATE, "");
    let (from, to) = (NaiveDate::from_ymd_opt(1998, 5, 1).unwrap(), NaiveDate::from_ymd_opt(1998, 5, 8).unwrap());
    for date in from.iter_days().take_while(|date| *date <= to) {
        stage.set(&format!("{date}T09:00"));
        assert_eq!(stage.run_due().await, [format!("win-back {date}T09:00")]);
    }
    compare(&test.db, &stage, &replayed, 50).await;
});

on_both!(a_replay_of_the_win_back_rule_on_cdnow_equals_what_the_daemon_does, |test| {
    let folder = shop(test, "").await;
    let rule = std::fs::read_to_string(format!("{HOME}/rules/win-back.rhai")).unwrap();
    let replayed = run(folder.path(), &["backtest", "win-back", "--from", "1998-04-20", "--to", "1998-06-10"]).await;
    let stage = Stage::new(&test.db, "1998-04-20T00:00", &rule, "");
    let (from, to) = (NaiveDate::from_ymd_opt(1998, 4, 20).unwrap(), NaiveDate::from_ymd_opt(1998, 6, 10).unwrap());
    for date in from.iter_days().take_while(|date| *date <= to) {
        stage.set(&format!("{date}T09:00"));
        assert_eq!(stage.run_due().await, [format!("win-back {date}T09:00")]);
    }
    compare(&test.db, &stage, &replayed, 800).await;
});

/// What a replay tells is what the daemon logged, person by person, and more than so many.
async fn compare(db: &Db, stage: &Stage, replayed: &Value, more_than: usize) {
    let logged = texts(
        db,
        "SELECT CAST(d.tick_at AS TEXT) || ' ' || c.external_id || ' ' || d.verdict || ' ' || COALESCE(d.variant, '-')
         FROM decisions d JOIN customers c ON c.id = d.customer_id WHERE d.slot = 'arm' ORDER BY d.tick_at, c.id",
    )
    .await;
    let zone = stage.ctx.config.shop.zone();
    let people: Vec<String> = replayed["people"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reached| {
            let word = |key: &str| reached[key].as_str().unwrap_or("-").to_owned();
            let at = zone.parse_time(&format!("{}T09:00", word("date"))).unwrap().0;
            format!("{at} {} {} {}", word("customer"), word("verdict"), word("variant"))
        })
        .collect();
    assert_eq!(people, logged);
    assert!(people.len() > more_than, "{}", people.len());
}
