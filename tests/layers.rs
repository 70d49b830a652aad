//! Keeps the house rules that the compiler does not: floors, owners of third-party crates, file sizes, headers, output, SQL as constants.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

#[path = "layers/tokens.rs"]
mod tokens;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tokens::{Token, is_word, tokens, use_paths};

/// Every module directly below `src/` with its floor; imports go to a lower number only.
const FLOORS: &[(&str, u8)] = &[
    ("base", 0),
    ("model", 1),
    ("config", 1),
    ("intake", 2),
    ("score", 2),
    ("rules", 2),
    ("policy", 2),
    ("stats", 2),
    ("picture", 2),
    ("store", 3),
    ("channel", 3),
    ("flow", 4),
    ("web", 5),
    ("daemon", 6),
    ("cli", 7),
];

/// Third-party crates that only some modules may name.
const OWNERS: &[(&str, &[&str])] = &[
    ("sqlx", &["store"]),
    ("lettre", &["channel"]),
    ("reqwest", &["channel"]),
    ("minijinja", &["channel"]),
    ("mrml", &["channel"]),
    ("axum", &["web", "daemon"]),
    ("tower_http", &["web", "daemon"]),
    ("clap", &["cli"]),
    ("anyhow", &["cli", "daemon"]),
    ("indicatif", &["cli"]),
    ("comfy_table", &["cli"]),
    ("similar", &["cli"]),
    ("rhai", &["rules"]),
    ("cron", &["rules"]),
    ("csv", &["intake", "cli"]),
    ("encoding_rs", &["intake"]),
    ("toml", &["intake"]),
    ("figment", &["config"]),
    ("sd_notify", &["daemon"]),
    ("tokio", &["store", "channel", "flow", "web", "daemon", "cli"]),
    ("tracing", &["store", "channel", "flow", "web", "daemon", "cli"]),
];

/// Macros stand at the root of the crate; they belong to the module that defines them.
const MACROS: &[(&str, &str)] = &[("on", "store"), ("statements", "store")];

const MOST_LINES: usize = 400;
const MOST_LINES_OF_MAIN: usize = 40;

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// One sentence per fault in the file at `path` (relative, e.g. `src/store/orders.rs`).
fn faults(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let lines = text.lines().count();
    let most = if path == "src/main.rs" { MOST_LINES_OF_MAIN } else { MOST_LINES };
    if lines > most {
        found.push(format!("{path} has {lines} lines; {most} are allowed: is it two things?"));
    }
    if !text.starts_with("//! ") {
        found.push(format!("{path}:1 does not begin with a `//!` line that says what the file is for"));
    }
    let place: Vec<&str> = path.trim_start_matches("src/").trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect();
    // main.rs and lib.rs stand above all floors.
    let own = place[0];
    if !matches!(own, "main" | "lib") && floor(own).is_none() {
        found.push(format!("{path} is in the module '{own}', which has no floor: add it to tests/layers.rs and ARCHITECTURE.md"));
    }
    let tokens = tokens(text);
    found.extend(imports(path, &place, &tokens));
    found.extend(foreign_crates(path, own, &tokens));
    found.extend(habits(path, own, &tokens));
    found
}

