//! Facts about events that the database holds in another form: days since one as its moment, a class as the answers that make it.

use rust_decimal::Decimal;

use super::expression::Expression;
use super::sql::{Sql, Value, all, any, not};
use crate::model::event::NpsClass;
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

/// Where the class of the answer that `answer` gives is one that `holds`.
pub(super) fn class(answer: &Expression, holds: impl Fn(&str) -> bool) -> Sql {
    let classes = NpsClass::ALL.into_iter().filter(|class| holds(class.code()));
    any(classes.map(|class| Sql::Between(answer.clone(), class.answers().0.into(), class.answers().1.into())).collect())
}
