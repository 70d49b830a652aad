//! `stammgast moves` as a person or a script calls it.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::databases::TestDb;
use crate::common::shop::{customers, execute};

/// Standard output and the exit status; of a failure the sentence.
fn says(test: &TestDb, arguments: &[&str], settings: &[(&str, &str)]) -> (String, i32) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
    command.arg("moves").args(arguments).current_dir(folder.path()).env("STAMMGAST__DATABASE__URL", &test.url).stdin(Stdio::null());
    let output = command.envs(settings.iter().copied()).output().unwrap();
    let text = if output.status.success() { output.stdout } else { output.stderr };
    (String::from_utf8(text).unwrap(), output.status.code().unwrap())
}

/// The lines, with one space between words.
fn words(text: &str) -> String {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>().join("\n")
}

on_both!(moves_are_counted_and_those_of_a_customer_listed, |test| {
    customers(&test.db, 1..=3).await;
    let none = "No history yet: the next full run of the scores makes it up from the orders (stammgast score, or the daemon).\n";
    assert_eq!(says(test, &[], &[]), (none.to_owned(), 0));
    assert_eq!(says(test, &[], &[("STAMMGAST__SCORE__HISTORY_DAYS", "0")]).0, "Moves are not followed: [score] history_days is 0.\n");
    // Noon of the last day of May, and of the third and the fourth of June, in the shop's zone.
    let [may, third, fourth] = [1_780_221_600_000_i64, 1_780_480_800_000, 1_780_567_200_000];
    execute(&test.db, format!("INSERT INTO class_histories VALUES ('latest', {}, {fourth}, '')", may - 86_400_000)).await;
    execute(&test.db, "INSERT INTO classes (customer_id, abc, r, churn) VALUES (1, 2, 4, 3), (2, 2, 5, NULL)".to_owned()).await;
    execute(
        &test.db,
        format!(
            "INSERT INTO crossings VALUES (1, 'abc', {may}, 2, 1), (1, 'abc', {third}, 1, 2), (2, 'abc', {fourth}, 1, 2), (1, 'r', {third}, 5, 4),
             (2, 'r', {third}, NULL, 5), (1, 'churn', {third}, 2, 3)"
        ),
    )
    .await;
    let june = ["--from", "2026-06-01", "--to", "2026-06-30"];
    let table = "Moves from 2026-06-01 to 2026-06-30; the history begins on 2026-05-30\nscore from to customers moves\nabc A B 2 2\nr 5 4 1 1\nchurn medium high 1 1";
    assert_eq!(words(&says(test, &june, &[]).0), table);
    let told: Value = serde_json::from_str(&says(test, &["--from", "2026-05-31", "--to", "2026-05-31", "--json"], &[]).0).unwrap();
    assert_eq!(told["moves"], json!([{ "score": "abc", "from": "B", "to": "A", "customers": 1, "moves": 1 }]));
    assert_eq!((&told["from"], &told["known_since"]), (&json!("2026-05-31"), &json!("2026-05-30T10:00:00Z")));
    let list = "1: abc B, r 4, f –, m –, churn high; the history begins on 2026-05-30\n2026-05-31 abc B → A\n2026-06-03 abc A → B\n2026-06-03 churn medium → high\n2026-06-03 r 5 → 4";
    assert_eq!(words(&says(test, &["1"], &[]).0), list);
    let told: Value = serde_json::from_str(&says(test, &["2", "--json"], &[]).0).unwrap();
    assert_eq!(told["settled"], json!({ "abc": "B", "r": "5", "f": null, "m": null, "churn": null }));
    assert_eq!(told["moves"][0], json!({ "at": "2026-06-03T10:00:00Z", "score": "r", "from": null, "to": "5" }));
    assert!(says(test, &["3"], &[]).0.starts_with("3: no class is known."));
    assert_eq!(says(test, &["4"], &[]), ("error: there is no customer '4'\n".to_owned(), 1));
    assert_eq!(says(test, &["--from", "2026-06-02", "--to", "2026-06-01"], &[]).1, 1);
    assert_eq!(says(test, &["1", "--from", "2026-06-02"], &[]).1, 2);
});
