//! Hostile scripts: each ends with a named fault, none aborts the process, eats its memory or runs on.
//!
//! A script that would abort the process would take the tests with it, so they run in children: this test binary itself, with the script's name in an
//! environment variable. Each is tried where scripts run: when a file is loaded, in a condition, in an action.

use std::process::Command;

use proptest::prelude::*;
use stammgast::rules::{ActJob, Evaluation, RuleSet};

use super::example::{load, regular, today, with_action, with_condition};
use super::hostile::{ANYWHERE, FILES, long_files};

/// Tells the child which script to run.
const VARIABLE: &str = "STAMMGAST_TEST_HOSTILE_SCRIPT";
/// A set that compares with `!=` somewhere runs with other operators.
const SLOW: &str = "\n// !=";
/// What a script may add to the memory of the process, in KiB: what the fuse allows, and the work of one step.
const MOST_KIB: u64 = 80 * 1024;

/// Name, and the texts of the files to load.
fn attacks() -> Vec<(String, Vec<String>)> {
    let everywhere = |body: &str| {
        let (condition, action) = (format!("|c| {{ {body}; true }}"), format!("|c| {{ {body}; email(\"t\") }}"));
        vec![body.to_owned(), with_condition(&condition), with_action(&action)]
    };
    let anywhere = ANYWHERE.iter().map(|(name, body)| ((*name).to_owned(), everywhere(body)));
    let files = FILES.iter().map(|(name, text)| ((*name).to_owned(), vec![(*text).to_owned()]));
    let long = long_files().into_iter().map(|(name, text)| (name, vec![text]));
    anywhere.chain(files).chain(long).collect()
}

/// What a file ends with: the first fault, or what condition and action say.
fn end(text: &str) -> String {
    let set = match load(text) {
        Err(faults) => return format!("refused: {}", faults[0]),
        Ok(set) => set,
    };
    let Some(rule) = set.rules().first() else { return "no rule".to_owned() };
    if let Evaluation::Failed(sentence) = rule.evaluate(&[regular()], today()).remove(0) {
        return format!("failed: {sentence}");
    }
    let facts = regular();
    match rule.act(&[ActJob { facts: &facts, variant: "A", code_seed: [1; 32] }], today()).remove(0) {
        Err(sentence) => format!("failed: {sentence}"),
        Ok(_) => "went through".to_owned(),
    }
}

