//! Hostile scripts: each ends with an error, none aborts the process, eats its memory or runs on.
//!
//! A script that would abort the process would take the tests with it, so they all run in a child: this test binary itself, with the
//! script's name in an environment variable.

use std::process::Command;

use proptest::prelude::*;
use stammgast::rules::Evaluation;

use super::example::{load, regular, today, with_condition};

/// Tells the child which script to run.
const VARIABLE: &str = "STAMMGAST_TEST_HOSTILE_SCRIPT";

/// Name and script; `@` in front: the script is a condition, so that it has to load and end when it is evaluated, or be refused.
const HOSTILE: &[(&str, &str)] = &[
    ("endless loop", "loop {}"),
    ("endless loop in a condition", "@|c| { loop {} }"),
    ("endless loop that catches errors", "loop { try { loop {} } catch { continue; } }"),
    ("endless recursion", "fn f(x) { f(x + 1) } f(0)"),
    ("endless recursion through a closure", "let m = #{}; fn again(m) { m.f.call(m) } m.f = |m| again(m); again(m)"),
    ("mutual recursion", "fn f() { g() } fn g() { f() } f()"),
    ("work hidden in callbacks", "fn w(d) { if d == 0 { return 0; } let a = []; a.pad(200, 0); a.map(|x| w(d - 1)); 0 } w(4)"),
    ("work hidden in a sort", "let a = []; a.pad(900, 1); loop { a.sort(|x, y| { let i = 0; while i < 100 { i += 1; } 0 }); }"),
    ("text that doubles", "let s = \"abcdefgh\"; loop { s += s; }"),
    ("text by interpolation", "let s = \"abcdefgh\"; loop { s = `${s}${s}`; }"),
    ("text by padding", "let s = \"\"; s.pad(2000000000, \"x\");"),
    ("text by replacing", "let s = \"a\"; s.pad(16000, \"a\"); s.replace(\"a\", s); s.replace(\"a\", s);"),
    ("text by replacing letters", "let s = \"a\"; s.pad(16000, \"a\"); let t = s; s.replace('a', t);"),
    ("list that grows", "let a = []; loop { a.push(1); }"),
    ("list that doubles", "let a = [1]; loop { a += a; }"),
    ("list by padding", "let a = []; a.pad(2000000000, 1);"),
    ("list of lists", "let a = [1]; loop { a = [a, a]; }"),
    ("list nested deeply", "let a = []; loop { a = [a]; }"),
    ("map of maps", "let m = #{}; loop { m = #{ a: m, b: m }; }"),
    ("map nested deeply", "let m = #{}; loop { m = #{ a: m }; }"),
    ("map nested deeply in a constant", "let m = #{}; let i = 0; while i < 900 { m = #{ a: m }; i += 1; } const M = m; throw 1;"),
    ("closures nested deeply", "let f = || 1; loop { let g = f; f = || g.call(); }"),
    ("closures that double", "let f = || 1; loop { let g = f; let h = f; f = || g.call() + h.call(); }"),
    (
        "closures that double, captured by a rule",
        "let f = || 1; for i in 0..40 { let g = f; let h = f; f = || g.call() + h.call(); } rule(\"r\").basis(\"consent\").when(|c| f.call() > 0).send(|c| email(\"t\"));",
    ),
    ("currying that doubles", "let f = Fn(\"g\"); loop { f = f.curry(f, f); }"),
    ("a map that holds itself", "let m = #{}; let f = || m; m.x = f; m.to_json(); throw 1;"),
    (
        "a closure that captures itself in a rule",
        "let m = #{}; let f = |c| m.x.call(c); m.x = f; rule(\"r\").basis(\"consent\").when(|c| f.call(c)).send(|c| email(\"t\"));",
    ),
    ("sleep", "sleep(100000);"),
    ("time", "let t = timestamp(); t.elapsed > 0"),
    ("exit", "exit(0);"),
    ("eval", "eval(\"loop {}\");"),
    ("print", "loop { print(\"x\"); }"),
    ("a file", "import \"/etc/passwd\" as p;"),
    ("an open function", "open_file(\"/etc/passwd\")"),
    ("overflow", "let x = 9223372036854775807; x + 1"),
    ("power", "let x = 2; loop { x = x ** 1000; }"),
    ("decimal overflow", "let x = 1.5; loop { x = x * x; }"),
    ("a long range", "let n = 0; for i in 0..9223372036854775807 { n += i % 2; }"),
    ("a long range in a condition", "@|c| { let n = 0; for i in 0..9223372036854775807 { n += i % 2; } n > 0 }"),
    ("a condition that makes a long text", "@|c| { let s = c.id; loop { s += s; } }"),
    ("too many rules", "for i in 0..1000000 { rule(\"r-\" + i).basis(\"consent\").when(|c| true).send(|c| email(\"t\")); }"),
    ("an action that never ends", "rule(\"r\").basis(\"consent\").when(|c| true).send(|c| { loop {} });"),
];

/// The scripts above, and some that are made of so many brackets that they would be too long to write down.
fn hostile() -> Vec<(String, String)> {
    let brackets = [("(", ")"), ("[", "]"), ("#{a:", "}"), ("!", ""), ("-", ""), ("if true {", "}"), ("|x| ", ""), ("f(", ")"), ("{", "}")];
    let nested =
        brackets.iter().map(|(open, close)| (format!("nested {open}"), format!("let x = {}1{};", open.repeat(20_000), close.repeat(20_000))));
    HOSTILE.iter().map(|(name, script)| ((*name).to_owned(), (*script).to_owned())).chain(nested).collect()
}

/// What a hostile script ends with: the first fault, or what the evaluation says.
fn end(script: &str) -> String {
    let condition = script.strip_prefix('@');
    let text = condition.map_or_else(|| script.to_owned(), with_condition);
    match load(&text) {
        Err(faults) => format!("refused: {}", faults[0]),
        Ok(set) => match set.rules().first().map(|rule| rule.evaluate(&[regular()], today()).remove(0)) {
            Some(Evaluation::Failed(sentence)) => format!("failed: {sentence}"),
            other => format!("went through: {other:?}"),
        },
    }
}

/// Not a test of its own: what the child runs. Without the variable there is nothing to do.
#[test]
#[expect(clippy::disallowed_methods, reason = "the parent names the script through the environment")]
fn hostile_child() {
    let name = std::env::var(VARIABLE).ok();
    for (_, script) in hostile().iter().filter(|(script, _)| Some(script) == name.as_ref()) {
        println!("END {}", end(script));
    }
}

#[test]
fn every_hostile_script_ends_with_an_error_and_the_process_lives_on() {
    let mut told = Vec::new();
    for (name, _) in hostile() {
        // With 1 GiB of address space; the program alone takes a quarter of it.
        let mut child = Command::new("sh");
        child.args(["-c", "ulimit -v 1048576 && exec \"$0\" \"$@\""]).arg(std::env::current_exe().unwrap());
        child.args(["--exact", "rules::sandbox::hostile_child", "--nocapture", "--test-threads=1"]).env(VARIABLE, &name).env("RUST_BACKTRACE", "0");
        let output = child.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        let end = text.lines().find_map(|line| line.split_once("END ")).map_or("", |(_, end)| end);
        assert!(output.status.success(), "{name}: {}\n{text}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        assert!(end.starts_with("refused: ") || end.starts_with("failed: "), "{name}: {end}");
        told.push(format!("{name}: {end}"));
    }
    insta::assert_snapshot!("hostile", told.join("\n"));
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
