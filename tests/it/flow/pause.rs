//! The brake: rules that a person paused, and rules that fail too often and pause themselves.

use std::time::Duration;

use stammgast::flow::{pause, plan};
use stammgast::model::pause::Pause;

use super::backtest::{logged, replay, replayed};
use crate::common::databases::TestDb;
use crate::common::shop::execute;
use crate::common::smtp::{Manners, SmtpSink};
use crate::common::stage::{MONDAY_NINE, Stage, people, to_sink};
use crate::store::{number, texts};

fn rule(more: &str) -> String {
    format!("rule(\"daily\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\")){more};\n")
}

const EVERY_MORNING: &str = ".every(\"0 9 * * *\")";

/// Writes to customers whose number has fewer digits, fails for the others: nobody has a tag.
fn fails_from(digits: usize, more: &str) -> String {
    let action =
        format!(".send(|c| if c.id.len() < {digits} {{ email(\"win-back-plain\") }} else {{ email(\"win-back-plain\", #{{ tag: c.tags[0] }}) }})");
    format!("rule(\"daily\").basis(\"consent\").when(|c| c.orders >= 1){action}{more};\n")
}

async fn halt(stage: &Stage) -> pause::AfterPause {
    pause::pause(&stage.ctx, "daily", "anna", "the voucher is wrong", false).await.unwrap()
}

async fn resume(stage: &Stage) -> pause::AfterPause {
    pause::resume(&stage.ctx, "daily", "ben", false).await.unwrap()
}

/// `slot count`, by slot.
async fn slots(test: &TestDb) -> Vec<String> {
    texts(&test.db, "SELECT slot || ' ' || CAST(COUNT(*) AS TEXT) FROM decisions GROUP BY slot ORDER BY slot").await
}

on_both!(a_paused_rule_begins_no_run_and_what_it_missed_is_not_made_up_for, |test| {
    people(&test.db, 1..=3).await;
    let stage = Stage::new(&test.db, "2024-07-01T08:00", &rule(&format!("{EVERY_MORNING}.missed(\"all\")")), "");
    stage.run_due().await;
    let after = halt(&stage).await;
    assert_eq!((after.changed, after.run, after.open.waiting), (true, None, 0));
    stage.set("2024-07-01T09:30");
    assert_eq!(stage.due().await, [""; 0]);
    let named = stage.tick("daily").await;
    let paused = named.paused.expect("told");
    assert_eq!((paused.by.as_str(), paused.reason.as_str(), paused.by_itself()), ("anna", "the voucher is wrong", false));
    assert_eq!((named.messages, number(&test.db, "SELECT COUNT(*) FROM ticks").await), (0, 0));
    assert!(!halt(&stage).await.changed, "once is enough");
    let again = Stage::new(&test.db, "2024-07-01T10:00", &rule(&format!("{EVERY_MORNING}.missed(\"all\").priority(1)")), "");
    assert_eq!(again.due().await, [""; 0], "a new version does not end a person's pause");
    let over = resume(&again).await;
    assert_eq!((over.changed, over.pause.map(|pause| pause.by)), (true, Some("anna".to_owned())));
    assert!(!resume(&again).await.changed, "there is none any more");
    assert_eq!(again.due().await, [""; 0], "missed is missed");
    again.set("2024-07-02T09:05");
    assert_eq!(again.run_due().await, ["daily 2024-07-02T09:00"]);
    let kept = "SELECT paused_by || ' ' || resumed_by FROM rule_pauses";
    assert_eq!(texts(&test.db, kept).await, ["anna ben"], "those that are over are kept");
});

/// Somebody pauses the rule while the page with this customer is written.
async fn paused_at(test: &TestDb, customer: i64) {
    let insert = "INSERT INTO rule_pauses (id, rule, paused_at, paused_by, reason) VALUES (7, 'daily', 0, 'anna', '') ON CONFLICT DO NOTHING";
    let statements: &[String] = match &test.db {
        stammgast::store::Db::Sqlite { .. } => {
            &[format!("CREATE TRIGGER brake AFTER INSERT ON decisions WHEN NEW.customer_id = {customer} BEGIN {insert}; END")]
        }
        stammgast::store::Db::Postgres(_) => &[
            format!("CREATE FUNCTION brake() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert}; RETURN NEW; END $$"),
            format!("CREATE TRIGGER brake AFTER INSERT ON decisions FOR EACH ROW WHEN (NEW.customer_id = {customer}) EXECUTE FUNCTION brake()"),
        ],
    };
    for statement in statements {
        execute(&test.db, statement.clone()).await;
    }
}

