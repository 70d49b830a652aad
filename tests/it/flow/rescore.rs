//! Stored scores are true when a rule asks for them.

use std::sync::Arc;

use stammgast::base::clock::Clock;
use stammgast::base::id::Id;
use stammgast::base::time::UnixMs;
use stammgast::config::Config;
use stammgast::flow::{Ctx, rescore};
use stammgast::model::score::Score;
use stammgast::store::{Db, StoreError, score_runs, scores};

use crate::common::shop::{customers, execute, order};

fn at(text: &str) -> UnixMs {
    Config::from_toml("").unwrap().shop.zone().parse_time(text).unwrap()
}

/// A context as the daemon has it: the times that matter are handed over, the clock is the machine's.
fn context(db: &Db, settings: &str) -> Ctx {
    Ctx::new(db.clone(), Clock::System, Arc::new(Config::from_toml(settings).unwrap()))
}

async fn stored(ctx: &Ctx) -> Vec<Score> {
    let mut tx = ctx.db.read().await.unwrap();
    scores::page(&mut tx, Id(0), 1000).await.unwrap()
}

/// Ten customers; number n ordered once on 1 March for n euros.
async fn shop(db: &Db) {
    customers(db, 1..=12).await;
    for id in 1..=10 {
        order(db, id, id, at("2026-03-01T10:00").0, id * 100, None, "paid").await;
    }
}

/// As an order that arrives does it: in a transaction.
async fn refresh(ctx: &Ctx, ids: &[Id], at: UnixMs) -> Result<usize, StoreError> {
    let mut tx = ctx.db.write().await?;
    let refreshed = rescore::customers(ctx, &mut tx, ids, at).await?;
    tx.commit().await?;
    Ok(refreshed)
}

on_both!(a_full_run_stores_what_it_computes_and_forgets_who_has_no_orders_any_more, |test| {
    shop(&test.db).await;
    let ctx = context(&test.db, "");
    let report = rescore::all(&ctx, at("2026-03-05")).await.unwrap();
    assert_eq!((report.customers, report.recomputed), (10, true));
    assert_eq!(stored(&ctx).await, rescore::preview(&ctx, at("2026-03-05")).await.unwrap().scores);
    assert_eq!(stored(&ctx).await[9].recency_days, 4);
    execute(&test.db, "UPDATE orders SET status = 'cancelled' WHERE id = 10".to_owned()).await;
    assert_eq!(rescore::all(&ctx, at("2026-03-05")).await.unwrap().customers, 9);
    assert_eq!(stored(&ctx).await.len(), 9);
});

on_both!(a_look_at_the_past_moves_nothing, |test| {
    shop(&test.db).await;
    let ctx = context(&test.db, "");
    rescore::all(&ctx, at("2026-03-05")).await.unwrap();
    let before = stored(&ctx).await;
    assert_eq!(rescore::preview(&ctx, at("2026-03-01T09:00")).await.unwrap().scores, []);
    assert_eq!(rescore::preview(&ctx, at("2026-04-01")).await.unwrap().scores[0].recency_days, 31);
    assert_eq!(stored(&ctx).await, before);
});

