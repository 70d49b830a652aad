//! The columns that imports know: our names, and how usual exports call the same (Shopify, WooCommerce, German spreadsheets).

use std::fmt;

/// What a file is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One customer a record.
    Customers,
    /// One order or one order line a record.
    Orders,
    /// One event a record.
    Events,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Customers => "customers",
            Self::Orders => "orders",
            Self::Events => "events",
        })
    }
}

/// A fact that a column may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the table below says what each is called and known as")]
pub enum Field {
    CustomerId,
    Email,
    FirstName,
    LastName,
    FullName,
    Birthday,
    Locale,
    Tags,
    ReferredBy,
    Consent,
    ConsentAt,
    ConsentSource,
    CreatedAt,
    OrderId,
    OrderNumber,
    OrderedAt,
    Revenue,
    Refunded,
    Cost,
    Currency,
    Status,
    CancelledAt,
    VoucherCode,
    LineSku,
    LineName,
    LineCategory,
    LineQuantity,
    LinePrice,
    LineTotal,
    LineCost,
    EventId,
    EventKind,
    Value,
    At,
}

/// How many fields there are.
pub const FIELDS: usize = Field::At as usize + 1;

/// A field, our name of it (the left side of `--map`), and what else it is called, the likeliest first.
pub type Spec = (Field, &'static str, &'static [&'static str]);

const CUSTOMERS: &[Spec] = &[
    (
        Field::CustomerId,
        "customer_id",
        &["external_id", "customer_number", "customer_no", "kundennummer", "kunden_nr", "kunden_id", "kd_nr", "id", "user_id"],
    ),
    (Field::Email, "email", &["email_address", "mail", "email_adresse", "mailadresse", "billing_email", "user_email", "contact_email"]),
    (Field::FirstName, "first_name", &["given_name", "vorname", "billing_first_name"]),
    (Field::LastName, "last_name", &["family_name", "surname", "nachname", "familienname", "billing_last_name"]),
    (Field::FullName, "name", &["full_name", "customer_name", "kundenname", "display_name", "billing_name"]),
    (Field::Birthday, "birthday", &["birth_date", "date_of_birth", "dob", "geburtstag", "geburtsdatum"]),
    (Field::Locale, "locale", &["language", "lang", "sprache"]),
    (Field::Tags, "tags", &["labels", "kundengruppe", "kundengruppen", "customer_group"]),
    (Field::ReferredBy, "referred_by", &["referrer", "referrer_id", "referred_by_id", "geworben_von", "empfohlen_von", "werber"]),
    (
        Field::Consent,
        "consent",
        &["email_marketing_consent.state", "accepts_email_marketing", "accepts_marketing", "marketing_consent", "newsletter", "einwilligung"],
    ),
    (
        Field::ConsentAt,
        "consent_at",
        &["consent_date", "email_marketing_consent.consent_updated_at", "accepts_marketing_updated_at", "einwilligung_am", "einwilligungsdatum"],
    ),
    (Field::ConsentSource, "consent_source", &["einwilligung_quelle"]),
    (
        Field::CreatedAt,
        "created_at",
        &[
            "date_created",
            "created",
            "registered",
            "date_registered",
            "registration_date",
            "user_registered",
            "angelegt_am",
            "erstellt_am",
            "kunde_seit",
        ],
    ),
];

const ORDERS: &[Spec] = &[
    (Field::OrderId, "order_id", &["external_id", "id", "bestell_id", "auftrags_id"]),
    (
        Field::OrderNumber,
        "order_number",
        &["order_no", "order_name", "bestellnummer", "bestell_nr", "auftragsnummer", "auftrags_nr", "rechnungsnummer", "belegnummer", "number"],
    ),
    (
        Field::CustomerId,
        "customer_id",
        &["customer_external_id", "customer_number", "customer_no", "kundennummer", "kunden_nr", "kunden_id", "kd_nr", "customer_user", "user_id"],
    ),
    (Field::Email, "email", &["contact_email", "customer_email", "billing_email", "email_address", "mail", "email_adresse", "mailadresse"]),
    (Field::FirstName, "first_name", &["customer_first_name", "billing_first_name", "vorname"]),
    (Field::LastName, "last_name", &["customer_last_name", "billing_last_name", "nachname"]),
    (Field::FullName, "customer_name", &["billing_name", "kundenname", "full_name"]),
    (
        Field::OrderedAt,
        "ordered_at",
        &[
            "order_date",
            "date",
            "created_at",
            "date_created",
            "order_created",
            "processed_at",
            "placed_at",
            "bestelldatum",
            "bestellt_am",
            "kaufdatum",
            "auftragsdatum",
            "rechnungsdatum",
            "datum",
            "timestamp",
            "paid_at",
        ],
    ),
    (
        Field::Revenue,
        "revenue",
        &[
            "amount",
            "current_total_price",
            "total_price",
            "order_total",
            "total",
            "total_amount",
            "grand_total",
            "betrag",
            "gesamtbetrag",
            "rechnungsbetrag",
            "endbetrag",
            "gesamt",
            "summe",
            "umsatz",
        ],
    ),
    (Field::Refunded, "refunded", &["refunded_amount", "order_refund_total", "refund_total", "erstattet"]),
    (Field::Cost, "cost", &["total_cost", "order_cost", "wareneinsatz", "kosten"]),
    (Field::Currency, "currency", &["order_currency", "waehrung"]),
    (Field::Status, "status", &["order_status", "financial_status", "payment_status", "bestellstatus", "zahlungsstatus"]),
    (Field::CancelledAt, "cancelled_at", &["canceled_at", "storniert_am"]),
    (
        Field::VoucherCode,
        "voucher_code",
        &[
            "discount_code",
            "discount_codes.code",
            "coupon_lines.code",
            "coupon_code",
            "coupons",
            "coupon",
            "voucher",
            "gutschein",
            "gutscheincode",
            "rabattcode",
        ],
    ),
    (Field::Consent, "consent", &["accepts_marketing", "buyer_accepts_marketing"]),
    (Field::LineSku, "line_sku", &["lineitem_sku", "sku", "item_sku", "product_sku", "artikelnummer", "artikel_nr", "line.product_number"]),
    (
        Field::LineName,
        "line_name",
        &[
            "line.title",
            "lineitem_name",
            "item_name",
            "product_name",
            "product",
            "artikel",
            "artikelname",
            "artikelbezeichnung",
            "bezeichnung",
            "produkt",
        ],
    ),
    (Field::LineCategory, "line_category", &["category", "product_category", "kategorie", "warengruppe"]),
    (Field::LineQuantity, "line_quantity", &["lineitem_quantity", "quantity", "qty", "item_quantity", "menge", "anzahl", "stueckzahl"]),
    (Field::LinePrice, "line_price", &["lineitem_price", "unit_price", "item_price", "price", "einzelpreis", "stueckpreis", "preis"]),
    (Field::LineTotal, "line_total", &["lineitem_total", "item_total", "positionsbetrag", "zeilensumme", "gesamtpreis"]),
    (Field::LineCost, "line_cost", &["lineitem_cost", "item_cost"]),
];

const EVENTS: &[Spec] = &[
    (Field::EventId, "event_id", &["external_id", "id", "response_id", "antwort_id"]),
    (
        Field::CustomerId,
        "customer_id",
        &["customer_external_id", "customer_number", "customer_no", "kundennummer", "kunden_nr", "kunden_id", "kd_nr", "user_id"],
    ),
    (Field::Email, "email", &["email_address", "mail", "email_adresse", "mailadresse", "contact_email", "recipient", "original_rcpt_to"]),
    (Field::EventKind, "kind", &["event", "event_type", "type", "survey", "art", "ereignis", "umfrage"]),
    (Field::Value, "value", &["answer", "score", "rating", "wert", "antwort", "bewertung", "note", "message_id", "original_message_id"]),
    (
        Field::At,
        "at",
        &["date", "timestamp", "created_at", "answered_at", "submitted_at", "happened_at", "complained_at", "arrival_date", "datum", "zeitpunkt"],
    ),
];

impl Kind {
    /// The fields of this kind.
    #[must_use]
    pub fn specs(self) -> &'static [Spec] {
        match self {
            Self::Customers => CUSTOMERS,
            Self::Orders => ORDERS,
            Self::Events => EVENTS,
        }
    }

    /// Our name of a field.
    #[must_use]
    pub fn name(self, field: Field) -> &'static str {
        self.specs().iter().find(|spec| spec.0 == field).map_or("", |spec| spec.1)
    }

    /// The field that a column's name stands for, and how far down the list of names it is (0: ours).
    #[must_use]
    pub fn guess(self, column: &str) -> Option<(Field, usize)> {
        let wanted = squash(column);
        self.specs().iter().find_map(|(field, name, others)| {
            let mut names = std::iter::once(name).chain(*others);
            names.position(|name| squash(name) == wanted).map(|rank| (*field, rank))
        })
    }
}

