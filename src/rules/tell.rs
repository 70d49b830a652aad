//! Answers clauses from a customer's facts, without the interpreter: the same answers, many times faster.

use rhai::Dynamic;
use rust_decimal::Decimal;

use super::registry::View;
use crate::model::fact::{Fact, Reading, Source};
use crate::model::predicate::{Clause, Leaf, Literal, Operator, Whole};

/// A clause that is a comparison of two whole numbers: most are, and they are asked of everybody.
pub(super) struct Quick(Fact, Whole);

impl Quick {
    pub(super) fn of(leaf: &Leaf) -> Option<Self> {
        let Clause::Compare { fact: Reading { fact, .. }, default: None, operator, literal: Literal::Number(number) } = &leaf.clause else {
            return None;
        };
        let about = fact.about();
        let scale = about.stored.filter(|_| matches!(about.source, Source::Score(_)))?.scale;
        Some(Self(*fact, Whole::of(*operator, number, scale)?))
    }

    fn tell(&self, view: &View<'_>) -> Option<bool> {
        let Self(fact, whole) = self;
        let known = view.facts.stated.is_none() && view.facts.read.has(*fact);
        known.then(|| view.figure(*fact).is_some_and(|figure| whole.holds(figure)))
    }
}

/// The answer; `None` when only the interpreter can tell.
pub(super) fn tell_quickly(leaf: &Leaf, quick: Option<&Quick>, view: &View<'_>) -> Option<bool> {
    quick.and_then(|quick| quick.tell(view)).or_else(|| tell(leaf, view))
}

/// The answer; `None` when only the interpreter can tell.
pub(super) fn tell(leaf: &Leaf, view: &View<'_>) -> Option<bool> {
    // What fails is the interpreter's to tell.
    let value = |fact: &Reading| view.value(fact).ok();
    match &leaf.clause {
        Clause::Constant(answer) => Some(*answer),
        Clause::Flag(fact) => value(fact)?.as_bool().ok(),
        Clause::Has(fact) => Some(!value(fact)?.is_unit()),
        Clause::Tagged(tag) => Some(view.facts.customer.tags.contains(tag)),
        Clause::OneOf { fact, list } => {
            let value = value(fact)?;
            list.iter().try_fold(false, |found, literal| Some(found || compare(&value, Operator::Equal, literal)?))
        }
        Clause::Compare { fact, default, operator, literal } => {
            let value = value(fact)?;
            match default {
                Some(default) if value.is_unit() => Some(operator.holds(default.order(literal)?)),
                _ => compare(&value, *operator, literal),
            }
        }
        Clause::Script => None,
    }
}

/// A comparison with a missing value is not true.
fn compare(value: &Dynamic, operator: Operator, literal: &Literal) -> Option<bool> {
    if value.is_unit() {
        return Some(false);
    }
    let order = match literal {
        Literal::Number(number) => match value.as_int() {
            Ok(whole) => Decimal::from(whole).cmp(number),
            Err(_) => value.as_decimal().ok()?.cmp(number),
        },
        Literal::Text(text) => (**value.as_immutable_string_ref().ok()?).cmp(text.as_str()),
        Literal::Flag(flag) => value.as_bool().ok()?.cmp(flag),
    };
    Some(operator.holds(order))
}
