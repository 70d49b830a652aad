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
