//! Runs of rules: which are due, each once, through crashes, clock changes and second daemons.

use std::fmt::Write as _;

use stammgast::base::clock::Clock;
use stammgast::flow::share::Round;
use stammgast::flow::{FlowError, evaluate, trigger};
use stammgast::store::leases;

use crate::common::shop::execute;
use crate::common::stage::{MONDAY_NINE, Stage, people};
use crate::store::number;

fn rule(name: &str, more: &str) -> String {
    format!("rule(\"{name}\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\")){more};\n")
}

on_both!(a_run_happens_once_for_its_moment, |test| {
    people(&test.db, 1..=3).await;
    let stage = Stage::new(&test.db, "2024-07-01T08:59", &rule("daily", ".every(\"0 9 * * *\")"), "");
    assert_eq!(stage.run_due().await, [""; 0]);
    stage.set("2024-07-01T09:00");
    assert_eq!(stage.run_due().await, ["daily 2024-07-01T09:00"]);
    assert_eq!(stage.run_due().await, [""; 0]);
    stage.set("2024-07-01T09:20");
    assert_eq!(stage.due().await, [""; 0]);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM ticks").await, 1);
    let report = stage.tick("daily").await;
    assert_eq!((report.already_ran, report.messages), (false, 0), "another moment, the same occasion");
    assert!(stage.tick("daily").await.already_ran);
});

on_both!(missed_runs_are_made_up_for_as_the_rule_says, |test| {
    let hourly = |word: &str| rule(word, &format!(".every(\"0 * * * *\").missed(\"{word}\")"));
    let stage = Stage::new(&test.db, "2024-07-01T08:30", &["once", "skip", "all"].map(hourly).concat(), "");
    assert_eq!(stage.run_due().await, [""; 0], "the rules are new");
    stage.set("2024-07-01T11:30");
    assert_eq!(stage.run_due().await, ["all 2024-07-01T09:00", "all 2024-07-01T10:00", "all 2024-07-01T11:00", "once 2024-07-01T11:00"]);
    stage.set("2024-07-01T12:05");
    assert_eq!(stage.run_due().await, ["all 2024-07-01T12:00", "once 2024-07-01T12:00", "skip 2024-07-01T12:00"], "five minutes are not missed");
    stage.set("2024-07-04T12:30");
    let due = stage.due().await;
    assert_eq!(due.len(), 24 + 1, "what is older than a day is over: {due:?}");
});

on_both!(a_new_or_edited_rule_makes_up_for_nothing, |test| {
    let daily = |hour: &str| rule("daily", &format!(".every(\"0 {hour} * * *\").missed(\"all\")"));
    let stage = Stage::new(&test.db, "2024-07-01T10:00", &daily("9"), "");
    assert_eq!(stage.due().await, [""; 0], "new");
    stage.set("2024-07-02T09:30");
    assert_eq!(stage.run_due().await, ["daily 2024-07-02T09:00"]);
    let edited = Stage::new(&test.db, "2024-07-02T15:00", &daily("14"), "");
    assert_eq!(edited.due().await, [""; 0], "edited");
    edited.set("2024-07-03T14:00");
    assert_eq!(edited.run_due().await, ["daily 2024-07-03T14:00"]);
});

on_both!(a_clock_that_jumps_back_repeats_no_run, |test| {
    people(&test.db, 1..=1).await;
    let stage = Stage::new(&test.db, "2024-07-01T08:30", &rule("hourly", ".every(\"0 * * * *\").cooldown(days(1))"), "");
    stage.run_due().await;
    let mut ran = String::new();
    for at in ["09:00", "10:00", "11:00", "08:40", "09:00", "10:00", "10:30", "11:00", "12:00"] {
        stage.set(&format!("2024-07-01T{at}"));
        write!(ran, "{at}:{} ", stage.run_due().await.len()).unwrap();
    }
    assert_eq!(ran, "09:00:1 10:00:1 11:00:1 08:40:0 09:00:0 10:00:0 10:30:0 11:00:0 12:00:1 ");
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM messages").await, 1);
});

on_both!(a_run_of_the_future_stops_no_schedule, |test| {
    let daily = rule("daily", ".every(\"0 9 * * *\")");
    let stage = Stage::new(&test.db, "2024-07-01T08:00", &daily, "");
    stage.run_due().await;
    stage.set("2034-01-01T09:00");
    stage.tick("daily").await;
    stage.set("2024-07-01T09:00");
    assert_eq!(stage.run_due().await, ["daily 2024-07-01T09:00"]);
    // A version that was first seen by a clock ten years ahead, and the machine's clock, which is right.
    let far = Clock::System.now().plus(10 * 365 * 86_400_000);
    execute(&test.db, format!("UPDATE rule_states SET changed_at = {}", far.0)).await;
    let mut real = Stage::new(&test.db, "2024-07-01T09:00", &daily, "");
    real.ctx.clock = Clock::System;
    real.due().await;
    assert!(number(&test.db, "SELECT changed_at FROM rule_states").await <= Clock::System.now().0);
});

