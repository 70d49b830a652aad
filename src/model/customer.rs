//! A customer of the shop.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::attribute::Attributes;
use super::consent::Consent;
use super::email_address::EmailAddress;
use super::predicate::Literal;
use crate::base::id::Id;
use crate::base::time::UnixMs;

/// The languages that mails and pages for shop people exist in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Locale {
    /// German.
    #[default]
    De,
    /// English.
    En,
}

impl Locale {
    /// Reads `de`, `de-AT`, `en_US` …; `None` for a language that we have no mails in.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "de" | "deu" | "ger" | "german" | "deutsch" => Some(Self::De),
            "en" | "eng" | "english" | "englisch" => Some(Self::En),
            _ => None,
        }
    }

    /// `de` or `en`.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::De => "de",
            Self::En => "en",
        }
    }
}

/// A stored customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// Our key.
    pub id: Id,
    /// The shop's key: unique, up to 200 characters.
    pub external_id: String,
    /// Where mails go; `None`: cannot be written to.
    pub email: Option<EmailAddress>,
    /// Given name, one line.
    pub first_name: Option<String>,
    /// Family name, one line.
    pub last_name: Option<String>,
    /// Day of birth (the year may be a placeholder of the shop's).
    pub birthday: Option<NaiveDate>,
    /// Language of the mails; `None`: the shop's.
    pub locale: Option<Locale>,
    /// Labels of the shop's, sorted, without repeats.
    pub tags: Vec<String>,
    /// Own facts of the shop's.
    pub attributes: Attributes,
    /// The shop's key of the customer who brought this one.
    pub referred_by: Option<String>,
}

/// What an import or a webhook says about a customer. `None` = it says nothing, so what is stored stays;
/// `Some(None)` = it says that there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewCustomer {
    /// The shop's key.
    pub external_id: String,
    /// Where mails go.
    pub email: Option<Option<EmailAddress>>,
    /// Given name.
    pub first_name: Option<Option<String>>,
    /// Family name.
    pub last_name: Option<Option<String>>,
    /// Day of birth.
    pub birthday: Option<Option<NaiveDate>>,
    /// Language.
    pub locale: Option<Option<Locale>>,
    /// Labels.
    pub tags: Option<Vec<String>>,
    /// Own facts that it speaks of; `None`: there is none.
    pub attributes: BTreeMap<String, Option<Literal>>,
    /// The shop's key of the customer who brought this one.
    pub referred_by: Option<Option<String>>,
    /// A consent or objection that came with the record.
    pub consent: Option<Consent>,
    /// When the shop created the customer; informative.
    pub created_at: Option<UnixMs>,
}

impl NewCustomer {
    /// A customer of whom only the key is known: made when an order names somebody we have not heard of.
    #[must_use]
    pub fn unknown(external_id: impl Into<String>) -> Self {
        Self { external_id: external_id.into(), ..Self::default() }
    }

    /// The customer after this news, given what is stored (or nothing yet).
    #[must_use]
    pub fn apply(&self, id: Id, stored: Option<&Customer>) -> Customer {
        let pick = |new: &Option<Option<String>>, old: Option<&Option<String>>| new.clone().or_else(|| old.cloned()).flatten();
        Customer {
            id: stored.map_or(id, |customer| customer.id),
            external_id: self.external_id.clone(),
            email: self.email.clone().or_else(|| stored.map(|customer| customer.email.clone())).flatten(),
            first_name: pick(&self.first_name, stored.map(|customer| &customer.first_name)),
            last_name: pick(&self.last_name, stored.map(|customer| &customer.last_name)),
            referred_by: pick(&self.referred_by, stored.map(|customer| &customer.referred_by)),
            birthday: self.birthday.or_else(|| stored.map(|customer| customer.birthday)).flatten(),
            locale: self.locale.or_else(|| stored.map(|customer| customer.locale)).flatten(),
            tags: {
                let mut tags = self.tags.clone().or_else(|| stored.map(|customer| customer.tags.clone())).unwrap_or_default();
                tags.sort();
                tags.dedup();
                tags
            },
            attributes: {
                let mut attributes = stored.map(|customer| customer.attributes.clone()).unwrap_or_default();
                for (name, value) in &self.attributes {
                    match value {
                        Some(value) => drop(attributes.insert(name.clone(), value.clone())),
                        None => drop(attributes.remove(name)),
                    }
                }
                attributes
            },
        }
    }
}
