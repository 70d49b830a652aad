//! The brake: a run stops before a limit, the rest waits, a person lets it go on or discards it.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use stammgast::base::time::{HOUR_MS, UnixMs};
use stammgast::flow::evaluate::{self, TickReport};
use stammgast::flow::{FlowError, brake, plan, trigger, watch};
use stammgast::model::hold::{Ending, Guard, Hold};
use stammgast::store::{Db, holds};

use crate::common::shop::execute;
use crate::common::stage::{MONDAY_NINE, Stage, people};
use crate::store::{number, texts};

/// A rule for everybody who has ordered.
fn rule(name: &str, more: &str) -> String {
    format!("rule(\"{name}\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\")){more};\n")
}

/// No cap, no guard of size: what is left are the limits.
const FREE: &str = "[policy]\ncap_messages = 0\n[guards]\nhold_percent = 0\nhold_factor = 0\n";

/// What the daemon does now: the reports of all runs that were due.
async fn pass(stage: &Stage) -> Vec<TickReport> {
    let mut reports = Vec::new();
    let lease = evaluate::lease(&stage.ctx, "test/1").await.unwrap().expect("nobody else decides");
    for due in trigger::due(&stage.ctx, &stage.in_force.get()).await.unwrap() {
        reports.push(evaluate::tick(&stage.ctx, &stage.in_force.get(), &due.rule, due.tick_at, &lease).await.unwrap());
    }
    lease.release(&stage.ctx).await.unwrap();
    reports
}

