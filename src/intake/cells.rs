//! Reads cells as words, addresses, days, amounts; a fault's sentence begins with our name of the field.

#![expect(clippy::option_option, reason = "as in NewCustomer: not told, told that there is none, told")]

use std::collections::BTreeMap;

use super::Options;
use super::dates::{birthday, has_short_year, moment};
use super::fields::{Field, Kind};
use super::rows::Row;
use crate::base::money::Cents;
use crate::base::time::{DAY_MS, UnixMs};
use crate::model::attribute::Declared;
use crate::model::consent::{Consent, ConsentKind};
use crate::model::customer::{Locale, NewCustomer};
use crate::model::email_address::EmailAddress;
use crate::model::predicate::Literal;
use crate::model::text::{MAX_CHARS, clean};

/// More than any order: what is above is a typing error, and sums of smaller ones stay in 64 bits.
pub(super) const MAX_CENTS: i64 = 10_000_000_000_000;
/// Labels that a customer may have.
const MAX_TAGS: usize = 100;

/// A row's cells with all that is needed to read them.
pub(super) struct Cells<'a> {
    pub(super) row: &'a Row,
    pub(super) kind: Kind,
    pub(super) options: &'a Options,
}

impl Cells<'_> {
    fn fault(&self, field: Field, problem: impl std::fmt::Display) -> String {
        format!("{}: {problem}", self.kind.name(field))
    }

    /// A line of text: `None`: not told; `Some(None)`: there is none.
    pub(super) fn told(&self, field: Field) -> Option<Option<String>> {
        self.row.cell(field).map(clean)
    }

    pub(super) fn word(&self, field: Field) -> Option<String> {
        self.row.value(field).and_then(clean)
    }

    /// A key of the shop's. Shopify puts an apostrophe before long numbers, so that spreadsheets leave them alone.
    pub(super) fn key(&self, field: Field) -> Result<Option<String>, String> {
        let Some(text) = self.row.value(field) else { return Ok(None) };
        if text.chars().count() > MAX_CHARS {
            return Err(self.fault(field, format_args!("longer than {MAX_CHARS} characters")));
        }
        let bare = text.strip_prefix('\'').filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        Ok(clean(bare.unwrap_or(text)))
    }

    pub(super) fn email(&self) -> Result<Option<Option<EmailAddress>>, String> {
        let Some(text) = self.row.cell(Field::Email) else { return Ok(None) };
        if text.is_empty() {
            return Ok(Some(None));
        }
        EmailAddress::parse(text).map(|address| Some(Some(address))).map_err(|problem| self.fault(Field::Email, problem))
    }

    pub(super) fn moment(&self, field: Field) -> Result<Option<UnixMs>, String> {
        let Some(text) = self.row.value(field).filter(|text| !text.starts_with("0000-")) else { return Ok(None) };
        let at = moment(text, self.options.zone, self.options.date_order).map_err(|problem| self.fault(field, problem))?;
        if at > self.options.now.plus(DAY_MS) && has_short_year(text) {
            return Err(self.fault(field, format_args!("'{text}' would lie in the future: expected a year of four digits")));
        }
        Ok(Some(at))
    }

    fn birthday(&self) -> Result<Option<Option<chrono::NaiveDate>>, String> {
        match self.row.cell(Field::Birthday) {
            None => Ok(None),
            Some(text) if text.is_empty() || text.starts_with("0000-") => Ok(Some(None)),
            Some(text) => {
                let Options { zone, date_order, now, .. } = *self.options;
                let day = birthday(text, zone, date_order, zone.date(now));
                day.map(|day| Some(Some(day))).map_err(|problem| self.fault(Field::Birthday, problem))
            }
        }
    }

    pub(super) fn amount(&self, field: Field) -> Result<Option<Cents>, String> {
        let Some(text) = self.row.value(field) else { return Ok(None) };
        let amount = Cents::parse_in(text, self.options.currency).map_err(|problem| self.fault(field, problem))?;
        match amount.0 {
            ..0 => Err(self.fault(field, format_args!("'{text}' is negative: expected what was paid; a refund belongs into the column 'refunded'"))),
            0..=MAX_CENTS => Ok(Some(amount)),
            _ => Err(self.fault(field, format_args!("'{text}' is too large"))),
        }
    }

    /// A quantity in hundredths: goods are sold by weight, too.
    pub(super) fn hundredths(&self, field: Field) -> Result<Option<i64>, String> {
        let Some(text) = self.row.value(field) else { return Ok(None) };
        let bad = || self.fault(field, format_args!("'{text}' is not a quantity: expected e.g. 2 or 0,5"));
        let number = Cents::parse(text).map_err(|_| bad())?;
        if (0..=1_000_000_000).contains(&number.0) { Ok(Some(number.0)) } else { Err(bad()) }
    }

    /// Whatever the row says about the person. `known_at`: when the shop learned it, if the row tells.
    pub(super) fn person(&self, external_id: String, known_at: Option<UnixMs>) -> Result<NewCustomer, String> {
        let (mut first_name, mut last_name) = (self.told(Field::FirstName), self.told(Field::LastName));
        if first_name.is_none()
            && last_name.is_none()
            && let Some(name) = self.told(Field::FullName)
        {
            let (first, last) = name.as_deref().map_or((None, None), names);
            (first_name, last_name) = (Some(first), Some(last));
        }
        Ok(NewCustomer {
            external_id,
            email: self.email()?,
            first_name,
            last_name,
            birthday: self.birthday()?,
            locale: self.row.cell(Field::Locale).map(Locale::parse),
            tags: self.row.cell(Field::Tags).map(tags),
            consent: self.consent(known_at)?,
            created_at: known_at,
            attributes: BTreeMap::new(),
            referred_by: None,
        })
    }

    /// The shop's own facts; an empty cell says that there is none.
    pub(super) fn attributes(&self, declared: &[Declared]) -> Result<BTreeMap<String, Option<Literal>>, String> {
        let told = declared.iter().enumerate().filter_map(|(place, declared)| Some((declared, self.row.attribute(place)?)));
        let read = |(declared, text): (&Declared, &str)| {
            let fault = |problem: &str| format!("{}: {problem}", declared.name);
            let value = clean(text).map(|text| declared.kind.read(&text).map_err(fault)).transpose()?;
            Ok((declared.name.clone(), value))
        };
        told.map(read).collect()
    }

    /// A statement about advertising. A plain "no" is none: it does not tell whether somebody objected or was never asked.
    fn consent(&self, known_at: Option<UnixMs>) -> Result<Option<Consent>, String> {
        let Some(word) = self.row.value(Field::Consent) else { return Ok(None) };
        let plain = word.to_ascii_lowercase();
        if ["no", "nein", "false", "0", "not_subscribed", "pending", "invalid"].contains(&plain.as_str()) {
            return Ok(None);
        }
        let Some(kind) = ConsentKind::parse(word) else {
            return Err(self.fault(
                Field::Consent,
                "not a word we know: expected double_opt_in, single_opt_in (yes), existing_customer, objected (unsubscribed) or no",
            ));
        };
        let source = self.word(Field::ConsentSource).or_else(|| self.options.source.clone()).unwrap_or_else(|| "import".to_owned());
        // Without a date: an objection holds from the age of the data on; a consent must not outrank an objection that has a date.
        let undated = if kind == ConsentKind::Objected { self.options.data_at } else { known_at.unwrap_or(UnixMs(0)) };
        let at = self.moment(Field::ConsentAt)?.unwrap_or(undated);
        Ok(Some(Consent { kind, at, source }))
    }
}

/// Given and family name: `Eva Maria Muster` or `Muster, Eva Maria`.
fn names(name: &str) -> (Option<String>, Option<String>) {
    match name.split_once(", ") {
        Some((last, first)) => (clean(first), clean(last)),
        None => match name.rsplit_once(' ') {
            Some((first, last)) => (clean(first), clean(last)),
            None => (None, clean(name)),
        },
    }
}

fn tags(text: &str) -> Vec<String> {
    text.split([',', ';', '|']).filter_map(clean).take(MAX_TAGS).collect()
}
