//! A run that a limit stretches over days: whom it means is told by the moment that it is for; all else goes by the day on which it writes.

use stammgast::flow::evaluate;
use stammgast::flow::why::{customer, why};
use stammgast::model::decision::LATE_MS;
use stammgast::model::facts::Needs;

use super::brake::at;
use crate::common::stage::{Stage, people};
use crate::store::texts;

const RULES: &str = "
rule(\"slow\").every(\"0 9 1 7 *\").basis(\"consent\").when(|c| c.orders >= 1).once_per(\"ever\").limit(1, \"day\").goal(\"order\", days(14)).control(0)
    .send(|c| email(\"win-back\", #{ voucher: voucher(\"WB\", percent(10), days(3)) }));
rule(\"news\").every(\"0 10 3 7 *\").basis(\"consent\").when(|c| c.emails_in(days(1)) == 0).once_per(\"ever\").priority(5).send(|c| email(\"win-back-plain\"));
rule(\"more\").every(\"0 10 3 7 *\").basis(\"consent\").when(|c| c.orders >= 1).once_per(\"ever\").send(|c| email(\"win-back-plain\"));
";

on_both!(what_a_stretched_run_writes_later_counts_from_when_it_was_written, |test| {
    people(&test.db, 1..=3).await;
    let settings = "[policy]\ncap_messages = 1\ncap_days = 1\n[guards]\nhold_percent = 0\nhold_factor = 0\n";
    let stage = Stage::new(&test.db, "2024-07-01T08:00", RULES, settings);
    at(&stage, "2024-07-01T08:30").await;
    for day in 1..=3 {
        assert!(at(&stage, &format!("2024-07-0{day}T09:00")).await[0].starts_with("slow 2024-07-01 1"), "day {day}");
    }
    let zone = stage.ctx.config.shop.zone();
    assert_eq!(texts(&test.db, "SELECT valid_until FROM vouchers ORDER BY customer_id").await, ["2024-07-04", "2024-07-05", "2024-07-06"]);
    let windows = "SELECT CAST(effective_at AS TEXT) || ' ' || CAST(goal_until - effective_at AS TEXT) FROM decisions WHERE rule = 'slow' AND slot = 'arm' ORDER BY customer_id";
    let expected: Vec<String> = (1..=3).map(|day| format!("{} {}", stage.moment(&format!("2024-07-0{day}T09:00")).0, 14 * 86_400_000)).collect();
    assert_eq!(texts(&test.db, windows).await, expected);

    // Who got the letter an hour ago is no news reader, and nobody gets two of them within a day.
    at(&stage, "2024-07-03T10:00").await;
    let wrote = |rule: &str| {
        format!("SELECT c.external_id || ' ' || d.slot FROM decisions d JOIN customers c ON c.id = d.customer_id WHERE d.rule = '{rule}' ORDER BY 1")
    };
    assert_eq!(texts(&test.db, &wrote("news")).await, ["1 arm", "2 arm"]);
    assert_eq!(texts(&test.db, &wrote("more")).await, ["1 frequency_cap", "2 frequency_cap", "3 frequency_cap"]);

    let facts = customer(&stage.ctx, "3", Needs::ALL).await.unwrap().unwrap();
    let told = why(&stage.ctx, &stage.in_force.get(), "slow", &facts).await.unwrap();
    let line = &told.log[0];
    assert_eq!((line.at, line.made_at.map(|at| zone.format(at))), (stage.moment("2024-07-01T09:00"), Some("2024-07-03T09:00:00+02:00".to_owned())));
});

on_both!(why_at_the_moment_of_a_run_does_not_see_what_that_run_wrote, |test| {
    people(&test.db, 1..=2).await;
    let rule = "rule(\"weekly\").basis(\"consent\").when(|c| c.emails_in(days(14)) == 0 && c.emails_of(\"weekly\", days(14)) == 0).cooldown(days(7)).send(|c| email(\"win-back-plain\"));";
    let stage = Stage::new(&test.db, "2024-07-01T09:00", rule, "");
    stage.tick("weekly").await;
    let facts = customer(&stage.ctx, "1", Needs::ALL).await.unwrap().unwrap();
    let told = why(&stage.ctx, &stage.in_force.get(), "weekly", &facts).await.unwrap();
    assert_eq!((told.matched, told.verdict), (true, "send"));
    stage.set("2024-07-01T09:01");
    assert!(!why(&stage.ctx, &stage.in_force.get(), "weekly", &facts).await.unwrap().matched);
});

on_both!(code_and_database_call_the_same_runs_late, |test| {
    people(&test.db, 1..=2).await;
    let rule = |name| {
        format!(
            "rule(\"{name}\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back\", #{{ voucher: voucher(\"WB\", percent(10), days(3)) }}));"
        )
    };
    let rules = ["in-time", "late"].map(rule).concat();
    let stage = Stage::new(&test.db, "2024-07-01T23:45", &rules, "[policy]\ncap_messages = 0");
    let tick_at = stage.ctx.clock.now();
    for (name, milliseconds) in [("in-time", LATE_MS), ("late", LATE_MS + 1)] {
        stage.ctx.clock.set(tick_at.plus(milliseconds));
        let lease = evaluate::lease(&stage.ctx, "test/1").await.unwrap().unwrap();
        assert_eq!(evaluate::tick(&stage.ctx, &stage.in_force.get(), name, tick_at, &lease).await.unwrap().messages, 2);
    }
    // Vouchers go by the code's moment, the frequency cap by the database's.
    let found = format!(
        "SELECT DISTINCT e.rule || ' ' || v.valid_until || ' ' || CAST(e.at - {} AS TEXT) FROM email_log e JOIN vouchers v ON v.decision_id = e.decision_id ORDER BY 1",
        tick_at.0
    );
    assert_eq!(texts(&test.db, &found).await, ["in-time 2024-07-04 0".to_owned(), format!("late 2024-07-05 {}", LATE_MS + 1)]);
});
