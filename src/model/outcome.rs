//! What came of a decision.

/// Kinds of outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
    /// The receiver took the message.
    Accepted,
    /// The receiver refused it, or the tries were used up.
    Refused,
    /// Nobody knows whether it arrived.
    InDoubt,
    /// The mailbox does not exist.
    Bounced,
    /// The customer clicked unsubscribe in this message.
    Unsubscribed,
    /// An order inside the goal's window.
    Converted,
}

impl OutcomeKind {
    /// The word that is stored.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::InDoubt => "in_doubt",
            Self::Bounced => "bounced",
            Self::Unsubscribed => "unsubscribed",
            Self::Converted => "converted",
        }
    }
}
