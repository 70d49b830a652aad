//! Something that happened to a customer: a survey answer, or whatever else the shop tells.

use sha2::{Digest as _, Sha256};

use super::customer::NewCustomer;
use crate::base::id::Id;
use crate::base::money::Cents;
use crate::base::time::UnixMs;

/// A survey whose answers make a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survey {
    /// "Would you recommend us?", 0 to 10.
    Nps,
    /// "How satisfied are you?", 1 to 5.
    Csat,
}

impl Survey {
    /// The survey that an event's kind is an answer to.
    #[must_use]
    pub fn of_kind(kind: &str) -> Option<Self> {
        match kind {
            "nps" => Some(Self::Nps),
            "csat" => Some(Self::Csat),
            _ => None,
        }
    }

    /// The kind of the events that are answers to it.
    #[must_use]
    pub fn kind(self) -> &'static str {
        match self {
            Self::Nps => "nps",
            Self::Csat => "csat",
        }
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// A sentence with the answers that there are.
    pub fn answer(self, text: &str) -> Result<u8, String> {
        let (name, lowest, highest) = match self {
            Self::Nps => (self.kind(), 0, 10),
            Self::Csat => (self.kind(), 1, 5),
        };
        let whole = Cents::parse(text).ok().filter(|number| number.0 % 100 == 0).map(|number| number.0 / 100);
        let answer = whole.filter(|answer| (lowest..=highest).contains(answer)).and_then(|answer| u8::try_from(answer).ok());
        answer.ok_or_else(|| format!("'{text}' is no answer to {name}: expected a whole number from {lowest} to {highest}"))
    }
}

/// The kind of the events that say that somebody called a message of ours spam.
pub const COMPLAINT: &str = "complaint";

/// A complaint that is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The event.
    pub event: Id,
    /// Who complained.
    pub customer: Id,
    /// What it says about the message: see [`About::of`].
    pub about: Option<String>,
    /// When.
    pub at: UnixMs,
}

/// The message that a complaint is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About<'a> {
    /// It does not say.
    Unsaid,
    /// This one.
    Message(Id),
    /// The last one of this rule.
    Rule(&'a str),
    /// A mail that another system sent.
    Foreign,
}

impl<'a> About<'a> {
    /// Reads an event's value: a Message-ID with or without its brackets, a message's number, or a rule's name.
    #[must_use]
    pub fn of(value: Option<&'a str>) -> Self {
        let Some(value) = value.map(str::trim).filter(|value| !value.is_empty()) else { return Self::Unsaid };
        let bare = value.strip_prefix('<').and_then(|value| value.strip_suffix('>')).unwrap_or(value);
        let (local, of_mail) = bare.split_once('@').map_or((bare, false), |(local, _)| (local, true));
        match (local.parse(), of_mail) {
            (Ok(id), _) => Self::Message(Id(id)),
            (Err(_), true) => Self::Foreign,
            (Err(_), false) => Self::Rule(bare),
        }
    }
}

/// What an answer to the NPS question makes of a customer (Reichheld 2003).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NpsClass {
    /// 9 and 10.
    Promoter,
    /// 7 and 8.
    Passive,
    /// 0 to 6.
    Detractor,
}

impl NpsClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Promoter, Self::Passive, Self::Detractor];

    /// The class of an answer; `None` for what is none.
    #[must_use]
    pub fn of(answer: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|class| (class.answers().0..=class.answers().1).contains(&answer))
    }

    /// Its lowest and its highest answer.
    #[must_use]
    pub fn answers(self) -> (u8, u8) {
        match self {
            Self::Promoter => (9, 10),
            Self::Passive => (7, 8),
            Self::Detractor => (0, 6),
        }
    }

    /// The word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Promoter => "promoter",
            Self::Passive => "passive",
            Self::Detractor => "detractor",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.code() == text)
    }
}

/// Reads the word that says what happened, in lower case.
///
/// # Errors
/// A sentence with the form that is expected.
pub fn kind(text: &str) -> Result<String, String> {
    let word = text.trim().to_ascii_lowercase();
    let good = (1..=60).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if good { Ok(word) } else { Err("no word for what happened: expected 1 to 60 letters, digits, - _ . such as nps, csat or shop.visit".to_owned()) }
}

/// An event as an import tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// The shop's key: unique among events.
    pub external_id: String,
    /// The shop's key of the customer; may be unknown to us yet.
    pub customer_external_id: String,
    /// Set when the event itself carries an address.
    pub customer: Option<Box<NewCustomer>>,
    /// What happened.
    pub kind: String,
    /// The answer, or what else there is to say.
    pub value: Option<String>,
    /// When.
    pub at: UnixMs,
}

impl NewEvent {
    /// A key for an event that has none: from customer, kind, value and moment, so that the same is known again.
    #[must_use]
    pub fn content_key(&self) -> String {
        let mut digest = Sha256::new();
        for part in [&self.customer_external_id, &self.kind, self.value.as_deref().unwrap_or_default()] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.update(self.at.0.to_le_bytes());
        let digest: [u8; 32] = digest.finalize().into();
        format!("auto-{:032x}", digest.first_chunk().map_or(0, |first| u128::from_be_bytes(*first)))
    }
}
