//! `[shop]`: who sends, where the clock hangs, what money it is.

use serde::{Deserialize, Deserializer};

use crate::base::money::Currency;
use crate::base::time::Zone;

/// The shop.
#[derive(Clone, Debug, PartialEq, Deserialize)]
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
    /// What is left of what customers pay when the goods are paid for, in percent; 0: not known.
    pub margin_percent: f64,
    /// What a message costs to send, in the shop's currency.
    pub cost_per_message: f64,
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

    /// The margin's share of what customers pay where an order's cost is not known; `None`: nobody said.
    #[must_use]
    pub fn margin(&self) -> Option<f64> {
        (self.margin_percent > 0.0).then_some(self.margin_percent / 100.0)
    }

    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        Zone::parse(&self.time_zone).map_err(|problem| ("time_zone", problem))?;
        if !matches!(self.locale.as_str(), "de" | "en") {
            return Err(("locale", format!("'{}' is not a language of the mails: expected \"de\" or \"en\"", self.locale)));
        }
        if !self.url.is_empty() && !url::Url::parse(&self.url).is_ok_and(|url| matches!(url.scheme(), "https" | "http")) {
            return Err(("url", format!("'{}' is not a web address: expected e.g. https://shop.example", self.url)));
        }
        if !(0.0..=100.0).contains(&self.margin_percent) {
            return Err(("margin_percent", format!("{} is out of range: expected 0 to 100; 0: not known", self.margin_percent)));
        }
        if !(0.0..=1_000.0).contains(&self.cost_per_message) {
            let currency = self.currency.code();
            return Err(("cost_per_message", format!("{} is out of range: expected 0 to 1000 {currency}", self.cost_per_message)));
        }
        Ok(())
    }
}
