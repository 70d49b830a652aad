//! Order facts as of a moment, and what is stored of the scores.

use stammgast::base::id::Id;
use stammgast::base::money::Cents;
use stammgast::base::time::{DAY_MS, UnixMs, Zone};
use stammgast::model::outlook::{Habit, Outlook};
use stammgast::model::score::{Abc, OrderFacts, Score};
use stammgast::score::Borders;
use stammgast::store::{score_runs, scores};

use crate::common::shop::{customers, execute, order};

pub(crate) fn score(id: i64) -> Score {
    let at = UnixMs(id * DAY_MS);
    Score {
        customer_id: Id(id),
        as_of: at.plus(9),
        recency_days: 1,
        orders: 2,
        revenue: Cents(3),
        average_order_value: Cents(4),
        first_order_at: at,
        last_order_at: at.plus(1),
        tenure_days: 5,
        r: 6,
        f: 7,
        m: 8,
        rfm: 60_708,
        rfm_weighted_e4: 10,
        abc: Abc::B,
        abc_adjusted: Some(Abc::B),
        revenue_rank: 11,
        top_percent: 12,
        outlook: Outlook {
            typical_gap_e1: Some(13),
            next_order_in_days: Some(-14),
            churn_risk_e2: (id % 2 == 0).then_some(15),
            expected_orders_365_e4: Some(16),
            expected_order_value: Some(Cents(17)),
            clv_12m: Some(Cents(18)),
        },
    }
}

on_both!(facts_count_paid_orders_up_to_the_moment_and_margin_where_the_cost_is_known, |test| {
    customers(&test.db, 1..=4).await;
    order(&test.db, 1, 1, 1000, 500, Some(200), "paid").await;
    order(&test.db, 2, 1, 2000, 700, None, "paid").await;
    order(&test.db, 3, 1, 3000, 900, Some(100), "paid").await;
    order(&test.db, 4, 1, 1500, 999, Some(1), "cancelled").await;
    order(&test.db, 5, 2, 2000, 0, None, "paid").await;
    order(&test.db, 6, 3, 2001, 100, None, "paid").await;
    order(&test.db, 7, 4, 100, 100, None, "open").await;
    let mut tx = test.db.read().await.unwrap();
    let utc = Zone::parse("UTC").unwrap();
    let facts = |id: i64, orders, revenue, margin, first, last| OrderFacts {
        customer_id: Id(id),
        orders,
        revenue: Cents(revenue),
        margin: Cents(margin),
        first_order_at: UnixMs(first),
        last_order_at: UnixMs(last),
        habit: Habit { purchase_days: 1, ..Habit::default() },
    };
    let expected = [facts(1, 2, 1200, 300, 1000, 2000), facts(2, 1, 0, 0, 2000, 2000)];
    assert_eq!(scores::facts(&mut tx, UnixMs(2000), utc).await.unwrap(), expected);
    assert_eq!(scores::facts_of(&mut tx, &[Id(4), Id(2), Id(99)], UnixMs(2000), utc).await.unwrap(), expected[1..]);
    assert_eq!(scores::facts(&mut tx, UnixMs(99), utc).await.unwrap(), []);
    let everybody: Vec<(Id, String)> = scores::external_ids(&mut tx).await.unwrap();
    assert_eq!(everybody, (1..=4).map(|id| (Id(id), id.to_string())).collect::<Vec<_>>());
});

on_both!(scores_are_stored_replaced_read_and_removed_in_batches, |test| {
    // More than two statements hold.
    customers(&test.db, 1..=3100).await;
    let all: Vec<Score> = (1..=3100).map(score).collect();
    let mut tx = test.db.write().await.unwrap();
    scores::put(&mut tx, &all).await.unwrap();
    let changed = Score { revenue: Cents(-1), abc: Abc::A, r: 1, ..score(2) };
    scores::put(&mut tx, &[changed]).await.unwrap();
    scores::remove(&mut tx, &[Id(3), Id(99_999)]).await.unwrap();
    assert_eq!(scores::of(&mut tx, &[Id(3), Id(2), Id(1)]).await.unwrap(), [score(1), changed]);
    assert_eq!(scores::page(&mut tx, Id(0), 3).await.unwrap(), [score(1), changed, score(4)]);
    assert_eq!(scores::page(&mut tx, Id(3098), 10).await.unwrap(), [score(3099), score(3100)]);
    assert_eq!(scores::page(&mut tx, Id(0), 10_000).await.unwrap().len(), 3099);
    let ids: Vec<Id> = (1..=40_000).map(Id).collect();
    assert_eq!(scores::of(&mut tx, &ids).await.unwrap().len(), 3099, "more ids than a statement has placeholders");
    assert_eq!(scores::of(&mut tx, &[]).await.unwrap(), []);
    tx.commit().await.unwrap();
});

