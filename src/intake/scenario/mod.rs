//! Scenario files (TOML) become scenarios. Customers, consents, orders and events have the columns of an import and are read by its decoders.

mod lines;
mod records;

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::{Spanned, Value};

use super::Options;
use crate::base::time::days_between;
use crate::model::attribute::Declared;
use crate::model::fault::FileFault;
use crate::model::scenario::{Place, Scenario};
use records::{Kinds, Record};

/// Largest file in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// Most days, both ends included: two years.
const MAX_DAYS: i64 = 731;
/// Most records of a kind, and most expected lines.
const MAX_RECORDS: usize = 5_000;
/// Longest name in characters.
const MAX_NAME: usize = 200;

/// A value with its place in the text, of whatever kind, so that a wrong one is told in our own words.
type Leaf = Spanned<Value>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: Option<Leaf>,
    #[serde(default)]
    rules: Vec<Leaf>,
    from: Option<Leaf>,
    until: Option<Leaf>,
    expect: Option<Spanned<Expect>>,
    #[serde(default)]
    customers: Vec<Spanned<Record>>,
    #[serde(default)]
    consents: Vec<Spanned<Record>>,
    #[serde(default)]
    orders: Vec<Spanned<Record>>,
    #[serde(default)]
    events: Vec<Spanned<Record>>,
}

/// `"nobody"`, or lines.
enum Expect {
    Word(String),
    Lines(Vec<Leaf>),
}

