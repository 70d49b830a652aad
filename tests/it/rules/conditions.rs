//! What conditions say about customers.

use proptest::prelude::*;
use serde_json::json;
use stammgast::base::money::Cents;
use stammgast::model::fact::{self, About, Fact, Takes};
use stammgast::model::facts::{Facts, Needs};
use stammgast::rules::Evaluation;

use super::example::{evaluate, load, matches, morning, regular, regular_with, stranger, today, with_action, with_condition};

#[test]
fn every_field_has_an_example_that_compiles_and_runs() {
    for about in fact::ALL {
        let text = with_condition(&format!("|c| {}", about.example));
        let set = load(&text).unwrap_or_else(|faults| panic!("{}: {faults:#?}", about.name));
        let answers = set.rules()[0].evaluate(&[regular(), stranger()], today());
        assert!(!answers.iter().any(|answer| matches!(answer, Evaluation::Failed(_))), "{}: {answers:?}", about.name);
        // What it saw is logged under the words of the rule.
        let reading = example_reading(about);
        let Evaluation::Match { inputs } = evaluate(&format!("|c| c.{reading} == c.{reading} || true"), &regular(), today()) else {
            panic!("{reading}")
        };
        assert!(!inputs[&reading].is_null(), "{reading} has a value for a regular: {inputs:?}");
    }
}

/// The fact as its example says it.
fn example_reading(about: &About) -> String {
    let from = about.example.find(about.name).unwrap();
    let end = if about.takes == Takes::Nothing { from + about.name.len() } else { about.example.rfind(')').unwrap() + 1 };
    about.example[from..end].to_owned()
}

#[test]
fn figures_count_what_lies_in_their_window_and_not_after_the_moment() {
    for clause in [
        // Today is 1 July 2026, a Wednesday; the window of two days begins on 30 June at midnight in Berlin.
        "c.orders_in(days(1)) == 1 && c.orders_in(days(2)) == 2 && c.orders_in(weeks(10)) == 2 && c.orders_in(days(71)) == 3",
        "c.revenue_in(days(2)) == 23.45 && c.revenue_in(days(3650)) == 123.45",
        "c.bought(\"P-1\") && c.bought(\"Trüffel\") && !c.bought(\"P-1\", days(70)) && c.bought(\"P-1\", days(71)) && !c.bought(\"P-9\")",
        "c.bought_category(\"Pralinen\") && !c.bought_category(\"Eis\")",
        "c.pieces(\"P-1\") == 2 && c.pieces(\"Trüffel\") == 3 && c.pieces_of_category(\"Pralinen\") == 3 && c.pieces(\"P-1\", days(1)) == 0",
        "c.emails_in(days(30)) == 1 && c.emails_in(days(90)) == 2 && c.emails_of(\"win-back\") == 1 && c.emails_of(\"thanks\", days(30)) == 1",
        "c.nps == 8 && c.nps_class == \"passive\" && c.csat == 4 && c.days_since(\"nps\") == 30 && c.days_since(\"click\") == 1 && c.has(\"csat\")",
        "c.answers_in(days(31)) == 1 && c.answers_in(days(365)) == 3 && c.events_of(\"nps\") == 2 && c.events_of(\"Click\", days(1)) == 0",
        "c.days_since(\"call\") == () && !(c.days_since(\"call\") > 3) && c.events_of(\"call\") == 0",
        // The class right before the window began: what the first move since then left.
        "c.abc_was(days(2)) == \"B\" && c.abc_was(days(3)) == \"A\" && c.abc_was(days(300)) == \"A\" && c.abc_was(weeks(52)) == \"C\"",
        "c.abc_was(days(540)) == () && c.abc_was(days(546)) == () && c.abc_was(days(999)) == () && !(c.abc_was(days(999)) != \"A\")",
        "c.r_was(days(1)) == 3 && c.r_was(days(2)) == 5 && c.f_was(days(9)) == 4 && c.m_was(days(9)) == 5 && c.churn_was(days(30)) == \"low\"",
        "c.month == 7 && c.day == 1 && c.weekday == 3 && c.birthday_month == c.month && c.birthday_this_week",
        "c.days_until(\"07-01\") == 0 && c.days_until(\"06-30\") == 364 && c.days_until(\"2026-12-24\") == 176 && c.days_until(\"2026-06-01\") == -30",
    ] {
        assert!(matches(&format!("|c| {clause}"), &regular()), "{clause}");
    }
}

