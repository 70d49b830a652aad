//! The report's verdict, guardrail and check of the split, with the store behind them.

use std::process::Command;

use serde_json::{Value, json};
use stammgast::flow::{analyse, record, trigger};

use crate::common::databases::TestDb;
use crate::common::shop::execute;
use crate::common::stage::{MONDAY_NINE, Stage, people};
use crate::picture::assert_well_formed;

pub const RULE: &str = "rule(\"hello\").basis(\"consent\").when(|c| c.orders >= 1).control(20).goal(\"order\", days(14))
    .variant(\"A\", 1, |c| email(\"win-back-plain\")).variant(\"B\", 1, |c| email(\"win-back-plain\"));";

/// 1,200 people, split; of each ten in an arm so many buy for 20.00 the next day: control, A, B. Ten days later.
pub async fn shop(test: &TestDb, settings: &str, buyers: [i64; 3]) -> Stage {
    people(&test.db, 1..=1200).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, RULE, &format!("{settings}\n[guards]\nhold_percent = 0"));
    run(&stage).await;
    let at = stage.moment("2024-07-02T12:00").0;
    for (arm, of_ten) in ["variant IS NULL", "variant = 'A'", "variant = 'B'"].iter().zip(buyers) {
        execute(
            &test.db,
            format!(
                "INSERT INTO orders (id, external_id, customer_id, ordered_at, revenue_cents, currency, status, content_hash, updated_at)
                 SELECT 10000 + customer_id, 'x' || customer_id, customer_id, {at}, 2000, 'EUR', 'paid', 0, 0
                 FROM decisions WHERE slot = 'arm' AND {arm} AND customer_id % 10 < {of_ten}"
            ),
        )
        .await;
    }
    stage.set("2024-07-11T09:00");
    record::conversions(&stage.ctx).await.unwrap();
    stage
}

/// A run, as the daemon does it: it notes the version first.
pub(super) async fn run(stage: &Stage) {
    trigger::note(&stage.ctx, &stage.in_force.get()).await.unwrap();
    stage.tick("hello").await;
}

pub(super) async fn report(stage: &Stage) -> Value {
    serde_json::to_value(analyse::report(&stage.ctx, None).await.unwrap()).unwrap()["rules"][0].clone()
}

/// What the command prints with these settings.
pub(super) fn printed(test: &TestDb, settings: &str) -> String {
    asked(test, settings, &[])
}

/// The same with these arguments.
fn asked(test: &TestDb, settings: &str, arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.toml"), settings).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
    command.args(["report", "--config", "shop.toml"]).current_dir(folder.path()).env("STAMMGAST__DATABASE__URL", &test.url);
    command.args(arguments).env_remove("STAMMGAST_CONFIG");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

on_both!(a_clear_difference_has_a_winner_and_the_report_says_so, |test| {
    let stage = shop(test, "", [1, 2, 4]).await;
    // One giant order of A: the capped revenue does not follow it.
    execute(
        &test.db,
        "UPDATE orders SET revenue_cents = 5000000 WHERE id = (SELECT MIN(o.id) FROM orders o JOIN decisions d ON d.customer_id = o.customer_id
             WHERE o.id > 10000 AND d.variant = 'A')"
            .to_owned(),
    )
    .await;
    let rule = report(&stage).await;
    assert_eq!(
        (&rule["verdict"]["outcome"], &rule["verdict"]["leaders"], &rule["verdict"]["beaten"]),
        (&json!("winner"), &json!(["B"]), &json!(["control", "A"]))
    );
    assert_eq!((&rule["cap_cents"], &rule["verdict"]["more_people"]), (&json!(2000), &json!(null)));
    assert!(rule["split_p"].as_f64().unwrap() > 0.001, "{}", rule["split_p"]);
    let against_a = &rule["comparisons"][2];
    assert_eq!((&against_a["arm"], &against_a["against"]), (&json!("B"), &json!("A")));
    let below = |key: &str| against_a[key].as_f64().unwrap() < 0.0;
    assert!(below("revenue_difference_cents") && !below("revenue_capped_difference_cents"), "{against_a}");
    insta::assert_snapshot!("report", printed(test, "[shop]\nlocale = \"en\""));
    let drawn = asked(test, "[shop]\nlocale = \"en\"", &["--drawn"]);
    insta::assert_snapshot!("rates", drawn.split("  rate\n").nth(1).unwrap().split("  B wins").next().unwrap());
    assert!(!asked(test, "", &["--plain"]).contains('●'));
});

