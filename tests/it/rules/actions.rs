//! What actions make.

use std::collections::HashSet;

use serde_json::{Value, json};
use stammgast::model::action::{Action, VoucherWorth};
use stammgast::model::facts::Facts;
use stammgast::rules::{ActJob, Acted};

use super::example::{load, morning, regular, stranger, today, with_action};

fn act(action: &str, facts: &Facts) -> Result<Acted, String> {
    let set = load(&with_action(action)).map_err(|faults| faults.join("\n"))?;
    set.rules()[0].act(&[ActJob { facts, variant: "A", code_seed: [7; 32] }], today()).remove(0)
}

fn vars(action: &str) -> Value {
    match act(action, &regular()).unwrap_or_else(|sentence| panic!("{action}: {sentence}")).action {
        Action::Email { vars, .. } => Value::Object(vars),
        Action::Webhook { payload, .. } => Value::Object(payload),
    }
}

#[test]
fn an_email_and_a_webhook_carry_what_the_rule_gives_them() {
    let made = act("|c| email(\"hello\", #{ name: c.first_name })", &regular()).unwrap();
    let Action::Email { template, vars } = made.action else { panic!("an email") };
    assert_eq!((template.as_str(), json!(vars)), ("hello", json!({ "name": "Erika" })));
    let made = act("|c| webhook(\"crm\", #{ id: c.id })", &regular()).unwrap();
    let Action::Webhook { target, payload } = made.action else { panic!("a webhook") };
    assert_eq!((target.as_str(), json!(payload)), ("crm", json!({ "id": "K-1" })));
    assert_eq!(act("|c| email(\"hello\")", &stranger()).unwrap().vouchers, []);
}

#[test]
fn values_become_plain_json_and_decimals_stay_exact() {
    let made = vars(
        "|c| email(\"t\", #{ a: 1, b: true, c: (), d: 19.90, e: c.revenue, f: 'x', g: [1, #{ h: \"ä\" }], i: c.tags, j: amount(5), k: 1.5 * 3 })",
    );
    let expected = json!({
        "a": 1, "b": true, "c": null, "d": "19.90", "e": "123.45", "f": "x", "g": [1, { "h": "ä" }], "i": ["newsletter", "vip"], "j": "5.00", "k": "4.5"
    });
    assert_eq!(made, expected);
    assert_eq!(vars("|c| email(\"t\", #{ missing: c.first_name })")["missing"], "Erika");
}

#[test]
fn a_voucher_has_a_code_a_worth_and_a_last_day() {
    let action = "|c| email(\"t\", #{ v: voucher(\"WB\", percent(10), days(14)), w: voucher(\"X1\", eur(7.50), weeks(1)) })";
    let made = act(action, &regular()).unwrap();
    let Action::Email { vars, .. } = made.action else { panic!("an email") };
    let [percent, amount] = &made.vouchers[..] else { panic!("two vouchers") };
    assert_eq!(vars["v"], json!({ "code": percent.code, "percent": 10, "valid_until": "2026-07-15" }));
    assert_eq!(vars["w"], json!({ "code": amount.code, "amount_cents": 750, "valid_until": "2026-07-08" }));
    assert_eq!((percent.worth, amount.worth), (VoucherWorth::Percent(10), VoucherWorth::Amount(750)));
    assert_eq!(percent.valid_until.to_string(), "2026-07-15");
    let (prefix, letters) = percent.code.split_once('-').unwrap();
    assert_eq!((prefix, letters.len()), ("WB", 10));
    assert!(letters.chars().all(|c| "0123456789ABCDEFGHJKMNPQRSTVWXYZ".contains(c)), "{letters}");
    assert!(amount.code.starts_with("X1-") && amount.code[3..] != *letters);
}

#[test]
fn the_same_seed_gives_the_same_code_and_another_seed_another() {
    let set = load(&with_action("|c| email(\"t\", #{ v: voucher(\"WB\", percent(10), days(14)) })")).unwrap();
    let facts = regular();
    let jobs: Vec<ActJob> = (0..=255).map(|byte| ActJob { facts: &facts, variant: "A", code_seed: [byte; 32] }).collect();
    let codes = || -> Vec<String> { set.rules()[0].act(&jobs, today()).into_iter().map(|made| made.unwrap().vouchers[0].code.clone()).collect() };
    let first = codes();
    assert_eq!(first, codes());
    assert_eq!(first.iter().collect::<HashSet<_>>().len(), 256);
}

#[test]
fn one_voucher_in_two_places_is_one_voucher() {
    let made = act("|c| { let v = voucher(\"WB\", percent(10), days(14)); email(\"t\", #{ a: v, b: [v] }) }", &regular()).unwrap();
    assert_eq!(made.vouchers.len(), 1);
    let Action::Email { vars, .. } = made.action else { panic!("an email") };
    assert_eq!(vars["a"], vars["b"][0]);
}

#[test]
fn a_voucher_ends_on_a_day_of_the_shop() {
    let set = load(&with_action("|c| email(\"t\", #{ v: voucher(\"WB\", percent(10), days(1)) })")).unwrap();
    let facts = regular();
    // 2026-07-01 23:30 in Berlin is still the first of July there, though not in Tokyo.
    let mut moment = morning("2026-07-01");
    moment.now = moment.zone.parse_time("2026-07-01T23:30").unwrap();
    let ends =
        |moment| set.rules()[0].act(&[ActJob { facts: &facts, variant: "A", code_seed: [0; 32] }], moment).remove(0).unwrap().vouchers[0].valid_until;
    assert_eq!(ends(moment).to_string(), "2026-07-02");
    moment.zone = stammgast::base::time::Zone::parse("Asia/Tokyo").unwrap();
    assert_eq!(ends(moment).to_string(), "2026-07-03");
}

