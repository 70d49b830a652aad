//! Own scores: formulas of a folder, what they may say, what is refused, and what is unknown.

use stammgast::base::money::Cents;
use stammgast::model::attribute::AttributeKind;
use stammgast::model::facts::{Facts, Needs};
use stammgast::model::predicate::Literal;
use stammgast::rules::{ScoreSet, Tally};

use super::example::{load, regular, stranger, today, with_condition};

fn set(text: &str) -> ScoreSet {
    faults_or(text).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn faults_or(text: &str) -> Result<ScoreSet, Vec<String>> {
    ScoreSet::from_sources(vec![("own.rhai".to_owned(), text.to_owned())]).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn faults(text: &str) -> Vec<String> {
    faults_or(text).err().unwrap_or_default()
}

/// The value of score `x` with this formula for somebody.
fn value(verb: &str, formula: &str, facts: Facts) -> Result<Option<String>, String> {
    let mut people = [facts];
    let set = set(&format!("score(\"x\").{verb}(|c| {formula});"));
    let Tally { failure, .. } = set.fill(&mut people, today()).remove(0);
    match failure {
        Some(failure) => Err(failure),
        None => Ok(people[0].own.get("x").map(|value| match value {
            Literal::Number(number) => number.to_string(),
            Literal::Flag(flag) => flag.to_string(),
            Literal::Text(text) => format!("'{text}'"),
        })),
    }
}

#[test]
fn a_score_is_a_number_a_flag_or_a_text_that_its_formula_makes_of_facts() {
    for (verb, formula, expected) in [
        ("number", "c.orders * 10", "30"),
        ("number", "c.revenue / 7", "17.635714"),
        ("number", "0.0000005 - 0.000001", "-0.000001"),
        ("number", "if c.age >= 18 { 1.50 } else { 2 }", "1.5"),
        ("flag", "c.abc == \"A\" && c.orders > 1", "true"),
        ("text", "if c.orders >= 3 { \"gold\" } else { \"silver\" }", "'gold'"),
        ("text", "c.first_name + \" (\" + c.orders + \")\"", "'Erika (3)'"),
        ("number", "c.orders_in(days(90)) + c.tags.len()", "5"),
    ] {
        assert_eq!(value(verb, formula, regular()), Ok(Some(expected.to_owned())), "{formula}");
    }
}

#[test]
fn what_is_made_from_a_missing_value_is_unknown_and_a_stand_in_or_a_comparison_makes_it_known() {
    for (verb, formula, expected) in [
        ("number", "c.recency_days", None),
        ("number", "c.average_order_value / 10", None),
        ("number", "100 - c.recency_days * 2.5", None),
        ("number", "-c.recency_days", None),
        ("number", "(c.average_order_value / 10) ?? 3", Some("3")),
        ("number", "(c.recency_days ?? 400) + 1", Some("401")),
        ("number", "if c.recency_days < 30 { 10 } else { 0 }", Some("0")),
        ("number", "if c.has(\"age\") { c.age } else { 0 }", Some("0")),
        // A function that takes no missing value: as if it gave none.
        ("number", "abs(c.recency_days)", None),
        ("number", "min(c.recency_days, 5) + 1", None),
        ("text", "c.first_name", None),
        ("text", "\"Dear \" + c.first_name", None),
        ("text", "c.first_name.to_upper()", None),
        ("flag", "c.abc == \"A\"", Some("false")),
        ("number", "c.attr(\"need\") * 2", None),
        ("number", "c.orders * 2", Some("0")),
    ] {
        assert_eq!(value(verb, formula, stranger()), Ok(expected.map(str::to_owned)), "{formula}");
    }
}

#[test]
fn a_formula_that_fails_for_somebody_leaves_them_without_a_value_and_says_why() {
    let failures = |formula: &str| value("number", formula, stranger());
    assert_eq!(failures("100 / c.orders"), Err("own.rhai:1:27 division by zero: 100 / 0".to_owned()));
    assert_eq!(
        failures("if c.orders == 0 { \"none\" } else { 1 }"),
        Err("own.rhai:1:12 score 'x': the formula: expected a number, got the text \"none\"".to_owned())
    );
    let limit = failures("if c.orders == 0 { 1000000000000 } else { 1 }").unwrap_err();
    assert!(limit.contains("expected a number below 1000000000000"), "{limit}");
    let endless = failures("{ if c.orders == 0 { loop {} } 1 }").unwrap_err();
    assert!(endless.contains("the script takes too many steps"), "{endless}");
    let long = value("text", "if c.orders == 0 { \"a\\nb\" } else { \"x\" }", stranger()).unwrap_err();
    assert!(long.contains("expected a text of one line"), "{long}");
}

#[test]
fn everything_that_is_wrong_is_said_with_its_place() {
    insta::assert_snapshot!(
        faults(
            "score(\"Lead\").number(|c| 1);
score(\"none\").means(\"x\");
score(\"a\").number(|c| c.score(\"b\") + 1);
score(\"b\").number(|c| c.score(\"c\") + 1);
score(\"c\").number(|c| c.score(\"a\") + 1);
score(\"typo\").number(|c| c.score(\"nome\") + c.recency_day);
score(\"two\").number(|c| 1).text(|c| \"x\");
score(\"two\").number(|c| 1);
score(\"arity\").flag(|| true);
score(\"computed\").number(|c| c.score(\"a\" + \"b\"));
score(\"words\").means(\"\").unit(7).number(1);
"
        )
        .join("\n")
    );
    for (text, sentence) in [
        ("score(\"x\").number(|c| c.abc);", "own.rhai:1:12 score 'x': the formula: expected a number, got the text \"A\""),
        ("score(\"x\").flag(|c| c.orders);", "own.rhai:1:12 score 'x': the formula: expected true or false, got the number 3"),
        ("score(\"x\").number(|c| c.score(\"x\"));", "own.rhai:1:1 score 'x' depends on itself: x → x"),
        ("rule(\"x\").send(|c| email(\"x\"));", "own.rhai:1:1 unknown function 'rule'"),
        ("score(\"x\").number(|c| { score(\"y\"); 1 });", "own.rhai:1:12 score(\"…\") belongs at the top of a file; a formula reads c.score(\"…\")"),
        ("score(\"x\").number(|c| loop {});", "own.rhai:1:12 the script takes too many steps"),
        ("score(\"x\").number(|c| email(\"a\"));", "own.rhai:1:23 unknown function 'email'"),
        ("score(\"x\"", "own.rhai:1:10 expecting ')' to close the arguments list of this function call 'score'"),
    ] {
        let found = faults(text);
        assert!(found.iter().any(|fault| fault.starts_with(sentence)), "{text}: {found:#?}");
    }
}

#[test]
fn scores_that_read_others_come_after_them_whatever_their_order_in_the_text() {
    let set = set("score(\"third\").number(|c| c.score(\"second\") * 2);
         score(\"second\").number(|c| (c.score(\"first\") ?? 1) + c.orders);
         score(\"first\").number(|c| c.recency_days);");
    let mut people = [regular(), stranger()];
    let tallies = set.fill(&mut people, today());
    let values = |facts: &Facts| facts.own.iter().map(|(name, value)| format!("{name} {value:?}")).collect::<Vec<_>>().join(", ");
    assert_eq!(values(&people[0]), "first Number(70), second Number(73), third Number(146)");
    assert_eq!(values(&people[1]), "second Number(1), third Number(2)");
    let told: Vec<String> = tallies.iter().map(|tally| format!("{} {} {} {}", tally.score, tally.known, tally.unknown, tally.failed)).collect();
    assert_eq!(told, ["first 1 1 0", "second 2 0 0", "third 2 0 0"]);
}

#[test]
fn many_customers_on_several_threads_get_what_each_alone_gets() {
    let set = set("score(\"x\").number(|c| c.revenue * 2 + c.orders);");
    let person = |number: i64| {
        let mut facts = if number % 3 == 0 { stranger() } else { regular() };
        if let Some(score) = &mut facts.score {
            score.revenue = Cents(number);
        }
        facts
    };
    let mut people: Vec<Facts> = (0..1_000).map(person).collect();
    let tally = set.fill(&mut people, today()).remove(0);
    assert_eq!((tally.known, tally.unknown, tally.failed), (1_000, 0, 0));
    for (number, facts) in (0..).zip(&people) {
        let mut alone = [person(number)];
        set.fill(&mut alone, today());
        assert_eq!(facts.own, alone[0].own);
    }
}

#[test]
fn a_set_knows_what_its_formulas_read_and_its_hash_changes_with_any_text() {
    let text = "fn points(c) { c.orders_in(days(30)) } score(\"x\").unit(\"1–5\").means(\"what\").number(|c| points(c) + c.attr(\"need\"));";
    let one = set(text);
    let about = one.scores()[0].clone();
    assert_eq!((about.name.as_str(), about.kind, about.unit.as_str(), about.meaning.as_str()), ("x", AttributeKind::Number, "1–5", "what"));
    assert_eq!(one.attributes().map(|mention| mention.name.as_str()).collect::<Vec<_>>(), ["need"]);
    assert!(one.needs().has(stammgast::model::fact::Fact::OrdersIn) && one.needs() != Needs::ALL);
    assert_ne!(one.hash(), set(&text.replace("30", "31")).hash());
    assert_eq!(ScoreSet::none().hash(), "");
    let folder = tempfile::tempdir().unwrap();
    assert!(ScoreSet::load(&folder.path().join("gone")).unwrap().is_empty(), "a shop without own scores");
    std::fs::write(folder.path().join("helpers.rhai"), "export const TEN = 10; fn tens(c) { c.orders * 10 } score(\"imported\").number(|c| 1);")
        .unwrap();
    std::fs::write(folder.path().join("lead.rhai"), "import \"helpers\" as h; score(\"lead\").number(|c| h::tens(c) + h::TEN);").unwrap();
    let both = ScoreSet::load(folder.path()).unwrap();
    assert_eq!(both.scores().iter().map(|score| score.name.as_str()).collect::<Vec<_>>(), ["imported", "lead"]);
    let mut people = [regular()];
    both.fill(&mut people, today());
    assert_eq!(people[0].own["lead"], Literal::Number(40.into()));
}

#[test]
fn a_rule_that_names_a_score_that_there_is_not_or_compares_it_with_another_kind_is_refused() {
    let scores = set("score(\"lead\").number(|c| 1); score(\"tier\").text(|c| \"A\"); score(\"vip\").flag(|c| true);");
    let unfit = |condition: &str| -> Vec<String> {
        let rules = load(&with_condition(&format!("|c| {condition}"))).unwrap_or_else(|faults| panic!("{faults:#?}"));
        let attributes = |name: &str| [("points", AttributeKind::Number), ("city", AttributeKind::Text)].into_iter().find(|(own, _)| *own == name);
        rules.unfit_for(&scores, |name| attributes(name).map(|(_, kind)| kind)).iter().map(|fault| fault.message.clone()).collect()
    };
    assert_eq!(
        unfit("c.score(\"lead\") > 3 && c.score(\"tier\") in [\"A\", \"B\"] && c.score(\"vip\") == true && c.score(\"lead\") != ()"),
        Vec::<String>::new()
    );
    assert_eq!(unfit("c.score(\"leed\") > 3"), ["there is no score 'leed' - did you mean 'lead'?"]);
    assert_eq!(unfit("c.score(\"x\") == 1"), ["there is no score 'x': expected one of lead, tier, vip"]);
    assert_eq!(unfit("c.score(\"tier\") >= 3"), ["score 'tier' is a text and is compared with a number: that is never true"]);
    assert_eq!(unfit("(c.score(\"lead\") ?? \"A\") == \"A\""), ["score 'lead' is a number and is compared with a text: that is never true"]);
    assert_eq!(unfit("c.score(\"vip\") in [\"yes\"]"), ["score 'vip' is true or false and is compared with a text: that is never true"]);
    assert_eq!(unfit("c.attr(\"points\") >= 100 && c.attr(\"city\") == \"Ulm\" && c.attr(\"other\") == 5"), Vec::<String>::new());
    assert_eq!(unfit("c.attr(\"points\") >= \"100\""), ["attribute 'points' is a number and is compared with a text: that is never true"]);
    assert_eq!(unfit("c.attr(\"city\") in [5]"), ["attribute 'city' is a text and is compared with a number: that is never true"]);
}

#[test]
fn the_scores_of_the_documentation_and_the_shipped_one_load_and_say_what_they_are_meant_to() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/scores.md")).unwrap();
    let blocks = page.split("```rhai\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let (conditions, blocks): (Vec<&str>, Vec<&str>) = blocks.partition(|block| block.starts_with(".when("));
    assert_eq!((conditions.len(), blocks.len()), (2, 2));
    for condition in conditions.iter().flat_map(|block| block.lines()) {
        let condition = condition.split_once(".when(").and_then(|(_, rest)| rest.rsplit_once(')')).unwrap().0;
        load(&with_condition(condition)).unwrap();
    }
    let mut people = [regular(), stranger()];
    let portfolio = set(blocks[0]);
    portfolio.fill(&mut people, today());
    assert_eq!((people[0].own.get("portfolio"), people[1].own.get("portfolio")), (Some(&Literal::Text("along for the ride".to_owned())), None));
    assert_eq!(set(blocks[1]).scores().iter().map(|score| score.name.as_str()).collect::<Vec<_>>(), ["due", "lead", "tier"]);
    let shipped = ScoreSet::load(&root.join("scores")).unwrap();
    assert_eq!(shipped.fill(&mut people, today()), [Tally { score: "lead".to_owned(), known: 2, unknown: 0, failed: 0, failure: None }]);
    // Ordered within 90 days, more than once, one click, address, name, birthday; of the stranger nothing is known.
    assert_eq!((&people[0].own["lead"], &people[1].own["lead"]), (&Literal::Number(75.into()), &Literal::Number(0.into())));
}
