//! What a marketer is told when a rule file is wrong.

use stammgast::rules::RuleSet;

use super::example::load;

/// The faults of a file, one a line.
fn faults(text: &str) -> String {
    load(text).map_or_else(|faults| faults.join("\n"), |set| format!("no fault: {set:?}"))
}

/// A rule without a fault but for what is put into it.
fn rule(verbs: &str) -> String {
    faults(&format!("rule(\"r\")\n  .basis(\"consent\")\n  .when(|c| c.orders > 1)\n  {verbs}\n  .send(|c| email(\"t\"));"))
}

fn condition(condition: &str) -> String {
    faults(&format!("rule(\"r\").basis(\"consent\").send(|c| email(\"t\"))\n.when({condition});"))
}

#[test]
fn what_is_wrong_with_a_verb() {
    let wrong = [
        ".every(\"9 Uhr\")",
        ".every(\"0 25 * * *\")",
        ".every(\"0 9 31 feb *\")",
        ".every(5)",
        ".missed(\"never\")",
        ".cooldown(days(0))",
        ".cooldown(days(-3))",
        ".cooldown(days(3651))",
        ".cooldown(hours(36))",
        ".cooldown(90)",
        ".once_per(\"decade\")",
        ".cooldown(days(3)).once_per(\"year\")",
        ".control(91)",
        ".control(-1)",
        ".control(\"10\")",
        ".control(2.5)",
        ".control(10).control(20)",
        ".goal(\"click\", days(3))",
        ".goal(\"order\", 14)",
        ".winner(14)",
        ".winner(days(14), 0)",
        ".winner(days(14)).winner(days(15))",
        ".quiet(\"20:00\", \"25:00\")",
        ".quiet(20, 8)",
        ".priority(\"high\")",
        ".priority(1001)",
        ".experiment(\"\")",
        ".basis(\"contract\")",
        ".variant(\"A\", 50, |c| email(\"t\"))",
        ".cooldown(days(1.5))",
        ".cooldown(days(9223372036854775807))",
    ];
    let told: Vec<String> = wrong.iter().map(|verbs| format!("{verbs}\n    {}", rule(verbs).replace('\n', "\n    "))).collect();
    insta::assert_snapshot!("verbs", told.join("\n"));
}

