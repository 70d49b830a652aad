//! What the tests need to make and to read mails.

use std::path::Path;

use chrono::NaiveDate;
use serde_json::{Map, Value};
use stammgast::base::id::Id;
use stammgast::base::time::UnixMs;
use stammgast::channel::message::{OutgoingEmail, Sender};
use stammgast::channel::templates::{Rendered, TemplateSet};
use stammgast::channel::vars::{Recipient, standard_vars};
use stammgast::config::Config;
use stammgast::config::shop::Shop;
use stammgast::model::action::{Voucher, VoucherWorth};
use stammgast::model::consent::LegalBasis;
use stammgast::model::customer::Locale;
use stammgast::model::email_address::EmailAddress;

pub const UNSUBSCRIBE: &str = "https://shop.example/u/v1.AAAABBBBCCCCDDDD";

pub fn shipped_templates() -> TemplateSet {
    TemplateSet::load(Path::new("templates")).unwrap_or_else(|faults| panic!("{faults:?}"))
}

pub fn shop() -> Shop {
    let toml = "[shop]\nname = \"Konditorei Süßner\"\nimprint = \"Konditorei Süßner GmbH\\nMarktplatz 3, 01234 Zuckerstadt\"\nurl = \"https://shop.example\"";
    Config::from_toml(toml).unwrap().shop
}

/// Variables for Anna Berg, with a voucher of ten percent.
pub fn vars(locale: Locale, basis: LegalBasis) -> Map<String, Value> {
    let valid_until = NaiveDate::from_ymd_opt(2026, 12, 3).unwrap();
    let voucher = Voucher { code: "WB-K7QX2M9D".to_owned(), worth: VoucherWorth::Percent(10), valid_until };
    let rule_vars = Map::from_iter([("voucher".to_owned(), voucher.value())]);
    let recipient = Recipient { first_name: Some("Anna"), last_name: Some("Berg"), locale, basis, unsubscribe_url: UNSUBSCRIBE };
    standard_vars(&shop(), &recipient, &rule_vars)
}

pub fn email(rendered: Rendered) -> OutgoingEmail {
    OutgoingEmail {
        id: Id(4711),
        from: Sender::parse("Konditorei Süßner <post@shop.example>").unwrap(),
        reply_to: None,
        to: EmailAddress::parse("anna.berg@kunde.example").unwrap(),
        to_name: Some("Anna Berg".to_owned()),
        subject: rendered.subject,
        html: rendered.html,
        text: rendered.text,
        list_id: Some("win-back".to_owned()),
        unsubscribe_url: Some(UNSUBSCRIBE.to_owned()),
        date: UnixMs(1_782_889_200_000),
        auto_submitted: false,
        feedback_id: Some("win-back:A::shop".to_owned()),
    }
}