#[test]
fn brackets_that_mean_nothing_are_faults_of_the_rule() {
    let fault = |condition: &str| load(&with_condition(condition)).unwrap_err().remove(0);
    for (condition, sentence) in [
        ("|c| c.orders_in(30) > 1", "test.rhai:1:39 orders_in(…): expected days(1) to days(3650), whole days, got the number 30"),
        ("|c| c.orders_in(hours(36)) > 1", "test.rhai:1:39 orders_in(…): expected days(1) to days(3650), whole days, got a length of time"),
        ("|c| c.events_of(days(3))", "test.rhai:1:39 events_of(…): expected a text, got a length of time"),
        (
            "|c| c.nps_class == 9",
            "test.rhai:1:49 'nps_class' is text and is compared with the number 9: that is never true; e.g. c.nps_class == \"promoter\"",
        ),
        ("|c| c.bought(7)", "test.rhai:1:39 bought(…): expected a text, got the number 7"),
        ("|c| c.orders_in > 1", "test.rhai:1:39 'orders_in' needs its brackets, e.g. c.orders_in(days(90)) >= 2"),
        ("|c| c.order_in(days(3)) > 1", "test.rhai:1:39 unknown method '.order_in' - did you mean '.orders_in'?"),
        ("|c| c.bought() > 1", "test.rhai:1:39 '.bought' takes 1 or 2 arguments, not 0"),
        (
            "|c| c.days_until(\"Christmas\") > 1",
            "test.rhai:1:39 days_until(…): expected a day such as \"12-24\" (month-day) or \"2026-12-24\", got \"Christmas\"",
        ),
    ] {
        assert_eq!(fault(condition), sentence, "{condition}");
    }
}

#[test]
fn a_rule_asks_for_the_facts_that_its_text_names() {
    let needs = |text: &str| {
        let set = load(text).unwrap();
        (set.rules()[0].condition_needs, set.rules()[0].needs)
    };
    let of = |facts: &[Fact]| (Needs::of(facts.iter().copied()), Needs::of(facts.iter().copied()));
    assert_eq!(needs(&with_condition("|c| c.orders > 1 && c.has(\"age\")")), of(&[Fact::Orders, Fact::Age]));
    assert_eq!(needs(&with_condition("|c| c.orders_in(days(c.orders + 1)) > 1")), of(&[Fact::OrdersIn, Fact::Orders]));
    assert_eq!(needs(&with_action("|c| email(\"t\", #{ n: c.pieces(\"P-1\") })")), (Needs::default(), Needs::of([Fact::Pieces])));
    let function = "fn unwritten(c) { c.emails_in(days(7)) == 0 }\n";
    assert_eq!(needs(&format!("{function}{}", with_condition("|c| unwritten(c)"))), of(&[Fact::EmailsIn]));
    // A text cannot hide what it asks for.
    assert!(load(&with_condition("|c| { let f = Fn(\"orders\" + \"_in\"); f.call(c, days(3)) == 0 }")).is_err());
}

#[test]
fn a_regular_is_what_the_record_and_the_scores_say() {
    for clause in [
        "c.id == \"K-1\"",
        "c.first_name == \"Erika\" && c.last_name == \"Mustermann\" && c.locale == \"de\"",
        "c.tags.contains(\"vip\") && !c.tags.contains(\"b2b\") && \"newsletter\" in c.tags && c.tags.len() == 2",
        "c.has_email",
        "c.attr(\"city\") == \"Bonn\" && c.attr(\"points\") > 12 && c.attr(\"points\") == 12.5 && c.attr(\"card\") && c.attr(\"none\") == ()",
        "!(c.attr(\"none\") == 1) && !(c.attr(\"none\") != 1) && c.attr(\"city\") in [\"Ulm\", \"Bonn\"] && (c.attr(\"none\") ?? 7) == 7",
        "c.birthday_in_days == 0 && c.age == 42",
        "c.recency_days == 70 && c.orders == 3 && c.tenure_days == 730 && c.first_order_days == 730",
        "c.revenue == 123.45 && c.average_order_value == 41.15",
        "c.anniversary_in_days == 0 && c.anniversary_years == 2",
        "c.r == 3 && c.f == 4 && c.m == 5 && c.rfm == 345 && c.rfm_weighted == 4",
        "c.abc == \"A\" && c.revenue_rank == 7 && c.top_percent == 3",
        "c.orders in 2..=3 && c.abc in [\"A\", \"B\"]",
    ] {
        assert!(matches(&format!("|c| {clause}"), &regular()), "{clause}");
    }
}

