//! `[goals.NAME]`: what the owner wants a key figure to reach, and by when; `[kpi]`: what the figures assume.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Deserializer};

use crate::base::suggest::hint;

/// What a figure is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A whole number of orders or customers.
    Count,
    /// A number with decimals, as orders per customer.
    Number,
    /// A share, written in percent: 0.25 is 25 %.
    Share,
    /// Cents of the shop's currency, written in whole units.
    Cents,
    /// Points of a survey's score.
    Points,
}

/// A key figure that a goal can be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "docs/kpis.md defines them, the table below names them")]
pub enum Kpi {
    Orders,
    Revenue,
    Active,
    New,
    RetentionRate,
    ChurnRate,
    Crr,
    RepeatPurchaseRate,
    PurchaseFrequency,
    Aov,
    Arpu,
    ClvSimple,
    ClvMarginChurn,
    Nps,
    Csat,
}

impl Kpi {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Orders,
        Self::Revenue,
        Self::Active,
        Self::New,
        Self::RetentionRate,
        Self::ChurnRate,
        Self::Crr,
        Self::RepeatPurchaseRate,
        Self::PurchaseFrequency,
        Self::Aov,
        Self::Arpu,
        Self::ClvSimple,
        Self::ClvMarginChurn,
        Self::Nps,
        Self::Csat,
    ];

    /// Its word in the configuration and in JSON.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Orders => "orders",
            Self::Revenue => "revenue",
            Self::Active => "active",
            Self::New => "new",
            Self::RetentionRate => "retention_rate",
            Self::ChurnRate => "churn_rate",
            Self::Crr => "crr",
            Self::RepeatPurchaseRate => "repeat_purchase_rate",
            Self::PurchaseFrequency => "purchase_frequency",
            Self::Aov => "aov",
            Self::Arpu => "arpu",
            Self::ClvSimple => "clv_simple",
            Self::ClvMarginChurn => "clv_margin_churn",
            Self::Nps => "nps",
            Self::Csat => "csat",
        }
    }

    /// Its unit.
    #[must_use]
    pub fn unit(self) -> Unit {
        match self {
            Self::Orders | Self::Active | Self::New => Unit::Count,
            Self::PurchaseFrequency => Unit::Number,
            Self::Nps | Self::Csat => Unit::Points,
            Self::RetentionRate | Self::ChurnRate | Self::Crr | Self::RepeatPurchaseRate => Unit::Share,
            Self::Revenue | Self::Aov | Self::Arpu | Self::ClvSimple | Self::ClvMarginChurn => Unit::Cents,
        }
    }
}

/// What is to be reached.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// The start value times `1 + change`: "+15 %" is 0.15.
    Relative(f64),
    /// The start value plus this, in the figure's unit: "+3 points" of a share is 0.03.
    Absolute(f64),
    /// This value, in the figure's unit.
    Value(f64),
}

/// A goal as the configuration means it.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// The owner's name of it.
    pub name: String,
    /// The figure.
    pub kpi: Kpi,
    /// What is to be reached.
    pub target: Target,
    /// The same as the owner wrote it.
    pub target_text: String,
    /// The start value is the figure as of the end of this day.
    pub from: NaiveDate,
    /// The last day.
    pub by: NaiveDate,
    /// The figure is measured over so many days, up to and including the day that it is for.
    pub days: u32,
}

impl Goal {
    /// Whether more is better: what the sign of a change says; without one, churn alone is to fall.
    #[must_use]
    pub fn upward(&self) -> bool {
        match self.target {
            Target::Relative(change) | Target::Absolute(change) => change >= 0.0,
            Target::Value(_) => self.kpi != Kpi::ChurnRate,
        }
    }
}

/// A goal as it is written.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a section [goals.NAME] with kpi, target, from and by")]
pub struct RawGoal {
    kpi: String,
    #[serde(deserialize_with = "text_or_number")]
    target: String,
    #[serde(deserialize_with = "day")]
    from: String,
    #[serde(deserialize_with = "day")]
    by: String,
    #[serde(default = "usual_days")]
    days: u32,
}

/// Days that a goal's figure is measured over when nobody says otherwise.
fn usual_days() -> u32 {
    90
}

/// `"45.00"`, or 45.00 without quotes.
fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a text, e.g. \"+15 %\"")]
    enum Written {
        Text(String),
        Number(f64),
    }
    Ok(match Written::deserialize(deserializer)? {
        Written::Text(text) => text,
        Written::Number(number) => number.to_string(),
    })
}

/// A day as text or as TOML's own date, which comes as a table with one entry.
fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a day, e.g. \"2027-03-31\"")]
    enum Day {
        Text(String),
        Date(BTreeMap<String, String>),
    }
    Ok(match Day::deserialize(deserializer)? {
        Day::Text(text) => text,
        Day::Date(parts) => parts.into_values().next().unwrap_or_default(),
    })
}

/// `[goals]`, by name.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(transparent)]
pub struct Goals(BTreeMap<String, RawGoal>);

