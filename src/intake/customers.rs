//! Rows become customers.

use std::io::Read;

use super::cells::Cells;
use super::fields::{Field, Kind};
use super::mapping::Maps;
use super::rows::{Next, Row, Rows};
use super::{Found, IntakeError, Options, Refused};
use crate::model::attribute::Declared;
use crate::model::customer::NewCustomer;

/// Decodes a file of customers.
#[derive(Debug)]
pub struct Customers {
    rows: Rows,
    options: Options,
}

impl Customers {
    /// Looks at the file's form and columns.
    ///
    /// # Errors
    /// As [`Rows::open`].
    pub fn open(input: Box<dyn Read + Send>, maps: &Maps, options: Options) -> Result<Self, IntakeError> {
        Ok(Self { rows: Rows::open(input, Kind::Customers, maps)?, options })
    }

    /// Form and mapping of the file.
    #[must_use]
    pub fn rows(&self) -> &Rows {
        &self.rows
    }
}

impl Iterator for Customers {
    type Item = Result<Found<NewCustomer>, IntakeError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.rows.next_row() {
            Err(error) => Some(Err(error.into())),
            Ok(Next::End) => None,
            Ok(Next::Refused(refused)) => Some(Ok(Found::Refused(vec![refused]))),
            Ok(Next::Row(row)) => Some(Ok(match customer(&row, &self.options, self.rows.mapping.attributes()) {
                Ok(customer) => Found::Record(customer),
                Err(reason) => Found::Refused(vec![Refused { line: row.line, reason, raw: row.raw }]),
            })),
        }
    }
}

fn customer(row: &Row, options: &Options, declared: &[Declared]) -> Result<NewCustomer, String> {
    let cells = Cells { row, kind: Kind::Customers, options };
    let key = match cells.key(Field::CustomerId)? {
        Some(key) => key,
        None => match cells.email()?.flatten() {
            Some(address) => address.key(),
            None => return Err("customer_id: empty: expected the shop's number of the customer, or an email address in its place".to_owned()),
        },
    };
    let person = cells.person(options.external_id(&key), cells.moment(Field::CreatedAt)?)?;
    let referred_by = match row.cell(Field::ReferredBy) {
        // An empty cell says that nobody did.
        Some(_) => Some(cells.key(Field::ReferredBy)?.map(|key| options.external_id(&key)).filter(|key| *key != person.external_id)),
        None => None,
    };
    Ok(NewCustomer { attributes: cells.attributes(declared)?, referred_by, ..person })
}
