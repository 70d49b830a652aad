//! Proposals through the gates, with the store behind them.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use stammgast::base::id::Id;
use stammgast::flow::recall::Past;
use stammgast::flow::{decide, rescore};
use stammgast::model::facts::{Moment, Needs};
use stammgast::rules::Evaluation;
use stammgast::store::{decisions, facts};

use crate::common::shop::{execute, order};
use crate::common::stage::{MONDAY_NINE, Stage, people};
use crate::store::{number, texts};

/// A rule for everybody who has ordered.
fn plain(name: &str, more: &str) -> String {
    format!("rule(\"{name}\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\")){more};\n")
}

on_both!(the_gates_stop_in_their_order_and_each_names_its_reason, |test| {
    people(&test.db, 1..=6).await;
    let objected =
        "INSERT INTO consents (customer_id, at, kind, source) VALUES (1, 1600000000000, 'objected', 'test'), (2, 1600000000000, 'objected', 'test')";
    execute(&test.db, objected.to_owned()).await;
    execute(&test.db, "INSERT INTO suppressions (email_key, reason, at) VALUES ('p1@kunde.example', 'manual', 0)".to_owned()).await;
    execute(&test.db, "DELETE FROM consents WHERE customer_id = 3".to_owned()).await;
    execute(&test.db, "UPDATE customers SET email = NULL, email_key = NULL WHERE id = 4".to_owned()).await;
    let action = ".send(|c| if c.id == \"5\" { email(\"win-back-plain\", #{ tag: c.tags[0] }) } else { email(\"win-back-plain\") })";
    let rule = format!("rule(\"all\").basis(\"consent\").when(|c| c.orders >= 1){action};");
    let stage = Stage::new(&test.db, MONDAY_NINE, &rule, "");
    let report = stage.tick("all").await;
    assert_eq!((report.proposed, report.messages), (6, 1));
    assert_eq!(
        stage.decisions().await,
        [
            "1 all ever suppressed - 1",
            "2 all ever objected - 1",
            "3 all ever no_basis - 1",
            "4 all ever no_address - 1",
            "5 all ever rule_failed - 1",
            "6 all ever arm A 1"
        ]
    );
    assert_eq!(stage.messages().await, ["6 queued 0 -"]);
    let why = texts(&test.db, "SELECT detail FROM decisions WHERE slot = 'rule_failed'").await;
    assert!(why[0].contains("out of bounds") && why[0].contains("test.rhai"), "{why:?}");
});

