//! Moves between classes are noted once, survive a daemon that dies, and tell what held before.

use std::process::{Command, Stdio};
use std::sync::Arc;

use stammgast::base::clock::Clock;
use stammgast::base::id::Id;
use stammgast::base::time::UnixMs;
use stammgast::config::Config;
use stammgast::flow::{Ctx, rescore};
use stammgast::model::crossing::Tracked;
use stammgast::store::{Db, Tx, crossings};

use crate::common::databases::postgres;
use crate::common::shop::{customers, execute, order};
use crate::store::{number, texts};

fn at(text: &str) -> UnixMs {
    Config::from_toml("").unwrap().shop.zone().parse_time(text).unwrap()
}

fn context(db: &Db, settings: &str) -> Ctx {
    Ctx::new(db.clone(), Clock::System, Arc::new(Config::from_toml(settings).unwrap()))
}

/// Ten customers; number n ordered once on 1 March for n euros.
async fn shop(db: &Db) {
    customers(db, 1..=12).await;
    for id in 1..=10 {
        order(db, id, id, at("2026-03-01T10:00").0, id * 100, None, "paid").await;
    }
}

/// Full runs for these moments.
async fn runs(ctx: &Ctx, moments: &[&str]) {
    for moment in moments {
        rescore::all(ctx, at(moment)).await.unwrap();
    }
}

/// `date customer score class>class` of all moves.
async fn moves(ctx: &Ctx) -> Vec<String> {
    let class = |column: &str| format!("COALESCE(CAST({column} AS TEXT), '-')");
    let query = format!(
        "SELECT CAST(at AS TEXT) || ' ' || CAST(customer_id AS TEXT) || ' ' || score || ' ' || {} || '>' || {} FROM crossings ORDER BY at, customer_id, score",
        class("was"),
        class("class")
    );
    let date = |row: String| {
        let (at, rest) = row.split_once(' ').unwrap();
        format!("{} {rest}", ctx.config.shop.zone().date(UnixMs(at.parse().unwrap())))
    };
    texts(&ctx.db, &query).await.into_iter().map(date).collect()
}

on_both!(a_class_that_flickers_is_no_move_and_one_that_holds_is_one_once, |test| {
    shop(&test.db).await;
    let ctx = context(&test.db, "");
    runs(&ctx, &["2026-03-05"]).await;
    // The customer who paid least pays most, takes it back, and means it.
    order(&test.db, 100, 1, at("2026-03-05T12:00").0, 100_000, None, "paid").await;
    runs(&ctx, &["2026-03-06", "2026-03-06", "2026-03-07"]).await;
    execute(&test.db, "UPDATE orders SET status = 'cancelled' WHERE id = 100".to_owned()).await;
    runs(&ctx, &["2026-03-08"]).await;
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM classes WHERE waiting IS NOT NULL").await, 0);
    execute(&test.db, "UPDATE orders SET status = 'paid' WHERE id = 100".to_owned()).await;
    runs(&ctx, &["2026-03-09", "2026-03-10", "2026-03-11", "2026-03-09"]).await;
    assert_eq!(moves(&ctx).await, Vec::<String>::new());
    runs(&ctx, &["2026-03-12T03:00"]).await;
    let found = moves(&ctx).await;
    assert!(found.iter().all(|line| line.starts_with("2026-03-12")), "{found:?}");
    let own: Vec<&String> = found.iter().filter(|line| line.starts_with("2026-03-12 1 ")).collect();
    assert_eq!(own, ["2026-03-12 1 abc 3>1", "2026-03-12 1 f 1>5", "2026-03-12 1 m 1>5", "2026-03-12 1 r 1>5"]);
    // The same moment, an older one, and the next days add nothing.
    runs(&ctx, &["2026-03-12T03:00", "2026-03-10", "2026-03-13", "2026-03-20"]).await;
    assert_eq!(moves(&ctx).await, found);
});

