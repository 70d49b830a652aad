//! Text for pages: escaping, and the sentences in German and English.

use crate::base::written::decimal;

/// Escapes text for HTML, in elements and in quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Picks the German or the English sentence.
pub(super) fn pick<'a>(locale: &str, german: &'a str, english: &'a str) -> &'a str {
    if locale == "de" { german } else { english }
}

/// A number as the language writes it: German has a decimal comma.
pub(super) fn number(text: &str, locale: &str) -> String {
    decimal(text, locale == "de")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_means_something_in_html_survives() {
        assert_eq!(escape("<b a='1' c=\"2\">&"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;");
    }
}
