//! A replay finds what the daemon does when it is driven through the same days.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use stammgast::flow::backtest::{self, Backtest, Bought, Day};
use stammgast::rules::crontab::Crontab;

use crate::common::databases::TestDb;
use crate::common::shop::{execute, order};
use crate::common::smtp::SmtpSink;
use crate::common::stage::{MONDAY_NINE, Stage, people, to_sink};
use crate::store::{number, texts};

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

pub(super) async fn replay(stage: &Stage, rule: &str, from: &str, to: &str) -> Backtest {
    let campaign = stage.in_force.get();
    let schedule = Crontab::parse(campaign.rule(rule).unwrap().spec.schedule.as_deref().unwrap()).unwrap();
    backtest::backtest(&stage.ctx, &campaign, rule, (day(from), day(to)), &schedule, |_, _| {}).await.unwrap()
}

/// Runs every rule on every moment of these days, as the daemon does, dispatch included.
pub(super) async fn drive(stage: &Stage, from: &str, to: &str) {
    for date in day(from).iter_days().take_while(|date| *date <= day(to)) {
        for minute in (0..24 * 60).step_by(30) {
            stage.set(&format!("{date}T{:02}:{:02}", minute / 60, minute % 60));
            stage.run_due().await;
            stage.drain().await;
        }
    }
}

/// `date customer verdict variant`, by the log.
pub(super) async fn logged(test: &TestDb, stage: &Stage, rule: &str) -> Vec<String> {
    let rows = texts(
        &test.db,
        &format!(
            "SELECT CAST(d.tick_at AS TEXT) || ' ' || c.external_id || ' ' ||
                    CASE WHEN d.holdout = 1 THEN 'holdout' ELSE d.verdict END || ' ' || COALESCE(d.variant, '-')
             FROM decisions d JOIN customers c ON c.id = d.customer_id WHERE d.rule = '{rule}' AND d.slot = 'arm' ORDER BY d.tick_at, c.id"
        ),
    )
    .await;
    let date = |row: &String| {
        let (at, rest) = row.split_once(' ').unwrap();
        format!("{} {rest}", stage.ctx.config.shop.zone().date(stammgast::base::time::UnixMs(at.parse().unwrap())))
    };
    rows.iter().map(date).collect()
}

pub(super) fn replayed(found: &Backtest) -> Vec<String> {
    let line =
        |reached: backtest::Reached<'_>| format!("{} {} {} {}", reached.date, reached.customer, reached.verdict, reached.variant.unwrap_or("-"));
    found.people.iter().map(line).collect()
}

