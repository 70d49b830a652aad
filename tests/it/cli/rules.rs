//! `stammgast rules` as a marketer calls it.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::common::databases::TestDb;
use crate::common::stage::people;
use crate::store::{number, texts};

const RULE: &str = "// Says hello.\nrule(\"hello\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.orders >= 1).cooldown(days(30)).control(20)\n    \
    .send(|c| email(\"win-back-plain\"));\n";

fn stammgast(test: &TestDb, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
    command.args(arguments).current_dir(folder).env("STAMMGAST__DATABASE__URL", &test.url).env_remove("STAMMGAST_CONFIG").env("USER", "anna");
    command.env("STAMMGAST__TEMPLATES__PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).env("STAMMGAST__DAEMON__NAME", "rules");
    command.output().unwrap()
}

/// Exit code and what is said on both ways.
fn said(test: &TestDb, folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = stammgast(test, folder, arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), format!("{}{}", text(output.stdout), text(output.stderr)))
}

fn text(test: &TestDb, folder: &Path, arguments: &[&str]) -> String {
    let (code, text) = said(test, folder, arguments);
    assert_eq!(code, 0, "{arguments:?}: {text}");
    still(&text)
}

fn document(test: &TestDb, folder: &Path, arguments: &[&str]) -> Value {
    let output = stammgast(test, folder, &[arguments, &["--json"]].concat());
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"))
}

