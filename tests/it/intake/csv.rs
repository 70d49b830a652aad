//! Cutting CSV: as the csv crate does where the file is right, and line by line where it is not.

use std::io::Cursor;

use proptest::prelude::*;
use stammgast::intake::csv::{Lines, MAX_LINE_BYTES, Record, guess_delimiter, next_record, split};

fn records(text: &[u8], delimiter: u8) -> Vec<Record> {
    let mut lines = Lines::new(Box::new(Cursor::new(text.to_vec())));
    std::iter::from_fn(|| next_record(&mut lines, delimiter).unwrap()).collect()
}

fn cells(raw: &str, delimiter: u8) -> Vec<String> {
    let (mut text, mut ranges) = (String::new(), Vec::new());
    split(raw, delimiter, &mut text, &mut ranges);
    ranges.into_iter().map(|range| text[range].to_owned()).collect()
}

#[test]
fn a_quote_that_nobody_closes_costs_its_own_line_only() {
    let found = records(b"a,b\n1,\"open\n2,x\n3,y\n4,\"shut\"\n", b',');
    let told: Vec<(u64, &str, bool)> = found.iter().map(|record| (record.line, record.raw.as_str(), record.fault.is_some())).collect();
    assert_eq!(told, [(1, "a,b", false), (2, "1,\"open", true), (3, "2,x", false), (4, "3,y", false), (5, "4,\"shut\"", false)]);
}

#[test]
fn a_quote_inside_a_quoted_cell_is_a_fault_and_inside_a_plain_one_is_text() {
    let found = records(b"1,\"Max \"the man\" M\"\n2,5\" screen\n3,\"a\"\"b\"\r\n", b',');
    assert!(found[0].fault.unwrap().contains("doubled"));
    assert_eq!(cells(&found[1].raw, b','), ["2", "5\" screen"]);
    assert_eq!(cells(&found[2].raw, b','), ["3", "a\"b"]);
}

#[test]
fn a_quoted_cell_may_hold_line_breaks_and_numbers_go_on_behind_it() {
    let found = records(b"1,\"two\nlines\"\n\n2,x\n", b',');
    assert_eq!(cells(&found[0].raw, b','), ["1", "two\nlines"]);
    assert_eq!((found[1].line, found[1].raw.as_str()), (4, "2,x"));
}

#[test]
fn a_line_without_end_is_refused_without_being_kept() {
    let mut text = b"a,b\n".to_vec();
    text.extend(vec![b'x'; MAX_LINE_BYTES * 3]);
    text.extend(b"\n2,y\n");
    let found = records(&text, b',');
    assert_eq!(found.len(), 3);
    assert!(found[1].fault.unwrap().contains("1 MiB") && found[1].raw.len() == 1_000);
    assert_eq!((found[2].line, found[2].raw.as_str()), (3, "2,y"));
}

#[test]
fn the_delimiter_is_the_likeliest_outside_of_quotes() {
    assert_eq!(guess_delimiter("a,b,c"), b',');
    assert_eq!(guess_delimiter("\"a,b,c\";d;e"), b';');
    assert_eq!(guess_delimiter("a\tb"), b'\t');
    assert_eq!(guess_delimiter("alone"), b',');
}

proptest! {
    #[test]
    fn what_the_csv_crate_writes_is_read_back(
        rows in proptest::collection::vec(proptest::collection::vec("[a-zäß€ ,;\"\r\n\t]{0,8}", 2..5), 1..8),
        delimiter in proptest::sample::select(vec![b',', b';', b'\t']),
    ) {
        let mut writer = csv::WriterBuilder::new().flexible(true).delimiter(delimiter).from_writer(Vec::new());
        // A first cell that is not empty: a record of nothing but space is an empty line to us.
        let rows: Vec<Vec<String>> = rows.into_iter().map(|mut row| { row[0].insert(0, 'x'); row }).collect();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = writer.into_inner().unwrap();
        let found = records(&text, delimiter);
        prop_assert!(found.iter().all(|record| record.fault.is_none()));
        let read: Vec<Vec<String>> = found.iter().map(|record| cells(&record.raw, delimiter)).collect();
        prop_assert_eq!(read, rows);
    }
}
