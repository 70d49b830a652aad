//! Why somebody got a message, or did not: what is told agrees with what the log says.

use std::collections::HashMap;

use stammgast::base::id::Id;
use stammgast::flow::why::{self, Why};
use stammgast::model::facts::Needs;
use stammgast::store::facts;

use crate::common::databases::TestDb;
use crate::common::shop::{execute, order};
use crate::common::stage::{MONDAY_NINE, Stage, people};
use crate::store::texts;

const RULES: &str = "
    rule(\"first\").every(\"0 9 * * *\").basis(\"existing_customer\").when(|c| c.recency_days > 20 && (c.m >= 3 || c.id.len() == 2)).cooldown(days(4)).control(30)
        .variant(\"A\", 1, |c| email(\"win-back-plain\")).variant(\"B\", 1, |c| if c.tags.len() == 0 && c.id.ends_with(\"3\") { email(c.id) } else { email(\"win-back-plain\") });
    rule(\"second\").every(\"0 9 * * *\").basis(\"consent\").priority(5).when(|c| c.orders >= 2 || c.id.len() > 0 && c.id.ends_with(\"7\")).once_per(\"week\")
        .send(|c| email(\"win-back-plain\"));
    rule(\"third\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.orders / (c.orders - 1) >= 0).once_per(\"day\").send(|c| email(\"win-back-plain\"));";

/// Some objected, some have no address, some are suppressed, some ordered again.
async fn shop(test: &TestDb, count: i64) {
    people(&test.db, 1..=count).await;
    for customer in 1..=count {
        let statement = match customer % 10 {
            1 => format!("INSERT INTO consents (customer_id, at, kind, source) VALUES ({customer}, 1700000000000, 'objected', 'test')"),
            2 => format!("UPDATE customers SET email = NULL, email_key = NULL WHERE id = {customer}"),
            4 | 8 => format!("DELETE FROM consents WHERE customer_id = {customer}"),
            5 => format!("INSERT INTO suppressions (email_key, reason, at) VALUES ('p{customer}@kunde.example', 'manual', 0)"),
            _ => continue,
        };
        execute(&test.db, statement).await;
    }
    for customer in (1..=count).filter(|customer| (6..=8).contains(&(customer % 10))) {
        order(&test.db, 10_000 + customer, customer, 1_715_000_000_000 + customer * 10_000_000, 3_000 * customer, None, "paid").await;
    }
}

on_both!(what_is_told_agrees_with_the_log_for_every_customer_and_rule, |test| {
    shop(test, 420).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, RULES, "[policy]\ncap_days = 7\ncap_messages = 2\n[rules]\npause_after_failures = 0\n");
    let mut pairs = 0;
    for day in 1..=4 {
        let now = format!("2024-07-0{day}T09:00");
        stage.set(&now);
        stage.run_due().await;
        let at = stage.ctx.clock.now().0;
        let logged: HashMap<String, String> = texts(
            &test.db,
            &format!(
                "SELECT c.external_id || ' ' || d.rule || ':' || d.verdict || ' ' || COALESCE(d.variant, '-') || ' ' || CASE d.slot WHEN 'arm' THEN '-' ELSE d.slot END
                 FROM decisions d JOIN customers c ON c.id = d.customer_id WHERE d.last_at = {at}"
            ),
        )
        .await
        .iter()
        .map(|row| row.split_once(':').map(|(pair, rest)| (pair.to_owned(), rest.to_owned())).unwrap())
        .collect();
        let page = facts::page(&mut test.db.read().await.unwrap(), Id(0), 1_000, Needs::ALL, None).await.unwrap();
        for facts in &page {
            for rule in ["first", "second", "third"] {
                let why = why::why(&stage.ctx, &stage.in_force.get(), rule, facts).await.unwrap();
                let told = format!("{} {} {}", why.verdict, why.variant.as_deref().unwrap_or("-"), why.reason.unwrap_or("-"));
                let pair = format!("{} {rule}", facts.customer.external_id);
                assert_eq!(told, logged.get(&pair).map_or("no_match - -", String::as_str), "{pair} {now}: {why:?}");
                consistent(&why);
                pairs += 1;
            }
        }
    }
    assert_eq!(pairs, 4 * 3 * 420);
    let verdicts = texts(&test.db, "SELECT DISTINCT slot FROM decisions ORDER BY slot").await;
    assert_eq!(
        verdicts,
        ["arm", "cooldown", "frequency_cap", "no_address", "no_basis", "objected", "rule_failed", "suppressed"],
        "all of them happened"
    );
});

/// The first gate that stops is the reason; clauses that mattered make up the answer.
fn consistent(why: &Why) {
    let stops = why.gates.iter().find(|gate| !gate.passed).map(|gate| gate.gate);
    match why.verdict {
        "refused" if why.reason == Some("rule_failed") => assert!(why.failure.is_some(), "{why:?}"),
        "refused" => assert_eq!(stops, why.reason, "{why:?}"),
        "send" | "control" => assert!(why.matched && stops.is_none(), "{why:?}"),
        _ => assert!(!why.matched && why.clauses.iter().any(|clause| clause.result != Some(true)), "{why:?}"),
    }
}

on_both!(who_was_never_a_candidate_is_told_clause_by_clause_and_gate_by_gate, |test| {
    shop(test, 10).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, RULES, "");
    let facts = why::customer(&stage.ctx, "5", Needs::ALL).await.unwrap().unwrap();
    let why = why::why(&stage.ctx, &stage.in_force.get(), "second", &facts).await.unwrap();
    let clauses: Vec<(&str, Option<bool>, bool)> = why.clauses.iter().map(|clause| (clause.text.as_str(), clause.result, clause.skipped)).collect();
    assert_eq!(
        clauses,
        [("c.orders >= 2", Some(false), false), ("c.id.len() > 0", Some(true), false), ("c.id.ends_with(\"7\")", Some(false), false)]
    );
    let gates: Vec<(&str, bool)> = why.gates.iter().map(|gate| (gate.gate, gate.passed)).collect();
    assert_eq!(gates, [("suppressed", false), ("objected", true), ("no_basis", true), ("cooldown", true), ("frequency_cap", true)]);
    assert_eq!((why.verdict, why.reason, why.log.len()), ("no_match", None, 0));
    assert!(why::customer(&stage.ctx, "nobody", Needs::ALL).await.unwrap().is_none());
});
