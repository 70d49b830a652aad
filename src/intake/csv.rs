//! Cuts a text into CSV records. Not the `csv` crate: a shop's file has a stray quote now and then, and then one line has to be refused,
//! not the rest of the file swallowed; and refused lines are handed back exactly as they were.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read as _};
use std::ops::Range;

use super::text::decode;

/// Longest physical line that is read; what is longer is refused.
pub const MAX_LINE_BYTES: usize = 1024 * 1024;
pub(super) const TOO_LONG: &str = "the line is longer than 1 MiB";
/// A quoted cell may hold line breaks; a record of more lines, or more bytes, has a quote that nobody closed.
const MAX_RECORD_LINES: usize = 100;
const MAX_RECORD_BYTES: usize = 128 * 1024;

/// One record: its place, its text, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Number of its first line, from 1.
    pub line: u64,
    /// Its text without the line end.
    pub raw: String,
    /// Why it cannot be cut into cells.
    pub fault: Option<&'static str>,
}

/// Physical lines of a text, with their numbers; lines can be put back.
pub struct Lines {
    input: Box<dyn BufRead + Send>,
    back: VecDeque<(Vec<u8>, bool)>,
    /// Number of the line that was read last.
    pub line: u64,
}

impl Lines {
    /// Lines from the beginning of `input`.
    #[must_use]
    pub fn new(input: Box<dyn BufRead + Send>) -> Self {
        Self { input, back: VecDeque::new(), line: 0 }
    }

    /// The next line with its end, cut at [`MAX_LINE_BYTES`] (`true`: it was longer).
    ///
    /// # Errors
    /// When reading fails.
    pub fn next_line(&mut self) -> io::Result<Option<(Vec<u8>, bool)>> {
        if let Some(line) = self.back.pop_front() {
            self.line += 1;
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        if self.input.by_ref().take(MAX_LINE_BYTES as u64).read_until(b'\n', &mut bytes)? == 0 {
            return Ok(None);
        }
        self.line += 1;
        let too_long = bytes.len() == MAX_LINE_BYTES && bytes.last() != Some(&b'\n');
        if too_long {
            self.skip_line()?;
        }
        Ok(Some((bytes, too_long)))
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let (used, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(position) => (position + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.input.consume(used);
            if ended {
                return Ok(());
            }
        }
    }

    /// Puts lines back, with whether each was cut.
    pub fn put_back(&mut self, lines: Vec<(Vec<u8>, bool)>) {
        self.line -= lines.len() as u64;
        for line in lines.into_iter().rev() {
            self.back.push_front(line);
        }
    }
}

impl std::fmt::Debug for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("line", &self.line).finish_non_exhaustive()
    }
}

/// Where a record stands between two of its physical lines.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    CellStart,
    Plain,
    Quoted,
    QuoteInQuoted,
    Stray,
}

/// Reads on through `bytes`; stops at the first stray quote.
fn scan(bytes: &[u8], delimiter: u8, mut state: State) -> State {
    for &byte in bytes {
        state = match (state, byte) {
            (State::Quoted, b'"') | (State::QuoteInQuoted, b'\r' | b'\n') => State::QuoteInQuoted,
            (State::CellStart | State::QuoteInQuoted, b'"') | (State::Quoted, _) => State::Quoted,
            (_, b) if b == delimiter => State::CellStart,
            (State::QuoteInQuoted | State::Stray, _) => return State::Stray,
            (State::CellStart | State::Plain, _) => State::Plain,
        };
    }
    state
}

/// The next record; empty lines are passed over.
///
/// # Errors
/// When reading fails.
pub fn next_record(lines: &mut Lines, delimiter: u8) -> io::Result<Option<Record>> {
    loop {
        let Some((mut bytes, too_long)) = lines.next_line()? else { return Ok(None) };
        let line = lines.line;
        if too_long {
            let raw = decode(&bytes).chars().take(1_000).collect();
            return Ok(Some(Record { line, raw, fault: Some(TOO_LONG) }));
        }
        if bytes.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let fault = if bytes.contains(&b'"') { close_quotes(lines, &mut bytes, delimiter)? } else { None };
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        return Ok(Some(Record { line, raw: decode(&bytes), fault }));
    }
}

/// Adds the lines that belong to an open quote. When it is never closed, or closed in the wrong place, the record is its first line only
/// and the others are put back.
fn close_quotes(lines: &mut Lines, bytes: &mut Vec<u8>, delimiter: u8) -> io::Result<Option<&'static str>> {
    let first = bytes.len();
    let mut state = scan(bytes, delimiter, State::CellStart);
    let mut added: Vec<(Vec<u8>, bool)> = Vec::new();
    while state == State::Quoted && added.len() < MAX_RECORD_LINES && bytes.len() < MAX_RECORD_BYTES {
        let Some((more, too_long)) = lines.next_line()? else { break };
        state = scan(&more, delimiter, state);
        bytes.extend_from_slice(&more);
        added.push((more, too_long));
    }
    if !matches!(state, State::Quoted | State::Stray) {
        return Ok(None);
    }
    lines.put_back(added);
    bytes.truncate(first);
    Ok(Some("a quote is not closed, or stands inside a quoted cell without being doubled: expected \"like \"\"this\"\"\""))
}

/// Cuts a record without faults into cells: their texts one after the other in `text`, their places in `cells`.
/// Returns where the third cell begins in `raw` (its end when there are fewer).
pub fn split(raw: &str, delimiter: u8, text: &mut String, cells: &mut Vec<Range<usize>>) -> usize {
    let bytes = raw.as_bytes();
    let (mut at, mut third) = (0, raw.len());
    text.clear();
    cells.clear();
    loop {
        if cells.len() == 2 {
            third = at;
        }
        let start = text.len();
        if bytes.get(at) == Some(&b'"') {
            at += 1;
            while let Some(length) = raw[at..].find('"') {
                text.push_str(&raw[at..at + length]);
                at += length + 1;
                if bytes.get(at) != Some(&b'"') {
                    break;
                }
                text.push('"');
                at += 1;
            }
        }
        let length = bytes[at..].iter().position(|byte| *byte == delimiter).unwrap_or(bytes.len() - at);
        text.push_str(&raw[at..at + length]);
        cells.push(start..text.len());
        at += length + 1;
        if at > bytes.len() {
            return third;
        }
    }
}

/// The delimiter of a text whose first record is `header`: the likeliest of comma, semicolon and tab outside of quotes.
#[must_use]
pub fn guess_delimiter(header: &str) -> u8 {
    let outside: String = header.split('"').step_by(2).collect();
    // max_by_key takes the last of equals: a header of one column is a comma's.
    *[b'\t', b';', b','].iter().max_by_key(|delimiter| outside.bytes().filter(|byte| byte == *delimiter).count()).unwrap_or(&b',')
}

/// A cell as CSV writes it.
#[must_use]
pub fn quote(cell: &str, delimiter: u8) -> String {
    let special = |c: char| c == '"' || c == '\n' || c == '\r' || c == char::from(delimiter);
    if cell.contains(special) { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell.to_owned() }
}
