//! How refused lines are written so that a person can mend them and import the file again.

use super::Refused;
use super::csv::{quote, split};
use super::rows::Form;

impl Form {
    /// What stands at the beginning of a file of refused lines: the header with `line` and `reason` before it.
    #[must_use]
    pub fn refused_header(&self) -> String {
        match self {
            Self::Csv { delimiter, header, of_refused, marked } => {
                let mark = if *marked { "\u{feff}" } else { "" };
                let sign = char::from(*delimiter);
                if *of_refused { format!("{mark}{header}\n") } else { format!("{mark}line{sign}reason{sign}{header}\n") }
            }
            Self::JsonLines => String::new(),
        }
    }

    /// A refused line with its number and reason: two cells before the line as it was, or a line with `#` above it.
    #[must_use]
    pub fn refused_line(&self, refused: &Refused) -> String {
        let Refused { line, reason, raw } = refused;
        match self {
            Self::Csv { delimiter, of_refused, .. } => {
                let rest = if *of_refused { &raw[split(raw, *delimiter, &mut String::new(), &mut Vec::new())..] } else { raw };
                let sign = char::from(*delimiter);
                format!("{line}{sign}{}{sign}{rest}\n", quote(reason, *delimiter))
            }
            Self::JsonLines => format!("# line {line}: {}\n{raw}\n", reason.replace(['\n', '\r'], " ")),
        }
    }
}