/// Rules that share the frequency cap; the first is replayed. It runs at night, so its messages wait for the morning; a rival runs at the same moments
/// and comes after it.
pub(super) const RULES: &str = "
    rule(\"often\").every(\"30 22 * * *\").basis(\"existing_customer\").when(|c| c.recency_days > 2 && c.r <= 4).cooldown(days(3)).control(20)
        .variant(\"A\", 1, |c| email(\"win-back\", #{ voucher: voucher(\"WB\", amount(3), days(14)) })).variant(\"B\", 2, |c| email(\"win-back-plain\"))
        .goal(\"order\", days(4));
    rule(\"weekly\").every(\"0 10 * * 1\").basis(\"consent\").when(|c| c.orders >= 2).once_per(\"week\").priority(3).send(|c| email(\"win-back-plain\"));
    rule(\"rival\").every(\"30 22 * * *\").basis(\"consent\").when(|c| c.recency_days > 4).cooldown(days(6)).send(|c| email(\"win-back-plain\"));";

/// Orders all through the weeks, some cancelled, some of people who objected or agreed in between.
pub(super) async fn lively_shop(test: &TestDb) {
    people(&test.db, 1..=25).await;
    let start = 1_717_192_800_000_i64;
    for number in 0..60_i64 {
        let status = if number % 7 == 3 { "cancelled" } else { "paid" };
        order(&test.db, 1_000 + number, 1 + number * 7 % 25, start + number * 13 * 3_600_000, 500 + number * 37, None, status).await;
    }
    for (customer, kind, at) in [(3, "objected", start + 900_000_000), (4, "objected", start - 5), (4, "double_opt_in", start + 600_000_000)] {
        execute(&test.db, format!("INSERT INTO consents (customer_id, at, kind, source) VALUES ({customer}, {at}, '{kind}', 'test')")).await;
    }
}

/// What the rules read about the past changes with every run, by their own emails too.
const RULES_ABOUT_THE_PAST: &str = "
    rule(\"often\").every(\"30 22 * * *\").basis(\"existing_customer\").cooldown(days(1))
        .when(|c| c.orders_in(days(20)) >= 1 && c.emails_in(days(4)) < 2 && c.emails_of(\"often\") < 4 && c.weekday != 6)
        .send(|c| email(\"win-back-plain\"));
    rule(\"first\").every(\"30 22 * * *\").priority(1).basis(\"consent\").when(|c| c.emails_of(\"often\", days(3)) == 1).cooldown(days(2))
        .send(|c| email(\"win-back-plain\"));
    rule(\"answered\").every(\"30 22 * * *\").priority(2).basis(\"existing_customer\").cooldown(days(2))
        .when(|c| c.nps <= 6 && c.days_since(\"nps\") < 4 || c.events_of(\"click\", days(2)) == 1).send(|c| email(\"win-back-plain\"));
    rule(\"moved\").every(\"30 22 * * *\").basis(\"existing_customer\").cooldown(days(2))
        .when(|c| c.r_was(days(3)) > c.r || c.abc_was(days(2)) == \"C\" && c.abc in [\"A\", \"B\"] || c.churn_was(days(1)) == \"high\" && c.m >= 3)
        .send(|c| email(\"win-back-plain\"));
    rule(\"last\").every(\"30 22 * * *\").priority(-1).basis(\"consent\").when(|c| c.revenue_in(weeks(2)) > 5).cooldown(days(3))
        .send(|c| email(\"win-back-plain\"));";

on_both!(a_replay_sees_the_orders_emails_and_events_that_the_daemon_saw_on_each_day, |test| {
    lively_shop(test).await;
    for number in 0..50_i64 {
        let (customer, at) = (1 + number * 3 % 25, 1_717_192_800_000 + number * 7 * 3_600_000);
        let (kind, value) = if number % 3 == 0 { ("click", "NULL".to_owned()) } else { ("nps", format!("'{}'", number % 11)) };
        execute(&test.db, format!("INSERT INTO events VALUES ({number}, '{number}', {customer}, '{kind}', {value}, {at}, 0)")).await;
    }
    let sink = SmtpSink::start().await;
    let settings = format!("{}[score]\nsettle_days = 1\n[policy]\ncap_days = 7\ncap_messages = 9\n", to_sink(&sink));
    let stage = Stage::new(&test.db, "2024-06-03T00:00", RULES_ABOUT_THE_PAST, &settings);
    drive(&stage, "2024-06-03", "2024-06-15").await;
    for rule in ["often", "first", "answered", "moved", "last"] {
        let real = logged(test, &stage, rule).await;
        let part = |from: &str| real.iter().filter(|row| row.as_str() >= from).cloned().collect::<Vec<_>>();
        assert_eq!(replayed(&replay(&stage, rule, "2024-06-03", "2024-06-15").await), real, "{rule}");
        assert_eq!(replayed(&replay(&stage, rule, "2024-06-09", "2024-06-15").await), part("2024-06-09"), "{rule}");
        assert!(real.len() > 10, "{rule}: {real:?}");
    }
});

on_both!(a_replay_equals_what_the_daemon_does_on_the_same_days, |test| {
    lively_shop(test).await;
    let sink = SmtpSink::start().await;
    let settings = format!("{}[policy]\ncap_days = 7\ncap_messages = 2\n", to_sink(&sink));
    let stage = Stage::new(&test.db, "2024-06-03T00:00", RULES, &settings);
    // A past that counts: the log before the first day of the replay.
    drive(&stage, "2024-06-03", "2024-06-07").await;
    let before = logged(test, &stage, "often").await.len();
    let refusals = "SELECT CAST(COALESCE(SUM(times), 0) AS BIGINT) FROM decisions WHERE rule = 'often' AND slot <> 'arm'";
    let refused_before = number(&test.db, refusals).await;
    let early = replay(&stage, "often", "2024-06-08", "2024-06-23").await;
    drive(&stage, "2024-06-08", "2024-06-23").await;
    let real = logged(test, &stage, "often").await.split_off(before);
    // Before the other rule's messages of those days were in the log, its share of the cap was not either.
    assert_ne!(replayed(&early), real);
    let found = replay(&stage, "often", "2024-06-08", "2024-06-23").await;
    assert_eq!(replayed(&found), real);
    assert!(
        real.len() > 20 && found.repeated > 0 && found.refused.contains_key("frequency_cap") && found.refused.contains_key("objected"),
        "{found:?}"
    );
    let mut by_day: BTreeMap<NaiveDate, (usize, usize)> = BTreeMap::new();
    for row in &real {
        let entry = by_day.entry(day(&row[..10])).or_default();
        if row.contains(" control ") { entry.1 += 1 } else { entry.0 += 1 }
    }
    let days: BTreeMap<NaiveDate, (usize, usize)> =
        found.days.iter().filter(|day| day.sent + day.control > 0).map(|day| (day.date, (day.sent, day.control))).collect();
    assert_eq!((days, found.days.len(), found.runs), (by_day, 16, 16));
    let refused: usize = found.days.iter().map(|day| day.refused).sum();
    assert_eq!(refused, found.refused.values().sum::<usize>());
    assert_eq!(i64::try_from(refused).unwrap(), number(&test.db, refusals).await - refused_before);
    let vouchers =
        number(&test.db, "SELECT COUNT(*) FROM vouchers v JOIN decisions d ON d.id = v.decision_id WHERE d.tick_at >= 1717797600000").await;
    assert_eq!((found.vouchers, found.voucher_exposure_cents), (usize::try_from(vouchers).unwrap(), 300 * vouchers));
    let bought = number(
        &test.db,
        "SELECT COUNT(*) FROM decisions d WHERE d.rule = 'often' AND d.slot = 'arm' AND d.tick_at >= 1717797600000 AND EXISTS (SELECT 1 FROM orders o
         WHERE o.customer_id = d.customer_id AND o.status = 'paid' AND o.ordered_at > d.effective_at AND o.ordered_at <= d.goal_until)",
    )
    .await;
    let anyway = found.bought_anyway.unwrap();
    assert_eq!((anyway.bought, anyway.reached), (usize::try_from(bought).unwrap(), real.len()));
});

on_both!(a_replay_changes_nothing_and_counts_days_without_a_run, |test| {
    people(&test.db, 1..=3).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, RULES, "");
    let found = replay(&stage, "weekly", "2024-06-01", "2024-06-09").await;
    assert_eq!((found.runs, found.days.len(), found.people.len(), found.bought_anyway), (1, 9, 0, None::<Bought>));
    assert_eq!(found.days[0], Day { date: day("2024-06-01"), ..Day::default() });
    for table in ["decisions", "messages", "ticks", "scores", "score_runs", "rule_versions"] {
        assert_eq!(number(&test.db, &format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
});
