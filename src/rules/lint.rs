//! Checks a file's outline before it runs: unknown names with the nearest known one, wrong numbers of arguments, writing to the customer.

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};

use rhai::Dynamic;

use super::internals::{Call, Code, Compared, Function, Known, Place, Property, Side};
use super::modules::{Unit, Units};
use super::registry;
use super::suggest::hint;
use super::{builder, score_verbs, words};
use crate::model::fact::{About, Fact, Kind, Takes};
use crate::model::fault::FileFault;

/// Functions that the language itself knows.
const LANGUAGE: [&str; 7] = ["Fn", "call", "curry", "type_of", "is_shared", "is_def_var", "is_def_fn"];

/// All faults of a file.
pub(super) fn check(unit: &Unit, units: &Units, known: &Known) -> Vec<FileFault> {
    let mut lint = Lint { unit, units, known, faults: Vec::new(), keys: BTreeSet::new(), customers: BTreeSet::new() };
    let outline = &unit.outline;
    for code in outline.functions.iter().map(|function| &function.code).chain([&outline.top]) {
        lint.keys.extend(code.keys.iter().map(String::as_str));
        let handed = code.handed.iter().filter(|(verb, _)| takes_customer(verb));
        lint.customers.extend(handed.map(|(_, closure)| closure.as_str()));
    }
    lint.code(&outline.top, None);
    for function in &outline.functions {
        lint.function(function);
        lint.code(&function.code, Some(function));
    }
    lint.faults
}

/// Verbs of rules and of own scores whose closure gets the customer.
fn takes_customer(verb: &str) -> bool {
    builder::TAKES_CUSTOMER.contains(&verb) || score_verbs::TAKES_CUSTOMER.contains(&verb)
}

/// Methods that call a closure and do not keep it.
const CALL_AT_ONCE: [&str; 18] = [
    "all",
    "dedup",
    "drain",
    "filter",
    "find",
    "find_map",
    "for_each",
    "index_of",
    "map",
    "order",
    "order_by",
    "reduce",
    "reduce_rev",
    "retain",
    "some",
    "sort",
    "sort_by",
    "zip",
];
/// Most faults that are looked for in one file.
const MAX_FAULTS: usize = 200;

/// Closures that are not handed over at once. A value that holds closures that hold values … grows beyond every limit, and one that holds itself is never
/// freed; and a map that holds a closure is asked before the methods that do not keep one.
pub(super) fn held_closures(unit: &Unit) -> Vec<FileFault> {
    let outline = &unit.outline;
    let closures = outline.functions.iter().map(|function| &function.code).chain([&outline.top]).flat_map(|code| &code.closures);
    let own = |name: &str| outline.functions.iter().any(|function| function.name == name);
    let taken = |to: &str| (takes_customer(to) || CALL_AT_ONCE.contains(&to)) && !own(to);
    let held = closures.filter(|closure| !closure.handed_to.as_deref().is_some_and(taken));
    let problem = "a closure stands right where it is used, as in .when(|c| …): what is used several times is a function, as in fn loyal(c) { … }";
    held.map(|closure| FileFault::new(&unit.file, closure.at, problem)).collect()
}

struct Lint<'a> {
    unit: &'a Unit,
    units: &'a Units,
    known: &'a Known,
    faults: Vec<FileFault>,
    /// Keys of maps anywhere in the file: any value but the customer may have them as properties.
    keys: BTreeSet<&'a str>,
    /// Closures that get the customer.
    customers: BTreeSet<&'a str>,
}

impl<'a> Lint<'a> {
    fn fault(&mut self, at: Place, message: String) {
        self.faults.push(FileFault::new(&self.unit.file, at, message));
    }