#[test]
fn a_stranger_has_no_orders_no_revenue_and_nothing_else() {
    assert!(matches(
        "|c| !c.has(\"nps\") && !(c.nps < 11) && !(c.nps_class != \"promoter\") && !c.has(\"csat\") && c.answers_in(days(9)) == 0",
        &stranger()
    ));
    assert!(matches("|c| c.orders == 0 && c.revenue == 0 && c.tags.is_empty() && !c.has_email", &stranger()));
    let there = [
        "id",
        "orders",
        "revenue",
        "tags",
        "has_email",
        "month",
        "day",
        "weekday",
        "birthday_this_week",
        "different_products",
        "different_categories",
        "interests",
        "referrals",
    ];
    let missing = fact::ALL.iter().filter(|about| about.takes == Takes::Nothing && !there.contains(&about.name)).map(|about| about.name);
    for name in missing {
        assert!(matches(&format!("|c| c.{name} == () && !c.has(\"{name}\")"), &stranger()), "{name}");
        assert!(matches(&format!("|c| c.has(\"{name}\")"), &regular()), "{name}");
    }
}

#[test]
fn a_comparison_with_a_missing_value_is_false() {
    for clause in [
        "c.recency_days > 60",
        "c.recency_days < 60",
        "c.recency_days == 0",
        "c.abc == \"A\"",
        "c.average_order_value < 19.99",
        "c.birthday_in_days <= 3",
        "c.abc != \"A\"",
        "c.age != 18",
        "c.average_order_value != 19.99",
        "c.abc != \"A\" && c.tags.len() == 0",
    ] {
        assert!(!matches(&format!("|c| {clause}"), &stranger()), "{clause}");
    }
    assert!(matches("|c| (c.recency_days ?? 999) > 60 && c.abc == () && !(c.abc == \"A\")", &stranger()));
    assert!(matches("|c| c.abc != () && c.abc != \"B\" && c.tags.len() > 0 && c.abc != ()", &regular()));
    let faults = load(&with_condition("|c| \"A\" != c.abc")).unwrap_err();
    assert_eq!(faults, ["test.rhai:1:41 the field stands before '!=': c.abc != …"]);
}

