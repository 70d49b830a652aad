//! A rule's condition as far as the database can tell it: only customers for whom it may be true (or fail) are read. The interpreter or the clauses decide.

use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use sqlx::{Database, Encode, QueryBuilder, Type};

use crate::model::predicate::{Clause, Leaf, Literal, Operator, Predicate};

/// Fields that stand in a column as they are: name, expression, and the power of ten that the column's whole number is larger by. The others are worked out
/// from several columns or from the day, or their column may hold what is read as missing.
const COLUMNS: &[(&str, &str, u32)] = &[
    ("id", "c.external_id", 0),
    ("first_name", "c.first_name", 0),
    ("last_name", "c.last_name", 0),
    ("recency_days", "s.recency_days", 0),
    ("orders", "COALESCE(s.orders, 0)", 0),
    ("revenue", "COALESCE(s.revenue_cents, 0)", 2),
    ("average_order_value", "s.average_order_value_cents", 2),
    ("tenure_days", "s.tenure_days", 0),
    ("first_order_days", "s.tenure_days", 0),
    ("r", "s.r", 0),
    ("f", "s.f", 0),
    ("m", "s.m", 0),
    ("rfm", "s.rfm", 0),
    ("rfm_weighted", "s.rfm_weighted_e4", 4),
    ("abc", "s.abc", 0),
    ("revenue_rank", "s.revenue_rank", 0),
    ("top_percent", "s.top_percent", 0),
];

/// Most clauses in one filter: SQLite takes no expression deeper than 1,000, and a chain is as deep as it is long. What is longer is not narrowed down.
const MOST_CLAUSES: usize = 500;

/// A necessary condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter(Sql);

#[derive(Clone, Debug, PartialEq)]
enum Sql {
    Always,
    Never,
    All(Vec<Sql>),
    Any(Vec<Sql>),
    Not(Box<Sql>),
    Known(&'static str),
    Compare(&'static str, &'static str, Value),
}

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Whole(i64),
    Text(String),
}

/// Where a condition can be true, and where it can be false; where it can fail is in both.
struct Pair {
    yes: Sql,
    no: Sql,
    fails: bool,
}

impl Filter {
    /// What a condition narrows the customers down to; `None` when nothing.
    #[must_use]
    pub fn of(predicate: &Predicate) -> Option<Self> {
        let yes = pair(predicate).yes;
        (yes != Sql::Always && yes.clauses() <= MOST_CLAUSES).then_some(Self(yes))
    }

    /// Adds it to a statement whose tables are called `c` and `s`.
    pub(super) fn push<DB: Database>(&self, query: &mut QueryBuilder<DB>)
    where
        i64: for<'q> Encode<'q, DB> + Type<DB>,
        String: for<'q> Encode<'q, DB> + Type<DB>,
    {
        self.0.push(query);
    }
}

/// For people: the values stand in the text.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn pair(predicate: &Predicate) -> Pair {
    match predicate {
        Predicate::Not(part) => pair(part).turned(),
        Predicate::All(parts) => conjunction(parts.iter().map(pair).collect()),
        // a || b is !(!a && !b).
        Predicate::Any(parts) => conjunction(parts.iter().map(pair).map(Pair::turned).collect()).turned(),
        Predicate::Leaf(leaf) => clause(leaf).map_or_else(
            || Pair { yes: Sql::Always, no: Sql::Always, fails: leaf.clause == Clause::Script },
            |exact| Pair { no: not(exact.clone()), yes: exact, fails: false },
        ),
    }
}

/// It is true where all parts are, up to the first that may fail: a later one that is false must not hide the failure. It is false where any part is.
fn conjunction(parts: Vec<Pair>) -> Pair {
    let (mut yes, mut no, mut fails) = (Vec::new(), Vec::new(), false);
    for part in parts {
        if !fails {
            yes.push(part.yes);
        }
        fails |= part.fails;
        no.push(part.no);
    }
    Pair { yes: all(yes), no: any(no), fails }
}

impl Pair {
    fn turned(self) -> Self {
        Self { yes: self.no, no: self.yes, fails: self.fails }
    }
}

fn all(parts: Vec<Sql>) -> Sql {
    joined(parts, &Sql::Always, Sql::Never, Sql::All)
}

fn any(parts: Vec<Sql>) -> Sql {
    joined(parts, &Sql::Never, Sql::Always, Sql::Any)
}

/// Without the parts that change nothing; the one that settles it stands for all.
fn joined(parts: Vec<Sql>, nothing: &Sql, settled: Sql, join: fn(Vec<Sql>) -> Sql) -> Sql {
    let mut parts: Vec<Sql> = parts.into_iter().filter(|part| part != nothing).collect();
    match parts.len() {
        _ if parts.contains(&settled) => settled,
        0 => nothing.clone(),
        1 => parts.remove(0),
        _ => join(parts),
    }
}

