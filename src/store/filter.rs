//! A rule's condition as far as the database can tell it: only customers for whom it may be true (or fail) are read. The interpreter or the clauses decide.

use std::fmt;

use rust_decimal::Decimal;
use sqlx::{Database, Encode, QueryBuilder, Type};

use self::expression::Expression;
pub(super) use self::expression::Tables;
use self::sql::{Sql, Value, all, any, constant, not};
use crate::model::fact::{Fact, Kind, Reading};
use crate::model::facts::Moment;
use crate::model::predicate::{Clause, Leaf, Literal, Operator, Predicate, Whole};

mod calendar;
mod expression;
mod otherwise;
mod sql;

/// Most clauses in one filter: SQLite takes no expression deeper than 1,000, and a chain is as deep as it is long. What is longer is not narrowed down.
const MOST_CLAUSES: usize = 500;

/// Longest text in bytes that is looked for: SQLite takes no pattern longer than 50,000.
const LONGEST_TEXT: usize = 10_000;

/// A necessary condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter(Sql);

/// Where a condition can be true, and where it can be false; where it can fail is in both.
struct Pair {
    yes: Sql,
    no: Sql,
    fails: bool,
}

impl Filter {
    /// What a condition narrows the customers down to at a moment; `None` when nothing.
    #[must_use]
    pub fn of(predicate: &Predicate, moment: &Moment) -> Option<Self> {
        let yes = pair(predicate, moment).yes;
        (yes != Sql::Always && yes.clauses() <= MOST_CLAUSES).then(|| Self(yes.with_lately()))
    }

    /// Whether it lets nobody pass who has no scores.
    pub(super) fn asks_for_scores(&self) -> bool {
        self.0.asks_for_scores()
    }

