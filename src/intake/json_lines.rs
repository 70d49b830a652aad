//! Reads JSON lines: one object a line; nested keys become dotted paths, an array of order lines becomes rows.

use serde_json::{Map, Value};

/// Keys under which shops put the lines of an order; inside, `line.` stands for any of them.
const LINE_KEYS: &[&str] = &["line_items", "lineItems", "lines", "items", "order_lines", "positionen"];

/// Dotted path → value. `null` is the empty text; so is an empty list.
pub type Pairs = Vec<(String, String)>;

/// What a line says: about the whole record, and about each of its order lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flat {
    /// The record's own values.
    pub head: Pairs,
    /// One for each order line; `None`: the record has no such list.
    pub lines: Option<Vec<Pairs>>,
}

/// Reads one line.
///
/// # Errors
/// A sentence when it is not a JSON object.
pub fn flatten(line: &str) -> Result<Flat, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
    let Value::Object(object) = value else { return Err("not a JSON object: expected {\"…\": …}".to_owned()) };
    let mut flat = Flat::default();
    for (key, value) in &object {
        match value {
            Value::Array(lines) if LINE_KEYS.contains(&key.as_str()) && lines.iter().all(Value::is_object) => {
                flat.lines = Some(lines.iter().filter_map(Value::as_object).map(|line| pairs_of(line, key)).collect());
            }
            _ => add(&mut flat.head, key, value),
        }
    }
    Ok(flat)
}

fn pairs_of(object: &Map<String, Value>, under: &str) -> Pairs {
    let mut pairs = Pairs::new();
    for (key, value) in object {
        add(&mut pairs, &format!("{under}.{key}"), value);
    }
    pairs
}

fn add(pairs: &mut Pairs, path: &str, value: &Value) {
    match value {
        Value::Object(object) => pairs.extend(pairs_of(object, path)),
        // Of a list of objects that are no order lines (discount codes, coupons) the first one speaks.
        Value::Array(list) if list.iter().any(Value::is_object) => {
            add(pairs, path, list.iter().find(|item| item.is_object()).unwrap_or(&Value::Null));
        }
        Value::Array(list) => pairs.push((path.to_owned(), list.iter().map(text_of).collect::<Vec<_>>().join(","))),
        other => pairs.push((path.to_owned(), text_of(other))),
    }
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What our names call a path inside of order lines: `line_items.sku` is `line.sku`.
#[must_use]
pub fn line_path(path: &str) -> Option<String> {
    let (list, rest) = path.split_once('.')?;
    LINE_KEYS.contains(&list).then(|| format!("line.{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_keys_become_paths_and_order_lines_become_rows() {
        let flat = flatten(
            r#"{"id":7,"billing":{"email":"a@b.example","x":null},"discount_codes":[{"code":"WB"},{"code":"B"}],"tags":["a","b"],
                "line_items":[{"sku":"S","price":1.5},{"sku":"T"}]}"#,
        )
        .unwrap();
        let pair = |path: &str, value: &str| (path.to_owned(), value.to_owned());
        assert_eq!(
            flat.head,
            [pair("billing.email", "a@b.example"), pair("billing.x", ""), pair("discount_codes.code", "WB"), pair("id", "7"), pair("tags", "a,b")]
        );
        let lines = flat.lines.unwrap();
        assert_eq!(lines[0], [pair("line_items.price", "1.5"), pair("line_items.sku", "S")]);
        assert_eq!(lines[1], [pair("line_items.sku", "T")]);
        assert_eq!(line_path("line_items.sku").as_deref(), Some("line.sku"));
        assert_eq!(line_path("billing.email"), None);
    }

    #[test]
    fn what_is_no_object_is_refused_with_a_sentence() {
        assert!(flatten("[1]").unwrap_err().contains("not a JSON object"));
        assert!(flatten("{\"a\":").unwrap_err().starts_with("not JSON: EOF"));
    }
}
