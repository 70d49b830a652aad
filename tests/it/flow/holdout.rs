//! Held out from all rules: who is, who is not, and what all rules earned together, counted again person by person.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use stammgast::flow::campaign::Campaign;
use stammgast::flow::{analyse, plan, why};
use stammgast::model::facts::Needs;
use stammgast::policy::holdout::is_in;
use stammgast::stats::earned::{Arm, Increment, increment};
use stammgast::stats::mean::Sample;

use super::analyse::{RULE, printed, report, run, shop};
use super::backtest::{RULES, drive, lively_shop, logged, replay, replayed};
use super::ledger::{SETTINGS, happened, redeem};
use crate::common::databases::TestDb;
use crate::common::shop::execute;
use crate::common::smtp::SmtpSink;
use crate::common::stage::{MONDAY_NINE, Stage, people, to_sink};
use crate::store::{number, texts};

const TENTH: &str = "[policy]\nholdout_percent = 10";

async fn together(stage: &Stage) -> Value {
    serde_json::to_value(analyse::report(&stage.ctx, None).await.unwrap()).unwrap()["holdout"].clone()
}

/// Whom a statement finds, by number.
async fn ids(test: &TestDb, condition: &str) -> Vec<i64> {
    let found = texts(&test.db, &format!("SELECT CAST(d.customer_id AS TEXT) FROM decisions d WHERE {condition} ORDER BY d.customer_id")).await;
    found.iter().map(|id| id.parse().unwrap()).collect()
}

on_both!(whoever_is_held_out_from_all_rules_passes_the_gates_and_gets_nothing_but_order_mails, |test| {
    people(&test.db, 1..=300).await;
    execute(&test.db, "DELETE FROM consents WHERE customer_id <= 60".to_owned()).await;
    execute(&test.db, "UPDATE customers SET email = NULL, email_key = NULL WHERE id BETWEEN 61 AND 120".to_owned()).await;
    let order_mail = "rule(\"thanks\").basis(\"contract\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\"));";
    let stage = Stage::new(&test.db, MONDAY_NINE, &format!("{RULE}{order_mail}"), &format!("{TENTH}\n[guards]\nhold_percent = 0"));
    let planned = plan::plan(&stage.ctx, &stage.in_force.get(), "hello", None).await.unwrap();
    run(&stage).await;
    let held: Vec<i64> = (121..=300).filter(|id: &i64| is_in("global-holdout", &id.to_string(), 10)).collect();
    assert!((8..=30).contains(&held.len()), "{held:?}");
    assert_eq!(ids(test, "d.holdout = 1").await, held);
    assert_eq!(ids(test, "d.holdout = 1 AND d.goal_until IS NULL AND d.variant IS NULL AND d.slot = 'arm'").await, held);
    // Who could not be written to is in no group.
    assert_eq!(ids(test, "d.slot <> 'arm' AND d.holdout IS NULL").await, (1..=120).collect::<Vec<_>>());
    assert_eq!(ids(test, "d.holdout = 0").await.len(), 180 - held.len());
    assert_eq!((planned.holdout, planned.people.iter().filter(|person| person.verdict == "holdout").count()), (held.len(), held.len()));
    let in_plan: Vec<i64> =
        planned.people.iter().filter(|person| person.verdict == "holdout").map(|person| person.customer.parse().unwrap()).collect();
    assert_eq!(in_plan, held);
    let written = |rule: &str| {
        format!("SELECT COUNT(*) FROM messages WHERE rule = '{rule}' AND customer_id IN (SELECT customer_id FROM decisions WHERE holdout = 1)")
    };
    assert_eq!(number(&test.db, &written("hello")).await, 0);
    stage.tick("thanks").await;
    assert_eq!(number(&test.db, &written("thanks")).await, i64::try_from(held.len()).unwrap());
    assert_eq!(ids(test, "d.rule = 'thanks' AND d.holdout IS NOT NULL").await, Vec::<i64>::new());
    // The rule's own figures know nothing of them.
    let rule = report(&stage).await;
    let arms: i64 = std::iter::once(&rule["control"]).chain(rule["variants"].as_array().unwrap()).map(|arm| arm["people"].as_i64().unwrap()).sum();
    assert_eq!((rule["holdout"].as_u64(), arms), (Some(held.len() as u64), 180 - i64::try_from(held.len()).unwrap()));
    // Once in their life is once, held out or not.
    stage.set("2024-07-02T09:00");
    stage.tick("hello").await;
    assert_eq!(ids(test, "d.holdout = 1").await, held);
    let log = |why: &why::Why| why.log.iter().map(|line| line.verdict.clone()).collect::<Vec<_>>();
    let facts = why::customer(&stage.ctx, &held[0].to_string(), Needs::ALL).await.unwrap().unwrap();
    stage.set(MONDAY_NINE);
    let found = why::why(&stage.ctx, &stage.in_force.get(), "hello", &facts).await.unwrap();
    assert_eq!((found.verdict, found.reason, log(&found)), ("holdout", None, vec!["cooldown".to_owned(), "holdout".to_owned()]));
    assert!(found.gates.iter().all(|gate| gate.passed), "{:?}", found.gates);
});