    /// Which of the tables `c` (customers) and `s` (scores) it reads.
    pub(super) fn tables(&self) -> Tables {
        self.0.tables()
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

fn pair(predicate: &Predicate, moment: &Moment) -> Pair {
    let pairs = |parts: &[Predicate]| -> Vec<Pair> { parts.iter().map(|part| pair(part, moment)).collect() };
    match predicate {
        Predicate::Not(part) => pair(part, moment).turned(),
        Predicate::All(parts) => conjunction(pairs(parts)),
        // a || b is !(!a && !b).
        Predicate::Any(parts) => conjunction(pairs(parts).into_iter().map(Pair::turned).collect()).turned(),
        Predicate::Leaf(leaf) => clause(leaf, moment),
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

fn clause(leaf: &Leaf, moment: &Moment) -> Pair {
    let unknown = Pair { yes: Sql::Always, no: Sql::Always, fails: fails(leaf) };
    if unknown.fails {
        return unknown;
    }
    match (exact(&leaf.clause, moment), necessary(&leaf.clause)) {
        (Some(exact), _) => Pair { no: not(exact.clone()), yes: exact, fails: false },
        (None, Some(yes)) => Pair { yes, ..unknown },
        (None, None) => unknown,
    }
}

/// Whether a clause may fail for somebody.
fn fails(leaf: &Leaf) -> bool {
    match &leaf.clause {
        Clause::Script => true,
        // Its day may be none.
        Clause::Compare { fact, .. } | Clause::OneOf { fact, .. } | Clause::Has(fact) | Clause::Flag(fact) => fact.fact == Fact::DaysUntil,
        Clause::Tagged(_) | Clause::Constant(_) => false,
    }
}

/// A clause that the database can tell exactly.
fn exact(clause: &Clause, moment: &Moment) -> Option<Sql> {
    match clause {
        Clause::Constant(answer) => Some(constant(*answer)),
        Clause::Has(fact) => known(fact, moment),
        Clause::Flag(fact) => flag(fact, true, moment),
        Clause::OneOf { fact, list } => {
            Some(any(list.iter().map(|literal| compare(fact, Operator::Equal, literal, moment)).collect::<Option<Vec<Sql>>>()?))
        }
        Clause::Compare { fact, default, operator, literal } => {
            let present = compare(fact, *operator, literal, moment)?;
            match default {
                None => Some(present),
                // The default answers for those without a value.
                Some(default) => {
                    let missing = not(known(fact, moment)?);
                    Some(if operator.holds(default.order(literal)?) { any(vec![present, missing]) } else { present })
                }
            }
        }
        Clause::Tagged(_) | Clause::Script => None,
    }
}

/// What holds wherever a clause does that the database cannot tell exactly.
fn necessary(clause: &Clause) -> Option<Sql> {
    match clause {
        // The address may be one that is not read as such any more.
        Clause::Flag(fact) if fact.fact == Fact::HasEmail => Some(Sql::Known(Expression::stored(fact.fact)?)),
        Clause::Tagged(tag) => listed(Fact::Tags, &json(tag)),
        // Whoever has none of that name is out, and for a text whoever has another one.
        Clause::Compare { fact, default: None, operator: Operator::Equal, literal: Literal::Text(text) } if fact.fact == Fact::Attr => {
            attribute(fact, Some(text))
        }
        Clause::Compare { fact, default: None, .. } | Clause::Has(fact) | Clause::OneOf { fact, .. }
            if matches!(fact.fact, Fact::Attr | Fact::ShareOfWallet) =>
        {
            attribute(fact, None)
        }
        _ => None,
    }
}

/// An attribute in the customer's JSON object; serde writes it in one way only.
fn attribute(fact: &Reading, text: Option<&str>) -> Option<Sql> {
    let name = json(fact.of.as_deref()?);
    let value = text.map_or_else(String::new, json);
    listed(Fact::Attr, &format!("{name}:{value}"))
}

/// A text in JSON's quotes.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text in a column of JSON; PostgreSQL has no zero byte in texts.
fn listed(fact: Fact, text: &str) -> Option<Sql> {
    let column = Expression::stored(fact).filter(|_| text.len() <= LONGEST_TEXT && !text.contains("\\u0000"))?;
    Some(Sql::Holds(column, text.to_owned()))
}

/// Where a fact is not missing.
fn known(fact: &Reading, moment: &Moment) -> Option<Sql> {
    if let Some(known) = calendar::known(fact.fact) {
        return Some(known);
    }
    Some(Sql::Known(Expression::own(fact, None).or_else(|| Expression::of(fact, moment))?.0))
}

/// Where a flag has this value.
fn flag(fact: &Reading, value: bool, moment: &Moment) -> Option<Sql> {
    if let Some(told) = calendar::compare(fact.fact, moment, |told| told == i64::from(value)) {
        return Some(told);
    }
    let of = Expression::of(fact, moment).filter(|_| fact.fact.about().kind == Kind::Flag);
    let (expression, _) = Expression::own(fact, Some(&Literal::Flag(value))).or(of)?;
    Some(Sql::Compare(expression, if value { " > " } else { " = " }, Value::Whole(0)))
}

/// A comparison that is false where the fact is missing.
fn compare(fact: &Reading, operator: Operator, literal: &Literal, moment: &Moment) -> Option<Sql> {
    if let Literal::Flag(value) = literal {
        return match operator {
            Operator::Equal => flag(fact, *value, moment),
            Operator::NotEqual => flag(fact, !*value, moment),
            _ => None,
        };
    }
    if let Literal::Number(number) = literal
        && let Some(told) = calendar::compare(fact.fact, moment, |told| operator.holds(Decimal::from(told).cmp(number)))
    {
        return Some(told);
    }
    let (expression, scale) = Expression::own(fact, Some(literal)).or_else(|| Expression::of(fact, moment))?;
    match literal {
        Literal::Number(number) if fact.fact == Fact::DaysSince => otherwise::since(&expression, operator, number, moment),
        Literal::Text(text) => match otherwise::words(fact.fact) {
            Some(words) => Some(otherwise::named(&expression, &words, |word| operator.holds(word.cmp(text)))),
            // PostgreSQL has no such text.
            None if text.contains('\0') => None,
            None => Some(Sql::Compare(expression, sign(operator), Value::Text(text.clone()))),
        },
        Literal::Flag(_) => None,
        Literal::Number(number) => Some(match Whole::of(operator, number, scale)? {
            Whole::Never => Sql::Never,
            Whole::Always => Sql::Known(expression),
            Whole::Is(operator, number) => Sql::Compare(expression, sign(operator), Value::Whole(number)),
        }),
    }
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
