//! A rule's pause: it begins no run and sends nothing for the time being.

use serde::Serialize;

use crate::base::time::{UnixMs, Zone};

/// A pause that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Pause {
    /// The rule.
    pub rule: String,
    /// Since when.
    pub since: UnixMs,
    /// Who paused it; empty when it was the rule itself, or nobody said.
    pub by: String,
    /// The version that failed too often and so paused itself: another version ends the pause. `None`: a person's pause, which only a person ends.
    pub failed: Option<String>,
    /// Why; may be empty. What a rule failed with may name a customer: it belongs into no log and on no page.
    pub reason: String,
}

impl Pause {
    /// Whether the rule paused itself.
    #[must_use]
    pub fn by_itself(&self) -> bool {
        self.failed.is_some()
    }

    /// `paused by anna since 2026-07-01T09:00:00+02:00: too many complaints`.
    #[must_use]
    pub fn sentence(&self, zone: Zone) -> String {
        let who = match (self.by_itself(), self.by.as_str()) {
            (true, _) => " itself".to_owned(),
            (false, "") => String::new(),
            (false, by) => format!(" by {by}"),
        };
        let why = if self.reason.is_empty() { String::new() } else { format!(": {}", self.reason) };
        format!("paused{who} since {}{why}", zone.format(self.since))
    }
}