on_both!(a_run_under_way_stops_at_its_next_page_and_goes_on_after_the_pause, |test| {
    people(&test.db, 1..=2_500).await;
    let stage = Stage::new(&test.db, "2024-07-01T08:00", &rule(EVERY_MORNING), "[guards]\nhold_percent = 0");
    stage.run_due().await;
    paused_at(test, 700).await;
    stage.set(MONDAY_NINE);
    let report = stage.tick("daily").await;
    assert_eq!((report.messages, report.paused.map(|pause| pause.by)), (1_000, Some("anna".to_owned())));
    assert_eq!(stage.due().await, [""; 0]);
    stage.set("2024-07-01T20:00");
    assert_eq!(resume(&stage).await.run, Some(stage.moment(MONDAY_NINE)));
    assert_eq!(stage.run_due().await, ["daily 2024-07-01T09:00"]);
    assert_eq!(number(&test.db, "SELECT COUNT(DISTINCT customer_id) FROM messages").await, 2_500);
});

on_both!(a_run_that_was_interrupted_more_than_a_day_ago_ends_there, |test| {
    people(&test.db, 1..=1_200).await;
    let stage = Stage::new(&test.db, "2024-07-01T08:00", &rule(EVERY_MORNING), "[guards]\nhold_percent = 0");
    stage.run_due().await;
    paused_at(test, 700).await;
    stage.set(MONDAY_NINE);
    assert!(stage.tick("daily").await.paused.is_some());
    stage.set("2024-07-02T09:01");
    assert_eq!(resume(&stage).await.run, None);
    assert_eq!(stage.due().await, [""; 0]);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM ticks WHERE finished_at IS NULL").await, 0);
    stage.set("2024-07-03T09:00");
    assert_eq!(stage.run_due().await, ["daily 2024-07-03T09:00"]);
    assert_eq!(number(&test.db, "SELECT COUNT(DISTINCT customer_id) FROM messages").await, 1_200, "whom it had not come to");
});

on_both!(messages_of_a_paused_rule_wait_and_those_of_others_leave, |test| {
    people(&test.db, 1..=4).await;
    let sink = SmtpSink::start().await;
    let both = format!("{}{}", rule(""), rule("").replace("daily", "other"));
    let stage = Stage::new(&test.db, MONDAY_NINE, &both, &to_sink(&sink));
    stage.tick("daily").await;
    stage.tick("other").await;
    let after = halt(&stage).await;
    assert_eq!((after.open.waiting, after.open.on_the_way, after.open.oldest_at), (4, 0, Some(stage.ctx.clock.now())));
    assert_eq!((stage.drain().await.sent, stage.drain().await.idle()), (4, true));
    assert_eq!(texts(&test.db, "SELECT DISTINCT rule || ' ' || state FROM deliveries ORDER BY 1").await, ["daily queued", "other sent"]);
    resume(&stage).await;
    assert_eq!((stage.drain().await.sent, sink.messages().len()), (4, 8));
});

on_both!(discarded_messages_are_cancelled_in_sight_and_nothing_comes_after_them, |test| {
    people(&test.db, 1..=3).await;
    let sink = SmtpSink::start().await;
    let stage = Stage::new(&test.db, MONDAY_NINE, &rule(".cooldown(days(30))"), &to_sink(&sink));
    stage.tick("daily").await;
    let not_paused = pause::resume(&stage.ctx, "daily", "ben", true).await.unwrap();
    assert_eq!((not_paused.changed, not_paused.discarded), (false, 0), "what runs is not emptied by the way");
    halt(&stage).await;
    let discarded = pause::pause(&stage.ctx, "daily", "anna", "", true).await.unwrap();
    assert_eq!((discarded.changed, discarded.discarded, discarded.open.waiting), (false, 3, 0));
    assert_eq!(stage.messages().await, ["1 cancelled 0 -", "2 cancelled 0 -", "3 cancelled 0 -"]);
    assert_eq!(texts(&test.db, "SELECT DISTINCT reply FROM deliveries").await, ["discarded while its rule was paused"]);
    resume(&stage).await;
    stage.set("2024-07-02T09:00");
    assert_eq!((stage.tick("daily").await.messages, stage.drain().await.sent, sink.messages().len()), (0, 0, 0));
});

