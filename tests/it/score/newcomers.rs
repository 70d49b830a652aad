//! Newcomers are classed among their like.

use stammgast::base::money::Cents;
use stammgast::model::score::{Abc, AbcBy, OrderFacts, Score, ScoreRules};
use stammgast::score::{Models, Scored, Wanted, compute, place};

use super::{AS_OF, customer, default_rules, utc};

fn rules(newcomer_days: i64) -> ScoreRules {
    ScoreRules { newcomer_days, ..default_rules() }
}

fn scored(facts: &[OrderFacts], rules: &ScoreRules) -> Scored {
    compute(facts, AS_OF, utc(), rules, Wanted { lifetime: Models::Nothing, ..Wanted::ALL })
}

/// Fifty who have been there for three years, forty who came ten to 29 days ago, 29 who came after 30 to 58 days; nobody pays as much as another.
fn shop() -> Vec<OrderFacts> {
    let old = (1..=50).map(|id| customer(id, 1_000 + id, 30, 90_000 + id * 997));
    let new = (101..=140).map(|id| customer(id, 10 + id % 20, 1, (id - 100) * (id - 100) * 11));
    let few = (201..=229).map(|id| customer(id, 30 + id - 201, 1, id * 7));
    old.chain(new).chain(few).collect()
}

fn of(scores: &[Score], ids: std::ops::RangeInclusive<i64>) -> Vec<Option<Abc>> {
    scores.iter().filter(|score| ids.contains(&score.customer_id.0)).map(|score| score.abc_adjusted).collect()
}

#[test]
fn newcomers_have_the_classes_of_a_shop_of_newcomers_of_their_age() {
    let facts = shop();
    let all = scored(&facts, &rules(365)).scores;
    assert!(all.iter().filter(|score| score.customer_id.0 > 100).all(|score| score.abc == Abc::C), "in a plain analysis nobody new is more than C");
    let alone = scored(&facts[50..90], &default_rules()).scores;
    assert_eq!(of(&all, 101..=140), alone.iter().map(|score| Some(score.abc)).collect::<Vec<_>>());
    assert!([Abc::A, Abc::B, Abc::C].iter().all(|class| of(&all, 101..=140).contains(&Some(*class))));
    assert_eq!(of(&all, 201..=229), vec![None; 29], "29 are too few");
    let plain: Vec<_> = all.iter().filter(|score| score.customer_id.0 <= 50).map(|score| Some(score.abc)).collect();
    assert_eq!(of(&all, 1..=50), plain);
    // What the other figures are does not depend on it.
    let without = scored(&facts, &default_rules()).scores;
    assert!(of(&without, 1..=229).iter().all(Option::is_none));
    assert!(all.iter().zip(&without).all(|(with, without)| Score { abc_adjusted: None, ..*with } == *without));
}

#[test]
fn somebody_is_a_newcomer_until_the_day_that_is_configured() {
    let facts: Vec<OrderFacts> = (1..=30).map(|id| customer(id, 29, 1, id * 100)).collect();
    let plain: Vec<_> = scored(&facts, &default_rules()).scores.iter().map(|score| Some(score.abc)).collect();
    for newcomer_days in [29, 30] {
        assert_eq!(of(&scored(&facts, &rules(newcomer_days)).scores, 1..=30), plain, "{newcomer_days}");
    }
    assert_eq!(of(&scored(&facts[1..], &rules(30)).scores, 1..=30), vec![None; 29]);
    assert!(of(&scored(&facts[1..], &rules(29)).scores, 1..=30).iter().all(Option::is_some));
    let of_two_months: Vec<OrderFacts> = (1..=30).map(|id| customer(id, if id > 15 { 44 } else { 29 }, 1, id * 100)).collect();
    assert_eq!(of(&scored(&of_two_months, &rules(45)).scores, 1..=30), plain, "half a month that is left over belongs to the last one");
    assert_eq!(of(&scored(&of_two_months, &rules(60)).scores, 1..=30), vec![None; 30], "two months are two");
    let nothing: Vec<OrderFacts> = facts.iter().map(|facts| OrderFacts { revenue: Cents(0), ..*facts }).collect();
    assert_eq!(of(&scored(&nothing, &rules(30)).scores, 1..=30), vec![Some(Abc::C); 30], "who paid nothing");
}

#[test]
fn a_customer_who_is_placed_between_two_runs_is_placed_among_their_like() {
    for abc_by in [AbcBy::Revenue, AbcBy::Margin] {
        let rules = ScoreRules { abc_by, ..rules(365) };
        let facts: Vec<OrderFacts> = shop().into_iter().map(|facts| OrderFacts { margin: Cents(facts.revenue.0 / 3), ..facts }).collect();
        let run = scored(&facts, &rules);
        for (facts, score) in facts.iter().zip(&run.scores) {
            assert_eq!(place(facts, AS_OF, utc(), &rules, &run.borders).abc_adjusted, score.abc_adjusted, "{facts:?}");
        }
        let first_ever = OrderFacts { margin: Cents(5_000 / 3), ..customer(999, 0, 1, 5_000) };
        assert_eq!(place(&first_ever, AS_OF, utc(), &rules, &run.borders).abc_adjusted, Some(Abc::B), "by the borders of those who came before");
    }
}
