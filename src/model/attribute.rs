//! Own facts that a shop keeps about its customers: declared in the configuration, brought by imports, read by rules as `c.attr("name")`.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::{Map, Number, Value};

use super::predicate::Literal;

/// A customer's own facts by name.
pub type Attributes = BTreeMap<String, Literal>;

/// What kind of values an attribute has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttributeKind {
    /// One line of text.
    Text,
    /// An exact number of at most 15 digits.
    Number,
    /// `true` or `false`.
    Flag,
}

/// An attribute that the configuration declares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: AttributeKind,
}

impl AttributeKind {
    /// Text, a number, true or false, for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Flag => "true or false",
        }
    }

    /// The kind of a value.
    #[must_use]
    pub fn of(literal: &Literal) -> Self {
        match literal {
            Literal::Text(_) => Self::Text,
            Literal::Number(_) => Self::Number,
            Literal::Flag(_) => Self::Flag,
        }
    }

    /// Reads the word of the configuration.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "number" => Some(Self::Number),
            "flag" => Some(Self::Flag),
            _ => None,
        }
    }

    /// Reads a value of this kind as shops write it: `1250`, `12,5`, `ja`.
    ///
    /// # Errors
    /// What is expected.
    pub fn read(self, text: &str) -> Result<Literal, &'static str> {
        match self {
            Self::Text => Ok(Literal::Text(text.to_owned())),
            Self::Number => number(text).map(Literal::Number),
            Self::Flag => match text.to_lowercase().as_str() {
                "true" | "yes" | "y" | "1" | "ja" | "wahr" | "x" => Ok(Literal::Flag(true)),
                "false" | "no" | "n" | "0" | "nein" | "falsch" => Ok(Literal::Flag(false)),
                _ => Err("expected yes or no, true or false, 1 or 0, ja or nein"),
            },
        }
    }
}

/// What is longer does not come back from JSON as it went in.
const MOST_DIGITS: usize = 15;

fn number(text: &str) -> Result<Decimal, &'static str> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let fraction = text.split_once([',', '.']).map(|(_, fraction)| fraction);
    let plain = |byte: u8| byte.is_ascii_digit() || matches!(byte, b',' | b'.');
    if !(1..=MOST_DIGITS).contains(&digits) || !text.strip_prefix('-').unwrap_or(text).bytes().all(plain) {
        return Err("expected a number such as 1250 or 12,5, of at most 15 digits");
    }
    if fraction.is_some_and(|fraction| fraction.len() == 3) {
        return Err("may be a thousand or one and a bit: expected e.g. 1250 or 1,25");
    }
    text.replace(',', ".").parse().map_err(|_| "expected a number such as 1250 or 12,5")
}

/// As they are stored: one JSON object, keys in order.
#[must_use]
pub fn to_json(attributes: &Attributes) -> String {
    let value = |literal: &Literal| match literal {
        Literal::Text(text) => Value::from(text.as_str()),
        Literal::Flag(flag) => Value::from(*flag),
        Literal::Number(number) => number.normalize().to_string().parse::<Number>().map_or(Value::Null, Value::from),
    };
    let object: Map<String, Value> = attributes.iter().map(|(name, literal)| (name.clone(), value(literal))).collect();
    Value::Object(object).to_string()
}

/// Reads what [`to_json`] wrote; `None` when it is something else. What is neither text, number nor flag is missing.
#[must_use]
pub fn from_json(text: &str) -> Option<Attributes> {
    if text == "{}" {
        return Some(Attributes::new());
    }
    let literal = |value: &Value| match value {
        Value::String(text) => Some(Literal::Text(text.clone())),
        Value::Bool(flag) => Some(Literal::Flag(*flag)),
        Value::Number(number) => number.to_string().parse().or_else(|_| Decimal::from_scientific(&number.to_string())).ok().map(Literal::Number),
        _ => None,
    };
    let object: Map<String, Value> = serde_json::from_str(text).ok()?;
    Some(object.iter().filter_map(|(name, value)| Some((name.clone(), literal(value)?))).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_read_as_shops_write_them_and_what_is_unclear_is_refused() {
        let number = |text: &str| AttributeKind::Number.read(text).map(|literal| to_json(&Attributes::from([("n".to_owned(), literal)])));
        assert_eq!(number("12,50").unwrap(), r#"{"n":12.5}"#);
        assert_eq!(number("-7").unwrap(), r#"{"n":-7}"#);
        assert_eq!(number("0.1234567").unwrap(), r#"{"n":0.1234567}"#);
        for bad in ["", "twelve", "1.234", "1,2,5", "1.2.5", "1e9", "1234567890123456", "--1", "-", ".", "12 €", "١٢"] {
            assert!(number(bad).is_err(), "{bad}");
        }
        assert_eq!(AttributeKind::Flag.read("Ja"), Ok(Literal::Flag(true)));
        assert_eq!(AttributeKind::Flag.read("0"), Ok(Literal::Flag(false)));
        assert!(AttributeKind::Flag.read("perhaps").is_err());
    }

    proptest! {
        #[test]
        fn what_is_stored_comes_back(units in -999_999_999_999_999_i64..=999_999_999_999_999, scale in 0_u32..=15, text in ".*", flag: bool) {
            let values = [Literal::Number(Decimal::new(units, scale)), Literal::Text(text), Literal::Flag(flag)];
            let attributes: Attributes = ["a", "b\"%", "c"].map(str::to_owned).into_iter().zip(values).collect();
            prop_assert_eq!(from_json(&to_json(&attributes)), Some(attributes));
        }
    }
}
