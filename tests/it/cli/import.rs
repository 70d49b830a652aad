//! `stammgast import` as a person or a script calls it.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use stammgast::base::id::Id;
use stammgast::model::facts::Needs;
use stammgast::store::facts;

use crate::common::databases::{TestDb, sqlite};
use crate::store::{number, texts};

const CUSTOMERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/cdnow/customers.csv");
const TRANSACTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/cdnow/transactions.csv");

fn command(db: &TestDb, folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
    command.arg("import").args(arguments).current_dir(folder).env("STAMMGAST__DATABASE__URL", &db.url).stdin(Stdio::null());
    command
}

fn import(db: &TestDb, folder: &Path, arguments: &[&str]) -> Output {
    command(db, folder, arguments).output().unwrap()
}

fn text(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// `[inserted, updated, unchanged, rejected]` and the exit code.
fn counts(output: &Output) -> ([u64; 4], i32) {
    let (out, err) = text(output);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap_or_else(|_| panic!("no JSON: {out}{err}"));
    assert_eq!(json.as_object().unwrap().len(), 4);
    (["inserted", "updated", "unchanged", "rejected"].map(|key| json[key].as_u64().unwrap()), output.status.code().unwrap())
}

/// Everything an import says, without our own ids and dates.
async fn dump(db: &TestDb) -> Vec<String> {
    let query = "SELECT o.external_id || '|' || c.external_id || '|' || CAST(o.ordered_at AS TEXT) || '|' || CAST(o.revenue_cents AS TEXT)
                 || '|' || CAST((SELECT COALESCE(SUM(l.quantity), 0) FROM order_lines l WHERE l.order_id = o.id) AS TEXT)
                 FROM orders o JOIN customers c ON c.id = o.customer_id ORDER BY o.external_id";
    texts(&db.db, query).await
}

on_both!(cdnow_needs_no_mapping_and_a_second_import_changes_nothing, |db| {
    let folder = tempfile::tempdir().unwrap();
    let first = import(db, folder.path(), &["customers", CUSTOMERS, "--json"]);
    assert_eq!(String::from_utf8_lossy(&first.stdout), "{\"inserted\":2357,\"updated\":0,\"unchanged\":0,\"rejected\":0}\n");
    assert_eq!(counts(&import(db, folder.path(), &["orders", TRANSACTIONS, "--json"])), ([6_919, 0, 0, 0], 0));
    let before = dump(db).await;
    assert_eq!(counts(&import(db, folder.path(), &["customers", CUSTOMERS, "--json"])), ([0, 0, 2_357, 0], 0));
    assert_eq!(counts(&import(db, folder.path(), &["orders", TRANSACTIONS, "--json"])), ([0, 0, 6_919, 0], 0));
    assert_eq!(dump(db).await, before);
    assert_eq!(number(&db.db, "SELECT COUNT(DISTINCT customer_id) FROM orders").await, 2_357);
    assert_eq!(number(&db.db, "SELECT COUNT(*) FROM consents WHERE kind = 'objected'").await, 47);
    assert_eq!(number(&db.db, "SELECT COUNT(*) FROM customers").await, 2_357);
});

on_both!(an_import_that_is_killed_and_repeated_gives_the_same_data, |db| {
    let folder = tempfile::tempdir().unwrap();
    let file = std::fs::read(TRANSACTIONS).unwrap();
    let mut child = command(db, folder.path(), &["orders", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    // The rest is held back, so that it cannot end before it is killed.
    child.stdin.as_mut().unwrap().write_all(&file[..file.len() * 5 / 6]).unwrap();
    while number(&db.db, "SELECT COUNT(*) FROM orders").await == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it must not end by itself");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let part = number(&db.db, "SELECT COUNT(*) FROM orders").await;
    assert!((1..6_919).contains(&part), "{part}");
    let (sums, code) = counts(&import(db, folder.path(), &["orders", TRANSACTIONS, "--json"]));
    assert_eq!((sums[0] + sums[2], sums[1], sums[3], code), (6_919, 0, 0, 0));
    let fresh = sqlite().await;
    import(&fresh, folder.path(), &["orders", TRANSACTIONS]);
    assert_eq!(dump(db).await, dump(&fresh).await);
});

on_both!(rejected_lines_can_be_mended_in_their_file_and_imported_from_there, |db| {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("o.csv"), "Nr;Kundennummer;Bestelldatum;Betrag\n1;K1;31.12.2025;9,90\n2;K1;32.12.2025;8,00\n3;K2;1.1.2026;\"viel; sehr\"\n")
        .unwrap();
    let arguments = |file: &'static str| ["orders", file, "--json", "--map", "order_id=Nr"];
    assert_eq!(counts(&import(db, folder.path(), &arguments("o.csv"))), ([1, 0, 0, 2], 1));
    let rejected = std::fs::read_to_string(path("o.csv.rejected")).unwrap();
    let lines: Vec<&str> = rejected.lines().collect();
    assert_eq!(lines[0], "line;reason;Nr;Kundennummer;Bestelldatum;Betrag");
    assert!(
        lines[1].starts_with("3;") && lines[1].contains("ordered_at: '32.12.2025' is not a date") && lines[1].ends_with(";2;K1;32.12.2025;8,00"),
        "{rejected}"
    );
    assert!(lines[2].starts_with("4;\"revenue: ") && lines[2].ends_with(";3;K2;1.1.2026;\"viel; sehr\""), "{rejected}");

    std::fs::write(path("o.csv.rejected"), rejected.replace("32.12.2025;8", "30.12.2025;8")).unwrap();
    assert_eq!(counts(&import(db, folder.path(), &arguments("o.csv.rejected"))), ([1, 0, 0, 1], 1));
    let again = std::fs::read_to_string(path("o.csv.rejected.rejected")).unwrap();
    assert!(again.starts_with("line;reason;Nr;") && again.lines().count() == 2 && again.ends_with(";3;K2;1.1.2026;\"viel; sehr\"\n"), "{again}");
    std::fs::write(path("o.csv.rejected"), again.replace("\"viel; sehr\"", "7")).unwrap();
    assert_eq!(counts(&import(db, folder.path(), &arguments("o.csv.rejected"))), ([1, 0, 0, 0], 0));
    assert!(!path("o.csv.rejected.rejected").exists(), "the list of an import without rejected lines is removed");
    assert_eq!(texts(&db.db, "SELECT external_id FROM orders ORDER BY 1").await, ["1", "2", "3"]);
});

#[tokio::test]
async fn rejected_json_lines_stand_below_their_reason_and_can_be_imported_from_there() {
    let (db, folder) = (sqlite().await, tempfile::tempdir().unwrap());
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("c.jsonl"), "{\"customer_id\":1,\"email\":\"a@b.example\"}\n{\"customer_id\":2,\"email\":\"nobody\"}\n{\"customer_id\":3,\n")
        .unwrap();
    assert_eq!(counts(&import(&db, folder.path(), &["customers", "c.jsonl", "--json"])), ([1, 0, 0, 2], 1));
    let rejected = std::fs::read_to_string(path("c.jsonl.rejected")).unwrap();
    assert!(rejected.starts_with("# line 2: email: not an email address: expected ") && rejected.ends_with("\n{\"customer_id\":3,\n"), "{rejected}");
    std::fs::write(path("c.jsonl.rejected"), rejected.replace("nobody", "n@b.example").replace("3,", "3}")).unwrap();
    assert_eq!(counts(&import(&db, folder.path(), &["customers", "c.jsonl.rejected", "--json"])), ([2, 0, 0, 0], 0));
}

#[tokio::test]
async fn people_are_told_what_was_read_as_what() {
    let (db, folder) = (sqlite().await, tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("c.csv"), "Kd-Nr.,E-Mail,Telefon\n1,a@b.example,5\n2,nobody,6\n").unwrap();
    let (out, err) = text(&import(&db, folder.path(), &["customers", "c.csv"]));
    assert_eq!(
        out,
        "c.csv: customers: 1 inserted, 0 updated, 0 unchanged; 1 lines rejected\nColumns: customer_id ← Kd-Nr., email ← E-Mail\nNot used: Telefon\n\
         The rejected lines stand in c.csv.rejected with their reasons: mend them there and import that file.\n"
    );
    assert_eq!(err, "", "no progress bar without a terminal");
}

#[tokio::test]
async fn a_file_that_cannot_be_understood_changes_nothing_and_says_what_to_do() {
    let (db, folder) = (sqlite().await, tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("c.csv"), "Nr,Post\n1,a@b.example\n").unwrap();
    std::fs::write(folder.path().join("o.csv"), "customer_id,date,amount\n1,04/05/2025,5\n").unwrap();
    for (arguments, sentence) in [
        (vec!["customers", "c.csv"], "error: c.csv: no column is known as customer_id or email; say which it is, e.g. --map customer_id=COLUMN"),
        (vec!["customers", "missing.csv"], "error: missing.csv: "),
        (vec!["orders", "o.csv"], "error: o.csv: dates such as '04/05/2025' can be read in two ways: say --date-order dmy"),
    ] {
        let output = import(&db, folder.path(), &arguments);
        let (out, err) = text(&output);
        assert!(err.starts_with(sentence) && out.is_empty() && output.status.code() == Some(1), "{arguments:?}: {err}");
    }
    for arguments in [vec!["customers", "c.csv", "--map", "email"], vec!["customers", "c.csv", "--source", "a:b"], vec!["shoes", "c.csv"]] {
        assert_eq!(import(&db, folder.path(), &arguments).status.code(), Some(2), "{arguments:?}");
    }
    assert_eq!(number(&db.db, "SELECT COUNT(*) FROM customers").await, 0);
    assert_eq!(counts(&import(&db, folder.path(), &["customers", "c.csv", "--map", "email=Post", "--json"])), ([1, 0, 0, 0], 0));
    assert_eq!(counts(&import(&db, folder.path(), &["orders", "o.csv", "--date-order", "mdy", "--json"])), ([1, 0, 0, 0], 0));
    assert_eq!(number(&db.db, "SELECT ordered_at FROM orders").await, 1_743_804_000_000);
}

#[tokio::test]
async fn the_configuration_names_columns_and_a_source_keeps_numbers_apart() {
    let (db, folder) = (sqlite().await, tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("c.csv"), "Nr,Post,consent\n1,a@b.example,yes\n").unwrap();
    std::fs::write(folder.path().join("s.toml"), "[import]\ncustomers = { customer_id = \"Nr\", email = \"Post\" }\n").unwrap();
    assert_eq!(counts(&import(&db, folder.path(), &["customers", "c.csv", "--json", "--config", "s.toml"])), ([1, 0, 0, 0], 0));
    let with_source = ["customers", "c.csv", "--json", "--config", "s.toml", "--source", "kasse"];
    assert_eq!(counts(&import(&db, folder.path(), &with_source)), ([1, 0, 0, 0], 0));
    assert_eq!(texts(&db.db, "SELECT external_id FROM customers ORDER BY 1").await, ["1", "kasse:1"]);
    assert_eq!(texts(&db.db, "SELECT source FROM consents ORDER BY 1").await, ["import", "kasse"]);
}

on_both!(a_row_that_replaces_an_earlier_one_of_the_same_file_is_counted_as_an_update, |db| {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("o.csv", "order_id,customer_id,date,amount\nA,1,2025-01-01,5\nB,1,2025-01-02,6\nA,1,2025-01-01,7\nB,1,2025-01-02,6\n");
    assert_eq!(counts(&import(db, folder.path(), &["orders", "o.csv", "--json"])), ([2, 1, 1, 0], 0));
    assert_eq!(texts(&db.db, "SELECT CAST(revenue_cents AS TEXT) FROM orders ORDER BY external_id").await, ["700", "600"], "the last one counts");
    assert_eq!(counts(&import(db, folder.path(), &["orders", "o.csv", "--json"])), ([0, 2, 2, 0], 0), "row by row, wherever a batch ends");
    assert_eq!(texts(&db.db, "SELECT CAST(revenue_cents AS TEXT) FROM orders ORDER BY external_id").await, ["700", "600"]);
    write("c.csv", "customer_id,first_name\n1,Eva\n2,Uwe\n1,Ewa\n2,Uwe\n");
    assert_eq!(counts(&import(db, folder.path(), &["customers", "c.csv", "--json"])), ([1, 2, 1, 0], 0));
    assert_eq!(texts(&db.db, "SELECT first_name FROM customers ORDER BY external_id").await, ["Ewa", "Uwe"]);
});

#[tokio::test]
async fn a_file_with_the_line_ends_of_a_macintosh_is_read_like_any_other_and_addresses_are_no_columns() {
    let (db, folder) = (sqlite().await, tempfile::tempdir().unwrap());
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("c.csv", "customer_id;email;note\r1;eva@shop.example;\"two\nlines\"\r2;nobody;\r3;uwe@shop.example;x\r");
    let output = import(&db, folder.path(), &["customers", "c.csv"]);
    let (out, err) = text(&output);
    assert!(out.starts_with("c.csv: customers: 2 inserted, 0 updated, 0 unchanged; 1 lines rejected\n"), "{out}{err}");
    assert!(out.contains("\nNot used: note\n") && output.status.code() == Some(1), "{out}");
    assert!(std::fs::read_to_string(folder.path().join("c.csv.rejected")).unwrap().contains("\n4;email: not an email address"), "lines count, too");
    write("mixed.csv", "customer_id;email\r1;eva@shop.example\r2;uwe@shop.example\r\n");
    let (out, err) = text(&import(&db, folder.path(), &["customers", "mixed.csv"]));
    assert_eq!(
        (out.as_str(), err.as_str()),
        ("", "error: mixed.csv: the first line holds line ends of another kind (CR) than the one it ends with: expected one kind\n")
    );
}

#[tokio::test]
async fn what_is_no_text_is_told_as_such_and_no_byte_of_a_file_steers_the_terminal() {
    let (db, folder) = (sqlite().await, tempfile::tempdir().unwrap());
    for (file, bytes, sentence) in [
        ("c.csv.gz", &b"\x1f\x8b\x08\x00\x1b]0;x\x07"[..], "the file is no text but compressed with gzip: zcat FILE"),
        ("c.xlsx", b"PK\x03\x04\x14\x00\x06\x00\x1b[2J", "the file is no text but a ZIP archive or a workbook (.xlsx, .ods)"),
        ("c.csv", b"\x1b[2Jname;\x9b31mpost\n1;2\n", "no column is known as customer_id or email"),
        ("c.jsonl", b"{\"\\u001b[2Jname\":1}\n", "no column is known as customer_id or email"),
    ] {
        std::fs::write(folder.path().join(file), bytes).unwrap();
        let output = import(&db, folder.path(), &["customers", file]);
        let (out, err) = text(&output);
        assert!(err.starts_with(&format!("error: {file}: {sentence}")) && output.status.code() == Some(1), "{err}");
        assert!(!(out + err.trim_end()).contains(char::is_control), "{err:?}");
    }
}

#[tokio::test]
async fn a_first_json_line_that_is_too_long_is_rejected_and_the_rest_goes_in() {
    let (db, folder) = (sqlite().await, tempfile::tempdir().unwrap());
    let line = |id: u32, length: usize| format!("{{\"customer_id\":{id},\"first_name\":\"Eva\",\"note\":\"{}\"}}\n", "x".repeat(length));
    std::fs::write(folder.path().join("c.jsonl"), [line(1, 1 << 20), line(2, 100_000), line(3, 1)].concat()).unwrap();
    assert_eq!(counts(&import(&db, folder.path(), &["customers", "c.jsonl", "--json"])), ([2, 0, 0, 1], 1));
    let rejected = std::fs::read_to_string(folder.path().join("c.jsonl.rejected")).unwrap();
    assert!(rejected.starts_with("# line 1: the line is longer than 1 MiB\n"), "{}", &rejected[..200]);
    std::fs::write(folder.path().join("bad.jsonl"), "{customer_id: 1}\n").unwrap();
    let (_, err) = text(&import(&db, folder.path(), &["customers", "bad.jsonl"]));
    assert!(err.starts_with("error: bad.jsonl: no line at the file's beginning can be read as JSON; line 1: not JSON: "), "{err}");
    std::fs::write(folder.path().join("none.csv"), "customer_id,email\n1,nobody\n").unwrap();
    let output = import(&db, folder.path(), &["customers", "none.csv"]);
    assert!(text(&output).0.contains("\nNothing was imported.\n") && output.status.code() == Some(1));
    std::fs::write(folder.path().join("none.csv"), "customer_id,email\n").unwrap();
    let output = import(&db, folder.path(), &["customers", "none.csv"]);
    assert!(text(&output).0.contains("\nThe file has no rows.\n") && output.status.code() == Some(0), "a night without news is no fault");
}

on_both!(own_attributes_are_declared_imported_read_by_rules_and_kept, |db| {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("shop.toml", "[attributes]\ncity = \"text\"\npoints = \"number\"\n");
    write("customers.csv", "customer_id,email,city,points\n1,eva@shop.example,Bonn,120\n2,uwe@shop.example,Ulm,90\n3,ida@shop.example,,500\n");
    write("more.csv", "customer_id,points\n1,130\n2,\n");
    let config = ["--config", "shop.toml"];
    assert_eq!(counts(&import(db, folder.path(), &[&["customers", "customers.csv", "--json"][..], &config].concat())), ([3, 0, 0, 0], 0));
    assert_eq!(counts(&import(db, folder.path(), &[&["customers", "customers.csv", "--json"][..], &config].concat())), ([0, 0, 3, 0], 0));
    assert_eq!(counts(&import(db, folder.path(), &[&["customers", "more.csv", "--json"][..], &config].concat())), ([0, 2, 0, 0], 0));
    let stored = texts(&db.db, "SELECT external_id || ' ' || attributes FROM customers ORDER BY external_id").await;
    assert_eq!(stored, [r#"1 {"city":"Bonn","points":130}"#, r#"2 {"city":"Ulm"}"#, r#"3 {"points":500}"#]);
    std::fs::create_dir_all(folder.path().join("rules")).unwrap();
    std::fs::create_dir_all(folder.path().join("templates/hello")).unwrap();
    let rule = |condition: &str| {
        write(
            "rules/r.rhai",
            &format!("rule(\"r\").basis(\"contract\").when(|c| {condition}).send(|c| email(\"hello\", #{{ city: c.attr(\"city\") }}));\n"),
        );
        let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
        command.args(["plan", "r", "--json"]).args(config).current_dir(folder.path()).env("STAMMGAST__DATABASE__URL", &db.url);
        let (out, err) = text(&command.output().unwrap());
        let people = serde_json::from_str::<serde_json::Value>(&out).map(|plan| plan["people"].as_array().unwrap().clone()).unwrap_or_default();
        format!("{}{}", people.iter().map(|person| person["customer"].as_str().unwrap()).collect::<Vec<_>>().join(" "), err)
    };
    write("templates/hello/en.txt", "Subject: Hello\n\nGreetings. {{ shop.imprint }} {{ unsubscribe_url }}\n");
    assert_eq!(rule("c.attr(\"points\") >= 130"), "1 3");
    assert_eq!(rule("c.attr(\"city\") == \"Ulm\" || c.attr(\"points\") > 499.5"), "2 3");
    assert_eq!(rule("c.attr(\"city\") != \"Ulm\""), "1", "whoever has no city is left out");
    let fault = rule("c.attr(\"citty\") == \"Ulm\"");
    assert!(fault.contains("rules/r.rhai:1:40 [attributes] of the configuration declares no 'citty': expected one of city, points"), "{fault}");
});

on_both!(signs_that_part_the_values_of_a_page_come_into_no_customer, |db| {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("stammgast.toml"), "[attributes]\ncity = \"text\"\n").unwrap();
    let odd = |text: &str| format!("{text}\\u001e2\\u001f\\u0000{text}");
    let line = |id: &str| {
        format!(
            "{{\"id\": \"{}\", \"email\": \"{id}@kunde.example\", \"first_name\": \"{}\", \"last_name\": \"{}\", \"tags\": [\"{}\"], \"city\": \"{}\"}}\n",
            odd(id),
            odd("Erika"),
            odd("Muster"),
            odd("vip"),
            odd("Bonn")
        )
    };
    std::fs::write(folder.path().join("c.jsonl"), [line("a"), line("b")].concat()).unwrap();
    let (imported, _) = counts(&import(db, folder.path(), &["customers", "c.jsonl", "--config", "stammgast.toml", "--json"]));
    assert_eq!(imported, [2, 0, 0, 0]);
    let mut tx = db.db.read().await.unwrap();
    let people = facts::page(&mut tx, Id(0), 10, Needs::ALL, None).await.unwrap();
    assert_eq!(people.len(), 2);
    for facts in people {
        assert!(facts.customer.first_name.as_deref().is_some_and(|name| name.starts_with("Erika") && !name.contains(char::is_control)), "{facts:?}");
        assert_eq!((facts.customer.tags.len(), facts.customer.attributes.len()), (1, 1), "{facts:?}");
    }
});

on_both!(spam_reports_are_imported_and_the_report_counts_them_by_variant, |db| {
    let folder = tempfile::tempdir().unwrap();
    let rule = "rule(\"hello\").basis(\"consent\").when(|c| c.id != \"\").control(0)\n    .variant(\"A\", 1, |c| email(\"win-back-plain\")).variant(\"B\", 1, |c| email(\"win-back-plain\"));";
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    std::fs::write(folder.path().join("rules/hello.rhai"), rule).unwrap();
    let settings = "[shop]\nname = \"S\"\nimprint = \"Ulm\"\nlocale = \"en\"\n[policy]\nquiet_from = \"00:00\"\nquiet_until = \"00:00\"\n[guards]\nhold_percent = 0\n[mail]\nfrom = \"Laden <post@shop.example>\"\n";
    std::fs::write(folder.path().join("stammgast.toml"), settings).unwrap();
    let people: Vec<String> = (1..=20).map(|id| format!("{id},p{id}@kunde.example,double_opt_in,2024-01-01")).collect();
    std::fs::write(folder.path().join("c.csv"), format!("customer_id,email,consent,consent_at\n{}\n", people.join("\n"))).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
        command.args(arguments).args(["--config", "stammgast.toml"]).current_dir(folder.path()).env("STAMMGAST__DATABASE__URL", &db.url);
        let output = command.env("STAMMGAST__TEMPLATES__PATH", concat!(env!("CARGO_MANIFEST_DIR"), "/templates")).output().unwrap();
        (text(&output).0, output.status.code().unwrap(), text(&output).1)
    };
    assert_eq!(run(&["import", "customers", "c.csv"]).1, 0);
    let sent = run(&["run", "hello"]);
    assert_eq!(sent.1, 0, "{sent:?}");
    let of_b = "SELECT c.external_id FROM decisions d JOIN customers c ON c.id = d.customer_id WHERE d.variant = 'B' ORDER BY c.id LIMIT 2";
    let b = texts(&db.db, of_b).await;
    let of_first = format!("SELECT m.id FROM messages m JOIN customers c ON c.id = m.customer_id WHERE c.external_id = '{}'", b[0]);
    let message = number(&db.db, &of_first).await;
    let at = "2100-01-01T00:00:00Z";
    let lines = format!(
        "Recipient,Arrival-Date,Message-ID\np{}@kunde.example,{at},<{message}@localhost>\np{}@kunde.example,soon,\nnobody,{at},\n",
        b[0], b[1]
    );
    std::fs::write(folder.path().join("spam.csv"), lines).unwrap();
    let (out, code, _) = run(&["import", "events", "spam.csv", "--kind", "complaint"]);
    assert_eq!(code, 1, "two lines cannot be read: {out}");
    assert!(out.contains("1 inserted, 0 updated, 0 unchanged; 2 lines rejected"), "{out}");
    assert!(out.contains("Complaints: 1, each an objection from then on; 1 counted for the message that they are about"), "{out}");
    let (out, _, _) = run(&["import", "events", "spam.csv", "--kind", "complaint", "--json"]);
    assert_eq!(out, "{\"inserted\":0,\"updated\":0,\"unchanged\":1,\"rejected\":2,\"complaints\":0,\"attributed\":0}\n");
    let (out, code, _) = run(&["report", "--json", "--csv", "report.csv", "--svg", "pictures"]);
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    let variants = report["rules"][0]["variants"].as_array().unwrap();
    assert_eq!((code, &variants[0]["complained"], &variants[1]["complained"]), (0, &0.into(), &1.into()));
    let csv = std::fs::read_to_string(folder.path().join("report.csv")).unwrap();
    let column = |line: &str| line.split(',').nth(8).unwrap().to_owned();
    assert_eq!(csv.lines().map(column).collect::<Vec<_>>(), ["complained", "0", "1"]);
    let svg = std::fs::read_to_string(folder.path().join("pictures/guardrails.svg")).unwrap();
    assert!(svg.contains("B – A, called it spam"), "{svg}");
    let (why, _, _) = run(&["why", &b[0], "hello"]);
    assert!(why.contains("objected"), "no more advertising: {why}");
});
