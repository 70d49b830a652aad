//! Scenario files: what they say, and what is told of those that are wrong, huge or hostile.

use std::sync::Arc;

use proptest::prelude::*;
use stammgast::intake::scenario::{load, read};
use stammgast::model::attribute::{AttributeKind, Declared};
use stammgast::model::consent::ConsentKind;
use stammgast::model::example::Expected;

use super::options;

const GOOD: &str = "name = \"two people\"\nfrom = 2026-03-01\nuntil = \"2026-03-31\"\nexpect = [\"2026-03-12 anna win-back send\"]
[[customers]]\ncustomer_id = \"anna\"\nbirthday = 1984-03-29\nconsent = \"double_opt_in\"\nconsent_at = 2025-06-01\ntags = [\"vip\", \"a\"]
[[customers]]\ncustomer_id = 7\nsuppressed_at = 2026-03-05\nemail = \"\"
[[consents]]\ncustomer_id = \"anna\"\nconsent = \"objected\"\nconsent_at = 2026-03-20T10:00:00
[[orders]]\ncustomer_id = \"anna\"\nordered_at = 2026-01-10\nrevenue = 19.98
[[orders]]\ncustomer_id = 7\nordered_at = \"2026-01-10T18:30\"\nlines = [{ sku = \"A1\", category = \"cake\", quantity = 2, total = 5.00 }, { name = \"Box\", total = 1 }]\n";

fn faults(text: &str) -> String {
    read("s.toml", "s", text, &options(), &Arc::default())
        .map_or_else(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), |scenario| format!("no fault: {scenario:?}"))
}

#[test]
fn a_scenario_has_the_columns_of_an_import() {
    let scenario = read("s.toml", "s", GOOD, &options(), &Arc::default()).unwrap();
    assert_eq!(
        (scenario.name.as_str(), scenario.from.to_string(), scenario.until.to_string()),
        ("two people", "2026-03-01".into(), "2026-03-31".into())
    );
    let line = &scenario.expected[0];
    assert_eq!(
        (line.date.to_string(), line.customer.as_str(), line.rule.as_str(), line.expected, line.at),
        ("2026-03-12".into(), "anna", "win-back", Expected::Send, (4, 11))
    );
    let [anna, seven, objection] = scenario.customers.as_slice() else { panic!("three records") };
    assert_eq!((anna.external_id.as_str(), anna.birthday.flatten().unwrap().to_string()), ("anna", "1984-03-29".into()));
    assert_eq!(anna.tags.as_deref(), Some(&["vip".to_owned(), "a".to_owned()][..]));
    assert_eq!(anna.consent.as_ref().unwrap().kind, ConsentKind::DoubleOptIn);
    // Whoever has no column for it has an address; an empty one means none.
    assert!(anna.email.as_ref().unwrap().is_some() && seven.email == Some(None) && objection.email.is_none());
    assert_eq!((objection.external_id.as_str(), objection.consent.as_ref().unwrap().at.to_string()), ("anna", "2026-03-20T09:00:00Z".into()));
    assert_eq!(scenario.suppressed, [("7".to_owned(), options().zone.parse_time("2026-03-05").unwrap())]);
    let amounts: Vec<(i64, String, usize)> =
        scenario.orders.iter().map(|order| (order.revenue.0, order.ordered_at.to_string(), order.lines.len())).collect();
    assert_eq!(amounts, [(1998, "2026-01-09T23:00:00Z".into(), 0), (600, "2026-01-10T17:30:00Z".into(), 2)]);
    let nobody = read(
        "s.toml",
        "s",
        &GOOD.replace("[\"2026-03-12 anna win-back send\"]", "\"nobody\"").replacen("name =", "# name =", 1),
        &options(),
        &Arc::default(),
    )
    .unwrap();
    assert!(nobody.expected.is_empty() && nobody.name == "s");
}

#[test]
fn customers_have_the_shops_own_facts() {
    let own = |name: &str, kind| Declared { name: name.to_owned(), kind };
    let own: Arc<[Declared]> = [own("city", AttributeKind::Text), own("points", AttributeKind::Number)].into();
    let read = |more: &str| read("s.toml", "s", &GOOD.replace("birthday = 1984-03-29", more), &options(), &own);
    let customers = read("city = \"Bonn\"\npoints = 12.5").unwrap().customers;
    let told: Vec<String> = customers[0].attributes.iter().map(|(name, value)| format!("{name} {value:?}")).collect();
    assert_eq!(told, ["city Some(Text(\"Bonn\"))", "points Some(Number(12.5))"]);
    let faults = read("ctiy = \"Bonn\"\npoints = \"many\"").unwrap_err();
    assert!(
        faults.len() == 1 && (faults[0].line, faults[0].column) == (7, 1) && faults[0].message.ends_with(" - did you mean 'city'?"),
        "{faults:?}"
    );
    let faults = read("points = \"many\"").unwrap_err();
    assert!(faults.len() == 1 && (faults[0].line, faults[0].column) == (7, 10) && faults[0].message.starts_with("points: "), "{faults:?}");
}

