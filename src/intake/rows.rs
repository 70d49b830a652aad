//! One face for CSV and JSON lines: rows with cells under our fields.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::ops::Range;

use super::csv::{Lines, TOO_LONG, guess_delimiter, next_record, split};
use super::fields::{FIELDS, Field, Kind};
use super::json_lines::{Flat, Pairs, flatten};
use super::mapping::{Mapping, Maps, Slot};
use super::text::{self, decode};
use super::{IntakeError, Refused};

/// A record's cells.
#[derive(Clone, Debug)]
pub struct Row {
    /// Number of its first line in the file, from 1.
    pub line: u64,
    /// The record as it was.
    pub raw: String,
    /// Whether it belongs to the order of the row before (further lines of a JSON order).
    pub continues: bool,
    /// Whether it is an order of its own, whatever the next row says (a JSON order with a list of lines).
    pub whole: bool,
    text: String,
    /// Places in `text`; a line is at most 1 MiB long.
    cells: Vec<Option<(u32, u32)>>,
}

impl Row {
    fn new(line: u64, raw: String, slots: usize) -> Self {
        Self { line, raw, continues: false, whole: false, text: String::new(), cells: vec![None; slots] }
    }

    /// The cell under a field without surrounding space; `None`: the file does not say anything about it; empty: it says there is none.
    #[must_use]
    pub fn cell(&self, field: Field) -> Option<&str> {
        self.slot(field as Slot)
    }

    /// The cell of an attribute, by its number; as [`Row::cell`].
    #[must_use]
    pub fn attribute(&self, place: usize) -> Option<&str> {
        self.slot(FIELDS + place)
    }

    fn slot(&self, slot: Slot) -> Option<&str> {
        let (start, end) = (*self.cells.get(slot)?)?;
        self.text.get(start as usize..end as usize).map(str::trim)
    }

    /// The cell under a field, if something stands in it.
    #[must_use]
    pub fn value(&self, field: Field) -> Option<&str> {
        self.cell(field).filter(|text| !text.is_empty())
    }
}

/// How the file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// With a header.
    Csv {
        /// Between cells.
        delimiter: u8,
        /// The header as it is in the file.
        header: String,
        /// Whether the file itself is one of refused lines: `line` and `reason` are its first columns.
        of_refused: bool,
        /// Whether the file begins with a byte order mark.
        marked: bool,
    },
    /// One object a line.
    JsonLines,
}

/// The rows of a file.
#[derive(Debug)]
pub struct Rows {
    lines: Lines,
    /// How the file is written.
    pub form: Form,
    /// Which column carries what.
    pub mapping: Mapping,
    waiting: VecDeque<Row>,
    ranges: Vec<Range<usize>>,
}

/// What comes next in a file.
#[derive(Clone, Debug)]
pub enum Next {
    /// A row.
    Row(Box<Row>),
    /// A line that is no row.
    Refused(Refused),
    /// Nothing more.
    End,
}

/// Where the first lines of a file of JSON lines cannot be read, so many lines and bytes are looked at for one that can.
const FIRST_LINES: usize = 100;
const FIRST_BYTES: usize = 8 * 1024 * 1024;

impl Rows {
    /// Looks at the file's form and columns.
    ///
    /// # Errors
    /// [`IntakeError`] when it cannot be read, is empty, or lacks a column that it must have.
    pub fn open(input: Box<dyn Read + Send>, kind: Kind, maps: &Maps) -> Result<Self, IntakeError> {
        let text = text::open(input)?;
        let first_line = text.sample.split(|byte| *byte == b'\n').find(|line| !line.iter().all(u8::is_ascii_whitespace) && !line.starts_with(b"#"));
        match first_line.and_then(|line| line.trim_ascii_start().first()) {
            None => Err(IntakeError::Unfit("the file is empty: expected a line with the names of the columns, or JSON lines".to_owned())),
            Some(b'[') => Err(IntakeError::Unfit("the file is a JSON list: expected one object a line; jq -c '.[]' makes that of it".to_owned())),
            Some(b'{') => Self::open_json(text, kind, maps),
            Some(_) => Self::open_csv(text, kind, maps),
        }
    }

