//! One field of a crontab line: text in, set of numbers out, or a sentence about what is wrong.

/// What a field may hold.
pub(super) struct Field {
    /// Place in the line, counted from 1.
    number: usize,
    name: &'static str,
    low: u32,
    high: u32,
    /// Names of the values, the first for `low`; empty: numbers only.
    names: &'static [&'static str],
}

/// The five fields in the order of the line.
pub(super) const FIELDS: [Field; 5] = [
    Field { number: 1, name: "minute", low: 0, high: 59, names: &[] },
    Field { number: 2, name: "hour", low: 0, high: 23, names: &[] },
    Field { number: 3, name: "day of month", low: 1, high: 31, names: &[] },
    Field {
        number: 4,
        name: "month",
        low: 1,
        high: 12,
        names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    },
    Field { number: 5, name: "day of week", low: 0, high: 7, names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"] },
];

/// The values of a field as bits; Sunday is 0 only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Values(u64);

impl Values {
    fn of(values: impl Iterator<Item = u32>, sunday_is_zero: bool) -> Self {
        Self(values.map(|value| if sunday_is_zero { value % 7 } else { value }).fold(0, |bits, value| bits | 1 << value))
    }

    /// As a list for the `cron` crate, each value `shift` higher.
    pub(super) fn list(self, shift: u32) -> String {
        let values: Vec<String> = (0..64).filter(|value| self.0 >> value & 1 == 1).map(|value| (value + shift).to_string()).collect();
        values.join(",")
    }
}

impl Field {
    /// Reads the field: a list of numbers, names, ranges, `*`; steps on `*` or a range only.
    pub(super) fn parse(&self, text: &str) -> Result<Values, String> {
        text.split(',').try_fold(Values(0), |all, item| Ok(Values(all.0 | self.item(item)?.0)))
    }

    fn item(&self, item: &str) -> Result<Values, String> {
        let (body, step) = match item.split_once('/') {
            Some((body, step)) => (body, Some(step)),
            None => (item, None),
        };
        let (from, until) = if body == "*" {
            (self.low, if self.is_weekday() { 6 } else { self.high })
        } else if let Some((from, until)) = body.split_once('-') {
            let from = self.value(from, item)?;
            // `FRI-SUN` ends on the Sunday after Friday.
            let until = if self.is_weekday() && from > 0 && until.eq_ignore_ascii_case("SUN") { 7 } else { self.value(until, item)? };
            if from > until {
                return Err(self.fault(item, "runs backwards", "a range from low to high"));
            }
            (from, until)
        } else if step.is_some() {
            return Err(self.fault(item, "has a step on a single value", "a step on * or on a range, e.g. */15 or 10-50/15"));
        } else {
            let value = self.value(body, item)?;
            (value, value)
        };
        let step = match step.map(number) {
            None => 1,
            Some(Some(step)) if (1..=self.high).contains(&step) => step,
            Some(_) => return Err(self.fault(item, "has a step that is out of range", &format!("a step from 1 to {}", self.high))),
        };
        Ok(Values::of((from..=until).step_by(step as usize), self.is_weekday()))
    }

    /// The number or name `text`, a part of `item`.
    fn value(&self, text: &str, item: &str) -> Result<u32, String> {
        let named = self.names.iter().zip(self.low..).find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, value)| value);
        match named.or_else(|| number(text)) {
            Some(value) if (self.low..=self.high).contains(&value) => Ok(value),
            Some(_) => Err(self.fault(item, "is out of range", &self.expected())),
            None => Err(self.fault(item, "is not understood", &self.expected())),
        }
    }

    fn is_weekday(&self) -> bool {
        self.number == 5
    }

    fn expected(&self) -> String {
        match (self.names.first(), self.names.last()) {
            (Some(first), Some(last)) => format!("numbers from {} to {}, names from {first} to {last}, ranges, lists or *", self.low, self.high),
            _ => format!("numbers from {} to {}, ranges, lists or *", self.low, self.high),
        }
    }

    /// The sentence about a part of this field.
    pub(super) fn fault(&self, item: &str, problem: &str, expected: &str) -> String {
        format!("field {} ({}): '{item}' {problem}: expected {expected}", self.number, self.name)
    }
}

/// Digits only: no sign, no space.
fn number(text: &str) -> Option<u32> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}
