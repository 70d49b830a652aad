//! What a server's refusal means: a pure table over the enhanced status code (RFC 3463) and the basic one (RFC 5321).

use crate::channel::one_line;
use crate::model::attempt::{Delivery, Fault};

/// An enhanced status code: class, subject, detail, e.g. `(5, 1, 1)`.
pub type Enhanced = (u16, u16, u16);

/// The enhanced status code at the beginning of a reply's text; `None` when there is none or its class contradicts the basic code (RFC 2034 §4).
#[must_use]
pub fn enhanced(code: u16, text: &str) -> Option<Enhanced> {
    let mut parts = text.split_whitespace().next()?.split('.');
    let mut next = || parts.next().filter(|part| (1..=3).contains(&part.len()))?.parse::<u16>().ok();
    let found = (next()?, next()?, next()?);
    (parts.next().is_none() && found.0 == code / 100).then_some(found)
}

/// What a refusal with `code` means for the message. 4xx: later. 5xx: by the enhanced code if it says anything, else by the basic one.
/// A refusal that blames our login is no fault of the message, which is tried again when the settings are mended.
#[must_use]
pub fn classify(code: u16, enhanced: Option<Enhanced>, text: &str) -> Delivery {
    let detail = one_line(&format!("{code} {text}"));
    let fault = match (code, enhanced) {
        (530 | 534 | 535 | 538, _) | (500..=599, Some((5, 7, 8 | 9 | 11))) => return Delivery::Retry { fault: Fault::Auth, detail, after_ms: None },
        (400..=499, _) => return Delivery::Retry { fault: Fault::Busy, detail, after_ms: None },
        (500..=599, Some((5, subject, part))) if subject > 0 => by_enhanced(code, subject, part),
        (500..=599, _) => by_basic(code),
        _ => return Delivery::Retry { fault: Fault::Protocol, detail, after_ms: None },
    };
    Delivery::Refused { fault, detail }
}

fn by_enhanced(code: u16, subject: u16, part: u16) -> Fault {
    match (subject, part) {
        // 5.1.7 and 5.1.8 blame the sender's address, not the recipient's.
        (1, 7 | 8) | (7, _) => Fault::Policy,
        (1, _) | (2, 1) => Fault::BadAddress,
        (2, 2) => Fault::MailboxFull,
        (2, 3) | (3, 4) => Fault::TooLarge,
        (6, 7) => Fault::SmtpUtf8,
        // Routing (x.4) with "no such mailbox": what Exchange says about unknown recipients.
        (4, 1) if code == 550 => Fault::BadAddress,
        _ => Fault::Refused,
    }
}

fn by_basic(code: u16) -> Fault {
    match code {
        550 | 551 | 553 => Fault::BadAddress,
        552 => Fault::MailboxFull,
        554 => Fault::Policy,
        _ => Fault::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_has_its_class_and_the_enhanced_code_goes_first() {
        let retry = [
            ("421 4.3.2 going down", Fault::Busy),
            ("450 4.2.1 greylisted", Fault::Busy),
            ("451 try later", Fault::Busy),
            ("452 4.2.2 full for now", Fault::Busy),
            ("454 4.7.0 later", Fault::Busy),
            ("530 5.7.0 authentication required", Fault::Auth),
            ("535 5.7.8 bad password", Fault::Auth),
            ("550 5.7.8 log in first", Fault::Auth),
            ("299 odd", Fault::Protocol),
        ];
        for (line, expected) in retry {
            let (code, text) = line.split_once(' ').unwrap();
            let code = code.parse().unwrap();
            let found = classify(code, enhanced(code, text), text);
            assert!(matches!(&found, Delivery::Retry { fault, detail, after_ms: None } if *fault == expected && detail == line), "{line}: {found:?}");
        }
        let refused = [
            ("550 5.1.1 no such user", Fault::BadAddress),
            ("550 no such user", Fault::BadAddress),
            ("551 moved", Fault::BadAddress),
            ("553 bad name", Fault::BadAddress),
            ("554 5.1.1 no such user", Fault::BadAddress),
            ("550 5.2.1 disabled", Fault::BadAddress),
            ("550 5.4.1 access denied", Fault::BadAddress),
            ("550 5.0.0 no", Fault::BadAddress),
            ("550 4.1.1 contradicts itself", Fault::BadAddress),
            ("550 5.1.8 sender's domain does not exist", Fault::Policy),
            ("550 5.7.1 spam", Fault::Policy),
            ("550 5.7.515 not authenticated", Fault::Policy),
            ("554 spam", Fault::Policy),
            ("552 full", Fault::MailboxFull),
            ("550 5.2.2 full", Fault::MailboxFull),
            ("552 5.2.3 too long", Fault::TooLarge),
            ("552 5.3.4 too big", Fault::TooLarge),
            ("550 5.6.7 needs SMTPUTF8", Fault::SmtpUtf8),
            ("550 5.6.0 broken content", Fault::Refused),
            ("500 what?", Fault::Refused),
            ("503 5.5.1 order", Fault::Refused),
        ];
        for (line, expected) in refused {
            let (code, text) = line.split_once(' ').unwrap();
            let code = code.parse().unwrap();
            let found = classify(code, enhanced(code, text), text);
            assert!(matches!(&found, Delivery::Refused { fault, .. } if *fault == expected), "{line}: {found:?}");
        }
    }

    #[test]
    fn words_that_only_look_like_an_enhanced_code_are_none() {
        for text in ["", "5.1", "5.1.1.1 x", "5.x.1", "5.1.1000 x", "user 5.1.1", "4.1.1 x"] {
            assert_eq!(enhanced(550, text), None, "{text}");
        }
        assert_eq!(enhanced(550, "5.1.10 null MX"), Some((5, 1, 10)));
    }

    #[test]
    fn a_servers_words_become_one_short_line() {
        let Delivery::Refused { detail, .. } = classify(554, None, &format!("a\r\nb\0c {}", "x".repeat(10_000))) else { panic!("refused") };
        assert!(detail.starts_with("554 a b c xxx") && detail.chars().count() == 500);
    }
}
