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

/// Longest reason that a person gives, in characters; what is longer is cut.
const MAX_REASON: usize = 500;

/// What a person typed as a reason, on one line: it ends up in tables and logs.
#[must_use]
pub fn reason(text: &str) -> String {
    let folded = text.split_whitespace().collect::<Vec<_>>().join(" ");
    folded.chars().filter(|c| !c.is_control() && !is_direction_mark(*c)).take(MAX_REASON).collect()
}

/// Longest sentence about a file, in characters: what a script throws may be as long as a text may be.
const MAX_SENTENCE: usize = 300;

/// A sentence on one line, without control characters (which a terminal would obey) and not too long.
#[must_use]
pub fn one_line(sentence: &str) -> String {
    let harmless = |c: char| if c.is_control() || is_direction_mark(c) { ' ' } else { c };
    let mut line: String = sentence.chars().take(MAX_SENTENCE).map(harmless).collect();
    if sentence.chars().nth(MAX_SENTENCE).is_some() {
        line.push('…');
    }
    line
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
        assert_eq!(one_line("a\n\u{1b}[31mb"), "a  [31mb");
        assert_eq!(one_line(&"ä".repeat(10_000)).chars().count(), MAX_SENTENCE + 1);
        assert_eq!(clean(&"x".repeat(1_000_000)).map(|text| text.len()), Some(MAX_CHARS));
    }
}