on_both!(who_is_held_out_stays_so_when_the_share_grows_and_those_who_came_late_are_in_no_group, |test| {
    people(&test.db, 1..=400).await;
    let rule = RULE.replace(".when(", ".cooldown(days(5)).when(");
    let settings = |percent: i64| format!("[policy]\ncap_days = 0\nholdout_percent = {percent}\n[guards]\nhold_percent = 0");
    let mut held = Vec::new();
    for (percent, at) in [(0, "2024-06-24T09:00"), (5, MONDAY_NINE), (20, "2024-07-08T09:00"), (20, "2024-07-15T09:00")] {
        let stage = Stage::new(&test.db, at, &rule, &settings(percent));
        run(&stage).await;
        let now = stage.ctx.clock.now().0;
        held.push(ids(test, &format!("d.holdout = 1 AND d.tick_at = {now}")).await);
    }
    let share = |percent| (1..=400).filter(|id: &i64| is_in("global-holdout", &id.to_string(), percent)).collect::<Vec<_>>();
    assert_eq!(held, [vec![], share(5), share(20), share(20)]);
    assert!(held[1].iter().all(|id| held[2].contains(id)) && held[1].len() < held[2].len());
    let stage = Stage::new(&test.db, "2024-07-16T09:00", &rule, &settings(20));
    let found = together(&stage).await;
    let (least, most) = (share(5).len(), share(20).len());
    assert_eq!(
        (&found["percent"], &found["changed_sides"], &found["control"]["people"], &found["rest"]["people"]),
        (&json!(5), &json!(most - least), &json!(least), &json!(400 - most))
    );
    assert_eq!((&found["since"], &found["until"]), (&json!("2024-07-01T07:00:00Z"), &json!(null)));
    // Nobody is held out any more: the comparison ends with the first run that knows.
    let over = Stage::new(&test.db, "2024-07-22T09:00", &rule, &settings(0));
    run(&over).await;
    over.set("2024-09-01T09:00");
    let ended = together(&over).await;
    assert_eq!((&ended["until"], &ended["percent"]), (&json!("2024-07-22T07:00:00Z"), &json!(5)));
    assert!((ended["mean_days"].as_f64().unwrap() - 21.0).abs() < 1e-9, "{ended}");
    // Other people: it begins anew.
    let other = Stage::new(&test.db, "2024-09-02T09:00", &rule, &settings(20).replace("[guards]", "holdout_seed = \"2025\"\n[guards]"));
    run(&other).await;
    let anew = together(&other).await;
    let theirs = (1..=400).filter(|id: &i64| is_in("2025", &id.to_string(), 20)).count();
    assert_eq!((&anew["since"], &anew["control"]["people"]), (&json!("2024-09-02T07:00:00Z"), &json!(theirs)));
});

