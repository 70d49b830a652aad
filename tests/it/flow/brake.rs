//! The brake: a run stops before a limit of an hour, a day or a budget, and the rest goes on by itself.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use stammgast::base::time::{HOUR_MS, UnixMs};
use stammgast::flow::evaluate::{self, TickReport};
use stammgast::flow::{FlowError, brake, trigger, watch};
use stammgast::model::hold::{Ending, Hold};
use stammgast::store::Db;

use crate::common::shop::execute;
use crate::common::stage::{MONDAY_NINE, Stage, people};
use crate::store::{number, texts};

/// A rule for everybody who has ordered.
pub(super) fn rule(name: &str, more: &str) -> String {
    format!("rule(\"{name}\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\")){more};\n")
}

/// No cap, no guard of size: what is left are the limits.
pub(super) const FREE: &str = "[policy]\ncap_messages = 0\n[guards]\nhold_percent = 0\nhold_factor = 0\n";

/// What the daemon does now: the reports of all runs that were due.
pub(super) async fn pass(stage: &Stage) -> Vec<TickReport> {
    let mut reports = Vec::new();
    let lease = evaluate::lease(&stage.ctx, "test/1").await.unwrap().expect("nobody else decides");
    for due in trigger::due(&stage.ctx, &stage.in_force.get()).await.unwrap() {
        reports.push(evaluate::tick(&stage.ctx, &stage.in_force.get(), &due.rule, due.tick_at, &lease).await.unwrap());
    }
    lease.release(&stage.ctx).await.unwrap();
    reports
}

/// `rule date messages`, and where it is held `guard most written waiting until`.
pub(super) fn told(stage: &Stage, reports: &[TickReport]) -> Vec<String> {
    let zone = stage.ctx.config.shop.zone();
    let line = |report: &TickReport| {
        let held = report.held.as_ref().map_or_else(String::new, |hold| {
            let until = hold.until.map_or_else(|| "-".to_owned(), |until| zone.format(until)[..16].to_owned());
            format!(" held {} {} {} {} {until}", hold.barrier.guard.code(), hold.barrier.most, hold.written, hold.waiting)
        });
        format!("{} {} {}{held}", report.rule, &zone.format(report.tick_at)[..10], report.messages)
    };
    reports.iter().map(line).collect()
}

/// The pass at a moment, told.
pub(super) async fn at(stage: &Stage, time: &str) -> Vec<String> {
    stage.set(time);
    let reports = pass(stage).await;
    told(stage, &reports)
}

pub(super) async fn answer(stage: &Stage, rule: &str, ending: Ending) -> Option<Hold> {
    brake::answer(&stage.ctx, rule, ending, "Anna").await.unwrap()
}

pub(super) const MESSAGES: &str = "SELECT COUNT(*) FROM messages";

on_both!(a_limit_of_the_day_stops_the_run_and_the_rest_goes_on_after_midnight, |test| {
    people(&test.db, 1..=25).await;
    let stage = Stage::new(&test.db, "2024-07-01T08:00", &rule("daily", ".limit(10, \"day\")"), FREE);
    assert_eq!(at(&stage, "2024-07-01T08:30").await, [""; 0]);
    assert_eq!(at(&stage, "2024-07-01T09:00").await, ["daily 2024-07-01 10 held rule_day 10 10 15 2024-07-02T00:00"]);
    assert_eq!(at(&stage, "2024-07-01T23:59").await, [""; 0]);
    assert_eq!(at(&stage, "2024-07-02T00:00").await, ["daily 2024-07-01 10 held rule_day 10 20 5 2024-07-03T00:00"]);
    assert_eq!(at(&stage, "2024-07-02T09:00").await, [""; 0], "no other run of the rule begins");
    let named = stage.tick("daily").await;
    assert_eq!((named.messages, named.held.unwrap().tick_at), (0, stage.moment("2024-07-01T09:00")), "not even one that is named");
    assert_eq!(at(&stage, "2024-07-03T00:00").await, ["daily 2024-07-01 5", "daily 2024-07-02 0"], "the run of yesterday is made up for");
    assert_eq!(number(&test.db, "SELECT COUNT(DISTINCT customer_id) FROM messages").await, 25);
    assert_eq!(number(&test.db, MESSAGES).await, 25);
    assert!(watch::held(&stage.ctx).await.unwrap().is_empty());
});

