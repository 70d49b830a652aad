//! `stammgast demo`: twice, interrupted, killed.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

/// In memory if the machine can: thousands of commits, each of which waits for the disk.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

fn demo(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
    command.args(["demo", "--no-serve", "--json", "--port", "0", "--dir"]).arg(dir).env_remove("STAMMGAST_CONFIG").stderr(Stdio::null());
    command
}

/// Runs the demo to its end; its report.
fn report(dir: &Path) -> Value {
    let output = demo(dir).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn mails(dir: &Path) -> usize {
    std::fs::read_dir(dir.join("mails"))
        .map_or(0, |entries| entries.filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|end| end == "eml")).count())
}

/// Starts the demo and ends it by this signal when so many mails are written.
async fn end_after(dir: &Path, count: usize, signal: &str) {
    let mut child: Child = demo(dir).stdout(Stdio::null()).spawn().unwrap();
    let waiting = async {
        while mails(dir) < count {
            assert!(child.try_wait().unwrap().is_none(), "the demo ended before {count} mails");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), waiting).await.expect("mails are written");
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    child.wait().unwrap();
}

/// What a report says about people, without what depends on how messages ended.
fn people(report: &Value) -> Vec<(String, Value, Value, Vec<(Value, Value)>)> {
    let rules = report["rules"].as_array().unwrap().iter();
    rules
        .map(|rule| {
            let arms = rule["variants"].as_array().unwrap().iter().map(|arm| (arm["name"].clone(), arm["people"].clone())).collect();
            (rule["rule"].as_str().unwrap().to_owned(), rule["proposed"].clone(), rule["control"]["people"].clone(), arms)
        })
        .collect()
}

fn sum(report: &Value, key: &str) -> i64 {
    let arms = report["rules"].as_array().unwrap().iter().flat_map(|rule| rule["variants"].as_array().unwrap());
    arms.map(|arm| arm[key].as_i64().unwrap()).sum()
}

#[tokio::test]
async fn a_second_start_changes_nothing_and_an_interrupted_or_killed_one_goes_on_to_the_same_figures() {
    let whole = folder();
    let first = report(whole.path());
    assert_eq!(first["rules"].as_array().unwrap().len(), 5, "each shipped rule finds somebody: {first}");
    assert!(sum(&first, "sent") > 300 && sum(&first, "failed") + sum(&first, "in_doubt") == 0, "{first}");
    assert_eq!(mails(whole.path()), usize::try_from(sum(&first, "sent")).unwrap());
    let second = report(whole.path());
    assert_eq!(second, first);

    let interrupted = folder();
    end_after(interrupted.path(), 40, "-INT").await;
    let killed = mails(interrupted.path());
    end_after(interrupted.path(), killed + 40, "-KILL").await;
    let last = report(interrupted.path());
    assert_eq!(people(&last), people(&first));
    // A kill may leave as many messages in doubt as were being written at that moment, never more, and none is lost.
    assert_eq!(sum(&last, "sent") + sum(&last, "in_doubt"), sum(&first, "sent"));
    assert!(sum(&last, "in_doubt") <= 10, "{last}");
}
