//! One try to deliver a message, and what its end means for the next.

/// What kind of fault ended a try; stored with the attempt, shown to people, and the ground for suppressions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// No connection: refused, unreachable, name not found.
    Connect,
    /// TLS could not be agreed on, or the certificate is not the server's.
    Tls,
    /// The server does not accept our user name and password: a fault of the relay's settings, not of the message.
    Auth,
    /// The peer took longer than the phase allows.
    Timeout,
    /// The peer closed the connection before it took the message.
    Closed,
    /// The peer does not speak the protocol.
    Protocol,
    /// "Later, please": SMTP 4xx, HTTP 429, 502, 503, 504.
    Busy,
    /// The mailbox does not exist (5.1.x): suppress the address.
    BadAddress,
    /// The mailbox is full (5.2.2, 552).
    MailboxFull,
    /// Refused as spam or by policy (5.7.x, 554): says nothing about the address.
    Policy,
    /// The message is too large for the receiver (5.3.4).
    TooLarge,
    /// The address needs SMTPUTF8 and the server does not offer it.
    SmtpUtf8,
    /// Any other permanent refusal by SMTP.
    Refused,
    /// HTTP 410: the receiver is gone and wants nothing more.
    Gone,
    /// Any other HTTP answer that is no success.
    HttpStatus,
    /// The target points to an address that is not allowed (SSRF guard).
    BlockedTarget,
    /// The template could not be rendered, or the mail could not be built.
    Render,
    /// There is no (valid) address, template or target any more.
    Missing,
}

impl Fault {
    /// All faults.
    pub const ALL: [Self; 18] = [
        Self::Connect,
        Self::Tls,
        Self::Auth,
        Self::Timeout,
        Self::Closed,
        Self::Protocol,
        Self::Busy,
        Self::BadAddress,
        Self::MailboxFull,
        Self::Policy,
        Self::TooLarge,
        Self::SmtpUtf8,
        Self::Refused,
        Self::Gone,
        Self::HttpStatus,
        Self::BlockedTarget,
        Self::Render,
        Self::Missing,
    ];

    /// The word that is stored.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Auth => "auth",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
            Self::Busy => "busy",
            Self::BadAddress => "bad_address",
            Self::MailboxFull => "mailbox_full",
            Self::Policy => "policy",
            Self::TooLarge => "too_large",
            Self::SmtpUtf8 => "smtputf8",
            Self::Refused => "refused",
            Self::Gone => "gone",
            Self::HttpStatus => "http_status",
            Self::BlockedTarget => "blocked_target",
            Self::Render => "render",
            Self::Missing => "missing",
        }
    }

    /// Whether the fault lies with the relay or the way to it rather than with this message: then the whole channel should pause.
    #[must_use]
    pub fn concerns_relay(self) -> bool {
        matches!(self, Self::Connect | Self::Tls | Self::Auth)
    }
}

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The receiver took responsibility; its words.
    Accepted {
        /// The reply, one line, at most 500 characters.
        reply: String,
    },
    /// It surely was not taken; try again.
    Retry {
        /// What happened.
        fault: Fault,
        /// The peer's words or ours, one line, at most 500 characters.
        detail: String,
        /// How long the receiver asks us to wait.
        after_ms: Option<i64>,
    },
    /// It was refused for good.
    Refused {
        /// Why.
        fault: Fault,
        /// The peer's words or ours.
        detail: String,
    },
    /// It may have been taken: never send again on our own.
    InDoubt {
        /// What happened.
        detail: String,
    },
    /// It must not leave any more: the customer objected after the decision.
    Cancelled,
}
