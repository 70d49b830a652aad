//! Which column carries which field: what the user says (`--map`, `[import]`), else what usual exports suggest.

use std::collections::HashMap;
use std::sync::Arc;

use super::IntakeError;
use super::fields::{FIELDS, Field, Kind, squash};
use super::json_lines::line_path;
use crate::model::attribute::Declared;

/// Characters of a column's name that are shown.
const MAX_SHOWN: usize = 80;

/// What the user says, ours → theirs.
#[derive(Clone, Debug, Default)]
pub struct Maps {
    /// From the command line: the column must be there.
    pub asked: Vec<(String, String)>,
    /// From the configuration: counts in files that have the column.
    pub usual: Vec<(String, String)>,
    /// Own facts of customers; a column of that name carries them.
    pub attributes: Arc<[Declared]>,
    /// What all events of the file are, whatever its columns say.
    pub event_kind: Option<String>,
}

/// The mapping of a file.
#[derive(Clone, Debug)]
pub struct Mapping {
    kind: Kind,
    attributes: Arc<[Declared]>,
    /// What all events are.
    event_kind: Option<String>,
    told: Vec<(Slot, String)>,
    columns: Vec<String>,
    chosen: Vec<Option<usize>>,
    ranks: HashMap<String, Option<(Slot, usize)>>,
}

/// The place of a cell in a row: a field's number, behind them the attributes in their order.
pub type Slot = usize;

impl Mapping {
    /// Chooses among `columns`.
    ///
    /// # Errors
    /// [`IntakeError::Unfit`] when `maps` names a field or a column that does not exist, or when a field that every file of this kind
    /// must have has no column: lists the columns and shows what to say.
    pub fn new(kind: Kind, columns: Vec<String>, maps: &Maps) -> Result<Self, IntakeError> {
        let attributes = if kind == Kind::Customers { Arc::clone(&maps.attributes) } else { Arc::default() };
        let chosen = vec![None; FIELDS + attributes.len()];
        let event_kind = maps.event_kind.clone();
        if event_kind.is_some() && kind != Kind::Events {
            return Err(IntakeError::Unfit(format!("--kind says what events are: {kind} have none")));
        }
        let mut mapping = Self { kind, attributes, event_kind, told: Vec::new(), columns, chosen, ranks: HashMap::new() };
        for (ours, theirs) in &maps.asked {
            let column = mapping.column(theirs).ok_or_else(|| mapping.unfit(&format!("there is no column '{theirs}' for --map {ours}={theirs}")))?;
            mapping.tell(ours, column)?;
        }
        for (ours, theirs) in &maps.usual {
            if let Some(column) = mapping.column(theirs) {
                mapping.tell(ours, column)?;
            }
        }
        let mut best = vec![usize::MAX; mapping.slots()];
        for index in 0..mapping.columns.len() {
            let column = mapping.columns[index].clone();
            if let Some((slot, rank)) = mapping.rank(&column)
                && rank < best[slot]
            {
                best[slot] = rank;
                mapping.chosen[slot] = Some(index);
            }
        }
        if mapping.event_kind.is_some() {
            let told = |(ours, _): &&(String, String)| mapping.guess(ours).is_some_and(|(slot, _)| slot == Field::EventKind as Slot);
            if let Some((ours, theirs)) = maps.asked.iter().find(told) {
                return Err(IntakeError::Unfit(format!(
                    "--kind says what all events are, --map {ours}={theirs} that a column does: expected one of them"
                )));
            }
            mapping.chosen[Field::EventKind as Slot] = None;
        }
        mapping.check()?;
        Ok(mapping)
    }

    fn column(&self, theirs: &str) -> Option<usize> {
        let exact = self.columns.iter().position(|column| column.trim() == theirs.trim());
        exact.or_else(|| self.columns.iter().position(|column| squash(column) == squash(theirs) && !squash(theirs).is_empty()))
    }

    /// The first to speak about a field is heard: the command line before the configuration.
    fn tell(&mut self, ours: &str, column: usize) -> Result<(), IntakeError> {
        let (slot, _) = self.guess(ours).ok_or_else(|| nothing(self.kind, &self.attributes, ours))?;
        if !self.told.iter().any(|(known, _)| *known == slot) {
            self.told.push((slot, self.columns[column].clone()));
        }
        Ok(())
    }

    fn guess(&self, name: &str) -> Option<(Slot, usize)> {
        guess(self.kind, &self.attributes, name)
    }