/// `rule date messages`, and where it is held `guard most written waiting until`.
fn told(stage: &Stage, reports: &[TickReport]) -> Vec<String> {
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
async fn at(stage: &Stage, time: &str) -> Vec<String> {
    stage.set(time);
    let reports = pass(stage).await;
    told(stage, &reports)
}

async fn answer(stage: &Stage, rule: &str, ending: Ending) -> Option<Hold> {
    brake::answer(&stage.ctx, rule, ending, "Anna").await.unwrap()
}

const MESSAGES: &str = "SELECT COUNT(*) FROM messages";

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

on_both!(a_run_to_most_customers_waits_for_a_person_before_anything_is_written, |test| {
    people(&test.db, 1..=300).await;
    let stage = Stage::new(&test.db, "2024-07-01T08:00", &rule("all", ".control(10)"), "");
    at(&stage, "2024-07-01T08:30").await;
    let planned = plan::plan(&stage.ctx, &stage.in_force.get(), "all", None).await.unwrap();
    let messages = planned.messages();
    let foreseen = planned.held.unwrap();
    assert_eq!((foreseen.after, foreseen.waiting, foreseen.barrier.guard, foreseen.barrier.most), (0, messages, Guard::Percent, 150));
    assert_eq!(at(&stage, "2024-07-01T09:00").await, [format!("all 2024-07-01 0 held percent 150 0 {messages} 2024-07-04T09:00")]);
    for table in ["decisions", "messages", "tallies"] {
        assert_eq!(number(&test.db, &format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
    assert_eq!(at(&stage, "2024-07-02T09:00").await, [""; 0], "no other run of the rule begins");
    let hold = &watch::held(&stage.ctx).await.unwrap()[0];
    insta::assert_snapshot!(
        hold.sentence(stage.ctx.config.shop.zone(), "EUR"),
        @"the run for 2024-07-01T09:00:00+02:00 would write 272 messages: up to 150 a day, of 300 customers, are let through; it waits for you until 2024-07-04T09:00:00+02:00, then the rest is discarded"
    );
    assert!(answer(&stage, "all", Ending::Released).await.is_some());
    assert!(answer(&stage, "all", Ending::Discarded).await.is_none(), "the second answer is too late");
    assert_eq!(at(&stage, "2024-07-02T09:05").await, [format!("all 2024-07-01 {messages}"), "all 2024-07-02 0".to_owned()]);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM decisions WHERE slot = 'arm'").await, 300);
});

on_both!(of_two_answers_at_once_one_counts, |test| {
    people(&test.db, 1..=120).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, &rule("all", ""), "");
    assert!(stage.tick("all").await.held.is_some());
    let (one, two) = tokio::join!(answer(&stage, "all", Ending::Released), answer(&stage, "all", Ending::Discarded));
    assert!(one.is_some() != two.is_some(), "{one:?} {two:?}");
    let finished = number(&test.db, "SELECT COUNT(*) FROM ticks WHERE finished_at IS NOT NULL").await;
    assert_eq!(finished, i64::from(two.is_some()));
    stage.set("2024-07-01T09:10");
    let written: usize = pass(&stage).await.iter().map(|report| report.messages).sum();
    assert_eq!(written, if one.is_some() { 120 } else { 0 });
});

on_both!(more_than_three_times_what_is_usual_waits_for_a_person, |test| {
    people(&test.db, 1..=10).await;
    let settings = "[policy]\ncap_messages = 0\n[guards]\nhold_from = 20\nhold_percent = 0\n";
    // Every hour, so that a day is many runs and one of them writes.
    let text = rule("regular", ".cooldown(days(1))").replace("0 9 * * *", "0 * * * *");
    let stage = Stage::new(&test.db, "2024-07-01T08:30", &text, settings);
    at(&stage, "2024-07-01T08:40").await;
    for day in 1..=5 {
        for hour in 9..12 {
            let expected = format!("regular 2024-07-0{day} {}", if hour == 9 { 10 } else { 0 });
            assert_eq!(at(&stage, &format!("2024-07-0{day}T{hour:02}:00")).await, [expected]);
        }
    }
    people(&test.db, 11..=29).await;
    assert_eq!(at(&stage, "2024-07-06T09:00").await, ["regular 2024-07-06 29"], "three times ten is let through");
    people(&test.db, 30..=31).await;
    assert_eq!(at(&stage, "2024-07-06T10:00").await, ["regular 2024-07-06 0 held norm 30 0 2 2024-07-09T10:00"], "what it wrote today counts");
    let hold = answer(&stage, "regular", Ending::Released).await.unwrap();
    assert_eq!((hold.barrier.norm, hold.barrier.today), (Some(10), 29));
    assert_eq!(at(&stage, "2024-07-06T10:01").await, ["regular 2024-07-06 2"]);
    // The norm has grown to 14 a day, as five days of ten and one of 31 make it.
    assert_eq!(at(&stage, "2024-07-07T10:00").await, ["regular 2024-07-07 31"]);
    people(&test.db, 32..=100).await;
    assert_eq!(at(&stage, "2024-07-08T10:00").await, ["regular 2024-07-08 0 held norm 48 0 100 2024-07-11T10:00"]);
    assert!(answer(&stage, "regular", Ending::Discarded).await.is_some());
    assert_eq!(at(&stage, "2024-07-08T10:30").await, [""; 0], "it is over");
    assert_eq!(at(&stage, "2024-07-08T11:00").await, ["regular 2024-07-08 0 held norm 48 0 100 2024-07-11T11:00"], "and the next one asks again");
    assert_eq!(number(&test.db, MESSAGES).await, 50 + 31 + 31);
});

on_both!(a_hold_that_nobody_answers_is_discarded_and_seen, |test| {
    people(&test.db, 1..=150).await;
    let stage = Stage::new(&test.db, "2024-07-01T08:00", &rule("all", ""), "[guards]\nhold_hours = 30\n");
    at(&stage, "2024-07-01T08:30").await;
    assert_eq!(at(&stage, "2024-07-01T09:00").await, ["all 2024-07-01 0 held percent 100 0 150 2024-07-02T15:00"]);
    assert_eq!(at(&stage, "2024-07-02T14:59").await, [""; 0]);
    // Its end is also the end of waiting for the run that was missed meanwhile, which asks again.
    assert_eq!(at(&stage, "2024-07-02T15:00").await, ["all 2024-07-02 0 held percent 100 0 150 2024-07-03T21:00"]);
    let ended = holds::ended(&mut test.db.read().await.unwrap(), 9).await.unwrap();
    assert_eq!((ended.len(), ended[0].ended_at, ended[0].ended_how), (1, Some(stage.moment("2024-07-02T15:00")), Some(Ending::Expired)));
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM ticks WHERE finished_at IS NOT NULL").await, 1);
    assert_eq!(number(&test.db, MESSAGES).await, 0);
    let patient = Stage::new(&test.db, "2024-07-03T09:00", &rule("patient", ""), "[guards]\nhold_hours = 0\n");
    assert_eq!(patient.tick("patient").await.held.unwrap().until, None);
    patient.set("2034-07-03T09:00");
    assert_eq!(watch::held(&patient.ctx).await.unwrap().iter().filter(|hold| hold.rule == "patient").count(), 1);
});

on_both!(a_person_lets_pass_the_version_that_they_saw, |test| {
    people(&test.db, 1..=150).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, &rule("all", ""), "");
    assert!(stage.tick("all").await.held.is_some());
    assert!(answer(&stage, "all", Ending::Released).await.is_some());
    let edited = Stage::new(&test.db, "2024-07-01T09:05", &rule("all", ".priority(1)"), "");
    let reports = pass(&edited).await;
    assert_eq!(told(&edited, &reports), ["all 2024-07-01 0 held percent 100 0 150 2024-07-04T09:05"]);
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

on_both!(a_run_too_large_for_memory_is_looked_at_before_it_is_written_too, |test| {
    people(&test.db, 1..=6_500).await;
    let written = async |percent: u32| {
        let settings = format!("[guards]\nhold_percent = {percent}\n");
        let name = format!("p{percent}");
        let stage = Stage::new(
            &test.db,
            MONDAY_NINE,
            &rule(&name, ".once_per(\"day\").limit(6200, \"day\")"),
            &format!("{settings}[policy]\ncap_messages = 0\n"),
        );
        let report = stage.tick(&name).await;
        (report.messages, report.held.map(|hold| (hold.barrier.guard, hold.barrier.most, hold.waiting)))
    };
    assert_eq!(written(99).await, (0, Some((Guard::Percent, 6_435, 6_500))));
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM decisions").await, 0);
    assert_eq!(written(100).await, (6_200, Some((Guard::RuleDay, 6_200, 300))), "a guard that nothing can pass");
});

on_both!(a_large_run_of_usual_size_is_written_whole, |test| {
    people(&test.db, 1..=6_500).await;
    // Every tenth is not written to, so that the size is a question.
    execute(&test.db, "DELETE FROM consents WHERE customer_id % 10 = 0".to_owned()).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, &rule("most", ""), "[guards]\nhold_percent = 90\n");
    let report = stage.tick("most").await;
    assert_eq!((report.messages, report.proposed, report.held), (5_850, 6_500, None));
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM decisions").await, 6_500);
});

on_both!(a_replay_names_the_runs_that_the_daemon_holds, |test| {
    people(&test.db, 1..=10).await;
    let settings = "[policy]\ncap_messages = 0\n[guards]\nhold_from = 5\nhold_percent = 0\n";
    let text = rule("regular", ".cooldown(days(1)).limit(30, \"day\").control(10)").replace("c.orders >= 1", "c.recency_days <= 40");
    let stage = Stage::new(&test.db, "2024-05-10T08:00", &text, settings);
    at(&stage, "2024-05-10T08:30").await;
    // On 20 May, after the run, many more order.
    people(&test.db, 11..=60).await;
    execute(&test.db, "UPDATE orders SET ordered_at = ordered_at + 19 * 86400000 WHERE customer_id > 10".to_owned()).await;
    let from: chrono::NaiveDate = "2024-05-11".parse().unwrap();
    let schedule = stammgast::rules::crontab::Crontab::parse("0 9 * * *").unwrap();
    let campaign = stage.in_force.get();
    let days = (from, "2024-05-28".parse().unwrap());
    let found = stammgast::flow::backtest::backtest(&stage.ctx, &campaign, "regular", days, &schedule, |_, _| {}).await.unwrap();
    let mut held = Vec::new();
    for date in from.iter_days().take(18) {
        stage.set(&format!("{date}T09:00"));
        let mut first = true;
        // A person lets each run go on at once, whatever holds it.
        while let Some(hold) = pass(&stage).await.into_iter().find_map(|report| report.held) {
            held.extend(std::mem::take(&mut first).then(|| format!("{date} {} {} {}", hold.barrier.guard.code(), hold.barrier.most, hold.written)));
            assert!(answer(&stage, "regular", Ending::Released).await.is_some());
        }
    }
    let named: Vec<String> = found
        .held
        .iter()
        .map(|run| {
            format!(
                "{} {} {} {}",
                stage.ctx.config.shop.zone().date(run.at),
                run.foreseen.barrier.guard.code(),
                run.foreseen.barrier.most,
                run.foreseen.after
            )
        })
        .collect();
    assert_eq!(named, held);
    assert!(named.len() > 2 && named[0].contains("2024-05-21 norm") && named.iter().any(|line| line.contains("rule_day 30 30")), "{named:?}");
    let logged =
        "SELECT CAST(d.tick_at AS TEXT) || ' ' || c.external_id || ' ' || d.verdict FROM decisions d JOIN customers c ON c.id = d.customer_id
                  WHERE d.slot = 'arm' ORDER BY d.tick_at, c.id";
    let zone = stage.ctx.config.shop.zone();
    let replayed: Vec<String> = found
        .people
        .iter()
        .map(|one| format!("{} {} {}", zone.parse_time(&format!("{}T09:00", one.date)).unwrap().0, one.customer, one.verdict))
        .collect();
    assert_eq!(replayed, texts(&test.db, logged).await);
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

on_both!(a_rule_that_reaches_nobody_for_long_is_silent, |test| {
    people(&test.db, 1..=2).await;
    let rules = [rule("daily", ".cooldown(days(1))"), rule("named", ".cooldown(days(1))").replace(".every(\"0 9 * * *\")", "")].concat();
    let stage = Stage::new(&test.db, "2024-07-01T08:00", &rules, FREE);
    at(&stage, "2024-07-01T08:30").await;
    for day in 1..=6 {
        at(&stage, &format!("2024-07-0{day}T09:00")).await;
        stage.tick("named").await;
    }
    execute(&test.db, "DELETE FROM consents".to_owned()).await;
    let mut silent = Vec::new();
    for day in 7..=12 {
        at(&stage, &format!("2024-07-{day:02}T09:00")).await;
        let found = watch::silent(&stage.ctx, &stage.in_force.get()).await.unwrap();
        silent.extend(found.iter().map(|found| format!("{day} {} {}", found.rule, found.sentence())));
    }
    let said = |days: u32| format!("{} daily reached nobody since 2024-07-06, {days} days ago; usually it does every day", 6 + days);
    assert_eq!(silent, [said(5), said(6)], "a rule without a schedule is not waited for");
});