fn not(part: Sql) -> Sql {
    match part {
        Sql::Always => Sql::Never,
        Sql::Never => Sql::Always,
        Sql::Not(inner) => *inner,
        other => Sql::Not(Box::new(other)),
    }
}

/// A clause that the database can tell exactly.
fn clause(leaf: &Leaf) -> Option<Sql> {
    let column = |field: &str| COLUMNS.iter().find(|(name, ..)| *name == field).map(|&(_, column, scale)| (column, scale));
    match &leaf.clause {
        Clause::Constant(answer) => Some(if *answer { Sql::Always } else { Sql::Never }),
        Clause::Has(field) => Some(Sql::Known(column(field)?.0)),
        Clause::OneOf { field, list } => {
            let column = column(field)?;
            Some(any(list.iter().map(|literal| compare(column, Operator::Equal, literal)).collect::<Option<Vec<Sql>>>()?))
        }
        Clause::Compare { field, default, operator, literal } => {
            let column = column(field)?;
            let known = compare(column, *operator, literal)?;
            match default {
                None => Some(known),
                // The default answers for those without a value.
                Some(default) => {
                    let missing = not(Sql::Known(column.0));
                    Some(if operator.holds(default.order(literal)?) { any(vec![known, missing]) } else { known })
                }
            }
        }
        Clause::Flag(_) | Clause::Tagged(_) | Clause::Script => None,
    }
}

/// A comparison that is false where the column is NULL.
fn compare((column, scale): (&'static str, u32), operator: Operator, literal: &Literal) -> Option<Sql> {
    let number = match literal {
        // PostgreSQL has no such text.
        Literal::Text(text) if text.contains('\0') => return None,
        Literal::Text(text) => return Some(Sql::Compare(column, sign(operator), Value::Text(text.clone()))),
        Literal::Flag(_) => return None,
        Literal::Number(number) => number.checked_mul(Decimal::from(10_i64.checked_pow(scale)?))?,
    };
    let (floor, ceiling) = (number.floor().to_i64()?, number.ceil().to_i64()?);
    let whole = floor == ceiling;
    let value = |value| Value::Whole(value);
    Some(match operator {
        Operator::Equal if !whole => Sql::Never,
        Operator::NotEqual if !whole => Sql::Known(column),
        Operator::Greater | Operator::LessOrEqual | Operator::Equal | Operator::NotEqual => Sql::Compare(column, sign(operator), value(floor)),
        Operator::GreaterOrEqual | Operator::Less => Sql::Compare(column, sign(operator), value(ceiling)),
    })
}

fn sign(operator: Operator) -> &'static str {
    match operator {
        Operator::Equal => " = ",
        Operator::NotEqual => " <> ",
        Operator::Less => " < ",
        Operator::LessOrEqual => " <= ",
        Operator::Greater => " > ",
        Operator::GreaterOrEqual => " >= ",
    }
}

impl Sql {
    fn clauses(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::clauses).sum(),
            Self::Not(part) => 1 + part.clauses(),
            Self::Always | Self::Never | Self::Known(_) | Self::Compare(..) => 1,
        }
    }

    fn push<DB: Database>(&self, query: &mut QueryBuilder<DB>)
    where
        i64: for<'q> Encode<'q, DB> + Type<DB>,
        String: for<'q> Encode<'q, DB> + Type<DB>,
    {
        match self {
            Self::Always => drop(query.push("1 = 1")),
            Self::Never => drop(query.push("1 = 0")),
            Self::Known(column) => drop(query.push(*column).push(" IS NOT NULL")),
            Self::Not(part) => {
                // What is unknown is not true, so its opposite is.
                query.push("NOT COALESCE(");
                part.push(query);
                query.push(", 1 = 0)");
            }
            Self::Compare(column, sign, value) => {
                query.push(*column).push(*sign);
                match value {
                    Value::Whole(number) => query.push_bind(*number),
                    Value::Text(text) => query.push_bind(text.clone()),
                };
            }
            Self::All(parts) | Self::Any(parts) => {
                let between = if matches!(self, Self::All(_)) { " AND " } else { " OR " };
                for (position, part) in parts.iter().enumerate() {
                    query.push(if position == 0 { "(" } else { between });
                    part.push(query);
                }
                query.push(")");
            }
        }
    }
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("all"),
            Self::Never => f.write_str("none"),
            Self::Known(column) => write!(f, "{column} IS NOT NULL"),
            Self::Not(part) => write!(f, "NOT ({part})"),
            Self::Compare(column, sign, Value::Whole(number)) => write!(f, "{column}{sign}{number}"),
            Self::Compare(column, sign, Value::Text(text)) => write!(f, "{column}{sign}'{text}'"),
            Self::All(parts) | Self::Any(parts) => {
                let between = if matches!(self, Self::All(_)) { " AND " } else { " OR " };
                let parts: Vec<String> = parts.iter().map(ToString::to_string).collect();
                write!(f, "({})", parts.join(between))
            }
        }
    }
}
