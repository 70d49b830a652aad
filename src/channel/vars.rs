//! What every template may print: the standard variables, and how dates and amounts are written in each language.

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use crate::base::money::{Cents, Currency};
use crate::config::shop::Shop;
use crate::model::consent::LegalBasis;
use crate::model::customer::Locale;

/// The person a template is rendered for.
#[derive(Clone, Copy, Debug)]
pub struct Recipient<'a> {
    /// Given name.
    pub first_name: Option<&'a str>,
    /// Family name.
    pub last_name: Option<&'a str>,
    /// The language of the mail.
    pub locale: Locale,
    /// Why they may be written to; the footer says it.
    pub basis: LegalBasis,
    /// Where one click unsubscribes.
    pub unsubscribe_url: &'a str,
}

/// Names of the variables that every template gets.
pub const STANDARD: [&str; 5] = ["shop", "customer", "unsubscribe_url", "locale", "basis"];

/// The variables of a template: `shop.name`, `shop.imprint`, `shop.url`, `shop.currency`, `customer.first_name`, `customer.last_name`,
/// `customer.name` (empty text when missing), `unsubscribe_url`, `locale`, `basis`, and what the rule adds. Vouchers among these get
/// `worth`, `percent`, `amount` and `valid_until` as text in the mail's language. A rule's variable never hides a standard one.
#[must_use]
pub fn standard_vars(shop: &Shop, recipient: &Recipient<'_>, rule_vars: &Map<String, Value>) -> Map<String, Value> {
    let (first, last) = (recipient.first_name.unwrap_or_default(), recipient.last_name.unwrap_or_default());
    let name = format!("{first} {last}");
    let mut vars: Map<String, Value> = rule_vars.iter().map(|(key, value)| (key.clone(), readable(value, recipient.locale, shop.currency))).collect();
    let standard = [
        ("shop", json!({"name": shop.name, "imprint": shop.imprint, "url": shop.url, "currency": shop.currency.code()})),
        ("customer", json!({"first_name": first, "last_name": last, "name": name.trim()})),
        ("unsubscribe_url", json!(recipient.unsubscribe_url)),
        ("locale", json!(recipient.locale.code())),
        ("basis", json!(recipient.basis.code())),
    ];
    vars.extend(standard.map(|(key, value)| (key.to_owned(), value)));
    vars
}

/// A rule's value as a template gets it: a voucher becomes readable, everything else stays.
fn readable(value: &Value, locale: Locale, currency: Currency) -> Value {
    let voucher = value.as_object().filter(|fields| fields.contains_key("code") && fields.contains_key("valid_until"));
    let Some(voucher) = voucher else { return value.clone() };
    let mut shown = voucher.clone();
    let number = |key: &str| voucher.get(key).and_then(Value::as_i64);
    let percent = number("percent").map(|percent| format_percent(percent, locale));
    let amount = number("amount_cents").map(|cents| format_money(Cents(cents), currency, locale));
    shown.insert("worth".to_owned(), json!(percent.as_ref().or(amount.as_ref())));
    shown.insert("percent".to_owned(), json!(percent));
    shown.insert("amount".to_owned(), json!(amount));
    shown.remove("amount_cents");
    let until = voucher.get("valid_until").and_then(Value::as_str).and_then(|text| text.parse::<NaiveDate>().ok());
    if let Some(until) = until {
        shown.insert("valid_until".to_owned(), json!(format_date(until, locale)));
    }
    Value::Object(shown)
}

/// `31.12.2026` or `31 December 2026`.
#[must_use]
pub fn format_date(date: NaiveDate, locale: Locale) -> String {
    match locale {
        Locale::De => date.format("%d.%m.%Y").to_string(),
        Locale::En => date.format("%-d %B %Y").to_string(),
    }
}

/// `1.234,50 €` or `€1,234.50`; currencies without a sign of their own by code.
#[must_use]
pub fn format_money(amount: Cents, currency: Currency, locale: Locale) -> String {
    let sign = match currency.code() {
        "EUR" => "€",
        "USD" => "$",
        "GBP" => "£",
        other => other,
    };
    let (group, point) = match locale {
        Locale::De => ('.', ','),
        Locale::En => (',', '.'),
    };
    let cents = amount.0.unsigned_abs();
    let digits = (cents / 100).to_string();
    let mut whole = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            whole.push(group);
        }
        whole.push(digit);
    }
    let minus = if amount.0 < 0 { "-" } else { "" };
    let number = format!("{whole}{point}{:02}", cents % 100);
    match locale {
        Locale::De => format!("{minus}{number} {sign}"),
        Locale::En if sign.chars().count() == 1 => format!("{minus}{sign}{number}"),
        Locale::En => format!("{minus}{sign} {number}"),
    }
}

/// `10 %` or `10%`.
fn format_percent(percent: i64, locale: Locale) -> String {
    match locale {
        Locale::De => format!("{percent} %"),
        Locale::En => format!("{percent}%"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::action::{Voucher, VoucherWorth};

    #[test]
    fn dates_and_amounts_are_written_as_each_language_does() {
        let date = NaiveDate::from_ymd_opt(2026, 12, 3).unwrap();
        assert_eq!([format_date(date, Locale::De), format_date(date, Locale::En)], ["03.12.2026", "3 December 2026"]);
        let (eur, chf) = (Currency::parse("EUR").unwrap(), Currency::parse("CHF").unwrap());
        for (cents, currency, german, english) in [
            (1234, eur, "12,34 €", "€12.34"),
            (5, eur, "0,05 €", "€0.05"),
            (123_456_789, eur, "1.234.567,89 €", "€1,234,567.89"),
            (-100_000, chf, "-1.000,00 CHF", "-CHF 1,000.00"),
        ] {
            assert_eq!([format_money(Cents(cents), currency, Locale::De), format_money(Cents(cents), currency, Locale::En)], [german, english]);
        }
    }

    #[test]
    fn a_voucher_becomes_readable_and_a_rule_cannot_hide_the_imprint() {
        let shop = crate::config::Config::from_toml("[shop]\nname = \"Laden\"\nimprint = \"Laden, Weg 1\"").unwrap().shop;
        let valid_until = NaiveDate::from_ymd_opt(2026, 12, 31).unwrap();
        let worth = VoucherWorth::Amount(500);
        let voucher = Voucher { code: "WB-1".to_owned(), worth, valid_until }.value();
        let rule_vars = json!({"voucher": voucher, "shop": "mine", "note": "x"}).as_object().unwrap().clone();
        let unsubscribe_url = "https://shop.example/u/1";
        let recipient = Recipient { first_name: Some("Anna"), last_name: None, locale: Locale::De, basis: LegalBasis::Consent, unsubscribe_url };
        let vars = standard_vars(&shop, &recipient, &rule_vars);
        assert_eq!(vars["voucher"], json!({"code": "WB-1", "worth": "5,00 €", "amount": "5,00 €", "percent": null, "valid_until": "31.12.2026"}));
        assert_eq!((&vars["shop"]["imprint"], &vars["note"]), (&json!("Laden, Weg 1"), &json!("x")));
        assert_eq!(vars["customer"], json!({"first_name": "Anna", "last_name": "", "name": "Anna"}));
    }
}
