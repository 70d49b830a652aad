//! Files, folders and imports between them.

use std::fs;

use sha2::{Digest, Sha256};
use stammgast::model::predicate::Clause;
use stammgast::rules::{Evaluation, RuleSet};

use super::example::{regular, today};

const SHARED: &str = "export const MIN = 60;\nfn long_ago(c) { c.recency_days > global::MIN && few(c) }\nfn few(c) { c.orders < 10 }\n";
const USER: &str =
    "import \"shared\" as s;\nrule(\"r\").basis(\"consent\").when(|c| s::long_ago(c) && c.recency_days > s::MIN).send(|c| email(\"t\"));\n";

fn from(files: &[(&str, &str)]) -> Result<RuleSet, Vec<String>> {
    let sources = files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    RuleSet::from_sources(sources).map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

#[test]
fn a_mark_of_the_order_of_bytes_is_no_part_of_a_rule() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.rhai");
    fs::write(&file, "\u{feff}// Windows\r\nrule(\"a\").basis(\"consent\").when(|c| true).send(|c| email(\"t\"));\r\n").unwrap();
    assert_eq!(RuleSet::load(&file).unwrap().rules().len(), 1);
}

#[test]
fn a_rule_may_use_what_a_neighbour_defines() {
    let set = from(&[("shared.rhai", SHARED), ("user.rhai", USER)]).unwrap();
    let Evaluation::Match { inputs } = set.rules()[0].evaluate(&[regular()], today()).remove(0) else { panic!("a match") };
    assert_eq!(inputs.keys().collect::<Vec<_>>(), ["orders", "recency_days"], "also what the module reads");
}

#[test]
fn segments_of_a_neighbour_are_read_as_if_they_stood_in_the_rule() {
    let segments = "fn lapsed(c) { c.recency_days > 60 && !regular(c) }\nfn regular(who) { who.orders_in(days(365)) >= 3 || tagged(who) }\n\
                    fn tagged(c) { let tag = \"vip\"; c.tags.contains(tag) }\nfn endless(c) { endless(c) }\nfn both(c) { twice(c) && twice(c) }\n\
                    fn twice(c) { both(c) || both(c) }";
    let rule = |condition: &str| {
        let user = format!("import \"segments\" as s;\nrule(\"r\").basis(\"consent\").when(|c| {condition}).send(|c| email(\"t\"));\n");
        from(&[("segments.rhai", segments), ("user.rhai", &user)])
    };
    let set = rule("s::lapsed(c) && c.orders > 1").unwrap();
    let leaves = set.rules()[0].predicate().unwrap().leaves();
    let texts: Vec<(&str, bool)> = leaves.iter().map(|leaf| (leaf.text.as_str(), leaf.clause == Clause::Script)).collect();
    assert_eq!(
        texts,
        [
            ("s::lapsed: c.recency_days > 60", false),
            ("regular: who.orders_in(days(365)) >= 3", false),
            ("regular: tagged(who)", true),
            ("c.orders > 1", false)
        ],
        "several statements stay the interpreter's"
    );
    let reasons = set.rules()[0].reasons(&regular(), today());
    assert_eq!(reasons.answer, Ok(false));
    assert_eq!(reasons.clauses.iter().map(|clause| clause.answer).collect::<Vec<_>>(), [Some(true), Some(true), Some(true), Some(true)]);
    // Functions without end are told as such, and not read without end.
    for without_end in ["s::endless(c)", "s::both(c)"] {
        let faults = rule(without_end).unwrap_err();
        assert!(faults[0].contains("too deeply"), "{faults:?}");
    }
}

#[test]
fn the_stored_text_of_a_rule_loads_again_with_its_modules_to_the_same_version() {
    let set = from(&[("shared.rhai", SHARED), ("user.rhai", USER)]).unwrap();
    let again = RuleSet::from_stored(&set.rules()[0].source).unwrap();
    let (before, after) = (set.rule("r").unwrap(), again.rule("r").unwrap());
    assert_eq!(after.spec.hash, before.spec.hash);
    assert_eq!(after.evaluate(&[regular()], today()), before.evaluate(&[regular()], today()));
}

#[test]
fn the_hash_covers_the_file_and_its_modules_and_nothing_else() {
    let hash = |files: &[(&str, &str)]| from(files).unwrap().rule("r").unwrap().spec.hash.clone();
    let first = hash(&[("shared.rhai", SHARED), ("user.rhai", USER)]);
    assert_eq!(first, hash(&[("shared.rhai", SHARED), ("user.rhai", USER), ("other.rhai", "fn f() { 1 }")]));
    assert_ne!(first, hash(&[("shared.rhai", &SHARED.replace("60", "61")), ("user.rhai", USER)]));
    assert_ne!(first, hash(&[("shared.rhai", SHARED), ("user.rhai", &format!("{USER} "))]));
    let set = from(&[("shared.rhai", SHARED), ("user.rhai", USER)]).unwrap();
    let rule = set.rule("r").unwrap();
    let digest = Sha256::digest(rule.source.as_bytes()).iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    assert_eq!(rule.spec.hash, digest);
    assert!(rule.source.starts_with(USER) && rule.source.ends_with(SHARED));
}