on_both!(messages_that_a_daemon_has_claimed_stop_within_a_second_or_so, |test| {
    people(&test.db, 1..=100).await;
    let sink = SmtpSink::with(Manners { pause: Duration::from_millis(30), ..Manners::default() }).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, &rule(""), &to_sink(&sink));
    stage.tick("daily").await;
    let braking = async {
        while sink.messages().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        halt(&stage).await
    };
    let (report, after) = tokio::join!(stage.drain(), braking);
    assert!(after.open.on_the_way > 50, "claimed all at once: {after:?}");
    let sent = usize::try_from(report.sent).unwrap();
    assert!((1..100).contains(&sent) && sink.messages().len() == sent, "{report:?}");
    let queued = "SELECT COUNT(*) FROM deliveries WHERE state = 'queued' AND attempts = 0 AND lease_owner IS NULL";
    assert_eq!(number(&test.db, queued).await, 100 - report.sent.cast_signed());
    assert_eq!((report.cancelled, report.in_doubt, report.relay_fault), (0, 0, None));
    resume(&stage).await;
    stage.drain().await;
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM deliveries WHERE state = 'sent'").await, 100);
    assert_eq!(sink.messages().len(), 100, "each once");
});

on_both!(a_rule_that_fails_too_often_stops_pauses_itself_and_reaches_everybody_later, |test| {
    people(&test.db, 900..=1_100).await;
    let sink = SmtpSink::start().await;
    let limited = format!("[guards]\nhold_percent = 0\n[rules]\npause_after_failures = 50\n{}", to_sink(&sink));
    let stage = Stage::new(&test.db, "2024-07-01T08:00", &fails_from(4, EVERY_MORNING), &limited);
    stage.run_due().await;
    stage.set(MONDAY_NINE);
    let report = stage.tick("daily").await;
    let own = report.paused.expect("paused");
    assert!(own.by_itself() && own.reason.starts_with("failed for 101 customers in one run, e.g.: test.rhai:1:"), "{own:?}");
    assert_eq!((report.failed, report.messages), (101, 0));
    assert_eq!(slots(test).await, ["rule_failed 101"], "of the page in which it stopped, the failures only");
    assert_eq!((stage.due().await, stage.tick("daily").await.paused.is_some()), (vec![], true));

    // The same version goes on only when a person says so, and fails again.
    resume(&stage).await;
    assert_eq!(stage.run_due().await, ["daily 2024-07-01T09:00"]);
    assert_eq!(number(&test.db, "SELECT COUNT(*) FROM rule_pauses WHERE resumed_at IS NULL").await, 1);

    let mended = Stage::new(&test.db, "2024-07-01T11:00", &rule(EVERY_MORNING), &limited);
    assert_eq!(mended.run_due().await, ["daily 2024-07-01T09:00"], "the new version goes on with the run");
    assert_eq!(slots(test).await, ["arm 201", "rule_failed 101"], "everybody, also those for whom it had failed");
    let over = "SELECT resumed_by FROM rule_pauses ORDER BY id";
    assert_eq!(texts(&test.db, over).await, ["ben", "a new version"]);
    assert_eq!((mended.drain().await.sent, sink.messages().len()), (201, 201));
});

on_both!(failures_below_the_limit_refuse_their_customers_only, |test| {
    people(&test.db, 1..=30).await;
    for (limit, paused) in [(22, false), (0, false), (21, true)] {
        let settings = format!("[rules]\npause_after_failures = {limit}");
        let stage = Stage::new(&test.db, &format!("2024-07-01T09:{limit:02}"), &fails_from(2, ""), &settings);
        let report = stage.tick("daily").await;
        assert_eq!((report.failed, report.paused.is_some()), (21, paused), "{limit}");
    }
    assert_eq!(slots(test).await, ["arm 9", "cooldown 9", "rule_failed 21"]);
});

