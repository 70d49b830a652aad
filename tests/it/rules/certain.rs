//! What the check claims of a condition is so: random conditions about random customers.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use stammgast::model::facts::Facts;
use stammgast::rules::{Evaluation, Kept, RuleSet};

use super::example::{load, regular, today, with_condition};
use super::short_cut::{condition, customer};

/// A customer as there can be one: within the ranges that the scoring keeps.
fn person() -> impl Strategy<Value = Facts> {
    (customer(), (1_i64..=5, 1_i64..=5, 1_i64..=100, 1_i64..=90, 0_i64..400), prop::option::of(0_i32..120)).prop_map(
        |(mut facts, (f, m, top, rank, tenure), born)| {
            if let Some(score) = &mut facts.score {
                (score.f, score.m, score.top_percent, score.revenue_rank, score.tenure_days) = (f, m, top, rank, tenure);
                score.recency_days = score.recency_days.max(0);
                score.rfm = score.r * 100 + f * 10 + m;
                score.rfm_weighted_e4 = score.rfm_weighted_e4.min(50_000);
            }
            if let Some(years) = born {
                facts.customer.birthday = chrono::NaiveDate::from_ymd_opt(2026 - years, 1 + years.unsigned_abs() % 12, 1 + years.unsigned_abs() % 28);
            }
            facts
        },
    )
}

/// A comparison near the ends of a field's range, where most is certain.
fn near() -> impl Strategy<Value = String> {
    let fields = &[
        ("r", 1, 5),
        ("m", 1, 5),
        ("rfm", 111, 555),
        ("top_percent", 1, 100),
        ("orders", 0, 4),
        ("recency_days", 0, 80),
        ("age", 0, 115),
        ("rfm_weighted", 1, 5),
    ][..];
    let number = (
        prop::sample::select(fields),
        prop::bool::ANY,
        -1_i64..=1,
        prop::sample::select(&["", ".5"][..]),
        prop::sample::select(&["==", "!=", "<", "<=", ">", ">="][..]),
    );
    let number = number.prop_map(|((field, from, to), low, off, half, operator)| {
        let end = if low { from } else { to } + off;
        // Negative halves would be another number than is meant.
        let half = if end < 0 { "" } else { half };
        format!("c.{field} {operator} {end}{half}")
    });
    let text = prop::sample::select(
        &[
            "c.abc == \"D\"",
            "c.abc != \"D\"",
            "c.abc in [\"A\", \"B\", \"C\"]",
            "c.abc < \"A\"",
            "c.abc >= \"A\"",
            "c.locale == \"fr\"",
            "c.abc == \"A\"",
            "c.abc == \"B\"",
            "c.has_email",
            "c.tags.contains(\"vip\")",
            "c.has(\"abc\")",
        ][..],
    );
    prop_oneof![3 => number, 1 => text.prop_map(str::to_owned)]
}

fn mixed() -> impl Strategy<Value = String> {
    prop_oneof![2 => near(), 1 => condition()].prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" && "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" || "))),
            inner.prop_map(|part| format!("!({part})")),
        ]
    })
}

fn answers(set: &RuleSet, people: &[Facts]) -> Vec<Option<bool>> {
    let told = |evaluation| match evaluation {
        Evaluation::Match { .. } => Some(true),
        Evaluation::NoMatch => Some(false),
        Evaluation::Failed(_) => None,
    };
    set.rules()[0].interpret(people, today()).into_iter().map(told).collect()
}

#[test]
fn what_is_claimed_of_a_condition_is_so_for_every_customer() {
    let mut runner = TestRunner::deterministic();
    let people: Vec<Facts> = (0..60).map(|_| person().new_tree(&mut runner).unwrap().current()).chain([regular()]).collect();
    // The same clauses come again and again.
    let mut known = std::collections::HashMap::<String, Vec<Option<bool>>>::new();
    let mut of = |text: &str| -> Vec<Option<bool>> {
        let fresh = || answers(&load(&with_condition(&format!("|c| {text}"))).unwrap_or_else(|faults| panic!("{text}: {faults:?}")), &people);
        known.entry(text.to_owned()).or_insert_with(fresh).clone()
    };
    let mut claims = std::collections::BTreeMap::<&str, usize>::new();
    for _ in 0..600 {
        let text = mixed().new_tree(&mut runner).unwrap().current();
        let Ok(set) = load(&with_condition(&format!("|c| {text}"))) else { continue };
        let whole = answers(&set, &people);
        for warning in set.warnings(&Kept { buckets: 5, history_days: 800, ..Kept::MOST }).iter().map(|warning| warning.message.as_str()) {
            let quoted: Vec<&str> = warning.split('\'').skip(1).step_by(2).collect();
            let mut claim = |name: &'static str, holds: bool| {
                assert!(holds, "{text}\n{warning}");
                *claims.entry(name).or_default() += 1;
            };
            if warning.contains("writes to everybody") {
                claim("everybody", whole.iter().all(|answer| *answer == Some(true)));
            }
            if warning.contains("writes to nobody") {
                claim("nobody", whole.iter().all(|answer| *answer != Some(true)));
            }
            if warning.contains("is never true") && !quoted.is_empty() {
                claim("never", of(quoted[0]).iter().all(|answer| *answer == Some(false)));
            } else if warning.contains("is always true") && !quoted.is_empty() {
                claim("always", of(quoted[0]).iter().all(|answer| *answer == Some(true)));
            } else if warning.contains("is true whenever there is a value") {
                let has = of(warning.split_once("say ").unwrap().1);
                claim("whenever", of(quoted[0]) == has);
            } else if warning.contains("are never both true") {
                claim("both", of(quoted[0]).iter().zip(of(quoted[1])).all(|(one, other)| *one != Some(true) || other != Some(true)));
            } else if warning.contains("says nothing new beside") {
                let (this, that) = (of(quoted[0]), of(quoted[1]));
                let implied = |one: &[Option<bool>], other: &[Option<bool>]| {
                    one.iter().zip(other).all(|(one, other)| *one != Some(true) || *other == Some(true))
                };
                claim("superfluous", implied(&this, &that) || implied(&that, &this));
            }
        }
    }
    assert!(claims.len() == 7 && claims.values().all(|times| *times > 5), "{claims:?}");
}

#[test]
fn a_condition_that_is_nested_beyond_measure_is_given_up_and_not_claimed_anything_of() {
    let nested = |levels: i32| {
        let text = (0..levels).fold("c.orders > 5 && c.orders < 3".to_owned(), |text, level| {
            format!("!({text} && c.tenure_days != {level} || c.revenue_rank == {level} + 1 || c.recency_days == {level})")
        });
        let set = load(&with_condition(&format!("|c| {text}"))).unwrap();
        set.warnings(&Kept { buckets: 5, history_days: 800, ..Kept::MOST }).iter().any(|warning| warning.message.contains("never both"))
    };
    assert!(nested(2) && !nested(20));
}