/// Moments of the machine's clock as letters; those of 2024 are the test's own.
fn still(text: &str) -> String {
    let mut found = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let is_date =
            |text: &str| text.len() == 10 && text.char_indices().all(|(at, c)| if [4, 7].contains(&at) { c == '-' } else { c.is_ascii_digit() });
        if rest.get(..10).is_some_and(is_date) && !rest.starts_with("2024") {
            let end = rest.find(|c: char| !(c.is_ascii_digit() || "-:T+.".contains(c))).unwrap_or(rest.len());
            let end = rest[..end].trim_end_matches([':', '.']).len();
            let clock = if end == 10 { rest.get(10..16).filter(|clock| clock.as_bytes()[3] == b':').map_or(0, str::len) } else { 0 };
            found.push_str(if clock > 0 { "<day and hour>  " } else { "<moment>" });
            rest = rest.get(end + clock..).unwrap_or_default();
        } else {
            found.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    found
}

fn write(folder: &Path, name: &str, rule: &str) {
    std::fs::create_dir_all(folder.join("rules")).unwrap();
    std::fs::write(folder.join(format!("rules/{name}.rhai")), rule).unwrap();
}

on_both!(a_marketer_sees_what_runs_what_changed_and_what_is_gone, |test| {
    people(&test.db, 1..=30).await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(said(test, folder, &["rules"]).0, 1, "there is no folder yet");
    write(folder, "hello", RULE);
    write(folder, "old", &RULE.replace("hello", "old"));
    text(test, folder, &["run", "hello", "--as-of", "2024-05-30T09:00", "--no-dispatch"]);
    std::fs::remove_file(folder.join("rules/old.rhai")).unwrap();
    write(folder, "new", &RULE.replace("hello", "new"));
    let changed = RULE.replace("days(30)", "days(60)").replace("// Says hello.\n", "");
    write(folder, "hello", &changed);
    insta::assert_snapshot!("list", text(test, folder, &["rules"]));
    insta::assert_snapshot!("diff_to_the_file", text(test, folder, &["rules", "diff", "hello"]));
    text(test, folder, &["run", "hello", "--as-of", "2024-06-30T09:00", "--no-dispatch"]);
    let shown = [&["rules", "show", "hello"][..], &["rules", "show", "hello", "--version", "94b4"], &["rules", "show", "hello", "--versions"]];
    insta::assert_snapshot!("show", shown.map(|arguments| text(test, folder, arguments)).join("\n"));
    let versions = document(test, folder, &["rules", "show", "hello", "--versions"]);
    let (newest, oldest) = (versions["versions"][0]["hash"].as_str().unwrap(), versions["versions"][1]["hash"].as_str().unwrap());
    assert_eq!((&versions["running"], &versions["versions"][1]["decisions"]), (&json!(newest), &json!(30)));
    assert!(text(test, folder, &["rules", "diff", "hello"]).ends_with(": no difference.\n"));
    let diff = document(test, folder, &["rules", "diff", "hello", oldest, newest]);
    assert_eq!((&diff["added"], &diff["removed"]), (&json!(1), &json!(2)));
    assert_eq!(document(test, folder, &["rules", "diff", "hello", &oldest[..9]])["to"], newest, "the file");
    assert_eq!(document(test, folder, &["rules", "show", "hello"])["text"], changed);
    let list = document(test, folder, &["rules", "list"]);
    let states: Vec<&Value> = list["rules"].as_array().unwrap().iter().map(|rule| &rule["state"]).collect();
    assert_eq!(states, ["in_force", "in_force", "gone"], "the last run has taken up the new one");

    write(folder, "new", "rule(\"new\").evry(\"@daily\");\n");
    let (code, broken) = said(test, folder, &["rules"]);
    assert!(code == 1 && broken.contains("hello  in force") && broken.contains("new.rhai:1:13"), "{broken}");
    for (arguments, sentence) in [
        (&["rules", "diff", "hello"][..], "error: the files have faults:\nrules/new.rhai:1:13"),
        (&["rules", "diff", "hello", "zz"], "error: zz: rule 'hello' never ran in a version whose hash begins like this"),
        (&["rules", "show", "hello", "--version", ""], "error: : several versions of rule 'hello' begin like this: give more digits"),
        (
            &["rules", "show", "helo"],
            "there is no rule 'helo' among those that ever ran (the files have faults: `stammgast check`) - did you mean 'hello'?: expected one of hello, new, old",
        ),
    ] {
        let (code, said) = said(test, folder, arguments);
        assert!(code == 1 && said.contains(sentence), "{arguments:?}: {said}");
    }
    assert_eq!(said(test, folder, &["rules", "pause", "hello"]).0, 0, "the brake works whatever the files are like");
});

on_both!(a_marketer_hits_the_brake_and_lets_it_go, |test| {
    people(&test.db, 1..=5).await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, "hello", &RULE.replace("control(20)", "control(0)"));
    text(test, folder, &["run", "hello", "--as-of", "2024-05-30T09:00", "--no-dispatch"]);
    let mut told = vec![text(test, folder, &["rules", "pause", "hello", "--reason", "the voucher\n is wrong"])];
    let (code, run) = said(test, folder, &["run", "hello", "--as-of", "2024-06-30T09:00"]);
    assert_eq!((code, number(&test.db, "SELECT COUNT(*) FROM ticks").await), (1, 1), "{run}");
    told.push(still(&run));
    told.push(text(test, folder, &["rules", "list"]));
    let messages = text(test, folder, &["messages"]);
    assert_eq!(messages.matches("waits: its rule is paused").count(), 5, "{messages}");
    let listed = document(test, folder, &["messages"])["messages"][0].clone();
    assert_eq!((&listed["state"], &listed["paused"]), (&json!("queued"), &json!(true)));
    assert!(text(test, folder, &["messages", "show", listed["id"].as_str().unwrap()]).contains("waits until its rule goes on"));
    for arguments in [&["plan", "hello"][..], &["why", "1", "hello"]] {
        assert!(text(test, folder, arguments).contains("\n  the rule is paused by anna since <moment>: the voucher is wrong\n"), "{arguments:?}");
    }
    told.push(text(test, folder, &["rules", "pause", "hello", "--by", "ben"]));
    told.push(text(test, folder, &["rules", "resume", "hello"]));
    told.push(text(test, folder, &["rules", "resume", "hello"]));
    told.push(text(test, folder, &["rules", "pause", "hello", "--discard", "--by", ""]));
    told.push(text(test, folder, &["rules", "resume", "hello", "--discard"]));
    insta::assert_snapshot!("brake", told.join("\n"));
    assert_eq!(texts(&test.db, "SELECT DISTINCT state FROM deliveries").await, ["cancelled"]);

    let paused = document(test, folder, &["rules", "pause", "hello", "--reason", "why not"]);
    assert_eq!((&paused["state"], &paused["changed"], &paused["pause"]["reason"]), (&json!("paused"), &json!(true), &json!("why not")));
    let list = document(test, folder, &["rules"]);
    assert_eq!((&list["rules"][0]["paused"]["by"], &list["rules"][0]["next_run_at"]), (&json!("anna"), &Value::Null));
    assert_eq!(document(test, folder, &["rules", "resume", "hello"])["state"], "resumed");
    assert_eq!(document(test, folder, &["rules", "resume", "hello"])["state"], "not_paused");
    for arguments in [["rules", "pause", "helo"], ["rules", "resume", "helo"]] {
        let (code, said) = said(test, folder, &arguments);
        assert!(code == 1 && said.contains("there is no rule 'helo' - did you mean 'hello'?: expected one of hello"), "{said}");
    }
    assert_eq!(said(test, folder, &["rules", "pause"]).0, 2);
});
