//! Why a command over SMTP did not succeed, and what that means for the message.

use std::io;

use lettre::transport::smtp::Error;

use super::reply::{classify, enhanced};
use super::wire::LineState;
use crate::channel::one_line;
use crate::model::attempt::{Delivery, Fault};

/// Why a command did not succeed.
pub(super) enum Failure {
    /// The server said no.
    Reply(u16, String),
    /// The connection cannot be used any more.
    Broken(Fault, String),
}

impl Failure {
    /// As a fault of the relay: a refusal of everything, so no verdict on any message.
    pub(super) fn of_relay(self, step: &str, permanent: Fault) -> Delivery {
        match self {
            Self::Reply(code @ 400..=499, text) => retry(Fault::Busy, &format!("{step}: {code} {text}")),
            Self::Reply(code, text) => retry(permanent, &format!("{step}: {code} {text}")),
            Self::Broken(fault, text) => retry(fault, &format!("{step}: {text}")),
        }
    }

    /// As a fault of the message, or of the connection it went over.
    pub(super) fn of_message(self, step: &str) -> Delivery {
        match self {
            Self::Reply(code, text) => classify(code, enhanced(code, &text), &text),
            Self::Broken(fault, text) => retry(fault, &format!("{step}: {text}")),
        }
    }

    /// What lettre's error says; `line` tells whether the peer hung up.
    pub(super) fn of(error: &Error, line: &LineState) -> Self {
        use std::error::Error as _;
        let text = error.source().map_or_else(|| error.to_string(), ToString::to_string);
        if let Some(code) = error.status() {
            return Self::Reply(code.into(), text);
        }
        let io_kind = error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
        let fault = match io_kind {
            Some(io::ErrorKind::InvalidData) => Fault::Protocol,
            Some(_) => Fault::Closed,
            None if line.is_closed() => Fault::Closed,
            None => Fault::Protocol,
        };
        Self::Broken(fault, if fault == Fault::Closed { format!("the server closed the connection ({text})") } else { text })
    }
}

/// "It surely was not taken; try again."
pub(super) fn retry(fault: Fault, detail: &str) -> Delivery {
    Delivery::Retry { fault, detail: one_line(detail), after_ms: None }
}
