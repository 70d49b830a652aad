//! A rule's condition as far as it can be told without running its script: a tree of clauses.

use std::cmp::Ordering;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;

use super::fact::Reading;

/// A condition. Clauses are asked from left to right, and no further than needed.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// `a && b && …`
    All(Vec<Predicate>),
    /// `a || b || …`
    Any(Vec<Predicate>),
    /// `!a`
    Not(Box<Predicate>),
    /// One clause.
    Leaf(Leaf),
}

/// A clause, and how the rule's text says it.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    /// What is asked.
    pub clause: Clause,
    /// The words of the rule's text.
    pub text: String,
    /// Its place among the condition's leaves, from 0.
    pub number: usize,
    /// What it reads, in the registry's order.
    pub reads: Vec<Reading>,
}

/// What a clause asks.
#[derive(Clone, Debug, PartialEq)]
pub enum Clause {
    /// `c.field > literal`, or `(c.field ?? default) > literal`.
    Compare {
        /// The fact.
        fact: Reading,
        /// What counts when it is missing.
        default: Option<Literal>,
        /// How.
        operator: Operator,
        /// With what.
        literal: Literal,
    },
    /// `c.field in ["A", "B"]`
    OneOf {
        /// The fact.
        fact: Reading,
        /// The list.
        list: Vec<Literal>,
    },
    /// `c.has("field")`; `c.field != ()`
    Has(Reading),
    /// `c.flag`
    Flag(Reading),
    /// `c.tags.contains("vip")`
    Tagged(String),
    /// `true`, `false`
    Constant(bool),
    /// Only the interpreter can tell.
    Script,
}

/// Comparisons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Operator {
    /// Reads the sign.
    #[must_use]
    pub fn parse(sign: &str) -> Option<Self> {
        Some(match sign {
            "==" => Self::Equal,
            "!=" => Self::NotEqual,
            "<" => Self::Less,
            "<=" => Self::LessOrEqual,
            ">" => Self::Greater,
            ">=" => Self::GreaterOrEqual,
            _ => return None,
        })
    }

    /// The same question with the sides exchanged.
    #[must_use]
    pub fn flipped(self) -> Self {
        match self {
            Self::Equal | Self::NotEqual => self,
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }

    /// Whether it holds for sides in that order.
    #[must_use]
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

/// A comparison of whole numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// No whole number is so.
    Never,
    /// Every whole number is.
    Always,
    /// Those that compare so with this one.
    Is(Operator, i64),
}

impl Whole {
    /// What a comparison with `number` asks of whole numbers that are larger by a power of ten; `None` when the number is too large.
    #[must_use]
    pub fn of(operator: Operator, number: &Decimal, scale: u32) -> Option<Self> {
        let number = number.checked_mul(Decimal::from(10_i64.checked_pow(scale)?))?;
        let (floor, ceiling) = (number.floor().to_i64()?, number.ceil().to_i64()?);
        Some(match operator {
            Operator::Equal if floor != ceiling => Self::Never,
            Operator::NotEqual if floor != ceiling => Self::Always,
            Operator::Greater | Operator::LessOrEqual | Operator::Equal | Operator::NotEqual => Self::Is(operator, floor),
            Operator::GreaterOrEqual | Operator::Less => Self::Is(operator, ceiling),
        })
    }

    /// Whether it holds for a number.
    #[must_use]
    pub fn holds(self, number: i64) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Is(operator, other) => operator.holds(number.cmp(&other)),
        }
    }
}

/// A value that a rule's text gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A number, exact.
    Number(Decimal),
    /// A text.
    Text(String),
    /// `true` or `false`.
    Flag(bool),
}

impl Literal {
    /// How it compares; `None` for values of different kinds.
    #[must_use]
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => Some(one.cmp(other)),
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            (Self::Flag(one), Self::Flag(other)) => Some(one.cmp(other)),
            _ => None,
        }
    }
}

impl Predicate {
    /// The leaves, from left to right.
    #[must_use]
    pub fn leaves(&self) -> Vec<&Leaf> {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::leaves).collect(),
            Self::Not(part) => part.leaves(),
            Self::Leaf(leaf) => vec![leaf],
        }
    }

    /// The answer, when `tell` answers clauses; `None`: from some point on only the interpreter can tell. It asks in the interpreter's order, so that a
    /// clause that fails is not passed over.
    pub fn ask(&self, tell: &mut impl FnMut(&Leaf) -> Option<bool>) -> Option<bool> {
        let (parts, ends) = match self {
            Self::All(parts) => (parts, false),
            Self::Any(parts) => (parts, true),
            Self::Not(part) => return part.ask(tell).map(|answer| !answer),
            Self::Leaf(leaf) => return tell(leaf),
        };
        for part in parts {
            let answer = part.ask(tell)?;
            if answer == ends {
                return Some(ends);
            }
        }
        Some(!ends)
    }
}
