//! A fault in a file that people write: rules and templates.

use std::fmt;

use super::text::one_line;

/// Where it is and what is expected.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileFault {
    /// The file as it was named when loading.
    pub file: String,
    /// The line, from 1; 0 when the whole file is meant.
    pub line: usize,
    /// The column in characters, from 1; 0 when the whole line is meant.
    pub column: usize,
    /// A sentence that says what is expected.
    pub message: String,
}

impl FileFault {
    /// A fault at (line, column); the message becomes one harmless line.
    #[must_use]
    pub fn new(file: &str, (line, column): (usize, usize), message: impl AsRef<str>) -> Self {
        Self { file: file.to_owned(), line, column, message: one_line(message.as_ref()) }
    }
}

impl fmt::Display for FileFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, message } = self;
        match (line, column) {
            (0, _) => write!(f, "{file} {message}"),
            (_, 0) => write!(f, "{file}:{line} {message}"),
            _ => write!(f, "{file}:{line}:{column} {message}"),
        }
    }
}
