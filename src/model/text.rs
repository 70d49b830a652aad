//! Cleans text that comes from outside before it becomes part of a customer, an order or a mail.

/// Longest name or label that is kept, in characters; what is longer is cut.
pub const MAX_CHARS: usize = 200;

/// Removes control characters (line breaks in a name could forge a mail header, NUL no database takes), folds white space,
/// and cuts to [`MAX_CHARS`]. `None` when nothing is left.
#[must_use]
pub fn clean(text: &str) -> Option<String> {
    let mut cleaned = String::with_capacity(text.len().min(4 * MAX_CHARS));
    let words = text.split(|c: char| c.is_whitespace() || c.is_control() || is_direction_mark(c)).filter(|word| !word.is_empty());
    for (position, word) in words.enumerate() {
        if position > 0 {
            cleaned.push(' ');
        }
        cleaned.push_str(word);
        if cleaned.len() > 4 * MAX_CHARS {
            break;
        }
    }
    let cut: String = cleaned.chars().take(MAX_CHARS).collect();
    (!cut.is_empty()).then_some(cut)
}

/// Marks that turn the reading direction around and could disguise what a line says.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_line_breaks_and_direction_marks_are_removed() {
        assert_eq!(clean("Max\r\nBcc: x@y.example").as_deref(), Some("Max Bcc: x@y.example"));
        assert_eq!(clean(" \u{0} \u{202e} "), None);
        assert_eq!(clean("Söhnke  von\tHöfen").as_deref(), Some("Söhnke von Höfen"));
        assert_eq!(clean(&"x".repeat(1_000_000)).map(|text| text.len()), Some(MAX_CHARS));
    }
}
