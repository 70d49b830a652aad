//! Clause by clause: the words of the text, what each saw, what it said, and whether it mattered.

use stammgast::rules::{Reason, Reasons};

use super::example::{load, regular, stranger, today, with_condition};

/// `words | inputs | answer`, with brackets around those that did not matter.
fn lines(condition: &str, facts: &stammgast::model::facts::Facts) -> Vec<String> {
    let set = load(&with_condition(condition)).unwrap();
    let Reasons { clauses, .. } = set.rules()[0].reasons(facts, today());
    let line = |clause: &Reason| {
        let answer = clause.answer.map_or("?".to_owned(), |answer| answer.to_string());
        let inputs: Vec<String> = clause.inputs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let line = format!("{} | {} | {answer}", clause.text, inputs.join(" "));
        if clause.skipped { format!("({line})") } else { line }
    };
    clauses.iter().map(line).collect()
}

#[test]
fn every_clause_is_told_in_the_words_of_the_text() {
    let condition =
        "|c| c.recency_days > 60 && (c.orders >= 2 || !c.tags.contains(\"a && b)\")) && (c.age ?? 18) >= 18\n    && c.abc in [\"A\", \"B\"]";
    assert_eq!(
        lines(condition, &regular()),
        [
            "c.recency_days > 60 | recency_days=70 | true",
            "c.orders >= 2 | orders=3 | true",
            "(c.tags.contains(\"a && b)\") | tags=[\"newsletter\",\"vip\"] | false)",
            "(c.age ?? 18) >= 18 | age=42 | true",
            "c.abc in [\"A\", \"B\"] | abc=\"A\" | true",
        ]
    );
    assert_eq!(
        lines(condition, &stranger()),
        [
            "c.recency_days > 60 | recency_days=null | false",
            "(c.orders >= 2 | orders=0 | false)",
            "(c.tags.contains(\"a && b)\") | tags=[] | false)",
            "((c.age ?? 18) >= 18 | age=null | true)",
            "(c.abc in [\"A\", \"B\"] | abc=null | false)",
        ]
    );
}

#[test]
fn what_only_the_interpreter_can_tell_is_told_too() {
    let condition = "|c| (c.orders + 1) * 2 > 5 && c.tags[1] == \"vip\" && c.first_name.len() > 3 || c.has(\"age\")";
    assert_eq!(
        lines(condition, &regular()),
        [
            "(c.orders + 1) * 2 > 5 | orders=3 | true",
            "c.tags[1] == \"vip\" | tags=[\"newsletter\",\"vip\"] | true",
            "c.first_name.len() > 3 | first_name=\"Erika\" | true",
            "(c.has(\"age\") | age=42 | true)",
        ]
    );
    assert_eq!(lines("|c| c.orders == 0 && c.tags[1] == \"vip\"", &stranger())[1], "c.tags[1] == \"vip\" | tags=[] | ?");
    assert_eq!(lines("|c| { let n = c.orders; n > 2 }", &regular()), ["(the condition is a script of several statements) | orders=3 | true"]);
}

#[test]
fn captured_values_and_helper_functions_count() {
    let text = "fn loyal(who) { who.orders > 2 }\nlet least = 2; let tag = \"vip\";\n
        rule(\"r\").basis(\"consent\").when(|c| c.orders > least && loyal(c) && c.tags.contains(tag) && c.orders + least == 5).send(|c| email(\"t\"));";
    let set = load(text).unwrap();
    let reasons = set.rules()[0].reasons(&regular(), today());
    let answers: Vec<(&str, Option<bool>)> = reasons.clauses.iter().map(|clause| (clause.text.as_str(), clause.answer)).collect();
    assert_eq!(
        answers,
        [
            ("c.orders > least", Some(true)),
            ("loyal: who.orders > 2", Some(true)),
            ("c.tags.contains(tag)", Some(true)),
            ("c.orders + least == 5", Some(true)),
        ]
    );
    assert_eq!(reasons.answer, Ok(true));
}
