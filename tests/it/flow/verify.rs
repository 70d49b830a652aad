//! Examples and scenarios say what the daemon does.

use stammgast::flow::verify::examples::{self, Tried};

use crate::common::databases::sqlite;
use crate::common::shop::{execute, order};
use crate::common::stage::{MONDAY_NINE, Stage, people};
use crate::store::texts;

mod scenarios;

/// A rule whose second variant has an action of its own, with examples.
fn rule(verbs: &str, examples: &str) -> String {
    format!(
        "rule(\"r\").every(\"0 9 * * *\"){verbs}.when(|c| c.orders >= 2 && c.recency_days > 10 && !c.tags.contains(\"vip\")).control(20)
         .variant(\"A\", 1, |c| email(\"win-back-plain\", #{{ name: c.first_name }})).variant(\"B\", 1, |c| email(\"win-back-plain\", #{{ first: c.tags[0] }}))
         {examples};"
    )
}

async fn tried(rules: &str, settings: &str) -> Vec<Tried> {
    let test = sqlite().await;
    let stage = Stage::new(&test.db, MONDAY_NINE, rules, settings);
    examples::examples(&stage.ctx, &stage.in_force.get()).await.unwrap()
}

/// A customer of the database (number, statements after those of everybody), and the same one stated.
const PEOPLE: &[(i64, &str, &str)] = &[
    (1, "", "orders: 2, recency_days: 61, tags: [\"a\"]"),
    (2, "DELETE FROM consents WHERE customer_id = 2", "orders: 2, recency_days: 61, tags: [\"a\"], consent: \"none\""),
    (3, "UPDATE consents SET kind = 'objected' WHERE customer_id = 3", "orders: 2, recency_days: 61, tags: [\"a\"], consent: \"objected\""),
    (4, "UPDATE consents SET kind = 'single_opt_in' WHERE customer_id = 4", "orders: 2, recency_days: 61, tags: [\"a\"], consent: \"single_opt_in\""),
    (
        5,
        "UPDATE consents SET kind = 'existing_customer' WHERE customer_id = 5",
        "orders: 2, recency_days: 61, tags: [\"a\"], consent: \"existing_customer\"",
    ),
    (
        6,
        "INSERT INTO suppressions (email_key, reason, at) VALUES ('p6@kunde.example', 'manual', 0)",
        "orders: 2, recency_days: 61, tags: [\"a\"], suppressed: true",
    ),
    (7, "UPDATE customers SET email = NULL, email_key = NULL WHERE id = 7", "orders: 2, recency_days: 61, tags: [\"a\"], has_email: false"),
    (8, "UPDATE customers SET tags = '[\"a\",\"vip\"]' WHERE id = 8", "orders: 2, recency_days: 61, tags: [\"a\", \"vip\"]"),
    (9, "DELETE FROM orders WHERE customer_id = 9", "orders: 0, tags: [\"a\"]"),
    (10, "UPDATE orders SET ordered_at = 1719500000000 WHERE id = 10", "orders: 2, recency_days: 4, tags: [\"a\"]"),
    // Bought too long ago to carry a basis, and never said a word.
    (11, "UPDATE orders SET ordered_at = 1600000000000 WHERE customer_id = 11", "orders: 2, recency_days: 1387, tags: [\"a\"]"),
    (12, "DELETE FROM consents WHERE customer_id = 12", "orders: 2, recency_days: 1387, tags: [\"a\"], consent: \"none\""),
];

on_both!(an_example_gets_the_verdict_that_a_run_gives_a_customer_with_these_facts, |test| {
    people(&test.db, 1..=12).await;
    execute(&test.db, "UPDATE customers SET tags = '[\"a\"]'".to_owned()).await;
    for id in 1..=12 {
        order(&test.db, 100 + id, id, 1_704_000_000_000, 1_500, None, "paid").await;
    }
    for (_, statement, _) in PEOPLE {
        if !statement.is_empty() {
            execute(&test.db, (*statement).to_owned()).await;
        }
    }
    execute(&test.db, "UPDATE orders SET ordered_at = 1600000000000 WHERE customer_id = 12".to_owned()).await;
    for (round, basis) in ["consent", "existing_customer", "contract"].into_iter().enumerate() {
        let verbs = format!(".basis(\"{basis}\").cooldown(days(30))");
        let name = format!("rule(\"r{round}\")");
        let stated: Vec<String> = PEOPLE
            .iter()
            .map(|(id, _, facts)| format!(".example(\"{id}\", #{{ id: \"{id}\", first_name: \"Anna{id}\", {facts} }}, \"send\")\n"))
            .collect();
        let text = rule(&verbs, &stated.concat()).replace("rule(\"r\")", &name);
        let stage = Stage::new(&test.db, MONDAY_NINE, &text, "");
        stage.tick(&format!("r{round}")).await;
        let log = texts(
            &test.db,
            &format!(
                "SELECT CAST(customer_id AS TEXT) || ' ' || CASE WHEN slot = 'arm' THEN 'send' ELSE slot END FROM decisions WHERE rule = 'r{round}'"
            ),
        )
        .await;
        let real = |id: &str| log.iter().find_map(|line| line.strip_prefix(&format!("{id} "))).unwrap_or("no").to_owned();
        let tried = examples::examples(&stage.ctx, &stage.in_force.get()).await.unwrap();
        let (told, done): (Vec<_>, Vec<_>) = tried.iter().map(|tried| ((&tried.name, tried.got.clone()), (&tried.name, real(&tried.name)))).unzip();
        assert_eq!(told, done, "{basis}");
        let words: std::collections::BTreeSet<&str> = tried.iter().map(|tried| tried.got.as_str()).collect();
        assert!(words.len() >= 4, "{basis}: {words:?}");
        // Nothing is written by an example.
        let again = texts(&test.db, &format!("SELECT CAST(id AS TEXT) FROM decisions WHERE rule = 'r{round}'")).await;
        assert_eq!(again.len(), log.len());
    }
});

#[tokio::test]
async fn what_was_written_before_stops_an_example_as_the_log_would() {
    let example = |(number, (facts, verdict)): (usize, &(&str, &str))| {
        format!(".example(\"{number}\", #{{ orders: 2, recency_days: 61, tags: [\"a\"], first_name: \"A\", {facts} }}, \"{verdict}\")")
    };
    for (verbs, cases) in [
        (".cooldown(days(30))", &[("written_days_ago: 29", "cooldown"), ("written_days_ago: 30", "send")][..]),
        (".once_per(\"ever\")", &[("written_days_ago: 4000", "cooldown")]),
        // The examples' day is in the middle of January.
        (".once_per(\"year\")", &[("written_days_ago: 14", "cooldown"), ("written_days_ago: 15", "send")]),
        (".once_per(\"month\")", &[("written_days_ago: 14", "cooldown"), ("written_days_ago: 15", "send")]),
        (".once_per(\"day\")", &[("written_days_ago: 0", "cooldown"), ("written_days_ago: 1", "send")]),
        (".once_per(\"order\")", &[("written_days_ago: 61", "cooldown"), ("written_days_ago: 10", "cooldown"), ("written_days_ago: 62", "send")]),
        (
            ".cooldown(days(1))",
            &[
                ("recent_emails: 2", "send"),
                ("recent_emails: 3", "frequency_cap"),
                ("recent_emails: 2, written_days_ago: 6", "frequency_cap"),
                ("recent_emails: 2, written_days_ago: 7", "send"),
                // The first gate that stops names the reason.
                ("recent_emails: 3, suppressed: true, consent: \"objected\"", "suppressed"),
            ],
        ),
    ] {
        let examples: Vec<String> = cases.iter().enumerate().map(example).collect();
        for tried in tried(&rule(&format!(".basis(\"consent\"){verbs}"), &examples.concat()), "").await {
            assert!(tried.passed, "{verbs} {}: expected {}, got {}", tried.name, tried.expected, tried.got);
        }
    }
}

#[tokio::test]
async fn facts_with_brackets_the_day_and_earlier_emails_are_stated_too() {
    let condition =
        "c.orders_in(days(90)) >= 2 && !c.bought(\"P-1\") && c.emails_of(\"r\", days(30)) == 0 && c.emails_in(days(7)) < 2 && c.month == 12";
    let cases = [
        ("today: \"2026-12-24\"", "send"),
        ("", "no"),
        ("month: 12", "send"),
        ("today: \"2026-12-24\", \"bought('P-1')\": true", "no"),
        ("today: \"2026-12-24\", \"bought('P-1', days(30))\": true", "send"),
        ("today: \"2026-12-24\", written_days_ago: 29", "no"),
        ("today: \"2026-12-24\", written_days_ago: 30", "send"),
        ("today: \"2026-12-24\", recent_emails: 1", "send"),
        ("today: \"2026-12-24\", recent_emails: 2", "no"),
        ("today: \"2026-12-24\", recent_emails: 2, \"emails_in(weeks(1))\": 0", "send"),
    ];
    let example = |(number, (facts, verdict)): (usize, &(&str, &str))| {
        format!(".example(\"{number}\", #{{ \"orders_in(days(90))\": 2, {facts} }}, \"{verdict}\")")
    };
    let examples: Vec<String> = cases.iter().enumerate().map(example).collect();
    let rules =
        format!("rule(\"r\").basis(\"consent\").when(|c| {condition}).cooldown(days(20)).send(|c| email(\"win-back-plain\")){};", examples.concat());
    for tried in tried(&rules, "").await {
        assert!(tried.passed, "{} {}: expected {}, got {}", tried.name, tried.why.as_of, tried.expected, tried.got);
    }
}

#[tokio::test]
async fn an_action_that_is_broken_in_one_variant_is_found_whichever_arm_the_split_gives() {
    let rules = rule(".basis(\"consent\")", ".example(\"no tags\", #{ orders: 2, recency_days: 61, first_name: \"A\" }, \"send\")");
    let tried = tried(&rules, "").await;
    assert_eq!((tried[0].passed, tried[0].got.as_str()), (false, "A: send, B: rule_failed"));
    assert!(tried[0].failure.as_ref().unwrap().contains("out of bounds"), "{:?}", tried[0].failure);
    let gone = "rule(\"r\").basis(\"consent\").when(|c| true).send(|c| { let name = \"go\" + \"ne\"; email(name) }).example(\"x\", #{}, \"send\");";
    let gone = self::tried(gone, "").await;
    assert!(gone[0].got == "rule_failed" && gone[0].failure.as_ref().unwrap().starts_with("there is no template 'gone'"), "{gone:?}");
    let fails = "rule(\"r\").basis(\"consent\").when(|c| c.orders / c.orders == 1).send(|c| email(\"win-back-plain\"))
        .example(\"nothing ordered\", #{ orders: 0 }, \"no\").example(\"fails\", #{ orders: 0 }, \"rule_failed\").example(\"x\", #{ orders: 1 }, \"send\");";
    let fails: Vec<(String, bool)> = self::tried(fails, "").await.into_iter().map(|tried| (tried.got, tried.passed)).collect();
    assert_eq!(fails, [("rule_failed".to_owned(), false), ("rule_failed".to_owned(), true), ("send".to_owned(), true)]);
}

#[tokio::test]
async fn caps_and_bases_are_those_of_the_configuration() {
    let examples =
        ".example(\"x\", #{ orders: 2, recency_days: 61, tags: [\"a\"], first_name: \"A\", recent_emails: 3, consent: \"none\" }, \"send\")";
    let rules = rule(".basis(\"existing_customer\")", examples);
    for (settings, got) in [("", "frequency_cap"), ("[policy]\ncap_days = 0\n", "send"), ("[policy]\nexisting_customer_days = 60\n", "no_basis")] {
        assert_eq!(tried(&rules, settings).await[0].got, got, "{settings}");
    }
}

#[tokio::test]
async fn examples_are_told_clause_by_clause() {
    let rules = rule(".basis(\"consent\")", ".example(\"x\", #{ orders: 1, recency_days: 61, suppressed: true }, \"send\")");
    let tried = tried(&rules, "").await;
    let why = &tried[0].why;
    let clauses: Vec<(&str, Option<bool>, bool)> =
        why.clauses.iter().map(|clause| (clause.text.as_str(), clause.result, clause.skipped)).take(2).collect();
    assert_eq!(clauses, [("c.orders >= 2", Some(false), false), ("c.recency_days > 10", Some(true), true)]);
    let stops: Vec<&str> = why.gates.iter().filter(|gate| !gate.passed).map(|gate| gate.gate).collect();
    assert_eq!((why.verdict, why.matched, stops), ("no_match", false, vec!["suppressed"]));
}