/// Imports that go up or sideways: `crate::x` anywhere in the code, and `super::` chains that leave the own module.
fn imports(path: &str, place: &[&str], tokens: &[Token]) -> Vec<String> {
    let own = place[0];
    let mut found = Vec::new();
    let mut check = |line: usize, named: &str| {
        let named = MACROS.iter().find(|(name, _)| *name == named).map_or(named, |(_, module)| module);
        match (floor(own), floor(named)) {
            (Some(_), Some(_)) if named == own => {}
            (Some(here), Some(there)) if there >= here => {
                let direction = if there == here { "sideways" } else { "upward" };
                found.push(format!("{path}:{line} imports {direction}: {own} (floor {here}) may not know {named} (floor {there})"));
            }
            (Some(_), None) => found.push(format!("{path}:{line} names crate::{named}: name one module of a lower floor")),
            _ => {}
        }
    };
    // Inline modules (`mod tests { … }`) that are open: `super` inside them climbs one step less; each with its brace depth.
    let (mut open, mut braces) = (Vec::new(), 0_usize);
    let mut at = 0;
    while at < tokens.len() {
        let line = tokens[at].line;
        match tokens[at].text.as_str() {
            "{" => {
                braces += 1;
                if at >= 2 && tokens[at - 2].text == "mod" {
                    open.push(braces);
                }
            }
            "}" => {
                if open.last() == Some(&braces) {
                    open.pop();
                }
                braces = braces.saturating_sub(1);
            }
            "crate" if next_is(tokens, at + 1, "::") => firsts(tokens, at + 2).iter().for_each(|name| check(line, name)),
            "super" => {
                let mut steps = 1;
                while next_is(tokens, at + 1, "::") && next_is(tokens, at + 2, "super") {
                    steps += 1;
                    at += 2;
                }
                if steps >= place.len() + open.len() && next_is(tokens, at + 1, "::") {
                    for name in firsts(tokens, at + 2) {
                        check(line, &name);
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn next_is(tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at).is_some_and(|token| token.text == text)
}

/// The names that a path can go on with at `at`: one, or the first of each branch of a `{…}` group.
fn firsts(tokens: &[Token], at: usize) -> Vec<String> {
    if !next_is(tokens, at, "{") {
        return tokens.get(at).map(|token| token.text.clone()).into_iter().collect();
    }
    let mut depth = 0;
    let mut names = Vec::new();
    for pair in tokens[at..].windows(2) {
        match pair[0].text.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && matches!(pair[0].text.as_str(), "{" | ",") && pair[1].text != "}" {
            names.push(pair[1].text.clone());
        }
    }
    names
}

/// Third-party crates that are named outside their owner: in a path, or as a whole in a `use`.
fn foreign_crates(path: &str, own: &str, tokens: &[Token]) -> Vec<String> {
    // A module of ours may be called like a crate (`rules::cron`): whoever has imported or declared it means that one.
    let mut ours: BTreeSet<String> = BTreeSet::new();
    let mut whole: Vec<(usize, String)> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "mod" => ours.extend(tokens.get(at + 1).map(|name| name.text.clone())),
            "use" => {
                for (segments, name) in use_paths(&tokens[at + 1..]) {
                    if matches!(segments[0].as_str(), "crate" | "super" | "self") {
                        ours.insert(name);
                    } else if segments.len() == 1 {
                        whole.push((token.line, segments[0].clone()));
                    }
                }
            }
            _ => {}
        }
    }
    let in_paths = tokens.iter().enumerate().filter(|(at, _)| {
        let continues = *at >= 2 && next_is(tokens, at - 1, "::") && is_word(&tokens[at - 2].text) && tokens[at - 2].text != "use";
        next_is(tokens, at + 1, "::") && !continues
    });
    let mut named: Vec<(usize, String)> = in_paths.map(|(_, token)| (token.line, token.text.clone())).chain(whole).collect();
    named.sort();
    named.dedup();
    named
        .into_iter()
        .filter(|(_, name)| !ours.contains(name))
        .filter_map(|(line, name)| {
            let (_, owners) = OWNERS.iter().find(|(owned, _)| *owned == name)?;
            (!owners.contains(&own)).then(|| format!("{path}:{line} names the crate {name}, which belongs to {}", owners.join(", ")))
        })
        .collect()
}

/// Output outside `cli`, `#[allow(…)]`, and SQL that is no constant.
fn habits(path: &str, own: &str, tokens: &[Token]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, Token { line, text }) in tokens.iter().enumerate() {
        if matches!(text.as_str(), "print" | "println" | "eprint" | "eprintln") && next_is(tokens, at + 1, "!") && own != "cli" {
            found.push(format!("{path}:{line} uses {text}!: only cli prints; floors 3 to 6 log, lower ones return what they have to say"));
        }
        if text == "allow" && at > 0 && next_is(tokens, at - 1, "[") && next_is(tokens, at + 1, "(") {
            found.push(format!("{path}:{line} has an allow attribute: use expect with a reason"));
        }
        let of_sqlx = text.starts_with("query") && at >= 2 && next_is(tokens, at - 1, "::") && next_is(tokens, at - 2, "sqlx");
        if own == "store" && of_sqlx && first_argument(tokens, at + 1).is_some_and(|argument| argument == "\"") {
            found.push(format!(
                "{path}:{line} gives sqlx::{text} a literal: declare the statement with statements! so that it is prepared on both databases"
            ));
        }
    }
    found
}

/// The first token between the parentheses of a call whose name stands before `at`; a turbofish may stand in between.
fn first_argument(tokens: &[Token], mut at: usize) -> Option<&str> {
    if next_is(tokens, at, "::") && next_is(tokens, at + 1, "<") {
        let mut open = 0;
        at += 1 + tokens[at + 1..].iter().position(|token| {
            open += i32::from(token.text == "<") - i32::from(token.text == ">");
            open == 0
        })?;
        at += 1;
    }
    next_is(tokens, at, "(").then(|| tokens.get(at + 1).map(|token| token.text.as_str())).flatten()
}

/// Path and text of every Rust file below `folder`, the paths as seen from `root`.
fn sources(root: &Path, folder: &Path) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(root, &path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push((path.strip_prefix(root).unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()));
        }
    }
    files
}

