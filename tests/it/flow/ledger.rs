//! What a rule earned, counted again person by person; and what it says when it cannot be told.

use serde_json::{Value, json};
use stammgast::flow::record;
use stammgast::stats::earned::{Arm, Increment, increment};
use stammgast::stats::mean::Sample;

use super::analyse::{RULE, printed, report, run, shop};
use crate::common::databases::TestDb;
use crate::common::shop::execute;
use crate::common::stage::{MONDAY_NINE, Stage, people};
use crate::store::texts;

pub(super) const SETTINGS: &str = "locale = \"en\"\nmargin_percent = 40\ncost_per_message = 0.05";

/// What became of each ten people of an arm, by the last digit of their number: buyers, revenue, margin without vouchers, vouchers; in cents.
pub(super) fn happened(arm: &str, digit: i64) -> (i64, f64, f64, f64) {
    match (arm, digit) {
        ("-", 0) | ("A", 1) | ("B", 3) => (1, 2000.0, 800.0, 0.0),
        ("A", 0) => (1, 2000.0, 1000.0, 500.0),
        ("A", 2) => (1, 0.0, 400.0, 1000.0),
        ("B", 0) => (1, 2000.0, 500.0, 0.0),
        ("B", 2) => (1, 1000.0, 400.0, 0.0),
        ("B", 5) => (0, 0.0, 0.0, 300.0),
        _ => (0, 0.0, 0.0, 0.0),
    }
}

/// Makes it so.
pub(super) async fn redeem(test: &TestDb, stage: &Stage) {
    let (created, bought, late) = (stage.moment("2024-07-01T09:00").0, stage.moment("2024-07-03T12:00").0, stage.moment("2024-08-01T12:00").0);
    let vouchers = |worth: &str, code: &str, whose: &str| {
        format!(
            "INSERT INTO vouchers (code, decision_id, customer_id, rule, percent, amount_cents, valid_until, created_at)
             SELECT {code}, id, customer_id, rule, {worth}, '2024-12-31', {created} FROM decisions WHERE slot = 'arm' AND {whose}"
        )
    };
    let orders = |at: i64, whose: &str| {
        format!(
            "INSERT INTO orders (id, external_id, customer_id, ordered_at, revenue_cents, currency, status, voucher_code, content_hash, updated_at)
             SELECT 20000 + customer_id, 'y' || customer_id, customer_id, {at}, 0, 'EUR', 'paid', 'V' || customer_id, 0, 0 FROM decisions WHERE slot = 'arm' AND {whose}"
        )
    };
    let of = |arm: &str, digit: i64| format!("variant = '{arm}' AND customer_id % 10 = {digit}");
    let theirs = |arm: &str, digit: i64| format!("id > 10000 AND customer_id IN (SELECT customer_id FROM decisions WHERE {})", of(arm, digit));
    for statement in [
        // A fifth off, redeemed by people of whom half would have bought anyway; somebody else's voucher has one of these codes by chance.
        vouchers("20, NULL", "'V' || customer_id", &of("A", 0)),
        format!("UPDATE orders SET voucher_code = 'V' || customer_id WHERE {}", theirs("A", 0)),
        vouchers("20, NULL", "(SELECT MIN(code) FROM vouchers)", &of("B", 7)),
        // Nothing left to pay: what they pay usually, 10.00.
        vouchers("100, NULL", "'V' || customer_id", &of("A", 2)),
        orders(bought, &of("A", 2)),
        // Goods at their own cost, a cancelled order, a part refunded, a voucher redeemed after the window.
        format!("UPDATE orders SET cost_cents = 1500 WHERE {}", theirs("B", 0)),
        format!("UPDATE orders SET status = 'cancelled' WHERE {}", theirs("B", 1)),
        format!("UPDATE orders SET revenue_cents = 1000 WHERE {}", theirs("B", 2)),
        vouchers("NULL, 300", "'V' || customer_id", &of("B", 5)),
        orders(late, &of("B", 5)),
        // A voucher that nobody used, and an order with a code of the shop's own.
        vouchers("50, NULL", "'V' || customer_id", &of("A", 9)),
        format!("UPDATE orders SET voucher_code = 'SUMMER' WHERE {}", theirs("A", 1)),
        "UPDATE deliveries SET state = 'sent', done_at = 0 WHERE message_id IN (SELECT id FROM messages WHERE variant = 'A')".to_owned(),
        "UPDATE deliveries SET state = 'in_doubt', done_at = 0 WHERE message_id IN (SELECT id FROM messages WHERE variant = 'B')".to_owned(),
    ] {
        execute(&test.db, statement).await;
    }
    record::conversions(&stage.ctx).await.unwrap();
    stage.set("2024-08-05T09:00");
}

