//! An order and its lines.

use sha2::{Digest as _, Sha256};

use super::email_address::EmailAddress;
use crate::base::money::{Cents, Currency};
use crate::base::time::UnixMs;

/// Where an order stands, as far as scores and goals care.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Bought: counts.
    #[default]
    Paid,
    /// Placed, not paid yet: does not count yet.
    Open,
    /// Cancelled or fully refunded: does not count any more.
    Cancelled,
}

impl OrderStatus {
    /// Reads the words of Shopify, WooCommerce and Shopware exports; `None` for an unknown word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().trim_start_matches("wc-").replace([' ', '-'], "_").as_str() {
            "" | "paid" | "completed" | "processing" | "complete" | "fulfilled" | "shipped" | "bezahlt" | "abgeschlossen" | "partially_refunded"
            | "done" => Some(Self::Paid),
            "open" | "pending" | "on_hold" | "authorized" | "unpaid" | "offen" | "partially_paid" | "checkout_draft" | "in_progress" => {
                Some(Self::Open)
            }
            "cancelled" | "canceled" | "refunded" | "failed" | "voided" | "storniert" | "expired" | "trash" => Some(Self::Cancelled),
            _ => None,
        }
    }

    /// The word that is stored.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Paid => "paid",
            Self::Open => "open",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One position of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLine {
    /// The shop's article number, if given.
    pub sku: Option<String>,
    /// What the customer read.
    pub name: Option<String>,
    /// The shop's category, if given.
    pub category: Option<String>,
    /// How many; never negative.
    pub quantity: i64,
    /// What was paid for all of them.
    pub total: Option<Cents>,
    /// What all of them cost the shop, if given.
    pub cost: Option<Cents>,
}

/// An order as an import or a webhook tells it. The whole order: what it does not say is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// The shop's key: unique among orders. Orders without one get one from content and occurrence (see `intake`).
    pub external_id: String,
    /// The shop's key of the customer; may be unknown to us yet.
    pub customer_external_id: String,
    /// Set when the order itself carries contact data (guest orders of shop exports).
    pub customer: Option<Box<super::customer::NewCustomer>>,
    /// When it was placed.
    pub ordered_at: UnixMs,
    /// What the customer paid, including tax and shipping as the shop exports it.
    pub revenue: Cents,
    /// What the goods cost the shop; `None`: not known.
    pub cost: Option<Cents>,
    /// Currency of both amounts.
    pub currency: Currency,
    /// Whether it counts.
    pub status: OrderStatus,
    /// The voucher code that was used, upper case.
    pub voucher_code: Option<String>,
    /// The positions; may be empty.
    pub lines: Vec<OrderLine>,
}

impl NewOrder {
    /// SHA-256 over everything that the order says, lines and contact data included; the same on every machine and in every version.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        let mut number = |value: Option<i64>| {
            digest.update([u8::from(value.is_some())]);
            digest.update(value.unwrap_or_default().to_le_bytes());
        };
        number(Some(self.ordered_at.0));
        number(Some(self.revenue.0));
        number(self.cost.map(|cost| cost.0));
        number(i64::try_from(self.lines.len()).ok());
        for line in &self.lines {
            number(Some(line.quantity));
            number(line.total.map(|total| total.0));
            number(line.cost.map(|cost| cost.0));
        }
        let mut text = |value: Option<&str>| {
            digest.update([u8::from(value.is_some())]);
            digest.update((value.unwrap_or_default().len() as u64).to_le_bytes());
            digest.update(value.unwrap_or_default());
        };
        for value in [&self.external_id, &self.customer_external_id, self.currency.code(), self.status.code()] {
            text(Some(value));
        }
        text(self.voucher_code.as_deref());
        for line in &self.lines {
            text(line.sku.as_deref());
            text(line.name.as_deref());
            text(line.category.as_deref());
        }
        if let Some(customer) = &self.customer {
            text(customer.email.as_ref().and_then(Option::as_ref).map(EmailAddress::as_str));
            text(customer.first_name.as_ref().and_then(Option::as_deref));
            text(customer.last_name.as_ref().and_then(Option::as_deref));
            if let Some(consent) = &customer.consent {
                text(Some(consent.kind.code()));
                text(Some(&consent.source));
                text(Some(&consent.at.to_string()));
            }
        }
        digest.finalize().into()
    }

    /// The first 64 bits of [`Self::digest`]: equal for an order that did not change.
    #[must_use]
    pub fn content_hash(&self) -> i64 {
        self.digest().first_chunk().map_or(0, |first| i64::from_le_bytes(*first))
    }
}