#[test]
fn each_variant_does_its_own_thing_and_an_unknown_one_nothing() {
    let set = load("rule(\"r\").basis(\"consent\").when(|c| true).variant(\"A\", 1, |c| email(\"a\")).variant(\"B\", 1, |c| email(\"b\"));").unwrap();
    let facts = regular();
    let job = |variant| ActJob { facts: &facts, variant, code_seed: [0; 32] };
    let made = set.rules()[0].act(&[job("B"), job("C"), job("A")], today());
    let template = |made: &Result<Acted, String>| match made.as_ref().map(|made| &made.action) {
        Ok(Action::Email { template, .. }) => template.clone(),
        other => format!("{other:?}"),
    };
    assert_eq!(template(&made[0]), "b");
    assert_eq!(made[1], Err("rule 'r' has no variant 'C'".to_owned()));
    assert_eq!(template(&made[2]), "a");
}

#[test]
fn an_action_that_fails_for_one_customer_says_where() {
    let set = load(&with_action("|c| email(\"t\", #{ first: c.tags[0] })")).unwrap();
    let (regular, stranger) = (regular(), stranger());
    let job = |facts| ActJob { facts, variant: "A", code_seed: [0; 32] };
    let made = set.rules()[0].act(&[job(&stranger), job(&regular)], today());
    let sentence = made[0].as_ref().unwrap_err();
    assert!(sentence.starts_with("test.rhai:1:") && sentence.contains("out of bounds"), "{sentence}");
    assert!(made[1].is_ok());
}

#[test]
fn what_cannot_be_part_of_a_message_is_refused_when_the_rule_is_loaded() {
    let faults: Vec<String> = [
        "|c| email(\"t\", #{ f: |x| x })",
        "|c| email(\"t\", #{ a: #{ b: [c] } })",
        "|c| email(\"t\", #{ r: 1..3 })",
        "|c| email(\"t\", #{ d: days(3) })",
        "|c| 42",
        "|c| { }",
        "|c| email(\"Win Back\")",
        "|c| email(\"../secret\")",
        "|c| email(\"t\", 5)",
        "|c| webhook(\"\")",
        "|c| email(\"t\", #{ v: voucher(\"wb\", percent(10), days(14)) })",
        "|c| email(\"t\", #{ v: voucher(\"WB\", percent(0), days(14)) })",
        "|c| email(\"t\", #{ v: voucher(\"WB\", amount(1.999), days(14)) })",
        "|c| email(\"t\", #{ v: voucher(\"WB\", 10, days(14)) })",
        "|c| email(\"t\", #{ v: voucher(\"WB\", percent(10), hours(5)) })",
    ]
    .into_iter()
    .map(|action| act(action, &regular()).unwrap_err())
    .collect();
    insta::assert_snapshot!(faults.join("\n"), @r#"
    test.rhai:1:69 a closure stands right where it is used, as in .when(|c| …): what is used several times is a function, as in fn loyal(c) { … }
    test.rhai:1:52 email(…): 'a': the customer cannot be part of a message
    test.rhai:1:52 email(…): 'r': a range cannot be part of a message
    test.rhai:1:52 email(…): 'd': a length of time cannot be part of a message
    test.rhai:1:43 the action gives the number 42, expected email(…) or webhook(…)
    test.rhai:1:43 the action gives nothing, expected email(…) or webhook(…)
    test.rhai:1:52 email(…): the template: expected a name of a-z, 0-9 and -, got the text "Win Back"
    test.rhai:1:52 email(…): the template: expected a name of a-z, 0-9 and -, got the text "../secret"
    test.rhai:1:52 email(…): expected a map such as #{ code: "A1" }, got the number 5
    test.rhai:1:52 webhook(…): the target: expected a name of a-z, 0-9 and -, got the text ""
    test.rhai:1:69 voucher(…): the prefix: expected 1 to 12 of A-Z and 0-9 such as "WB", got the text "wb"
    test.rhai:1:83 percent(…): expected a whole number from 1 to 100, got the number 0
    test.rhai:1:83 amount(…): expected an amount above 0 with at most two decimals, such as 5 or 7.50, got the number 1.999
    test.rhai:1:69 voucher(…): the worth: expected percent(10) or amount(5), got the number 10
    test.rhai:1:69 voucher(…): the validity: expected days(1) to days(3650), got a length of time
    "#);
}

#[test]
fn an_action_has_at_most_64_kib_and_its_texts_together_16_kib() {
    let many = "|c| { let list = []; for i in 0..900 { list.push(voucher(\"WB\", percent(10), days(14))); } email(\"t\", #{ list: list }) }";
    let sentence = act(many, &regular()).unwrap_err();
    assert!(sentence.ends_with("the action: 'list': the whole is larger than 64 KiB"), "{sentence}");
    let long = "|c| { let s = \"x\"; s.pad(9000, \"x\"); email(\"t\", #{ s: s, t: s }) }";
    let sentence = act(long, &regular()).unwrap_err();
    assert!(sentence.ends_with("a text or list becomes too large: at most 16 KiB of text and 1000 items"), "{sentence}");
}
