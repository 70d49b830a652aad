//! What a rule wants to happen: an email or a webhook, and the vouchers in it.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::base::money::Cents;

/// The way a message leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// To the customer's address.
    Email,
    /// To a system of the shop's.
    Webhook,
}

impl Channel {
    /// The word that is stored.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "email" => Some(Self::Email),
            "webhook" => Some(Self::Webhook),
            _ => None,
        }
    }
}

/// What a rule's variant does for one customer. Stored as JSON in the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "channel", rename_all = "snake_case")]
pub enum Action {
    /// Send the template to the customer's address.
    Email {
        /// Name of a folder under `templates/`.
        template: String,
        /// What the template may print, by name.
        vars: Map<String, Value>,
    },
    /// Post to the target named in the configuration's `[[webhooks]]`.
    Webhook {
        /// The target's name.
        target: String,
        /// What the rule adds to the body, under `data`.
        payload: Map<String, Value>,
    },
}

impl Action {
    /// The way it leaves.
    #[must_use]
    pub fn channel(&self) -> Channel {
        match self {
            Self::Email { .. } => Channel::Email,
            Self::Webhook { .. } => Channel::Webhook,
        }
    }
}

/// What a voucher is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoucherWorth {
    /// Percent off, 1..=100.
    Percent(i64),
    /// An amount off, in the shop's currency.
    Amount(i64),
}

/// A voucher that an action hands to one customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voucher {
    /// What the customer types in: prefix, hyphen, ten characters that only this installation can derive.
    pub code: String,
    /// What it is worth.
    pub worth: VoucherWorth,
    /// The last day it is good for, in the shop's zone.
    pub valid_until: NaiveDate,
}

impl Voucher {
    /// As it stands in a message's stored variables: `{"code", "percent" or "amount_cents", "valid_until": "YYYY-MM-DD"}`.
    #[must_use]
    pub fn value(&self) -> Value {
        let (key, number) = match self.worth {
            VoucherWorth::Percent(percent) => ("percent", percent),
            VoucherWorth::Amount(cents) => ("amount_cents", cents),
        };
        json!({ "code": self.code, key: number, "valid_until": self.valid_until.to_string() })
    }
}

impl VoucherWorth {
    /// The amount in cents when it is an amount.
    #[must_use]
    pub fn cents(self) -> Option<Cents> {
        match self {
            Self::Percent(_) => None,
            Self::Amount(cents) => Some(Cents(cents)),
        }
    }
}