on_both!(a_replay_holds_out_whom_the_daemon_holds_out, |test| {
    lively_shop(test).await;
    let sink = SmtpSink::start().await;
    let stage = Stage::new(&test.db, "2024-06-03T00:00", RULES, &format!("{}{TENTH}\nholdout_seed = \"x\"\n", to_sink(&sink)));
    drive(&stage, "2024-06-03", "2024-06-15").await;
    let real = logged(test, &stage, "often").await;
    let found = replay(&stage, "often", "2024-06-03", "2024-06-15").await;
    assert_eq!(replayed(&found), real);
    let held = real.iter().filter(|row| row.contains(" holdout ")).count();
    assert!(held > 2 && real.iter().any(|row| row.contains(" send ")), "{real:?}");
    assert_eq!(found.days.iter().map(|day| day.holdout).sum::<usize>(), held);
    // Their orders are nobody's goal.
    assert_eq!(found.bought_anyway.unwrap().reached, real.len() - held);
});

on_both!(what_all_rules_earned_is_what_one_counts_person_by_person, |test| {
    let stage = shop(test, &format!("{SETTINGS}\n{TENTH}"), [1, 2, 4]).await;
    redeem(test, &stage).await;
    let assigned = "SELECT COALESCE(variant, '-') || ' ' || CAST(customer_id AS TEXT) FROM decisions WHERE slot = 'arm'";
    let nobody = Sample { count: 0, sum: 0.0, sum_of_squares: 0.0 };
    let mut arms = [[Arm { gross: nobody, net: nobody, buyers: 0, effect: 1.0 }; 2]; 2];
    for line in texts(&test.db, assigned).await {
        let (arm, id) = line.split_once(' ').unwrap();
        let digit = id.parse::<i64>().unwrap() % 10;
        // Here an order counts after the goal's window too, and with it the worth of the voucher that paid for it.
        let (buyers, revenue, margin, voucher) = if (arm, digit) == ("B", 5) { (1, 0.0, 120.0, 300.0) } else { happened(arm, digit) };
        let rest = usize::from(!is_in("global-holdout", id, 10));
        assert!(rest == 1 || arm == "-", "{line}");
        for (arms, (gross, net)) in arms.iter_mut().zip([(revenue, revenue), (margin, margin - voucher)]) {
            arms[rest].buyers += buyers;
            for (sample, amount) in [(&mut arms[rest].gross, gross), (&mut arms[rest].net, net)] {
                *sample = Sample { count: sample.count + 1, sum: sample.sum + amount, sum_of_squares: sample.sum_of_squares + amount * amount };
            }
        }
    }
    let found = together(&stage).await;
    let ledger = &found["ledger"];
    let near = |what: &str, found: &Value, expected: f64| {
        let number = found.as_f64().unwrap_or_else(|| panic!("{what}: {found}"));
        assert!((number - expected).abs() < 1e-6 * expected.abs().max(1.0), "{what}: {number}, expected {expected}");
    };
    let [revenue, margin] = arms;
    for (key, group) in [("control", revenue[0]), ("rest", revenue[1])] {
        assert_eq!((&found[key]["people"], &found[key]["bought"]), (&json!(group.net.count), &json!(group.buyers)), "{key}");
        near(key, &found[key]["revenue_cents"], group.net.sum);
    }
    let messages = i32::try_from(number(&test.db, "SELECT COUNT(*) FROM messages").await).unwrap();
    let sending = f64::from(messages) * 5.0;
    let check = |key: &str, Increment { total, interval: (low, high), .. }: Increment, less: f64| {
        near(key, &ledger[format!("{key}_cents")], total - less);
        near(key, &ledger[format!("{key}_interval_cents")][0], low - less);
        near(key, &ledger[format!("{key}_interval_cents")][1], high - less);
    };
    check("revenue", increment(revenue[1], revenue[0]).unwrap(), 0.0);
    check("earned", increment(margin[1], margin[0]).unwrap(), sending);
    near("voucher", &ledger["voucher_cents"], margin[1].gross.sum - margin[1].net.sum);
    near("sending", &ledger["sending_cents"], sending);
    near("days", &found["mean_days"], 35.0);
    assert!(found["split_p"].as_f64().unwrap() > 0.001, "{found}");
    insta::assert_snapshot!("holdout", printed(test, &format!("[shop]\n{SETTINGS}\n{TENTH}")).split("All campaigns").nth(1).unwrap());
});

