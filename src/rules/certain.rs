//! What can be told of a condition without any customer: clauses that are always or never true, that contradict each other, or that say nothing new.
//!
//! For each field that a condition asks, the values that it can still have are kept, missing or not; assuming that a clause is true (or false) leaves fewer of
//! them. When none is left, that cannot be. Whatever is not understood leaves all values, so that nothing is ever claimed wrongly.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Bound;

use rust_decimal::Decimal;

use super::ranges::{self, Range};
use crate::model::fact::{Fact, Kind, Reading};
use crate::model::predicate::{Clause, Leaf, Literal, Operator, Predicate};

/// Clauses and groups that are looked at before it is given up: nested conditions take exponentially many.
const MAX_LOOKS: u32 = 50_000;
/// Separate ranges of one field that are kept apart.
const MAX_PIECES: usize = 64;

/// What is certain about a condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Certain {
    /// The whole condition.
    Whole(bool),
    /// A clause, by number; with the range of its field.
    Clause { leaf: usize, answer: bool, missing: bool },
    /// Clauses of which one makes the other impossible: the earlier, the later.
    Contradiction(usize, usize),
    /// A clause that another one already says: it, the other.
    Superfluous(usize, usize),
}

/// All that is certain about a condition, in the order of its clauses.
pub(super) fn certain(condition: &Predicate, buckets: i64) -> Vec<Certain> {
    let judge = Judge { buckets, looks: Cell::new(0) };
    let mut found = Vec::new();
    for leaf in condition.leaves() {
        found.extend(judge.clause(leaf));
    }
    judge.groups(condition, &mut found);
    if judge.assume(condition, true, World::default()).is_none() {
        found.push(Certain::Whole(false));
    } else if condition.leaves().iter().all(|leaf| leaf.clause != Clause::Script) && judge.assume(condition, false, World::default()).is_none() {
        found.push(Certain::Whole(true));
    }
    if judge.looks.get() < MAX_LOOKS { found } else { Vec::new() }
}

struct Judge {
    buckets: i64,
    looks: Cell<u32>,
}

/// What each field that was asked can still be; tags each by itself.
type World = BTreeMap<Reading, Values>;

/// Values that a field can have.
#[derive(Clone, Debug, PartialEq)]
struct Values {
    missing: bool,
    kind: Kind,
    pieces: Vec<(Bound<Literal>, Bound<Literal>)>,
}

impl Judge {
    /// What is certain about a clause alone.
    fn clause(&self, leaf: &Leaf) -> Option<Certain> {
        // Whoever writes `true` means it.
        if matches!(leaf.clause, Clause::Script | Clause::Constant(_) | Clause::Has(_)) {
            return None;
        }
        let one = Predicate::Leaf(leaf.clone());
        let certain = |answer, missing| Some(Certain::Clause { leaf: leaf.number, answer, missing });
        if self.assume(&one, true, World::default()).is_none() {
            return certain(false, false);
        }
        let open = self.assume(&one, false, World::default());
        match open.as_ref().map(|world| world.values().collect::<Vec<_>>()) {
            None => certain(true, false),
            Some(values) => match values.as_slice() {
                [only] if only.pieces.is_empty() => certain(true, true),
                _ => None,
            },
        }
    }

    /// Contradictions and clauses that say nothing new, in each group of `&&` and `||`.
    fn groups(&self, node: &Predicate, found: &mut Vec<Certain>) {
        let (parts, all) = match node {
            Predicate::All(parts) => (parts, true),
            Predicate::Any(parts) => (parts, false),
            Predicate::Not(part) => return self.groups(part, found),
            Predicate::Leaf(_) => return,
        };
        for part in parts {
            self.groups(part, found);
        }
        let told = |found: &[Certain], number: usize| found.iter().any(|certain| matches!(certain, Certain::Clause { leaf, .. } if *leaf == number));
        let leaves: Vec<&Leaf> = parts.iter().filter_map(plain).filter(|leaf| !told(found, leaf.number)).collect();
        let mut dropped = Vec::new();
        for (place, later) in leaves.iter().enumerate().rev() {
            for (other, earlier) in leaves.iter().enumerate() {
                if place == other || dropped.contains(&other) {
                    continue;
                }
                let [this, that] = [later, earlier].map(|leaf| Predicate::Leaf((*leaf).clone()));
                // Given the other one, that this one is true (in a row of &&) or false (in a row of ||).
                let given = |want: bool| self.assume(&that, all, World::default()).and_then(|world| self.assume(&this, want, world));
                if all && other < place && given(true).is_none() {
                    found.push(Certain::Contradiction(earlier.number, later.number));
                    dropped.push(place);
                    break;
                }
                // `c.has("age") && c.age > 18` is clearer than the second half alone.
                if given(!all).is_none() && !matches!(later.clause, Clause::Has(_)) {
                    found.push(Certain::Superfluous(later.number, earlier.number));
                    dropped.push(place);
                    break;
                }
            }
        }
    }