on_both!(a_rule_that_fails_for_everybody_it_comes_to_pauses_itself_at_once, |test| {
    people(&test.db, 1..=2).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, &fails_from(0, ""), "");
    assert_eq!(stage.tick("daily").await.paused, None, "two are too few to tell");
    people(&test.db, 3..=3).await;
    stage.set("2024-07-01T09:01");
    let own = stage.tick("daily").await.paused.expect("paused");
    assert!(own.reason.starts_with("failed for all 3 customers that it came to, e.g.: "), "{own:?}");

    let condition = rule("").replace("c.orders >= 1", "c.tags[0] == \"vip\"");
    let stage = Stage::new(&test.db, "2024-07-01T09:02", &condition, "");
    assert_eq!(stage.due().await, ["daily 2024-07-01T09:01"], "the last pause ended with the last version");
    assert!(stage.tick("daily").await.paused.is_some(), "a condition that fails counts as well");
});

on_both!(a_persons_pause_takes_the_place_of_the_rules_own, |test| {
    people(&test.db, 1..=3).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, &fails_from(0, EVERY_MORNING), "");
    assert!(stage.tick("daily").await.paused.is_some());
    assert!(halt(&stage).await.changed);
    let mended = Stage::new(&test.db, "2024-07-01T09:30", &rule(EVERY_MORNING), "");
    assert_eq!(mended.due().await, [""; 0]);
    let open: Vec<Pause> = pause::all(&mended.ctx).await.unwrap();
    assert_eq!(open.iter().map(|pause| (pause.rule.as_str(), pause.by.as_str(), pause.by_itself())).collect::<Vec<_>>(), [("daily", "anna", false)]);
    resume(&mended).await;
    assert_eq!(mended.run_due().await, ["daily 2024-07-01T09:00"], "the run that had stopped");
});