#[test]
fn what_is_wrong_with_a_scenario() {
    let change = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replacen(from, to, 1)
    };
    let wrong = [
        String::new(),
        "from = ".to_owned(),
        "[customers]\ncustomer_id = \"anna\"".to_owned(),
        change("from = 2026-03-01", "form = 2026-03-01"),
        change("from = 2026-03-01", "from = 1.3"),
        change("from = 2026-03-01", "from = \"1.3.2026\""),
        change("from = 2026-03-01", "from = 2026-02-30"),
        change("from = 2026-03-01", "from = \"2026-02-30\""),
        change("from = 2026-03-01", "from = 2026-03-01T10:00:00"),
        change("from = 2026-03-01", "from = 2027-03-01"),
        change("from = 2026-03-01", "from = 1999-03-01"),
        change("from = 2026-03-01", "from = \"9999-03-01\""),
        change("name = \"two people\"", "name = 5\nrules = [\"win-back\", 5]"),
        change("expect = [\"2026-03-12 anna win-back send\"]", ""),
        change("expect = [\"2026-03-12 anna win-back send\"]", "expect = \"noone\""),
        change("expect = [\"2026-03-12 anna win-back send\"]", "expect = true"),
        change(
            "expect = [\"2026-03-12 anna win-back send\"]",
            "expect = [\n\"2026-03-12 anna win-back\",\n\"12.3. anna win-back send\",\n\"2026-04-12 anna win-back send\",\n\"2026-03-12 ana win-back send\",\n\"2026-03-12 anna win-back sent\",\n\"2026-03-12 anna win-back no\",\n\"2026-03-12 anna win-back send leaves tomorrow\",\n\"2026-03-12 anna win-back cooldown leaves 2026-03-13\",\n\"2026-03-12 anna win-back cooldown says Hello\",\n\"2026-03-12 anna win-back send says Hello says  \",\n5, \"\"]",
        ),
        change("customer_id = \"anna\"", "customer_id = \"anna maria\""),
        change("customer_id = \"anna\"", "id = \"anna\""),
        change("customer_id = 7", "customer_id = \"anna\""),
        change("customer_id = 7", "customer_id = { number = 7 }"),
        change("birthday = 1984-03-29", "birthdate = 1984-03-29"),
        change("birthday = 1984-03-29", "birthday = \"29. März\""),
        change("consent = \"double_opt_in\"", "consent = \"doi!\""),
        change("consent_at = 2026-03-20T10:00:00", "source = \"x\""),
        change("suppressed_at = 2026-03-05", "suppressed_at = \"soon\""),
        change("email = \"\"", "email = \"nobody\""),
        change("customer_id = \"anna\"\nordered_at", "customer_id = \"ana\"\nordered_at"),
        change("revenue = 19.98", "revenue = -5"),
        change("revenue = 19.98", "revenue = nan"),
        change("revenue = 19.98", "currency = \"USD\"\nrevenue = 5"),
        change("revenue = 19.98", "reveneu = 5"),
        change("revenue = 19.98", ""),
        change("sku = \"A1\"", "skew = \"A1\""),
        change("{ name = \"Box\", total = 1 }", "5"),
        change("ordered_at = 2026-01-10\n", "ordered_at = 10:00:00\n"),
    ];
    let told: Vec<String> = wrong
        .iter()
        .map(|text| {
            let changed: Vec<&str> = text.lines().filter(|line| !GOOD.lines().any(|good| good == *line)).take(3).collect();
            format!("{}\n    {}", changed.join(" | "), faults(text).replace('\n', "\n    "))
        })
        .collect();
    insta::assert_snapshot!("scenarios", told.join("\n"));
}

#[test]
fn files_that_are_huge_deep_or_no_text_are_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let told = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        load(&path, &options(), &Arc::default()).unwrap_err()[0].message.clone()
    };
    assert_eq!(told("huge.toml", &vec![b'#'; 300_000]), "is longer than 256 KiB: expected a smaller file");
    assert_eq!(told("bytes.toml", &[0xff, 0xfe, 0x00]), "is not UTF-8 text: expected a text file, saved as UTF-8");
    assert!(load(&folder.path().join("none.toml"), &options(), &Arc::default()).unwrap_err()[0].message.starts_with("cannot be read: "));
    let deep = format!("name = {}{}", "[".repeat(50_000), "]".repeat(50_000));
    assert!(told("deep.toml", deep.as_bytes()).contains("recursion"), "{}", told("deep.toml", deep.as_bytes()));
    let many = format!("{}{}", GOOD, "[[orders]]\n".repeat(6_000));
    assert!(faults(&many).contains("there are more than 5000 orders"), "{}", faults(&many).len());
    let lines = GOOD.replace("[\"2026-03-12 anna win-back send\"]", &format!("[{}]", "\"\",".repeat(6_000)));
    assert!(faults(&lines).contains("there are more than 5000 lines"), "{}", faults(&lines).len());
}

proptest! {
    #[test]
    fn whatever_stands_in_a_file_is_read_or_told_and_never_a_panic(start in 0_usize..900, length in 0_usize..40, put in "[\\PC\n]{0,20}") {
        let letters: Vec<char> = GOOD.chars().collect();
        let (start, end) = (start.min(letters.len()), (start + length).min(letters.len()));
        let text: String = letters[..start].iter().copied().chain(put.chars()).chain(letters[end..].iter().copied()).collect();
        if let Err(faults) = read("s.toml", "s", &text, &options(), &Arc::default()) {
            prop_assert!(!faults.is_empty() && faults.iter().all(|fault| !fault.message.is_empty()));
        }
    }
}
