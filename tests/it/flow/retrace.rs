//! The moves that are made up from the orders are those that nightly runs would have noted.

use std::sync::Arc;

use stammgast::base::clock::Clock;
use stammgast::base::time::{DAY_MS, UnixMs};
use stammgast::config::Config;
use stammgast::flow::retrace::{Reach, Reached};
use stammgast::flow::{Ctx, plan, rescore, why};
use stammgast::model::facts::Needs;
use stammgast::store::Db;

use super::backtest::replay;
use crate::common::databases::TestDb;
use crate::common::shop::{customers, execute};
use crate::common::stage::{Stage, people};
use crate::store::{number, texts};

fn at(text: &str) -> UnixMs {
    Config::from_toml("").unwrap().shop.zone().parse_time(text).unwrap()
}

fn context(db: &Db, settings: &str) -> Ctx {
    Ctx::new(db.clone(), Clock::System, Arc::new(Config::from_toml(settings).unwrap()))
}

/// Sixty customers who order more or less often, for 150 days from 1 January 2026 on, some of them no more after a while.
async fn orders(test: &TestDb) {
    let mut rows = Vec::new();
    for customer in 1..=60_i64 {
        let (mut day, mut number) = (customer * 7 % 70, 0);
        while day < 150 && number < 3 + customer % 13 {
            let (id, ordered_at) = (customer * 1_000 + number, at("2026-01-01").0 + day * DAY_MS + customer * 1_300_000);
            let status = if id % 11 == 5 { "cancelled" } else { "paid" };
            rows.push(format!("({id}, 'o{id}', {customer}, {ordered_at}, {}, 'EUR', '{status}', 0, 0)", 700 + customer * number * 113 % 9_000));
            (day, number) = (day + 3 + customer * (number + 5) % 17, number + 1);
        }
    }
    let columns = "id, external_id, customer_id, ordered_at, revenue_cents, currency, status, content_hash, updated_at";
    execute(&test.db, format!("INSERT INTO orders ({columns}) VALUES {}", rows.join(", "))).await;
}

/// Full runs at these midnights.
async fn nights(ctx: &Ctx, from: &str, to: &str) {
    let (from, to): (chrono::NaiveDate, chrono::NaiveDate) = (from.parse().unwrap(), to.parse().unwrap());
    for date in from.iter_days().take_while(|date| *date <= to) {
        rescore::all(ctx, ctx.config.shop.zone().start_of(date)).await.unwrap();
    }
}

async fn reach(ctx: &Ctx, as_of: &str, days: Option<i64>) -> Option<Reached> {
    let mut reach = Reach::begin(ctx, at(as_of), days).await.unwrap()?;
    while reach.night().await.unwrap() {}
    reach.store(ctx).await.unwrap()
}

/// All that is known of moves.
async fn history(db: &Db) -> [Vec<String>; 3] {
    let text = |column: &str| format!("COALESCE(CAST({column} AS TEXT), '-')");
    let line = |columns: &[&str]| columns.iter().map(|column| text(column)).collect::<Vec<_>>().join(" || ' ' || ");
    [
        texts(db, &format!("SELECT {} FROM crossings ORDER BY at, customer_id, score", line(&["at", "customer_id", "score", "was", "class"]))).await,
        texts(db, &format!("SELECT {} FROM classes ORDER BY customer_id", line(&["customer_id", "abc", "r", "f", "m", "churn", "waiting"]))).await,
        texts(db, &format!("SELECT {} FROM class_histories", line(&["begins_at", "recorded_at", "settings"]))).await,
    ]
}

async fn forget(db: &Db) {
    for table in ["crossings", "classes", "class_histories"] {
        execute(db, format!("DELETE FROM {table}")).await;
    }
}

on_both!(a_shop_that_imports_its_orders_at_once_knows_the_moves_of_one_that_ran_every_night, |test| {
    customers(&test.db, 1..=62).await;
    orders(test).await;
    // From the first night that sees an order; and from the night before a window on, across the clock's change in March.
    for (first, days) in [("2026-01-02", 400), ("2026-03-20", 40)] {
        let ctx = context(&test.db, &format!("[score]\nbackfill_days = {days}\n"));
        forget(&test.db).await;
        nights(&ctx, first, "2026-04-29").await;
        let driven = history(&test.db).await;
        forget(&test.db).await;
        let reached = reach(&ctx, "2026-04-29", None).await.unwrap();
        assert_eq!(reached.begins_at, at(first));
        nights(&ctx, "2026-04-29", "2026-04-29").await;
        let walked = history(&test.db).await;
        assert_eq!(walked, driven);
        for score in ["abc", "r", "f", "m", "churn"] {
            assert!(walked[0].iter().any(|line| line.contains(score)), "{score} {days}");
        }
        assert_eq!(reach(&ctx, "2026-04-29T03:00", None).await, None, "it reaches so far already");
        assert_eq!(reach(&ctx, "2026-05-20T03:00", None).await, None, "the days go on");
        assert_eq!(history(&test.db).await, walked);
    }
});

