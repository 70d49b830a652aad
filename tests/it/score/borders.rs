//! Scores at the edges: few customers, no turnover, one who is most of it, days of the shop's zone; and placing one customer between runs.

use proptest::prelude::*;
use stammgast::base::money::Cents;
use stammgast::base::time::{UnixMs, Zone};
use stammgast::model::score::{Abc, AbcBy, AbcRule, BucketRule, OrderFacts, Score, ScoreRules};
use stammgast::score::{Borders, Wanted, compute, place};

use super::{AS_OF, customer, default_rules, utc};

fn scores(facts: &[OrderFacts], rules: &ScoreRules) -> Vec<Score> {
    compute(facts, AS_OF, utc(), rules, Wanted::ALL).scores
}

fn classes(cents: &[i64], rules: &ScoreRules) -> String {
    let facts: Vec<OrderFacts> = (1..).zip(cents).map(|(id, &cents)| customer(id, 1, 1, cents)).collect();
    scores(&facts, rules).iter().map(|score| score.abc.code()).collect()
}

#[test]
fn nobody_has_no_scores_and_a_single_customer_is_the_best() {
    assert_eq!(compute(&[], AS_OF, utc(), &default_rules(), Wanted::ALL).scores, []);
    let alone = scores(&[customer(1, 3, 2, 1999)], &default_rules())[0];
    assert_eq!((alone.abc, alone.revenue_rank, alone.top_percent, alone.r, alone.recency_days), (Abc::A, 1, 1, 1, 3));
    assert_eq!(alone.average_order_value, Cents(1000), "9.995 is rounded half away from zero");
}

#[test]
fn the_best_customer_is_a_even_when_they_alone_are_more_than_the_border() {
    assert_eq!(classes(&[9000, 500, 400, 100], &default_rules()), "ABCC");
    let cross = ScoreRules { abc_rule: AbcRule::Cross, ..default_rules() };
    assert_eq!(classes(&[9000, 500, 400, 100], &cross), "ABCC");
    assert_eq!(classes(&[5000, 3001, 1499, 500], &default_rules()), "ABBC");
    assert_eq!(classes(&[5000, 3001, 1499, 500], &cross), "AABC");
}

#[test]
fn without_turnover_everybody_is_c_and_refunds_never_make_a_better_class() {
    assert_eq!(classes(&[0, 0, 0], &default_rules()), "CCC");
    assert_eq!(classes(&[100, -500], &default_rules()), "CC");
    assert_eq!(classes(&[100, 10, -20], &default_rules()), "ACC");
    assert_eq!(classes(&[i64::MAX, i64::MAX, i64::MIN], &default_rules()), "ACC", "sums do not overflow");
}

#[test]
fn abc_by_margin_uses_what_was_left_and_ranks_stay_by_revenue() {
    let mut facts = [customer(1, 1, 1, 9000), customer(2, 1, 1, 1000)];
    (facts[0].margin, facts[1].margin) = (Cents(10), Cents(900));
    let scores = scores(&facts, &ScoreRules { abc_by: AbcBy::Margin, ..default_rules() });
    assert_eq!((scores[0].abc, scores[1].abc), (Abc::C, Abc::A));
    assert_eq!((scores[0].revenue_rank, scores[1].revenue_rank), (1, 2));
}

#[test]
fn buckets_and_weights_follow_the_rules() {
    let facts: Vec<OrderFacts> = (1..=12).map(|id| customer(id, 12 - id, id, id * 100)).collect();
    let rules = ScoreRules { buckets: 12, weights: [3, 1, 0], ..default_rules() };
    let fifth = scores(&facts, &rules)[4];
    assert_eq!((fifth.r, fifth.f, fifth.m, fifth.rfm, fifth.rfm_weighted_e4), (5, 5, 5, 50_505, 50_000));
    let mixed = scores(&[customer(1, 9, 3, 5), customer(2, 1, 1, 7), customer(3, 5, 2, 9)], &ScoreRules { weights: [1, 1, 1], ..default_rules() });
    assert_eq!((mixed[1].r, mixed[1].f, mixed[1].m, mixed[1].rfm_weighted_e4), (4, 1, 2, 23_333));
}