    /// The variable that is the customer in this function for sure.
    fn customer(&self, function: Option<&'a Function>) -> Option<&'a str> {
        let function = function.filter(|function| self.customers.contains(function.name.as_str()))?;
        function.parameters.last().map(String::as_str)
    }

    fn function(&mut self, function: &'a Function) {
        if function.is_closure() || !self.known.functions.contains_key(&function.name) {
            return;
        }
        let line = self.unit.text.lines().nth(function.at.0.saturating_sub(1)).unwrap_or_default();
        let column = line.find(&format!("fn {}", function.name)).map_or(function.at.1, |bytes| line[..bytes].chars().count() + 1);
        self.fault((function.at.0, column), format!("fn '{}' hides a built-in of the same name: give it another name", function.name));
    }

    fn code(&mut self, code: &'a Code, function: Option<&'a Function>) {
        let customer = self.customer(function);
        for property in &code.properties {
            if self.faults.len() < MAX_FAULTS {
                self.property(property, customer);
            }
        }
        for call in &code.calls {
            if self.faults.len() >= MAX_FAULTS {
                return;
            }
            match (&call.module, call.method) {
                (Some(alias), _) => self.module_call(call, alias),
                (None, true) => self.method(call, customer),
                (None, false) => self.call(call),
            }
        }
        for import in &code.imports {
            let problem = match &import.name {
                _ if function.is_some() => "import stands at the top of the file, not in a function or closure".to_owned(),
                None => "import needs a plain text: import \"helpers\" as helpers;".to_owned(),
                Some(name) if !self.units.contains(name) => format!(
                    "there is no module '{name}' in the rules' folder: expected the name of a .rhai file there, without the ending{}",
                    hint(name, self.units.names(), "")
                ),
                Some(_) => continue,
            };
            self.fault(import.at, problem);
        }
        for (variable, at) in &code.assigned {
            if function.is_some_and(|function| function.is_closure() && function.parameters.last() == Some(variable)) {
                self.fault(*at, format!("'{variable}' cannot be changed: = assigns, == compares"));
            }
        }
        for compared in &code.compared {
            if self.faults.len() < MAX_FAULTS {
                self.comparison(compared, function);
            }
        }
    }

    fn property(&mut self, property: &Property, customer: Option<&str>) {
        let of_customer = customer.is_some() && property.of.as_deref() == customer;
        let name = property.name.as_str();
        let other = self.known.properties.contains(name) || self.keys.contains(name);
        if Fact::field(name).is_some() || other && !of_customer {
            return;
        }
        let told = if of_customer || property.of.is_some() {
            registry::unknown_field(name)
        } else {
            format!("unknown property '{name}'{}", hint(name, self.known.properties.iter().map(String::as_str), ""))
        };
        self.fault(property.at, told);
    }

    fn method(&mut self, call: &Call, customer: Option<&str>) {
        let (name, arguments) = (call.name.as_str(), call.arguments);
        if builder::LATER.contains(&name) {
            let there_is = words::verbs().map(|verb| format!(".{verb}")).collect::<Vec<_>>().join(" ");
            return self.fault(call.at, format!("'.{name}' is not there yet: rules run on a schedule; there is {there_is}"));
        }
        if let (true, "has", Some(field)) = (customer.is_some() && call.of.as_deref() == customer, name, &call.text)
            && Fact::field(field).is_none()
        {
            return self.fault(call.at, registry::unknown_field(field));
        }
        let scripted = |arguments| self.unit.outline.functions.iter().any(|function| function.name == name && function.parameters.len() == arguments);
        if name == Fact::Score.about().name && arguments == 1 && call.text.is_none() {
            return self.fault(call.at, "score(…): the name stands there in quotes, as in c.score(\"lead\"), so that it can be checked".to_owned());
        }
        if LANGUAGE.contains(&name) || self.keys.contains(name) || scripted(arguments) || scripted(arguments + 1) {
            return;
        }
        let problem = match self.known.functions.get(name) {
            None if Fact::field(name).is_some() => format!("'{name}' is a field, not a method: write it without ()"),
            None => format!("unknown method '.{name}'{}", hint(name, self.names(), ".")),
            Some(counts) if counts.contains(&(arguments + 1)) => return,
            Some(counts) => wrong_count(&format!(".{name}"), counts.iter().map(|count| count.saturating_sub(1)).collect(), arguments),
        };
        self.fault(call.at, problem);
    }

    fn call(&mut self, call: &Call) {
        let (name, arguments) = (call.name.as_str(), call.arguments);
        let own = || self.unit.outline.functions.iter().filter(|function| function.name == name);
        if LANGUAGE.contains(&name) || own().any(|function| function.parameters.len() == arguments) {
            return;
        }
        let mut counts: BTreeSet<usize> = own().map(|function| function.parameters.len()).collect();
        counts.extend(self.known.functions.get(name).into_iter().flatten());
        if counts.is_empty() {
            let names = self.names().chain(self.unit.outline.functions.iter().map(|function| function.name.as_str()));
            self.fault(call.at, format!("unknown function '{name}'{}", hint(name, names, "")));
        } else if !counts.contains(&arguments) {
            self.fault(call.at, wrong_count(name, counts, arguments));
        }
    }

    fn module_call(&mut self, call: &Call, alias: &str) {
        // `global::`, and modules that are missing, are somebody else's to report.
        let Some((module, unit)) = self.unit.module_of(alias).and_then(|module| Some((module, self.units.get(module)?))) else { return };
        let named = || unit.outline.functions.iter().filter(|function| !function.is_closure());
        let counts: BTreeSet<usize> = named().filter(|function| function.name == call.name).map(|function| function.parameters.len()).collect();
        if counts.is_empty() {
            let names = named().map(|function| function.name.as_str());
            self.fault(call.at, format!("module '{module}' has no function '{}'{}", call.name, hint(&call.name, names, "")));
        } else if !counts.contains(&call.arguments) {
            self.fault(call.at, wrong_count(&format!("{alias}::{}", call.name), counts, call.arguments));
        }
    }

    /// A number never equals a text; Rhai would quietly say false.
    fn comparison(&mut self, compared: &Compared, function: Option<&Function>) {
        let Compared { left, right, operator, at } = compared;
        let (one, other) = (self.side(left, function), self.side(right, function));
        let of_customer = |side: &Told| side.field.is_some();
        if let (Side::Field { variable, property }, "!=", true) = (right, operator.as_str(), other.as_ref().is_some_and(of_customer))
            && !matches!(left, Side::Field { .. } | Side::Asked { .. } | Side::Unknown)
        {
            // A missing value on the right cannot be told from the question whether there is one.
            return self.fault(*at, format!("the field stands before '!=': {variable}.{property} != …"));
        }
        let (Some(one), Some(other)) = (one, other) else { return };
        if !of_customer(&one) && !of_customer(&other) {
            let kinds = [one.kind, other.kind];
            if ["<", "<=", ">", ">="].contains(&operator.as_str()) && kinds.contains(&Some(Kind::Flag)) && kinds.contains(&Some(Kind::Whole)) {
                let problem =
                    "a comparison gives true or false, which is never less or more than a number: expected two, as in c.orders > 2 && c.orders < 5";
                self.fault(*at, problem.to_owned());
            }
            return;
        }
        let alike = match (one.kind, other.kind) {
            (None, _) | (_, None) => false,
            (Some(item), Some(Kind::Texts)) if operator == "in" => item == Kind::Text,
            (Some(Kind::Whole | Kind::Decimal), Some(Kind::Whole | Kind::Decimal)) | (Some(Kind::Any), _) | (_, Some(Kind::Any)) => true,
            (one, other) => one == other,
        };
        if alike {
            return;
        }
        let (this, that) = if of_customer(&one) { (one, other) } else { (other, one) };
        let told = match operator.as_str() {
            "!=" => "they always differ",
            "??" => "what counts when it is missing is of the same kind",
            _ => "that is never true",
        };
        let example = this.field.map(|field| format!("; e.g. {}", field.example)).unwrap_or_default();
        let word = if operator == "??" { "gets" } else { "is compared with" };
        let kind = this.kind.map_or("no value", what);
        self.fault(*at, format!("{} is {kind} and {word} {}: {told}{example}", this.name, that.words));
    }

    /// What a side of a comparison is; `None` when the text does not tell.
    fn side(&self, side: &Side, function: Option<&Function>) -> Option<Told> {
        let value = |name: String, literal: &Dynamic| {
            let kind = match literal {
                _ if literal.is_string() || literal.is_char() => Some(Kind::Text),
                _ if literal.is_int() || literal.is_decimal() => Some(Kind::Whole),
                _ if literal.is_bool() => Some(Kind::Flag),
                _ if literal.is_array() => Some(Kind::Texts),
                _ if literal.is::<Range<i64>>() || literal.is::<RangeInclusive<i64>>() => None,
                _ => return None,
            };
            Some(Told { words: format!("{name}{}", super::helpers::kind(literal)), name, kind, field: None })
        };
        let fact = |variable: &String, fact: Option<Fact>| {
            let about = function.filter(|function| function.parameters.contains(variable)).and(fact).map(Fact::about)?;
            let name = format!("'{}'", about.name);
            Some(Told { words: format!("{name}, which is {}", what(about.kind)), name, kind: Some(about.kind), field: Some(about) })
        };
        match side {
            Side::Field { variable, property } => fact(variable, Fact::field(property)),
            Side::Asked { variable, name } => fact(variable, Fact::named(name).filter(|fact| fact.about().takes != Takes::Nothing)),
            Side::Value(literal) => value(String::new(), literal),
            Side::Name(name) => {
                // What a closure captures is among its parameters; other functions do not see constants.
                let captures =
                    function.is_some_and(|function| self.customers.contains(function.name.as_str()) && function.parameters.last() != Some(name));
                self.unit.outline.constants.get(name).filter(|_| captures).and_then(|literal| value(format!("'{name}', "), literal))
            }
            Side::Made(kind) => Some(Told { words: what(*kind).to_owned(), name: String::new(), kind: Some(*kind), field: None }),
            Side::Thing(words) => Some(Told { words: (*words).to_owned(), name: String::new(), kind: None, field: None }),
            Side::Unknown => None,
        }
    }

    /// Names of all functions that are no operators.
    fn names(&self) -> impl Iterator<Item = &'a str> {
        self.known.functions.keys().map(String::as_str).filter(|name| name.starts_with(|c: char| c.is_ascii_alphabetic()) && !name.contains('$'))
    }
}

/// A side of a comparison.
struct Told {
    name: String,
    /// As the other side of a sentence.
    words: String,
    /// `None`: what no fact ever is.
    kind: Option<Kind>,
    field: Option<&'static About>,
}

fn what(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Whole | Kind::Decimal => "a number",
        Kind::Flag => "true or false",
        Kind::Texts => "a list",
        Kind::Any => "a text, a number, or true or false",
    }
}

fn wrong_count(name: &str, counts: BTreeSet<usize>, got: usize) -> String {
    let counts: Vec<String> = counts.into_iter().map(|count| count.to_string()).collect();
    format!("'{name}' takes {} argument{}, not {got}", counts.join(" or "), if counts == ["1"] { "" } else { "s" })
}
