//! What allows us to write to somebody: consents, objections, and the legal basis that a rule names.

use crate::base::time::UnixMs;

/// One thing a customer (or the shop) said about being written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConsentKind {
    /// Agreed and confirmed by a click in a mail: good for advertising.
    DoubleOptIn,
    /// Agreed without confirmation: not enough for advertising in Germany, kept as evidence.
    SingleOptIn,
    /// The shop states that the address comes from a sale and that the notice of the right to object was given (UWG §7(3)).
    ExistingCustomer,
    /// Does not want advertising (any more): stops everything but order mails, until a later double opt-in.
    Objected,
}

impl ConsentKind {
    /// Reads the word that imports use. Also understands the words of Shopify and usual exports (`subscribed`, `yes`, `true`, `unsubscribed`, `no` …).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().replace([' ', '-'], "_").as_str() {
            "double_opt_in" | "confirmed_opt_in" | "doi" | "confirmed" => Some(Self::DoubleOptIn),
            "single_opt_in" | "subscribed" | "yes" | "ja" | "true" | "1" => Some(Self::SingleOptIn),
            "existing_customer" | "bestandskunde" => Some(Self::ExistingCustomer),
            "objected" | "unsubscribed" | "opt_out" | "widerspruch" | "redacted" => Some(Self::Objected),
            _ => None,
        }
    }

    /// The word that is stored.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::DoubleOptIn => "double_opt_in",
            Self::SingleOptIn => "single_opt_in",
            Self::ExistingCustomer => "existing_customer",
            Self::Objected => "objected",
        }
    }
}

/// A dated statement with its evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consent {
    /// What was said.
    pub kind: ConsentKind,
    /// When.
    pub at: UnixMs,
    /// Where: `checkout`, `import`, `unsubscribe link` …
    pub source: String,
}

/// The ground on which a rule writes to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LegalBasis {
    /// Mails that belong to an order: no advertising in them.
    Contract,
    /// Own similar goods to somebody who bought, until they object (UWG §7(3)).
    ExistingCustomer,
    /// Confirmed consent (double opt-in).
    Consent,
}

impl LegalBasis {
    /// All words, for messages.
    pub const WORDS: &str = "\"consent\", \"existing_customer\" or \"contract\"";

    /// Reads the word in a rule.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "contract" => Some(Self::Contract),
            "existing_customer" => Some(Self::ExistingCustomer),
            "consent" => Some(Self::Consent),
            _ => None,
        }
    }

    /// The word that is stored.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Contract => "contract",
            Self::ExistingCustomer => "existing_customer",
            Self::Consent => "consent",
        }
    }
}
