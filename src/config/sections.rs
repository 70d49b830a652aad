//! The small sections: database, rules, folders, score, policy, dispatch, daemon, log.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::ConfigError;
use super::mail::Mail;
use crate::base::secret::Secret;

type Problem = (&'static str, String);

/// `[database]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// `sqlite://…` or `postgres://…`.
    pub url: String,
    /// File with the URL.
    pub url_file: String,
    /// Pool size.
    pub connections: u32,
    /// Migrate at start.
    pub migrate: bool,
}

impl Database {
    pub(super) fn check(&self) -> Result<(), Problem> {
        let known = ["sqlite:", "postgres:", "postgresql:"].iter().any(|scheme| self.url.starts_with(scheme));
        if !known {
            return Err(("url", "is not a database URL: expected sqlite://FILE or postgres://user:password@host/database".to_owned()));
        }
        if !(2..=100).contains(&self.connections) {
            return Err(("connections", format!("{} is out of range: expected 2 to 100", self.connections)));
        }
        Ok(())
    }
}

/// `[rules]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// The folder, or one file.
    pub path: PathBuf,
    /// Seconds between looks at the files of rules and templates; 0: never.
    pub watch_s: u64,
    /// After so many failures in one run a rule pauses itself; 0: never.
    pub pause_after_failures: usize,
}

impl Rules {
    pub(super) fn check(&self) -> Result<(), Problem> {
        if self.watch_s > 3600 {
            return Err(("watch_s", format!("{} is out of range: expected 0 to 3600", self.watch_s)));
        }
        Ok(())
    }
}

/// `[templates]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// The folder.
    pub path: PathBuf,
}

/// `[import]`: our names of columns → those of the shop's exports.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    /// In files of customers.
    pub customers: BTreeMap<String, String>,
    /// In files of orders.
    pub orders: BTreeMap<String, String>,
    /// In files of events.
    pub events: BTreeMap<String, String>,
}

/// `[attributes]`: own facts about customers, name → kind.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Attributes(pub BTreeMap<String, String>);

/// Most attributes.
const MOST_ATTRIBUTES: usize = 200;

impl Attributes {
    pub(super) fn check(&self) -> Result<(), Problem> {
        let good = |name: &str| (1..=40).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if let Some(name) = self.0.keys().find(|name| !good(name)) {
            return Err(("", format!("'{name}' is no name of an attribute: expected 1 to 40 of a-z, 0-9 and _")));
        }
        if let Some((name, kind)) = self.0.iter().find(|(_, kind)| !["text", "number", "flag"].contains(&kind.as_str())) {
            return Err(("", format!("{name}: '{kind}' is no kind of attribute: expected \"text\", \"number\" or \"flag\"")));
        }
        if self.0.len() > MOST_ATTRIBUTES {
            return Err(("", format!("there are {} attributes: expected at most {MOST_ATTRIBUTES}", self.0.len())));
        }
        Ok(())
    }
}

/// `[score]`; what the values mean stands with the score types of the model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// The folder of the shop's own scores, or one file.
    pub path: PathBuf,
    /// 2..=20.
    pub buckets: i64,
    /// Word of a bucket rule.
    pub bucket_rule: String,
    /// Weights of r, f, m.
    pub weights: [i64; 3],
    /// `revenue` or `margin`.
    pub abc_by: String,
    /// `incl` or `cross`.
    pub abc_rule: String,
    /// Borders in percent.
    pub abc_percent: [i64; 2],
    /// Days from the first order in which somebody is a newcomer; 0: nobody is.
    pub newcomer_days: i64,
    /// Percent a month.
    pub clv_discount_percent: i64,
    /// Percentages of the churn risk from which on it is medium and high.
    pub churn_bands: [i64; 2],
    /// Days that a customer has to be seen in another class before it counts.
    pub settle_days: i64,
    /// Days that moves between classes are kept; 0: they are not followed.
    pub history_days: i64,
    /// Days of the past whose moves the first run makes up from the orders.
    pub backfill_days: i64,
}