#[test]
fn days_are_calendar_days_of_the_shop() {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    let at = |text: &str| zone.parse_time(text).unwrap();
    let mut facts = customer(1, 0, 1, 100);
    (facts.first_order_at, facts.last_order_at) = (at("2026-03-01T12:00"), at("2026-03-28T23:59"));
    let days = |as_of: UnixMs| {
        let score = compute(&[facts], as_of, zone, &default_rules(), Wanted::ALL).scores[0];
        (score.recency_days, score.tenure_days)
    };
    assert_eq!(days(at("2026-03-29T00:01")), (1, 28), "two minutes, but the next day");
    assert_eq!(days(at("2026-03-30T00:00")), (2, 29), "the day between had 23 hours");
}

fn anybody() -> impl Strategy<Value = Vec<OrderFacts>> {
    proptest::collection::vec((0i64..40, 1i64..6, -500i64..5000), 1..300)
        .prop_map(|people| (1..).zip(people).map(|(id, (recency, orders, cents))| customer(id, recency, orders, cents)).collect())
}

proptest! {
    #[test]
    fn whoever_has_not_changed_is_placed_where_the_full_run_put_them(facts in anybody(), buckets in 2i64..=20, rule in 0..3usize) {
        let bucket_rule = [BucketRule::Minrank, BucketRule::Midrank, BucketRule::Cumedist][rule];
        let rules = ScoreRules { buckets, bucket_rule, ..default_rules() };
        let run = compute(&facts, AS_OF, utc(), &rules, Wanted::ALL);
        let json = serde_json::to_string(&run.borders).unwrap();
        let borders: Borders = serde_json::from_str(&json).unwrap();
        for (full, facts) in run.scores.iter().zip(&facts) {
            let placed = place(facts, AS_OF, utc(), &rules, &borders);
            prop_assert!((1..=buckets).contains(&full.r) && (1..=100).contains(&full.top_percent));
            // Equal values share r, f and m; class and rank split ties by id, so there the best of equals is what comes out.
            prop_assert!(placed.abc.code() <= full.abc.code() && placed.revenue_rank <= full.revenue_rank && placed.top_percent <= full.top_percent);
            let exact = Score { abc: full.abc, revenue_rank: full.revenue_rank, top_percent: full.top_percent, ..placed };
            prop_assert_eq!(&exact, full);
        }
    }

    #[test]
    fn more_is_never_worse(facts in anybody(), rule in 0..4usize) {
        let bucket_rule = [BucketRule::Minrank, BucketRule::Midrank, BucketRule::Cumedist, BucketRule::Ntile][rule];
        let mut scores = scores(&facts, &ScoreRules { bucket_rule, ..default_rules() });
        scores.sort_by_key(|score| score.revenue_rank);
        for pair in scores.windows(2) {
            prop_assert!(pair[0].revenue >= pair[1].revenue && pair[0].abc.code() <= pair[1].abc.code() && pair[0].top_percent <= pair[1].top_percent);
            prop_assert!(pair[0].m >= pair[1].m || (bucket_rule == BucketRule::Ntile && pair[0].revenue == pair[1].revenue));
        }
    }
}

#[test]
fn in_a_small_shop_a_placed_customer_gets_the_very_rank() {
    let facts: Vec<OrderFacts> = (1..=50).map(|id| customer(id, 1, 1, id * 100)).collect();
    let run = compute(&facts, AS_OF, utc(), &default_rules(), Wanted::ALL);
    for (full, facts) in run.scores.iter().zip(&facts) {
        assert_eq!(&place(facts, AS_OF, utc(), &default_rules(), &run.borders), full);
    }
    let newcomer = place(&customer(51, 0, 9, 99_999), AS_OF, utc(), &default_rules(), &run.borders);
    assert_eq!((newcomer.abc, newcomer.revenue_rank, newcomer.m), (Abc::A, 1, 5));
    let smallest = place(&customer(52, 9, 1, 1), AS_OF, utc(), &default_rules(), &run.borders);
    assert_eq!((smallest.abc, smallest.m, smallest.r), (Abc::C, 1, 1));
    assert_eq!(smallest.revenue_rank, 50);
}
