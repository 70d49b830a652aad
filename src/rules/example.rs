//! Reads `.example("what it shows", #{ fact: value, … }, "verdict")`: a customer stated by the names of facts, and a few words for the gates.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{Datelike as _, NaiveDate};
use rhai::{Dynamic, Map};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::helpers::{MAX_DAYS as MAX_WINDOW, expected};
use super::internals::Place;
use super::registry;
use super::suggest::hint;
use crate::base::id::Id;
use crate::model::attribute::Attributes;
use crate::model::consent::ConsentKind;
use crate::model::crossing::CHURN;
use crate::model::customer::{Customer, Locale};
use crate::model::email_address::EmailAddress;
use crate::model::event::NpsClass;
use crate::model::example::{Example, Expected, StatedStanding};
use crate::model::fact::{Fact, Kind, Reading, Takes};
use crate::model::facts::{Facts, FieldValue};
use crate::model::score::Abc;

/// Words that say something besides facts.
pub(super) const WORDS: [&str; 5] = ["today", "consent", "suppressed", "written_days_ago", "recent_emails"];
/// Longest name of an example in characters.
const MAX_NAME: usize = 200;
/// Furthest day back: a hundred years.
const MAX_DAYS: i64 = 36_525;
/// Most emails that somebody may have got.
const MAX_EMAILS: i64 = 10_000;
const CONSENTS: &str = "\"double_opt_in\", \"single_opt_in\", \"existing_customer\", \"objected\" or \"none\"";

/// The example that a call states.
///
/// # Errors
/// All that is wrong with it, in sentences.
pub(super) fn read(name: &Dynamic, facts: &Dynamic, verdict: &Dynamic, (file, at): (&str, Place)) -> Result<Example, String> {
    let mut faults = Vec::new();
    let mut note = |fault: String| faults.push(fault);
    let name = name_of(name).map_err(&mut note).unwrap_or_default();
    let expected = verdict_of(verdict).map_err(&mut note).unwrap_or(Expected::No);
    let mut stated = BTreeMap::new();
    let mut standing = StatedStanding {
        today: None,
        consent: Some(ConsentKind::DoubleOptIn),
        suppressed: false,
        last_order_days: Some(1),
        written_days_ago: None,
        recent_emails: 0,
    };
    match facts.read_lock::<Map>() {
        Some(map) => {
            for (word, value) in map.iter() {
                let read = match reading(word) {
                    Ok(Some(reading)) => value_of(&reading, value).map(|value| drop(stated.insert(reading, value))),
                    Ok(None) => more(&mut standing, word, value),
                    Err(problem) => Err(problem),
                };
                read.map_err(&mut note).unwrap_or_default();
            }
        }
        None => note(self::expected("a map of facts such as #{ recency_days: 61, orders: 3 }", facts)),
    }
    if !faults.is_empty() {
        return Err(faults.join("; "));
    }
    standing.last_order_days = match (stated.get(&Fact::RecencyDays.into()), stated.get(&Fact::Orders.into())) {
        (Some(FieldValue::Whole(days)), _) => Some((*days).clamp(0, MAX_DAYS)),
        (_, Some(FieldValue::Whole(..=0))) => None,
        _ => standing.last_order_days,
    };
    let facts = Facts { stated: Some(Arc::new(stated.clone())), ..Facts::new(record(&stated), None) };
    Ok(Example { name, file: file.to_owned(), line: at.0, column: at.1, facts, standing, expected })
}

fn name_of(name: &Dynamic) -> Result<String, String> {
    let good = |text: &String| (1..=MAX_NAME).contains(&text.chars().count()) && !text.trim().is_empty() && !text.chars().any(char::is_control);
    let text = name.clone().into_string().ok().filter(good);
    text.ok_or_else(|| expected(&format!("a name of 1 to {MAX_NAME} characters such as \"a newcomer is left alone\""), name))
}

fn verdict_of(verdict: &Dynamic) -> Result<Expected, String> {
    let text = verdict.clone().into_string().unwrap_or_default();
    Expected::parse(&text).ok_or_else(|| {
        let words = Expected::WORDS.map(|word| format!("\"{word}\"")).join(", ");
        format!("{}{}", expected(&format!("one of {words}"), verdict), hint(&text, Expected::WORDS.into_iter(), ""))
    })
}

