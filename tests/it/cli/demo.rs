//! `stammgast demo`: twice, interrupted, killed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use stammgast::base::clock::Clock;
use stammgast::base::time::{DAY_MS, UnixMs, Zone};
use stammgast::store::{Db, settings};

use crate::store::{number, texts};

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
    tokio::time::timeout(Duration::from_mins(2), waiting).await.expect("mails are written");
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    child.wait().unwrap();
}

/// What a report says about people, without what depends on how messages ended.
fn people(report: &Value) -> Vec<Value> {
    let rules = report["rules"].as_array().unwrap().iter();
    rules
        .map(|rule| {
            let arms = rule["variants"].as_array().unwrap().iter().map(|arm| json!([arm["name"], arm["people"]]));
            json!([rule["rule"], rule["proposed"], rule["control"]["people"], arms.collect::<Vec<_>>()])
        })
        .collect()
}

fn sum(report: &Value, key: &str) -> i64 {
    let arms = report["rules"].as_array().unwrap().iter().flat_map(|rule| rule["variants"].as_array().unwrap());
    arms.map(|arm| arm[key].as_i64().unwrap()).sum()
}

/// A shop's database five days before the end of its six weeks: all of them would take a program without optimisation a minute.
async fn five_days_before_the_end() -> tempfile::TempDir {
    let start = folder();
    end_after(start.path(), 1, "-INT").await;
    let db = Db::open(&format!("sqlite://{}/stammgast.db", start.path().display()), 2).await.unwrap();
    let mut tx = db.write().await.unwrap();
    settings::remember(&mut tx, "demo_position", Clock::System.now().plus(-5 * DAY_MS)).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await;
    start
}

fn copy(start: &Path) -> tempfile::TempDir {
    let copy = folder();
    std::fs::copy(start.join("stammgast.db"), copy.path().join("stammgast.db")).unwrap();
    copy
}

#[tokio::test]
async fn a_second_start_changes_nothing_and_an_interrupted_or_killed_one_goes_on_to_the_same_figures() {
    let start = five_days_before_the_end().await;
    let (whole, interrupted) = (copy(start.path()), copy(start.path()));
    let first = report(whole.path());
    // On some days somebody in the sample has objected while a mail waited for the morning: it is cancelled, which the report counts as failed.
    assert!(sum(&first, "sent") > 100 && sum(&first, "failed") == cancelled(whole.path()).await && sum(&first, "in_doubt") == 0, "{first}");
    let second = report(whole.path());
    assert_eq!(without_forecast(second), without_forecast(first.clone()));
    replays_equal_the_log(whole.path()).await;

    let written = mails(whole.path());
    end_after(interrupted.path(), written / 3, "-INT").await;
    end_after(interrupted.path(), written * 2 / 3, "-KILL").await;
    let last = report(interrupted.path());
    assert_eq!(people(&last), people(&first));
    // A kill may leave as many messages in doubt as were being written at that moment, never more, and none is lost.
    assert_eq!(sum(&last, "sent") + sum(&last, "in_doubt"), sum(&first, "sent"));
    assert!(sum(&last, "in_doubt") <= 20, "{last}");
}

async fn cancelled(dir: &Path) -> i64 {
    let db = Db::open(&format!("sqlite://{}/stammgast.db", dir.display()), 2).await.unwrap();
    let count = number(&db, "SELECT COUNT(*) FROM deliveries WHERE state = 'cancelled'").await;
    db.close().await;
    count
}

/// How many days it takes is told from how many people came until now, so it changes with the hour.
fn without_forecast(mut report: Value) -> Value {
    for rule in report["rules"].as_array_mut().unwrap() {
        if let Some(verdict) = rule["verdict"].as_object_mut() {
            verdict.retain(|key, _| key != "more_days" && key != "sentence");
        }
    }
    report
}

/// What each rule decided on the days after the start and before today is what a replay finds.
async fn replays_equal_the_log(dir: &Path) {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let now = Clock::System.now();
    let (from, to) = (zone.date(now.plus(-4 * DAY_MS)), zone.date(now.plus(-DAY_MS)));
    let db = Db::open(&format!("sqlite://{}/stammgast.db", dir.display()), 2).await.unwrap();
    let mut reached = 0;
    for rule in ["win-back", "second-order", "thank-you", "birthday-gift", "anniversary"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
        command.args(["backtest", rule, "--json", "--from", &from.to_string(), "--to", &to.to_string()]).current_dir(dir);
        let output = command.env("STAMMGAST_CONFIG", dir.join("config/stammgast.toml")).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let line = |person: &Value| ["date", "customer", "verdict", "variant"].map(|key| person[key].as_str().unwrap_or("-").to_owned()).join(" ");
        let replayed: BTreeSet<String> = found["people"].as_array().unwrap().iter().map(line).collect();
        let query = format!(
            "SELECT CAST(d.tick_at AS TEXT) || ' ' || c.external_id || ' ' || d.verdict || ' ' || COALESCE(d.variant, '-')
             FROM decisions d JOIN customers c ON c.id = d.customer_id WHERE d.rule = '{rule}' AND d.slot = 'arm'"
        );
        let dated = |row: String| {
            let (at, rest) = row.split_once(' ').map(|(at, rest)| (at.parse().unwrap(), rest.to_owned())).unwrap();
            (zone.date(UnixMs(at)), rest)
        };
        let days = texts(&db, &query).await.into_iter().map(dated).filter(|(date, _)| *date >= from && *date <= to);
        let logged: BTreeSet<String> = days.map(|(date, rest)| format!("{date} {rest}")).collect();
        assert_eq!(replayed, logged, "{rule}");
        reached += logged.len();
    }
    db.close().await;
    assert!(reached > 50, "{reached}");
}
