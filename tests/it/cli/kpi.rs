//! `stammgast kpi`: text, JSON, CSV, and sentences for what is wrong.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};

const HOME: &str = env!("CARGO_MANIFEST_DIR");

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_stammgast")).args(arguments).current_dir(folder).env_remove("STAMMGAST_CONFIG").output().unwrap()
}

fn text(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    // The machine's own idea of the width of a table's last column is none of ours.
    String::from_utf8(output.stdout).unwrap().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// A folder with the CDNOW sample imported.
fn cdnow(settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("config")).unwrap();
    std::fs::write(folder.path().join("config/stammgast.toml"), settings).unwrap();
    text(folder.path(), &["import", "orders", &format!("{HOME}/tests/fixtures/cdnow/transactions.csv")]);
    folder
}

#[test]
fn an_owner_reads_figures_goals_and_cohorts() {
    let goal = "[goals.repeat-rate]\nkpi = \"repeat_purchase_rate\"\ntarget = \"+15 %\"\nfrom = 1997-09-30\nby = 1998-09-30";
    let folder = cdnow(&format!("[shop]\nmargin_percent = 30\n{goal}"));
    insta::assert_snapshot!("kpi", text(folder.path(), &["kpi", "--to", "1998-06-30", "--cohorts", "--drawn"]));
    let plain = text(folder.path(), &["kpi", "--to", "1998-06-30", "--cohorts"]);
    assert!(plain.contains("repeat-purchase rate") && !plain.contains(['█', '▁']) && !plain.contains("course"), "{plain}");
    let by_month = text(folder.path(), &["kpi", "--to", "1998-06-15", "--by", "month"]);
    assert!(by_month.contains("1998-06 so far") && by_month.contains("12 earlier periods: --json, --csv, or an earlier --to"), "{by_month}");
    assert_eq!(text(folder.path(), &["kpi", "--to", "1996-12-31"]).lines().next(), Some("There are no paid orders up to 1996-12-31."));
}

