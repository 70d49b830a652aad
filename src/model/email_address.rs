//! An email address that may be written to.

use std::fmt;

/// A checked address: `local@domain`, the domain as A-label (`xn--…`) in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EmailAddress {
    text: String,
    at: usize,
}

/// Why a text is no address; does not repeat the text, which is personal data.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
#[error("not an email address: expected name@domain.tld without spaces, quotes or control characters, at most 254 characters")]
pub struct BadAddress;

impl EmailAddress {
    /// Checks an address. Stricter than RFC 5321 on purpose: no quoted local parts, no address literals, no domain without a dot;
    /// such addresses are typing errors or attacks in a shop's customer list.
    ///
    /// # Errors
    /// [`BadAddress`].
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(BadAddress)?;
        let special = |c: char| matches!(c, '(' | ')' | '<' | '>' | '[' | ']' | ':' | ';' | '@' | '\\' | ',' | '"');
        let local_bad = local.is_empty()
            || local.len() > 64
            || local.starts_with('.')
            || local.ends_with('.')
            || local.contains("..")
            || local.chars().any(|c| c.is_whitespace() || c.is_control() || special(c));
        let domain = idna::domain_to_ascii_strict(domain.trim_end_matches('.')).map_err(|_| BadAddress)?.to_ascii_lowercase();
        let label_bad = |label: &str| label.is_empty() || label.len() > 63 || label.starts_with('-') || label.ends_with('-');
        let last = domain.rsplit('.').next().unwrap_or_default();
        let domain_bad = !domain.contains('.') || domain.split('.').any(label_bad) || last.bytes().all(|b| b.is_ascii_digit());
        let whole = format!("{local}@{domain}");
        if local_bad || domain_bad || whole.len() > 254 {
            return Err(BadAddress);
        }
        Ok(Self { at: local.len(), text: whole })
    }

    /// `local@domain` as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The part before the @.
    #[must_use]
    pub fn local(&self) -> &str {
        &self.text[..self.at]
    }

    /// The domain as A-label in lower case.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.text[self.at + 1..]
    }

    /// What two spellings of the same mailbox have in common: all in lower case. Suppressions are looked up by it.
    #[must_use]
    pub fn key(&self) -> String {
        self.text.to_lowercase()
    }

    /// Whether the mail server has to support SMTPUTF8 for it (a local part beyond ASCII).
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.local().is_ascii()
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn usual_and_international_addresses_are_accepted() {
        assert_eq!(EmailAddress::parse(" Max.Muster+shop@Shop.Example ").unwrap().as_str(), "Max.Muster+shop@shop.example");
        let idn = EmailAddress::parse("jürgen@müller.example").unwrap();
        assert_eq!(idn.as_str(), "jürgen@xn--mller-kva.example");
        assert!(idn.needs_smtputf8());
        assert_eq!(EmailAddress::parse("A@B.example").unwrap().key(), "a@b.example");
    }

    #[test]
    fn typing_errors_and_injections_are_refused() {
        for text in [
            "",
            "a",
            "a@",
            "@b.example",
            "a@localhost",
            "a@[127.0.0.1]",
            "a@127.0.0.1",
            "a b@c.example",
            "a@b.example\r\nBcc: x@y.example",
            "\"a\"@b.example",
            "a..b@c.example",
            ".a@b.example",
            "a@b..example",
            "a@-b.example",
            "a<b@c.example",
            "a\0@b.example",
            "a@b@c.example",
            "a@b.example>",
        ] {
            assert_eq!(EmailAddress::parse(text), Err(BadAddress), "{text:?}");
        }
        assert!(EmailAddress::parse(&format!("{}@b.example", "a".repeat(65))).is_err());
    }

    proptest! {
        #[test]
        fn whatever_is_accepted_is_one_line_with_one_at(text in "\\PC{0,40}|[a-z.\r\n<>\"@]{0,20}") {
            if let Ok(address) = EmailAddress::parse(&text) {
                prop_assert_eq!(address.as_str().matches('@').count(), 1);
                prop_assert!(!address.as_str().chars().any(|c| c.is_control() || c.is_whitespace()));
                prop_assert_eq!(EmailAddress::parse(address.as_str()), Ok(address));
            }
        }
    }
}
