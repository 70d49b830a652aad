//! A fault in a file that people write: rules and templates.

use std::fmt;

use serde::Serialize;

use super::text::one_line;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing of the new text runs.
    Error,
    /// It runs, and is perhaps not what was meant.
    Warning,
}

/// Where it is and what is expected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FileFault {
    /// The file as it was named when loading.
    pub file: String,
    /// The line, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// The column in characters, from 1; 0 when the whole line is meant.
    pub column: usize,
    /// A sentence that says what is expected.
    pub message: String,
    /// Characters of the line that are meant, from the column on; 0 when it is not known how many.
    pub length: usize,
    /// How bad it is.
    pub severity: Severity,
}

impl FileFault {
    /// An error at (line, column); the message becomes one harmless line.
    #[must_use]
    pub fn new(file: &str, (line, column): (usize, usize), message: impl AsRef<str>) -> Self {
        Self { file: file.to_owned(), line, column, message: one_line(message.as_ref()), length: 0, severity: Severity::Error }
    }

    /// A warning at (line, column) about so many characters (0: not known).
    #[must_use]
    pub fn warning(file: &str, place: (usize, usize), length: usize, message: impl AsRef<str>) -> Self {
        Self { length, severity: Severity::Warning, ..Self::new(file, place, message) }
    }

    /// Finds out how many characters are meant, from the file's text: the word, the text in quotes or the sign that stands there.
    pub fn measure(&mut self, text: &str) {
        if self.length > 0 || self.column == 0 {
            return;
        }
        let line = self.line.checked_sub(1).and_then(|line| text.lines().nth(line)).unwrap_or_default();
        let mut rest = line.chars().skip(self.column - 1).peekable();
        let word = |c: char| c.is_alphanumeric() || c == '_';
        let sign = |c: char| "=<>!&|?+-*/%.".contains(c);
        self.length = match rest.peek().copied() {
            None => 0,
            Some(quote @ ('"' | '`' | '\'')) => {
                let mut escaped = false;
                let inner = rest.skip(1).take_while(|c| {
                    let ends = *c == quote && !escaped;
                    escaped = *c == '\\' && !escaped;
                    !ends
                });
                inner.count() + 2
            }
            Some(first) if word(first) => rest.take_while(|c| word(*c)).count(),
            Some(first) if sign(first) => rest.take_while(|c| sign(*c)).count(),
            Some(_) => 1,
        };
        self.length = self.length.min(line.chars().count() + 1 - self.column.min(line.chars().count()));
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message, severity, .. } = self;
        let warning = if *severity == Severity::Warning { "warning: " } else { "" };
        match (line, column) {
            (0, _) => write!(f, "{file} {warning}{message}"),
            (_, 0) => write!(f, "{file}:{line} {warning}{message}"),
            _ => write!(f, "{file}:{line}:{column} {warning}{message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_meant_is_a_word_a_text_or_a_sign() {
        let length = |text: &str, column: usize| {
            let mut fault = FileFault::new("x", (2, column), "m");
            fault.measure(&format!("first\n{text}"));
            fault.length
        };
        assert_eq!([length("c.orders > 5", 3), length("c.orders > 5", 10), length("\"a \\\" b\" x", 1), length("(x", 1)], [6, 1, 8, 1]);
        assert_eq!([length("Größe", 1), length("\"open", 1), length("x", 5), length("", 1)], [5, 5, 0, 0]);
    }
}