on_both!(a_small_difference_is_not_called_one_and_the_report_says_how_long_it_takes, |test| {
    let stage = shop(test, "locale = \"en\"", [2, 2, 2]).await;
    let verdict = &report(&stage).await["verdict"];
    assert_eq!(verdict["outcome"], "not_enough");
    let (people, days) = (verdict["more_people"].as_i64().unwrap(), verdict["more_days"].as_i64().unwrap());
    // 1,200 people came in ten days.
    assert!(people > 2_000 && (days - 1) * 120 <= people && people <= days * 120, "{verdict}");
    assert!(verdict["sentence"].as_str().unwrap().starts_with("Not enough data yet: about "), "{verdict}");
    // Whoever is content with a coarser look is ready sooner.
    let coarse = Stage::new(&test.db, "2024-07-11T09:00", RULE, "[experiments]\nsmallest_effect_percent = 40");
    let verdict = &report(&coarse).await["verdict"];
    assert!(verdict["more_people"].as_i64().unwrap() < people / 5, "{verdict}");
    assert!(verdict["sentence"].as_str().unwrap().starts_with("Noch nicht genug Daten: "), "{verdict}");
});

on_both!(a_split_that_is_not_the_rules_is_broken_whatever_the_rates_say, |test| {
    let stage = shop(test, "", [1, 2, 5]).await;
    execute(&test.db, "DELETE FROM decisions WHERE variant = 'A' AND customer_id % 3 = 0".to_owned()).await;
    let rule = report(&stage).await;
    assert_eq!(rule["verdict"]["outcome"], "broken");
    assert!(rule["split_p"].as_f64().unwrap() < 0.001, "{}", rule["split_p"]);
});

on_both!(a_split_by_other_weights_of_an_earlier_version_is_not_broken, |test| {
    people(&test.db, 1..=1200).await;
    let first = Stage::new(
        &test.db,
        MONDAY_NINE,
        &RULE.replace("c.orders >= 1", "c.id < \"2\"").replace("control(20)", "control(80)"),
        "[guards]\nhold_percent = 0",
    );
    run(&first).await;
    let second = Stage::new(&test.db, "2024-07-02T09:00", RULE, "[guards]\nhold_percent = 0");
    run(&second).await;
    let rule = report(&second).await;
    assert!(rule["control"]["people"].as_i64().unwrap() > 250, "{}", rule["control"]);
    assert!(rule["split_p"].as_f64().unwrap() > 0.001, "{}", rule["split_p"]);
});

on_both!(a_variant_that_drives_people_away_raises_the_guardrail, |test| {
    let stage = shop(test, "", [1, 2, 2]).await;
    assert_eq!(report(&stage).await["guardrails"][0]["worse"], false);
    let left = "INSERT INTO outcomes (decision_id, kind, ref, at) SELECT id, 'unsubscribed', 0, 0 FROM decisions WHERE variant = 'B' AND customer_id % 10 = 0";
    execute(&test.db, left.to_owned()).await;
    let rule = report(&stage).await;
    let guardrail = &rule["guardrails"][0];
    assert_eq!((&guardrail["arm"], &guardrail["against"], &guardrail["worse"]), (&json!("B"), &json!("A"), &json!(true)));
});

on_both!(decisions_about_the_same_people_do_not_make_a_difference_surer, |test| {
    let stage = shop(test, "", [1, 2, 4]).await;
    let once = report(&stage).await;
    // The same happens three times more to the same people: as many new occasions, the same orders.
    for time in 1..=3 {
        let again = format!(
            "INSERT INTO decisions (id, customer_id, rule, occasion, slot, rule_hash, tick_at, decided_at, verdict, variant, detail, effective_at, goal_until, inputs, times, last_at)
             SELECT id + {time} * 100000000, customer_id, rule, '#{time}', slot, rule_hash, tick_at, decided_at, verdict, variant, detail, effective_at, goal_until, inputs, times, last_at
             FROM decisions WHERE slot = 'arm' AND occasion = 'ever'"
        );
        execute(&test.db, again).await;
        let outcomes = format!(
            "INSERT INTO outcomes (decision_id, kind, ref, at, value_cents) SELECT x.decision_id + {time} * 100000000, x.kind, x.ref, x.at, x.value_cents
             FROM outcomes x JOIN decisions d ON d.id = x.decision_id WHERE d.occasion = 'ever'"
        );
        execute(&test.db, outcomes).await;
    }
    let often = report(&stage).await;
    assert_eq!(often["control"]["people"].as_i64().unwrap(), 4 * once["control"]["people"].as_i64().unwrap());
    assert_eq!(often["split_p"], once["split_p"]);
    let width = |rule: &Value, key: &str| {
        let interval = &rule["comparisons"][2][key];
        interval[1].as_f64().unwrap() - interval[0].as_f64().unwrap()
    };
    for key in ["rate_interval", "revenue_interval_cents", "revenue_capped_interval_cents"] {
        assert!((width(&often, key) / width(&once, key) - 1.0).abs() < 0.01, "{key}: {} and {}", width(&once, key), width(&often, key));
    }
    assert_eq!(often["comparisons"][2]["rate_difference"], once["comparisons"][2]["rate_difference"]);
});