#[test]
fn money_is_compared_exactly() {
    let spent = |cents| regular_with(|score| score.revenue = Cents(cents));
    assert!(!matches("|c| c.revenue > 19.98", &spent(1998)));
    assert!(matches("|c| c.revenue > 19.98", &spent(1999)));
    assert!(matches("|c| c.revenue > 19.989999999999999999", &spent(1999)));
    assert!(!matches("|c| c.revenue > 19.990000000000000001", &spent(1999)));
    assert!(matches("|c| c.revenue * 0.9 == 17.991", &spent(1999)));
    assert!(matches("|c| 0.1 + 0.2 == 0.3 && c.revenue == 20 && c.orders > 2.5", &spent(2000)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn an_amount_is_compared_with_any_literal_as_whole_numbers_would_be(cents in 0i64..100_000, around in -2i64..=2, e4 in -9_999i64..=9_999) {
        // The literal has four decimals and lies within a few cents of the amount.
        let literal_e4 = (cents * 100 + around * 100 + e4 % 100).max(0);
        let facts = regular_with(|score| score.revenue = Cents(cents));
        for (operator, holds) in [(">", cents * 100 > literal_e4), ("==", cents * 100 == literal_e4), ("<=", cents * 100 <= literal_e4)] {
            let clause = format!("|c| c.revenue {operator} {}.{:04}", literal_e4 / 10_000, literal_e4 % 10_000);
            prop_assert_eq!(matches(&clause, &facts), holds, "{} of {} cents", clause, cents);
        }
    }
}

#[test]
fn a_result_that_is_neither_true_nor_false_is_an_error_of_that_customer() {
    // The example customer that rules are tried on at load has a first name, so this loads.
    let condition = "|c| if c.has_email { true } else { c.orders }";
    assert!(matches(condition, &regular()));
    let Evaluation::Failed(sentence) = evaluate(condition, &stranger(), today()) else { panic!("a number is no answer") };
    assert_eq!(sentence, "test.rhai:1:28 the condition gives the number 0, expected true or false");
}

#[test]
fn an_error_names_its_place_and_touches_one_customer_only() {
    let set = load("rule(\"r\")\n  .basis(\"consent\")\n  .when(|c| c.orders > 2 && c.tags[1] == \"vip\")\n  .send(|c| email(\"t\"));").unwrap();
    let bare = Facts { score: regular().score, ..stranger() };
    let answers = set.rules()[0].evaluate(&[regular(), bare, stranger()], today());
    assert!(matches!(answers[0], Evaluation::Match { .. }));
    let Evaluation::Failed(sentence) = &answers[1] else { panic!("{answers:?}") };
    assert!(sentence.starts_with("test.rhai:3:") && sentence.contains("out of bounds"), "{sentence}");
    assert_eq!(answers[2], Evaluation::NoMatch);
}

#[test]
fn a_match_tells_what_the_condition_read() {
    let condition =
        "|c| { let tags = c.tags; c.recency_days > 60 && (c.revenue > 100 || c.has(\"age\")) && tags.some(|tag| tag == \"vip\" && c.orders > 1) }";
    let answer = evaluate(condition, &regular(), today());
    let Evaluation::Match { inputs } = answer else { panic!("{answer:?}") };
    assert_eq!(json!(inputs), json!({ "tags": ["newsletter", "vip"], "age": 42, "recency_days": 70, "orders": 3, "revenue": "123.45" }));
}

#[test]
fn what_a_helper_function_reads_is_told_too() {
    let text = format!("fn loyal(who) {{ who.orders > 2 && rich(who) }}\nfn rich(who) {{ who.revenue > 10 }}\n{}", with_condition("|c| loyal(c)"));
    let set = load(&text).unwrap();
    let Evaluation::Match { inputs } = set.rules()[0].evaluate(&[regular()], today()).remove(0) else { panic!("a match") };
    assert_eq!(json!(inputs), json!({ "orders": 3, "revenue": "123.45" }));
}

#[test]
fn birthdays_and_anniversaries_count_calendar_days_of_the_shop() {
    let days = |date: &str, clause: &str| matches!(evaluate(&format!("|c| {clause}"), &regular(), morning(date)), Evaluation::Match { .. });
    assert!(days("2026-06-30", "c.birthday_in_days == 1 && c.age == 41 && c.anniversary_in_days == 1 && c.anniversary_years == 1"));
    assert!(days("2026-07-02", "c.birthday_in_days == 364 && c.age == 42 && c.anniversary_in_days == 364 && c.anniversary_years == 2"));
    // The day of the first order is not an anniversary.
    assert!(days("2024-07-01", "c.anniversary_in_days == () && c.anniversary_years == 0"));
}

#[test]
fn a_birthday_without_a_real_year_has_a_day_but_no_age() {
    let mut facts = regular();
    facts.customer.birthday = chrono::NaiveDate::from_ymd_opt(1900, 7, 1);
    assert!(matches("|c| c.birthday_in_days == 0 && !c.has(\"age\")", &facts));
}

#[test]
fn a_batch_is_answered_in_order() {
    let set = load(&with_condition("|c| c.orders % 2 == 0")).unwrap();
    let facts: Vec<Facts> = (0..1000).map(|orders| regular_with(|score| score.orders = orders)).collect();
    let answers = set.rules()[0].evaluate(&facts, today());
    assert_eq!(answers.len(), 1000);
    assert!(answers.iter().enumerate().all(|(orders, answer)| matches!(answer, Evaluation::Match { .. }) == (orders % 2 == 0)));
    assert_eq!(set.rules()[0].evaluate(&[], today()), vec![]);
}
