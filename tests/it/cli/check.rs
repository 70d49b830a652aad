//! `stammgast check`.

use std::process::{Command, Output};

fn check(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stammgast")).arg("check").args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap()
}

#[test]
fn the_shipped_rules_are_without_fault() {
    let output = check(&["rules", "--json"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap(), serde_json::json!({ "faults": [] }));
}

#[test]
fn a_fault_is_shown_with_its_line_and_as_json_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad.rhai");
    std::fs::write(&file, "// Größe\n\trule(\"x\").control(99).basis(\"consent\").when(|c| true).send(|c| email(\"t\"));\n").unwrap();
    let name = file.to_str().unwrap();

    let output = check(&[name]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(format!("{name}:2:12 .control: expected a whole number from 0 to 90, got the number 99").as_str()));
    assert!(lines.next().unwrap().starts_with("    \trule(\"x\").control(99)"));
    assert_eq!(lines.next(), Some("    \t          ^"));

    let output = check(&[folder.path().to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let message = ".control: expected a whole number from 0 to 90, got the number 99";
    assert_eq!(found, serde_json::json!({ "faults": [{ "file": name, "line": 2, "column": 12, "severity": "error", "message": message }] }));
}

#[test]
fn a_folder_that_is_not_there_is_a_fault() {
    let output = check(&["no/such/folder", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found["faults"][0]["message"].as_str().unwrap().starts_with("cannot be read"), "{found}");
}

#[test]
fn it_explains_what_the_database_is_asked_and_when_a_rule_runs() {
    let folder = tempfile::tempdir().unwrap();
    let rule = |name: &str, every: &str, condition: &str| {
        format!("rule(\"{name}\"){every}.basis(\"consent\").when(|c| {condition}).send(|c| email(\"t\"));\n")
    };
    let partly = rule("partly", ".every(\"0 9 29 2 *\")", "c.orders > 2 && c.first_name.len() > 3");
    let text = format!("{partly}{}", rule("all", "", "{ let n = c.orders; n > 2 }"));
    std::fs::write(folder.path().join("some.rhai"), text).unwrap();
    let place = folder.path().join("some.rhai").display().to_string();
    let output = check(&[folder.path().to_str().unwrap(), "--explain"]);
    let told = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[0], format!("partly ({place}:1)"));
    assert_eq!(lines[1..3], ["  the database reads COALESCE(s.orders, 0) > 2", "  only the interpreter can tell: c.first_name.len() > 3"]);
    assert_eq!(lines[3].matches("-02-29T09:00:00+01:00").count(), 5, "{}", lines[3]);
    assert_eq!(
        lines[5..7],
        ["  the database reads everybody", "  only the interpreter can tell: the whole condition: it is a script of several statements"]
    );
    assert_eq!(lines[7..], ["  runs only when named: stammgast run all", "2 rules, all well."]);
    let output = check(&[folder.path().to_str().unwrap(), "--explain", "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&found["rules"][0]["reads"], &found["rules"][1]["reads"]),
        (&serde_json::json!("COALESCE(s.orders, 0) > 2"), &serde_json::Value::Null)
    );
}
