//! Held runs: a run of unusual size waits for a person, who lets it go on or discards it; and the opposite, a rule that has gone silent.

use stammgast::flow::backtest::backtest;
use stammgast::flow::{plan, watch};
use stammgast::model::hold::{Ending, Guard};
use stammgast::rules::crontab::Crontab;
use stammgast::store::holds;

use super::brake::{FREE, MESSAGES, answer, at, pass, rule, told};
use crate::common::shop::execute;
use crate::common::stage::{MONDAY_NINE, Stage, people};
use crate::store::{number, texts};

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
    assert_eq!(
        hold.sentence(stage.ctx.config.shop.zone(), "EUR"),
        "the run for 2024-07-01T09:00:00+02:00 would write 272 messages: up to 150 a day, of 300 customers, are let through; it waits for you until 2024-07-04T09:00:00+02:00, then the rest is discarded"
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
    let schedule = Crontab::parse("0 9 * * *").unwrap();
    let campaign = stage.in_force.get();
    let days = (from, "2024-05-28".parse().unwrap());
    let found = backtest(&stage.ctx, &campaign, "regular", days, &schedule, |_, _| {}).await.unwrap();
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

on_both!(an_upgrade_knows_what_was_usual_before, |test| {
    people(&test.db, 1..=9).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, &rule("old", ".cooldown(days(1)).control(30)"), FREE);
    stage.tick("old").await;
    stage.set("2024-07-02T09:00");
    stage.tick("old").await;
    stage.set("2024-07-02T09:01");
    stage.tick("old").await;
    let runs = "SELECT CAST(tick_at AS TEXT) || ' ' || CAST(messages AS TEXT) || ' ' || CAST(reached AS TEXT) FROM ticks ORDER BY tick_at";
    let before = texts(&test.db, runs).await;
    assert!(before[0].ends_with(" 9") && before[2].ends_with(" 0 0"), "{before:?}");
    // As a database was before there were guards.
    for statement in [
        "DROP TABLE holds",
        "DROP TABLE tallies",
        "ALTER TABLE ticks DROP COLUMN messages",
        "ALTER TABLE ticks DROP COLUMN reached",
        "DELETE FROM _sqlx_migrations WHERE version = 3",
    ] {
        execute(&test.db, statement.to_owned()).await;
    }
    assert_eq!(test.db.pending_migrations().await.unwrap(), 1);
    test.db.migrate().await.unwrap();
    assert_eq!(texts(&test.db, runs).await, before);
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
