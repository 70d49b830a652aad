//! The variant that has won takes the traffic: by the verdict only, once, and for good.

use serde_json::json;
use stammgast::flow::plan;

use super::analyse::{RULE, printed, report, run, shop};
use super::backtest::{replay, replayed};
use crate::common::databases::TestDb;
use crate::common::shop::execute;
use crate::common::stage::{Stage, people};
use crate::store::{number, texts};

const QUIET: &str = "locale = \"en\"\n[guards]\nhold_percent = 0";

/// The rule with this verb, and who it is for.
fn rule(winner: &str) -> String {
    RULE.replace(".control(20)", &format!(".control(20){winner}.every(\"0 9 * * *\")"))
}

/// Three hundred new people meet the rule; how many get which arm.
async fn newcomers(test: &TestDb, at: &str, rule: &str, from: i64) -> (Stage, Vec<String>) {
    people(&test.db, from..=from + 299).await;
    let stage = Stage::new(&test.db, at, rule, QUIET);
    run(&stage).await;
    (stage, arms(test, from).await)
}

/// The arms of customers from this number on, each with its people.
async fn arms(test: &TestDb, from: i64) -> Vec<String> {
    let query = format!(
        "SELECT COALESCE(variant, '-') || ' ' || CAST(COUNT(*) AS TEXT) FROM decisions WHERE customer_id >= {from} AND slot = 'arm'
         GROUP BY variant ORDER BY COALESCE(variant, '-')"
    );
    texts(&test.db, &query).await
}

async fn switches(test: &TestDb) -> i64 {
    number(&test.db, "SELECT COUNT(*) FROM switches").await
}

