//! Exact money: whole cents and a currency; no float ever touches an amount.

use std::fmt;

/// An amount in the hundredth part of its currency (cents, pence). Range: ±92 thousand billion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cents(pub i64);

/// Why a text is no amount.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is not an amount: expected e.g. 12.34, 12,34 or 1.234,56")]
pub struct BadAmount(pub String);

impl Cents {
    /// Reads `12.34`, `12,34`, `1.234,56`, `1,234.56`, `-5`, `€ 9,90`. When both signs occur the last one is the decimal sign; a single
    /// sign followed by exactly three digits is refused unless the text has more of the same sign (`1.234.567`): guessing a factor of
    /// 1,000 wrong is worse than asking. More than two decimals are accepted only when the rest is zeros.
    ///
    /// # Errors
    /// [`BadAmount`] with the accepted forms.
    pub fn parse(text: &str) -> Result<Self, BadAmount> {
        let bad = || BadAmount(text.to_owned());
        let mut body: String = text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '€' | '$' | '£' | '\u{a0}' | '\u{202f}' | '\'')).collect();
        if let Some(rest) = ["EUR", "USD", "GBP", "CHF"].iter().find_map(|code| body.strip_suffix(code).or_else(|| body.strip_prefix(code))) {
            body = rest.to_owned();
        }
        let negative = body.starts_with('-');
        let digits = body.trim_start_matches(['-', '+']);
        if body.len() - digits.len() > 1 {
            return Err(bad());
        }
        let (whole, fraction) = split(digits).ok_or_else(bad)?;
        let keep = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !keep(&whole) || !(fraction.is_empty() || keep(fraction)) || fraction.bytes().skip(2).any(|b| b != b'0') {
            return Err(bad());
        }
        let two = format!("{:0<2}", fraction.get(..2.min(fraction.len())).unwrap_or_default());
        let cents = format!("{whole}{two}").parse::<i64>().map_err(|_| bad())?;
        Ok(Self(if negative { -cents } else { cents }))
    }
}

/// Splits digits into the whole part without grouping signs and the decimals.
fn split(digits: &str) -> Option<(String, &str)> {
    let dots = digits.matches('.').count();
    let commas = digits.matches(',').count();
    let decimal = match (dots, commas) {
        (1, 0) => Some('.'),
        (0, 1) => Some(','),
        (_, 1) if digits.rfind(',') > digits.rfind('.') => Some(','),
        (1, _) if digits.rfind('.') > digits.rfind(',') => Some('.'),
        (_, 0) | (0, _) => None,
        _ => return None,
    };
    let (whole, fraction) = match decimal {
        Some(sign) => digits.split_once(sign).map(|(_, _)| digits.rsplit_once(sign).unwrap_or((digits, "")))?,
        None => (digits, ""),
    };
    let grouped = whole.contains(['.', ',']);
    if grouped {
        let groups: Vec<&str> = whole.split(['.', ',']).collect();
        let first_ok = (1..=3).contains(&groups[0].len());
        if !first_ok || groups[1..].iter().any(|group| group.len() != 3) {
            return None;
        }
    }
    // `1.234` may be one and a bit or twelve hundred thirty-four: not ours to guess. `0.500` can only be a half.
    if decimal.is_some() && !grouped && fraction.len() == 3 && whole != "0" {
        return None;
    }
    Some((whole.replace(['.', ','], ""), fraction))
}

impl fmt::Display for Cents {
    /// Plain decimal with two digits, e.g. `-12.05`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

/// An ISO 4217 currency code: three capital letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The euro.
    pub const EUR: Self = Self(*b"EUR");

    /// Reads a code such as `EUR` (any case).
    ///
    /// # Errors
    /// A sentence when the text is not three letters.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.trim().as_bytes() {
            [a, b, c] if [a, b, c].iter().all(|x| x.is_ascii_alphabetic()) => Ok(Self([a, b, c].map(u8::to_ascii_uppercase))),
            _ => Err(format!("'{text}' is not a currency: expected three letters such as EUR")),
        }
    }

    /// The code as text.
    #[must_use]
    pub fn code(&self) -> &str {
        // Always text: `parse` lets only ASCII letters in.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read_in_the_forms_that_shops_export() {
        for (text, cents) in [
            ("12.34", 1234),
            ("12,34", 1234),
            ("1.234,56", 123_456),
            ("1,234.56", 123_456),
            ("-5", -500),
            ("€ 9,90", 990),
            ("9.9", 990),
            ("1.234.567", 123_456_700),
            ("0", 0),
            ("12.3400", 1234),
            ("19.99 EUR", 1999),
            ("0.500", 50),
            ("1'234.50", 123_450),
        ] {
            assert_eq!(Cents::parse(text), Ok(Cents(cents)), "{text}");
        }
    }

    #[test]
    fn a_doubtful_amount_is_refused_with_the_accepted_forms() {
        for text in ["", "abc", "1.234", "1,234", "12.345", "1.23.4", "--5", "12,34,5.6", "99999999999999999999", ".5.", "NaN", "1e3"] {
            assert!(Cents::parse(text).is_err(), "{text}");
        }
        assert_eq!(Cents::parse("x").unwrap_err().to_string(), "'x' is not an amount: expected e.g. 12.34, 12,34 or 1.234,56");
    }

    proptest! {
        #[test]
        fn an_amount_survives_being_written_and_read(cents in -1_000_000_000_000i64..1_000_000_000_000) {
            prop_assert_eq!(Cents::parse(&Cents(cents).to_string()), Ok(Cents(cents)));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,12}") {
            let _ = Cents::parse(&text);
        }
    }
}
