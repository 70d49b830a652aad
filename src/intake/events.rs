//! Rows become events: survey answers and whatever else happened to customers.

use std::io::Read;

use super::cells::Cells;
use super::fields::{Field, Kind};
use super::mapping::Maps;
use super::rows::{Next, Row, Rows};
use super::{Found, IntakeError, Options, Refused};
use crate::model::event::{self, NewEvent, Survey};

/// Decodes a file of events.
#[derive(Debug)]
pub struct Events {
    rows: Rows,
    options: Options,
}

impl Events {
    /// Looks at the file's form and columns.
    ///
    /// # Errors
    /// As [`Rows::open`].
    pub fn open(input: Box<dyn Read + Send>, maps: &Maps, options: Options) -> Result<Self, IntakeError> {
        Ok(Self { rows: Rows::open(input, Kind::Events, maps)?, options })
    }

    /// Form and mapping of the file.
    #[must_use]
    pub fn rows(&self) -> &Rows {
        &self.rows
    }
}

impl Iterator for Events {
    type Item = Result<Found<NewEvent>, IntakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.rows.next_row() {
            Err(error) => Some(Err(error.into())),
            Ok(Next::End) => None,
            Ok(Next::Refused(refused)) => Some(Ok(Found::Refused(vec![refused]))),
            Ok(Next::Row(row)) => Some(Ok(match event(&row, self.rows.mapping.event_kind(), &self.options) {
                Ok(event) => Found::Record(event),
                Err(reason) => Found::Refused(vec![Refused { line: row.line, reason, raw: row.raw }]),
            })),
        }
    }
}

/// `kind` is what all events of the file are.
fn event(row: &Row, kind: Option<&str>, options: &Options) -> Result<NewEvent, String> {
    let cells = Cells { row, kind: Kind::Events, options };
    let address = cells.email()?.flatten();
    let key = match (cells.key(Field::CustomerId)?, &address) {
        (Some(key), _) => key,
        (None, Some(address)) => address.key(),
        (None, None) => return Err("customer_id: empty: expected the shop's number of the customer, or an email address in its place".to_owned()),
    };
    let customer_external_id = options.external_id(&key);
    let kind = event::kind(kind.or_else(|| row.value(Field::EventKind)).unwrap_or_default()).map_err(|problem| format!("kind: {problem}"))?;
    let mut value = cells.word(Field::Value);
    if let Some(survey) = Survey::of_kind(&kind) {
        let answer = survey.answer(value.as_deref().unwrap_or_default()).map_err(|problem| format!("value: {problem}"))?;
        value = Some(answer.to_string());
    }
    let at = cells.moment(Field::At)?.ok_or("at: empty: expected when it happened")?;
    // A row that names only the customer says nothing about the person.
    let customer = address.is_some().then(|| cells.person(customer_external_id.clone(), None)).transpose()?.map(Box::new);
    let event = NewEvent { external_id: String::new(), customer_external_id, customer, kind, value, at };
    let key = cells.key(Field::EventId)?.unwrap_or_else(|| event.content_key());
    Ok(NewEvent { external_id: options.external_id(&key), ..event })
}