/// What is wrong with a goal: its name, the key, the sentence.
pub(super) type GoalFault = (String, &'static str, String);

impl Goals {
    /// The goals, by name; checked when the configuration was loaded.
    #[must_use]
    pub fn list(&self) -> Vec<Goal> {
        self.0.iter().filter_map(|(name, raw)| read(name, raw).ok()).collect()
    }

    /// All faults of all goals.
    pub(super) fn faults(&self) -> Vec<GoalFault> {
        let faults = self.0.iter().filter_map(|(name, raw)| Some((name, read(name, raw).err()?)));
        faults.flat_map(|(name, faults)| faults.into_iter().map(move |(key, problem)| (name.clone(), key, problem))).collect()
    }
}

fn read(name: &str, raw: &RawGoal) -> Result<Goal, Vec<(&'static str, String)>> {
    let mut faults = Vec::new();
    if name.is_empty() || name.chars().count() > 60 || name.chars().any(char::is_control) {
        faults.push(("", "is no name of a goal: expected 1 to 60 characters".to_owned()));
    }
    let kpi = Kpi::ALL.into_iter().find(|kpi| kpi.code() == raw.kpi);
    if kpi.is_none() {
        let words = || Kpi::ALL.into_iter().map(Kpi::code);
        let known: Vec<&str> = words().collect();
        faults.push(("kpi", format!("'{}' is no key figure{}: expected one of {}", raw.kpi, hint(&raw.kpi, words(), ""), known.join(", "))));
    }
    let target = kpi.map(|kpi| target(kpi, &raw.target)).transpose().map_err(|problem| faults.push(("target", problem))).ok().flatten();
    let mut date = |key, text: &str| {
        let date = text.parse::<NaiveDate>();
        date.map_err(|_| faults.push((key, format!("'{text}' is no day: expected e.g. \"2027-03-31\"")))).ok()
    };
    let (from, by) = (date("from", &raw.from), date("by", &raw.by));
    if let (Some(from), Some(by)) = (from, by)
        && by <= from
    {
        faults.push(("by", format!("{by} is not after {from}: expected a day after from")));
    }
    if !(7..=730).contains(&raw.days) {
        faults.push(("days", format!("{} is out of range: expected 7 to 730 days that the figure is measured over", raw.days)));
    }
    match (kpi, target, from, by) {
        (Some(kpi), Some(target), Some(from), Some(by)) if faults.is_empty() => {
            Ok(Goal { name: name.to_owned(), kpi, target, target_text: raw.target.trim().to_owned(), from, by, days: raw.days })
        }
        _ => Err(faults),
    }
}

/// Reads `+15 %`, `-2 points`, `+500`, `28 %`, `45.00`.
fn target(kpi: Kpi, text: &str) -> Result<Target, String> {
    let (example, points) = match kpi.unit() {
        Unit::Share => ("\"+15 %\" (of the start value), \"+3 points\" or \"28 %\"", true),
        Unit::Cents => ("\"+15 %\" (of the start value), \"+2.50\" or \"45.00\" in the shop's currency", false),
        Unit::Count => ("\"+15 %\" (of the start value), \"+100\" or \"1200\"", false),
        Unit::Number => ("\"+15 %\" (of the start value), \"+0.2\" or \"1.8\"", false),
        Unit::Points => ("\"+15 %\" (of the start value), \"+10\" points or \"45\"", false),
    };
    let bad = || format!("'{text}' is no target for {}: expected {example}", kpi.code());
    let trimmed = text.trim();
    let sign = match trimmed.chars().next() {
        Some('+') => Some(1.0),
        Some('-' | '−') => Some(-1.0),
        _ => None,
    };
    let body = trimmed.strip_prefix(['+', '-', '−']).unwrap_or(trimmed).trim_start();
    let end = body.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ','))).unwrap_or(body.len());
    let number = decimal(&body[..end]).ok_or_else(bad)?;
    let suffix = body[end..].trim().to_lowercase();
    let target = match (sign, suffix.as_str()) {
        (Some(sign), "%") => Target::Relative(sign * number / 100.0),
        (Some(sign), "point" | "points" | "punkt" | "punkte") if points => Target::Absolute(sign * number / 100.0),
        (None, "%") if points => Target::Value(number / 100.0),
        (Some(sign), "point" | "points" | "punkt" | "punkte") if kpi.unit() == Unit::Points => Target::Absolute(sign * number),
        (sign, "") if !points => {
            let number = if kpi.unit() == Unit::Cents { number * 100.0 } else { number };
            sign.map_or(Target::Value(number), |sign| Target::Absolute(sign * number))
        }
        _ => return Err(bad()),
    };
    match target {
        Target::Relative(change) if change <= -1.0 => Err(bad()),
        Target::Relative(0.0) | Target::Absolute(0.0) => Err(bad()),
        Target::Value(share) if points && share > 1.0 && kpi != Kpi::Crr => Err(bad()),
        Target::Value(score) if kpi.unit() == Unit::Points && score > 100.0 => Err(bad()),
        _ => Ok(target),
    }
}

/// A decimal with point or comma. Three decimals are refused: `1.200` may be one and a bit or twelve hundred.
fn decimal(text: &str) -> Option<f64> {
    let plain = text.replace(',', ".");
    let decimals = plain.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    (decimals != 3 && plain.len() <= 15).then(|| plain.parse::<f64>().ok()).flatten()
}

/// `[kpi]`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KpiSettings {
    /// How many years a customer stays, for the simple CLV.
    pub years: f64,
    /// Who bought nothing for more than so many days is inactive.
    pub inactive_days: Vec<u32>,
}

impl KpiSettings {
    pub(super) fn check(&self) -> Result<(), (&'static str, String)> {
        if !(0.1..=50.0).contains(&self.years) {
            return Err(("years", format!("{} is out of range: expected 0.1 to 50", self.years)));
        }
        let rising = self.inactive_days.windows(2).all(|pair| pair[0] < pair[1]);
        if !rising || self.inactive_days.len() > 20 || self.inactive_days.iter().any(|days| !(1..=3_650).contains(days)) {
            return Err(("inactive_days", "expected up to 20 rising numbers of days from 1 to 3650, e.g. [30, 90, 365]".to_owned()));
        }
        Ok(())
    }
}
