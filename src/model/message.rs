//! A message in the outbox and the states it goes through.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::base::id::Id;
use crate::base::time::UnixMs;

/// Where a message stands.
///
/// ```text
/// queued ──claim──► claimed ──committed just before the final dot──► data ──► sent
///   ▲                 │  │                                             │ ├──► failed
///   └──retry, expired─┘  └──► failed, cancelled                        └─┴──► in_doubt (no answer, or a crash)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageState {
    /// Waits for its time.
    Queued,
    /// A worker has it on lease; the receiver has not got it yet, so an expired lease puts it back.
    Claimed,
    /// Its bytes may be with the receiver: whoever finds it here after a crash must not send it again.
    Data,
    /// The receiver took responsibility.
    Sent,
    /// The receiver refused it for good, or the tries are used up.
    Failed,
    /// Nobody knows whether it arrived; a person decides.
    InDoubt,
    /// Stopped before it left: the customer objected meanwhile, or a person discarded it while its rule was paused.
    Cancelled,
}

impl MessageState {
    /// All states.
    pub const ALL: [Self; 7] = [Self::Queued, Self::Claimed, Self::Data, Self::Sent, Self::Failed, Self::InDoubt, Self::Cancelled];

    /// The word that is stored.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Claimed => "claimed",
            Self::Data => "data",
            Self::Sent => "sent",
            Self::Failed => "failed",
            Self::InDoubt => "in_doubt",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads the stored word.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == text)
    }
}

/// What is sent: of the action that a rule asked for what its channel needs.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A template, filled in when it leaves.
    Email(Letter),
    /// To the target of the configuration's `[[webhooks]]`.
    Webhook {
        /// The target's name.
        target: String,
        /// The body's exact bytes; made once, so that each retry sends the same.
        body: Option<String>,
    },
}

/// What an email is made from.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Letter {
    /// Name of a folder under `templates/`.
    pub template: String,
    /// What the template may print, by name.
    pub vars: Map<String, Value>,
}

/// A message that a worker has on lease, with all that is needed to send it.
#[derive(Clone, Debug, PartialEq)]
pub struct LeasedMessage {
    /// Our key; the Message-ID and the webhook-id are made from it, so they are the same on each try.
    pub id: Id,
    /// To whom.
    pub customer_id: Id,
    /// The rule that asked for it.
    pub rule: String,
    /// The arm.
    pub variant: String,
    /// What to send.
    pub content: Content,
    /// When the decision was made.
    pub created_at: UnixMs,
    /// Number of this try, from 1.
    pub attempt: u32,
    /// Grows with each claim; a worker that lost its lease writes with an old number and changes nothing.
    pub fence: i64,
    /// Address at the time of the claim; `None` when it has gone.
    pub email: Option<String>,
    /// Given name at the time of the claim.
    pub first_name: Option<String>,
    /// Family name at the time of the claim.
    pub last_name: Option<String>,
    /// Language of the customer; `None`: the shop's.
    pub locale: Option<String>,
    /// Legal basis of the rule, as its word.
    pub basis: String,
}

/// The purpose that the tokens in unsubscribe links are signed for; the id in them is the message's.
pub const UNSUBSCRIBE_PURPOSE: &str = "unsubscribe";