on_both!(the_report_can_be_had_as_csv_and_as_pictures, |test| {
    let settings = "margin_percent = 40\n[policy]\nholdout_percent = 10";
    let stage = shop(test, settings, [1, 2, 4]).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("shop.toml"), format!("[shop]\n{settings}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
    command.args(["report", "--config", "shop.toml", "--csv", "report.csv", "--svg", "deep/pictures"]).current_dir(folder.path());
    let output = command.env("STAMMGAST__DATABASE__URL", &test.url).env_remove("STAMMGAST_CONFIG").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let mut names: Vec<String> =
        std::fs::read_dir(folder.path().join("deep/pictures")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, ["earned-hello.svg", "earned.svg", "variants.svg"]);
    for name in &names {
        assert_well_formed(&std::fs::read_to_string(folder.path().join("deep/pictures").join(name)).unwrap());
    }
    let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
    let svg = read("deep/pictures/earned.svg");
    assert!(svg.contains(">Was verdient wurde: Alle Kampagnen zusammen</text>") && svg.contains(">Mehr Umsatz</text>"), "{svg}");
    let rule = report(&stage).await;
    let csv = read("report.csv");
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let near = |cell: &str, expected: &Value| {
        let distance = (cell.parse::<f64>().unwrap() - expected.as_f64().unwrap()).abs();
        assert!(distance < 1e-9, "{cell}: {expected}");
    };
    let column = |name: &str| lines[0].iter().position(|title| *title == name).unwrap();
    assert_eq!(lines.iter().skip(1).map(|line| line[column("arm")]).collect::<Vec<_>>(), ["control", "A", "B", "holdout", "rest"]);
    let holdout = serde_json::to_value(analyse::report(&stage.ctx, None).await.unwrap()).unwrap()["holdout"].clone();
    for (line, group) in lines[4..].iter().zip(["control", "rest"]) {
        assert_eq!((line[column("rule")], line[column("sent")], line[column("verdict")], line[column("currency")]), ("(all)", "", "", "EUR"));
        for (cell, key) in [("people", "people"), ("converted", "bought"), ("revenue_cents", "revenue_cents")] {
            assert_eq!(line[column(cell)], holdout[group][key].to_string(), "{key}");
        }
        near(line[column("revenue_per_person_cents")], &holdout[group]["revenue_per_person_cents"]);
        near(line[column("rule_earned_cents")], &holdout["ledger"]["earned_cents"]);
        near(line[column("rule_earned_high_cents")], &holdout["ledger"]["earned_interval_cents"][1]);
    }
    for (line, arm) in lines[1..].iter().zip(std::iter::once(&rule["control"]).chain(rule["variants"].as_array().unwrap())) {
        for key in ["people", "converted", "revenue_cents"] {
            assert_eq!(line[column(key)], arm[key].to_string(), "{key}");
        }
        assert_eq!((line[column("verdict")], line[column("rule")], line[column("currency")]), ("winner", "hello", "EUR"));
        near(line[column("rule_earned_cents")], &rule["ledger"]["earned_cents"]);
    }
    assert_eq!(lines[3][column("against")], "control");
    near(lines[3][column("rate_difference")], &rule["comparisons"][1]["rate_difference"]);
    assert_eq!(lines[1][column("against")], "");
    let nowhere = Stage::new(&test.db, "2024-07-11T09:00", RULE, "");
    execute(&test.db, "DELETE FROM decisions".to_owned()).await;
    assert!(analyse::pictures(&nowhere.ctx, &analyse::report(&nowhere.ctx, None).await.unwrap()).is_empty());
});
