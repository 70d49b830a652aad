//! The statement's part that a filter becomes.

use std::fmt;

use sqlx::{Database, Encode, QueryBuilder, Type};

use super::expression::{Expression, Tables};
use crate::base::time::UnixMs;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Sql {
    Always,
    Never,
    All(Vec<Sql>),
    Any(Vec<Sql>),
    Not(Box<Sql>),
    Known(Expression),
    Compare(Expression, &'static str, Value),
    Between(Expression, i64, i64),
    Among(Expression, Vec<String>),
    /// A column of JSON holds this text, in any case of its letters.
    Holds(Expression, String),
    /// The condition of the index `scores_lately`.
    Lately,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Whole(i64),
    Text(String),
    Moment(UnixMs),
}

/// Who ordered so many days ago at most stands in an index of its own, `scores_lately`: a rule about today's orders, asked every minute, must not look
/// through everybody's scores. SQLite knows the index by its words alone, so that they are said besides what is asked.
const LATELY_DAYS: i64 = 7;

/// Parts of a list that people are shown.
const SHOWN: usize = 8;

pub(super) fn all(parts: Vec<Sql>) -> Sql {
    joined(parts, &Sql::Always, Sql::Never, Sql::All)
}

pub(super) fn any(parts: Vec<Sql>) -> Sql {
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

pub(super) fn not(part: Sql) -> Sql {
    match part {
        Sql::Always => Sql::Never,
        Sql::Never => Sql::Always,
        Sql::Not(inner) => *inner,
        other => Sql::Not(Box::new(other)),
    }
}

pub(super) fn constant(answer: bool) -> Sql {
    if answer { Sql::Always } else { Sql::Never }
}

/// A pattern that finds the text anywhere. It may find more: letters of the other case, a label that looks like the signs between two.
fn pattern(text: &str) -> String {
    let escaped: String = text.chars().flat_map(|c| ['!'].into_iter().filter(move |_| "%_!".contains(c)).chain([c])).collect();
    format!("%{escaped}%")
}

impl Sql {
    /// Whether it is true for nobody who has no scores.
    pub(super) fn asks_for_scores(&self) -> bool {
        match self {
            Self::All(parts) => parts.iter().any(Self::asks_for_scores),
            Self::Any(parts) => parts.iter().all(Self::asks_for_scores),
            Self::Known(of) | Self::Compare(of, ..) | Self::Between(of, ..) | Self::Among(of, _) => of.is_score(),
            Self::Lately => true,
            Self::Always | Self::Never | Self::Not(_) | Self::Holds(..) => false,
        }
    }

    /// With the condition of the index `scores_lately`, where it is true for nobody else.
    pub(super) fn with_lately(self) -> Self {
        if self.is_about_lately() { all(vec![self, Self::Lately]) } else { self }
    }

    /// Whether it is true for nobody whose last order is older than [`LATELY_DAYS`].
    fn is_about_lately(&self) -> bool {
        match self {
            Self::All(parts) => parts.iter().any(Self::is_about_lately),
            Self::Any(parts) => parts.iter().all(Self::is_about_lately),
            Self::Compare(of, " < ", Value::Whole(days)) => of.is_recency() && *days <= LATELY_DAYS + 1,
            Self::Compare(of, " = " | " <= ", Value::Whole(days)) => of.is_recency() && *days <= LATELY_DAYS,
            _ => false,
        }
    }

    /// Which of the tables `c` and `s` it reads.
    pub(super) fn tables(&self) -> Tables {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::tables).fold(Tables::default(), Tables::and),
            Self::Not(part) => part.tables(),
            Self::Known(of) | Self::Compare(of, ..) | Self::Between(of, ..) | Self::Among(of, _) | Self::Holds(of, _) => of.tables(),
            Self::Lately => Tables { scores: true, ..Tables::default() },
            Self::Always | Self::Never => Tables::default(),
        }
    }

    /// How many clauses it has.
    pub(super) fn clauses(&self) -> usize {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::clauses).sum(),
            Self::Not(part) => 1 + part.clauses(),
            Self::Among(_, values) => values.len(),
            Self::Always | Self::Never | Self::Known(_) | Self::Compare(..) | Self::Between(..) | Self::Holds(..) | Self::Lately => 1,
        }
    }

    /// Adds it to a statement whose tables are called `c` and `s`.
    pub(super) fn push<DB: Database>(&self, query: &mut QueryBuilder<DB>)
    where
        i64: for<'q> Encode<'q, DB> + Type<DB>,
        String: for<'q> Encode<'q, DB> + Type<DB>,
    {
        match self {
            Self::Always => drop(query.push("1 = 1")),
            Self::Never => drop(query.push("1 = 0")),
            Self::Lately => drop(query.push(self)),
            Self::Known(expression) => {
                expression.push(query);
                query.push(" IS NOT NULL");
            }
            Self::Between(expression, from, to) => {
                expression.push(query);
                query.push(" BETWEEN ").push_bind(*from).push(" AND ").push_bind(*to);
            }
            Self::Among(expression, values) => {
                expression.push(query);
                for (position, value) in values.iter().enumerate() {
                    query.push(if position == 0 { " IN (" } else { ", " }).push_bind(value.clone());
                }
                query.push(")");
            }
            Self::Holds(expression, text) => {
                expression.push(query);
                query.push(" LIKE ").push_bind(pattern(text)).push(" ESCAPE '!'");
            }
            Self::Not(part) => {
                // What is unknown is not true, so its opposite is.
                query.push("NOT COALESCE(");
                part.push(query);
                query.push(", 1 = 0)");
            }
            Self::Compare(expression, sign, value) => {
                expression.push(query);
                query.push(*sign);
                match value {
                    Value::Whole(number) | Value::Moment(UnixMs(number)) => query.push_bind(*number),
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

/// The first parts of a long list: nobody reads the days of sixty anniversaries.
fn shortened(mut parts: Vec<String>, between: &str) -> String {
    let more = parts.len().saturating_sub(SHOWN);
    if more > 1 {
        parts.truncate(SHOWN);
        parts.push(format!("… {more} more"));
    }
    parts.join(between)
}

impl fmt::Display for Sql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("all"),
            Self::Never => f.write_str("none"),
            Self::Lately => write!(f, "s.recency_days <= {LATELY_DAYS}"),
            Self::Known(expression) => write!(f, "{expression} IS NOT NULL"),
            Self::Between(expression, from, to) if from == to => write!(f, "{expression} = {from}"),
            Self::Between(expression, from, to) => write!(f, "{expression} BETWEEN {from} AND {to}"),
            Self::Among(expression, values) => {
                let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
                write!(f, "{expression} IN ({})", shortened(values, ", "))
            }
            Self::Holds(expression, text) => write!(f, "{expression} LIKE '{}'", pattern(text)),
            Self::Not(part) => write!(f, "NOT ({part})"),
            Self::Compare(expression, sign, Value::Whole(number)) => write!(f, "{expression}{sign}{number}"),
            Self::Compare(expression, sign, Value::Moment(at)) => write!(f, "{expression}{sign}{at}"),
            Self::Compare(expression, sign, Value::Text(text)) => write!(f, "{expression}{sign}'{text}'"),
            Self::All(parts) | Self::Any(parts) => {
                let between = if matches!(self, Self::All(_)) { " AND " } else { " OR " };
                write!(f, "({})", shortened(parts.iter().map(ToString::to_string).collect(), between))
            }
        }
    }
}
