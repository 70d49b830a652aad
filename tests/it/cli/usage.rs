//! The command line as such: help, exit codes, JSON on stdout.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stammgast")).args(arguments).current_dir(folder).env_remove("STAMMGAST_CONFIG").output().unwrap()
}

fn help(arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &[arguments, &["--help"]].concat());
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that the help lists.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(ToOwned::to_owned).collect()
}

#[test]
fn the_help_names_every_command() {
    insta::assert_snapshot!(help(&[]));
}

#[test]
fn the_help_of_every_command_shows_an_example() {
    let names = commands(&help(&[]));
    assert!(names.len() >= 12, "{names:?}");
    for name in names {
        let text = help(&[&name]);
        assert!(text.contains("Example") && text.contains(&format!("stammgast {name}")), "{name}:\n{text}");
    }
    assert!(help(&["calc", "bucket"]).contains("Example"));
}

#[test]
fn wrong_usage_ends_with_2_and_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [
        &[][..],
        &["nonsense"],
        &["--nonsense"],
        &["run", "--as-of"],
        &["run", "--nonsense"],
        &["serve", "now"],
        &["cron"],
        &["cron", "@daily", "--count", "many"],
        &["calc", "bucket", "--seed", "s", "--value", "v", "--weights", "2"],
        &["calc", "ab", "--control", "5/3", "--treated", "1/2"],
        &["calc", "ab", "--control", "many", "--treated", "1/2"],
        &["calc", "mde", "--rate", "5", "--people", "100"],
        &["calc", "mde", "--rate", "0.05", "--people", "0"],
        &["calc", "srm", "--people", "5,-1", "--weights", "1,1"],
        &["import"],
        &["import", "customers"],
        &["import", "suppliers", "file.csv"],
        &["import", "orders", "file.csv", "--map", "order_id"],
        &["holds", "release"],
        &["messages", "show", "abc"],
        &["rules", "pause"],
        &["rules", "show", "win-back", "--versions", "--version", "1"],
        &["rules", "diff", "win-back", "1", "2", "3"],
        &["messages", "resolve", "1"],
        &["demo", "--port", "70000"],
        &["init"],
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.stdout.is_empty() && (said.contains("Usage:") || said.contains("--help")), "{arguments:?}: {said}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn what_cannot_be_done_ends_with_1_and_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    assert!(run(folder.path(), &["init", "."]).status.success());
    for (arguments, sentence) in [
        (&["run", "no-such-rule"][..], "there is no rule 'no-such-rule': expected one of anniversary, "),
        (&["run", "--as-of", "yesterday"], "--as-of: 'yesterday' is not a time: expected e.g."),
        (&["report", "no-such-rule"], "rule 'no-such-rule' has decided nothing yet"),
        (&["holds", "release", "win-back"], "no run of a rule 'win-back' is held: nothing was changed"),
        (&["messages", "show", "7"], "there is no message 7"),
        (&["rules", "pause", "no-such-rule"], "there is no rule 'no-such-rule': expected one of anniversary, "),
        (&["rules", "show", "win-back"], "rule 'win-back' has not run yet: its text is in the files"),
        (&["messages", "list", "--state", "lost"], "'lost' is no state: expected one of queued, "),
        (&["import", "customers", "no-such-file.csv"], "no-such-file.csv: "),
        (&["cron", "1 2 3"], "expected"),
        (&["init", "config/stammgast.toml"], "config/stammgast.toml"),
    ] {
        let output = run(folder.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.starts_with("error: ") && said.contains(sentence), "{arguments:?}: {said}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn every_reading_command_writes_one_json_document() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    std::fs::write(here.join("customers.csv"), "customer_id,email\n1,anna@kunde.example\n").unwrap();
    std::fs::write(here.join("orders.csv"), "order_id,customer_id,ordered_at,revenue\n9,1,2026-03-01 10:00,19.98\n").unwrap();
    for (arguments, key) in [
        (&["init", "."][..], "written"),
        (&["init", "."], "written"),
        (&["check"], "faults"),
        (&["migrate"], "applied"),
        (&["migrate"], "applied"),
        (&["import", "customers", "customers.csv"], "inserted"),
        (&["import", "orders", "orders.csv"], "inserted"),
        (&["score"], "customers"),
        (&["score", "--as-of", "2026-03-05"], "customers"),
        (&["run"], "runs"),
        (&["run", "win-back", "--as-of", "2026-07-01T09:00"], "runs"),
        (&["report"], "rules"),
        (&["messages"], "messages"),
        (&["rules"], "rules"),
        (&["rules", "show", "win-back"], "text"),
        (&["rules", "show", "win-back", "--versions"], "versions"),
        (&["rules", "diff", "win-back"], "diff"),
        (&["rules", "pause", "win-back"], "state"),
        (&["rules", "resume", "win-back"], "state"),
        (&["holds"], "holds"),
        (&["cron", "@daily"], "runs"),
        (&["calc", "bucket", "--seed", "s", "--value", "v", "--weights", "0.5,0.5"], "variation"),
    ] {
        let output = run(here, &[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {output:?}"));
        assert!(document.get(key).is_some(), "{arguments:?}: {document}");
    }
}

#[test]
fn a_new_shops_folder_passes_the_check_and_keeps_what_is_changed() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["init", "shop"]);
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("shop/config/stammgast.toml"), "{output:?}");
    let shop = folder.path().join("shop");
    let output = run(&shop, &["check"]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().last(), Some("5 rules, all well."), "{said}");

    std::fs::write(shop.join("rules/win-back.rhai"), "// mine\n").unwrap();
    std::fs::remove_file(shop.join("rules/thank-you.rhai")).unwrap();
    let output = run(folder.path(), &["init", "shop", "--json"]);
    let written: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(written, serde_json::json!({ "written": ["rules/thank-you.rhai"] }));
    assert_eq!(std::fs::read_to_string(shop.join("rules/win-back.rhai")).unwrap(), "// mine\n");
}

#[test]
fn a_reader_who_has_seen_enough_ends_the_program_without_a_word() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = Command::new(env!("CARGO_BIN_EXE_stammgast")).arg("facts").stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8_lossy(&ended.stderr).as_ref()), (Some(141), ""));
}