/// The fact that a key names: `orders`, or with its brackets `bought('P-1', days(90))`; `None` when no fact has that name.
fn reading(word: &str) -> Result<Option<Reading>, String> {
    let (name, brackets) = word.split_once('(').map_or((word, None), |(name, rest)| (name, Some(rest)));
    let Some(fact) = Fact::named(name.trim()) else { return Ok(None) };
    let name = fact.about().name;
    let form = match fact.about().takes {
        Takes::Nothing => name.to_owned(),
        Takes::Days => format!("\"{name}(days(90))\""),
        Takes::Name => format!("\"{name}('…')\""),
        Takes::NameAndDays => format!("\"{name}('…')\" or \"{name}('…', days(90))\""),
    };
    let inside = match brackets {
        None => Some((None, None)),
        Some(rest) => rest.trim_end().strip_suffix(')').and_then(inside),
    };
    let fits = |(of, days): &(Option<Arc<str>>, Option<i64>)| match fact.about().takes {
        Takes::Nothing => brackets.is_none(),
        Takes::Days => of.is_none() && days.is_some(),
        Takes::Name => of.is_some() && days.is_none(),
        Takes::NameAndDays => of.is_some(),
    };
    let (of, days) = inside.filter(fits).ok_or_else(|| format!("{word}: expected {form}"))?;
    Ok(Some(Reading { fact, of, days }))
}

/// What stands in brackets: a name in quotes of either kind, a window, or both.
fn inside(text: &str) -> Option<(Option<Arc<str>>, Option<i64>)> {
    let text = text.trim();
    let (of, rest) = match text.chars().next().filter(|first| matches!(first, '\'' | '"')) {
        Some(quote) => {
            let (of, rest) = text[1..].split_once(quote)?;
            (Some(Arc::from(of)), rest.trim_start())
        }
        None => (None, text),
    };
    let window = match (&of, rest) {
        (Some(_), "") => return Some((of, None)),
        (Some(_), rest) => rest.strip_prefix(',')?.trim_start(),
        (None, rest) => rest,
    };
    let (unit, count) = window.strip_suffix(')')?.split_once('(')?;
    let each = match unit.trim_end() {
        "days" => 1,
        "weeks" => 7,
        _ => return None,
    };
    let days = count.trim().parse::<i64>().ok()?.checked_mul(each).filter(|days| (1..=MAX_WINDOW).contains(days))?;
    Some((of, Some(days)))
}

fn value_of(reading: &Reading, value: &Dynamic) -> Result<FieldValue, String> {
    let about = reading.fact.about();
    let text = || value.clone().into_string().ok().map(FieldValue::Text);
    let whole = || value.as_int().ok().map(FieldValue::Whole);
    let decimal = || value.as_decimal().or_else(|_| value.as_int().map(Into::into)).ok().map(FieldValue::Decimal);
    let flag = || value.as_bool().ok().map(FieldValue::Flag);
    let (read, what) = match about.kind {
        Kind::Text => (text(), "a text"),
        Kind::Whole => (whole(), "a whole number"),
        Kind::Decimal => (decimal(), "a number"),
        Kind::Flag => (flag(), "true or false"),
        Kind::Texts => (texts(value).map(FieldValue::Texts), "a list of texts such as [\"vip\"]"),
        // A number without a fraction is whole, as it is read from the record.
        Kind::Any => (text().or_else(|| whole_of(value)).or_else(decimal).or_else(flag), "a text, a number, true or false"),
    };
    let known = |value: &FieldValue| match (reading.fact, value) {
        (Fact::Locale, FieldValue::Text(text)) => Locale::parse(text).is_some_and(|locale| locale.code() == text),
        (Fact::ChurnWas, FieldValue::Text(text)) => CHURN.contains(&text.as_str()),
        (Fact::Abc | Fact::AbcAdjusted | Fact::AbcWas, FieldValue::Text(text)) => Abc::parse(text).is_some(),
        (Fact::NpsClass, FieldValue::Text(text)) => NpsClass::parse(text).is_some(),
        _ => true,
    };
    match read {
        Some(value) if known(&value) => Ok(value),
        Some(_) => Err(format!("{reading}: {}", expected(&format!("one of {}", about.unit), value))),
        None if value.is_unit() => Err(format!("{reading}: expected {what}; what is missing is left out")),
        None => Err(format!("{reading}: {}", expected(what, value))),
    }
}

fn whole_of(value: &Dynamic) -> Option<FieldValue> {
    let decimal = |_| value.as_decimal().ok().filter(Decimal::is_integer).and_then(|number| number.to_i64()).ok_or(());
    value.as_int().or_else(decimal).ok().map(FieldValue::Whole)
}

