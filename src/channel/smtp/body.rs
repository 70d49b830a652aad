//! Line ends as SMTP wants them.

use std::borrow::Cow;

/// The message with every line ended by CR LF, as SMTP wants it (a lone CR or LF could be taken for another line end by the next server and smuggle
/// a second message), and without the last line end, which lettre writes before the dot.
pub(super) fn canonical(message: &[u8]) -> Cow<'_, [u8]> {
    let lone = |position: usize| match message[position] {
        b'\r' => message.get(position + 1) != Some(&b'\n'),
        b'\n' => position == 0 || message[position - 1] != b'\r',
        _ => false,
    };
    // Most bytes are no line end: one comparison each.
    let body = if message.iter().enumerate().any(|(position, &byte)| byte <= b'\r' && lone(position)) {
        let mut fixed = Vec::with_capacity(message.len() + 64);
        for (position, &byte) in message.iter().enumerate() {
            if lone(position) {
                fixed.extend_from_slice(b"\r\n");
            } else {
                fixed.push(byte);
            }
        }
        Cow::Owned(fixed)
    } else {
        Cow::Borrowed(message)
    };
    match body {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.strip_suffix(b"\r\n").unwrap_or(bytes)),
        Cow::Owned(mut bytes) => {
            if bytes.ends_with(b"\r\n") {
                bytes.truncate(bytes.len() - 2);
            }
            Cow::Owned(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_end_becomes_cr_lf_and_the_last_one_is_left_to_lettre() {
        for (message, expected) in
            [("a\nb\n", "a\r\nb"), ("a\rb\r", "a\r\nb"), ("a\r\nb\r\n", "a\r\nb"), ("a\n\r\nb", "a\r\n\r\nb"), ("\r\r\n", "\r\n"), ("", "")]
        {
            assert_eq!(canonical(message.as_bytes()), expected.as_bytes(), "{message:?}");
        }
    }
}