    /// What the fields can be when the condition gives `want`, and were as in `world`; `None`: that cannot be.
    fn assume(&self, node: &Predicate, want: bool, world: World) -> Option<World> {
        if self.looks.get() >= MAX_LOOKS {
            return Some(world);
        }
        self.looks.set(self.looks.get() + 1);
        let (parts, each) = match node {
            Predicate::All(parts) => (parts, true),
            Predicate::Any(parts) => (parts, false),
            Predicate::Not(part) => return self.assume(part, !want, world),
            Predicate::Leaf(leaf) => return self.assume_leaf(leaf, want, world),
        };
        if want == each {
            return parts.iter().try_fold(world, |world, part| self.assume(part, want, world));
        }
        // One of them gives `want`, and those before it do not.
        let mut joined: Option<World> = None;
        let mut before = Some(world);
        for part in parts {
            let Some(open) = before else { break };
            if let Some(world) = self.assume(part, want, open.clone()) {
                joined = Some(joined.map_or_else(|| world.clone(), |other| join(other, &world)));
            }
            before = self.assume(part, !want, open);
        }
        joined
    }

    fn assume_leaf(&self, leaf: &Leaf, want: bool, mut world: World) -> Option<World> {
        let key = match &leaf.clause {
            Clause::Constant(answer) => return (*answer == want).then_some(world),
            Clause::Script => return Some(world),
            Clause::Tagged(tag) => Reading { of: Some(tag.as_str().into()), ..Fact::Tags.into() },
            Clause::Compare { fact, .. } | Clause::OneOf { fact, .. } | Clause::Has(fact) | Clause::Flag(fact) => fact.clone(),
        };
        let mut values = world.remove(&key).unwrap_or_else(|| if matches!(leaf.clause, Clause::Tagged(_)) { flag() } else { self.all(key.fact) });
        values.assume(&leaf.clause, want);
        let possible = values.missing || !values.pieces.is_empty();
        world.insert(key, values);
        possible.then_some(world)
    }

    /// All values of a fact.
    fn all(&self, fact: Fact) -> Values {
        let (range, missing) = ranges::range(fact, self.buckets);
        let number = |number: i64| Bound::Included(Literal::Number(number.into()));
        let pieces = match range {
            Range::Any => vec![(Bound::Unbounded, Bound::Unbounded)],
            Range::Whole(from, to) => vec![(number(from), to.map_or(Bound::Unbounded, number))],
            Range::Decimal(from, to) => vec![(number(from), number(to))],
            Range::OneOf(texts) => texts.iter().map(|text| point(Literal::Text((*text).to_owned()))).collect(),
            Range::Flag => flag().pieces,
        };
        Values { missing, kind: fact.about().kind, pieces }
    }
}

/// A clause or its negation.
fn plain(part: &Predicate) -> Option<&Leaf> {
    match part {
        Predicate::Leaf(leaf) if leaf.clause != Clause::Script => Some(leaf),
        _ => None,
    }
}

fn flag() -> Values {
    Values { missing: false, kind: Kind::Flag, pieces: [false, true].map(|flag| point(Literal::Flag(flag))).to_vec() }
}

fn point(literal: Literal) -> (Bound<Literal>, Bound<Literal>) {
    (Bound::Included(literal.clone()), Bound::Included(literal))
}

/// What is possible in one of two worlds. A field that one of them knows nothing about can be anything.
fn join(one: World, other: &World) -> World {
    let both = one.into_iter().filter_map(|(key, mut values)| {
        let more = other.get(&key)?;
        values.missing |= more.missing;
        for piece in &more.pieces {
            if !values.pieces.contains(piece) {
                values.pieces.push(piece.clone());
            }
        }
        (values.pieces.len() <= MAX_PIECES).then_some((key, values))
    });
    both.collect()
}

