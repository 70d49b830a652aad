//! What stands on the left of a comparison in SQL: a column, or a figure counted from the history.

use std::fmt;
use std::sync::Arc;

use sqlx::{Database, Encode, QueryBuilder, Type};

use crate::model::fact::{Column, Fact, Reading, Table};
use crate::model::facts::Moment;

/// An expression over the tables `c` and `s`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    /// A fact as it is stored.
    Stored(Column),
    /// Day and month of the birthday, `MM-DD`.
    BirthdayInYear,
    /// Whether there is a birthday, an address: a column that is only asked for NULL.
    Column(&'static str),
    /// The days since the first order.
    Tenure,
    /// Counted from the history.
    Figure(Figure),
}

/// A subquery about one customer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    source: &'static Source,
    of: Option<Arc<str>>,
    /// The window's start.
    since: Option<i64>,
    now: i64,
    /// As people read it.
    text: String,
}

/// What a figure is counted from.
#[derive(Debug, PartialEq)]
struct Source {
    select: &'static str,
    /// When it happened.
    at: &'static str,
    /// Columns of which one has to be the name in brackets.
    of: &'static [&'static str],
}

const ORDERS: Source =
    Source { select: "SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id AND o.status = 'paid'", at: "o.ordered_at", of: &[] };
const REVENUE: Source = Source {
    select: "SELECT COALESCE(SUM(o.revenue_cents), 0) FROM orders o WHERE o.customer_id = c.id AND o.status = 'paid'",
    at: "o.ordered_at",
    of: &[],
};
const LINES: Source = Source {
    select: "SELECT COUNT(*) FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.customer_id = c.id AND o.status = 'paid'",
    at: "o.ordered_at",
    of: &["l.sku", "l.name"],
};
const CATEGORY_LINES: Source = Source { of: &["l.category"], ..LINES };
const PIECES: Source = Source {
    select: "SELECT COALESCE(SUM(l.quantity), 0) FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.customer_id = c.id AND o.status = 'paid'",
    ..LINES
};
const CATEGORY_PIECES: Source = Source { of: &["l.category"], ..PIECES };
const EMAILS: Source = Source {
    select: "SELECT COUNT(*) FROM messages m JOIN decisions d ON d.id = m.decision_id
             WHERE m.customer_id = c.id AND m.channel = 'email' AND m.state NOT IN ('failed', 'cancelled')",
    at: "d.tick_at",
    of: &["d.rule"],
};

impl Expression {
    /// How the database says a fact, and the power of ten that its whole number is larger by.
    pub(super) fn of(reading: &Reading, moment: &Moment) -> Option<(Self, u32)> {
        if let Some(column) = reading.fact.about().column {
            return Some((Self::Stored(column), column.scale));
        }
        let (source, scale) = match reading.fact {
            Fact::OrdersIn => (&ORDERS, 0),
            Fact::RevenueIn => (&REVENUE, 2),
            Fact::Bought => (&LINES, 0),
            Fact::BoughtCategory => (&CATEGORY_LINES, 0),
            Fact::Pieces => (&PIECES, 0),
            Fact::PiecesOfCategory => (&CATEGORY_PIECES, 0),
            Fact::EmailsIn | Fact::EmailsOf => (&EMAILS, 0),
            _ => return None,
        };
        // PostgreSQL has no such text.
        if reading.of.as_deref().is_some_and(|of| of.contains('\0')) {
            return None;
        }
        let since = reading.days.map(|days| moment.window(days).0);
        Some((Self::Figure(Figure { source, of: reading.of.clone(), since, now: moment.now.0, text: reading.to_string() }), scale))
    }

    /// Whether it is NULL for whoever has no scores.
    pub(super) fn is_score(&self) -> bool {
        match self {
            Self::Stored(column) => column.table == Table::Scores && !column.or_zero,
            Self::Tenure => true,
            Self::BirthdayInYear | Self::Column(_) | Self::Figure(_) => false,
        }
    }

    pub(super) fn push<DB: Database>(&self, query: &mut QueryBuilder<DB>)
    where
        i64: for<'q> Encode<'q, DB> + Type<DB>,
        String: for<'q> Encode<'q, DB> + Type<DB>,
    {
        let Self::Figure(figure) = self else {
            query.push(self);
            return;
        };
        query.push("(").push(figure.source.select).push(" AND ").push(figure.source.at).push(" <= ").push_bind(figure.now);
        if let Some(since) = figure.since {
            query.push(" AND ").push(figure.source.at).push(" >= ").push_bind(since);
        }
        if let Some(of) = &figure.of {
            for (position, column) in figure.source.of.iter().enumerate() {
                query.push(if position == 0 { " AND (" } else { " OR " }).push(*column).push(" = ").push_bind(of.to_string());
            }
            query.push(")");
        }
        query.push(")");
    }
}

/// As SQL says it; a figure, which would be long, as the rule says it.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored(Column { table, name, or_zero, .. }) => {
                let table = if *table == Table::Customers { "c" } else { "s" };
                if *or_zero { write!(f, "COALESCE({table}.{name}, 0)") } else { write!(f, "{table}.{name}") }
            }
            Self::BirthdayInYear => f.write_str("substr(c.birthday, 6, 5)"),
            Self::Column(name) => f.write_str(name),
            Self::Tenure => f.write_str("s.tenure_days"),
            Self::Figure(figure) => f.write_str(&figure.text),
        }
    }
}
