//! Comparisons: what stands on each side, as far as the text tells.

use rhai::{Dynamic, Expr};

use super::{Place, field_of, place, text, variable};
use crate::model::fact::Kind;

/// `left == right` and its like, or `left in right`.
#[derive(Debug)]
pub(in crate::rules) struct Compared {
    pub left: Side,
    pub right: Side,
    /// The sign; `in` for an item of a list, `??` for a field and what counts when it is missing.
    pub operator: String,
    /// The sign's place, an item's own.
    pub at: Place,
}

/// What a comparison compares.
#[derive(Clone, Debug)]
pub(in crate::rules) enum Side {
    /// `variable.property`
    Field { variable: String, property: String },
    /// `variable.name(…)`
    Asked { variable: String, name: String },
    /// A literal.
    Value(Dynamic),
    /// A variable or constant.
    Name(String),
    /// What an operator or a method gives, whatever it is given.
    Made(Kind),
    /// What a word gives that is no value of any fact, e.g. "a length of time".
    Thing(&'static str),
    /// The text does not tell.
    Unknown,
}

/// Operators whose sides should be of one kind.
const COMPARE: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// The comparisons that a call is: of its two sides, of an item with each in a list.
pub(super) fn compared(operator: &str, sides: &[Expr], at: Place) -> Vec<Compared> {
    let [left, right] = sides else { return Vec::new() };
    let pair =
        |left: &Expr, right: &Expr, operator: &str, at: Place| Compared { left: side(left), right: side(right), operator: operator.to_owned(), at };
    // `x in list` is contains(list, x).
    match (operator, left) {
        ("contains", Expr::Array(items, _)) => items.iter().map(|item| pair(right, item, "in", place(item.start_position()))).collect(),
        ("contains", list) => match side(list) {
            Side::Field { .. } => vec![pair(right, list, "in", at)],
            _ => Vec::new(),
        },
        _ if COMPARE.contains(&operator) => {
            let mut found = vec![pair(left, right, operator, at)];
            found.extend([left, right].into_iter().filter_map(stand_in));
            found
        }
        _ => Vec::new(),
    }
}

/// `field.contains(item)`
pub(super) fn contained(expression: &Expr) -> Option<Compared> {
    let Expr::Dot(outer, ..) = expression else { return None };
    let Expr::Dot(inner, ..) = &outer.rhs else { return None };
    let (Expr::Property(property, _), Expr::MethodCall(call, _)) = (&inner.lhs, &inner.rhs) else { return None };
    let ("contains", [item]) = (call.name.as_str(), call.args.as_slice()) else { return None };
    let field = Side::Field { variable: variable(&outer.lhs)?, property: property.2.to_string() };
    Some(Compared { left: side(item), right: field, operator: "in".to_owned(), at: place(item.start_position()) })
}

/// `field ?? default`
fn stand_in(expression: &Expr) -> Option<Compared> {
    let Expr::Coalesce(parts, _) = expression else { return None };
    let [field, default] = parts.as_slice() else { return None };
    Some(Compared { left: side(field), right: side(default), operator: "??".to_owned(), at: place(default.start_position()) })
}

fn side(expression: &Expr) -> Side {
    if let Some((variable, property)) = field_of(expression) {
        return Side::Field { variable, property };
    }
    if let Some(name) = variable(expression) {
        return Side::Name(name);
    }
    match expression {
        Expr::Coalesce(parts, _) => parts.first().map_or(Side::Unknown, side),
        Expr::And(..) | Expr::Or(..) => Side::Made(Kind::Flag),
        Expr::FnCall(call, _) if call.is_operator_call() => match (call.name.as_str(), call.args.as_slice()) {
            ("-" | "*" | "/" | "%" | "**", _) => Side::Made(Kind::Whole),
            ("+", [left, right]) if text(left).is_some() || text(right).is_some() => Side::Made(Kind::Text),
            ("!", _) => Side::Made(Kind::Flag),
            (sign, _) if COMPARE.contains(&sign) => Side::Made(Kind::Flag),
            (".." | "..=", _) => Side::Thing("a range"),
            _ => Side::Unknown,
        },
        Expr::FnCall(call, _) if call.namespace.is_empty() => match call.name.as_str() {
            "hours" | "days" | "weeks" => Side::Thing("a length of time"),
            "percent" | "amount" | "eur" => Side::Thing("a voucher's worth"),
            "voucher" => Side::Thing("a voucher"),
            _ => Side::Unknown,
        },
        Expr::Dot(sides, ..) => match &sides.rhs {
            // `c.fact(…)`
            Expr::MethodCall(call, _) => variable(&sides.lhs).map_or(Side::Unknown, |variable| Side::Asked { variable, name: call.name.to_string() }),
            // `c.field.method()`
            Expr::Dot(inner, ..) if matches!(inner.lhs, Expr::Property(..)) => match &inner.rhs {
                Expr::MethodCall(call, _) => method(&call.name),
                _ => Side::Unknown,
            },
            _ => Side::Unknown,
        },
        other => other.get_literal_value(None).map_or(Side::Unknown, Side::Value),
    }
}

/// What a method of a field gives.
fn method(name: &str) -> Side {
    match name {
        "len" => Side::Made(Kind::Whole),
        "contains" | "is_empty" | "starts_with" | "ends_with" | "some" | "all" => Side::Made(Kind::Flag),
        "to_upper" | "to_lower" | "sub_string" => Side::Made(Kind::Text),
        _ => Side::Unknown,
    }
}