on_both!(scores_are_recomputed_when_the_day_the_settings_or_the_facts_have_changed_and_not_otherwise, |test| {
    shop(&test.db).await;
    let ctx = context(&test.db, "");
    let recomputed = async |ctx: &Ctx, text: &str| rescore::ensure_fresh(ctx, at(text)).await.unwrap().recomputed;
    assert!(recomputed(&ctx, "2026-03-05T08:00").await, "the first time");
    assert!(!recomputed(&ctx, "2026-03-05T08:00").await);
    assert!(!recomputed(&ctx, "2026-03-05T23:59").await, "the same day");
    assert!(recomputed(&ctx, "2026-03-06T00:00").await, "the next day in the shop's zone");
    assert!(recomputed(&ctx, "2026-03-05T23:00").await, "the clock went back");
    let mut tx = test.db.write().await.unwrap();
    score_runs::mark_stale(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    assert!(recomputed(&ctx, "2026-03-05T23:01").await, "facts have changed");
    let other = context(&test.db, "[score]\nbuckets = 10");
    assert!(recomputed(&other, "2026-03-05T23:02").await, "other settings");
    assert!(!recomputed(&other, "2026-03-05T23:02").await);
    let simulated = other.at(at("2026-03-05T23:30"));
    assert!(recomputed(&simulated, "2026-03-05T23:30").await, "simulated time passes over orders that are there already");
    assert!(!recomputed(&simulated, "2026-03-05T23:30").await);
});

on_both!(an_order_refreshes_its_customer_at_once_and_leaves_the_others_alone, |test| {
    shop(&test.db).await;
    let ctx = context(&test.db, "");
    rescore::all(&ctx, at("2026-03-05T08:00")).await.unwrap();
    let before = stored(&ctx).await;
    let noon = at("2026-03-05T12:00");
    order(&test.db, 100, 1, noon.0, 99_900, None, "paid").await;
    order(&test.db, 101, 11, noon.0, 50, None, "paid").await;
    execute(&test.db, "UPDATE orders SET status = 'cancelled' WHERE customer_id = 2".to_owned()).await;
    assert_eq!(refresh(&ctx, &[Id(1), Id(2), Id(11)], noon).await.unwrap(), 2);
    let after = stored(&ctx).await;
    let of = |id: i64| after.iter().find(|score| score.customer_id == Id(id)).copied();
    let first = of(1).unwrap();
    assert_eq!((first.recency_days, first.orders, first.revenue.0, first.as_of, first.revenue_rank), (0, 2, 100_000, noon, 1));
    assert_eq!((first.r, first.m, first.abc.code()), (1, 5, "A"), "all had ordered on one day, so a full run gave everybody r = 1");
    assert_eq!(of(2), None, "no order that counts");
    assert_eq!(of(11).unwrap().m, 1);
    assert_eq!(of(10).unwrap(), before[9]);
    assert!(!rescore::ensure_fresh(&ctx, at("2026-03-05T13:00")).await.unwrap().recomputed);
});

on_both!(a_crowd_an_earlier_moment_or_a_missing_run_waits_for_the_next_full_run, |test| {
    shop(&test.db).await;
    let ctx = context(&test.db, "");
    let noon = at("2026-03-05T12:00");
    assert_eq!(refresh(&ctx, &[Id(1)], noon).await.unwrap(), 0, "no run yet");
    let crowd: Vec<Id> = (1..=1001).map(Id).collect();
    for (ids, moment) in [(&crowd[..], noon), (&crowd[..1], at("2026-03-05T11:00"))] {
        rescore::all(&ctx, noon).await.unwrap();
        assert_eq!(refresh(&ctx, ids, moment).await.unwrap(), 0);
        assert!(rescore::ensure_fresh(&ctx, noon).await.unwrap().recomputed);
    }
    assert_eq!(refresh(&ctx, &[], noon).await.unwrap(), 0);
    assert!(!rescore::ensure_fresh(&ctx, noon).await.unwrap().recomputed, "nobody is no reason");
});

on_both!(full_runs_and_refreshes_at_the_same_time_end_with_true_scores, |test| {
    shop(&test.db).await;
    let ctx = context(&test.db, "");
    let noon = at("2026-03-05T12:00");
    rescore::all(&ctx, noon).await.unwrap();
    let writers = (0..8).map(|number| {
        let ctx = ctx.clone();
        async move {
            order(&ctx.db, 200 + number, number % 4 + 1, noon.0, 1000, None, "paid").await;
            if number % 2 == 0 {
                refresh(&ctx, &[Id(number % 4 + 1)], noon).await.unwrap();
            } else {
                rescore::all(&ctx, noon).await.unwrap();
            }
        }
    });
    futures_util::future::join_all(writers).await;
    for score in stored(&ctx).await.iter().take(4) {
        assert_eq!(score.orders, 3, "{score:?}");
    }
});