on_both!(a_template_or_target_that_is_gone_stops_the_message_with_its_name, |test| {
    people(&test.db, 1..=1).await;
    let rules = "rule(\"m\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"gone\"));
                 rule(\"w\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| webhook(\"crm\", #{}));";
    let stage = Stage::new(&test.db, MONDAY_NINE, rules, "");
    stage.tick("m").await;
    stage.tick("w").await;
    assert_eq!(stage.decisions().await, ["1 m ever rule_failed - 1", "1 w ever rule_failed - 1"]);
    let why = texts(&test.db, "SELECT detail FROM decisions ORDER BY rule").await;
    assert!(why[0].starts_with("there is no template 'gone': expected one of anniversary, ") && why[1].contains("'crm'"), "{why:?}");
});

on_both!(the_cap_counts_the_messages_of_all_rules_also_of_the_same_moment, |test| {
    people(&test.db, 1..=3).await;
    let rules = ["a", "b", "c"].map(|name| plain(name, "")).concat();
    let stage = Stage::new(&test.db, MONDAY_NINE, &rules, "[policy]\ncap_messages = 2\ncap_days = 7");
    let nine = stage.ctx.clock.now();
    for (milliseconds, rule) in [(12, "a"), (24, "b"), (36, "c")] {
        // As in a daemon: what is decided for 09:00 is written some milliseconds later.
        stage.ctx.clock.set(nine.plus(milliseconds));
        let lease = stammgast::flow::evaluate::lease(&stage.ctx, "test/1").await.unwrap().unwrap();
        let report = stammgast::flow::evaluate::tick(&stage.ctx, &stage.in_force.get(), rule, nine, &lease).await.unwrap();
        assert_eq!(report.messages, if rule == "c" { 0 } else { 3 }, "{rule}");
    }
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM decisions WHERE rule = 'c' AND slot = 'frequency_cap'").await, 3);
    stage.set("2024-07-08T09:00");
    assert_eq!(stage.tick("c").await.messages, 3, "seven days later");
});

on_both!(order_mails_neither_count_for_the_cap_nor_wait_for_it, |test| {
    people(&test.db, 1..=1).await;
    let order_mail = "rule(\"receipt\").basis(\"contract\").when(|c| c.orders >= 1).send(|c| email(\"thank-you\"));";
    let rules = format!("{order_mail}{}{}{}", plain("a", ""), plain("b", ""), order_mail.replace("receipt", "later"));
    let stage = Stage::new(&test.db, MONDAY_NINE, &rules, "[policy]\ncap_messages = 1");
    for (rule, messages) in [("receipt", 1), ("a", 1), ("b", 0), ("later", 1)] {
        assert_eq!(stage.tick(rule).await.messages, messages, "{rule}");
    }
});

on_both!(at_night_a_message_is_put_off_to_the_morning_and_leaves_then, |test| {
    people(&test.db, 1..=2).await;
    let folder = tempfile::tempdir().unwrap();
    let settings = format!("[mail]\nfolder = \"{}\"\nfrom = \"post@shop.example\"", folder.path().display());
    let stage = Stage::new(&test.db, "2024-07-01T21:30", &plain("night", ".goal(\"order\", days(2)).control(0)"), &settings);
    assert_eq!(stage.tick("night").await.messages, 2);
    assert_eq!(stage.due_times().await, ["2024-07-02T08:00"; 2]);
    assert_eq!(texts(&test.db, "SELECT detail FROM decisions").await, ["quiet hours: waits until 2024-07-02T08:00:00+02:00"; 2]);
    let goals = format!("SELECT COUNT(*) FROM decisions WHERE goal_until = {}", stage.moment("2024-07-04T08:00").0);
    assert_eq!(number(&test.db, &goals).await, 2, "the goal's window begins when the message leaves");
    for (at, sent) in [("2024-07-01T23:00", 0), ("2024-07-02T07:59", 0), ("2024-07-02T08:00", 2), ("2024-07-02T08:01", 0)] {
        stage.set(at);
        assert_eq!(stage.drain().await.sent, sent, "{at}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
});

on_both!(a_run_that_is_made_up_for_at_night_waits_for_the_morning_too, |test| {
    people(&test.db, 1..=1).await;
    let rule = plain("daily", ".every(\"0 9 * * *\")");
    let stage = Stage::new(&test.db, "2024-07-01T08:00", &rule, "");
    assert_eq!(stage.run_due().await, [""; 0]);
    stage.set("2024-07-02T02:00");
    assert_eq!(stage.run_due().await, ["daily 2024-07-01T09:00"]);
    assert_eq!(stage.due_times().await, ["2024-07-02T08:00"]);
});

on_both!(a_rules_own_quiet_hours_go_before_the_shops_and_webhooks_know_none, |test| {
    people(&test.db, 1..=1).await;
    let rules = format!(
        "{}rule(\"hook\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| webhook(\"crm\", #{{}}));",
        plain("owl", ".quiet(\"03:00\", \"22:30\")")
    );
    let settings = "[[webhooks]]\nname = \"crm\"\nurl = \"https://crm.example/\"\nsecret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"";
    let stage = Stage::new(&test.db, "2024-07-01T21:30", &rules, settings);
    stage.tick("owl").await;
    stage.tick("hook").await;
    let mut due = stage.due_times().await;
    due.sort();
    assert_eq!(due, ["2024-07-01T21:30", "2024-07-01T22:30"]);
});

on_both!(whoever_is_held_out_has_a_decision_and_no_message, |test| {
    people(&test.db, 1..=200).await;
    let rule = plain("half", ".control(50).goal(\"order\", days(2))");
    let stage = Stage::new(&test.db, MONDAY_NINE, &rule, "[guards]\nhold_percent = 0");
    let report = stage.tick("half").await;
    let held_out = number(&test.db, "SELECT COUNT(*) FROM decisions WHERE verdict = 'control' AND variant IS NULL AND goal_until IS NOT NULL").await;
    assert_eq!(usize::try_from(held_out).unwrap() + report.messages, 200);
    assert!((70..=130).contains(&held_out), "{held_out}");
    let both = "SELECT COUNT(*) FROM decisions d JOIN messages m ON m.decision_id = d.id WHERE d.verdict <> 'send'";
    assert_eq!(number(&test.db, both).await, 0);
    stage.set("2024-07-02T09:00");
    assert_eq!(stage.tick("half").await.messages, 0, "also the held-out have had their occasion");
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM decisions WHERE slot = 'cooldown'").await, 200);
});

on_both!(a_refusal_that_comes_again_is_counted_and_not_repeated, |test| {
    people(&test.db, 1..=1).await;
    execute(&test.db, "DELETE FROM consents".to_owned()).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, &plain("all", ""), "");
    for day in 1..=5 {
        stage.set(&format!("2024-07-0{day}T09:00"));
        stage.tick("all").await;
    }
    assert_eq!(stage.decisions().await, ["1 all ever no_basis - 5"]);
    let last = format!("SELECT COUNT(*) FROM decisions WHERE last_at = {}", stage.moment("2024-07-05T09:00").0);
    assert_eq!(number(&test.db, &last).await, 1);
});

on_both!(after_the_cooldown_the_same_person_gets_a_second_message_and_not_before, |test| {
    people(&test.db, 1..=1).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, &plain("again", ".cooldown(days(90))"), "");
    for (at, messages) in [("2024-07-01T09:00", 1), ("2024-09-29T08:59", 0), ("2024-09-29T09:00", 1), ("2024-12-27T09:00", 0)] {
        stage.set(at);
        assert_eq!(stage.tick("again").await.messages, messages, "{at}");
    }
    assert_eq!(stage.decisions().await, ["1 again #1 arm A 1", "1 again #2 cooldown - 1", "1 again #2 arm A 1", "1 again #3 cooldown - 1"]);
});

on_both!(once_a_year_and_once_an_order_follow_the_calendar_and_the_orders, |test| {
    people(&test.db, 1..=1).await;
    let rules = [plain("yearly", ".once_per(\"year\")"), plain("thanks", ".once_per(\"order\")")].concat();
    let stage = Stage::new(&test.db, "2024-12-30T09:00", &rules, "[policy]\ncap_messages = 0");
    let both = async |at: &str| {
        stage.set(at);
        (stage.tick("yearly").await.messages, stage.tick("thanks").await.messages)
    };
    assert_eq!(both("2024-12-30T09:00").await, (1, 1));
    assert_eq!(both("2024-12-31T09:00").await, (0, 0));
    assert_eq!(both("2025-01-01T09:00").await, (1, 0));
    order(&test.db, 77, 1, stage.moment("2025-01-02T10:00").0, 500, None, "paid").await;
    assert_eq!(both("2025-01-02T11:00").await, (0, 1));
    assert_eq!(number(&test.db, "SELECT COUNT(DISTINCT occasion) FROM messages").await, 4);
});

on_both!(vouchers_are_stored_with_their_worth_and_each_person_has_another, |test| {
    people(&test.db, 1..=50).await;
    let action = ".send(|c| email(\"win-back\", #{ voucher: voucher(\"WB\", percent(10), days(14)) }))";
    let rules = format!("rule(\"gift\").basis(\"consent\").when(|c| c.orders >= 1).control(20).goal(\"order\", days(9)){action};");
    let stage = Stage::new(&test.db, MONDAY_NINE, &rules, "");
    let messages = stage.tick("gift").await.messages;
    let query = "SELECT v.code || ' ' || CAST(v.percent AS TEXT) || ' ' || v.valid_until FROM vouchers v JOIN messages m ON m.decision_id = v.decision_id AND m.customer_id = v.customer_id";
    let vouchers = texts(&test.db, query).await;
    assert!(vouchers.len() == messages && messages < 50, "the held-out get none: {messages}");
    assert_eq!(vouchers.iter().collect::<BTreeSet<_>>().len(), messages);
    assert!(vouchers.iter().all(|voucher| voucher.starts_with("WB-") && voucher.ends_with(" 10 2024-07-15")), "{vouchers:?}");
    let actions: Vec<Value> = texts(&test.db, "SELECT action FROM messages").await.iter().map(|text| serde_json::from_str(text).unwrap()).collect();
    let printed: BTreeSet<&str> = actions.iter().map(|action| action["vars"]["voucher"]["code"].as_str().unwrap()).collect();
    assert!(vouchers.iter().all(|voucher| printed.contains(voucher.split(' ').next().unwrap())), "what is stored is what the mail says");
});

on_both!(the_body_of_a_webhook_says_who_what_and_why, |test| {
    people(&test.db, 1..=1).await;
    let rules = "rule(\"tell\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| webhook(\"crm\", #{ note: \"zurück\", orders: c.orders }));";
    let settings = "[[webhooks]]\nname = \"crm\"\nurl = \"https://crm.example/\"\nsecret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\"";
    let stage = Stage::new(&test.db, MONDAY_NINE, rules, settings);
    stage.tick("tell").await;
    let body: Value = serde_json::from_str(&texts(&test.db, "SELECT body FROM messages").await[0]).unwrap();
    let customer = json!({ "id": "1", "email": "p1@kunde.example", "first_name": "Anna1", "last_name": null });
    let data = json!({ "rule": "tell", "variant": "A", "occasion": "ever", "customer": customer, "payload": { "note": "zurück", "orders": 1 } });
    assert_eq!(body, json!({ "type": "rule.matched", "timestamp": "2024-07-01T07:00:00Z", "data": data }));
});

on_both!(two_deciders_at_once_make_one_message_an_occasion, |test| {
    people(&test.db, 1..=100).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, &plain("race", ".cooldown(days(30)).control(10).goal(\"order\", days(9))"), "");
    rescore::all(&stage.ctx, stage.ctx.clock.now()).await.unwrap();
    // Both look before either writes, without the lease that would keep them apart.
    let (first, second) = (entries(&stage).await, entries(&stage).await);
    let write = async |entries: &[decisions::Entry]| {
        let rule = stage.in_force.get().rules.rule("race").unwrap().spec.clone();
        let mut tx = stage.ctx.db.write().await.unwrap();
        let made = decisions::append(&mut tx, &rule, stage.ctx.clock.now(), stage.ctx.clock.now(), entries).await.unwrap();
        tx.commit().await.unwrap();
        made
    };
    let (one, two) = tokio::join!(write(&first), write(&second));
    let messages = number(&test.db, "SELECT COUNT(*) FROM messages").await;
    assert_eq!(one.messages + two.messages, messages);
    assert_eq!(one.reached + two.reached, 100);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM decisions").await, 100);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM decisions WHERE verdict = 'send'").await, messages);
});

async fn entries(stage: &Stage) -> Vec<decisions::Entry> {
    let moment = Moment { now: stage.ctx.clock.now(), zone: stage.ctx.config.shop.zone() };
    let campaign = stage.in_force.get();
    let page = facts::page(&mut stage.ctx.db.read().await.unwrap(), Id(0), 1_000, Needs::ALL, None).await.unwrap();
    let found = campaign.rules.rule("race").unwrap().evaluate(&page, moment);
    let candidate = |(facts, evaluation)| match evaluation {
        Evaluation::Match { inputs } => decide::Candidate { facts, inputs, failure: None },
        other => panic!("{other:?}"),
    };
    let candidates = page.into_iter().zip(found).map(candidate).collect();
    decide::decide(&stage.ctx, &campaign, "race", moment, candidates, &Past::Logged, &decide::Arms::Split).await.unwrap()
}
