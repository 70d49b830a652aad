//! An example beside a rule: a customer as somebody states them, and what the rule has to make of them.

use chrono::NaiveDate;

use super::consent::ConsentKind;
use super::decision::Refusal;
use super::facts::Facts;

/// An example beside a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// What it shows; unique in its rule.
    pub name: String,
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The customer: a record and stated facts, no scores and no history.
    pub facts: Facts,
    /// What the gates are told.
    pub standing: StatedStanding,
    /// What has to come of it.
    pub expected: Expected,
}

/// What an example says besides facts; what it leaves out lets the rule write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatedStanding {
    /// The day that everything is counted from, at noon; `None`: any.
    pub today: Option<NaiveDate>,
    /// The only statement of the customer; `None`: never said anything.
    pub consent: Option<ConsentKind>,
    /// The address is on the suppression list.
    pub suppressed: bool,
    /// Days since the latest order that counts; `None`: never ordered.
    pub last_order_days: Option<i64>,
    /// Days since the rule wrote to them (or held them out); `None`: never.
    pub written_days_ago: Option<i64>,
    /// Emails of all rules together within the cap's days, besides that one.
    pub recent_emails: i64,
}

/// What an example, or a line of a scenario, expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A message, in whichever variant, or held out.
    Send,
    /// The condition is not true.
    No,
    /// A gate, or the rule's failure, stops it.
    Refused(Refusal),
}

impl Expected {
    /// All words, for messages and for the nearest word to a typing error.
    pub const WORDS: [&str; 9] = ["send", "no", "suppressed", "objected", "no_basis", "cooldown", "frequency_cap", "no_address", "rule_failed"];

    /// Reads the word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "send" => Some(Self::Send),
            "no" => Some(Self::No),
            word => Refusal::parse(word).map(Self::Refused),
        }
    }

    /// The word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::No => "no",
            Self::Refused(reason) => reason.code(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_and_every_reason_of_a_refusal_is_read() {
        for word in Expected::WORDS {
            assert_eq!(Expected::parse(word).map(Expected::code), Some(word));
        }
        assert_eq!(Expected::WORDS.len(), Refusal::ALL.len() + 2);
        assert!(Expected::parse("control").is_none());
    }
}
