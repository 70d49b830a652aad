//! Templates that must not go out, and what they are refused with.

use std::path::Path;

use serde_json::json;
use stammgast::channel::templates::TemplateSet;
use stammgast::model::consent::LegalBasis;
use stammgast::model::customer::Locale;

use crate::common::mails::{shipped_templates, vars};

const FOOTER: &str = "{{ shop.imprint }}\n{{ unsubscribe_url }}\n";

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn faults(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let faults =
        TemplateSet::load(folder.path()).expect_err("these templates must be refused").iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    faults.replace(&format!("{}/", folder.path().display()), "")
}

fn load(files: &[(&str, &str)]) -> TemplateSet {
    TemplateSet::load(folder(files).path()).unwrap()
}

#[test]
fn a_faulty_template_is_refused_with_file_and_line() {
    let text = |body: &str| format!("Subject: x\n\n{body}\n{FOOTER}");
    for (name, content, expected) in [
        ("a/de.txt", text("{{ customer.fist_name }}"), "a/de.txt:3 unknown variable 'customer.fist_name'"),
        ("a/de.txt", text("one\n{% if %}"), "a/de.txt:4 "),
        ("a/de.txt", text("{{ shop.name | safe }}"), "a/de.txt:3 filter safe is unknown"),
        ("a/de.txt", text("{{ shop.name | date }}"), "a/de.txt:3 'Probe' is not a date for the filter 'date'"),
        ("a/de.txt", text("{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}"), "takes more than 100000 steps"),
        ("a/de.txt", text("{% include \"_shared/none.txt\" %}"), "a/de.txt:3 "),
        ("a/de.txt", "Hello\n\nno subject".to_owned(), "a/de.txt:1 expected 'Subject: …' or 'Kind: transactional'"),
        ("a/de.txt", "Subject: x".to_owned(), "a/de.txt:1 expected 'Subject: …', an empty line, then the text"),
        ("a/de.txt", "Subject: x\n\n{{ unsubscribe_url }}".to_owned(), "a/de.txt has no imprint"),
        ("a/de.txt", "Subject: x\n\n{{ shop.imprint }}".to_owned(), "a/de.txt has no unsubscribe link"),
        ("a/notes.md", "x".to_owned(), "a is no template: expected de.txt or en.txt"),
        ("a/de.mjml", "<mjml></mjml>".to_owned(), "a/de.mjml has no text part: expected de.txt beside it"),
    ] {
        let found = faults(&[(name, content.as_str())]);
        assert!(found.contains(expected), "{found}\nshould contain\n{expected}");
    }
    let mjml =
        |body: &str| format!("<mjml>\n<mj-body>\n<mj-section><mj-column>\n<mj-text>{body}</mj-text>\n</mj-column></mj-section>\n</mj-body>\n</mjml>");
    let footer = "{{ shop.imprint }} <a href=\"{{ unsubscribe_url }}\">x</a>";
    for (content, expected) in [
        (mjml("{{ shop.imprint }}"), "a/de.mjml has no unsubscribe link"),
        (mjml("{{ unsubscribe_url }}"), "a/de.mjml has no imprint"),
        (mjml(&format!("{footer}{{{{ nobody }}}}")), "a/de.mjml:4 unknown variable 'nobody'"),
        (mjml(&format!("{footer}<a href=\"javascript:x\">x</a>")), "href=\"javascript:x\" is no link for a mail"),
        (
            "<mjml>\n<mj-body>\n<mj-include path=\"../../etc/passwd\" />\n</mj-body>\n</mjml>".to_owned(),
            "a/de.mjml:3 cannot include '../../etc/passwd'",
        ),
        ("<mjml>\n<mj-body>\n<mj-section>".to_owned(), "a/de.mjml ends too early"),
        ("<p>x</p>".to_owned(), "a/de.mjml"),
        (
            mjml(&format!("{footer}</mj-text><!-- <mj-none> --><mj-txt>x</mj-txt><mj-text>")),
            "a/de.mjml:4 there is no element 'mj-txt' in MJML - did you mean 'mj-text'?",
        ),
    ] {
        let found = faults(&[("a/de.txt", &text("x")), ("a/de.mjml", &content)]);
        assert!(found.contains(expected), "{found}\nshould contain\n{expected}");
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let found = faults(&[("a/de.txt", "Subject: x\n\nx"), ("b/en.txt", "x")]);
    assert!(
        found.contains("a/de.txt has no imprint") && found.contains("a/de.txt has no unsubscribe link") && found.contains("b/en.txt:1"),
        "{found}"
    );
    assert!(TemplateSet::load(Path::new("/nowhere")).unwrap_err()[0].to_string().contains("/nowhere cannot be read"));
}

#[test]
fn a_mark_of_the_order_of_bytes_is_no_part_of_a_template() {
    let set = load(&[("a/de.txt", &format!("\u{feff}Subject: Hallo\r\n\r\nText\r\n{FOOTER}"))]);
    assert_eq!(set.render("a", Locale::De, &vars(Locale::De, LegalBasis::Consent)).unwrap().subject, "Hallo");
}

#[test]
fn an_order_mail_may_do_without_an_unsubscribe_link_if_it_says_so() {
    let set = load(&[("receipt/de.txt", "Subject: x\nKind: transactional\n\n{{ shop.imprint }}")]);
    assert!(set.is_transactional("receipt") && !shipped_templates().is_transactional("thank-you"));
}

#[test]
fn a_missing_language_falls_back_to_the_other() {
    let set = load(&[("a/en.txt", &format!("Subject: Hello\n\n{FOOTER}"))]);
    assert_eq!(set.render("a", Locale::De, &vars(Locale::De, LegalBasis::Consent)).unwrap().subject, "Hello");
    assert_eq!(set.render("a", Locale::De, &vars(Locale::De, LegalBasis::Consent)).unwrap().html, None);
    let unknown = set.render("b", Locale::De, &vars(Locale::De, LegalBasis::Consent)).unwrap_err();
    assert_eq!(unknown, "there is no template 'b'; there are: a");
    assert!(set.contains("a") && !set.contains("b"));
}

#[test]
fn a_rules_own_variables_need_an_example_and_the_filters_write_them() {
    let text = format!("Subject: {{{{ total | money }}}}\n\nbis {{{{ day | date }}}}\n{FOOTER}");
    let set = load(&[("a/de.txt", &text), ("a/en.txt", &text), ("a/sample.json", r#"{"total": 100, "day": "2026-01-31"}"#)]);
    for (locale, subject, line) in [(Locale::De, "1.234,50 €", "bis 31.12.2026"), (Locale::En, "€1,234.50", "bis 31 December 2026")] {
        let mut vars = vars(locale, LegalBasis::Consent);
        vars.extend([("total".to_owned(), json!(123_450)), ("day".to_owned(), json!("2026-12-31"))]);
        let rendered = set.render("a", locale, &vars).unwrap();
        assert_eq!((rendered.subject.as_str(), rendered.text.lines().next()), (subject, Some(line)));
        vars.remove("day");
        assert_eq!(set.render("a", locale, &vars).unwrap_err(), format!("a/{}.txt:3: a variable is missing", locale.code()));
    }
}

#[test]
fn values_are_text_never_markup_template_or_header() {
    let set = shipped_templates();
    let mut vars = vars(Locale::De, LegalBasis::Consent);
    vars["customer"] = json!({"first_name": "x", "last_name": "y", "name": "<b onload='x'>{{ shop.imprint }}\r\nBcc: x@y.example\0"});
    let rendered = set.render("win-back", Locale::De, &vars).unwrap();
    let html = rendered.html.unwrap();
    assert!(html.contains("&lt;b onload=&#39;x&#39;&gt;{{ shop.imprint }}") && !html.contains("<b onload"));
    assert!(!html.contains(['\0', '\r']) && !rendered.text.contains(['\0', '\r']));
    vars["voucher"]["worth"] = json!("1\r\nBcc: x@y.example");
    assert!(!set.render("win-back", Locale::De, &vars).unwrap().subject.contains(['\r', '\n']));
    vars["shop"]["url"] = json!("javascript:alert(1)");
    assert!(set.render("win-back", Locale::De, &vars).unwrap_err().contains("is no link for a mail"));
}

#[test]
fn the_footer_says_why_and_how_to_object() {
    let set = shipped_templates();
    for (basis, german, english) in [
        (LegalBasis::Consent, "zugestimmt haben", "you agreed"),
        (LegalBasis::ExistingCustomer, "bei uns eingekauft haben", "you have bought from us"),
        (LegalBasis::Contract, "zu Ihrer Bestellung", "about your order"),
    ] {
        for name in set.names() {
            let of = |locale| set.render(name, locale, &vars(locale, basis)).unwrap();
            let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            for content in [of(Locale::De).text, of(Locale::De).html.unwrap()] {
                assert!(flat(&content).contains(german) && flat(&content).contains("jederzeit widersprechen"), "{name}: {content}");
            }
            for content in [of(Locale::En).text, of(Locale::En).html.unwrap()] {
                assert!(flat(&content).contains(english) && flat(&content).contains("object to the use of your email address"), "{name}: {content}");
            }
        }
    }
}