    fn open_csv(text: text::Text, kind: Kind, maps: &Maps) -> Result<Self, IntakeError> {
        let mut lines = Lines::new(text.reader);
        let no_header = || IntakeError::Unfit("the first line cannot be read as names of columns".to_owned());
        let first_line = text.sample.split(|byte| *byte == b'\n').find(|line| !line.iter().all(u8::is_ascii_whitespace)).unwrap_or_default();
        let mut delimiter = guess_delimiter(&decode(first_line));
        let mut header = next_record(&mut lines, delimiter)?.filter(|record| record.fault.is_none()).ok_or_else(no_header)?;
        if let Some(told) = header.raw.strip_prefix("sep=").and_then(|rest| rest.bytes().next()) {
            delimiter = told;
            header = next_record(&mut lines, delimiter)?.filter(|record| record.fault.is_none()).ok_or_else(no_header)?;
        }
        if header.raw.split('"').step_by(2).any(|outside| outside.contains('\r')) {
            return Err(IntakeError::Unfit(
                "the first line holds line ends of another kind (CR) than the one it ends with: expected one kind".to_owned(),
            ));
        }
        let (mut names, mut ranges) = (String::new(), Vec::new());
        split(&header.raw, delimiter, &mut names, &mut ranges);
        let columns: Vec<String> = ranges.iter().map(|range| names[range.clone()].to_owned()).collect();
        let of_refused = columns.len() > 2 && columns[0] == "line" && columns[1] == "reason";
        let marked = text.marked || std::str::from_utf8(&text.sample).is_err_and(|error| error.error_len().is_some());
        let mapping = Mapping::new(kind, columns, maps)?;
        let form = Form::Csv { delimiter, header: header.raw, of_refused, marked };
        Ok(Self { lines, form, mapping, waiting: VecDeque::new(), ranges })
    }

    fn open_json(text: text::Text, kind: Kind, maps: &Maps) -> Result<Self, IntakeError> {
        let mut lines = Lines::new(text.reader);
        let (mut columns, mut looked_at, mut bytes, mut fault) = (Vec::new(), Vec::new(), 0, None);
        // A line may be longer than the sample, and the first ones may be none: some that can be read are wanted.
        while bytes < text.sample.len() || (columns.is_empty() && looked_at.len() < FIRST_LINES && bytes < FIRST_BYTES) {
            let Some((line, too_long)) = lines.next_line()? else { break };
            bytes += line.len();
            let raw = decode(&line);
            let flat = match raw.trim() {
                _ if too_long => Err(TOO_LONG.to_owned()),
                "" => Ok(Flat::default()),
                text if text.starts_with('#') => Ok(Flat::default()),
                text => flatten(text),
            };
            let flat = flat.unwrap_or_else(|reason| {
                fault.get_or_insert(format!("line {}: {reason}", lines.line));
                Flat::default()
            });
            for (path, _) in flat.head.into_iter().chain(flat.lines.into_iter().flatten().flatten()) {
                if !columns.contains(&path) && columns.len() < 1_000 {
                    columns.push(path);
                }
            }
            looked_at.push((line, too_long));
        }
        lines.put_back(looked_at);
        if let (true, Some(fault)) = (columns.is_empty(), fault) {
            return Err(IntakeError::Unfit(format!("no line at the file's beginning can be read as JSON; {fault}")));
        }
        let mapping = Mapping::new(kind, columns, maps)?;
        Ok(Self { lines, form: Form::JsonLines, mapping, waiting: VecDeque::new(), ranges: Vec::new() })
    }

