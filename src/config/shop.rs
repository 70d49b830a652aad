//! `[shop]`: who sends, where the clock hangs, what money it is.

use serde::{Deserialize, Deserializer};

use crate::base::money::Currency;
use crate::base::time::Zone;

/// The shop.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shop {
    /// In mails and pages.
    pub name: String,
    /// IANA name of the zone that rules and calendar days mean.
    pub time_zone: String,
    /// Currency of amounts without one.
    #[serde(deserialize_with = "currency")]
    pub currency: Currency,
    /// `de` or `en`.
    pub locale: String,
    /// Name and postal address under every mail.
    pub imprint: String,
    /// The web shop; empty: mails have no link to it.
    pub url: String,
}

fn currency<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Currency, D::Error> {
    Currency::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

impl Shop {
    /// The zone; checked when the configuration was loaded.
    #[must_use]
    pub fn zone(&self) -> Zone {
        Zone::parse(&self.time_zone).unwrap_or(Zone(chrono_tz::Tz::UTC))
    }

    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        Zone::parse(&self.time_zone).map_err(|problem| ("time_zone", problem))?;
        if !matches!(self.locale.as_str(), "de" | "en") {
            return Err(("locale", format!("'{}' is not a language of the mails: expected \"de\" or \"en\"", self.locale)));
        }
        if !self.url.is_empty() && !url::Url::parse(&self.url).is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
            return Err(("url", format!("'{}' is not a web address: expected e.g. https://shop.example", self.url)));
        }
        Ok(())
    }
}
