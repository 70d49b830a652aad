//! `stammgast check`.

use std::process::{Command, Output};

use stammgast::config::Config;
use stammgast::daemon::files::Fingerprint;

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
    assert_eq!(lines.next(), Some("    \t          ^^^^^^^"));

    let output = check(&[folder.path().to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let message = ".control: expected a whole number from 0 to 90, got the number 99";
    assert_eq!(
        found,
        serde_json::json!({ "faults": [{ "file": name, "line": 2, "column": 12, "length": 7, "severity": "error", "message": message }] })
    );
}

#[test]
fn a_folder_that_is_not_there_is_a_fault() {
    let output = check(&["no/such/folder", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(found["faults"][0]["message"].as_str().unwrap().starts_with("cannot be read"), "{found}");
}

#[test]
fn a_path_that_holds_no_rule_is_not_all_well() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    for name in ["mails", "rules"] {
        std::fs::create_dir(at(name)).unwrap();
    }
    std::fs::write(at("rules/shared.rhai"), "fn regular(c) { c.orders > 3 }\n").unwrap();
    let said = |path: &str| {
        let output = check(&[&at(path)]);
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let wrong = "holds no rule: expected a folder with *.rhai files that have rules, or one such file";
    for path in ["mails", "rules"] {
        assert_eq!(said(path), (Some(1), format!("{} {wrong}\n1 fault.\n", at(path))));
    }
    let (code, text) = said("rules/shared.rhai");
    assert!(
        code == Some(0) && text.ends_with("holds no rule: it does nothing unless another file imports it\n0 rules without fault, 1 warning.\n"),
        "{text}"
    );
    // The configuration's own folder of rules, and a module named alone, as by `rules/*.rhai`.
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_stammgast")).args(arguments).current_dir(folder.path()).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    std::fs::create_dir(at("templates")).unwrap();
    let nothing = "rules warning: holds no rule, so nothing will run: is this what [rules] path should name?";
    assert_eq!(run(&["check"]), (Some(0), format!("{nothing}\n0 rules without fault, 1 warning.\n")));
    let (code, text) = run(&["test", "rules"]);
    assert!(code == Some(1) && text.contains(&format!("rules {wrong}")) && !text.contains("all well"), "{text}");
    assert_eq!(run(&["test", "rules/shared.rhai"]).0, Some(0));
}

#[test]
fn a_pipe_among_the_rules_is_a_fault_and_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.rhai");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let output = check(&[folder.path().to_str().unwrap()]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(told, format!("{} is no file: expected a text file, or a name that does not end with .rhai\n1 fault.\n", pipe.display()));
    let mut config = Config::from_toml("").unwrap();
    config.rules.path = folder.path().to_owned();
    let with_pipe = Fingerprint::of(&config);
    std::fs::remove_file(&pipe).unwrap();
    assert_ne!(Fingerprint::of(&config), with_pipe, "the daemon sees that it went");
}

#[test]
fn it_explains_what_the_database_is_asked_and_when_a_rule_runs() {
    let folder = tempfile::tempdir().unwrap();
    let rule = |name: &str, every: &str, condition: &str| {
        format!("rule(\"{name}\"){every}.once_per(\"ever\").basis(\"consent\").when(|c| {condition}).send(|c| email(\"t\"));\n")
    };
    let partly = rule("partly", ".every(\"0 9 29 2 *\")", "c.orders > 2 && c.first_name.len() > 3");
    let text = format!("{partly}{}", rule("all", ".every(\"@yearly\")", "{ let n = c.orders; n > 2 }"));
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
    assert!(lines[7].starts_with("  next runs ") && lines[8..] == ["2 rules, all well."], "{told}");
    let output = check(&[folder.path().to_str().unwrap(), "--explain", "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&found["rules"][0]["reads"], &found["rules"][1]["reads"]),
        (&serde_json::json!("COALESCE(s.orders, 0) > 2"), &serde_json::Value::Null)
    );
}

/// What the check says of a file, in text and as JSON, and how it ends.
fn told(text: &str) -> (String, serde_json::Value, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("my.rhai"), text).unwrap();
    let run =
        |arguments: &[&str]| Command::new(env!("CARGO_BIN_EXE_stammgast")).arg("check").args(arguments).current_dir(folder.path()).output().unwrap();
    let (plain, json) = (run(&["my.rhai"]), run(&["my.rhai", "--json"]));
    assert_eq!(plain.status, json.status);
    (String::from_utf8(plain.stdout).unwrap(), serde_json::from_slice(&json.stdout).unwrap(), plain.status.code())
}

#[test]
fn all_faults_of_a_file_are_underlined_at_once() {
    let (text, json, code) = told(
        r#"const MIN = "60";
rule("Win Back")
    .every("0 25 * * *")
    .bais("consent")
    .when(|c| c.recency_day > 60 && c.abc == 5 && c.revenue > MIN && c.abc in ["A", 7] && ordrs > 2)
    .cooldown(hours(36))
    .variant("A", 0, |c| email("t"));
"#,
    );
    assert_eq!(code, Some(1));
    insta::assert_snapshot!("faults", text);
    assert!(json["faults"].as_array().unwrap().iter().all(|fault| fault["severity"] == "error"), "{json}");
}

#[test]
fn warnings_are_underlined_and_no_fault() {
    let (text, json, code) = told(
        r#"rule("a").basis("consent").when(|c| c.r > 5).send(|c| email("t"));
rule("b")
    .every("0 9 * * *")
    .basis("consent")
    .when(|c| c.orders > 5 && c.orders < 3 && (c.abc == "D" || c.tags.contains("vip")))
    .cooldown(days(14))
    .variant("A", 1, |c| email("t"))
    .variant("B", 2, |c| email("t"))
    .goal("order", days(30));
rule("c")
    .every("0 9 * * *")
    .basis("consent")
    .when(|c| c.orders > 5 && c.orders > 3 && c.f >= 1 && !(c.age >= 18 && c.age < 18))
    .once_per("week")
    .send(|c| email("t"))
    .goal("order", days(14));
rule("d").every("0 9 * * *").basis("consent").when(|c| true).once_per("ever").send(|c| email("t"));
rule("f").every("0 9 * * *").basis("consent").when(|c| c.emails_of("ee", days(30)) == 0 && c.emails_of("e", days(3)) == 0).once_per("ever").send(|c| email("t"));
rule("e").every("0 9 * * *").basis("consent").when(|c| c.orders >= 0 || c.locale == "fr").once_per("ever").send(|c| email("t"));
"#,
    );
    assert_eq!(code, Some(0));
    insta::assert_snapshot!("warnings", text);
    assert!(json["faults"].as_array().unwrap().iter().all(|fault| fault["severity"] == "warning"), "{json}");
}

#[test]
fn who_says_it_is_not_warned() {
    let rule =
        r#"rule("r").every("@daily").basis("consent").when(|c| c.r >= 2).once_per("ever").send(|c| email("t")).control(0).goal("order", days(30));"#;
    assert_eq!(told(rule).0, "1 rule, all well.\n");
}

#[test]
fn a_long_line_is_shown_around_its_fault() {
    let clauses: Vec<String> = (1..60).map(|number| format!("c.orders != {number}")).collect();
    let (text, ..) = told(&format!(r#"rule("r").basis("consent").send(|c| email("t")).when(|c| {} && c.ordrs > 2);"#, clauses.join(" && ")));
    let lines: Vec<&str> = text.lines().collect();
    let at = lines[2].find('^').unwrap();
    assert!(lines[1].len() < 180 && lines[1][at..].starts_with("ordrs") && lines[2].ends_with(" ^^^^^"), "{text}");
}

#[test]
fn what_an_action_gives_its_template_and_what_that_prints_are_compared() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["rules", "templates/letter", "templates/_shared"] {
        std::fs::create_dir_all(at(name)).unwrap();
    }
    std::fs::write(at("templates/_shared/foot.txt"), "{{ shop.imprint }} {{ unsubscribe_url }} {{ sign }}").unwrap();
    let letter = r#"Subject: {{ title }}

{{ customer.name }} {% if note is defined %}{{ note }}{% endif %}{{ range(3) | join }}
{% include "_shared/foot.txt" %}
"#;
    std::fs::write(at("templates/letter/en.txt"), letter).unwrap();
    std::fs::write(at("templates/letter/sample.json"), r#"{ "title": "T", "sign": "S", "note": "N" }"#).unwrap();
    let rule = |name: &str, gives: &str| {
        let verbs = r#".every("@daily").basis("consent").when(|c| c.orders > 1).once_per("ever")"#;
        format!("rule(\"{name}\"){verbs}\n.send(|c| email(\"letter\"{gives}));\n")
    };
    let check = |text: &str| {
        std::fs::write(at("rules/my.rhai"), text).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_stammgast")).arg("check").current_dir(folder.path()).output().unwrap();
        (String::from_utf8(output.stdout).unwrap(), output.status.code())
    };
    let (text, code) = check(&format!("{}{}", rule("a", ""), rule("b", r#", #{ title: "x", nte: 5 }"#)));
    assert_eq!(code, Some(1));
    insta::assert_snapshot!("variables_that_are_missing", text);
    // A map that is made elsewhere is not told by the text.
    let told = rule("made", ", #{ title: 1, sign: 2 } + #{ more: 3 }");
    let well = format!("{}{told}", rule("all", r#", #{ title: "x", sign: "y", note: 1 }"#));
    assert_eq!(check(&well), ("2 rules, all well.\n".to_owned(), Some(0)));
    // A text where a voucher is printed: it fails for everybody, but only when the mails are made.
    std::fs::write(at("templates/letter/en.txt"), format!("{letter}{{{{ voucher.code }}}}")).unwrap();
    let (text, code) = check(&rule("gift", r#", #{ title: "x", sign: "y", voucher: "WB10" }"#));
    assert_eq!(code, Some(0));
    insta::assert_snapshot!("a_mail_that_cannot_be_made", text);
    std::fs::write(at("templates/letter/en.txt"), letter).unwrap();
    let (text, code) = check(&rule("more", r#", #{ title: "x", sign: "y", shop: 1, voucher: voucher("A", percent(5), days(5)) }"#));
    assert_eq!(code, Some(0));
    insta::assert_snapshot!("variables_that_are_not_printed", text);
}

#[test]
fn a_window_that_is_longer_than_the_moves_are_kept_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let rule = |name: &str, days: u32| {
        format!(
            "rule(\"{name}\").every(\"@daily\").once_per(\"ever\").basis(\"consent\")
                .when(|c| c.abc == \"B\" && c.abc_was(days({days})) == \"A\").send(|c| email(\"t\"));\n"
        )
    };
    std::fs::write(folder.path().join("moves.rhai"), format!("{}{}", rule("kept", 800), rule("forgotten", 801))).unwrap();
    let output = check(&[folder.path().to_str().unwrap(), "--json"]);
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let faults = found["faults"].as_array().unwrap();
    assert_eq!((faults.len(), &faults[0]["line"], &faults[0]["severity"]), (1, &serde_json::json!(4), &serde_json::json!("warning")));
    assert_eq!(
        faults[0]["message"],
        "'abc_was(days(801))' is missing for everybody: moves between classes are kept for 800 days ([score] history_days)"
    );
}
