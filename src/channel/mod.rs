//! Floor 3: the only outbound network: email and webhook, rendering, signing.

pub mod file;
pub mod guard;
pub mod message;
mod quoted;
pub mod sign;
pub mod smtp;
pub mod templates;
mod tls;
pub mod vars;
pub mod webhook;

/// Most characters of a peer's words that are kept.
const REPLY_CHARS: usize = 500;

/// A peer's words as one line without control characters, at most [`REPLY_CHARS`] long: they end up in the database and on pages.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > 4 * REPLY_CHARS {
            break;
        }
    }
    line.chars().take(REPLY_CHARS).collect()
}