impl Score {
    pub(super) fn check(&self) -> Result<(), Problem> {
        let word = |key, value: &str, words: &[&str]| {
            if words.contains(&value) { Ok(()) } else { Err((key, format!("'{value}' is unknown: expected {}", words.join(", ")))) }
        };
        word("bucket_rule", &self.bucket_rule, &["minrank", "midrank", "cumedist", "ntile"])?;
        word("abc_by", &self.abc_by, &["revenue", "margin"])?;
        word("abc_rule", &self.abc_rule, &["incl", "cross"])?;
        if !(2..=20).contains(&self.buckets) {
            return Err(("buckets", format!("{} is out of range: expected 2 to 20", self.buckets)));
        }
        if self.weights.iter().any(|weight| !(0..=1000).contains(weight)) || self.weights.iter().sum::<i64>() == 0 {
            return Err(("weights", "expected three whole numbers from 0 to 1000, not all 0".to_owned()));
        }
        let [a, b] = self.abc_percent;
        if !(0 < a && a < b && b < 100) {
            return Err(("abc_percent", format!("[{a}, {b}] is no pair of borders: expected two rising percentages between 0 and 100")));
        }
        if !(0..=20).contains(&self.clv_discount_percent) {
            return Err(("clv_discount_percent", format!("{} is out of range: expected 0 to 20", self.clv_discount_percent)));
        }
        let [medium, high] = self.churn_bands;
        if !(0 < medium && medium < high && high <= 100) {
            return Err(("churn_bands", format!("[{medium}, {high}] is no pair of borders: expected two rising percentages from 1 to 100")));
        }
        if !(0..=60).contains(&self.settle_days) {
            return Err(("settle_days", format!("{} is out of range: expected 0 to 60", self.settle_days)));
        }
        for (key, days) in [("history_days", self.history_days), ("backfill_days", self.backfill_days), ("newcomer_days", self.newcomer_days)] {
            if !(0..=3650).contains(&days) {
                return Err((key, format!("{days} is out of range: expected 0 to 3650")));
            }
        }
        Ok(())
    }
}

/// `[policy]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// `HH:MM`.
    pub quiet_from: String,
    /// `HH:MM`.
    pub quiet_until: String,
    /// Emails per customer …
    pub cap_messages: u32,
    /// … in so many days.
    pub cap_days: u32,
    /// How long a sale carries the basis "existing_customer".
    pub existing_customer_days: u32,
    /// So many percent of all customers are held out from all rules.
    pub holdout_percent: u32,
    /// Who that is.
    pub holdout_seed: String,
}

impl Policy {
    /// Minutes after midnight of a `HH:MM`.
    ///
    /// # Errors
    /// A sentence with the expected form.
    pub fn minute_of_day(text: &str) -> Result<u32, String> {
        let bad = || format!("'{text}' is not a time of day: expected e.g. \"20:00\"");
        let (hours, minutes) = text.split_once(':').ok_or_else(bad)?;
        match (hours.parse::<u32>(), minutes.parse::<u32>()) {
            (Ok(hours), Ok(minutes)) if hours < 24 && minutes < 60 && text.len() <= 5 => Ok(hours * 60 + minutes),
            _ => Err(bad()),
        }
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        Self::minute_of_day(&self.quiet_from).map_err(|problem| ("quiet_from", problem))?;
        Self::minute_of_day(&self.quiet_until).map_err(|problem| ("quiet_until", problem))?;
        if self.cap_days > 365 {
            return Err(("cap_days", format!("{} is out of range: expected 0 to 365", self.cap_days)));
        }
        if self.holdout_percent > 50 {
            return Err(("holdout_percent", format!("{} is out of range: expected 0 to 50", self.holdout_percent)));
        }
        if !(1..=100).contains(&self.holdout_seed.chars().count()) {
            return Err(("holdout_seed", "expected a text of 1 to 100 characters".to_owned()));
        }
        Ok(())
    }
}

/// `[experiments]`: what comparisons are about.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Experiments {
    /// The smallest effect worth having, in percent of the rate.
    pub smallest_effect_percent: u32,
    /// A complaint that names no message is about the last one of so many days.
    pub complaint_days: u32,
}

impl Experiments {
    /// The smallest effect as a share.
    #[must_use]
    pub fn smallest_effect(&self) -> f64 {
        f64::from(self.smallest_effect_percent) / 100.0
    }