    /// The next row or refused line.
    ///
    /// # Errors
    /// When reading fails.
    pub fn next_row(&mut self) -> io::Result<Next> {
        if let Some(row) = self.waiting.pop_front() {
            return Ok(Next::Row(Box::new(row)));
        }
        match self.form {
            Form::Csv { delimiter, .. } => self.next_csv(delimiter),
            Form::JsonLines => self.next_json(),
        }
    }

    fn next_csv(&mut self, delimiter: u8) -> io::Result<Next> {
        loop {
            let Some(record) = next_record(&mut self.lines, delimiter)? else { return Ok(Next::End) };
            if let Some(fault) = record.fault {
                return Ok(Next::Refused(Refused { line: record.line, reason: fault.to_owned(), raw: record.raw }));
            }
            let mut row = Row::new(record.line, record.raw, self.mapping.slots());
            split(&row.raw, delimiter, &mut row.text, &mut self.ranges);
            if row.text.trim().is_empty() {
                continue;
            }
            let width = self.mapping.width();
            let surplus = self.ranges.get(width..).is_some_and(|more| more.iter().any(|range| !range.is_empty()));
            if self.ranges.len() < width || surplus {
                let reason =
                    format!("{} cells, but the header has {width}: a '{}' too many or too few, or a quote", self.ranges.len(), char::from(delimiter));
                return Ok(Next::Refused(Refused { line: row.line, reason, raw: row.raw }));
            }
            for (cell, column) in row.cells.iter_mut().zip(self.mapping.chosen()) {
                *cell = column.map(|column| place(&self.ranges[column]));
            }
            return Ok(Next::Row(Box::new(row)));
        }
    }

    fn next_json(&mut self) -> io::Result<Next> {
        loop {
            let Some((mut bytes, too_long)) = self.lines.next_line()? else { return Ok(Next::End) };
            let line = self.lines.line;
            while matches!(bytes.last(), Some(b'\n' | b'\r')) {
                bytes.pop();
            }
            if too_long {
                let raw = decode(&bytes).chars().take(1_000).collect();
                return Ok(Next::Refused(Refused { line, reason: TOO_LONG.to_owned(), raw }));
            }
            let raw = decode(&bytes);
            // A file of refused lines says the reason in a line with # before each.
            if raw.trim().is_empty() || raw.starts_with('#') {
                continue;
            }
            let flat = match flatten(&raw) {
                Ok(flat) => flat,
                Err(reason) => return Ok(Next::Refused(Refused { line, reason, raw })),
            };
            let whole = flat.lines.is_some();
            let mut lines = flat.lines.unwrap_or_default().into_iter();
            let slots = self.mapping.slots();
            let mut first = Row { whole, ..Row::new(line, raw, slots) };
            let mut best = vec![usize::MAX; slots];
            fill(&mut first, flat.head, &mut self.mapping, &mut best);
            fill(&mut first, lines.next().unwrap_or_default(), &mut self.mapping, &mut best);
            for pairs in lines {
                let mut row = Row { whole, continues: true, ..Row::new(line, String::new(), slots) };
                fill(&mut row, pairs, &mut self.mapping, &mut vec![usize::MAX; slots]);
                self.waiting.push_back(row);
            }
            return Ok(Next::Row(Box::new(first)));
        }
    }
}

fn place(range: &Range<usize>) -> (u32, u32) {
    (u32::try_from(range.start).unwrap_or(u32::MAX), u32::try_from(range.end).unwrap_or(u32::MAX))
}

/// Puts values under their fields; of several for one field the best name wins, and a value wins over nothing.
fn fill(row: &mut Row, pairs: Pairs, mapping: &mut Mapping, best: &mut [usize]) {
    for (path, value) in pairs {
        let Some((index, rank)) = mapping.rank(&path) else { continue };
        let better = rank < best[index] && !value.is_empty();
        if better || row.cells[index].is_none() || (row.slot(index).is_none_or(str::is_empty) && !value.is_empty()) {
            let start = row.text.len();
            row.text.push_str(&value);
            row.cells[index] = Some(place(&(start..row.text.len())));
            best[index] = rank;
        }
    }
}
