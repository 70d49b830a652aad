//! Makes UTF-8 of what shops export: UTF-8 with or without a mark, UTF-16 with one, Windows-1252.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use encoding_rs::{CoderResult, Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::IntakeError;

/// How much of a file is looked at before it is read: enough to tell its form and its columns.
const SAMPLE_BYTES: u64 = 64 * 1024;

/// A file made ready: bytes that are UTF-8 or Windows-1252, without a mark, and a first look at them.
pub struct Text {
    /// The whole text from its beginning.
    pub reader: Box<dyn BufRead + Send>,
    /// Its first 64 KiB or less.
    pub sample: Vec<u8>,
    /// Whether it comes from a program that marks its texts (Excel); such a program wants marked texts back.
    pub marked: bool,
}

/// What some files that are no text begin with, and what to do with them.
const NO_TEXTS: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "compressed with gzip: zcat FILE | stammgast import … -"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard: zstdcat FILE | stammgast import … -"),
    (b"\xfd7zXZ\0", "compressed with xz: xzcat FILE | stammgast import … -"),
    (b"PK\x03\x04", "a ZIP archive or a workbook (.xlsx, .ods): unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "a workbook of an old Excel (.xls): save the sheet as CSV"),
    (b"%PDF-", "a PDF: expected an export as CSV or JSON lines"),
];

/// Looks at the beginning of `input`, drops a mark, and turns UTF-16 into UTF-8 and the line ends of a file that has CR alone into LF.
///
/// # Errors
/// When reading fails, or when it is no text.
pub fn open(mut input: Box<dyn Read + Send>) -> Result<Text, IntakeError> {
    let mut head = Vec::new();
    input.by_ref().take(8).read_to_end(&mut head)?;
    if let Some((_, what)) = NO_TEXTS.iter().find(|(magic, _)| head.starts_with(magic)) {
        return Err(IntakeError::Unfit(format!("the file is no text but {what}")));
    }
    let (mark, utf16) = match head.as_slice() {
        [0xef, 0xbb, 0xbf, ..] => (3, None),
        [0xff, 0xfe, ..] => (2, Some(UTF_16LE)),
        [0xfe, 0xff, ..] => (2, Some(UTF_16BE)),
        _ => (0, None),
    };
    let rest = Cursor::new(head.split_off(mark)).chain(input);
    let mut reader: Box<dyn Read + Send> = match utf16 {
        Some(encoding) => Box::new(Utf16::new(rest, encoding.new_decoder_without_bom_handling())),
        None => Box::new(rest),
    };
    let mut sample = Vec::new();
    reader.by_ref().take(SAMPLE_BYTES).read_to_end(&mut sample)?;
    // A stray one in a cell spoils no file.
    if sample.split(|byte| *byte == 0).skip(1).count() * 20 > sample.len() {
        return Err(IntakeError::Unfit(
            "the file is no text: it is full of zero bytes; expected UTF-8, Windows-1252, or UTF-16 with its mark".to_owned(),
        ));
    }
    if ends_lines_with_cr(&sample) {
        sample.iter_mut().for_each(cr_to_lf);
        reader = Box::new(CrLines(reader));
    }
    let whole = Cursor::new(sample.clone()).chain(reader);
    Ok(Text { reader: Box::new(BufReader::with_capacity(128 * 1024, whole)), sample, marked: mark > 0 })
}

/// Whether lines end with CR alone, as Excel for Macintosh writes them. What stands between quotes is a cell's own, and the last byte of
/// a sample may be one half of CR LF.
fn ends_lines_with_cr(sample: &[u8]) -> bool {
    let outside = |(_, quoted): &(&u8, bool)| !quoted;
    let bytes = sample.iter().scan(false, |quoted, byte| {
        *quoted ^= *byte == b'"';
        Some((byte, *quoted))
    });
    let mut ends = bytes.filter(outside).map(|(byte, _)| *byte).filter(|byte| matches!(byte, b'\r' | b'\n'));
    let last_half = sample.len() as u64 == SAMPLE_BYTES && sample.last() == Some(&b'\r') && ends.clone().count() == 1;
    !last_half && ends.clone().next().is_some() && ends.all(|byte| byte == b'\r')
}

fn cr_to_lf(byte: &mut u8) {
    if *byte == b'\r' {
        *byte = b'\n';
    }
}

/// Gives LF for CR.
struct CrLines<R>(R);

impl<R: Read> Read for CrLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.read(buffer)?;
        buffer[..count].iter_mut().for_each(cr_to_lf);
        Ok(count)
    }
}

/// The text of one record: UTF-8 as it is; anything else is taken for Windows-1252, which has a meaning for every byte. Decided record by
/// record, so that neither the whole file has to be read first nor one bad byte spoils the rest.
#[must_use]
pub fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    }
}