impl Values {
    /// Keeps the values for which the clause gives `want`.
    fn assume(&mut self, clause: &Clause, want: bool) {
        match clause {
            Clause::Has(_) if want => self.missing = false,
            Clause::Has(_) => self.pieces.clear(),
            Clause::Flag(_) => {
                self.missing &= !want;
                self.keep(Operator::Equal, &Literal::Flag(want));
            }
            Clause::Tagged(_) => self.keep(Operator::Equal, &Literal::Flag(want)),
            Clause::Compare { default, operator, literal, .. } => {
                // A comparison with a missing value is not true.
                let missing = default.as_ref().map_or(Some(false), |default| default.order(literal).map(|order| operator.holds(order)));
                self.missing &= missing.is_none_or(|answer| answer == want);
                self.keep(if want { *operator } else { opposite(*operator) }, literal);
            }
            Clause::OneOf { list, .. } if want => {
                self.missing = false;
                let all = std::mem::take(&mut self.pieces);
                for literal in list {
                    let mut one = Self { missing: false, kind: self.kind, pieces: all.clone() };
                    one.keep(Operator::Equal, literal);
                    self.pieces.append(&mut one.pieces);
                }
            }
            Clause::OneOf { list, .. } => {
                // More holes than pieces are kept apart would be too much work.
                for literal in list.iter().take(MAX_PIECES) {
                    self.keep(Operator::NotEqual, literal);
                }
            }
            Clause::Constant(_) | Clause::Script => {}
        }
    }

    fn keep(&mut self, operator: Operator, literal: &Literal) {
        // A text is neither above 5 nor not above it.
        if self.kind == Kind::Any && operator != Operator::Equal {
            return;
        }
        let halves: &[(Bound<&Literal>, Bound<&Literal>)] = match operator {
            Operator::Equal => &[(Bound::Included(literal), Bound::Included(literal))],
            Operator::NotEqual => &[(Bound::Unbounded, Bound::Excluded(literal)), (Bound::Excluded(literal), Bound::Unbounded)],
            Operator::Less => &[(Bound::Unbounded, Bound::Excluded(literal))],
            Operator::LessOrEqual => &[(Bound::Unbounded, Bound::Included(literal))],
            Operator::Greater => &[(Bound::Excluded(literal), Bound::Unbounded)],
            Operator::GreaterOrEqual => &[(Bound::Included(literal), Bound::Unbounded)],
        };
        let kept = self.pieces.iter().flat_map(|piece| halves.iter().filter_map(|half| self.meet(piece, half)));
        self.pieces = kept.collect();
    }

    /// The values in both ranges, when there are any.
    fn meet(&self, piece: &(Bound<Literal>, Bound<Literal>), half: &(Bound<&Literal>, Bound<&Literal>)) -> Option<(Bound<Literal>, Bound<Literal>)> {
        let low = self.tight(higher(&piece.0, half.0, true), true);
        let high = self.tight(higher(&piece.1, half.1, false), false);
        let empty = match (&low, &high) {
            (Bound::Included(low), Bound::Included(high)) => low.order(high).is_some_and(std::cmp::Ordering::is_gt),
            (Bound::Included(low) | Bound::Excluded(low), Bound::Included(high) | Bound::Excluded(high)) => {
                low.order(high).is_some_and(std::cmp::Ordering::is_ge)
            }
            _ => false,
        };
        (!empty).then_some((low, high))
    }

    /// Between whole numbers there are none.
    fn tight(&self, bound: Bound<Literal>, low: bool) -> Bound<Literal> {
        let (number, excluded) = match &bound {
            Bound::Included(Literal::Number(number)) if self.kind == Kind::Whole => (*number, false),
            Bound::Excluded(Literal::Number(number)) if self.kind == Kind::Whole => (*number, true),
            _ => return bound,
        };
        let nearest = if low { number.ceil() } else { number.floor() };
        let step = if excluded && nearest == number { Decimal::ONE } else { Decimal::ZERO };
        let moved = if low { nearest.checked_add(step) } else { nearest.checked_sub(step) };
        moved.map_or(bound, |number| Bound::Included(Literal::Number(number)))
    }
}

/// The tighter of two ends: of lower ends the higher, of upper ends the lower. Ends that cannot be compared: the first.
fn higher(one: &Bound<Literal>, other: Bound<&Literal>, low: bool) -> Bound<Literal> {
    let (Some(mine), Some(theirs)) = (value(one.as_ref()), value(other)) else {
        return if matches!(one, Bound::Unbounded) { other.cloned() } else { one.clone() };
    };
    let tighter = match mine.order(theirs) {
        Some(order) if order.is_eq() => matches!(other, Bound::Excluded(_)),
        Some(order) => order.is_lt() == low,
        None => false,
    };
    if tighter { other.cloned() } else { one.clone() }
}

fn value(bound: Bound<&Literal>) -> Option<&Literal> {
    match bound {
        Bound::Included(literal) | Bound::Excluded(literal) => Some(literal),
        Bound::Unbounded => None,
    }
}

fn opposite(operator: Operator) -> Operator {
    match operator {
        Operator::Equal => Operator::NotEqual,
        Operator::NotEqual => Operator::Equal,
        Operator::Less => Operator::GreaterOrEqual,
        Operator::LessOrEqual => Operator::Greater,
        Operator::Greater => Operator::LessOrEqual,
        Operator::GreaterOrEqual => Operator::Less,
    }
}