#[test]
fn the_json_and_the_csv_say_the_same_of_each_period() {
    let folder = cdnow("");
    let found: Value = serde_json::from_str(&text(folder.path(), &["kpi", "--to", "1998-06-15", "--csv", "kpi.csv", "--json"])).unwrap();
    assert_eq!(
        (&found["by"], &found["to"], &found["margin"], &found["margin_source"]),
        (&json!("quarter"), &json!("1998-06-15"), &json!(null), &json!("unknown"))
    );
    let mut reader = csv::Reader::from_path(folder.path().join("kpi.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let lines: Vec<csv::StringRecord> = reader.records().collect::<Result<_, _>>().unwrap();
    let periods = found["periods"].as_array().unwrap();
    assert_eq!((lines.len(), periods.len()), (6, 6));
    for (line, period) in lines.iter().zip(periods) {
        assert_eq!(header.len(), period.as_object().unwrap().len() + 3, "and the currency, and how many answered");
        for (name, cell) in header.iter().zip(line).take(22) {
            let same = match &period[name] {
                Value::String(text) => cell == text,
                Value::Null => cell.is_empty(),
                Value::Bool(flag) => cell == flag.to_string(),
                // Reading a decimal may miss its last digit.
                number => (cell.parse::<f64>().unwrap() - number.as_f64().unwrap()).abs() < 1e-9,
            };
            assert!(same, "{name} of {}: {cell}", period["period"]);
        }
    }
    assert_eq!((&periods[5]["complete"], &periods[5]["churn_rate"], &lines[5][26]), (&json!(false), &json!(null), "EUR"));
}

#[test]
fn survey_answers_are_imported_and_become_nps_and_csat() {
    let goal = "[goals.recommended]\nkpi = \"nps\"\ntarget = \"+10 points\"\nfrom = 1997-06-30\nby = 1998-12-31";
    let folder = cdnow(goal);
    let golden: Value = serde_json::from_str(include_str!("../../fixtures/kpi/nps_csat.json")).unwrap();
    let mut file = "event_id,customer_id,kind,value,at\n".to_owned();
    for (kind, case, at) in
        [("nps", &golden["nps"][5], "1997-05-01"), ("nps", &golden["nps"][5], "1998-05-01"), ("csat", &golden["csat"][1], "1998-05-02")]
    {
        for (place, answer) in (1..).zip(case["answers"].as_array().unwrap()) {
            file += &[format!("{kind}-{at}-{place}"), place.to_string(), kind.to_owned(), answer.to_string(), at.to_owned()].join(",");
            file.push('\n');
        }
    }
    file += "bad,1,nps,11,1998-05-01\n";
    std::fs::write(folder.path().join("answers.csv"), &file).unwrap();
    let import = || run(folder.path(), &["import", "events", "answers.csv", "--json"]);
    let first = import();
    assert_eq!(
        String::from_utf8_lossy(&first.stdout),
        "{\"inserted\":520,\"updated\":0,\"unchanged\":0,\"rejected\":1,\"complaints\":0,\"attributed\":0}\n"
    );
    assert_eq!(first.status.code(), Some(1));
    let rejected = std::fs::read_to_string(folder.path().join("answers.csv.rejected")).unwrap();
    assert!(rejected.contains("522,value: '11' is no answer to nps: expected a whole number from 0 to 10,bad,1,nps,11,1998-05-01"), "{rejected}");
    assert_eq!(
        String::from_utf8_lossy(&import().stdout),
        "{\"inserted\":0,\"updated\":0,\"unchanged\":520,\"rejected\":1,\"complaints\":0,\"attributed\":0}\n"
    );

    let found: Value = serde_json::from_str(&text(folder.path(), &["kpi", "--to", "1998-06-30", "--csv", "kpi.csv", "--json"])).unwrap();
    let answered =
        |of: &Value| (of["nps"]["answers"].clone(), of["nps"]["rounded"].clone(), of["csat"]["answers"].clone(), of["csat"]["satisfied"].clone());
    let periods = found["periods"].as_array().unwrap();
    assert_eq!(answered(&periods[1]), (json!(200), json!(24), Value::Null, Value::Null));
    assert_eq!(answered(&periods[2]), (Value::Null, Value::Null, Value::Null, Value::Null));
    assert_eq!(answered(&periods[5]), (json!(200), json!(24), json!(120), json!(88)));
    assert_eq!(answered(&found["whole"]), (json!(400), json!(24), json!(120), json!(88)));
    let goal = &found["goals"][0];
    assert_eq!((&goal["start"], &goal["target"], &goal["today"], &goal["unit"]), (&json!(24.0), &json!(34.0), &json!(24.0), &json!("points")));
    let csv = std::fs::read_to_string(folder.path().join("kpi.csv")).unwrap();
    assert!(csv.lines().nth(2).unwrap().ends_with(",24.0,200,,0,EUR"), "{csv}");
    let said = text(folder.path(), &["kpi", "--to", "1998-06-30"]);
    for line in
        ["NPS: 400 answers, give or take 8 points", "CSAT: 120 answers, 88 of them 4 or 5", "NPS (letzte 90 Tage): am 30.06.1997 24,0, Ziel 34,0"]
    {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(said.lines().any(|line| line.starts_with(" NPS ") && line.matches("24.0").count() == 3), "{said}");
}

#[test]
fn pictures_are_drawn_of_what_there_is() {
    let folder = cdnow("[shop]\nlocale = \"en\"");
    let said = text(folder.path(), &["kpi", "--to", "1998-06-30", "--svg", "out/pictures"]);
    assert!(said.ends_with("Drawn: out/pictures/cohorts.svg, out/pictures/pareto.svg, out/pictures/rfm.svg"), "{said}");
    let picture = |name: &str| std::fs::read_to_string(folder.path().join("out/pictures").join(name)).unwrap();
    let (cohorts, pareto, rfm) = (picture("cohorts.svg"), picture("pareto.svg"), picture("rfm.svg"));
    for svg in [&cohorts, &pareto, &rfm] {
        crate::picture::assert_well_formed(svg);
    }
    assert!(cohorts.contains(">Who comes back</text>") && cohorts.contains(">1997-02</text>") && cohorts.contains(">857</text>"), "{cohorts}");
    assert!(pareto.contains("2357 customers from 1997-01-01 to 1998-06-30: the best 20 % bring 67.5 % of the revenue."), "{pareto}");
    // As many as the golden scores (minrank) have with R and F 5.
    let golden = include_str!("../../fixtures/rfm/rfm_cdnow_1998-06-30.csv");
    let mut reader = csv::Reader::from_reader(golden.as_bytes());
    let column = |name: &str| golden.lines().next().unwrap().split(',').position(|column| column == name).unwrap();
    let (r, f) = (column("r_minrank"), column("f_minrank"));
    let best = reader.records().filter(|row| row.as_ref().is_ok_and(|row| &row[r] == "5" && &row[f] == "5")).count();
    assert!(best > 100 && rfm.contains(&format!(">{best}</text>")) && rfm.matches("<rect").count() == 26, "{best}: {rfm}");
    text(folder.path(), &["kpi", "--to", "1996-06-30", "--svg", "nothing"]);
    assert_eq!(std::fs::read_dir(folder.path().join("nothing")).unwrap().count(), 0);
    let output = run(folder.path(), &["kpi", "--svg", "config/stammgast.toml"]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("config/stammgast.toml: cannot be made"), "{output:?}");
}

#[test]
fn what_is_wrong_is_said_in_a_sentence() {
    let folder = cdnow("");
    for (arguments, code, sentence) in [
        (&["kpi", "--from", "soon"][..], 2, "invalid value 'soon' for '--from <DATE>': expected a day of the years 1970 to 2200, e.g. 2026-03-01"),
        (&["kpi", "--by", "week"], 2, "[possible values: month, quarter, year]"),
        (&["kpi", "--from", "1998-01-02", "--to", "1998-01-01"], 1, "--from 1998-01-02 is later than --to 1998-01-01"),
        (&["kpi", "--from", "2199-01-01"], 1, "--from 2199-01-01 is still to come: the last day that counts is 2"),
        (&["kpi", "--csv", "no/such/folder.csv"], 1, "no/such/folder.csv: cannot be written"),
    ] {
        let output = run(folder.path(), arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && said.contains(sentence) && output.stdout.is_empty(), "{:?}: {said}", output.status);
    }
    std::fs::write(folder.path().join("config/stammgast.toml"), "[kpi]\nyears = 0").unwrap();
    let said = String::from_utf8_lossy(&run(folder.path(), &["kpi"]).stderr).into_owned();
    assert!(said.contains("config/stammgast.toml:2 [kpi] years: 0 is out of range: expected 0.1 to 50"), "{said}");
}

#[test]
fn a_shop_with_answers_alone_and_one_with_a_single_order_are_told_what_there_is() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("e.csv"), "customer_id,kind,value,at\na,nps,9,2026-10-01\nb,csat,5,2026-11-02\n").unwrap();
    text(folder.path(), &["import", "events", "e.csv"]);
    let said = text(folder.path(), &["kpi", "--to", "2026-11-20", "--svg", "pictures"]);
    let expected = [
        "There are no paid orders up to 2026-11-20.",
        "2026Q4 so far    all",
        "NPS           100.0  100.0",
        "NPS: 1 answer; too few to speak for all customers",
        "CSAT: 1 answer, 1 of them 4 or 5; too few to speak for all customers",
        "all: 2026-10-01 to 2026-11-20",
        "There is nothing to draw yet.",
    ];
    assert!(expected.iter().all(|part| said.contains(part)), "{said}");
    assert!(!said.contains("revenue") && !said.contains("Best customers"), "{said}");
    std::fs::write(folder.path().join("o.csv"), "order_id,customer_id,date,amount\n1,a,2026-11-03,50\n").unwrap();
    text(folder.path(), &["import", "orders", "o.csv"]);
    let said = text(folder.path(), &["kpi", "--to", "2026-11-20"]);
    assert!(said.contains("Best customers by revenue\n1 of 1 customers bring 80 %"), "one percent of one customer is nobody: {said}");
}
