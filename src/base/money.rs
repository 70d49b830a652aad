//! Exact money: whole cents and a currency; no float ever touches an amount.

use std::fmt;

/// An amount in the hundredth part of its currency (cents, pence). Range: ±92 thousand billion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cents(pub i64);

/// Why a text is no amount.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum BadAmount {
    /// It is no number.
    #[error("'{0}' is not an amount: expected e.g. 12.34, 12,34 or 1.234,56")]
    NoNumber(String),
    /// It is one, in the currency that comes second, where the third was to be.
    #[error("'{0}' is in {1}, but the shop's currency is {2}: expected amounts in {2}")]
    Foreign(String, String, Currency),
}

/// Currencies that are written with `$`.
const DOLLARS: &[&str] = &[
    "USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP", "UYU", "DOP", "NAD", "FJD", "BND", "JMD", "TTD", "BBD", "BSD",
    "BZD", "BMD", "KYD", "XCD", "GYD", "SRD", "LRD", "SBD",
];

impl Cents {
    /// Reads an amount that may say its currency (`€ 9,90`, `12.34 USD`, `-5`), which has to be `currency`: two currencies have no sum, and a
    /// sign that is passed over would make one's cents of the other's.
    ///
    /// # Errors
    /// [`BadAmount`] with the accepted forms, or with both currencies.
    pub fn parse_in(text: &str, currency: Currency) -> Result<Self, BadAmount> {
        let signs: String = text.chars().filter(|c| matches!(c, '€' | '$' | '£')).collect();
        let body: String = text.chars().filter(|c| !c.is_whitespace() && !signs.contains(*c)).collect();
        let (negative, body) = body.strip_prefix('-').map_or(("", body.as_str()), |rest| ("-", rest));
        let letters = |c: char| c.is_ascii_alphabetic();
        let tail = body.trim_start_matches(letters);
        let number = tail.trim_end_matches(letters);
        let (before, after) = (&body[..body.len() - tail.len()], &tail[number.len()..]);
        let cents = Self::parse(&format!("{negative}{number}")).map_err(|_| BadAmount::NoNumber(text.to_owned()))?;
        let foreign = |found: &str| Err(BadAmount::Foreign(text.to_owned(), found.to_owned(), currency));
        for code in [before, after].into_iter().filter(|code| !code.is_empty()) {
            match Currency::parse(code) {
                Ok(found) if found == currency => {}
                Ok(found) if code == found.code() => return foreign(code),
                _ => return Err(BadAmount::NoNumber(text.to_owned())),
            }
        }
        for sign in signs.chars() {
            let (found, fits) = match sign {
                '€' => ("EUR", currency == Currency::EUR),
                '£' => ("GBP", currency.code() == "GBP"),
                _ => ("dollars", DOLLARS.contains(&currency.code())),
            };
            if !fits {
                return foreign(found);
            }
        }
        Ok(cents)
    }

    /// Reads `12.34`, `12,34`, `1.234,56`, `1,234.56`, `-5`. When both signs occur the last one is the decimal sign; a single
    /// sign followed by exactly three digits is refused unless the text has more of the same sign (`1.234.567`): guessing a factor of
    /// 1,000 wrong is worse than asking. More than two decimals are accepted only when the rest is zeros.
    ///
    /// # Errors
    /// [`BadAmount::NoNumber`] with the accepted forms.
    pub fn parse(text: &str) -> Result<Self, BadAmount> {
        let bad = || BadAmount::NoNumber(text.to_owned());
        let body: String = text.chars().filter(|c| !c.is_whitespace() && *c != '\'').collect();
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
            ("9.9", 990),
            ("1.234.567", 123_456_700),
            ("0", 0),
            ("12.3400", 1234),
            ("0.500", 50),
            ("1'234.50", 123_450),
        ] {
            assert_eq!(Cents::parse(text), Ok(Cents(cents)), "{text}");
        }
    }

    #[test]
    fn a_doubtful_amount_is_refused_with_the_accepted_forms() {
        for text in ["", "abc", "1.234", "1,234", "12.345", "1.23.4", "--5", "12,34,5.6", "99999999999999999999", ".5.", "NaN", "1e3", "5 €", "5 EUR"]
        {
            assert!(Cents::parse(text).is_err(), "{text}");
        }
        assert_eq!(Cents::parse("x").unwrap_err().to_string(), "'x' is not an amount: expected e.g. 12.34, 12,34 or 1.234,56");
    }

    #[test]
    fn an_amount_that_says_its_currency_has_to_say_the_shops() {
        let read = |text: &str, code: &str| Cents::parse_in(text, Currency::parse(code).unwrap()).map_err(|bad| bad.to_string());
        for (text, code, cents) in [
            ("12.34", "EUR", 1234),
            ("€ 9,90", "EUR", 990),
            ("19.99 EUR", "EUR", 1999),
            ("EUR 19,99", "EUR", 1999),
            ("19,99 eur", "EUR", 1999),
            ("1.234,56 €", "EUR", 123_456),
            ("-€5", "EUR", -500),
            ("€ -5.00", "EUR", -500),
            ("-5 EUR", "EUR", -500),
            ("$1,234.50", "USD", 123_450),
            ("$ 5.00", "CAD", 500),
            ("$5 AUD", "AUD", 500),
            ("£7", "GBP", 700),
            ("CHF 1'234.50", "CHF", 123_450),
            ("149 SEK", "SEK", 14_900),
        ] {
            assert_eq!(read(text, code), Ok(Cents(cents)), "{text}");
        }
        for (text, code, found) in [
            ("12,30 USD", "EUR", "USD"),
            ("$ 5.00", "EUR", "dollars"),
            ("CHF 7.00", "EUR", "CHF"),
            ("CHF7", "EUR", "CHF"),
            ("-£5", "EUR", "GBP"),
            ("5 €", "USD", "EUR"),
            ("£5", "USD", "GBP"),
            ("$5 CAD", "USD", "CAD"),
            ("€5 USD", "USD", "EUR"),
            ("5 SEK", "NOK", "SEK"),
        ] {
            let sentence = format!("'{text}' is in {found}, but the shop's currency is {code}: expected amounts in {code}");
            assert_eq!(read(text, code), Err(sentence), "{text}");
        }
        for text in ["EUR", "€", "", "5 Stk", "5 kg", "USD five", "5 EURO", "E5UR", "A$5"] {
            assert_eq!(read(text, "EUR"), Err(format!("'{text}' is not an amount: expected e.g. 12.34, 12,34 or 1.234,56")), "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_amount_survives_being_written_and_read(cents in -1_000_000_000_000i64..1_000_000_000_000) {
            prop_assert_eq!(Cents::parse(&Cents(cents).to_string()), Ok(Cents(cents)));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,12}") {
            let _ = (Cents::parse(&text), Cents::parse_in(&text, Currency::EUR));
        }
    }
}