/// The same arms by hand: revenue, margin, vouchers.
async fn counted(test: &TestDb) -> [[Arm; 2]; 2] {
    let assigned = "SELECT COALESCE(variant, '-') || ' ' || CAST(customer_id AS TEXT) FROM decisions WHERE slot = 'arm'";
    let nobody = Sample { count: 0, sum: 0.0, sum_of_squares: 0.0 };
    let mut arms = [[Arm { gross: nobody, net: nobody, buyers: 0, effect: 1.0 }; 2]; 2];
    for line in texts(&test.db, assigned).await {
        let (arm, id) = line.split_once(' ').unwrap();
        let (buyers, revenue, margin, voucher) = happened(arm, id.parse::<i64>().unwrap() % 10);
        for (arms, (gross, net)) in arms.iter_mut().zip([(revenue, revenue), (margin, margin - voucher)]) {
            let arm = &mut arms[usize::from(arm != "-")];
            arm.buyers += buyers;
            for (sample, amount) in [(&mut arm.gross, gross), (&mut arm.net, net)] {
                *sample = Sample { count: sample.count + 1, sum: sample.sum + amount, sum_of_squares: sample.sum_of_squares + amount * amount };
            }
        }
    }
    arms
}

on_both!(the_ledger_is_what_one_counts_person_by_person, |test| {
    let stage = shop(test, SETTINGS, [1, 2, 4]).await;
    redeem(test, &stage).await;
    let ledger = report(&stage).await["ledger"].clone();
    let [revenue, margin] = counted(test).await;
    let near = |key: &str, found: &Value, expected: f64| {
        let found = found.as_f64().unwrap_or_else(|| panic!("{key}: {ledger}"));
        assert!((found - expected).abs() < 1e-6 * expected.abs().max(1.0), "{key}: {found}, expected {expected}");
    };
    let treated = revenue[1].net.count;
    assert_eq!((&ledger["treated"], &ledger["control"], &ledger["unknown"]), (&json!(treated), &json!(revenue[0].net.count), &json!(null)));
    #[expect(clippy::cast_precision_loss, reason = "a thousand people")]
    let sending = treated as f64 * 5.0;
    let check = |key: &str, Increment { total, interval: (low, high), .. }: Increment, less: f64| {
        near(key, &ledger[format!("{key}_cents")], total - less);
        near(key, &ledger[format!("{key}_interval_cents")][0], low - less);
        near(key, &ledger[format!("{key}_interval_cents")][1], high - less);
    };
    check("revenue", increment(revenue[1], revenue[0]).unwrap(), 0.0);
    check("earned", increment(margin[1], margin[0]).unwrap(), sending);
    let vouchers = margin[1].gross.sum - margin[1].net.sum;
    near("voucher", &ledger["voucher_cents"], vouchers);
    near("sending", &ledger["sending_cents"], sending);
    near("sum", &ledger["earned_cents"], ledger["margin_cents"].as_f64().unwrap() - vouchers - sending);
    let late = texts(&test.db, "SELECT CAST(COUNT(*) AS TEXT) FROM decisions WHERE variant = 'B' AND customer_id % 10 = 5").await;
    assert_eq!(ledger["vouchers_outside"].to_string(), late[0]);
    let keys: Vec<&String> = ledger.as_object().unwrap().keys().collect();
    insta::assert_snapshot!("ledger", format!("{keys:?}\n{}", printed(test, &format!("[shop]\n{SETTINGS}"))));
});

