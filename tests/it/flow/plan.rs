//! A plan says what the run then does, and changes nothing.

use std::sync::Arc;

use stammgast::flow::plan::{self, Plan};
use stammgast::rules::RuleSet;

use crate::common::shop::execute;
use crate::common::stage::{MONDAY_NINE, Stage, people};
use crate::store::{number, texts};

const RULE: &str = "rule(\"hello\").basis(\"consent\").when(|c| c.orders >= 1).cooldown(days(30)).control(20)
    .variant(\"A\", 1, |c| email(\"win-back\", #{ voucher: voucher(\"WB\", percent(10), days(14)) }))
    .variant(\"B\", 1, |c| if c.id == \"7\" { email(c.id) } else { email(\"win-back-plain\") });";

async fn planned(stage: &Stage) -> Plan {
    plan::plan(&stage.ctx, &stage.in_force.get(), "hello", None).await.unwrap()
}

/// `customer verdict variant reason`, by customer.
fn lines(plan: &Plan) -> Vec<String> {
    let line = |person: &plan::Person| {
        format!("{} {} {} {}", person.customer, person.verdict, person.variant.as_deref().unwrap_or("-"), person.reason.unwrap_or("-"))
    };
    plan.people.iter().map(line).collect()
}

on_both!(a_plan_says_what_the_run_then_does_and_writes_nothing, |test| {
    people(&test.db, 1..=60).await;
    execute(&test.db, "DELETE FROM consents WHERE customer_id = 3".to_owned()).await;
    execute(&test.db, "INSERT INTO consents (customer_id, at, kind, source) VALUES (4, 1700000000000, 'objected', 'test')".to_owned()).await;
    execute(&test.db, "UPDATE customers SET email = NULL, email_key = NULL WHERE id = 5".to_owned()).await;
    execute(&test.db, "DELETE FROM orders WHERE customer_id = 6".to_owned()).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, RULE, "");
    let first = planned(&stage).await;
    for table in ["decisions", "messages", "vouchers", "ticks", "scores", "score_runs", "rule_versions"] {
        assert_eq!(number(&test.db, &format!("SELECT COUNT(*) FROM {table}")).await, 0, "{table}");
    }
    assert_eq!((first.customers, first.people.len()), (60, 59), "all but the one without an order");
    let messages = stage.tick("hello").await.messages;
    let decided = texts(
        &test.db,
        "SELECT c.external_id || ' ' || d.verdict || ' ' || COALESCE(d.variant, '-') || ' ' || CASE d.slot WHEN 'arm' THEN '-' ELSE d.slot END
         FROM decisions d JOIN customers c ON c.id = d.customer_id ORDER BY c.id",
    )
    .await;
    assert_eq!(lines(&first), decided);
    assert_eq!((first.messages(), first.control > 0), (messages, true));
    assert_eq!(first.vouchers, first.variants[0].people, "one for each A");
    assert_eq!(first.voucher_exposure_cents, 100 * i64::try_from(first.vouchers).unwrap(), "a tenth of 10.00 each");
    let previews: Vec<(&str, bool)> = first
        .previews
        .iter()
        .map(|preview| (preview.variant.as_str(), preview.text.contains("Zuckerstadt") && !preview.subject.is_empty()))
        .collect();
    assert!(previews.contains(&("A", true)) && previews.contains(&("B", true)) && previews.len() == 2, "{previews:?}");
    let second = planned(&stage).await;
    assert_eq!(second.messages() + second.control, 0, "all have just been decided: {:?}", second.refused);
    assert_eq!(second.refused["cooldown"], messages + first.control);
});

on_both!(a_plan_shows_whom_another_version_reaches, |test| {
    people(&test.db, 1..=12).await;
    let rule = |condition: &str| {
        format!("rule(\"hello\").basis(\"consent\").when(|c| {condition}).cooldown(days(30)).control(50).send(|c| email(\"win-back-plain\"));")
    };
    let stage = Stage::new(&test.db, MONDAY_NINE, &rule("c.orders >= 1 && c.id != \"2\""), "");
    let campaign = stage.in_force.get();
    let other = RuleSet::from_stored(&rule("c.id.len() == 1")).unwrap();
    let other = Arc::new(campaign.with_rules(other));
    let plan = plan::plan(&stage.ctx, &campaign, "hello", Some(&other)).await.unwrap();
    assert_eq!((plan.added, plan.removed, plan.unchanged), (vec!["10".into(), "11".into(), "12".into()], vec!["2".into()], 8));
    assert_eq!(plan.against.as_deref(), other.rules.rule("hello").map(|rule| rule.spec.hash.as_str()));
});
