//! The message as it goes over the line: line ends and dots as SMTP wants them.

use std::borrow::Cow;
use std::iter;

use memchr::memchr_iter;

/// What ends a message; its last three bytes, from the dot on, are what the receiver waits for.
const END: &str = "\r\n.\r\n";
/// Of these many bytes at the end, none may be missing for the receiver to take the message.
pub(super) const DOT_BYTES: usize = 3;

/// The message with every line ended by CR LF (a lone CR or LF could be taken for another line end by the next server and smuggle a second message),
/// a dot before each line that begins with one (RFC 5321 §4.5.2), and the final dot.
pub(super) fn transparent(message: &str) -> String {
    let message = canonical(message);
    let lines = message.strip_suffix("\r\n").unwrap_or(&message);
    let mut out = String::with_capacity(lines.len() + lines.len() / 64 + END.len());
    let mut copied = 0;
    for begin in iter::once(0).chain(memchr_iter(b'\n', lines.as_bytes()).map(|end| end + 1)) {
        if lines.as_bytes().get(begin) == Some(&b'.') {
            out.push_str(&lines[copied..begin]);
            out.push('.');
            copied = begin;
        }
    }
    out.push_str(&lines[copied..]);
    out.push_str(END);
    out
}

fn canonical(message: &str) -> Cow<'_, str> {
    let bytes = message.as_bytes();
    let mut feeds = memchr_iter(b'\n', bytes);
    let returns = memchr_iter(b'\r', bytes).count();
    if feeds.clone().count() == returns && feeds.all(|at| at > 0 && bytes[at - 1] == b'\r') {
        return Cow::Borrowed(message);
    }
    Cow::Owned(message.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_becomes_cr_lf_and_the_message_ends_with_one_dot() {
        for (message, expected) in [
            ("a\nb\n", "a\r\nb\r\n.\r\n"),
            ("a\rb\r", "a\r\nb\r\n.\r\n"),
            ("a\r\nb\r\n", "a\r\nb\r\n.\r\n"),
            ("a\n\r\nb", "a\r\n\r\nb\r\n.\r\n"),
            ("\r\r\n", "\r\n\r\n.\r\n"),
            ("", "\r\n.\r\n"),
        ] {
            assert_eq!(transparent(message), expected, "{message:?}");
        }
    }

    #[test]
    fn a_line_that_begins_with_a_dot_gets_another_so_that_no_mail_ends_early() {
        for (message, expected) in [
            (".", "..\r\n.\r\n"),
            ("a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a\r\n.b {}\r\n..\r\n", "a\r\n..b {}\r\n...\r\n.\r\n"),
            ("a\r.\rb", "a\r\n..\r\nb\r\n.\r\n"),
            ("a.b\r\nü.", "a.b\r\nü.\r\n.\r\n"),
        ] {
            assert_eq!(transparent(message), expected, "{message:?}");
        }
    }
}