#[test]
fn what_is_wrong_with_a_rule() {
    let wrong = [
        "rule(\"Win Back\").basis(\"consent\").when(|c| true).send(|c| email(\"t\"));",
        "rule(5).basis(\"consent\").when(|c| true).send(|c| email(\"t\"));",
        "rule(\"r\");",
        "rule(\"r\").basis(\"opt-in\").when(|c| true).send(|c| email(\"t\"));",
        "rule(\"r\").basis(\"consent\").when(true).send(\"t\");",
        "rule(\"r\").basis(\"consent\").when(|c| true).variant(\"A\", 0, |c| email(\"t\"));",
        "rule(\"r\").basis(\"consent\").when(|c| true).variant(\"A\", 1, |c| email(\"t\")).variant(\"A\", 1, |c| email(\"t\"));",
        "rule(\"r\").basis(\"consent\").when(|c| true).variant(\"control\", 1, |c| email(\"t\"));",
        "rule(\"r\").basis(\"consent\").when(|c| true).variant(\"A\", -5, |c| email(\"t\")).variant(1, 2, |c| email(\"t\"));",
        "rule(\"r\").basis(\"consent\").when(|| true).send(|c, d| email(\"t\"));",
        "let n = 3;\nrule(\"r\").basis(\"consent\").when(|c, d| c.orders > n).send(|c| email(\"t\"));",
        "rule(\"r\").basis(\"consent\").when(|c| true).send(|c| email(\"t\"));\nrule(\"r\").basis(\"consent\").when(|c| true).send(|c| email(\"t\"));",
        "rule(\"r\").basis(\"consent\").when(|c| true).send(|c| email(\"t\")).winner(days(14));",
        "rule(\"r\").basis(\"consent\").when(|c| true).goal(\"order\", days(7)).variant(\"A\", 1, |c| email(\"t\")).winner(days(14));",
        "rule(\"r\").on(\"order.paid\").basis(\"consent\").when(|c| true).send(|c| email(\"t\"));",
        "rule(\"r\").basis(\"consent\").when(|c| true).send(|c| email(\"t\")).after(days(7)).unless(\"x\");",
        "rule(\"r\").basis(\"consent\").when(|c| true).send(|c| email(\"t\")).limit(0, \"day\").limit(5, \"week\").limit(5, \"hour\").limit(6, \"hour\");",
        "rule(\"r\").basis(\"consent\").when(|c| true).send(|c| email(\"t\")).budget(150, \"day\").budget(percent(5), \"hour\");",
        "rule(\"r\").basis(\"consent\").when(|c| true).send(|c| email(\"t\")).budget(eur(150), \"hour\");",
        "rule(\"r\").basis(\"consent\").wehn(|c| true).send(|c| email(\"t\"));",
        "rule(\"r\").basis(\"consent\", \"contract\").when(|c| true).send(|c| email(\"t\"));",
        "rule(\"r\").basis(\"consent\").when(|c| rule(\"x\") == 1).send(|c| email(\"t\"));",
        "fn days(n) { n }\nrule(\"r\").basis(\"consent\").when(|c| true).send(|c| email(\"t\"));",
        "throw \"own error\";",
        "let x = 1 / 0;",
        "let x = sleep(5);",
        "rule(\"r\").basis(\"consent\").when(|c| true).send(|c| email(\"t\"))",
        "rule(\"r\").basis(\"consent\")\n.when(|c| c.orders > ).send(|c| email(\"t\"));",
        "rule(\"r\").basis(\"consent\").when(|c| true).send(|c| email(\"t\"));\nrule(\"s\").basis(\"consent\").if(|c| true);",
        "eval(\"1\");",
        "print(\"hello\");",
    ];
    let told: Vec<String> = wrong.iter().map(|text| format!("{text}\n    {}", faults(text).replace('\n', "\n    "))).collect();
    insta::assert_snapshot!("rules", told.join("\n"));
}

#[test]
fn what_is_wrong_with_a_condition() {
    let wrong = [
        "|c| c.recency_day > 60",
        "|c| c.colour == \"red\"",
        "|c| recency_days > 60",
        "|c| c.orders > 1 && ordrs > 2",
        "|c| c.abc = \"A\"",
        "|c| { c = 5; true }",
        "|c| c.orders()",
        "|c| c.has(\"birthday\")",
        "|c| c.tags.contain(\"vip\")",
        "|c| c.tags.contains()",
        "|c| day(3) == 3",
        "|c| days(3, 4) == 3",
        "|c| c.abc == 5",
        "|c| \"60\" < c.recency_days",
        "|c| c.tags == \"vip\"",
        "|c| c.has_email == \"yes\"",
        "|c| c.abc != 5",
        "|c| 5 != c.orders",
        "|c| () != c.orders",
        "|c| c.orders > c.abc",
        "|c| c.abc in [\"A\", 1]",
        "|c| c.orders in [\"A\"]",
        "|c| 5 in c.tags",
        "|c| (c.age ?? \"young\") > 18",
        "|c| (c.age ?? 18) > \"18\"",
        "|c| c.has_email == (c.orders > 1 || c.r > 2)",
        "|c| c.has_email > c.tags.len()",
        "|c| c.orders == \"no. \" + 5",
        "|c| c.orders",
        "|c| { let x = c.orders; }",
        "|c| c.first_name.len > 3 && c.first_name.lenght > 3",
        "|c| { let m = #{ size: 3 }; m.size == 3 && c.size == 3 }",
        "|c| c.tags.some(|tag| tag == c.id)",
        "|c| helpers::loyal(c)",
        "|c| loop {}",
        "Fn(\"loyal\")",
        "|c| c[\"orders\"] > 3",
        "|c| { if c.orders > 1 { rule(\"x\"); } true }",
        "|c| !(c.recency_days <= days(60))",
        "|c| c.revenue > eur(5) && c.average_order_value > amount(5)",
        "|c| c.orders_in(days(30)) > weeks(2)",
        "|c| c.attr(\"points\") > percent(5)",
        "|c| c.bought(\"P-1\") == \"yes\"",
        "|c| c.tags.contains(5)",
        "|c| c.abc.contains(5)",
        "|c| 2 < c.orders < 5",
        "|c| c.orders in [2..5]",
        "|c| c.orders > 1 and c.r > 2",
        "|c| c.orders > 1 or c.r > 2",
        "|c| not c.has_email",
    ];
    let told: Vec<String> = wrong.iter().map(|text| format!("{text}\n    {}", condition(text).replace('\n', "\n    "))).collect();
    insta::assert_snapshot!("conditions", told.join("\n"));
}