on_both!(the_winner_takes_the_traffic_once_and_for_good_and_control_stays_held_out, |test| {
    shop(test, "", [1, 2, 4]).await;
    let before = report(&Stage::new(&test.db, "2024-07-11T09:00", RULE, QUIET)).await;
    // Too early, and too few people.
    for (verb, at, from) in [(".winner(days(7))", "2024-07-06T09:00", 2001), (".winner(days(7), 5000)", "2024-07-10T09:00", 2301)] {
        let (_, split) = newcomers(test, at, &rule(verb), from).await;
        assert_eq!((split.len(), switches(test).await), (3, 0), "{verb}");
    }
    execute(&test.db, "DELETE FROM customers WHERE id > 2000".to_owned()).await;
    let (rule, at) = (rule(".winner(days(7), 500)"), "2024-07-11T09:00");
    people(&test.db, 3001..=3300).await;
    let stage = Stage::new(&test.db, at, &rule, QUIET);
    let planned = plan::plan(&stage.ctx, &stage.in_force.get(), "hello", None).await.unwrap();
    assert_eq!(switches(test).await, 0, "a plan writes nothing");
    run(&stage).await;
    let split = arms(test, 3001).await;
    assert_eq!(split, [format!("- {}", planned.control), format!("B {}", planned.messages())]);
    assert!((40..80).contains(&planned.control) && planned.switch.is_some_and(|switch| switch.winner == "B"));
    assert_eq!(texts(&test.db, "SELECT rule || experiment || variants || winner FROM switches").await, ["hellohello[\"A\",\"B\"]B"]);
    let after = report(&stage).await;
    // What is compared is what was split; what is counted is everybody.
    for key in ["comparisons", "guardrails", "split_p", "cap_cents"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(after["verdict"]["outcome"], "winner");
    let more = |key: &str| after[key]["people"].as_i64().unwrap() - before[key]["people"].as_i64().unwrap();
    assert_eq!(
        (more("control"), after["switch"].clone()),
        (i64::try_from(planned.control).unwrap(), json!({ "winner": "B", "at": "2024-07-11T07:00:00Z" }))
    );
    let said = printed(test, "[shop]\nlocale = \"en\"");
    assert!(said.contains("Since 2024-07-11 everybody new gets B; compared are those who came before."), "{said}");
    // All of A buy from now on; whoever looks again does not switch back.
    execute(
        &test.db,
        "INSERT INTO outcomes (decision_id, kind, ref, at, value_cents) SELECT d.id, 'converted', o.id, 0, 2000 FROM decisions d
        JOIN orders o ON o.customer_id = d.customer_id AND o.id <= 1200 WHERE d.variant = 'A'"
            .to_owned(),
    )
    .await;
    let (stage, split) = newcomers(test, "2024-07-20T09:00", &rule, 4001).await;
    assert!(split.len() == 2 && split[1].starts_with("B "), "{split:?}");
    // A replay of those days does the same.
    let real = texts(
        &test.db,
        "SELECT CAST(customer_id AS TEXT) || ' ' || verdict || ' ' || COALESCE(variant, '-') FROM decisions WHERE customer_id > 4000 ORDER BY customer_id",
    );
    let found = replayed(&replay(&stage, "hello", "2024-07-20", "2024-07-20").await);
    assert_eq!(found, real.await.into_iter().map(|line| format!("2024-07-20 {line}")).collect::<Vec<_>>());
    assert_eq!((switches(test).await, number(&test.db, "SELECT COUNT(*) FROM decisions WHERE switched = 1").await), (1, 600));
});

on_both!(without_a_sure_winner_nothing_switches, |test| {
    shop(test, "", [1, 2, 4]).await;
    let rule = rule(".winner(days(1))");
    let stays = async |what: &str| {
        let stage = Stage::new(&test.db, "2024-07-11T09:00", &rule, QUIET);
        let planned = plan::plan(&stage.ctx, &stage.in_force.get(), "hello", None).await.unwrap();
        assert_eq!(planned.switch, None, "{what}");
    };
    // Surely more orders, and surely more people who leave.
    execute(&test.db, "INSERT INTO outcomes (decision_id, kind, ref, at) SELECT id, 'unsubscribed', 0, 0 FROM decisions WHERE variant = 'B' AND customer_id % 10 = 9".to_owned()).await;
    stays("people leave").await;
    execute(&test.db, "DELETE FROM outcomes WHERE kind = 'unsubscribed'".to_owned()).await;
    let stage = Stage::new(&test.db, "2024-07-11T09:00", &rule, QUIET);
    assert!(plan::plan(&stage.ctx, &stage.in_force.get(), "hello", None).await.unwrap().switch.is_some(), "else it would");
    // Better, but not surely.
    execute(&test.db, "DELETE FROM outcomes WHERE decision_id IN (SELECT id FROM decisions WHERE variant = 'B' AND customer_id % 10 = 3)".to_owned())
        .await;
    stays("30 instead of 20 %").await;
    execute(&test.db, "DELETE FROM outcomes WHERE decision_id IN (SELECT id FROM decisions WHERE variant = 'A')".to_owned()).await;
    execute(&test.db, "DELETE FROM decisions WHERE variant = 'A' AND customer_id % 3 = 0".to_owned()).await;
    stays("the split is broken").await;
});

on_both!(a_switch_ends_with_another_key_or_other_variants_and_what_was_before_does_not_count_there, |test| {
    shop(test, "", [1, 2, 4]).await;
    let first = rule(".winner(days(7))");
    let (_, split) = newcomers(test, "2024-07-11T09:00", &first, 3001).await;
    assert_eq!(split.len(), 2, "{split:?}");
    for (changed, at, from) in [
        (first.replace(".goal(", ".experiment(\"second\").goal("), "2024-07-12T09:00", 4001),
        (first.replace("variant(\"B\"", "variant(\"C\""), "2024-07-13T09:00", 5001),
        (first.replace(".winner(days(7))", ""), "2024-07-14T09:00", 6001),
    ] {
        let (stage, split) = newcomers(test, at, &changed, from).await;
        assert_eq!(split.len(), 3, "{changed}: {split:?}");
        assert_eq!(report(&stage).await["switch"], json!(null));
    }
    // The first experiment again: its winner holds.
    let (_, split) = newcomers(test, "2024-07-15T09:00", &first, 7001).await;
    assert_eq!((split.len(), switches(test).await), (2, 1), "{split:?}");
});