/// From 3 July on the one fails for customers from 1500 on, by its action, the other for everybody, by its condition.
const FAILING: &str = "
    rule(\"daily\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.revenue > 6).once_per(\"day\").control(20)
        .send(|c| if c.recency_days >= 63 && c.id.len() == 4 && c.id >= \"1500\" { email(\"win-back-plain\", #{ tag: c.tags[0] }) } else { email(\"win-back-plain\") });
    rule(\"broken\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.revenue > 6 && (c.recency_days < 63 || c.tags[0] == \"a\")).once_per(\"day\")
        .send(|c| email(\"win-back-plain\"));";

on_both!(a_replay_and_a_plan_end_where_the_daemon_lets_the_rule_pause_itself, |test| {
    people(&test.db, 1..=2_600).await;
    // Pages of a run begin with whoever the condition is true for, and hold those whom a gate stops.
    execute(&test.db, "UPDATE orders SET revenue_cents = 500 WHERE customer_id % 7 = 0".to_owned()).await;
    execute(&test.db, "DELETE FROM consents WHERE customer_id % 3 = 0".to_owned()).await;
    let settings = "[rules]\npause_after_failures = 150\n[policy]\ncap_days = 0\n[guards]\nhold_percent = 0\nhold_factor = 0\n";
    let stage = Stage::new(&test.db, "2024-07-01T08:00", FAILING, settings);
    stage.run_due().await;
    let mut planned = Vec::new();
    for day in 1..=5 {
        stage.set(&format!("2024-07-0{day}T09:00"));
        if day == 3 {
            for rule in ["daily", "broken"] {
                planned.push(plan::plan(&stage.ctx, &stage.in_force.get(), rule, None).await.unwrap());
            }
        }
        stage.run_due().await;
    }
    for (rule, planned) in ["daily", "broken"].into_iter().zip(planned) {
        let real = logged(test, &stage, rule).await;
        let found = replay(&stage, rule, "2024-07-01", "2024-07-05").await;
        assert_eq!(replayed(&found), real, "{rule}");
        let pause = found.pauses_itself.clone().expect("it ends");
        assert_eq!(planned.pauses_itself.as_ref(), Some(&pause), "{rule}");
        let reached = planned.people.iter().filter(|person| person.reason.is_none());
        let reached: Vec<String> =
            reached.map(|person| format!("2024-07-03 {} {} {}", person.customer, person.verdict, person.variant.as_deref().unwrap_or("-"))).collect();
        assert_eq!(reached, real.iter().filter(|row| row.starts_with("2024-07-03")).cloned().collect::<Vec<_>>(), "{rule}");
        let sent = reached.iter().filter(|row| row.contains(" send ")).count();
        assert_eq!((pause.at, pause.after, planned.messages()), (stage.moment("2024-07-03T09:00"), sent, sent), "{rule}");
        let refusals = format!("SELECT CAST(SUM(times) AS BIGINT) FROM decisions WHERE rule = '{rule}' AND slot <> 'arm'");
        assert_eq!(i64::try_from(found.refused.values().sum::<usize>()).unwrap(), number(&test.db, &refusals).await, "{rule}");
        let told = texts(&test.db, &format!("SELECT reason FROM rule_pauses WHERE rule = '{rule}'")).await;
        assert_eq!(told, [format!("{}, e.g.: {}", pause.reason, pause.failure)], "{rule}");
        assert!(pause.sentence(stage.ctx.config.shop.zone()).ends_with(&told[0]));
        assert!(real.iter().any(|row| row.starts_with("2024-07-02")) && !real.iter().any(|row| row.as_str() > "2024-07-04"), "{rule}");
        // The first page has gone out, or nothing.
        assert_eq!(sent > 400, rule == "daily", "{rule}: {sent}");
    }
    let whole = replay(&stage, "daily", "2024-07-01", "2024-07-02").await;
    assert!(whole.pauses_itself.is_none() && whole.runs == 2);
});

/// Everybody matches; of those from `from` on it fails for every tenth.
fn cut_rule(name: &str, from: i64, more: &str) -> String {
    format!(
        "rule(\"{name}\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.orders >= 1).once_per(\"day\"){more}.send(|c| if parse_int(c.id) >= {from} && \
         c.id.ends_with(\"9\") {{ email(\"win-back-plain\", #{{ tag: c.tags[0] }}) }} else {{ email(\"win-back\", #{{ voucher: voucher(\"WB\", eur(5), days(14)) }}) }});\n"
    )
}

on_both!(a_run_that_a_limit_cuts_before_it_has_failed_too_often_is_held_and_nothing_else_is_told, |test| {
    people(&test.db, 1..=2_100).await;
    // How many messages are written, and whether the run is held; else the rule pauses itself.
    let cases = [
        ("ten", 1, ".limit(10, \"day\")", 10, true),
        ("nineteen", 1, ".limit(178, \"day\")", 178, true),
        ("twenty", 1, ".limit(179, \"day\")", 0, false),
        ("budget", 1, ".budget(eur(500), \"day\")", 100, true),
        ("hourly", 1_500, ".limit(1200, \"hour\")", 1_200, true),
        ("second-page", 1_500, ".limit(1700, \"day\")", 1_000, false),
        ("none", 1, "", 0, false),
    ];
    let rules: String = cases.iter().map(|(name, from, more, ..)| cut_rule(name, *from, more)).collect();
    let settings = "[rules]\npause_after_failures = 20\n[policy]\ncap_messages = 0\n[guards]\nhold_percent = 0\nhold_factor = 0\n";
    let stage = Stage::new(&test.db, MONDAY_NINE, &rules, settings);
    for (name, _, _, written, held) in cases {
        let planned = plan::plan(&stage.ctx, &stage.in_force.get(), name, None).await.unwrap();
        let found = replay(&stage, name, "2024-07-01", "2024-07-02").await;
        let report = stage.tick(name).await;
        assert_eq!((report.messages, report.held.is_some(), report.paused.is_some()), (written, held, !held), "{name}");
        let of_hold = report.held.as_ref().map(|hold| (hold.written, hold.waiting, hold.barrier.guard));
        let foreseen = planned.held.map(|held| (held.after.cast_signed() as i64, held.waiting.cast_signed() as i64, held.barrier.guard));
        assert_eq!(foreseen, of_hold, "{name}");
        let of_pause = report.paused.as_ref().map(|pause| (written, pause.reason.clone()));
        let told = planned.pauses_itself.as_ref().map(|pause| (pause.after, format!("{}, e.g.: {}", pause.reason, pause.failure)));
        assert_eq!((&told, &found.pauses_itself), (&of_pause, &planned.pauses_itself), "{name}");
        let days = if held { 2 } else { 0 };
        assert_eq!((found.held.len(), found.held.first().map(|run| run.foreseen)), (days, planned.held), "{name}");
        assert_eq!(planned.messages() > written, held, "{name}: who waits is told, too");
    }
});