#[test]
fn the_sources_keep_the_house_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = sources(root, &root.join("src"));
    assert!(files.len() > 40, "only {} files were found: is this the right folder?", files.len());
    let found: Vec<String> = files.iter().flat_map(|(path, text)| faults(path, text)).collect();
    assert!(found.is_empty(), "{} faults:\n{}", found.len(), found.join("\n"));
}

#[test]
fn every_module_of_the_library_has_a_floor_and_every_floor_a_module() {
    let library = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let declared: BTreeSet<&str> = library.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(declared, FLOORS.iter().map(|(name, _)| *name).collect());
}

/// What the checker says about a planted text, the header added.
fn planted(path: &str, body: &str) -> Vec<String> {
    faults(path, &format!("//! A planted file.\n{body}"))
}

#[test]
fn an_upward_import_is_found_in_every_form() {
    let sentence = "imports upward: model (floor 1) may not know store (floor 3)";
    for body in [
        "use crate::store::Db;",
        "pub use crate::store as database;",
        "fn f() { let db: crate::store::Db; }",
        "use crate::{base::time::UnixMs, store::{Db, Tx}};",
        "use super::super::store::Db;",
        "mod tests {\n use super::super::super::store::Db; }",
        "use crate::on;",
        "type Db = crate :: /* a comment */ store::Db;",
    ] {
        let found = planted("src/model/order.rs", body);
        assert_eq!(found.len(), 1, "{body}: {found:?}");
        assert!(found[0].ends_with(sentence), "{body}: {found:?}");
    }
    assert_eq!(
        planted("src/score/rfm.rs", "\nuse crate::flow::Ctx;"),
        ["src/score/rfm.rs:3 imports upward: score (floor 2) may not know flow (floor 4)"]
    );
}

#[test]
fn a_sideways_import_is_found() {
    assert_eq!(
        planted("src/policy/gates.rs", "use crate::score::rfm::Rfm;"),
        ["src/policy/gates.rs:2 imports sideways: policy (floor 2) may not know score (floor 2)"]
    );
    assert_eq!(
        planted("src/channel/email/smtp.rs", "use super::super::super::store::Tx;"),
        ["src/channel/email/smtp.rs:2 imports sideways: channel (floor 3) may not know store (floor 3)"]
    );
}

#[test]
fn what_the_floors_allow_is_not_a_fault() {
    for (path, body) in [
        ("src/flow/decide.rs", "use crate::store::Tx;\nuse crate::{policy, model::order::NewOrder};\nuse super::Ctx;"),
        ("src/flow/decide.rs", "// use crate::web::router;\n/* crate::cli */ fn f() -> &'static str { \"crate::web::x\" }"),
        ("src/flow/decide.rs", "const A: &str = r#\"use crate::web::\"x\";\"#; const B: char = '\"'; fn f<'a>(x: &'a str) {}"),
        ("src/rules/sandbox/limits.rs", "use super::super::load;\nmod tests { use super::super::super::load; }"),
        ("src/rules/mod.rs", "use self::load::Loaded;\npub use super::model::rule::RuleSpec;"),
        ("src/flow/tick.rs", "use crate::rules::cron;\nfn f() { cron::next(); }"),
        ("src/store/orders.rs", "fn f(c: C, q: &'static str) { sqlx::query(q); sqlx::query_as::<_, (i64,)>(q); }"),
        ("src/store/outbox.rs", "use crate::{on, statements};\ncrate::statements! {}"),
        ("src/web/mod.rs", "#[expect(clippy::x, reason = \"allow(x)\")] fn allow() {}"),
    ] {
        assert_eq!(planted(path, body), Vec::<String>::new(), "{body}");
    }
}

