//! `.example(…)`: what it states is what the rule sees, what is wrong with it is told, and it changes nothing about the rule.

use std::sync::Arc;

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use rust_decimal::Decimal;
use serde_json::Value;
use stammgast::model::example::Expected;
use stammgast::model::fact::{ALL, About, Kind, Takes};
use stammgast::model::facts::{Facts, FieldValue, Needs};
use stammgast::rules::Evaluation;

use super::example::{load, today, with_condition};
use super::short_cut::{condition, customer};

fn with_examples(verbs: &str) -> String {
    format!("rule(\"r\").basis(\"consent\").when(|c| c.orders > 1).send(|c| email(\"t\"))\n  {verbs};")
}

#[test]
fn what_is_wrong_with_an_example() {
    let wrong = [
        ".example(\"x\", #{ recency_day: 61 }, \"send\")",
        ".example(\"x\", #{ written: 3, colour: 1 }, \"send\")",
        ".example(\"x\", #{ orders: \"3\" }, \"send\")",
        ".example(\"x\", #{ orders: 2.5, revenue: \"10\", abc: \"D\", locale: \"fr\" }, \"send\")",
        ".example(\"x\", #{ orders: () }, \"send\")",
        ".example(\"x\", #{ tags: \"vip\" }, \"send\")",
        ".example(\"x\", #{ tags: [\"vip\", 3] }, \"send\")",
        ".example(\"x\", #{ has_email: 1 }, \"send\")",
        ".example(\"x\", #{ orders_in: 3, \"bought(days(3))\": true, \"emails_in(days(0))\": 1 }, \"send\")",
        ".example(\"x\", #{ \"orders_in(days(30))\": \"many\", today: \"24.12.\" }, \"send\")",
        ".example(\"x\", #{ consent: \"yes\" }, \"send\")",
        ".example(\"x\", #{ suppressed: 1, written_days_ago: -1, recent_emails: 1.5 }, \"send\")",
        ".example(\"x\", #{ written_days_ago: days(3) }, \"send\")",
        ".example(\"x\", #{}, \"sent\")",
        ".example(\"x\", #{}, \"colldown\")",
        ".example(\"x\", #{}, \"control\")",
        ".example(\"x\", #{}, true)",
        ".example(\"x\", [], \"no\")",
        ".example(\"\", #{}, \"no\")",
        ".example(5, 5, 5)",
        ".example(\"two\nlines\", #{}, \"no\")",
        ".example(\"x\", #{})",
        ".example(\"x\", #{}, \"no\").example(\"x\", #{ orders: 1 }, \"no\")",
        ".exmaple(\"x\", #{}, \"no\")",
        "; let r = rule(\"s\").basis(\"consent\").when(|c| true).send(|c| email(\"t\")); for n in 0..202 { r.example(`${n}`, #{}, \"no\"); }",
    ];
    let told: Vec<String> = wrong
        .iter()
        .map(|verbs| {
            let faults = load(&with_examples(verbs)).map_or_else(|faults| faults.join("\n    "), |set| format!("no fault: {set:?}"));
            format!("{}\n    {faults}", verbs.chars().take(90).collect::<String>().escape_debug())
        })
        .collect();
    insta::assert_snapshot!("examples", told.join("\n"));
}

#[test]
fn an_example_is_carried_with_its_place_and_changes_nothing_but_the_text() {
    let text =
        with_examples(".example(\"a\", #{ orders: 2, tags: [\"vip\", \"b\", \"vip\"] }, \"send\")\n  .example(\"b\", #{ id: \"7\" }, \"no_basis\")");
    let (with, without) = (load(&text).unwrap(), load(&with_examples("")).unwrap());
    let (with, without) = (&with.rules()[0], &without.rules()[0]);
    let told: Vec<_> =
        with.examples.iter().map(|example| (example.name.as_str(), example.file.as_str(), example.line, example.expected.code())).collect();
    assert_eq!(told, [("a", "test.rhai", 2, "send"), ("b", "test.rhai", 3, "no_basis")]);
    assert_eq!((with.examples[0].column, with.examples[1].facts.customer.external_id.as_str()), (4, "7"));
    assert_eq!(with.examples[0].facts.customer.tags, ["b", "vip"]);
    // The hash is the text's; all else is as it was.
    assert_ne!(with.spec.hash, without.spec.hash);
    let mut spec = with.spec.clone();
    spec.hash.clone_from(&without.spec.hash);
    assert_eq!((&spec, with.predicate(), &with.mentions), (&without.spec, without.predicate(), &without.mentions));
}