/// What spellings of a column's name have in common: `E-Mail`, `e_mail` and `eMail` are `email`; umlauts are written out.
#[must_use]
pub fn squash(name: &str) -> String {
    let mut squashed = String::with_capacity(name.len());
    for c in name.chars().flat_map(char::to_lowercase) {
        match c {
            'ä' => squashed.push_str("ae"),
            'ö' => squashed.push_str("oe"),
            'ü' => squashed.push_str("ue"),
            'ß' => squashed.push_str("ss"),
            c if c.is_alphanumeric() => squashed.push(c),
            _ => {}
        }
    }
    squashed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_stands_for_two_fields_and_none_is_the_mark_of_a_rejected_line() {
        for kind in [Kind::Customers, Kind::Orders, Kind::Events] {
            let mut names: Vec<String> =
                kind.specs().iter().flat_map(|(_, name, others)| std::iter::once(name).chain(*others)).map(|n| squash(n)).collect();
            assert!(!names.iter().any(|name| name == "line" || name == "reason"));
            let count = names.len();
            names.sort();
            names.dedup();
            assert_eq!(names.len(), count, "{kind}");
        }
    }

    #[test]
    fn spellings_of_the_same_name_are_the_same() {
        for name in ["E-Mail", "email", "eMail", " E_MAIL "] {
            assert_eq!(Kind::Customers.guess(name), Some((Field::Email, 0)), "{name}");
        }
        assert_eq!(squash("Währung (€)"), "waehrung");
        assert_eq!(Kind::Orders.guess("Lineitem quantity"), Some((Field::LineQuantity, 1)));
        assert_eq!(Kind::Orders.guess("Phone"), None);
    }
}