on_both!(what_held_before_is_told_as_far_back_as_the_history_reaches, |test| {
    shop(&test.db).await;
    let ctx = context(&test.db, "[score]\nsettle_days = 0\n");
    runs(&ctx, &["2026-03-05T03:00"]).await;
    order(&test.db, 100, 1, at("2026-03-07T12:00").0, 100_000, None, "paid").await;
    order(&test.db, 101, 11, at("2026-03-07T12:00").0, 100, None, "paid").await;
    runs(&ctx, &["2026-03-08T03:00"]).await;
    execute(&test.db, "UPDATE orders SET status = 'cancelled' WHERE id = 101".to_owned()).await;
    runs(&ctx, &["2026-03-10T03:00"]).await;
    let mut tx = test.db.read().await.unwrap();
    let (first, late) = (crossings::of(&mut tx, Id(1)).await.unwrap(), crossings::of(&mut tx, Id(11)).await.unwrap());
    let never = crossings::of(&mut tx, Id(12)).await.unwrap();
    let before = |moment: &str| [&first, &late, &never].map(|past| past.before(Tracked::M, at(moment)));
    assert_eq!(before("2026-03-05"), [None, None, None], "before the first run nothing is known");
    assert_eq!(before("2026-03-06"), [Some(1), None, None]);
    assert_eq!(before("2026-03-08"), [Some(1), None, None]);
    assert_eq!(before("2026-03-09"), [Some(5), Some(1), None]);
    assert_eq!(before("2026-03-11"), [Some(5), None, None], "whoever has no orders any more has no class");
});

on_both!(the_history_ends_where_the_configuration_says_and_begins_anew_with_other_classes, |test| {
    shop(&test.db).await;
    let ctx = context(&test.db, "[score]\nsettle_days = 0\nhistory_days = 10\n");
    runs(&ctx, &["2026-03-05T03:00"]).await;
    order(&test.db, 100, 1, at("2026-03-05T12:00").0, 100_000, None, "paid").await;
    runs(&ctx, &["2026-03-06T03:00"]).await;
    let known = moves(&ctx).await;
    runs(&ctx, &["2026-03-15T03:00"]).await;
    assert_eq!(moves(&ctx).await, known, "the tenth day");
    runs(&ctx, &["2026-03-16T03:00"]).await;
    assert!(!known.is_empty() && moves(&ctx).await.is_empty());
    let mut tx = test.db.read().await.unwrap();
    let past = crossings::of(&mut tx, Id(1)).await.unwrap();
    assert_eq!(["2026-03-06", "2026-03-07", "2026-03-08"].map(|moment| past.before(Tracked::M, at(moment))), [None, Some(5), Some(5)]);
    drop(tx);
    let history = async || crossings::history(&mut test.db.read().await.unwrap()).await.unwrap().map(|history| history.begins_at);
    let more = context(&test.db, "[score]\nsettle_days = 0\nhistory_days = 10\nbuckets = 4\n");
    runs(&more, &["2026-03-17T03:00"]).await;
    assert_eq!((history().await, moves(&ctx).await.len()), (Some(at("2026-03-17T03:00")), 0));
    runs(&context(&test.db, "[score]\nhistory_days = 0\n"), &["2026-03-18T03:00"]).await;
    assert_eq!((history().await, number(&test.db, "SELECT COUNT(*) FROM classes").await), (None, 0));
});

/// A run that is killed when all but the last word is written. On SQLite nobody can hold a run at that place.
#[tokio::test]
async fn a_run_that_is_killed_leaves_nothing_and_the_next_one_notes_each_move_once() {
    let test = postgres().await;
    shop(&test.db).await;
    let ctx = context(&test.db, "[score]\nsettle_days = 0\n");
    runs(&ctx, &["2026-03-05T03:00"]).await;
    order(&test.db, 100, 1, at("2026-03-07T12:00").0, 100_000, None, "paid").await;
    let folder = tempfile::tempdir().unwrap();
    let score = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_stammgast"));
        let settings = [("STAMMGAST__DATABASE__URL", test.url.as_str()), ("STAMMGAST__SCORE__SETTLE_DAYS", "0")];
        command.arg("score").envs(settings).current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let Tx::Postgres(mut held) = test.db.write().await.unwrap() else { panic!("PostgreSQL") };
    sqlx::query("LOCK TABLE class_histories IN EXCLUSIVE MODE").execute(&mut *held).await.unwrap();
    let mut killed = score().spawn().unwrap();
    let waits = "SELECT COUNT(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                 WHERE NOT l.granted AND l.relation = 'class_histories'::regclass AND d.datname = current_database()";
    while number(&test.db, waits).await == 0 {
        assert!(killed.try_wait().unwrap().is_none(), "it must not end by itself");
    }
    killed.kill().unwrap();
    killed.wait().unwrap();
    held.rollback().await.unwrap();
    assert_eq!(moves(&ctx).await, Vec::<String>::new());
    for _ in 0..2 {
        assert!(score().status().unwrap().success());
    }
    let found: Vec<String> = moves(&ctx).await.iter().filter(|line| line.contains(" 1 ")).map(|line| line[11..].to_owned()).collect();
    assert_eq!(found, ["1 abc 3>1", "1 f 1>5", "1 m 1>5", "1 r 1>5"]);
}