impl<'de> Deserialize<'de> for Expect {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Expect;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("\"nobody\" or a list of lines such as \"2026-03-12 anna win-back send\"")
            }

            fn visit_str<E: de::Error>(self, word: &str) -> Result<Expect, E> {
                Ok(Expect::Word(word.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Expect, A::Error> {
                let mut lines = Vec::new();
                while let Some(line) = list.next_element()? {
                    lines.push(line);
                }
                Ok(Expect::Lines(lines))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// Reads a file. Customers may have the shop's `own` facts. `options.data_at` is not used: an objection without a date was made before the first day.
///
/// # Errors
/// All that is wrong with it; only the first when it is no TOML or has the wrong structure.
pub fn load(path: &Path, options: &Options, own: &Arc<[Declared]>) -> Result<Scenario, Vec<FileFault>> {
    let file = path.display().to_string();
    let whole = |problem: String| vec![FileFault::new(&file, (0, 0), problem)];
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(path).and_then(|opened| opened.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes));
    opened.map_err(|error| whole(format!("cannot be read: {error}")))?;
    let text = String::from_utf8(bytes).map_err(|_| whole("is not UTF-8 text: expected a text file, saved as UTF-8".to_owned()))?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    read(&file, &stem, &text, options, own)
}

/// Reads a text; `file` is how messages call it, `stem` its name when it names itself not.
///
/// # Errors
/// As [`load`].
pub fn read(file: &str, stem: &str, text: &str, options: &Options, own: &Arc<[Declared]>) -> Result<Scenario, Vec<FileFault>> {
    if text.len() > MAX_BYTES {
        return Err(vec![FileFault::new(file, (0, 0), format!("is longer than {} KiB: expected a smaller file", MAX_BYTES / 1024))]);
    }
    let parsed: File = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or((0, 0), |span| place(text, span.start));
        vec![FileFault::new(file, at, plain(error.message()))]
    })?;
    let mut reader = Reader { file, text, options: options.clone(), own: Arc::clone(own), faults: Vec::new() };
    let scenario = reader.scenario(&parsed, stem);
    match scenario {
        Some(scenario) if reader.faults.is_empty() => Ok(scenario),
        _ => {
            reader.faults.sort();
            Err(reader.faults)
        }
    }
}

/// What the TOML parser says, where its words are not a marketer's.
fn plain(message: &str) -> String {
    match message {
        "" => "a value is missing: expected e.g. \"text\", 19.98, 2026-03-01 or [\"a\", \"list\"]".to_owned(),
        "invalid type: map, expected a sequence" => "expected double brackets, as in [[customers]]: there may be several".to_owned(),
        other => other.replace('\n', ", "),
    }
}

/// Line and column of a byte, from 1.
fn place(text: &str, byte: usize) -> Place {
    let before = text.get(..byte).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

/// What is being read, and what is wrong with it so far.
struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    options: Options,
    /// Own facts of customers: columns of theirs.
    own: Arc<[Declared]>,
    faults: Vec<FileFault>,
}

impl Reader<'_> {
    fn fault(&mut self, byte: usize, problem: String) {
        self.faults.push(FileFault::new(self.file, place(self.text, byte), problem));
    }

    fn whole(&mut self, problem: &str) {
        self.faults.push(FileFault::new(self.file, (0, 0), problem));
    }

    fn scenario(&mut self, file: &File, stem: &str) -> Option<Scenario> {
        let name = self.name(file.name.as_ref(), stem);
        let days = self.days(file);
        let rules = file.rules.iter().filter_map(|rule| self.rule(rule)).collect();
        if let Some((from, _)) = days {
            self.options.data_at = self.options.zone.start_of(from).plus(-1);
        }
        for (what, records) in [("customers", &file.customers), ("consents", &file.consents), ("orders", &file.orders), ("events", &file.events)] {
            if let Some(record) = records.get(MAX_RECORDS) {
                self.fault(record.span().start, format!("there are more than {MAX_RECORDS} {what}: expected a smaller scenario"));
                return None;
            }
        }
        if file.customers.is_empty() {
            self.whole("has no customers: expected at least one [[customers]] with a customer_id");
        }
        let people = self.customers(&file.customers);
        let mut customers = people.customers;
        customers.extend(self.people(&file.consents, Kinds::Consents, &people.known));
        let orders = self.orders(&file.orders, &people.known);
        let events = self.events(&file.events, &people.known);
        let expected = self.expected(file.expect.as_ref(), days, &people.known);
        let (from, until) = days?;
        Some(Scenario { file: self.file.to_owned(), name, rules, from, until, customers, suppressed: people.suppressed, orders, events, expected })
    }

    fn name(&mut self, name: Option<&Leaf>, stem: &str) -> String {
        let Some(name) = name else { return stem.to_owned() };
        match name.get_ref() {
            Value::String(text) if (1..=MAX_NAME).contains(&text.trim().chars().count()) && !text.chars().any(char::is_control) => {
                text.trim().to_owned()
            }
            other => {
                self.fault(name.span().start, format!("name: expected a text of 1 to {MAX_NAME} characters on one line, got {}", shown(other)));
                String::new()
            }
        }
    }

    fn rule(&mut self, rule: &Leaf) -> Option<(String, Place)> {
        let Value::String(name) = rule.get_ref() else {
            self.fault(rule.span().start, format!("rules: expected names of rules such as [\"win-back\"], got {}", shown(rule.get_ref())));
            return None;
        };
        Some((name.clone(), place(self.text, rule.span().start)))
    }

    fn days(&mut self, file: &File) -> Option<(NaiveDate, NaiveDate)> {
        let (from, until) = (self.day("from", file.from.as_ref()), self.day("until", file.until.as_ref()));
        let ((from, until), at) = (from.zip(until)?, file.until.as_ref()?.span().start);
        if until < from {
            self.fault(at, format!("until: {until} lies before from: {from}"));
            return None;
        }
        if days_between(from, until) >= MAX_DAYS {
            self.fault(at, format!("until: {from} to {until} are more than {MAX_DAYS} days: expected fewer"));
            return None;
        }
        Some((from, until))
    }

    fn day(&mut self, name: &str, leaf: Option<&Leaf>) -> Option<NaiveDate> {
        let Some(leaf) = leaf else {
            self.whole(&format!("has no '{name}': expected a day such as {name} = 2026-03-01"));
            return None;
        };
        let day = date(&text_of(leaf.get_ref()));
        if day.is_none() {
            self.fault(leaf.span().start, format!("{name}: expected a day such as 2026-03-01, got {}", shown(leaf.get_ref())));
        }
        day
    }
}

/// A day of the years that shops live in.
fn date(text: &str) -> Option<NaiveDate> {
    use chrono::Datelike as _;
    text.parse().ok().filter(|day: &NaiveDate| (1970..=2200).contains(&day.year()))
}

fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Datetime(moment) => moment.to_string(),
        other => other.to_string(),
    }
}

/// A value as messages show it: not whole pages.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Table(_) => "a table".to_owned(),
        Value::Datetime(moment) => moment.to_string(),
        Value::String(text) => format!("\"{}\"", text.chars().take(60).collect::<String>().escape_debug()),
        other => other.to_string(),
    }
}
