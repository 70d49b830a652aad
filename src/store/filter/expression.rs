//! What stands on the left of a comparison in SQL: a column, or a figure counted from the history.

use std::fmt;
use std::sync::Arc;

use sqlx::{Database, Encode, QueryBuilder, Type};

use crate::base::time::UnixMs;
use crate::model::crossing::Tracked;
use crate::model::fact::{self, Fact, Reading};
use crate::model::facts::Moment;
use crate::model::own_score;
use crate::model::predicate::Literal;

/// An expression over the tables `c` and `s`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    /// A column of the customer's record.
    Customer(&'static str),
    /// A column of their scores.
    Score(&'static str),
    /// The same, 0 for whoever has none.
    ScoreOrZero(&'static str),
    /// Day and month of the birthday, `MM-DD`.
    BirthdayInYear,
    /// Counted from the history.
    Figure(Figure),
    /// A column of the row of an own score.
    Own(Arc<str>, &'static str),
    /// A class that the customer was settled in right before a moment.
    Was(Tracked, UnixMs),
}

/// Tables of a statement about customers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::store) struct Tables {
    /// `c`.
    pub customers: bool,
    /// `s`.
    pub scores: bool,
}

impl Tables {
    /// Those of both.
    pub(in crate::store) fn and(self, other: Self) -> Self {
        Self { customers: self.customers || other.customers, scores: self.scores || other.scores }
    }
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
    /// What stands behind the conditions.
    then: &'static str,
}

const ORDERS: Source =
    Source { select: "SELECT COUNT(*) FROM orders o WHERE o.customer_id = c.id AND o.status = 'paid'", at: "o.ordered_at", of: &[], then: "" };
const REVENUE: Source =
    Source { select: "SELECT COALESCE(SUM(o.revenue_cents), 0) FROM orders o WHERE o.customer_id = c.id AND o.status = 'paid'", ..ORDERS };
const LINES: Source = Source {
    select: "SELECT COUNT(*) FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.customer_id = c.id AND o.status = 'paid'",
    at: "o.ordered_at",
    of: &["l.sku", "l.name"],
    then: "",
};
const CATEGORY_LINES: Source = Source { of: &["l.category"], ..LINES };
const PIECES: Source = Source {
    select: "SELECT COALESCE(SUM(l.quantity), 0) FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.customer_id = c.id AND o.status = 'paid'",
    ..LINES
};
const CATEGORY_PIECES: Source = Source { of: &["l.category"], ..PIECES };
const PRODUCTS: Source = Source {
    select: "SELECT COUNT(DISTINCT COALESCE(l.sku, l.name)) FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.customer_id = c.id AND o.status = 'paid'",
    of: &[],
    ..LINES
};
const CATEGORIES: Source = Source {
    select: "SELECT COUNT(DISTINCT l.category) FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE o.customer_id = c.id AND o.status = 'paid'",
    ..PRODUCTS
};
const REFERRALS: Source = Source { select: "SELECT COUNT(*) FROM customers r WHERE r.referred_by = c.external_id", at: "r.created_at", ..ORDERS };
const EMAILS: Source = Source {
    select: "SELECT COUNT(*) FROM email_log e WHERE e.customer_id = c.id AND e.state NOT IN ('failed', 'cancelled')",
    at: "e.at",
    of: &["e.rule"],
    then: "",
};
const EVENTS: Source = Source { select: "SELECT COUNT(*) FROM events e WHERE e.customer_id = c.id", at: "e.at", of: &["e.kind"], then: "" };
const ANSWERS: Source =
    Source { select: "SELECT COUNT(*) FROM events e WHERE e.customer_id = c.id AND e.kind IN ('nps', 'csat') AND e.value IS NOT NULL", ..EVENTS };
const LATEST: Source = Source { select: "SELECT MAX(e.at) FROM events e WHERE e.customer_id = c.id", ..EVENTS };
const NPS: Source = Source {
    select: "SELECT CAST(e.value AS BIGINT) FROM events e WHERE e.customer_id = c.id AND e.kind = 'nps' AND e.value IS NOT NULL",
    then: " ORDER BY e.at DESC, e.id DESC LIMIT 1",
    ..EVENTS
};
const CSAT: Source =
    Source { select: "SELECT CAST(e.value AS BIGINT) FROM events e WHERE e.customer_id = c.id AND e.kind = 'csat' AND e.value IS NOT NULL", ..NPS };

impl Expression {
    /// How the database says a fact, and the power of ten that its whole number is larger by.
    pub(super) fn of(reading: &Reading, moment: &Moment) -> Option<(Self, u32)> {
        if let Some(stored) = reading.fact.about().stored {
            return Some((Self::stored(reading.fact)?, stored.scale));
        }
        let was = match reading.fact {
            Fact::AbcWas => Some(Tracked::Abc),
            Fact::RWas => Some(Tracked::R),
            Fact::FWas => Some(Tracked::F),
            Fact::MWas => Some(Tracked::M),
            Fact::ChurnWas => Some(Tracked::Churn),
            _ => None,
        };
        if let Some(score) = was {
            return Some((Self::Was(score, moment.window(reading.days?)), 0));
        }
        let (source, scale) = match reading.fact {
            Fact::OrdersIn => (&ORDERS, 0),
            Fact::RevenueIn => (&REVENUE, 2),
            Fact::Bought => (&LINES, 0),
            Fact::BoughtCategory => (&CATEGORY_LINES, 0),
            Fact::Pieces => (&PIECES, 0),
            Fact::PiecesOfCategory => (&CATEGORY_PIECES, 0),
            Fact::DifferentProducts => (&PRODUCTS, 0),
            Fact::DifferentCategories => (&CATEGORIES, 0),
            Fact::Referrals => (&REFERRALS, 0),
            Fact::EmailsIn | Fact::EmailsOf => (&EMAILS, 0),
            Fact::AnswersIn => (&ANSWERS, 0),
            Fact::EventsOf => (&EVENTS, 0),
            // The moment, not the days since then: see `events`.
            Fact::DaysSince => (&LATEST, 0),
            Fact::Nps | Fact::NpsClass => (&NPS, 0),
            Fact::Csat => (&CSAT, 0),
            _ => return None,
        };
        // PostgreSQL has no such text.
        if reading.of.as_deref().is_some_and(|of| of.contains('\0')) {
            return None;
        }
        let since = reading.days.map(|days| moment.window(days).0);
        // Kinds of events are stored in lower case.
        let of = reading.of.as_ref().map(|of| if source.of == EVENTS.of { of.to_ascii_lowercase().into() } else { Arc::clone(of) });
        let text = match (reading.fact, &reading.of) {
            (Fact::DaysSince, Some(kind)) => format!("latest({kind:?})"),
            (Fact::NpsClass, _) => Fact::Nps.about().name.to_owned(),
            _ => reading.to_string(),
        };
        Some((Self::Figure(Figure { source, of, since, now: moment.now.0, text }), scale))
    }

    /// An own score as values of this kind are stored (and the power of ten that a whole number is larger by), or of any kind: whether it is there.
    pub(super) fn own(reading: &Reading, literal: Option<&Literal>) -> Option<(Self, u32)> {
        // PostgreSQL has no such text.
        let name = reading.of.as_ref().filter(|name| reading.fact == Fact::Score && !name.contains('\0'))?;
        let (column, scale) = match literal {
            None => ("customer_id", 0),
            Some(Literal::Number(_)) => ("number_e6", own_score::DECIMALS),
            Some(Literal::Flag(_)) => ("flag", 0),
            Some(Literal::Text(_)) => ("words", 0),
        };
        Some((Self::Own(Arc::clone(name), column), scale))
    }

    /// The column that a fact is read from.
    pub(super) fn stored(fact: Fact) -> Option<Self> {
        let or_zero = fact.about().stored.is_some_and(|stored| stored.or_zero);
        match fact.about().source {
            fact::Source::Customer(column) => Some(Self::Customer(column)),
            fact::Source::Score(column) if or_zero => Some(Self::ScoreOrZero(column)),
            fact::Source::Score(column) => Some(Self::Score(column)),
            _ => None,
        }
    }

    /// Whether it is NULL for whoever has no scores.
    pub(super) fn is_score(&self) -> bool {
        matches!(self, Self::Score(_))
    }

    /// Whether it is the days since the last order.
    pub(super) fn is_recency(&self) -> bool {
        matches!(self, Self::Score("recency_days"))
    }

    /// Which of the tables `c` and `s` it reads.
    pub(super) fn tables(&self) -> Tables {
        let scores = matches!(self, Self::Score(_) | Self::ScoreOrZero(_));
        Tables { customers: !scores, scores }
    }

    pub(super) fn push<DB: Database>(&self, query: &mut QueryBuilder<DB>)
    where
        i64: for<'q> Encode<'q, DB> + Type<DB>,
        String: for<'q> Encode<'q, DB> + Type<DB>,
    {
        match self {
            Self::Figure(figure) => figure.push(query),
            Self::Own(name, column) => {
                query.push("(SELECT o.").push(*column).push(" FROM own_scores o WHERE o.customer_id = c.id AND o.name = ");
                query.push_bind(name.to_string()).push(")");
            }
            Self::Was(score, before) => push_was(query, *score, *before),
            column => drop(query.push(column)),
        }
    }
}

impl Figure {
    fn push<DB: Database>(&self, query: &mut QueryBuilder<DB>)
    where
        i64: for<'q> Encode<'q, DB> + Type<DB>,
        String: for<'q> Encode<'q, DB> + Type<DB>,
    {
        query.push("(").push(self.source.select).push(" AND ").push(self.source.at).push(" <= ").push_bind(self.now);
        if let Some(since) = self.since {
            query.push(" AND ").push(self.source.at).push(" >= ").push_bind(since);
        }
        if let Some(of) = &self.of {
            for (position, column) in self.source.of.iter().enumerate() {
                query.push(if position == 0 { " AND (" } else { " OR " }).push(*column).push(" = ").push_bind(of.to_string());
            }
            query.push(")");
        }
        query.push(self.source.then).push(")");
    }
}

/// What the first move since then left; without one, the class of now. Not known before the history begins.
fn push_was<DB: Database>(query: &mut QueryBuilder<DB>, score: Tracked, before: UnixMs)
where
    i64: for<'q> Encode<'q, DB> + Type<DB>,
{
    let moves = format!(" FROM crossings x WHERE x.customer_id = k.customer_id AND x.score = '{}' AND x.at >= ", score.code());
    query.push("(SELECT CASE WHEN EXISTS (SELECT 1").push(&moves).push_bind(before.0);
    query.push(") THEN (SELECT x.was").push(&moves).push_bind(before.0).push(" ORDER BY x.at LIMIT 1) ELSE k.").push(score.code());
    query.push(" END FROM classes k CROSS JOIN class_histories h WHERE k.customer_id = c.id AND h.begins_at < ").push_bind(before.0).push(")");
}

/// As SQL says it; a figure, which would be long, as the rule says it.
impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Customer(column) => write!(f, "c.{column}"),
            Self::Score(column) => write!(f, "s.{column}"),
            Self::ScoreOrZero(column) => write!(f, "COALESCE(s.{column}, 0)"),
            Self::BirthdayInYear => f.write_str("substr(c.birthday, 6, 5)"),
            Self::Figure(figure) => f.write_str(&figure.text),
            Self::Own(name, "customer_id") => write!(f, "{}({name:?})", Fact::Score.about().name),
            Self::Own(name, column) => write!(f, "{}({name:?}).{column}", Fact::Score.about().name),
            Self::Was(score, before) => write!(f, "{}_before({before})", score.code()),
        }
    }
}
