//! Numbers as people write them, in German and English.

/// A number such as `1234.5` with the decimal sign of the language.
#[must_use]
pub fn decimal(plain: &str, german: bool) -> String {
    if german { plain.replace('.', ",") } else { plain.to_owned() }
}

/// As [`decimal`], of a number without a sign, with a mark between thousands: `1.234,5` or `1,234.5`.
#[must_use]
pub fn grouped(plain: &str, german: bool) -> String {
    let whole = plain.find('.').unwrap_or(plain.len());
    let mut text = String::with_capacity(plain.len() + whole / 3);
    for (place, digit) in plain.chars().enumerate() {
        if place > 0 && place < whole && (whole - place).is_multiple_of(3) {
            text.push(if german { '.' } else { ',' });
        }
        text.push(if digit == '.' && german { ',' } else { digit });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_and_decimals_are_told_apart_as_the_language_does() {
        let both = |plain: &str| (grouped(plain, true), grouped(plain, false));
        assert_eq!(both("1234567.89"), ("1.234.567,89".to_owned(), "1,234,567.89".to_owned()));
        assert_eq!(both("123.4567"), ("123,4567".to_owned(), "123.4567".to_owned()));
        assert_eq!(both("1000"), ("1.000".to_owned(), "1,000".to_owned()));
        assert_eq!((decimal("-1234.5", true), decimal("-1234.5", false)), ("-1234,5".to_owned(), "-1234.5".to_owned()));
    }
}
