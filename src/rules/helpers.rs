//! The words that rules make values with: days, amounts, vouchers, emails, webhooks.

use std::sync::Arc;

use rhai::{Dynamic, Engine, EvalAltResult, Map};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::sandbox;
use crate::model::action::VoucherWorth;

type Outcome<T> = Result<T, Box<EvalAltResult>>;

/// A length of time in hours of real time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    hours: i64,
}

impl Span {
    /// What `word(count)` means.
    pub(super) fn of(word: &str, count: i64) -> Option<Self> {
        let (_, hours_each) = LENGTHS.iter().find(|(name, _)| *name == word)?;
        Some(Self { hours: count.checked_mul(*hours_each)? })
    }

    /// The days of 24 hours, when they are whole.
    pub(super) fn days(self) -> Option<i64> {
        (self.hours % 24 == 0).then_some(self.hours / 24)
    }
}

/// What `percent(…)` and `amount(…)` give.
#[derive(Clone, Copy, Debug)]
pub(super) struct Worth(pub VoucherWorth);

/// A voucher that is wished for; it gets its code when the message is made. Used twice in one message it is one voucher.
#[derive(Clone, Debug)]
pub(super) struct Wish(pub Arc<WishedVoucher>);

#[derive(Debug)]
pub(super) struct WishedVoucher {
    pub prefix: String,
    pub worth: VoucherWorth,
    pub days: i64,
}

/// What a variant's closure has to return. What it holds is no part of what Rhai counts: hence shared, and plain.
#[derive(Clone, Debug)]
pub(super) enum Plan {
    Email { template: String, vars: Arc<Map> },
    Webhook { target: String, payload: Arc<Map> },
}

/// Longest window, cooldown or validity in days: ten years.
pub(super) const MAX_DAYS: i64 = 3650;

/// Deepest nesting of lists and maps in a message.
pub(super) const MAX_DEPTH: usize = 16;

/// A value's kind in a marketer's words.
pub(super) fn kind(value: &Dynamic) -> String {
    match value {
        _ if value.is_unit() => "nothing".to_owned(),
        _ if value.is_string() => format!("the text \"{}\"", value.to_string().chars().take(60).collect::<String>()),
        _ if value.is_int() || value.is_decimal() => format!("the number {value}"),
        _ if value.is_bool() => format!("{value}"),
        _ if value.is_fnptr() => "a closure".to_owned(),
        _ if value.is_array() => "a list".to_owned(),
        _ if value.is_map() => "a map #{…}".to_owned(),
        _ if value.is::<std::ops::Range<i64>>() || value.is::<std::ops::RangeInclusive<i64>>() => "a range".to_owned(),
        _ if value.is::<Span>() => "a length of time".to_owned(),
        _ if value.is::<Worth>() => "a voucher's worth".to_owned(),
        _ if value.is::<Wish>() => "a voucher".to_owned(),
        _ if value.is::<Plan>() => "an email or webhook".to_owned(),
        _ if value.is::<super::registry::Customer>() => "the customer".to_owned(),
        _ => value.type_name().to_owned(),
    }
}

/// `expected …, got …`.
pub(super) fn expected(what: &str, value: &Dynamic) -> String {
    format!("expected {what}, got {}", kind(value))
}