    pub(super) fn check(&self) -> Result<(), Problem> {
        if !(1..=200).contains(&self.smallest_effect_percent) {
            return Err(("smallest_effect_percent", format!("{} is out of range: expected 1 to 200", self.smallest_effect_percent)));
        }
        if !(1..=365).contains(&self.complaint_days) {
            return Err(("complaint_days", format!("{} is out of range: expected 1 to 365", self.complaint_days)));
        }
        Ok(())
    }
}

/// `[guards]`: when a run stops and asks; 0 switches a guard off.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guards {
    /// From all rules together.
    pub messages_per_hour: u32,
    /// From all rules together.
    pub messages_per_day: u32,
    /// From all rules together, in whole units of the shop's currency.
    pub vouchers_per_day: u32,
    /// A rule may write so many times what it usually writes in a day.
    pub hold_factor: u32,
    /// A rule may write to so many percent of all customers in a day.
    pub hold_percent: u32,
    /// Up to so many messages of a rule in a day nobody is asked.
    pub hold_from: u32,
    /// Hours until a hold that nobody answers is discarded.
    pub hold_hours: u32,
    /// Silent for so many times the usual gap: a warning.
    pub silent_factor: u32,
}

impl Guards {
    pub(super) fn check(&self) -> Result<(), Problem> {
        let below = |key, value: u32, most: u32| {
            if value <= most { Ok(()) } else { Err((key, format!("{value} is out of range: expected 0 to {most}"))) }
        };
        below("hold_factor", self.hold_factor, 1_000)?;
        below("hold_percent", self.hold_percent, 100)?;
        below("hold_hours", self.hold_hours, 8_760)?;
        below("silent_factor", self.silent_factor, 1_000)
    }
}

/// `[dispatch]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dispatch {
    /// Messages per claim.
    pub batch: u32,
    /// Length of a lease.
    pub lease_s: u64,
    /// End of all tries.
    pub give_up_after_days: u32,
}

impl Dispatch {
    pub(super) fn check(&self, mail: &Mail) -> Result<(), Problem> {
        if !(1..=5000).contains(&self.batch) {
            return Err(("batch", format!("{} is out of range: expected 1 to 5000", self.batch)));
        }
        let longest_s = mail.data_timeout_s + 60;
        if self.lease_s < longest_s {
            return Err((
                "lease_s",
                format!("{} s is shorter than a send may take: expected at least {longest_s} (mail.data_timeout_s + 60)", self.lease_s),
            ));
        }
        if !(1..=30).contains(&self.give_up_after_days) {
            return Err(("give_up_after_days", format!("{} is out of range: expected 1 to 30", self.give_up_after_days)));
        }
        Ok(())
    }
}

/// `[daemon]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Daemon {
    /// Name among the daemons on one database; empty: the machine's.
    pub name: String,
    /// Seconds between looks.
    pub poll_s: u64,
    /// Seconds for open work after SIGTERM.
    pub shutdown_s: u64,
}

impl Daemon {
    pub(super) fn check(&self) -> Result<(), Problem> {
        if !self.name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_')) {
            return Err(("name", format!("'{}' is no name: expected letters, digits, '-', '.' and '_'", self.name)));
        }
        if !(1..=30).contains(&self.poll_s) {
            return Err(("poll_s", format!("{} is out of range: expected 1 to 30", self.poll_s)));
        }
        if !(1..=300).contains(&self.shutdown_s) {
            return Err(("shutdown_s", format!("{} is out of range: expected 1 to 300", self.shutdown_s)));
        }
        Ok(())
    }
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// As RUST_LOG.
    pub filter: String,
    /// JSON lines.
    pub json: bool,
}

/// Puts the content of a secret's file, without the line end, in the value's place; does nothing without a file.
pub(super) fn read_secret_file(path: &str, value: &mut String) -> Result<(), ConfigError> {
    if path.is_empty() {
        return Ok(());
    }
    let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Bad(format!("{path}: the secret cannot be read: {error}")))?;
    text.trim_end_matches(['\r', '\n']).clone_into(value);
    Ok(())
}

/// As [`read_secret_file`], for a secret that stays one.
pub(super) fn read_secret(path: &str, value: &mut Secret) -> Result<(), ConfigError> {
    let mut text = value.expose().to_owned();
    read_secret_file(path, &mut text)?;
    *value = Secret::new(text);
    Ok(())
}