    /// How many cells a row has.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.chosen.len()
    }

    /// Own facts, in the order of their slots.
    #[must_use]
    pub fn attributes(&self) -> &[Declared] {
        &self.attributes
    }

    /// What a column carries, and how well it fits (0 best). Remembers its answers: JSON lines ask anew for each key.
    pub fn rank(&mut self, column: &str) -> Option<(Slot, usize)> {
        if let Some(known) = self.ranks.get(column) {
            return *known;
        }
        let told = self.told.iter().find(|(_, theirs)| theirs == column).map(|(slot, _)| (*slot, 0));
        let guessed = || {
            let name = line_path(column).unwrap_or_else(|| self.shopify_name(column).to_owned());
            self.guess(&name).filter(|(slot, _)| !self.told.iter().any(|(known, _)| known == slot))
        };
        let answer = told.or_else(guessed).map(|(slot, rank)| (slot, rank + usize::from(told.is_none())));
        // A hostile file with new keys in every line must not fill the memory.
        if self.ranks.len() < 10_000 {
            self.ranks.insert(column.to_owned(), answer);
        }
        answer
    }

    /// `Name` is the order's number where Shopify exports orders, and a person's elsewhere.
    fn shopify_name<'a>(&self, column: &'a str) -> &'a str {
        let shopify =
            self.kind == Kind::Orders && column == "Name" && self.columns.iter().any(|other| other == "Lineitem name" || other == "Financial Status");
        if shopify { "order_name" } else { column }
    }

    fn check(&self) -> Result<(), IntakeError> {
        let lacks = |fields: &[Field]| fields.iter().all(|field| !self.has(*field));
        let missing: &[Field] = match self.kind {
            _ if lacks(&[Field::CustomerId, Field::Email]) => &[Field::CustomerId, Field::Email],
            Kind::Events if lacks(&[Field::EventKind]) && self.event_kind.is_none() => &[Field::EventKind],
            Kind::Events if lacks(&[Field::At]) => &[Field::At],
            Kind::Orders if lacks(&[Field::OrderedAt]) => &[Field::OrderedAt],
            Kind::Orders if lacks(&[Field::Revenue, Field::LineTotal, Field::LinePrice]) => &[Field::Revenue, Field::LineTotal, Field::LinePrice],
            _ => return Ok(()),
        };
        let names: Vec<&str> = missing.iter().map(|field| self.kind.name(*field)).collect();
        let constant = if missing == [Field::EventKind] { ", or what all of them are, e.g. --kind nps" } else { "" };
        let hint = format!("no column is known as {}; say which it is, e.g. --map {}=COLUMN{constant}", names.join(" or "), names[0]);
        Err(self.unfit(&hint))
    }

    fn unfit(&self, problem: &str) -> IntakeError {
        let columns: Vec<String> = self.columns.iter().map(|column| format!("'{}'", shown(column))).collect();
        IntakeError::Unfit(format!("{problem} (columns in the file: {})", columns.join(", ")))
    }

    /// What all events of the file are; `None`: a column says it.
    #[must_use]
    pub fn event_kind(&self) -> Option<&str> {
        self.event_kind.as_deref()
    }

    /// What the file is about.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether a column carries the field.
    #[must_use]
    pub fn has(&self, field: Field) -> bool {
        self.chosen[field as usize].is_some()
    }

    /// The numbers of the columns that carry the slots.
    #[must_use]
    pub fn chosen(&self) -> &[Option<usize>] {
        &self.chosen
    }

    /// How many columns the file has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Ours and theirs, for people.
    #[must_use]
    pub fn used(&self) -> Vec<(&str, String)> {
        let fields = self.kind.specs().iter().map(|(field, name, _)| (*field as Slot, *name));
        let own = self.attributes.iter().enumerate().map(|(place, declared)| (FIELDS + place, declared.name.as_str()));
        fields.chain(own).filter_map(|(slot, name)| Some((name, shown(&self.columns[self.chosen[slot]?])))).collect()
    }

    /// Columns that nothing is taken from; those of a file of refused lines are left out.
    #[must_use]
    pub fn unused(&self) -> Vec<String> {
        let used = |index| self.chosen.contains(&Some(index));
        let columns = self.columns.iter().enumerate().filter(|(index, _)| !used(*index)).map(|(_, column)| column.trim());
        columns.filter(|column| !["line", "reason", ""].contains(column)).map(shown).collect()
    }
}

/// What a name stands for: an attribute goes before what a field is also called.
fn guess(kind: Kind, attributes: &[Declared], name: &str) -> Option<(Slot, usize)> {
    let wanted = squash(name.strip_prefix("attributes.").unwrap_or(name));
    let own = attributes.iter().position(|declared| squash(&declared.name) == wanted);
    own.map(|place| (FIELDS + place, 0)).or_else(|| kind.guess(name).map(|(field, rank)| (field as Slot, rank)))
}

fn nothing(kind: Kind, attributes: &[Declared], name: &str) -> IntakeError {
    let own = attributes.iter().map(|declared| declared.name.as_str());
    let names: Vec<&str> = kind.specs().iter().map(|spec| spec.1).chain(own).collect();
    IntakeError::Unfit(format!("'{name}' is nothing that {kind} have: expected one of {}", names.join(", ")))
}

/// Looks at the names that a configuration gives to columns, which a file may lack: a slip would only show where one has them.
///
/// # Errors
/// As [`Mapping::new`], for the first name that is nothing.
pub fn check_names<'a>(kind: Kind, attributes: &[Declared], mut names: impl Iterator<Item = &'a str>) -> Result<(), IntakeError> {
    let attributes = if kind == Kind::Customers { attributes } else { &[] };
    names.find(|name| guess(kind, attributes, name).is_none()).map_or(Ok(()), |name| Err(nothing(kind, attributes, name)))
}

/// A column's name for people: what a file says must not steer a terminal, and need not fill it.
fn shown(column: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    let mut name: String = column.trim().chars().take(MAX_SHOWN).map(visible).collect();
    if column.trim().chars().count() > MAX_SHOWN {
        name.push('…');
    }
    name
}
