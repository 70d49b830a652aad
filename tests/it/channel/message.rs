//! The mails themselves, as another MIME parser reads them.

use mail_parser::{HeaderName, MessageParser};
use proptest::prelude::*;
use stammgast::base::time::UnixMs;
use stammgast::channel::message::{BuildFault, OutgoingEmail, Sender};
use stammgast::channel::templates::Rendered;
use stammgast::model::consent::LegalBasis;
use stammgast::model::customer::Locale;
use stammgast::model::email_address::EmailAddress;

use crate::common::mails::{UNSUBSCRIBE, email, shipped_templates, vars};

fn plain(subject: &str) -> OutgoingEmail {
    email(Rendered { subject: subject.to_owned(), html: None, text: "Hallo".to_owned() })
}

fn head(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).split("\r\n\r\n").next().unwrap().to_owned()
}

fn header(bytes: &[u8], name: &str) -> Option<String> {
    let start = format!("{name}: ");
    head(bytes).split("\r\n").find_map(|line| line.strip_prefix(&start).map(str::to_owned))
}

#[test]
fn each_shipped_mail_reads_as_it_should_in_both_languages() {
    let templates = shipped_templates();
    assert_eq!(templates.names(), ["anniversary", "birthday-gift", "second-order", "thank-you", "win-back", "win-back-plain"]);
    for name in templates.names() {
        for locale in [Locale::De, Locale::En] {
            let rendered = templates.render(name, locale, &vars(locale, LegalBasis::ExistingCustomer)).unwrap();
            let bytes = email(rendered.clone()).build().unwrap().into_bytes();
            let parsed = MessageParser::default().parse(&bytes).unwrap();
            let html = parsed.body_html(0).unwrap();
            let readable = mail_parser::decoders::html::html_to_text(&html);
            assert_eq!(parsed.subject(), Some(rendered.subject.as_str()));
            assert!(html.contains(&format!("href=\"{UNSUBSCRIBE}\"")), "{name}: the link is whole");
            for imprint in ["Konditorei Süßner GmbH", "Marktplatz 3, 01234 Zuckerstadt"] {
                assert!(parsed.body_text(0).unwrap().contains(imprint) && html.contains(imprint), "{name} shows the imprint");
            }
            assert!(!html.contains("{{") && !html.contains("fonts.googleapis"), "{name}");
            let shown = format!("{}\n\n--- text ---\n{}\n--- what the HTML part reads ---\n{readable}", head(&bytes), rendered.text);
            insta::assert_snapshot!(format!("mail_{name}_{}", locale.code()), shown.replace("\r\n", "\n"));
        }
    }
}