on_both!(a_full_run_replaces_everything_and_staleness_is_remembered, |test| {
    customers(&test.db, 1..=3).await;
    let mut tx = test.db.write().await.unwrap();
    score_runs::mark_stale(&mut tx).await.unwrap();
    assert_eq!(score_runs::latest(&mut tx).await.unwrap(), None);
    scores::put(&mut tx, &[score(1), score(2)]).await.unwrap();
    let borders = Borders { customers: 1, abc_cents: [Some(-5), None], top_cents: vec![9, 8], ..Borders::default() };
    score_runs::begin(&mut tx, UnixMs(70)).await.unwrap();
    assert_eq!(score_runs::latest(&mut tx).await.unwrap().unwrap().borders, Borders::default(), "of the first run there is nothing yet");
    scores::replace(&mut tx, &[score(3)]).await.unwrap();
    score_runs::end(&mut tx, UnixMs(70), &borders, "").await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = test.db.write().await.unwrap();
    assert_eq!(scores::page(&mut tx, Id(0), 10).await.unwrap(), [score(3)]);
    let run = score_runs::lock(&mut tx).await.unwrap().unwrap();
    assert_eq!((run.as_of, run.stale, &run.borders), (UnixMs(70), false, &borders));
    score_runs::mark_stale(&mut tx).await.unwrap();
    assert!(score_runs::latest(&mut tx).await.unwrap().unwrap().stale);
    tx.commit().await.unwrap();
});

on_both!(a_class_that_is_none_is_reported_and_not_guessed, |test| {
    customers(&test.db, 1..=1).await;
    let mut tx = test.db.write().await.unwrap();
    scores::put(&mut tx, &[score(1)]).await.unwrap();
    tx.commit().await.unwrap();
    execute(&test.db, "UPDATE scores SET abc = 'D'".to_owned()).await;
    let mut tx = test.db.read().await.unwrap();
    let error = scores::of(&mut tx, &[Id(1)]).await.unwrap_err().to_string();
    assert_eq!(error, "the table scores holds a abc that cannot be read: 'D'");
});

on_both!(whose_facts_change_is_noted_for_the_run_that_is_computed_and_for_no_other, |test| {
    let mut tx = test.db.write().await.unwrap();
    let first = score_runs::begin(&mut tx, UnixMs(70)).await.unwrap();
    score_runs::note(&mut tx, &[Id(7), Id(5)], false).await.unwrap();
    // Another one begins and takes nothing away.
    let second = score_runs::begin(&mut tx, UnixMs(80)).await.unwrap();
    score_runs::note(&mut tx, &[Id(7)], true).await.unwrap();
    for fence in [first, second] {
        assert_eq!(score_runs::computed(&mut tx, fence).await.unwrap(), Some(vec![Id(5), Id(7)]));
    }
    score_runs::end(&mut tx, UnixMs(70), &Borders::default(), "").await.unwrap();
    assert!(!score_runs::latest(&mut tx).await.unwrap().unwrap().stale, "the run that ended refreshes whom others have left to it");
    score_runs::note(&mut tx, &[Id(9)], false).await.unwrap();
    let third = score_runs::begin(&mut tx, UnixMs(90)).await.unwrap();
    assert_eq!(score_runs::computed(&mut tx, second).await.unwrap(), None, "it began before the end of the first, whoever's list there is now");
    assert_eq!(score_runs::computed(&mut tx, third).await.unwrap(), Some(vec![]), "when 9 was noted, nobody computed");
    score_runs::mark_stale(&mut tx).await.unwrap();
    let fourth = score_runs::begin(&mut tx, UnixMs(90)).await.unwrap();
    assert_eq!(score_runs::computed(&mut tx, third).await.unwrap(), None, "facts of many have changed");
    assert_eq!(score_runs::computed(&mut tx, fourth).await.unwrap(), Some(vec![]));
    // A run that died takes nobody off the list, so it ends by itself.
    let many: Vec<Id> = (1..=1_000).map(|id| Id(i64::MAX - id)).collect();
    for known in [true, true, true, false] {
        score_runs::note(&mut tx, &many, false).await.unwrap();
        assert_eq!(score_runs::computed(&mut tx, fourth).await.unwrap().map(|ids| ids.len()), known.then_some(1_000));
    }
    let fifth = score_runs::begin(&mut tx, UnixMs(90)).await.unwrap();
    assert_eq!(score_runs::computed(&mut tx, fourth).await.unwrap(), None);
    assert_eq!(score_runs::computed(&mut tx, fifth).await.unwrap(), Some(vec![]));
});