/// Whether a text is a name of rules, templates and targets: 1 to 60 of `a-z`, `0-9` and `-`.
pub(super) fn is_name(text: &str) -> bool {
    (1..=60).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// The words for lengths of time, with the hours of one.
const LENGTHS: [(&str, i64); 3] = [("hours", 1), ("days", 24), ("weeks", 7 * 24)];

fn span(word: &str, count: &Dynamic) -> Outcome<Span> {
    let count = count.as_int().map_err(|_| format!("{word}(…): {}", expected("a whole number", count)))?;
    Ok(Span::of(word, count).ok_or_else(|| format!("{word}({count}): the number is too big"))?)
}

fn percent(value: &Dynamic) -> Outcome<Worth> {
    match value.as_int() {
        Ok(percent) if (1..=100).contains(&percent) => Ok(Worth(VoucherWorth::Percent(percent))),
        _ => Err(format!("percent(…): {}", expected("a whole number from 1 to 100", value)).into()),
    }
}

fn amount(word: &str, value: &Dynamic) -> Outcome<Worth> {
    let exact = value.as_int().map(Decimal::from).or_else(|_| value.as_decimal()).ok();
    let cents = exact.and_then(|amount| amount.checked_mul(Decimal::ONE_HUNDRED)).filter(Decimal::is_integer).and_then(|cents| cents.to_i64());
    match cents {
        Some(cents) if cents > 0 => Ok(Worth(VoucherWorth::Amount(cents))),
        _ => Err(format!("{word}(…): {}", expected("an amount above 0 with at most two decimals, such as 5 or 7.50", value)).into()),
    }
}

fn voucher(prefix: &Dynamic, worth: &Dynamic, valid: &Dynamic) -> Outcome<Wish> {
    let good = |text: &str| (1..=12).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    let text = prefix.clone().into_string().ok().filter(|text| good(text));
    let text = text.ok_or_else(|| format!("voucher(…): the prefix: {}", expected("1 to 12 of A-Z and 0-9 such as \"WB\"", prefix)))?;
    let Some(Worth(worth)) = worth.clone().try_cast::<Worth>() else {
        return Err(format!("voucher(…): the worth: {}", expected("percent(10) or amount(5)", worth)).into());
    };
    match valid.clone().try_cast::<Span>().and_then(Span::days) {
        Some(days) if (1..=MAX_DAYS).contains(&days) => Ok(Wish(Arc::new(WishedVoucher { prefix: text, worth, days }))),
        _ => Err(format!("voucher(…): the validity: {}", expected("days(1) to days(3650)", valid)).into()),
    }
}

fn named(word: &str, name: &Dynamic, what: &str) -> Outcome<String> {
    let text = name.clone().into_string().ok().filter(|text| is_name(text));
    text.ok_or_else(|| format!("{word}(…): the {what}: {}", expected("a name of a-z, 0-9 and -", name)).into())
}

fn entries(word: &str, map: &Dynamic) -> Outcome<Map> {
    let Some(entries) = map.clone().try_cast::<Map>() else {
        return Err(format!("{word}(…): {}", expected("a map such as #{ code: \"A1\" }", map)).into());
    };
    for (key, value) in &entries {
        sandbox::spend(key.len() + weight(value, 0).map_err(|problem| format!("{word}(…): '{key}': {problem}"))?);
    }
    Ok(entries)
}

/// About how many bytes a value takes; what cannot be part of a message is refused.
fn weight(value: &Dynamic, depth: usize) -> Result<usize, String> {
    if depth > MAX_DEPTH {
        return Err(format!("nested deeper than {MAX_DEPTH}"));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(text.len());
    }
    if let Ok(list) = value.as_array_ref() {
        return list.iter().try_fold(0, |sum, item| Ok(sum + 16 + weight(item, depth + 1)?));
    }
    if let Ok(map) = value.as_map_ref() {
        return map.iter().try_fold(0, |sum, (key, item)| Ok(sum + 64 + key.len() + weight(item, depth + 1)?));
    }
    let plain = value.is_unit() || value.is_bool() || value.is_int() || value.is_decimal() || value.is_char();
    if plain || value.is::<Wish>() || value.is::<Worth>() {
        return Ok(16);
    }
    Err(format!("{} cannot be part of a message", kind(value)))
}

fn email(template: &Dynamic, vars: Map) -> Outcome<Plan> {
    Ok(Plan::Email { template: named("email", template, "template")?, vars: vars.into() })
}

fn webhook(target: &Dynamic, payload: Map) -> Outcome<Plan> {
    Ok(Plan::Webhook { target: named("webhook", target, "target")?, payload: payload.into() })
}

/// Teaches an engine the lengths of time.
pub(super) fn register_spans(engine: &mut Engine) {
    engine.register_type_with_name::<Span>("Days");
    for (word, _) in LENGTHS {
        engine.register_fn(word, move |count: Dynamic| span(word, &count));
    }
}

/// Teaches an engine the words.
pub(super) fn register(engine: &mut Engine) {
    register_spans(engine);
    engine
        .register_type_with_name::<Worth>("Worth")
        .register_type_with_name::<Wish>("Voucher")
        .register_type_with_name::<Plan>("Action")
        .register_fn("percent", |value: Dynamic| percent(&value))
        .register_fn("amount", |value: Dynamic| amount("amount", &value))
        .register_fn("eur", |value: Dynamic| amount("eur", &value))
        .register_fn("voucher", |prefix: Dynamic, worth: Dynamic, valid: Dynamic| voucher(&prefix, &worth, &valid))
        .register_fn("email", |template: Dynamic| email(&template, Map::new()))
        .register_fn("email", |template: Dynamic, vars: Dynamic| email(&template, entries("email", &vars)?))
        .register_fn("webhook", |target: Dynamic| webhook(&target, Map::new()))
        .register_fn("webhook", |target: Dynamic, payload: Dynamic| webhook(&target, entries("webhook", &payload)?));
}