fn texts(value: &Dynamic) -> Option<Vec<String>> {
    let list = value.read_lock::<rhai::Array>()?;
    let mut texts = list.iter().map(|item| item.clone().into_string().ok()).collect::<Option<Vec<String>>>()?;
    // As they are stored.
    texts.sort();
    texts.dedup();
    Some(texts)
}

fn more(standing: &mut StatedStanding, word: &str, value: &Dynamic) -> Result<(), String> {
    let whole = |most: i64| {
        let number = value.as_int().ok().filter(|number| (0..=most).contains(number));
        number.ok_or_else(|| format!("{word}: {}", expected(&format!("a whole number from 0 to {most}"), value)))
    };
    match word {
        "today" => {
            let day = value.clone().into_string().ok().and_then(|text| NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok());
            let day = day.filter(|day| (1970..=2200).contains(&day.year()));
            standing.today = Some(day.ok_or_else(|| format!("today: {}", expected("a day such as \"2026-12-24\"", value)))?);
        }
        "consent" => {
            let text = value.clone().into_string().unwrap_or_default();
            let kind = ConsentKind::parse(&text).filter(|kind| kind.code() == text);
            if kind.is_none() && text != "none" {
                return Err(format!("consent: {}", expected(CONSENTS, value)));
            }
            standing.consent = kind;
        }
        "suppressed" => standing.suppressed = value.as_bool().map_err(|_| format!("suppressed: {}", expected("true or false", value)))?,
        "written_days_ago" => standing.written_days_ago = Some(whole(MAX_DAYS)?),
        "recent_emails" => standing.recent_emails = whole(MAX_EMAILS)?,
        _ => {
            let near = hint(word, registry::names().chain(WORDS), "");
            let near = if near.is_empty() { format!(": expected a fact about the customer, or {}", WORDS.join(", ")) } else { near };
            return Err(format!("unknown fact '{word}'{near}"));
        }
    }
    Ok(())
}

/// The record: what mails and the split need. An address, unless `has_email` says that there is none.
fn record(stated: &BTreeMap<Reading, FieldValue>) -> Customer {
    let text = |fact: Fact| match stated.get(&fact.into()) {
        Some(FieldValue::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let has_email = stated.get(&Fact::HasEmail.into()) != Some(&FieldValue::Flag(false));
    Customer {
        id: Id(1),
        external_id: text(Fact::Id).unwrap_or_else(|| "example".to_owned()),
        email: EmailAddress::parse("example@example.org").ok().filter(|_| has_email),
        first_name: text(Fact::FirstName),
        last_name: text(Fact::LastName),
        birthday: None,
        locale: text(Fact::Locale).and_then(|text| Locale::parse(&text)),
        tags: match stated.get(&Fact::Tags.into()) {
            Some(FieldValue::Texts(tags)) => tags.clone(),
            _ => Vec::new(),
        },
        attributes: Attributes::new(),
        referred_by: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fact_is_named_as_in_a_condition() {
        let told = |word: &str| reading(word).map(|reading| reading.map_or_else(|| "no fact".to_owned(), |reading| reading.to_string()));
        for (word, name) in [
            ("orders", "orders"),
            ("orders_in(days(90))", "orders_in(days(90))"),
            (" orders_in ( weeks( 2 ) ) ", "orders_in(days(14))"),
            ("bought('P-1')", "bought(\"P-1\")"),
            ("bought(\"P, (1)\" , days(7))", "bought(\"P, (1)\", days(7))"),
            ("days_until('12-24')", "days_until(\"12-24\")"),
            ("colour(3)", "no fact"),
        ] {
            assert_eq!(told(word).as_deref(), Ok(name), "{word}");
        }
        for word in [
            "orders()",
            "orders_in",
            "orders_in()",
            "orders_in(90)",
            "orders_in(days(0))",
            "orders_in(days(9999999999999999999))",
            "orders_in(months(2))",
            "orders_in('a')",
            "bought",
            "bought()",
            "bought('P-1)",
            "bought('P-1' days(2))",
            "bought('P-1', 'P-2')",
            "bought(days(3))",
            "days_until('12-24', days(3))",
            "orders_in(days(90)",
            "(",
            ")",
        ] {
            assert!(told(word).is_err() || word.len() == 1, "{word}: {:?}", told(word));
        }
    }

    #[test]
    fn no_word_is_a_fact() {
        assert!(WORDS.into_iter().all(|word| Fact::named(word).is_none()));
    }
}
