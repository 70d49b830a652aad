//! The template engine: strict, bounded, escaping HTML, with filters for dates and amounts.

use std::fmt::Write as _;

use chrono::NaiveDate;
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};

use crate::base::money::{Cents, Currency};
use crate::channel::vars::{format_date, format_money};
use crate::model::customer::Locale;

/// Steps that rendering one part may take; the shipped templates take some hundreds.
const FUEL: u64 = 100_000;

/// An engine without templates.
pub(super) fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    if let Ok(syntax) = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build() {
        engine.set_syntax(syntax);
    }
    engine.set_auto_escape_callback(|name| {
        let ending = std::path::Path::new(name).extension().and_then(|ending| ending.to_str());
        if matches!(ending, Some("txt" | "subject")) { AutoEscape::None } else { AutoEscape::Html }
    });
    engine.set_formatter(format);
    // What a customer is called must never become markup, whatever a template's author thinks.
    engine.remove_filter("safe");
    engine.add_filter("date", date);
    engine.add_filter("money", money);
    engine
}

/// Writes a value; in HTML with the five characters escaped that matter there, and the slash left alone so that links stay readable.
fn format(out: &mut Output<'_>, state: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    match (state.auto_escape(), value.as_str()) {
        (AutoEscape::Html, Some(text)) if !value.is_safe() => {
            for c in text.chars() {
                match c {
                    '&' => out.write_str("&amp;"),
                    '<' => out.write_str("&lt;"),
                    '>' => out.write_str("&gt;"),
                    '"' => out.write_str("&quot;"),
                    '\'' => out.write_str("&#39;"),
                    other => out.write_char(other),
                }?;
            }
            Ok(())
        }
        _ => minijinja::escape_formatter(out, state, value),
    }
}

/// `{{ day | date }}`: an ISO date (`2026-12-31`) as `31.12.2026` or `31 December 2026`.
fn date(state: &State<'_, '_>, day: &Value) -> Result<String, Error> {
    let date = day.as_str().and_then(|text| text.parse::<NaiveDate>().ok());
    date.map(|date| format_date(date, locale(state))).ok_or_else(|| misfit(day, "a date for the filter 'date': expected e.g. 2026-12-31"))
}

/// `{{ cents | money }}`: whole cents in the shop's currency as `12,34 €` or `€12.34`.
fn money(state: &State<'_, '_>, cents: &Value) -> Result<String, Error> {
    let code = state.lookup("shop").and_then(|shop| shop.get_attr("currency").ok());
    let currency = code.as_ref().and_then(Value::as_str).and_then(|code| Currency::parse(code).ok());
    let currency = currency.ok_or_else(|| Error::new(ErrorKind::UndefinedError, "shop.currency is missing"))?;
    let amount = cents.as_i64().ok_or_else(|| misfit(cents, "an amount for the filter 'money': expected whole cents"))?;
    Ok(format_money(Cents(amount), currency, locale(state)))
}

fn misfit(value: &Value, what: &str) -> Error {
    if value.is_undefined() {
        return Error::from(ErrorKind::UndefinedError);
    }
    Error::new(ErrorKind::InvalidOperation, format!("'{value}' is not {what}"))
}

fn locale(state: &State<'_, '_>) -> Locale {
    state.lookup("locale").as_ref().and_then(Value::as_str).and_then(Locale::parse).unwrap_or_default()
}

/// `file:line: what is wrong`, of the file that people edit. `head_lines`: lines of the text's file before the `part`. What was compiled has no lines of a
/// file any more.
pub(super) fn explain(error: &Error, part: &str, head_lines: usize) -> String {
    let Some(name) = error.name() else { return problem(error) };
    let place = match name.rsplit_once('.') {
        Some((file, "subject")) => format!("{file}.txt, Subject"),
        Some((file, "html")) => format!("{file}.mjml"),
        _ => {
            let before = if name == part { head_lines } else { 0 };
            error.line().map_or_else(|| name.to_owned(), |line| format!("{name}:{}", line + before))
        }
    };
    format!("{place}: {}", problem(error))
}

/// What is wrong, without the place.
pub(super) fn problem(error: &Error) -> String {
    match (error.kind(), error.detail()) {
        (ErrorKind::UndefinedError, None) => "a variable is missing".to_owned(),
        (ErrorKind::OutOfFuel, _) => format!("takes more than {FUEL} steps: is there a loop without end?"),
        (kind, None) => kind.to_string(),
        (_, Some(detail)) => detail.to_owned(),
    }
}

/// Checks that every link and picture of an HTML part is `https:`, `http:` or `mailto:`: a rule's variable must not smuggle in `javascript:`. What stands
/// between the tags is text, whatever it looks like.
pub(super) fn check_links(html: &str) -> Result<(), String> {
    let mut rest = html;
    while let Some(begin) = rest.find('<') {
        rest = &rest[begin + 1..];
        if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        rest = rest.trim_start_matches(|c: char| !c.is_whitespace() && !matches!(c, '>' | '/'));
        while let Some((name, value, after)) = attribute(rest) {
            rest = after;
            check_link(name, value.trim())?;
        }
    }
    Ok(())
}

/// The next attribute of a tag: its name, its value, and what comes after it; `None` when the tag ends.
fn attribute(tag: &str) -> Option<(&str, &str, &str)> {
    let tag = tag.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
    let length = tag.find(|c: char| c.is_whitespace() || matches!(c, '=' | '>' | '/')).unwrap_or(tag.len());
    let (name, rest) = tag.split_at(length);
    let Some(value) = rest.trim_start().strip_prefix('=').map(str::trim_start) else {
        return Some((name, "", rest)).filter(|_| !name.is_empty());
    };
    let (value, after) = if let Some(quote @ ('"' | '\'')) = value.chars().next() {
        value[1..].split_once(quote).unwrap_or((&value[1..], ""))
    } else {
        value.split_at(value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len()))
    };
    Some((name, value, after))
}

fn check_link(name: &str, url: &str) -> Result<(), String> {
    if !["href", "src", "background", "action"].iter().any(|link| name.eq_ignore_ascii_case(link)) {
        return Ok(());
    }
    let allowed = |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if ["https://", "http://", "mailto:"].into_iter().any(allowed) {
        return Ok(());
    }
    let shown: String = url.chars().take(60).collect();
    Err(format!("{name}=\"{shown}\" is no link for a mail: expected https://, http:// or mailto:"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_web_and_mail_links_may_be_in_a_mail() {
        for good in [
            r#"<a href="https://x.example/?a=1&amp;b=2">"#,
            "<a href='mailto:a@b.example'>",
            r#"<p class="href">href</p>"#,
            // Somebody's name, and a picture's words.
            "<p>Hello src=x Foo, href='y', &lt;img src=z&gt;</p>",
            r#"<img alt="see src=x" SRC="https://x.example/a.png"/>"#,
            "<td style=\"a:b\" nowrap>1 < 2 = href=x</td>",
        ] {
            assert_eq!(check_links(good), Ok(()), "{good}");
        }
        for bad in [
            r#"<a href="javascript:alert(1)">"#,
            r#"<a href = " javascript:alert(1)">"#,
            r#"<img src="data:text/html,x">"#,
            "<a href=file:///etc/passwd>",
            r#"<a title="x"href='vbscript:x'>"#,
            r#"<a href="//evil.example">"#,
            r#"<a href="">"#,
            r#"<img SRC="x"/>"#,
            r#"<!--[if mso]><table background="javascript:x"><![endif]-->"#,
            "<img/src=x>",
        ] {
            assert!(check_links(bad).is_err(), "{bad}");
        }
    }
}