/// A figure of this process in KiB: `VmRSS:` is its memory now, `VmHWM:` the most that it had since the last [`forget_peak`].
fn memory(word: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(word)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

fn forget_peak() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// Not a test of its own: what the child runs. Without the variable there is nothing to do.
#[test]
#[expect(clippy::disallowed_methods, reason = "the parent names the script through the environment")]
fn hostile_child() {
    let Ok(wanted) = std::env::var(VARIABLE) else { return };
    let (wanted, slow) = wanted.strip_suffix(SLOW).map_or((wanted.as_str(), false), |wanted| (wanted, true));
    let good = load(&with_condition("|c| c.orders > 1")).unwrap();
    for text in attacks().iter().filter(|(name, _)| name == wanted).flat_map(|(_, texts)| texts) {
        forget_peak();
        let before = memory("VmRSS:");
        println!("END {}", end(&format!("{text}{}", if slow { SLOW } else { "" })));
        println!("GREW {}", memory("VmHWM:") - before);
    }
    // The others go on.
    assert!(matches!(good.rules()[0].interpret(&[regular()], today())[0], Evaluation::Match { .. }));
}

/// What a script ends with, a line for each place where it runs, with either kind of operators.
fn run(name: &str) -> String {
    let (mut ends, slow) = (run_child(name, ""), run_child(name, SLOW));
    if slow != ends {
        ends.extend(slow);
    }
    format!("{name}\n    {}", ends.join("\n    "))
}

/// Runs a child; what it says.
fn run_child(name: &str, operators: &str) -> Vec<String> {
    // With 1 GiB of address space; the program alone takes a quarter of it.
    let mut child = Command::new("sh");
    child.args(["-c", "ulimit -v 1048576 && exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
    child
        .args(["--exact", "rules::sandbox::hostile_child", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, format!("{name}{operators}"))
        .env("RUST_BACKTRACE", "0");
    let output = child.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name}: {}\n{text}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    let all = |word: &'static str| text.lines().filter_map(move |line| line.split_once(word).map(|(_, rest)| rest));
    for grew in all("GREW ") {
        assert!(grew.parse::<u64>().unwrap() < MOST_KIB, "{name}: {grew} KiB");
    }
    let ends = all("END ").map(|end| {
        assert!(end.starts_with("refused: ") || end.starts_with("failed: "), "{name}: {end}");
        // Which limit is met first, and where, is a matter of how fast the machine is.
        let (how, _) = end.split_once(": ").unwrap();
        // A value of 900 lists in each other takes about as long to say as a script may.
        let limit = ["the script takes too ", "becomes too large", "[[[[[[[["].iter().any(|limit| end.contains(limit));
        if limit { format!("{how}: a limit (steps, time, memory or size)") } else { end.to_owned() }
    });
    let mut ends: Vec<String> = ends.collect();
    ends.dedup();
    ends
}

#[test]
fn every_hostile_script_ends_with_a_named_fault_wherever_it_runs_and_the_process_lives_on() {
    let names: Vec<String> = attacks().into_iter().map(|(name, _)| name).collect();
    let told: Vec<String> = std::thread::scope(|scope| {
        let workers: Vec<_> =
            names.chunks(names.len().div_ceil(4)).map(|names| scope.spawn(|| names.iter().map(|name| run(name)).collect::<Vec<_>>())).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    insta::assert_snapshot!("hostile", told.join("\n"));
}

#[test]
fn modules_that_import_each_other_in_a_circle_or_from_elsewhere_are_refused() {
    let rule = "rule(\"r\").basis(\"consent\").when(|c| true).send(|c| email(\"t\"));";
    let sources =
        [("a.rhai", format!("import \"b\" as b;\n{rule}")), ("b.rhai", "import \"c\" as c;".to_owned()), ("c.rhai", "import \"b\" as b;".to_owned())];
    let load = |sources: &[(&str, String)]| {
        let faults = RuleSet::from_sources(sources.iter().map(|(name, text)| ((*name).to_owned(), text.clone())).collect()).unwrap_err();
        faults[0].to_string()
    };
    assert!(load(&sources).contains("imports itself"), "{}", load(&sources));
    for path in ["../rules", "/etc/passwd", "a/../b", "b.rhai", "", "b\\0"] {
        let said = load(&[("a.rhai", format!("import \"{path}\" as b;"))]);
        assert!(said.contains("there is no module") || said.contains("escape"), "{path}: {said}");
    }
}

#[test]
fn a_hostile_name_is_told_without_its_control_characters() {
    let faults = load("throw \"a\\n\\u001b[2Jb\";").unwrap_err();
    assert_eq!(faults, ["test.rhai:1:1 a  [2Jb"]);
    let faults = load("let t = \"x\"; t.pad(16000, \"x\"); throw t;").unwrap_err();
    assert!(faults[0].chars().count() < 350, "{faults:?}");
}

#[test]
fn a_hundred_thousand_faults_are_not_all_told() {
    for text in ["abcdefg(1);".repeat(20_000), "for i in 0..10000 { rule(5); }".to_owned()] {
        let faults = load(&text).unwrap_err();
        assert!((1..=400).contains(&faults.len()), "{}", faults.len());
    }
}

#[test]
fn a_long_file_is_refused_before_it_is_compiled() {
    let faults = load(&"x".repeat(256 * 1024 + 1)).unwrap_err();
    assert_eq!(faults, ["test.rhai is longer than 256 KiB: expected a smaller file"]);
}

#[test]
fn one_customer_who_costs_too_much_does_not_stop_the_others() {
    let mut endless = regular();
    endless.customer.tags = vec!["endless".to_owned()];
    let set = load(&with_condition("|c| { if c.tags.contains(\"endless\") { loop {} } true }")).unwrap();
    let answers = set.rules()[0].evaluate(&[regular(), endless, regular()], today());
    assert!(matches!(answers[0], Evaluation::Match { .. }) && matches!(answers[2], Evaluation::Match { .. }));
    assert!(matches!(&answers[1], Evaluation::Failed(sentence) if sentence.contains("too many steps")), "{answers:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_text_breaks_the_loader(words in proptest::collection::vec(proptest::sample::select(WORDS), 0..40)) {
        let faults = load(&words.join(" ")).map_or_else(|faults| faults.join("\n"), |_| String::new());
        prop_assert!(!faults.contains("broke"), "{faults}");
    }
}

/// What random scripts are made of.
const WORDS: &[&str] = &[
    "rule(\"r\")",
    ".when(|c|",
    ".basis(\"consent\")",
    ".send(|c|",
    ".every(",
    "email(\"t\")",
    "c.orders",
    "c.tags",
    "c",
    "x",
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    "#{",
    "a:",
    "|",
    "||",
    "&&",
    ">",
    "==",
    "=",
    "+=",
    "+",
    "-",
    "!",
    "..",
    "..=",
    "?.",
    "??",
    "1",
    "19.98",
    "\"t\"",
    "`${",
    "}`",
    "'c'",
    "let x =",
    "const",
    "fn f(x)",
    "if",
    "else",
    "loop",
    "while",
    "for i in",
    "switch",
    "=>",
    "_",
    "return",
    "throw",
    "try",
    "catch",
    "import \"x\" as y;",
    "export",
    "global::",
    "Fn(\"f\")",
    ".call(",
    ".map(",
    ";",
    ";",
    ";",
    ",",
    ",",
    "()",
    "in",
    "this",
    "\"",
    "/*",
    "//",
    "ä",
];

#[test]
fn an_expression_that_runs_wild_for_one_customer_ends_and_the_next_ones_are_asked_as_ever() {
    let mut wild = regular();
    wild.customer.external_id = "wild".to_owned();
    for (body, end) in [
        ("loop {}", "the script takes too many steps"),
        ("let text = \"ab\"; loop { text += text; }", "a text or list becomes too large"),
        ("deep();", "functions call each other too deeply"),
    ] {
        let condition = with_condition(&format!("|c| c.orders > 0 && ({{ if c.id == \"wild\" {{ {body} }} c.orders in 1..=9 }})"));
        let set = load(&format!("fn deep() {{ deep() }}\n{condition}")).unwrap();
        let answers = set.rules()[0].interpret(&[regular(), wild.clone(), regular(), wild.clone(), regular()], today());
        for (place, answer) in answers.iter().enumerate() {
            match answer {
                Evaluation::Failed(sentence) => assert!(place % 2 == 1 && sentence.contains(end), "{body}: {sentence}"),
                answer => assert!(place % 2 == 0 && matches!(answer, Evaluation::Match { .. }), "{body}: {answer:?}"),
            }
        }
    }
}