/// Reads UTF-16 and gives UTF-8.
struct Utf16<R> {
    input: R,
    decoder: Decoder,
    coded: Vec<u8>,
    plain: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Utf16<R> {
    fn new(input: R, decoder: Decoder) -> Self {
        Self { input, decoder, coded: Vec::new(), plain: Vec::new(), given: 0, ended: false }
    }

    fn refill(&mut self) -> io::Result<()> {
        self.coded.clear();
        self.input.by_ref().take(SAMPLE_BYTES).read_to_end(&mut self.coded)?;
        self.ended = self.coded.is_empty();
        let room = self.decoder.max_utf8_buffer_length(self.coded.len()).unwrap_or(self.coded.len() * 3 + 16);
        self.plain.resize(room, 0);
        let (result, _, written, _) = self.decoder.decode_to_utf8(&self.coded, &mut self.plain, self.ended);
        debug_assert!(matches!(result, CoderResult::InputEmpty), "the buffer has room for the worst case");
        self.plain.truncate(written);
        self.given = 0;
        Ok(())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.plain.len() {
            if self.ended {
                return Ok(0);
            }
            self.refill()?;
        }
        let count = buffer.len().min(self.plain.len() - self.given);
        buffer[..count].copy_from_slice(&self.plain[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Text").field("marked", &self.marked).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (String, bool) {
        let mut text = open(Box::new(Cursor::new(bytes.to_vec()))).unwrap();
        let mut all = Vec::new();
        text.reader.read_to_end(&mut all).unwrap();
        assert!(all.starts_with(&text.sample));
        (decode(&all), text.marked)
    }

    #[test]
    fn the_encodings_of_usual_exports_are_told_apart() {
        assert_eq!(read("Söhnke;5 €".as_bytes()), ("Söhnke;5 €".to_owned(), false));
        assert_eq!(read(b"\xef\xbb\xbfS\xc3\xb6hnke"), ("Söhnke".to_owned(), true));
        assert_eq!(read(b"S\xf6hnke;5 \x80"), ("Söhnke;5 €".to_owned(), false));
        let little: Vec<u8> = [0xff, 0xfe].into_iter().chain("Söhnke\t€".encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(read(&little), ("Söhnke\t€".to_owned(), true));
        let big: Vec<u8> = [0xfe, 0xff].into_iter().chain("Söhnke".encode_utf16().flat_map(u16::to_be_bytes)).collect();
        assert_eq!(read(&big), ("Söhnke".to_owned(), true));
        assert_eq!(read(b""), (String::new(), false));
    }

    #[test]
    fn line_ends_of_a_macintosh_are_read_as_line_ends_and_those_within_cells_or_of_windows_stay() {
        for (bytes, text) in [
            ("a;b\r1;2\r", "a;b\n1;2\n"),
            ("a;b\r1;\"x\ny\"\r2;3", "a;b\n1;\"x\ny\"\n2;3"),
            ("a;b\r\n1;\"x\ry\"\r\n", "a;b\r\n1;\"x\ry\"\r\n"),
            ("a;b\n1;x\ry\n", "a;b\n1;x\ry\n"),
            ("a;b", "a;b"),
        ] {
            assert_eq!(read(bytes.as_bytes()).0, text, "{bytes:?}");
        }
        let long = format!("{}\r\n1;2\r\n", "x".repeat(64 * 1024 - 1));
        assert_eq!(read(long.as_bytes()).0, long, "the sample ends between CR and LF");
        let mac = "a;b\r".repeat(64 * 1024);
        assert_eq!(read(mac.as_bytes()).0, mac.replace('\r', "\n"));
    }

    #[test]
    fn what_is_compressed_or_no_text_is_told_as_such_without_a_byte_of_it() {
        for (bytes, told) in [
            (&b"\x1f\x8b\x08\x00\x1b[31m"[..], "the file is no text but compressed with gzip: zcat FILE | stammgast import … -"),
            (b"PK\x03\x04\x14\x00", "a workbook (.xlsx"),
            (b"\xd0\xcf\x11\xe0\xa1\xb1", "save the sheet as CSV"),
            (b"i\0d\0;\0", "it is full of zero bytes; expected UTF-8, Windows-1252, or UTF-16 with its mark"),
        ] {
            let error = open(Box::new(Cursor::new(bytes.to_vec()))).unwrap_err().to_string();
            assert!(error.contains(told) && !error.contains(char::is_control), "{error:?}");
        }
    }

    #[test]
    fn a_long_utf16_text_is_read_to_its_end() {
        let long = "Söhnke;𝄞\n".repeat(40_000);
        let coded: Vec<u8> = [0xff, 0xfe].into_iter().chain(long.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        assert_eq!(read(&coded).0, long);
    }
}