on_both!(an_hour_that_comes_twice_is_two_hours, |test| {
    people(&test.db, 1..=40).await;
    let stage = Stage::new(&test.db, "2024-10-27T01:30", &rule("hourly", ".limit(5, \"hour\")").replace("0 9 * * *", "50 1 * * *"), FREE);
    at(&stage, "2024-10-27T01:40").await;
    let mut ran = Vec::new();
    // From 01:50 summer time in steps of ten minutes: 02:00 to 02:59 comes twice.
    let begin = stage.moment("2024-10-27T01:50");
    for step in 0..20 {
        stage.ctx.clock.set(begin.plus(step * HOUR_MS / 6));
        let now = stage.ctx.config.shop.zone().format(stage.ctx.clock.now());
        ran.extend(pass(&stage).await.iter().map(|report| format!("{} {}", &now[11..], report.messages)));
    }
    assert_eq!(ran, ["01:50:00+02:00 5", "02:00:00+02:00 5", "02:00:00+01:00 5", "03:00:00+01:00 5", "04:00:00+01:00 5"]);
    let most = "SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM messages GROUP BY created_at / 3600000) AS hours";
    assert_eq!((number(&test.db, MESSAGES).await, number(&test.db, most).await), (25, 5));
});

on_both!(a_limit_holds_over_the_day_on_which_the_clocks_go_forward, |test| {
    people(&test.db, 1..=30).await;
    let stage = Stage::new(&test.db, "2025-03-29T08:00", &rule("daily", ".limit(4, \"day\").limit(3, \"hour\")"), FREE);
    at(&stage, "2025-03-29T08:30").await;
    let begin = stage.moment("2025-03-29T09:00");
    for step in 0..60 {
        stage.ctx.clock.set(begin.plus(step * HOUR_MS));
        pass(&stage).await;
    }
    let zone = stage.ctx.config.shop.zone();
    let written = texts(&test.db, "SELECT CAST(created_at AS TEXT) FROM messages ORDER BY created_at").await;
    let written: Vec<String> = written.iter().map(|at| zone.format(UnixMs(at.parse().unwrap()))).collect();
    let hours: Vec<&str> = written.iter().map(|at| &at[..13]).collect();
    assert_eq!(
        &hours[..8],
        ["2025-03-29T09", "2025-03-29T09", "2025-03-29T09", "2025-03-29T10", "2025-03-30T00", "2025-03-30T00", "2025-03-30T00", "2025-03-30T01"]
    );
    assert_eq!(hours.len(), 12, "four on each of three days");
});

on_both!(a_budget_of_vouchers_stops_the_run, |test| {
    people(&test.db, 1..=7).await;
    let hands_out = |worth: &str| {
        rule("gift", ".budget(eur(12), \"day\")")
            .replace("email(\"win-back-plain\")", &format!("email(\"win-back\", #{{ voucher: voucher(\"WB\", {worth}, days(14)) }})"))
    };
    let stage = Stage::new(&test.db, MONDAY_NINE, &hands_out("eur(5)"), FREE);
    let first = stage.tick("gift").await;
    assert_eq!(told(&stage, &[first]), ["gift 2024-07-01 2 held rule_vouchers 1200 2 5 2024-07-02T00:00"]);
    assert_eq!(at(&stage, "2024-07-02T00:00").await, ["gift 2024-07-01 2 held rule_vouchers 1200 4 3 2024-07-03T00:00"]);
    assert_eq!(number(&test.db, "SELECT CAST(SUM(amount_cents) AS BIGINT) FROM vouchers").await, 2_000);
    assert!(answer(&stage, "gift", Ending::Discarded).await.is_some());
    // An average order of 10.00: 60 % are 6.00.
    let share = Stage::new(&test.db, "2024-07-05T09:00", &hands_out("percent(60)").replace("\"gift\"", "\"share\""), FREE);
    let second = share.tick("share").await;
    assert_eq!(told(&share, &[second]), ["share 2024-07-05 2 held rule_vouchers 1200 2 5 2024-07-06T00:00"]);
    // Tomorrow's budget is too small for it, too: only a person can help.
    let dear = Stage::new(&test.db, "2024-07-05T09:00", &hands_out("eur(20)").replace("\"gift\"", "\"dear\""), FREE);
    let third = dear.tick("dear").await;
    assert_eq!(told(&dear, std::slice::from_ref(&third)), ["dear 2024-07-05 0 held rule_vouchers 1200 0 7 2024-07-08T09:00"]);
    assert!(!third.held.unwrap().goes_on);
});