on_both!(rules_of_one_moment_run_by_priority_then_name, |test| {
    let rules = [("b", ""), ("a", ""), ("z", ".priority(5)")].map(|(name, more)| rule(name, &format!(".every(\"0 9 * * *\"){more}"))).concat();
    let stage = Stage::new(&test.db, "2024-07-01T08:00", &rules, "");
    stage.run_due().await;
    stage.set(MONDAY_NINE);
    assert_eq!(stage.run_due().await, ["z 2024-07-01T09:00", "a 2024-07-01T09:00", "b 2024-07-01T09:00"]);
});

on_both!(an_interrupted_run_goes_on_where_it_was, |test| {
    people(&test.db, 1..=2_500).await;
    let stage = Stage::new(
        &test.db,
        "2024-07-01T08:00",
        &rule("daily", ".every(\"0 9 * * *\").control(10).goal(\"order\", days(9))"),
        "[guards]\nhold_percent = 0",
    );
    stage.run_due().await;
    stage.set(MONDAY_NINE);
    // The first page is decided, the second cannot be written: as if the process ended there.
    let guard = match &test.db {
        stammgast::store::Db::Sqlite { .. } => {
            "CREATE TRIGGER stop BEFORE INSERT ON decisions WHEN NEW.customer_id = 1500 BEGIN SELECT RAISE(ABORT, 'crash'); END"
        }
        stammgast::store::Db::Postgres(_) => "ALTER TABLE decisions ADD CONSTRAINT stop CHECK (customer_id <> 1500)",
    };
    execute(&test.db, guard.to_owned()).await;
    let lease = evaluate::lease(&stage.ctx, "test/1").await.unwrap().unwrap();
    let crashed = evaluate::tick(&stage.ctx, &stage.in_force.get(), "daily", stage.ctx.clock.now(), &lease).await;
    assert!(matches!(crashed, Err(FlowError::Store(_))), "{crashed:?}");
    let decided = "SELECT COUNT(*) FROM decisions";
    assert_eq!((number(&test.db, decided).await, number(&test.db, "SELECT cursor_customer_id FROM ticks").await), (1_000, 1_000));
    let lift = match &test.db {
        stammgast::store::Db::Sqlite { .. } => "DROP TRIGGER stop",
        stammgast::store::Db::Postgres(_) => "ALTER TABLE decisions DROP CONSTRAINT stop",
    };
    execute(&test.db, lift.to_owned()).await;
    stage.set("2024-07-01T09:07");
    assert_eq!(stage.due().await, ["daily 2024-07-01T09:00"], "found although its moment is not new");
    let lease = evaluate::lease(&stage.ctx, "test/1").await.unwrap().unwrap();
    let report = evaluate::tick(&stage.ctx, &stage.in_force.get(), "daily", stage.moment(MONDAY_NINE), &lease).await.unwrap();
    assert_eq!((report.proposed, number(&test.db, decided).await), (1_500, 2_500));
    assert_eq!(number(&test.db, "SELECT COUNT(DISTINCT customer_id) FROM decisions WHERE slot = 'arm'").await, 2_500, "everybody once");
    assert_eq!(stage.due().await, [""; 0]);
});

on_both!(one_daemon_decides_and_who_lost_its_lease_writes_nothing_more, |test| {
    people(&test.db, 1..=5).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, &rule("r", ""), "");
    let lease = |who: &'static str| evaluate::lease(&stage.ctx, who);
    let first = lease("berlin/1").await.unwrap().unwrap();
    assert!(lease("hamburg/1").await.unwrap().is_none(), "held");
    assert!(lease("berlin-2/1").await.unwrap().is_none(), "another name that begins alike");
    execute(&test.db, format!("UPDATE leases SET until = {}", Clock::System.now().plus(-1).0)).await;
    let second = lease("hamburg/1").await.unwrap().expect("expired");
    let late = evaluate::tick(&stage.ctx, &stage.in_force.get(), "r", stage.ctx.clock.now(), &first).await;
    assert!(matches!(late, Err(FlowError::LeaseLost)), "{late:?}");
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM decisions").await, 0);
    let report = evaluate::tick(&stage.ctx, &stage.in_force.get(), "r", stage.ctx.clock.now(), &second).await.unwrap();
    assert_eq!((report.messages, report.already_ran), (5, false));
    first.release(&stage.ctx).await.unwrap();
    assert!(lease("berlin/1").await.unwrap().is_none(), "who lost it gives nothing back");
    second.release(&stage.ctx).await.unwrap();
    lease("berlin/1").await.unwrap().expect("free");
    lease("berlin/2").await.unwrap().expect("a daemon that starts again takes up what its name left");
});

