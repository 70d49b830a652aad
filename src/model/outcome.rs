//! What came of a decision, beyond what its message's state says (accepted, refused, in doubt).

/// Kinds of outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OutcomeKind {
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
            Self::Bounced => "bounced",
            Self::Unsubscribed => "unsubscribed",
            Self::Converted => "converted",
        }
    }
}