on_both!(rules_share_the_shops_limit_and_webhooks_count, |test| {
    people(&test.db, 1..=10).await;
    let hook = rule("b-hook", "").replace("email(\"win-back-plain\")", "webhook(\"crm\")");
    let settings = format!(
        "{FREE}messages_per_day = 15\n[[webhooks]]\nname = \"crm\"\nurl = \"https://crm.example/\"\nsecret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\""
    );
    let stage = Stage::new(&test.db, "2024-07-01T08:00", &[rule("a", ""), hook, rule("c", "")].concat(), &settings);
    at(&stage, "2024-07-01T08:30").await;
    assert_eq!(
        at(&stage, "2024-07-01T09:00").await,
        ["a 2024-07-01 10", "b-hook 2024-07-01 5 held shop_day 15 5 5 2024-07-02T00:00", "c 2024-07-01 0 held shop_day 15 0 10 2024-07-02T00:00"]
    );
    // What a person lets pass uses up the limit of the others all the same.
    let released = answer(&stage, "c", Ending::Released).await.unwrap();
    assert_eq!((released.ended_how, released.ended_by.as_deref()), (Some(Ending::Released), Some("Anna")));
    assert_eq!(at(&stage, "2024-07-01T09:01").await, ["c 2024-07-01 10"]);
    assert_eq!(number(&test.db, MESSAGES).await, 25);
    let next = at(&stage, "2024-07-02T00:00").await;
    assert_eq!(next, ["b-hook 2024-07-01 5"]);
});

/// Stops any write about this customer, as if the process ended there.
async fn crash_at(db: &Db, customer: i64) {
    let guard = match db {
        Db::Sqlite { .. } => {
            format!("CREATE TRIGGER stop BEFORE INSERT ON decisions WHEN NEW.customer_id = {customer} BEGIN SELECT RAISE(ABORT, 'crash'); END")
        }
        Db::Postgres(_) => format!("ALTER TABLE decisions ADD CONSTRAINT stop CHECK (customer_id <> {customer}) NOT VALID"),
    };
    execute(db, guard).await;
}

async fn mend(db: &Db) {
    let lift = match db {
        Db::Sqlite { .. } => "DROP TRIGGER stop",
        Db::Postgres(_) => "ALTER TABLE decisions DROP CONSTRAINT stop",
    };
    execute(db, lift.to_owned()).await;
}

