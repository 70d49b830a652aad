//! What the words of a rule mean, and what a closure remembers.

use stammgast::model::consent::LegalBasis;
use stammgast::model::rule::{Goal, MissedPolicy, Occasion, QuietHours, RuleLimits, RuleSpec, VariantSpec, WinnerAfter};
use stammgast::rules::{Evaluation, RuleSet};

use super::example::{load, regular, regular_with, today};

fn spec(text: &str) -> RuleSpec {
    load(text).unwrap_or_else(|faults| panic!("{faults:#?}")).rules()[0].spec.clone()
}

fn found(set: &RuleSet, rule: &str) -> bool {
    match set.rule(rule).unwrap().evaluate(&[regular()], today()).remove(0) {
        Evaluation::Match { .. } => true,
        Evaluation::NoMatch => false,
        Evaluation::Failed(sentence) => panic!("{sentence}"),
    }
}

#[test]
fn every_verb_reaches_the_model() {
    let spec = spec(
        r#"
        rule("win-back")
            .every("0 9 * * *")
            .missed("all")
            .basis("consent")
            .when(|c| c.recency_days > 60)
            .cooldown(days(90))
            .variant("A", 50, |c| email("a"))
            .variant("B", 25, |c| webhook("crm"))
            .control(10)
            .goal("order", weeks(2))
            .winner(days(21), 500)
            .quiet("21:30", "7:00")
            .priority(5)
            .experiment("letters-2026")
            .limit(200, "day")
            .limit(50, "hour")
            .budget(eur(149.50), "day");
        "#,
    );
    let variant = |name: &str, weight| VariantSpec { name: name.to_owned(), weight };
    let expected = RuleSpec {
        name: "win-back".to_owned(),
        hash: spec.hash.clone(),
        place: "test.rhai:2".to_owned(),
        schedule: Some("0 9 * * *".to_owned()),
        missed: MissedPolicy::All,
        basis: LegalBasis::Consent,
        occasion: Occasion::Cooldown { days: 90 },
        quiet: Some(QuietHours { from_minute: 21 * 60 + 30, until_minute: 7 * 60 }),
        priority: 5,
        control_percent: 10,
        variants: vec![variant("A", 50), variant("B", 25)],
        experiment: "letters-2026".to_owned(),
        goal: Some(Goal { event: "order".to_owned(), window_days: 14 }),
        winner: Some(WinnerAfter { days: 21, people: 500 }),
        limits: RuleLimits { messages_per_hour: Some(50), messages_per_day: Some(200), voucher_cents_per_day: Some(14_950) },
    };
    assert_eq!(spec, expected);
}

#[test]
fn what_a_rule_does_not_say_is_the_safest() {
    let spec = spec("rule(\"r\").basis(\"contract\").when(|c| true).send(|c| email(\"t\"));");
    assert_eq!(spec.occasion, Occasion::Ever);
    assert_eq!((spec.schedule, spec.goal, spec.quiet, spec.control_percent, spec.priority), (None, None, None, 0, 0));
    assert_eq!((spec.missed, spec.limits), (MissedPolicy::Once, RuleLimits::default()));
    assert_eq!((spec.experiment.as_str(), spec.winner), ("r", None));
    assert_eq!(spec.variants, [VariantSpec { name: "A".to_owned(), weight: 100 }]);
}

#[test]
fn the_words_of_once_per_are_occasions() {
    let words = [
        ("year", Occasion::Year),
        ("month", Occasion::Month),
        ("week", Occasion::Week),
        ("day", Occasion::Day),
        ("order", Occasion::Order),
        ("ever", Occasion::Ever),
    ];
    for (word, occasion) in words {
        assert_eq!(spec(&format!("rule(\"r\").once_per(\"{word}\").basis(\"consent\").when(|c| true).send(|c| email(\"t\"));")).occasion, occasion);
    }
    let spec = spec("rule(\"r\").cooldown(hours(48)).basis(\"consent\").when(|c| true).send(|c| email(\"t\"));");
    assert_eq!(spec.occasion, Occasion::Cooldown { days: 2 });
}

