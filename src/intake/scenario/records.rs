//! The customers, consents, orders and events of a scenario: lines of JSON for the decoders of imports, and their sentences at the place in the scenario.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use std::sync::Arc;

use serde_json::{Map, Number, Value as Json};
use toml::{Spanned, Value};

use super::{Leaf, Reader, shown, text_of};
use crate::base::suggest::hint;
use crate::base::time::UnixMs;
use crate::intake::customers::Customers;
use crate::intake::events::Events;
use crate::intake::fields::Kind;
use crate::intake::mapping::Maps;
use crate::intake::orders::Orders;
use crate::intake::{Found, IntakeError, Refused};
use crate::model::customer::NewCustomer;
use crate::model::event::NewEvent;
use crate::model::order::NewOrder;

/// Keys with their places.
pub(super) type Record = BTreeMap<Spanned<String>, Leaf>;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kinds {
    /// `[[customers]]`.
    Customers,
    /// `[[consents]]`: what customers said besides.
    Consents,
    /// `[[orders]]`.
    Orders,
    /// `[[events]]`.
    Events,
}

/// Since when the address is on the suppression list; no column of an import.
const SUPPRESSED_AT: &str = "suppressed_at";
/// What the shop's key may have besides letters and digits.
const MARKS: &str = "-_.@+#:/";
/// The lines of an order.
const LINES: &str = "lines";

impl Kinds {
    fn import(self) -> Kind {
        match self {
            Self::Customers | Self::Consents => Kind::Customers,
            Self::Orders => Kind::Orders,
            Self::Events => Kind::Events,
        }
    }

    fn required(self) -> &'static [&'static str] {
        match self {
            Self::Customers => &["customer_id"],
            Self::Consents => &["customer_id", "consent", "consent_at"],
            Self::Orders => &["customer_id", "ordered_at"],
            Self::Events => &["customer_id", "kind", "at"],
        }
    }

    fn known<'a>(self) -> Vec<&'a str> {
        let columns = || self.import().specs().iter().map(|(_, name, _)| *name);
        match self {
            Self::Customers => columns().chain([SUPPRESSED_AT]).collect(),
            Self::Consents => columns().filter(|name| name.starts_with("consent") || *name == "customer_id").collect(),
            Self::Orders => columns().filter(|name| !name.starts_with("line_")).chain([LINES]).collect(),
            Self::Events => columns().collect(),
        }
    }
}

/// The customers of a scenario.
pub(super) struct People {
    pub customers: Vec<NewCustomer>,
    pub suppressed: Vec<(String, UnixMs)>,
    /// The shop's keys.
    pub known: BTreeSet<String>,
}