on_both!(a_crash_between_pages_neither_passes_the_limit_nor_stops_before_it, |test| {
    people(&test.db, 1..=2_500).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, &rule("all", ".limit(1800, \"day\").control(10)"), FREE);
    crash_at(&test.db, 1_500).await;
    let lease = evaluate::lease(&stage.ctx, "test/1").await.unwrap().unwrap();
    let crashed = evaluate::tick(&stage.ctx, &stage.in_force.get(), "all", stage.ctx.clock.now(), &lease).await;
    assert!(matches!(crashed, Err(FlowError::Store(_))), "{crashed:?}");
    let first = number(&test.db, MESSAGES).await;
    assert_eq!(number(&test.db, "SELECT messages FROM ticks").await, first);
    assert_eq!(number(&test.db, "SELECT CAST(SUM(messages) AS BIGINT) FROM tallies").await, first);
    mend(&test.db).await;
    stage.set("2024-07-01T09:07");
    let reports = pass(&stage).await;
    let hold = reports[0].held.clone().unwrap();
    assert_eq!((number(&test.db, MESSAGES).await, hold.written, hold.goes_on), (1_800, 1_800, true));
    // The cursor stands before the first who waits, and whoever is decided is decided once.
    let decided = number(&test.db, "SELECT MAX(customer_id) FROM decisions").await;
    assert!((decided..2_500).contains(&number(&test.db, "SELECT cursor_customer_id FROM ticks").await));
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM decisions").await, decided);
    stage.set("2024-07-02T00:00");
    pass(&stage).await;
    assert_eq!(number(&test.db, "SELECT COUNT(DISTINCT customer_id) FROM decisions WHERE slot = 'arm'").await, 2_500);
    assert_eq!((number(&test.db, "SELECT COUNT(*) FROM decisions").await, number(&test.db, MESSAGES).await), (2_500, 1_800 + hold.waiting));
});

on_both!(whatever_happens_no_hour_and_no_day_gets_more_than_its_limit, |test| {
    people(&test.db, 1..=120).await;
    let text = rule("busy", ".cooldown(days(1)).limit(25, \"day\").limit(9, \"hour\")").replace("0 9 * * *", "0 */2 * * *");
    let other = rule("other", ".cooldown(days(1)).limit(70, \"day\")").replace("0 9 * * *", "30 */3 * * *");
    let stage = Stage::new(&test.db, "2024-10-26T20:00", &[text, other].concat(), &format!("{FREE}messages_per_day = 60\nmessages_per_hour = 20\n"));
    let mut dice = StdRng::seed_from_u64(41);
    for _ in 0..60 {
        let pause = dice.random_range(1..=200) * 60_000;
        stage.ctx.clock.set(stage.ctx.clock.now().plus(pause));
        let crashes = dice.random_ratio(1, 4);
        if crashes {
            crash_at(&test.db, dice.random_range(1..=120)).await;
        }
        let lease = evaluate::lease(&stage.ctx, "test/1").await.unwrap().unwrap();
        for due in trigger::due(&stage.ctx, &stage.in_force.get()).await.unwrap() {
            let ran = evaluate::tick(&stage.ctx, &stage.in_force.get(), &due.rule, due.tick_at, &lease).await;
            assert!(ran.is_ok() || crashes, "{ran:?}");
        }
        if crashes {
            mend(&test.db).await;
        }
    }
    let written = texts(&test.db, "SELECT rule || ' ' || CAST(created_at AS TEXT) FROM messages").await;
    let zone = stage.ctx.config.shop.zone();
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for (rule, at) in written.iter().filter_map(|line| line.split_once(' ')) {
        let at = UnixMs(at.parse().unwrap());
        let day = zone.date(at);
        // With the offset, so that the hour that comes twice is two.
        let local = zone.format(at);
        let hour = format!("{}{}", &local[..13], &local[local.len() - 6..]);
        for key in [format!("{rule} {day}"), format!("{rule} {hour}"), format!("all {day}"), format!("all {hour}")] {
            *counts.entry(key).or_default() += 1;
        }
    }
    let most = |rule: &str, length: usize| {
        let fits = |key: &&String| key.strip_prefix(rule).is_some_and(|when| when.len() == length + 1);
        counts.iter().filter(|(key, _)| fits(key)).map(|(_, count)| *count).max().unwrap()
    };
    // Each limit is reached and none is passed.
    assert_eq!((most("busy", 10), most("busy", 19), most("all", 10), most("all", 19)), (25, 9, 60, 20), "{counts:?}");
    let twice = "SELECT COUNT(*) FROM (SELECT 1 FROM messages GROUP BY customer_id, rule, occasion HAVING COUNT(*) > 1) AS twice";
    assert_eq!(number(&test.db, twice).await, 0);
});