#[test]
fn a_closure_keeps_the_values_of_the_moment_it_was_made() {
    let set = load(
        r#"
        const MIN = 60;
        let least = 2;
        let limits = #{ orders: 2, list: [3] };
        fn long_ago(c) { c.recency_days > global::MIN }
        rule("constant").basis("consent").when(|c| c.recency_days > MIN).send(|c| email("t"));
        rule("global").basis("consent").when(|c| c.recency_days > global::MIN && long_ago(c)).send(|c| email("t"));
        rule("variable").basis("consent").when(|c| c.orders > least).send(|c| email("t"));
        rule("parts").basis("consent").when(|c| c.orders > limits.orders && c.orders in limits.list).send(|c| email("t"));
        rule("nested").basis("consent").when(|c| [3].some(|n| n > least)).send(|c| email("t"));
        for letter in ["A", "B"] {
            rule("class-" + letter.to_lower()).basis("consent").when(|c| c.abc == letter).send(|c| email("t", #{ letter: letter }));
        }
        least = 100;
        limits.orders = 100;
        limits.list[0] = 100;
        "#,
    );
    let set = set.unwrap_or_else(|faults| panic!("{faults:#?}"));
    for rule in ["constant", "global", "variable", "parts", "nested", "class-a"] {
        assert!(found(&set, rule), "{rule}");
    }
    assert!(!found(&set, "class-b"));
}

#[test]
fn a_condition_leaves_nothing_behind_for_the_next_customer() {
    let set = load("let seen = [];\nrule(\"r\").basis(\"consent\").when(|c| { seen.push(c.id); seen.len() == 1 }).send(|c| email(\"t\"));");
    let answers = set.unwrap().rules()[0].evaluate(&[regular(), regular(), regular_with(|score| score.orders = 9)], today());
    assert!(answers.iter().all(|answer| matches!(answer, Evaluation::Match { .. })), "{answers:?}");
}

#[test]
fn a_condition_goes_on_for_the_next_customer_after_one_it_failed_for() {
    let text = "fn halves(c, depth) { if depth == 0 { 100 / (c.orders - 3) } else { halves(c, depth - 1) } }\n\
                rule(\"r\").basis(\"consent\").when(|c| { let half = halves(c, 10); half == 50 }).send(|c| email(\"t\"));";
    let set = load(text).unwrap();
    let people: Vec<_> = (0..60).map(|number| regular_with(|score| score.orders = 3 + number % 3)).collect();
    for (number, answer) in set.rules()[0].evaluate(&people, today()).iter().enumerate() {
        let as_expected = match number % 3 {
            0 => matches!(answer, Evaluation::Failed(sentence) if sentence.ends_with("division by zero: 100 / 0")),
            1 => *answer == Evaluation::NoMatch,
            _ => matches!(answer, Evaluation::Match { .. }),
        };
        assert!(as_expected, "{number}: {answer:?}");
    }
}

#[test]
fn rules_stand_in_the_order_of_files_and_lines() {
    let rule = |name: &str| format!("rule(\"{name}\").basis(\"consent\").when(|c| true).send(|c| email(\"t\"));\n");
    let sources = vec![("b.rhai".to_owned(), format!("{}{}", rule("two"), rule("three"))), ("a.rhai".to_owned(), rule("one"))];
    let set = RuleSet::from_sources(sources).unwrap();
    let names: Vec<(&str, &str)> = set.rules().iter().map(|rule| (rule.spec.name.as_str(), rule.spec.place.as_str())).collect();
    assert_eq!(names, [("one", "a.rhai:1"), ("two", "b.rhai:1"), ("three", "b.rhai:2")]);
}

#[test]
fn a_rule_set_can_be_used_by_many_threads_and_swapped_under_them() {
    let text = |days: i64| format!("rule(\"r\").basis(\"consent\").when(|c| c.recency_days > {days}).send(|c| email(\"t\"));");
    let current = std::sync::RwLock::new(std::sync::Arc::new(load(&text(60)).unwrap()));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..20 {
                    let set = std::sync::Arc::clone(&current.read().unwrap());
                    assert!(found(&set, "r"));
                }
            });
        }
        for days in 40..60 {
            *current.write().unwrap() = std::sync::Arc::new(load(&text(days)).unwrap());
            assert!(load(&text(days).replace("when", "wehn")).is_err());
        }
    });
}