impl Reader<'_> {
    pub(super) fn customers(&mut self, records: &[Spanned<Record>]) -> People {
        let mut people = People { customers: Vec::new(), suppressed: Vec::new(), known: BTreeSet::new() };
        for record in records {
            let Some((at, id)) = record.get_ref().get_key_value("customer_id").map(|(_, leaf)| (leaf.span().start, text_of(leaf.get_ref()))) else {
                continue;
            };
            if !(1..=200).contains(&id.len()) || !id.chars().all(|c| c.is_alphanumeric() || MARKS.contains(c)) {
                let problem = format!("customer_id: expected 1 to 200 letters, digits and {MARKS}, so that the lines of 'expect' can name it");
                self.fault(at, problem);
            } else if !people.known.insert(id.clone()) {
                self.fault(at, format!("customer_id: there are two customers '{id}'"));
            } else if let Some(leaf) = record.get_ref().get(SUPPRESSED_AT) {
                let moment = self.options.zone.parse_time(&text_of(leaf.get_ref()));
                if let Ok(moment) = moment {
                    people.suppressed.push((id, moment));
                } else {
                    let problem = format!("{SUPPRESSED_AT}: expected a day such as 2026-03-01, got {}", shown(leaf.get_ref()));
                    self.fault(leaf.span().start, problem);
                }
            }
        }
        let known = people.known.clone();
        people.customers = self.people(records, Kinds::Customers, &known);
        people
    }

    pub(super) fn people(&mut self, records: &[Spanned<Record>], kind: Kinds, known: &BTreeSet<String>) -> Vec<NewCustomer> {
        self.decoded(records, kind, known, Customers::open)
    }

    pub(super) fn orders(&mut self, records: &[Spanned<Record>], known: &BTreeSet<String>) -> Vec<NewOrder> {
        self.decoded(records, Kinds::Orders, known, Orders::open)
    }

    pub(super) fn events(&mut self, records: &[Spanned<Record>], known: &BTreeSet<String>) -> Vec<NewEvent> {
        self.decoded(records, Kinds::Events, known, Events::open)
    }

    /// Gives the records to a decoder of imports, one JSON object a line.
    fn decoded<T, D: Iterator<Item = Result<Found<T>, IntakeError>>>(
        &mut self,
        records: &[Spanned<Record>],
        kind: Kinds,
        known: &BTreeSet<String>,
        open: impl FnOnce(Box<dyn Read + Send>, &Maps, crate::intake::Options) -> Result<D, IntakeError>,
    ) -> Vec<T> {
        let (mut text, mut given) = (String::new(), Vec::new());
        for record in records {
            if let Some(object) = self.object(record, kind, known) {
                text.push_str(&Json::Object(object).to_string());
                text.push('\n');
                given.push(record);
            }
        }
        if given.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        let maps = Maps { attributes: Arc::clone(&self.own), ..Maps::default() };
        let decoder = match open(Box::new(Cursor::new(text.into_bytes())), &maps, self.options.clone()) {
            Ok(decoder) => decoder,
            Err(error) => {
                self.fault(given[0].span().start, error.to_string());
                return found;
            }
        };
        for next in decoder {
            match next {
                Ok(Found::Record(record)) => found.push(record),
                Ok(Found::Refused(refused)) => refused.iter().for_each(|refused| self.refused(refused, &given)),
                Err(error) => self.fault(given[0].span().start, error.to_string()),
            }
        }
        found
    }

    /// A decoder's sentence begins with the column that it means.
    fn refused(&mut self, refused: &Refused, given: &[&Spanned<Record>]) {
        let record = usize::try_from(refused.line).ok().and_then(|line| given.get(line.checked_sub(1)?));
        let Some(record) = record else { return self.whole(&refused.reason) };
        let column = refused.reason.split(':').next().unwrap_or_default();
        let byte = record.get_ref().get(column).map_or(record.span().start, |leaf| leaf.span().start);
        self.fault(byte, refused.reason.clone());
    }

    fn object(&mut self, record: &Spanned<Record>, kind: Kinds, known: &BTreeSet<String>) -> Option<Map<String, Json>> {
        let (before, own) = (self.faults.len(), Arc::clone(&self.own));
        let mut columns = kind.known();
        if kind == Kinds::Customers {
            columns.extend(own.iter().map(|declared| declared.name.as_str()));
        }
        let mut object = Map::new();
        for (key, leaf) in record.get_ref() {
            let name = key.get_ref().as_str();
            if !columns.contains(&name) {
                let problem = format!("unknown key '{name}': expected one of {}{}", columns.join(", "), hint(name, columns.iter().copied(), ""));
                self.fault(key.span().start, problem);
            } else if name == LINES {
                self.check_lines(leaf);
            } else if matches!(leaf.get_ref(), Value::Table(_)) || holds_tables(leaf.get_ref()) {
                self.fault(leaf.span().start, format!("{name}: expected a value, got {}", shown(leaf.get_ref())));
            }
            if name != SUPPRESSED_AT {
                object.insert(name.to_owned(), json(leaf.get_ref()));
            }
        }
        for required in kind.required() {
            if !record.get_ref().contains_key(*required) {
                self.fault(record.span().start, format!("{required}: missing"));
            }
        }
        let whose = record.get_ref().get("customer_id").map(|leaf| (leaf.span().start, text_of(leaf.get_ref())));
        if let (Some((at, id)), true) = (&whose, kind != Kinds::Customers)
            && !known.contains(id)
        {
            self.fault(
                *at,
                format!("customer_id: there is no customer '{id}' among [[customers]]{}", hint(id, known.iter().map(String::as_str), "")),
            );
        }
        if kind == Kinds::Customers && !object.contains_key("email") {
            // Whoever has no address cannot be written to; a scenario that does not care has one.
            object.insert("email".to_owned(), Json::from(format!("customer-{}@customer.example", record.span().start)));
        }
        (self.faults.len() == before).then_some(object)
    }

    fn check_lines(&mut self, leaf: &Leaf) {
        let tables: Option<Vec<_>> = leaf.get_ref().as_array().map(|list| list.iter().map(Value::as_table).collect()).unwrap_or_default();
        let Some(tables) = tables.filter(|tables| !tables.is_empty()) else {
            let problem = format!("{LINES}: expected a list such as [{{ sku = \"A1\", total = 5.00 }}], got {}", shown(leaf.get_ref()));
            return self.fault(leaf.span().start, problem);
        };
        let column = |key: &str| Kind::Orders.specs().iter().any(|(_, name, _)| name.strip_prefix("line_") == Some(key));
        for key in tables.into_iter().flat_map(toml::Table::keys).filter(|key| !column(key)) {
            let columns: Vec<&str> = Kind::Orders.specs().iter().filter_map(|(_, name, _)| name.strip_prefix("line_")).collect();
            let problem = format!("{LINES}: unknown key '{key}': expected one of {}{}", columns.join(", "), hint(key, columns.iter().copied(), ""));
            self.fault(leaf.span().start, problem);
        }
    }
}

fn holds_tables(value: &Value) -> bool {
    value.as_array().is_some_and(|list| list.iter().any(|item| item.is_table() || item.is_array()))
}

fn json(value: &Value) -> Json {
    match value {
        Value::String(text) => Json::from(text.as_str()),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => Number::from_f64(*number).map_or_else(|| Json::from(number.to_string()), Json::Number),
        Value::Boolean(flag) => Json::from(*flag),
        Value::Datetime(moment) => Json::from(moment.to_string()),
        Value::Array(list) => list.iter().map(json).collect(),
        Value::Table(table) => Json::Object(table.iter().map(|(key, value)| (key.clone(), json(value))).collect()),
    }
}
