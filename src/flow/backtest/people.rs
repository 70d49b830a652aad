//! Whom a replay reached: a million people in eight bytes each, told one after the other.

use chrono::NaiveDate;
use serde::{Serialize, Serializer};

/// Somebody who would have got a message or been held out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Reached<'a> {
    /// The shop's key.
    pub customer: &'a str,
    /// The day of the run.
    pub date: NaiveDate,
    /// `send`, `control` or `holdout`.
    pub verdict: &'static str,
    /// The variant of a message.
    pub variant: Option<&'a str>,
}

/// Everybody who was reached, each time, in the order of time. A wide rule reaches every customer every few weeks, so names are kept once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct People {
    /// The shop's keys, by place.
    customers: Vec<String>,
    variants: Vec<String>,
    runs: Vec<(NaiveDate, Box<[Row]>)>,
}

/// Somebody reached in a run: the place of the customer, and the arm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Row(pub(super) u32, pub(super) Arm);

/// What somebody got who was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arm {
    /// A message of the variant at this place.
    Variant(u16),
    /// Held out from the rule.
    Control,
    /// Held out from all rules.
    Holdout,
}

impl People {
    /// Nobody yet; there are these variants.
    pub(super) fn of(variants: Vec<String>) -> Self {
        Self { variants, ..Self::default() }
    }

    /// Adds those whom the next run reached.
    pub(super) fn run(&mut self, date: NaiveDate, reached: impl Iterator<Item = Row> + Clone) {
        // Counted first, as growing step by step would take twice the memory.
        let mut rows = Vec::with_capacity(reached.clone().count());
        rows.extend(reached);
        if !rows.is_empty() {
            self.runs.push((date, rows.into_boxed_slice()));
        }
    }

    /// Names the customers, by place.
    pub(super) fn name(&mut self, customers: Vec<String>) {
        self.customers = customers;
    }

    /// How many times somebody was reached.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.iter().map(|(_, rows)| rows.len()).sum()
    }

    /// Whether nobody was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = Reached<'_>> {
        let rows = self.runs.iter().flat_map(|(date, rows)| rows.iter().map(|row| (*date, *row)));
        rows.map(|(date, Row(place, arm))| {
            let (verdict, variant) = match arm {
                Arm::Variant(place) => ("send", self.variants.get(usize::from(place)).map(String::as_str)),
                Arm::Control => ("control", None),
                Arm::Holdout => ("holdout", None),
            };
            Reached { customer: self.customers.get(place as usize).map_or("", String::as_str), date, verdict, variant }
        })
    }
}

impl Serialize for People {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everybody_is_told_in_the_order_of_time_with_name_verdict_and_variant() {
        let day = |day| NaiveDate::from_ymd_opt(2026, 3, day).unwrap();
        let mut people = People::of(vec!["A".to_owned(), "B".to_owned()]);
        assert!(people.is_empty());
        people.run(day(1), [Row(0, Arm::Variant(1)), Row(2, Arm::Control)].into_iter());
        people.run(day(2), std::iter::empty());
        people.run(day(3), [Row(0, Arm::Variant(0)), Row(1, Arm::Holdout)].into_iter());
        people.name(["x", "y", "z"].map(str::to_owned).into());
        assert_eq!((people.len(), people.is_empty(), size_of::<Row>()), (4, false, 8));
        let told = json!([
            { "customer": "x", "date": "2026-03-01", "verdict": "send", "variant": "B" },
            { "customer": "z", "date": "2026-03-01", "verdict": "control", "variant": null },
            { "customer": "x", "date": "2026-03-03", "verdict": "send", "variant": "A" },
            { "customer": "y", "date": "2026-03-03", "verdict": "holdout", "variant": null },
        ]);
        assert_eq!(serde_json::to_value(&people).unwrap(), told);
    }
}