#[test]
fn a_crate_outside_its_owner_is_found() {
    for (path, body, name) in [
        ("src/flow/decide.rs", "use sqlx::Row;", "sqlx"),
        ("src/flow/decide.rs", "fn f() { ::sqlx::query(q); }", "sqlx"),
        ("src/web/ui.rs", "use lettre as mailer;", "lettre"),
        ("src/policy/gates.rs", "use {tokio::sync::Mutex, std::fmt};", "tokio"),
        ("src/score/mod.rs", "#[tokio::test]\nasync fn f() {}", "tokio"),
        ("src/flow/mod.rs", "#[derive(clap::Args)]\nstruct Args;", "clap"),
        ("src/flow/tick.rs", "fn f() { cron::Schedule::from_str(x); }", "cron"),
        ("src/store/db.rs", "use anyhow::Context as _;", "anyhow"),
        ("src/main.rs", "fn f() { axum::serve(); }", "axum"),
    ] {
        let found = planted(path, body);
        assert_eq!(found.len(), 1, "{body}: {found:?}");
        assert!(found[0].contains(&format!("names the crate {name}, which belongs to ")), "{body}: {found:?}");
    }
}

#[test]
fn a_long_file_a_missing_header_and_an_unknown_module_are_found() {
    let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(400));
    assert_eq!(faults("src/base/long.rs", &long), ["src/base/long.rs has 401 lines; 400 are allowed: is it two things?"]);
    let main = format!("//! Long.\n{}", "fn f() {}\n".repeat(40));
    assert_eq!(faults("src/main.rs", &main), ["src/main.rs has 41 lines; 40 are allowed: is it two things?"]);
    assert_eq!(faults("src/base/x.rs", "use std::fmt;"), ["src/base/x.rs:1 does not begin with a `//!` line that says what the file is for"]);
    assert!(planted("src/utils/mod.rs", "")[0].contains("the module 'utils', which has no floor"));
}

#[test]
fn output_allow_attributes_and_literal_sql_are_found() {
    assert!(planted("src/daemon/run.rs", "fn f() { println!(\"x\"); }")[0].starts_with("src/daemon/run.rs:2 uses println!: only cli prints"));
    assert_eq!(planted("src/cli/run.rs", "fn f() { println!(\"x\"); eprintln!(); }"), Vec::<String>::new());
    assert!(planted("src/base/x.rs", "#[allow(dead_code)] fn f() {}")[0].contains("has an allow attribute"));
    assert!(planted("src/base/x.rs", "#![allow(dead_code)]")[0].contains("has an allow attribute"));
    for body in ["sqlx::query(\"SELECT 1\")", "sqlx::query_as::<_, (i64,)>(\n    r\"SELECT 1\")", "sqlx::query_scalar(r#\"SELECT \"a\"\"#)"] {
        let found = planted("src/store/orders.rs", &format!("fn f() {{ {body}; }}"));
        assert!(found.len() == 1 && found[0].contains("a literal: declare the statement"), "{body}: {found:?}");
    }
}

#[test]
fn every_fixture_has_a_test_that_reads_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(root.join("tests/fixtures/README.md")).unwrap();
    let listed: BTreeSet<&str> = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let folders = fs::read_dir(root.join("tests/fixtures")).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let files = folders.flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()));
    let found: BTreeSet<String> = files
        .filter(|path| !path.ends_with("README.md"))
        .map(|path| path.strip_prefix(root.join("tests/fixtures")).unwrap().display().to_string())
        .collect();
    assert_eq!(found.iter().map(String::as_str).collect::<BTreeSet<_>>(), listed, "the files and the rows of tests/fixtures/README.md");
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let mut named = row.split('`').skip(1).step_by(2);
        let (file, test) = (named.next().unwrap(), named.next().unwrap());
        assert!(fs::read_to_string(root.join(test)).unwrap().contains(file), "{test} does not read {file}");
    }
}