#[test]
fn a_file_that_is_imported_makes_its_own_rules_once() {
    let both = format!("{SHARED}rule(\"own\").basis(\"consent\").when(|c| long_ago(c)).send(|c| email(\"t\"));");
    let set = from(&[("a.rhai", USER), ("shared.rhai", &both), ("z.rhai", &USER.replace("\"r\"", "\"s\""))]).unwrap();
    let names: Vec<&str> = set.rules().iter().map(|rule| rule.spec.name.as_str()).collect();
    assert_eq!(names, ["r", "own", "s"]);
}

#[test]
fn an_import_reaches_no_other_place() {
    for path in ["/etc/passwd", "../secret", "lib/x", "shared.rhai", "", "SHARED"] {
        let faults = from(&[("a.rhai", &format!("import \"{path}\" as x;")), ("shared.rhai", SHARED)]).unwrap_err();
        assert!(faults[0].starts_with("a.rhai:1:1 there is no module"), "{faults:?}");
    }
    let faults = from(&[("a.rhai", "let name = \"shared\";\nimport name as x;"), ("shared.rhai", SHARED)]).unwrap_err();
    assert_eq!(faults, ["a.rhai:2:1 import needs a plain text: import \"helpers\" as helpers;"]);
    let faults = from(&[("a.rhai", "fn f() {\n  import \"shared\" as x;\n  1\n}"), ("shared.rhai", SHARED)]).unwrap_err();
    assert_eq!(faults, ["a.rhai:2:3 import stands at the top of the file, not in a function or closure"]);
}

#[test]
fn a_circle_of_imports_is_a_fault() {
    let faults = from(&[("a.rhai", "import \"b\" as b;"), ("b.rhai", "import \"a\" as a;")]).unwrap_err();
    assert!(faults.iter().all(|fault| fault.contains("imports itself")), "{faults:?}");
}

#[test]
fn what_a_module_lacks_is_named() {
    let user = "import \"shared\" as s;\nrule(\"r\").basis(\"consent\").when(|c| s::long_agi(c) && s::few(c, 1)).send(|c| email(\"t\"));";
    let faults = from(&[("a.rhai", user), ("shared.rhai", SHARED)]).unwrap_err();
    assert_eq!(
        faults,
        ["a.rhai:2:40 module 'shared' has no function 'long_agi' - did you mean 'long_ago'?", "a.rhai:2:58 's::few' takes 1 argument, not 2"]
    );
}

#[test]
fn a_closure_that_a_module_made_is_refused_before_it_fails_for_everybody() {
    let maker = "fn regulars() { |c| c.orders > 2 }";
    let user = "import \"maker\" as maker;\nrule(\"r\").basis(\"consent\").when(maker::regulars()).send(|c| email(\"t\"));";
    let faults = from(&[("a.rhai", user), ("maker.rhai", maker)]).unwrap_err();
    assert!(faults[0].starts_with("maker.rhai:1:17 a closure stands right where it is used"), "{faults:?}");
}

#[test]
fn a_folder_is_loaded_in_name_order_and_other_files_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::write(path("user.rhai"), USER).unwrap();
    fs::write(path("shared.rhai"), SHARED).unwrap();
    fs::write(path("notes.txt"), "no rules").unwrap();
    fs::write(path(".hidden.rhai"), "broken (").unwrap();
    fs::create_dir(path("folder.rhai")).unwrap();
    let set = RuleSet::load(folder.path()).unwrap();
    assert_eq!(set.rules().len(), 1);
    assert_eq!(set.rules()[0].spec.place, format!("{}:2", path("user.rhai").display()));

    // One file alone still finds its neighbours, and is not troubled by the broken ones.
    fs::write(path("broken.rhai"), "broken (").unwrap();
    assert_eq!(RuleSet::load(&path("user.rhai")).unwrap().rules().len(), 1);
    assert!(RuleSet::load(folder.path()).unwrap_err()[0].file.ends_with("broken.rhai"));
}

#[test]
fn what_cannot_be_read_is_a_fault_with_the_files_name() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone");
    let faults = RuleSet::load(&gone).unwrap_err();
    assert!(faults[0].to_string().starts_with(&format!("{} cannot be read", gone.display())), "{faults:?}");
    fs::write(folder.path().join("latin.rhai"), b"// Gr\xfc\xdfe").unwrap();
    fs::write(folder.path().join("long.rhai"), vec![b' '; 300 * 1024]).unwrap();
    let faults = RuleSet::load(folder.path()).unwrap_err();
    assert!(faults[0].to_string().ends_with("latin.rhai is not UTF-8 text: expected a text file, saved as UTF-8"), "{faults:?}");
    assert!(faults[1].to_string().ends_with("long.rhai is longer than 256 KiB: expected a smaller file"), "{faults:?}");
    // Neither a rule that went with its link nor one that is no file is left out in silence.
    let other = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(&gone, other.path().join("link.rhai")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(other.path().join("pipe.rhai")).status().unwrap().success());
    let faults: Vec<String> = RuleSet::load(other.path()).unwrap_err().iter().map(ToString::to_string).collect();
    assert!(faults.len() == 2 && faults[0].contains("link.rhai cannot be read: No such file"), "{faults:?}");
    let no_file = "is no file: expected a text file, or a name that does not end with .rhai";
    assert!(faults[1].ends_with(&format!("pipe.rhai {no_file}")), "{faults:?}");
    assert!(RuleSet::load(tempfile::tempdir().unwrap().path()).unwrap().rules().is_empty());
}
