//! `stammgast test` as a marketer and a CI job call it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const RULE: &str = "rule(\"hello\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.recency_days >= 3 && c.orders >= 2).cooldown(days(30))
    .send(|c| email(\"win-back-plain\"))
    .example(\"a regular\", #{ recency_days: 3, orders: 2 }, \"send\")
    .example(\"a newcomer\", #{ recency_days: 3, orders: 1 }, \"send\")
    .example(\"an objector\", #{ recency_days: 3, orders: 2, consent: \"objected\" }, \"send\");\n
rule(\"bare\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\"));\n";

const SCENARIO: &str =
    "from = 2026-03-01\nuntil = 2026-03-10\nexpect = [\n    \"2026-03-04 anna hello send\",\n    \"2026-03-06 anna hello send\",\n]
[[customers]]\ncustomer_id = \"anna\"\nconsent = \"double_opt_in\"\nconsent_at = 2025-06-01
[[orders]]\ncustomer_id = \"anna\"\nordered_at = 2026-01-10\nrevenue = 19.98
[[orders]]\ncustomer_id = \"anna\"\nordered_at = 2026-03-02\nrevenue = 19.98\n";

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
    command.arg("test").args(arguments).current_dir(folder).env_remove("STAMMGAST_CONFIG");
    // Whatever the configuration says about the database: nobody opens it.
    command.env("STAMMGAST__DATABASE__URL", "postgres://nobody@127.0.0.1:1/nothing");
    command.env("STAMMGAST__TEMPLATES__PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn shop() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("rules/tests")).unwrap();
    std::fs::write(folder.path().join("rules/hello.rhai"), RULE).unwrap();
    std::fs::write(folder.path().join("rules/tests/anna.toml"), SCENARIO).unwrap();
    folder
}

#[test]
fn the_shipped_rules_pass_their_own_tests() {
    let output = run(Path::new(env!("CARGO_MANIFEST_DIR")), &[]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).lines().count() == 1 && said(&output).ends_with(": all well.\n"), "{}", said(&output));
}

#[test]
fn a_new_shops_folder_has_tests_that_pass() {
    let folder = tempfile::tempdir().unwrap();
    let made = Command::new(env!("CARGO_BIN_EXE_stammgast")).args(["init", "."]).current_dir(folder.path()).output().unwrap();
    assert!(made.status.success());
    let output = run(folder.path(), &["--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["failed"], &document["faults"], &document["without_example"]), (&json!(0), &json!([]), &json!([])));
    assert!(output.status.success() && folder.path().join("rules/tests/win-back.toml").exists() && !folder.path().join("data").exists());
}

#[test]
fn what_fails_is_told_with_all_it_takes_to_mend_it() {
    let folder = shop();
    let output = run(folder.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    insta::assert_snapshot!("test", said(&output));
    let document: Value = serde_json::from_slice(&run(folder.path(), &["--json"]).stdout).unwrap();
    assert_eq!((&document["failed"], &document["without_example"]), (&json!(3), &json!(["bare"])));
    let newcomer = &document["examples"][1];
    assert_eq!(
        (&newcomer["expected"], &newcomer["got"], &newcomer["line"], &newcomer["passed"]),
        (&json!("send"), &json!("no"), &json!(4), &json!(false))
    );
    assert_eq!(newcomer["why"]["clauses"][1], json!({ "text": "c.orders >= 2", "value": 1, "result": false, "skipped": false }));
    let lines: Vec<(&Value, &Value)> =
        document["scenarios"][0]["lines"].as_array().unwrap().iter().map(|line| (&line["outcome"], &line["text"])).collect();
    let (missing, unexpected) = (json!("missing"), json!("unexpected"));
    let texts = ["2026-03-04 anna hello send", "2026-03-05 anna hello send", "2026-03-06 anna hello send"].map(|text| json!(text));
    assert_eq!(lines, [(&missing, &texts[0]), (&unexpected, &texts[1]), (&missing, &texts[2])]);
}

#[test]
fn paths_choose_what_is_tried() {
    let folder = shop();
    std::fs::write(folder.path().join("rules/broken.toml"), "not a scenario of anybody").unwrap();
    std::fs::write(folder.path().join("rules/tests/.hidden.toml"), "nor this").unwrap();
    let last = |arguments: &[&str]| said(&run(folder.path(), arguments)).lines().last().unwrap_or_default().to_owned();
    for (arguments, line) in [
        (&[][..], "3 examples, 1 scenario: 3 failed."),
        (&["rules"], "3 examples, 1 scenario: 3 failed."),
        (&["rules/hello.rhai"], "3 examples, 0 scenarios: 2 failed."),
        (&["rules/tests"], "0 examples, 1 scenario: 1 failed."),
        (&["rules/tests/anna.toml"], "0 examples, 1 scenario: 1 failed."),
        (&["rules/hello.rhai", "rules/tests"], "3 examples, 1 scenario: 3 failed."),
    ] {
        assert_eq!(last(arguments), line, "{arguments:?}");
    }
    // From inside the folders, where the path has no parent.
    assert!(said(&run(&folder.path().join("rules/tests"), &["anna.toml"])).ends_with("0 examples, 1 scenario: 1 failed.\n"));
    assert!(said(&run(&folder.path().join("rules/tests"), &["."])).ends_with("0 examples, 1 scenario: 1 failed.\n"));
    assert!(said(&run(&folder.path().join("rules"), &["tests/anna.toml"])).ends_with("0 examples, 1 scenario: 1 failed.\n"));
    std::fs::create_dir(folder.path().join("mails")).unwrap();
    let told = String::from_utf8(run(folder.path(), &["mails"]).stderr).unwrap();
    assert!(told.contains("mails: holds neither rules (*.rhai) nor scenarios (*.toml, tests/*.toml)"), "{told}");
    let output = run(folder.path(), &["rules/nothing"]);
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && told.contains("rules/nothing: no such file or folder: expected rules (*.rhai)"), "{told}");
    // Rules are read from *.rhai files of the folder alone: scenarios are not among them.
    let check = Command::new(env!("CARGO_BIN_EXE_stammgast")).args(["check", "rules"]).current_dir(folder.path()).output().unwrap();
    assert!(check.status.success() && said(&check).ends_with("2 rules without fault, 2 warnings.\n"), "{}", said(&check));
}

#[test]
fn faults_of_rules_and_scenarios_are_told_and_end_with_1() {
    let folder = shop();
    std::fs::write(folder.path().join("rules/tests/anna.toml"), SCENARIO.replace("anna hello", "ana helo").replace("revenue", "reveneu")).unwrap();
    std::fs::write(folder.path().join("rules/tests/bert.toml"), SCENARIO.replace("anna hello", "anna helo")).unwrap();
    let told = said(&run(folder.path(), &["rules/tests"]));
    insta::assert_snapshot!("test_faults", told);
    std::fs::write(folder.path().join("rules/hello.rhai"), RULE.replace("orders: 1", "order: 1").replace("win-back-plain", "gone")).unwrap();
    let output = run(folder.path(), &["--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        document["faults"],
        json!([{ "file": "rules/hello.rhai", "line": 4, "column": 6, "severity": "error", "message": ".example: unknown fact 'order' - did you mean 'orders'?" }])
    );
    // An attribute that the configuration does not declare.
    std::fs::write(folder.path().join("rules/hello.rhai"), RULE.replace("orders: 1", "\"attr('ctiy')\": \"Bonn\"")).unwrap();
    let told = said(&run(folder.path(), &[]));
    assert!(told.starts_with("rules/hello.rhai:4:6 [attributes] of the configuration declares no 'ctiy': there is none"), "{told}");
}
