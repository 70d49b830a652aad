//! What a rule may read, as the program tells it.

use std::process::Command;

use serde_json::Value;

fn facts(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_stammgast")).arg("facts").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_page_of_facts_is_what_the_program_writes() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rules.md")).unwrap();
    assert!(page == facts(&["--markdown"]), "docs/rules.md is old: stammgast facts --markdown > docs/rules.md");
}

#[test]
fn facts_are_found_by_a_word_and_come_as_json_and_definitions() {
    let all: Value = serde_json::from_str(&facts(&["--json"])).unwrap();
    assert_eq!(all["facts"].as_array().unwrap().len(), stammgast::model::fact::ALL.len());
    let birthdays = facts(&["Birthday"]);
    assert!(birthdays.contains("c.birthday_in_days == 0") && !birthdays.contains("recency_days"), "{birthdays}");
    let definitions = facts(&["--definitions"]);
    assert!(definitions.contains("\nmodule static;\n") && definitions.contains("\nfn get recency_days(c: Customer) -> ?;\n"), "{definitions}");
    assert!(definitions.contains("\nfn bought(c: Customer, name: String, days: Days) -> ?;\n"), "{definitions}");
    assert!(definitions.contains("\nfn variant(rule: Rule, name: String, weight: int, action: Fn) -> Rule;\n"), "{definitions}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("stammgast.d.rhai"), &definitions).unwrap();
    let rule = "rule(\"r\").basis(\"consent\").when(|c| c.orders > 1).cooldown(days(9)).send(|c| email(\"t\"));";
    std::fs::write(folder.path().join("r.rhai"), rule).unwrap();
    let check = Command::new(env!("CARGO_BIN_EXE_stammgast")).arg("check").arg(folder.path()).output().unwrap();
    assert!(check.status.success(), "definitions are no rules");
    let none = Command::new(env!("CARGO_BIN_EXE_stammgast")).args(["facts", "unicorn"]).output().unwrap();
    assert_eq!(none.status.code(), Some(1));
}
