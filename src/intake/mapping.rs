//! Which column carries which field: what the user says (`--map`, `[import]`), else what usual exports suggest.

use std::collections::HashMap;

use super::IntakeError;
use super::fields::{FIELDS, Field, Kind, squash};
use super::json_lines::line_path;

/// What the user says, ours → theirs.
#[derive(Clone, Debug, Default)]
pub struct Maps {
    /// From the command line: the column must be there.
    pub asked: Vec<(String, String)>,
    /// From the configuration: counts in files that have the column.
    pub usual: Vec<(String, String)>,
}

/// The mapping of a file.
#[derive(Clone, Debug)]
pub struct Mapping {
    kind: Kind,
    told: Vec<(Field, String)>,
    columns: Vec<String>,
    chosen: [Option<usize>; FIELDS],
    ranks: HashMap<String, Option<(Field, usize)>>,
}

impl Mapping {
    /// Chooses among `columns`.
    ///
    /// # Errors
    /// [`IntakeError::Unfit`] when `maps` names a field or a column that does not exist, or when a field that every file of this kind
    /// must have has no column: lists the columns and shows what to say.
    pub fn new(kind: Kind, columns: Vec<String>, maps: &Maps) -> Result<Self, IntakeError> {
        let mut mapping = Self { kind, told: Vec::new(), columns, chosen: [None; FIELDS], ranks: HashMap::new() };
        for (ours, theirs) in &maps.asked {
            let column = mapping.column(theirs).ok_or_else(|| mapping.unfit(&format!("there is no column '{theirs}' for --map {ours}={theirs}")))?;
            mapping.tell(ours, column)?;
        }
        for (ours, theirs) in &maps.usual {
            if let Some(column) = mapping.column(theirs) {
                mapping.tell(ours, column)?;
            }
        }
        let mut best = [usize::MAX; FIELDS];
        for index in 0..mapping.columns.len() {
            let column = mapping.columns[index].clone();
            if let Some((field, rank)) = mapping.rank(&column)
                && rank < best[field as usize]
            {
                best[field as usize] = rank;
                mapping.chosen[field as usize] = Some(index);
            }
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
        let Some((field, _)) = self.kind.guess(ours) else {
            let names: Vec<&str> = self.kind.specs().iter().map(|spec| spec.1).collect();
            return Err(IntakeError::Unfit(format!("'{ours}' is nothing that {} have: expected one of {}", self.kind, names.join(", "))));
        };
        if !self.told.iter().any(|(known, _)| *known == field) {
            self.told.push((field, self.columns[column].clone()));
        }
        Ok(())
    }

    /// The field that a column carries, and how well it fits (0 best). Remembers its answers: JSON lines ask anew for each key.
    pub fn rank(&mut self, column: &str) -> Option<(Field, usize)> {
        if let Some(known) = self.ranks.get(column) {
            return *known;
        }
        let told = self.told.iter().find(|(_, theirs)| theirs == column).map(|(field, _)| (*field, 0));
        let guessed = || {
            let name = line_path(column).unwrap_or_else(|| self.shopify_name(column).to_owned());
            self.kind.guess(&name).filter(|(field, _)| !self.told.iter().any(|(known, _)| known == field))
        };
        let answer = told.or_else(guessed).map(|(field, rank)| (field, rank + usize::from(told.is_none())));
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
            Kind::Orders if lacks(&[Field::OrderedAt]) => &[Field::OrderedAt],
            Kind::Orders if lacks(&[Field::Revenue, Field::LineTotal, Field::LinePrice]) => &[Field::Revenue, Field::LineTotal, Field::LinePrice],
            _ => return Ok(()),
        };
        let names: Vec<&str> = missing.iter().map(|field| self.kind.name(*field)).collect();
        let hint = format!("no column is known as {}; say which it is, e.g. --map {}=COLUMN", names.join(" or "), names[0]);
        Err(self.unfit(&hint))
    }

    fn unfit(&self, problem: &str) -> IntakeError {
        let columns: Vec<String> = self.columns.iter().map(|column| format!("'{}'", column.trim())).collect();
        IntakeError::Unfit(format!("{problem} (columns in the file: {})", columns.join(", ")))
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

    /// The number of the column that carries the field.
    #[must_use]
    pub fn column_of(&self, field: Field) -> Option<usize> {
        self.chosen[field as usize]
    }

    /// How many columns the file has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Ours and theirs, for people.
    #[must_use]
    pub fn used(&self) -> Vec<(&'static str, &str)> {
        let place = |(field, name, _): &super::fields::Spec| self.column_of(*field).map(|column| (*name, self.columns[column].trim()));
        self.kind.specs().iter().filter_map(place).collect()
    }

    /// Columns that nothing is taken from; those of a file of refused lines are left out.
    #[must_use]
    pub fn unused(&self) -> Vec<&str> {
        let used = |index| self.chosen.contains(&Some(index));
        let columns = self.columns.iter().enumerate().filter(|(index, _)| !used(*index)).map(|(_, column)| column.trim());
        columns.filter(|column| !["line", "reason", ""].contains(column)).collect()
    }
}