on_both!(what_runs_have_noted_stays_and_what_was_before_leads_to_it, |test| {
    customers(&test.db, 1..=62).await;
    orders(test).await;
    let ctx = context(&test.db, "[score]\nbackfill_days = 0\n");
    assert_eq!(reach(&ctx, "2026-04-01", None).await, None, "0 days are none");
    for day in ["2026-04-01T04:00", "2026-04-03T04:00", "2026-04-07T04:00", "2026-04-11T04:00"] {
        rescore::all(&ctx, at(day)).await.unwrap();
    }
    // Orders that came late change what the past would have been, not what was noted.
    execute(&test.db, format!("UPDATE orders SET ordered_at = {}, revenue_cents = 99000 WHERE customer_id = 9", at("2026-01-20").0)).await;
    let live = history(&test.db).await;
    let first = reach(&ctx, "2026-04-11T04:00", Some(30)).await.unwrap();
    assert_eq!((first.begins_at, first.nights), (at("2026-03-12"), 21), "the night before the last 30 days, up to the run of 1 April");
    assert!(reach(&ctx, "2026-04-11T04:00", Some(60)).await.is_some());
    let all = history(&test.db).await;
    assert!(live[0].iter().all(|line| all[0].contains(line)) && live[0].len() < all[0].len());
    assert_eq!(all[1], live[1], "what everybody is settled in");
    // Each move begins where the last one of the same customer and score ended, and the last one ends where they are settled.
    let broken = "WITH steps AS (SELECT customer_id, score, was, class, LAG(class) OVER w AS before, ROW_NUMBER() OVER w AS place FROM crossings
                      WINDOW w AS (PARTITION BY customer_id, score ORDER BY at))
                  SELECT COUNT(*) FROM steps WHERE place > 1 AND COALESCE(before, 0) <> COALESCE(was, 0) OR COALESCE(was, 0) = COALESCE(class, 0)";
    assert_eq!(number(&test.db, broken).await, 0);
    let ends = "SELECT COUNT(*) FROM crossings x JOIN classes k ON k.customer_id = x.customer_id WHERE x.score = 'r' AND COALESCE(x.class, 0) <> COALESCE(k.r, 0)
                AND x.at = (SELECT MAX(y.at) FROM crossings y WHERE y.customer_id = x.customer_id AND y.score = 'r')";
    assert_eq!(number(&test.db, ends).await, 0);
    // Other settings make other classes: the next reach begins anew, with the orders as they are known now.
    let other = context(&test.db, "[score]\nbuckets = 4\n");
    assert_eq!(reach(&other, "2026-04-12T04:00", Some(20)).await.unwrap().begins_at, at("2026-03-23"));
    assert_eq!(number(&test.db, &format!("SELECT COUNT(*) FROM crossings WHERE at < {}", at("2026-03-23").0)).await, 0);
});

// Who the first run in the life of a shop writes to.
on_both!(plan_why_and_replay_of_a_shop_without_a_run_say_what_its_first_run_does, |test| {
    people(&test.db, 1..=60).await;
    execute(&test.db, "DELETE FROM orders".to_owned()).await;
    orders(test).await;
    let rule = "rule(\"moved\").every(\"0 9 * * *\").basis(\"consent\").cooldown(days(30))
        .when(|c| c.abc_was(days(30)) != c.abc && c.has(\"abc\") && c.r_was(days(20)) >= 3 || c.churn_was(days(10)) == \"high\").send(|c| email(\"win-back-plain\"));";
    let stage = Stage::new(&test.db, "2026-04-29T09:00", rule, "");
    let planned = plan::plan(&stage.ctx, &stage.in_force.get(), "moved", None).await.unwrap();
    let planned: Vec<String> = planned.people.iter().filter(|person| person.reason.is_none()).map(|person| person.customer.clone()).collect();
    let replayed = replay(&stage, "moved", "2026-04-29", "2026-04-29").await;
    let replayed: Vec<String> = replayed.people.iter().map(|reached| reached.customer.to_owned()).collect();
    let mut meant = Vec::new();
    for customer in (1..=60).step_by(6) {
        let facts = why::customer(&stage.ctx, &customer.to_string(), Needs::ALL).await.unwrap().unwrap();
        let why = why::why(&stage.ctx, &stage.in_force.get(), "moved", &facts).await.unwrap();
        meant.extend(why.matched.then(|| customer.to_string()));
    }
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM class_histories").await, 0, "looks write nothing");
    stage.tick("moved").await;
    let written = "SELECT c.external_id FROM decisions d JOIN customers c ON c.id = d.customer_id WHERE d.slot = 'arm' ORDER BY c.id";
    let written = texts(&test.db, written).await;
    assert_eq!([&planned, &replayed], [&written; 2]);
    let of_these: Vec<&String> = written.iter().filter(|customer| customer.parse::<usize>().unwrap() % 6 == 1).collect();
    assert_eq!(meant.iter().collect::<Vec<_>>(), of_these);
    assert!(!meant.is_empty());
    assert!((3..58).contains(&written.len()), "{written:?}");
    // A look at a moment before the history that is stored now; and with settings whose history nobody has stored.
    let earlier = stage.ctx.at(at("2026-03-10T09:00"));
    let facts = why::customer(&earlier, "1", Needs::ALL).await.unwrap().unwrap();
    assert!(facts.history().classes.begins.unwrap() < at("2026-01-10"), "{facts:?}");
    let other = Stage::new(&test.db, "2026-04-30T09:00", rule, "[score]\nhistory_days = 0\n");
    let facts = why::customer(&other.ctx, "1", Needs::ALL).await.unwrap().unwrap();
    assert_eq!(facts.history().classes.begins, None);
});