on_both!(a_lease_that_ran_out_is_not_prolonged, |test| {
    let mut tx = test.db.write().await.unwrap();
    let now = Clock::System.now();
    assert!(leases::take(&mut tx, "x", "a/1", now.plus(10), now).await.unwrap());
    assert!(leases::renew(&mut tx, "x", "a/1", now.plus(20), now.plus(9)).await.unwrap());
    assert!(!leases::renew(&mut tx, "x", "a/1", now.plus(40), now.plus(20)).await.unwrap());
    assert!(!leases::renew(&mut tx, "x", "b/1", now.plus(40), now.plus(1)).await.unwrap());
});

on_both!(a_condition_that_names_a_fact_only_as_it_goes_is_asked_about_the_whole_customer, |test| {
    people(&test.db, 1..=1_100).await;
    execute(&test.db, "UPDATE customers SET first_name = NULL WHERE id % 2 = 0".to_owned()).await;
    let dynamic =
        "rule(\"named\").basis(\"consent\").when(|c| { let which = \"first\" + \"_name\"; c.has(which) }).send(|c| email(\"win-back-plain\"));";
    let stage = Stage::new(&test.db, MONDAY_NINE, dynamic, "[guards]\nhold_percent = 0");
    let report = stage.tick("named").await;
    assert_eq!((report.proposed, report.failed), (550, 0));
});

on_both!(rules_of_the_same_moment_that_share_a_walk_decide_what_each_decides_alone, |test| {
    people(&test.db, 1..=1_050).await;
    execute(&test.db, "UPDATE customers SET first_name = NULL WHERE id % 3 = 0".to_owned()).await;
    let mut rules = String::new();
    // Told by the database, told by the interpreter, everybody's, about what the others write, failing, about the history.
    for (number, condition) in (0..12)
        .map(|number| format!("c.revenue_rank <= {} && c.has(\"first_name\")", 1_250 - 100 * number))
        .chain(
            ["(c.orders + 1) % 2 == 0", "true", "c.emails_in(days(7)) == 0", "10 / (c.orders - 1) > 0", "c.orders_in(days(3650)) >= 1"]
                .map(str::to_owned),
        )
        .enumerate()
    {
        let rule =
            format!("rule(\"r{number:02}\").basis(\"consent\").every(\"0 9 * * *\").when(|c| {condition}).send(|c| email(\"win-back-plain\"))");
        writeln!(rules, "{rule}.priority({});", number % 3).unwrap();
    }
    let settings = "[guards]\nhold_percent = 0\n[policy]\ncap_messages = 3\ncap_days = 7\n[rules]\npause_after_failures = 0";
    let stage = Stage::new(&test.db, "2024-07-01T08:59", &rules, settings);
    stage.run_due().await;
    stage.set(MONDAY_NINE);
    assert_eq!(stage.run_due().await.len(), 17);
    let together = stage.decisions().await;
    assert!(together.len() > 5_000, "{}", together.len());
    for table in ["messages", "vouchers", "decisions", "tallies", "ticks"] {
        execute(&test.db, format!("DELETE FROM {table}")).await;
    }
    let mut alone: Vec<(u8, String)> = (0..17_u8).map(|number| (number, format!("r{number:02}"))).collect();
    alone.sort_by_key(|(number, rule)| (2 - number % 3, rule.clone()));
    for (_, rule) in alone {
        stage.tick(&rule).await;
    }
    assert_eq!(stage.decisions().await, together);
});

on_both!(rules_of_the_same_moment_walk_once_and_later_ones_meet_the_people_of_that_walk, |test| {
    people(&test.db, 1..=4).await;
    execute(&test.db, "UPDATE customers SET first_name = NULL WHERE id > 2".to_owned()).await;
    let clauses = |number: i32| rule(&format!("r{number:02}"), ".every(\"0 9 * * *\")").replace("c.orders >= 1", "c.has(\"first_name\")");
    for (rules, met_by_the_last) in [(12, 2), (2, 4)] {
        for table in ["messages", "decisions", "tallies", "ticks", "rule_states"] {
            execute(&test.db, format!("DELETE FROM {table}")).await;
        }
        execute(&test.db, "UPDATE customers SET first_name = NULL WHERE id > 2".to_owned()).await;
        let text: String = (0..rules).map(clauses).collect();
        let stage = Stage::new(&test.db, "2024-07-01T08:59", &text, "[guards]\nhold_percent = 0\n[policy]\ncap_messages = 0");
        stage.run_due().await;
        stage.set(MONDAY_NINE);
        let campaign = stage.in_force.get();
        let mut round = Round::of(trigger::due(&stage.ctx, &campaign).await.unwrap());
        let lease = evaluate::lease(&stage.ctx, "test/1").await.unwrap().unwrap();
        assert_eq!(round.next(&stage.ctx, &campaign, &lease).await.unwrap().unwrap().proposed, 2);
        execute(&test.db, "UPDATE customers SET first_name = 'Late' WHERE id > 2".to_owned()).await;
        let mut last = 0;
        while let Some(report) = round.next(&stage.ctx, &campaign, &lease).await.unwrap() {
            last = report.proposed;
        }
        // Twelve rules share; two look for themselves, and the second meets those who came in between.
        assert_eq!(last, met_by_the_last, "{rules} rules");
    }
});
