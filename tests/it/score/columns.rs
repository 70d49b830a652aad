//! A replay makes the columns that its rule names and no others.

use proptest::prelude::*;
use stammgast::model::fact::Fact;
use stammgast::model::facts::Needs;
use stammgast::model::score::{AbcBy, Score, ScoreRules};
use stammgast::score::{Models, Wanted, columns, compute};

use super::{AS_OF, customer, default_rules, utc};

/// What a fact says, as text.
fn said(score: &Score, fact: Fact) -> String {
    match fact {
        Fact::R => score.r.to_string(),
        Fact::F => score.f.to_string(),
        Fact::M => score.m.to_string(),
        Fact::Rfm => score.rfm.to_string(),
        Fact::RfmWeighted => score.rfm_weighted_e4.to_string(),
        Fact::Abc => score.abc.code().to_owned(),
        Fact::AbcAdjusted => format!("{:?}", score.abc_adjusted),
        Fact::RevenueRank => score.revenue_rank.to_string(),
        Fact::TopPercent => score.top_percent.to_string(),
        _ => format!("{:?}", (score.recency_days, score.tenure_days, score.orders, score.revenue, score.average_order_value, score.outlook)),
    }
}

const STANDINGS: [Fact; 9] =
    [Fact::R, Fact::F, Fact::M, Fact::Rfm, Fact::RfmWeighted, Fact::Abc, Fact::AbcAdjusted, Fact::RevenueRank, Fact::TopPercent];

proptest! {
    #[test]
    fn what_is_wanted_does_not_depend_on_what_else_is_wanted(
        people in prop::collection::vec((0i64..400, 1i64..9, -500i64..90_000), 1..120),
        wanted in prop::collection::vec(0usize..9, 0..4),
        by_margin: bool,
        newcomer_days in prop::sample::select(vec![0i64, 90]),
    ) {
        let abc_by = if by_margin { AbcBy::Margin } else { AbcBy::Revenue };
        let rules = ScoreRules { abc_by, newcomer_days, ..default_rules() };
        let mut facts: Vec<_> = (1..).zip(&people).map(|(id, &(days, orders, cents))| customer(id, days, orders, cents)).collect();
        // Newcomers of a replay follow those who were there before, whatever their ids are.
        let middle = facts.len() / 2;
        facts.rotate_left(middle);
        let wanted: Vec<Fact> = wanted.into_iter().map(|place| STANDINGS[place]).collect();
        let all = compute(&facts, AS_OF, utc(), &rules, Wanted { lifetime: Models::Nothing, ..Wanted::ALL });
        let (some, _) = columns(&facts, AS_OF, utc(), &rules, Wanted { standings: Needs::of(wanted.clone()), lifetime: Models::Nothing });
        for (place, score) in all.scores.iter().enumerate() {
            let found = some.score(place).unwrap();
            for fact in wanted.iter().copied().chain([Fact::RecencyDays]) {
                prop_assert_eq!(said(&found, fact), said(score, fact), "{:?}", fact);
            }
        }
        prop_assert_eq!(some.score(facts.len()), None);
    }
}