on_both!(it_is_too_early_until_people_have_been_in_for_four_weeks_and_nothing_is_said_without_a_holdout, |test| {
    let stage = shop(test, &format!("{SETTINGS}\n{TENTH}"), [1, 2, 4]).await;
    let sentence = async |at: &str| {
        stage.set(at);
        together(&stage).await["ledger"]["sentence"].as_str().unwrap().to_owned()
    };
    let early = sentence("2024-07-11T09:00").await;
    assert!(early.starts_with("Too early to tell what all campaigns earn together: people have been in the comparison for 10 of 28 days"), "{early}");
    assert!(!sentence("2024-07-29T09:00").await.starts_with("Too early"));
    execute(&test.db, "DELETE FROM decisions WHERE holdout = 1 AND customer_id % 2 = 0".to_owned()).await;
    execute(&test.db, "DELETE FROM decisions WHERE holdout = 1 AND customer_id % 3 = 0".to_owned()).await;
    let broken = together(&stage).await;
    assert_eq!(broken["ledger"]["unknown"], "broken_split", "{broken}");
    execute(&test.db, "DELETE FROM decisions WHERE holdout = 1".to_owned()).await;
    let nobody = together(&stage).await;
    assert_eq!(nobody["ledger"]["unknown"], "no_control", "{nobody}");
    let one = analyse::report(&stage.ctx, Some("hello")).await.unwrap();
    assert_eq!(one.holdout, None);
});

on_both!(a_shop_that_holds_nobody_out_has_no_such_report, |test| {
    let stage = shop(test, "", [1, 2, 4]).await;
    assert_eq!(together(&stage).await, json!(null));
    assert_eq!(
        number(&test.db, "SELECT COUNT(*) FROM holdouts").await + number(&test.db, "SELECT COUNT(*) FROM decisions WHERE holdout IS NOT NULL").await,
        0
    );
});

#[test]
fn a_rule_that_is_split_by_the_seed_of_the_holdout_is_a_fault() {
    use stammgast::base::token::TokenKey;
    use stammgast::config::Config;
    let folder = tempfile::tempdir().unwrap();
    let mut said = BTreeMap::new();
    for (name, more) in [("global-holdout", ""), ("hello", ".experiment(\"global-holdout\")"), ("well", "")] {
        let text = format!("rule(\"{name}\")\n    .basis(\"consent\").when(|c| c.orders >= 1)\n    .send(|c| email(\"win-back-plain\")){more};");
        std::fs::write(folder.path().join("rule.rhai"), text).unwrap();
        let mut config = Config::from_toml(TENTH).unwrap();
        config.rules.path = folder.path().to_owned();
        let faults = Campaign::load(&config, TokenKey::new([7; 32])).err().unwrap_or_default();
        let faults: Vec<String> = faults.iter().map(|fault| format!("{}:{} {}", fault.line, fault.column, fault.message)).collect();
        said.insert(name, faults);
    }
    let sentence = "'global-holdout' is the seed of those held out from all rules ([policy] holdout_seed): expected another key or name";
    assert_eq!(said["global-holdout"], [format!("1:1 {sentence}")]);
    assert_eq!(said["hello"], [format!("3:40 {sentence}")]);
    assert!(said["well"].is_empty());
}