#[test]
fn comparisons_of_like_with_like_are_no_fault() {
    for good in [
        "|c| c.orders in 2..5 && c.orders in [1, 2] && c.tags.contains(\"vip\") && c.first_name.contains(\"a\")",
        "|c| c.orders_in(days(30)) > 2 && c.abc_was(days(90)) == \"A\" && c.attr(\"x\") == 5 && c.attr(\"x\") == \"y\"",
        "|c| c.abc_was(days(90)) != c.abc",
        "|c| c.bought(\"P-1\") == true && (c.days_since(\"nps\") ?? 0) > 2.5 && [2, 3].contains(c.orders)",
    ] {
        assert_eq!(condition(good).split(':').next(), Some("no fault"), "{good}\n{}", condition(good));
    }
}

#[test]
fn a_constant_is_compared_as_what_it_is() {
    let text = "const MIN = \"60\";\nconst TOP = 10;\nrule(\"r\").basis(\"consent\").send(|c| email(\"t\")).when(|c| c.recency_days > MIN && c.top_percent <= TOP);";
    assert_eq!(
        faults(text),
        "test.rhai:3:73 'recency_days' is a number and is compared with 'MIN', the text \"60\": that is never true; e.g. c.recency_days > 60"
    );
    // A parameter of the same name is something else.
    let text = "const MIN = \"60\";\nfn few(c, MIN) { c.orders < MIN }\nrule(\"r\").basis(\"consent\").send(|c| email(\"t\")).when(|c| few(c, 5));";
    assert!(load(text).is_ok());
}

#[test]
fn all_faults_of_all_files_come_at_once_in_order() {
    let good = "rule(\"good\").basis(\"consent\").when(|c| true).send(|c| email(\"t\"));";
    let sources = [
        ("b.rhai", "rule(\"b\").control(99).basis(\"x\").when(|c| c.order > 1).send(|c| email(\"t\"));\nrule(\"c\");"),
        ("a.rhai", "rule(\"a\".basis(\"consent\");"),
        ("c.rhai", good),
        ("d.rhai", good),
    ];
    let sources = sources.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    let faults: Vec<String> = RuleSet::from_sources(sources).unwrap_err().iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(faults.join("\n"), @r#"
    a.rhai:1:26 expecting ',' to separate the arguments to function call 'rule'
    b.rhai:1:11 .control: expected a whole number from 0 to 90, got the number 99
    b.rhai:1:23 .basis: expected "consent", "existing_customer" or "contract", got the text "x"
    b.rhai:1:45 unknown field 'order' - did you mean 'orders'?
    b.rhai:2:1 rule 'c' does nothing: expected .send(|c| email("…")) or .variant("A", 50, |c| email("…"))
    b.rhai:2:1 rule 'c' has no .basis(…): expected "consent", "existing_customer" or "contract"
    b.rhai:2:1 rule 'c' has no .when(…): expected e.g. .when(|c| c.recency_days > 60)
    d.rhai:1:1 rule 'good' is already defined at c.rhai:1:1
    "#);
}

#[test]
fn a_column_counts_letters_not_bytes() {
    assert_eq!(faults("/* ÄÖÜ */ let x = foo(1);"), "test.rhai:1:19 unknown function 'foo'");
}
