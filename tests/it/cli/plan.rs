//! `stammgast plan`, `backtest` and `why` as a marketer calls them.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::common::databases::TestDb;
use crate::common::stage::people;

const RULE: &str = "rule(\"hello\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.orders >= 1).cooldown(days(30)).control(20)
    .variant(\"A\", 1, |c| email(\"win-back\", #{ voucher: voucher(\"WB\", amount(5), days(14)) }))
    .variant(\"B\", 1, |c| email(\"win-back-plain\"));\n";

fn stammgast(test: &TestDb, folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
    command.args(arguments).current_dir(folder).env("STAMMGAST__DATABASE__URL", &test.url).env_remove("STAMMGAST_CONFIG");
    command.env("STAMMGAST__SHOP__IMPRINT", "Marktplatz 3, 01234 Zuckerstadt").env("STAMMGAST__SHOP__NAME", "Konditorei Süßner");
    command.env("STAMMGAST__TEMPLATES__PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).env("STAMMGAST__DAEMON__NAME", "plan");
    command.output().unwrap()
}

fn text(test: &TestDb, folder: &Path, arguments: &[&str]) -> String {
    let output = stammgast(test, folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn write(folder: &Path, rule: &str) {
    std::fs::create_dir_all(folder.join("rules")).unwrap();
    std::fs::write(folder.join("rules/hello.rhai"), rule).unwrap();
}

on_both!(a_marketer_reads_the_plan_of_a_new_and_of_a_changed_rule, |test| {
    people(&test.db, 1..=30).await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, RULE);
    let at = ["--as-of", "2024-07-01T07:30"];
    let new = text(test, folder, &[&["plan", "hello", "--preview"], &at[..]].concat());
    // Codes come from the installation's own key.
    let code = new.split_once("WB-").map(|(_, rest)| format!("WB-{}", &rest[..10])).unwrap();
    insta::assert_snapshot!("plan_of_a_new_rule", new.replace(&code, "WB-XXXXXXXXXX"));
    text(test, folder, &["run", "--as-of", "2024-05-30T09:00", "--no-dispatch"]);
    write(folder, &RULE.replace("c.orders >= 1", "c.orders >= 1 && !c.id.contains(\"2\")").replace("control(20)", "control(0)"));
    let changed = text(test, folder, &[&["plan", "--people", "2"], &at[..]].concat());
    insta::assert_snapshot!("plan_of_a_changed_rule", changed);
    let document: Value = serde_json::from_str(&text(test, folder, &[&["plan", "hello", "--json"], &at[..]].concat())).unwrap();
    assert_eq!((&document["rule"], &document["removed"][0], &document["people"][0]["verdict"]), (&json!("hello"), &json!("2"), &json!("send")));
    let several: Value = serde_json::from_str(&text(test, folder, &["plan", "--json"])).unwrap();
    assert_eq!(several["plans"].as_array().unwrap().len(), 1);
    let old = document["against"].as_str().unwrap()[..6].to_owned();
    assert!(text(test, folder, &["plan", "hello", "--against", &old]).contains(&format!("against version {old}")));
    for (arguments, sentence) in [
        (&["plan", "helo"][..], "there is no rule 'helo' - did you mean 'hello'?: expected one of hello"),
        (&["plan", "hello", "--against", "zz"], "rule 'hello' never ran in a version whose hash begins like this"),
    ] {
        let output = stammgast(test, folder, arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && said.contains(sentence), "{arguments:?}: {said}");
    }
});

on_both!(a_marketer_replays_a_rule, |test| {
    people(&test.db, 1..=30).await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, &RULE.replace("c.orders >= 1", "c.recency_days >= 3").replace("control(20)", "control(20).goal(\"order\", days(14))"));
    let days = ["backtest", "hello", "--from", "2024-05-01", "--to", "2024-06-10"];
    insta::assert_snapshot!("backtest", text(test, folder, &[&days[..], &["--drawn"]].concat()));
    assert!(!text(test, folder, &days).contains('█'), "a file gets no bars");
    let document: Value = serde_json::from_str(&text(test, folder, &[&days[..], &["--json"]].concat())).unwrap();
    assert_eq!(document["days"][3], json!({ "date": "2024-05-04", "sent": 23, "control": 7, "holdout": 0, "refused": 0 }));
    assert_eq!((&document["people"][0]["date"], &document["voucher_exposure_cents"]), (&json!("2024-05-04"), &json!(12_000)));
    write(folder, &RULE.replace(".every(\"0 9 * * *\")", ""));
    assert!(text(test, folder, &[&days[..], &["--every", "0 9 * * 1"]].concat()).contains(": 6 runs"));
    for (arguments, code, sentence) in [
        (
            &["backtest", "helo", "--from", "2024-05-01", "--to", "2024-05-02"][..],
            1,
            "there is no rule 'helo' - did you mean 'hello'?: expected one of hello",
        ),
        (&["backtest", "hello", "--from", "2024-05-01", "--to", "2024-05-02"], 1, "rule 'hello' has no schedule (.every)"),
        (&["backtest", "hello", "--from", "2024-05-03", "--to", "2024-05-02"], 1, "--from 2024-05-03 lies after --to 2024-05-02"),
        (&["backtest", "hello", "--from", "2024-05-01", "--to", "2024-05-02", "--every", "9 Uhr"], 1, "'9 Uhr' is not a crontab line"),
        (
            &["backtest", "hello", "--from", "2020-05-01", "--to", "2024-05-02", "--every", "* * * * *"],
            1,
            "the schedule asks for 20000 runs or more on these days: expected fewer days",
        ),
        (
            &["backtest", "hello", "--from", "1.5.2024", "--to", "2024-05-02"],
            2,
            "invalid value '1.5.2024' for '--from <DATE>': expected a day of the years 1970 to 2200, e.g. 2026-03-01",
        ),
        (
            &["backtest", "hello", "--from", "2024-05-01", "--to", "9999-12-31"],
            2,
            "invalid value '9999-12-31' for '--to <DATE>': expected a day of the years",
        ),
    ] {
        let output = stammgast(test, folder, arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(code) && said.contains(sentence), "{arguments:?}: {said}");
    }
});

on_both!(a_marketer_is_told_where_a_rule_would_pause_itself, |test| {
    people(&test.db, 1..=30).await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, &RULE.replace("control(20)", "control(0)").replace("c.orders >= 1", "c.tags[0] == \"vip\""));
    for (arguments, sentences) in [
        (
            &["plan", "hello", "--as-of", "2024-06-01T09:00"][..],
            [
                "the rule would pause itself at 2024-06-01T09:00:00+02:00 before anything is written: it failed for 30 customers in one run, e.g.: rules/",
                "nothing after that leaves; these figures end there",
            ],
        ),
        (
            &["backtest", "hello", "--from", "2024-05-30", "--to", "2024-06-10"],
            [
                "the rule would have paused itself at 2024-05-30T09:00:00+02:00 before anything is written: it failed for 30 customers in one run, e.g.: rules/",
                "nothing after that would have left; the replay ends there",
            ],
        ),
    ] {
        let output = stammgast(test, folder, arguments);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code() == Some(1) && sentences.iter().all(|sentence| said.contains(sentence)), "{said}");
        let document: Value = serde_json::from_slice(&stammgast(test, folder, &[arguments, &["--json"]].concat()).stdout).unwrap();
        assert_eq!(
            (&document["pauses_itself"]["after"], &document["pauses_itself"]["reason"]),
            (&json!(0), &json!("failed for 30 customers in one run"))
        );
        assert_eq!(document["refused"], json!({ "rule_failed": 30 }), "of the first day alone");
    }
});

on_both!(a_marketer_asks_why, |test| {
    people(&test.db, 1..=8).await;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    write(folder, &RULE.replace("c.orders >= 1", "c.recency_days > 14 && (c.id == \"2\" || c.tags.len() == 0) && c.abc != \"C\""));
    text(test, folder, &["run", "--as-of", "2024-06-20T07:00", "hello", "--no-dispatch"]);
    let told: Vec<String> = ["2", "8"].map(|customer| text(test, folder, &["why", customer, "--as-of", "2024-07-01T07:00"])).into();
    insta::assert_snapshot!("why", told.concat());
    let document: Value = serde_json::from_str(&text(test, folder, &["why", "2", "hello", "--as-of", "2024-08-01T10:00", "--json"])).unwrap();
    assert_eq!((&document["verdict"], &document["matched"], &document["clauses"][0]["value"]), (&json!("send"), &json!(true), &json!(92)));
    assert_eq!((&document["gates"][3]["gate"], &document["gates"][3]["passed"]), (&json!("cooldown"), &json!(true)));
    let output = stammgast(test, folder, &["why", "4711"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && said.contains("there is no customer '4711': expected the shop's key"), "{said}");
});