#[test]
fn what_an_example_leaves_out_is_as_for_somebody_who_never_ordered() {
    let set = load(&with_examples(".example(\"x\", #{}, \"no\")")).unwrap();
    // The history is the trial's to give: it depends on the day.
    let facts = Facts { read: Needs::ALL, ..set.rules()[0].examples[0].facts.clone() };
    let says = |condition: &str| {
        let set = load(&with_condition(condition)).unwrap();
        set.rules()[0].answer(std::slice::from_ref(&facts), today()).pop() == Some(Evaluation::Match { inputs: serde_json::Map::new() })
    };
    for field in fields() {
        let of_the_day = matches!(field.name, "month" | "day" | "weekday");
        let counted = matches!(field.name, "different_products" | "different_categories" | "interests" | "referrals");
        let natural = of_the_day || counted || matches!(field.name, "id" | "tags" | "has_email" | "orders" | "revenue" | "birthday_this_week");
        assert_eq!(says(&format!("|c| c.has(\"{0}\")", field.name)), natural, "{}", field.name);
    }
    assert!(says("|c| c.orders_in(days(9)) == 0 && !c.bought(\"P-1\") && c.emails_in(days(9)) == 0"));
    assert!(says("|c| c.orders == 0 && c.revenue == 0 && c.tags.len() == 0 && c.has_email"));
}

/// Facts without brackets.
fn fields() -> impl Iterator<Item = &'static About> {
    ALL.iter().filter(|about| about.takes == Takes::Nothing)
}

/// All fields of a customer as they are read, stated for somebody of whom nothing is known but what the split and the mail need.
fn stated(facts: &Facts) -> Facts {
    // In a part that is never asked, every field is read, so that all are told.
    let all: Vec<String> = fields().map(|field| format!("c.has(\"{}\")", field.name)).collect();
    let set = load(&with_condition(&format!("|c| true || {}", all.join(" || ")))).unwrap();
    let Some(Evaluation::Match { inputs }) = set.rules()[0].evaluate(std::slice::from_ref(facts), today()).pop() else { panic!("it matches") };
    let value = |kind: Kind, value: &Value| {
        let text = || value.as_str().unwrap().to_owned();
        match kind {
            Kind::Text => FieldValue::Text(text()),
            Kind::Whole => FieldValue::Whole(value.as_i64().unwrap()),
            Kind::Decimal => FieldValue::Decimal(text().parse::<Decimal>().unwrap()),
            Kind::Flag => FieldValue::Flag(value.as_bool().unwrap()),
            Kind::Any => panic!("no such fact has no brackets"),
            Kind::Texts => FieldValue::Texts(value.as_array().unwrap().iter().map(|item| item.as_str().unwrap().to_owned()).collect()),
        }
    };
    let given = fields().map(|field| (field, &inputs[field.name])).filter(|(_, given)| !given.is_null());
    let map = given.map(|(field, given)| (field.fact.into(), value(field.kind, given))).collect();
    let mut bare = facts.clone();
    (bare.score, bare.stated) = (None, Some(Arc::new(map)));
    (bare.customer.first_name, bare.customer.birthday, bare.customer.locale) = (None, None, None);
    bare
}

#[test]
fn a_stated_customer_gets_the_answer_of_the_real_one_by_clauses_and_by_the_interpreter() {
    let mut runner = TestRunner::deterministic();
    let people: Vec<Facts> = (0..40).map(|_| customer().new_tree(&mut runner).unwrap().current()).collect();
    let stated: Vec<Facts> = people.iter().map(stated).collect();
    let mut asked = 0;
    for _ in 0..300 {
        let text = condition().new_tree(&mut runner).unwrap().current();
        let Ok(set) = load(&with_condition(&format!("|c| {text}"))) else { continue };
        let rule = &set.rules()[0];
        let real = rule.evaluate(&people, today());
        assert_eq!(rule.evaluate(&stated, today()), real, "{text}");
        assert_eq!(rule.interpret(&stated, today()), real, "{text}");
        asked += real.len();
    }
    assert!(asked > 8_000, "{asked}");
}

#[test]
fn the_words_of_a_verdict_are_those_of_the_log() {
    assert_eq!(Expected::parse("frequency_cap").map(Expected::code), Some("frequency_cap"));
    assert!(load(&with_examples(&Expected::WORDS.map(|word| format!(".example(\"{word}\", #{{}}, \"{word}\")")).concat())).is_ok());
}
