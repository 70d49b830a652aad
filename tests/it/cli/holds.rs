//! `stammgast holds`: a person answers a held run.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::common::databases::TestDb;
use crate::common::stage::people;
use crate::store::number;

const RULE: &str = "rule(\"hello\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.orders >= 1).cooldown(days(30))
    .limit(100, \"day\").send(|c| email(\"win-back-plain\"));\n";

fn stammgast(test: &TestDb, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
    command.args(arguments).current_dir(folder).env("STAMMGAST__DATABASE__URL", &test.url).env_remove("STAMMGAST_CONFIG").env("USER", "anna");
    command.env("STAMMGAST__TEMPLATES__PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/templates"));
    command.env("STAMMGAST__DAEMON__NAME", folder.file_name().unwrap().to_str().unwrap().replace('.', ""));
    command.output().unwrap()
}

/// What a command says that ends with this status.
fn says(test: &TestDb, folder: &Path, arguments: &[&str], code: i32) -> String {
    let output = stammgast(test, folder, arguments);
    let (said, told) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}{told}");
    if said.is_empty() { told } else { said }
}

/// The list of answers without the moments of the machine's own clock.
fn without_now(text: &str) -> String {
    let line = |line: &str| line.strip_prefix("  ").map_or_else(|| line.to_owned(), |line| format!("  NOW {}", line.split_once(' ').unwrap().1));
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

on_both!(a_person_reads_of_a_held_run_and_answers_it, |test| {
    people(&test.db, 1..=250).await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::create_dir_all(folder.join("rules")).unwrap();
    std::fs::write(folder.join("rules/hello.rhai"), RULE).unwrap();
    let planned = says(test, folder, &["plan", "hello", "--as-of", "2024-07-01T09:00", "--people", "0"], 0);
    let run = ["run", "hello", "--as-of", "2024-07-01T09:00", "--no-dispatch"];
    let held = says(test, folder, &run, 1);
    let again = says(test, folder, &["run", "hello", "--as-of", "2024-07-01T10:00", "--no-dispatch"], 1);
    let listed = says(test, folder, &["holds"], 0);
    let document: Value = serde_json::from_str(&says(test, folder, &["holds", "list", "--json"], 0)).unwrap();
    let hold = &document["holds"][0];
    assert_eq!(
        (&hold["rule"], &hold["guard"], &hold["most"], &hold["written"], &hold["waiting"]),
        (&json!("hello"), &json!("percent"), &json!(125), &json!(0), &json!(250))
    );
    let why = says(test, folder, &["why", "7", "hello", "--as-of", "2024-07-01T09:02"], 0);
    assert!(why.contains("  HELD   the run for 2024-07-01T09:00:00+02:00 would write 250 messages"), "{why}");
    // Somebody who answers for the wrong rule hears which one is held.
    let wrong = says(test, folder, &["holds", "release", "helo"], 1);
    let nothing_due = says(test, folder, &["run", "--as-of", "2024-07-01T09:03", "--no-dispatch"], 1);
    let released = says(test, folder, &["holds", "release", "hello"], 0);
    // Without a daemon it goes on here; what is left then waits for the day's limit, which needs nobody.
    let goes_on = says(test, folder, &["run", "hello", "--as-of", "2024-07-01T09:05", "--no-dispatch"], 0);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM messages").await, 100);
    let discarded: Value = serde_json::from_str(&says(test, folder, &["holds", "discard", "hello", "--by", "Berta", "--json"], 0)).unwrap();
    assert_eq!((&discarded["ended_by"], &discarded["ended_how"], &discarded["waiting"]), (&json!("Berta"), &json!("discarded"), &json!(150)));
    let too_late = says(test, folder, &["holds", "discard", "hello"], 1);
    let answered = without_now(&says(test, folder, &["holds"], 0));
    let told = [planned, held, again, listed, wrong, nothing_due, released, goes_on, too_late, answered].join("\n---\n");
    insta::assert_snapshot!("holds", told);
    let backtest = ["backtest", "hello", "--from", "2024-06-01", "--to", "2024-06-03"];
    assert!(says(test, folder, &backtest, 0).contains("1 runs would have been held"));
    let document: Value = serde_json::from_str(&says(test, folder, &[&backtest[..], &["--json"]].concat(), 0)).unwrap();
    assert_eq!((&document["held"][0]["at"], &document["held"][0]["waiting"]), (&json!("2024-06-01T07:00:00Z"), &json!(250)));
});