on_both!(costs_of_orders_stand_in_for_a_margin_that_nobody_stated, |test| {
    let stage = shop(test, "", [1, 2, 4]).await;
    let ledger = report(&stage).await["ledger"].clone();
    assert_eq!((&ledger["unknown"], &ledger["earned_cents"], &ledger["margin_cents"]), (&json!("no_margin"), &json!(null), &json!(null)));
    assert!(ledger["revenue_cents"].as_f64().unwrap() > 0.0, "{ledger}");
    let sentence = ledger["sentence"].as_str().unwrap();
    assert!(sentence.starts_with("Umsatz gegenüber der Kontrolle: etwa ") && sentence.contains("[shop] margin_percent"), "{sentence}");
    execute(&test.db, "UPDATE orders SET cost_cents = 1200 WHERE id > 10000".to_owned()).await;
    let known = report(&stage).await["ledger"].clone();
    let of_revenue = |key: &str| known[key].as_f64().unwrap() / ledger["revenue_cents"].as_f64().unwrap();
    assert!((of_revenue("earned_cents") - 0.4).abs() < 1e-9, "{known}");
    assert!(known["sentence"].as_str().unwrap().starts_with("Die Regel hat etwa "), "{known}");
});

on_both!(where_there_is_nothing_to_compare_with_the_ledger_says_why, |test| {
    let stage = shop(test, SETTINGS, [1, 2, 4]).await;
    let unknown = async || report(&stage).await["ledger"]["unknown"].clone();
    execute(&test.db, "DELETE FROM decisions WHERE variant = 'A' AND customer_id % 3 = 0".to_owned()).await;
    assert_eq!(unknown().await, "broken_split");
    execute(&test.db, "DELETE FROM decisions WHERE variant IS NULL".to_owned()).await;
    let ledger = report(&stage).await["ledger"].clone();
    assert_eq!((&ledger["unknown"], &ledger["revenue_cents"], &ledger["control"]), (&json!("no_control"), &json!(null), &json!(0)));
    assert!(ledger["sentence"].as_str().unwrap().contains("nobody is held out"), "{ledger}");
    execute(&test.db, "UPDATE decisions SET goal_until = NULL".to_owned()).await;
    assert_eq!(unknown().await, "no_goal");
});

on_both!(before_anybody_buys_and_where_one_person_is_held_out_nothing_is_claimed, |test| {
    people(&test.db, 1..=40).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, RULE, &format!("{SETTINGS}\n[guards]\nhold_percent = 0"));
    run(&stage).await;
    assert_eq!(report(&stage).await["ledger"]["unknown"], "nobody_bought");
    execute(
        &test.db,
        format!(
            "INSERT INTO orders (id, external_id, customer_id, ordered_at, revenue_cents, currency, status, content_hash, updated_at)
             SELECT 10000 + customer_id, 'x' || customer_id, customer_id, {}, 2000, 'EUR', 'paid', 0, 0 FROM decisions WHERE variant = 'A'",
            stage.moment("2024-07-02T12:00").0
        ),
    )
    .await;
    execute(
        &test.db,
        "DELETE FROM decisions WHERE variant IS NULL AND customer_id > (SELECT MIN(customer_id) FROM decisions WHERE variant IS NULL)".to_owned(),
    )
    .await;
    stage.set("2024-07-11T09:00");
    record::conversions(&stage.ctx).await.unwrap();
    assert_eq!(report(&stage).await["ledger"]["unknown"], "too_few");
});
