//! A decision: what was made of a rule's wish to write to a customer, and why.

use crate::base::id::Id;
use crate::base::time::UnixMs;

use super::action::Action;

/// A decision so long after the moment that it is made for (in milliseconds) is late: its run was missed, held, or cut by a limit, and goes on. What it sees is that of the moment; consent, cap,
/// vouchers and the goal's window go by the time at which it is made.
pub const LATE_MS: i64 = 30 * 60_000;

/// Why a proposal was stopped. The first gate that stops it names the reason; the order of the variants is the order of the gates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// The address bounced for good, was blocked, or was erased.
    Suppressed,
    /// The customer does not want advertising.
    Objected,
    /// Nothing allows this rule to write to this customer.
    NoBasis,
    /// This rule has written to them (or held them out) for this occasion, or too recently.
    Cooldown,
    /// Too many messages from all rules together in the last days.
    FrequencyCap,
    /// An email without an address.
    NoAddress,
    /// The rule's action failed for this customer, or names a template or target that does not exist.
    RuleFailed,
}

impl Refusal {
    /// Every reason, in the order of the gates.
    pub const ALL: [Self; 7] =
        [Self::Suppressed, Self::Objected, Self::NoBasis, Self::Cooldown, Self::FrequencyCap, Self::NoAddress, Self::RuleFailed];

    /// The word in JSON, the log and the database.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Suppressed => "suppressed",
            Self::Objected => "objected",
            Self::NoBasis => "no_basis",
            Self::Cooldown => "cooldown",
            Self::FrequencyCap => "frequency_cap",
            Self::NoAddress => "no_address",
            Self::RuleFailed => "rule_failed",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == text)
    }

    /// A sentence for people.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Suppressed => "the address bounced or was blocked",
            Self::Objected => "the customer objected to advertising",
            Self::NoBasis => "no legal basis allows this rule to write",
            Self::Cooldown => "this rule already wrote for this occasion",
            Self::FrequencyCap => "too many messages in the last days",
            Self::NoAddress => "no email address",
            Self::RuleFailed => "the rule failed for this customer",
        }
    }
}

/// What became of a proposal.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// A message goes out in this variant.
    Send {
        /// The arm.
        variant: String,
        /// What it does.
        action: Box<Action>,
    },
    /// Held out on purpose, to see what the rule earns.
    Control,
    /// Held out from all rules, to see what they earn together.
    Holdout,
    /// Stopped.
    Refused(Refusal),
}

impl Verdict {
    /// The word in JSON and for people.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Send { .. } => "send",
            Self::Control => "control",
            Self::Holdout => "holdout",
            Self::Refused(_) => "refused",
        }
    }

    /// The variant of a message.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        match self {
            Self::Send { variant, .. } => Some(variant),
            Self::Control | Self::Holdout | Self::Refused(_) => None,
        }
    }

    /// Why it was stopped; `None` for whoever gets a message or is held out.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Refused(reason) => Some(*reason),
            Self::Send { .. } | Self::Control | Self::Holdout => None,
        }
    }
}

/// A proposal with its verdict, ready to be logged.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// Our key.
    pub id: Id,
    /// Whom it is about.
    pub customer_id: Id,
    /// The occasion's key.
    pub occasion: String,
    /// What became of it.
    pub verdict: Verdict,
    /// More about the reason, for people; may be empty.
    pub detail: String,
    /// When the message may leave: the run's time, or the end of the quiet hours. The goal's window begins here, for control too.
    pub effective_at: UnixMs,
    /// End of the goal's window; `None` without a goal.
    pub goal_until: Option<UnixMs>,
    /// Whether the customer is held out from all rules; `None`: nobody is, or not from this one, or it was stopped.
    pub holdout: Option<bool>,
    /// Made after the traffic went to the variant that won.
    pub switched: bool,
    /// What the rule saw, as a JSON object.
    pub inputs: String,
}