#[test]
fn each_shipped_mail_keeps_the_providers_rules() {
    let templates = shipped_templates();
    for name in templates.names() {
        let rendered = templates.render(name, Locale::De, &vars(Locale::De, LegalBasis::Consent)).unwrap();
        let bytes = email(rendered).build().unwrap().into_bytes();
        assert!(bytes.is_ascii(), "{name}");
        assert!(bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 998), "{name}");
        assert_eq!(header(&bytes, "List-Unsubscribe"), Some(format!("<{UNSUBSCRIBE}>")), "on one line");
        assert_eq!(header(&bytes, "List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
        assert_eq!(header(&bytes, "List-ID").as_deref(), Some("<win-back.shop.example>"));
        assert_eq!(header(&bytes, "Message-ID").as_deref(), Some("<4711@shop.example>"));
        assert_eq!(header(&bytes, "Date").as_deref(), Some("Wed, 01 Jul 2026 07:00:00 +0000"));
        assert_eq!(header(&bytes, "Feedback-ID").as_deref(), Some("win-back:A::shop"));
        assert_eq!(header(&bytes, "Bcc"), None);
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        assert_eq!((parsed.text_body_count(), parsed.html_body_count()), (1, 1), "{name}");
    }
}

#[test]
fn a_mail_is_the_same_bytes_on_each_try() {
    let rendered = Rendered { subject: "x".to_owned(), html: Some("<p>x</p>".to_owned()), text: "x".to_owned() };
    assert_eq!(email(rendered.clone()).build(), email(rendered).build());
}

#[test]
fn an_order_mail_says_that_a_machine_wrote_it_and_has_nothing_to_unsubscribe_from() {
    let bytes =
        OutgoingEmail { unsubscribe_url: None, list_id: None, feedback_id: None, auto_submitted: true, ..plain("x") }.build().unwrap().into_bytes();
    assert_eq!(header(&bytes, "Auto-Submitted").as_deref(), Some("auto-generated"));
    assert!(["List-Unsubscribe", "List-Unsubscribe-Post", "List-ID", "Feedback-ID"].iter().all(|name| header(&bytes, name).is_none()));
}

#[test]
fn names_and_subjects_beyond_ascii_arrive_whole() {
    for name in ["Jürgen Müßig", "🍰 Torte", "王小明", "Anna \"Törtchen\" O'Brien, Dr.", "مريم", "a@b.example"] {
        let mail = OutgoingEmail { to_name: Some(name.to_owned()), reply_to: Some(Sender::parse("Büro <b@shop.example>").unwrap()), ..plain(name) };
        let bytes = mail.build().unwrap().into_bytes();
        assert!(bytes.is_ascii(), "{name}");
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        let to = parsed.to().unwrap().first().unwrap();
        assert_eq!((to.name(), to.address()), (Some(name), Some("anna.berg@kunde.example")), "{name}");
        assert_eq!(parsed.subject(), Some(name));
        assert_eq!(parsed.reply_to().unwrap().first().unwrap().address(), Some("b@shop.example"));
    }
}

#[test]
fn a_name_cannot_pretend_by_encoded_words() {
    let name = "=?utf-8?q?Bank=0D=0ABcc:_x?=";
    let bytes = OutgoingEmail { to_name: Some(name.to_owned()), ..plain(name) }.build().unwrap().into_bytes();
    let parsed = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(parsed.subject(), Some("= ?utf-8?q?Bank=0D=0ABcc:_x?="));
    assert_eq!(parsed.to().unwrap().first().unwrap().name(), Some("= ?utf-8?q?Bank=0D=0ABcc:_x?="));
}

#[test]
fn an_international_domain_travels_as_a_label_and_an_international_mailbox_raw() {
    let to = |text: &str| OutgoingEmail { to: EmailAddress::parse(text).unwrap(), to_name: None, ..plain("x") }.build().unwrap().into_bytes();
    assert_eq!(header(&to("max@müller.example"), "To").as_deref(), Some("max@xn--mller-kva.example"));
    assert_eq!(header(&to("jürgen@müller.example"), "To").as_deref(), Some("jürgen@xn--mller-kva.example"));
}

#[test]
fn what_cannot_be_a_mail_is_refused() {
    assert_eq!(plain(" \r\n ").build(), Err(BuildFault::NoSubject));
    for url in ["javascript:alert(1)", "no link", "mailto:x@y.example", &format!("https://x.example/{}", "a".repeat(1000))] {
        assert_eq!(OutgoingEmail { unsubscribe_url: Some(url.to_owned()), ..plain("x") }.build(), Err(BuildFault::BadUnsubscribeUrl), "{url}");
    }
    assert!(Sender::parse("Shop <post>").is_err());
    let sender = Sender::parse("\"Laden, Inh. K.\" <post@shop.example>").unwrap();
    assert_eq!((sender.name.as_deref(), sender.address.as_str()), (Some("Laden, Inh. K."), "post@shop.example"));
    assert_eq!(Sender::parse("post@shop.example").unwrap().name, None);
}

fn poison() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\n".to_owned()),
        Just("\r".to_owned()),
        Just("\nBcc: evil@x.example\r\n".to_owned()),
        Just("\r\n\r\nbody".to_owned()),
        Just("\0\u{202e}\u{feff}\u{2028}".to_owned()),
        Just("🍰👩‍👩‍👧".to_owned()),
        Just("\"<evil@x.example>,".to_owned()),
        Just("=?utf-8?q?=0D=0ABcc:_evil@x.example?=".to_owned()),
        Just("x".repeat(1_000_000)),
        "\\PC{0,300}",
        any::<String>(),
    ];
    proptest::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_name_or_subject_breaks_out_of_its_header(name in poison(), subject in poison(), list in poison(), feedback in poison(), at in any::<i64>()) {
        let mail = OutgoingEmail {
            to_name: Some(name),
            from: Sender { name: Some(subject.clone()), ..plain("x").from },
            list_id: Some(list),
            feedback_id: Some(feedback),
            date: UnixMs(at),
            ..plain(&format!("s {subject}"))
        };
        let bytes = mail.build().unwrap().into_bytes();
        prop_assert!(bytes.is_ascii() && bytes.split(|byte| *byte == b'\n').all(|line| line.len() <= 998));
        let parsed = MessageParser::default().parse(&bytes).unwrap();
        let mut names: Vec<String> = parsed.headers().iter().map(|header| header.name().to_owned()).collect();
        names.sort();
        let expected = ["Content-Transfer-Encoding", "Content-Type", "Date", "Feedback-ID", "From", "List-ID", "List-Unsubscribe",
            "List-Unsubscribe-Post", "MIME-Version", "Message-ID", "Subject", "To"];
        prop_assert_eq!(names, expected);
        let to: Vec<_> = parsed.to().unwrap().iter().filter_map(|address| address.address()).collect();
        prop_assert_eq!(to, ["anna.berg@kunde.example"]);
        prop_assert!(parsed.header(HeaderName::Bcc).is_none());
        prop_assert!(!parsed.subject().unwrap().contains(['\r', '\n', '\0']));
    }
}
