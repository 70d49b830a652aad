//! Facts that the database holds in another form: days since an event as its moment, a class as numbers.

use rust_decimal::Decimal;

use super::expression::Expression;
use super::sql::{Sql, Value, all, any, not};
use crate::model::crossing::Tracked;
use crate::model::event::NpsClass;
use crate::model::fact::Fact;
use crate::model::facts::Moment;
use crate::model::predicate::{Operator, Whole};

/// Where the days since the moment that `at` gives compare so with a number. Nothing happens after now, so there are never fewer than none.
pub(super) fn since(at: &Expression, operator: Operator, number: &Decimal, moment: &Moment) -> Option<Sql> {
    let known = || Sql::Known(at.clone());
    let (operator, days) = match Whole::of(operator, number, 0)? {
        Whole::Never => return Some(Sql::Never),
        Whole::Always => return Some(known()),
        Whole::Is(operator, days) => (operator, days),
    };
    // At most so many days ago.
    let within = |days: i64| match days {
        ..=-1 => Sql::Never,
        _ => Sql::Compare(at.clone(), " >= ", Value::Moment(moment.window(days.saturating_add(1)))),
    };
    let before = |days: i64| all(vec![known(), not(within(days))]);
    let less = days.saturating_sub(1);
    Some(match operator {
        Operator::LessOrEqual => within(days),
        Operator::Less => within(less),
        Operator::Greater => before(days),
        Operator::GreaterOrEqual => before(less),
        Operator::Equal => all(vec![within(days), before(less)]),
        Operator::NotEqual => any(vec![within(less), before(days)]),
    })
}

/// The words of a fact that is stored as a number, each with the numbers that it stands for; `None` for other facts.
pub(super) fn words(fact: Fact) -> Option<Vec<(&'static str, i64, i64)>> {
    let classes = |score: Tracked| score.words().map(|words| (1..).zip(words).map(|(class, word)| (word, class, class)).collect());
    match fact {
        Fact::NpsClass => Some(NpsClass::ALL.map(|class| (class.code(), class.answers().0.into(), class.answers().1.into())).into()),
        Fact::AbcWas => classes(Tracked::Abc),
        Fact::ChurnWas => classes(Tracked::Churn),
        _ => None,
    }
}

/// Where a number stands for a word that `holds`.
pub(super) fn named(number: &Expression, words: &[(&'static str, i64, i64)], holds: impl Fn(&str) -> bool) -> Sql {
    let chosen = words.iter().filter(|(word, ..)| holds(word));
    any(chosen.map(|(_, from, to)| Sql::Between(number.clone(), *from, *to)).collect())
}
