//! Spam reports: an objection from then on, an outcome of the message that they are about, and a guardrail of the report.

use serde_json::json;
use stammgast::base::id::Id;
use stammgast::base::time::{DAY_MS, UnixMs};
use stammgast::flow::{ingest, object, plan};
use stammgast::model::customer::NewCustomer;
use stammgast::model::email_address::EmailAddress;
use stammgast::model::event::NewEvent;

use super::analyse::{RULE, printed, report, shop};
use crate::common::databases::TestDb;
use crate::common::shop::execute;
use crate::common::smtp::SmtpSink;
use crate::common::stage::{MONDAY_NINE, Stage, people, to_sink};
use crate::store::{number, texts};

const STATES: &str = "SELECT CAST(m.customer_id AS TEXT) || ' ' || m.rule || ' ' || d.state FROM messages m JOIN deliveries d ON d.message_id = m.id
     ORDER BY m.customer_id, m.rule";
const RULES: &str = "rule(\"hello\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\"));
                     rule(\"later\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\"));
                     rule(\"again\").basis(\"consent\").when(|c| c.orders >= 1).send(|c| email(\"win-back-plain\"));
                     rule(\"receipt\").basis(\"contract\").when(|c| c.orders >= 1).send(|c| email(\"thank-you\"));";

fn complaint(key: &str, customer: i64, about: Option<&str>, at: UnixMs) -> NewEvent {
    NewEvent {
        external_id: key.to_owned(),
        customer_external_id: customer.to_string(),
        customer: None,
        kind: "complaint".to_owned(),
        value: about.map(ToOwned::to_owned),
        at,
    }
}

/// Complaints and those that are counted for a message.
async fn told(stage: &Stage, events: &[NewEvent]) -> (u64, u64) {
    let (_, counts) = ingest::events(&stage.ctx, events.to_vec()).await.unwrap();
    (counts.complaints, counts.attributed)
}

/// `customer rule` of the messages that somebody complained of.
async fn complained(test: &TestDb) -> Vec<String> {
    texts(
        &test.db,
        "SELECT DISTINCT CAST(d.customer_id AS TEXT) || ' ' || d.rule FROM outcome_log x JOIN decisions d ON d.id = x.decision_id WHERE x.kind = 'complained' ORDER BY 1",
    )
    .await
}

/// Six people; "hello" has written to them on Monday at nine, "again" on Wednesday at nine.
async fn written(test: &TestDb, sink: &SmtpSink) -> Stage {
    people(&test.db, 1..=6).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, RULES, &to_sink(sink));
    for (rule, at) in [("hello", MONDAY_NINE), ("again", "2024-07-03T09:00")] {
        stage.set(at);
        stage.tick(rule).await;
        assert_eq!(stage.drain().await.sent, 6);
    }
    stage.set("2024-07-10T09:00");
    stage
}

on_both!(a_complaint_is_about_the_message_it_names_or_else_about_the_last_one_before_it, |test| {
    let stage = written(test, &SmtpSink::start().await).await;
    let at = |text: &str| stage.moment(text);
    let message = number(&test.db, "SELECT id FROM messages WHERE customer_id = 1 AND rule = 'hello'").await;
    let events = [
        complaint("1", 1, Some(&format!("<{message}@shop.example>")), at("2024-07-09T09:00")),
        complaint("2", 2, Some("hello"), at("2024-07-09T09:00")),
        complaint("3", 3, None, at("2024-07-02T09:00")),
        // A day without a time: it may be about a mail of that day.
        complaint("4", 4, None, at("2024-07-03")),
        complaint("5", 5, Some("<20240703.77@newsletter.example>"), at("2024-07-09T09:00")),
        complaint("6", 6, Some(&message.to_string()), at("2024-07-09T09:00")),
        complaint("7", 99, None, at("2024-07-09T09:00")),
    ];
    assert_eq!(told(&stage, &events).await, (7, 4));
    let expected = ["1 hello", "2 hello", "3 hello", "4 again"];
    assert_eq!(complained(test).await, expected);
    // The same file again changes nothing.
    assert_eq!(told(&stage, &events).await, (0, 0));
    assert_eq!((complained(test).await.len(), number(&test.db, "SELECT COUNT(*) FROM consents WHERE kind = 'objected'").await), (4, 7));
    // Corrected: another message, another person, and no complaint at all.
    let visit = NewEvent { kind: "shop.visit".to_owned(), ..events[2].clone() };
    let corrected = [complaint("1", 1, Some("again"), at("2024-07-09T09:00")), complaint("2", 5, Some("hello"), at("2024-07-09T09:00")), visit];
    assert_eq!(told(&stage, &corrected).await, (2, 2));
    assert_eq!(complained(test).await, ["1 again", "4 again", "5 hello"]);
    // Twice of the same message is one.
    assert_eq!(told(&stage, &[complaint("8", 1, Some("again"), at("2024-07-09T10:00"))]).await, (1, 1));
    assert_eq!(report(&stage).await["variants"][0]["complained"], json!(2));
});

on_both!(a_complaint_long_after_the_last_message_is_about_none, |test| {
    let stage = written(test, &SmtpSink::start().await).await;
    let sent = stage.moment("2024-07-03T09:00");
    stage.set("2024-08-10T09:00");
    assert_eq!(told(&stage, &[complaint("1", 1, None, sent.plus(14 * DAY_MS))]).await, (1, 0));
    assert_eq!(told(&stage, &[complaint("2", 2, None, sent.plus(14 * DAY_MS - 1))]).await, (1, 1));
    assert_eq!(told(&stage, &[complaint("3", 3, None, sent.plus(-3 * DAY_MS))]).await, (1, 0), "before the first");
    let patient = Stage::new(&test.db, "2024-08-10T09:00", RULES, "[experiments]\ncomplaint_days = 30");
    assert_eq!(told(&patient, &[complaint("4", 4, None, sent.plus(14 * DAY_MS))]).await, (1, 1));
});

on_both!(a_complaint_is_about_a_mail_and_not_about_a_webhook_that_left_later, |test| {
    let stage = written(test, &SmtpSink::start().await).await;
    execute(&test.db, "UPDATE messages SET channel = 'webhook' WHERE rule = 'again'".to_owned()).await;
    assert_eq!(told(&stage, &[complaint("1", 1, None, stage.moment("2024-07-09T09:00"))]).await, (1, 1));
    assert_eq!(complained(test).await, ["1 hello"]);
});

on_both!(whoever_complains_has_objected_from_then_on, |test| {
    people(&test.db, 1..=3).await;
    let sink = SmtpSink::start().await;
    let stage = Stage::new(&test.db, MONDAY_NINE, RULES, &to_sink(&sink));
    for rule in ["hello", "receipt"] {
        stage.tick(rule).await;
    }
    // Customer 2 has confirmed again since their complaint; customer 3's is dated tomorrow by a clock that is wrong.
    let (before, tomorrow) = (stage.moment("2024-06-20T09:00"), stage.moment("2024-07-02T09:00"));
    let confirmed = stage.moment("2024-06-25T09:00").0;
    execute(&test.db, format!("INSERT INTO consents (customer_id, at, kind, source) VALUES (2, {confirmed}, 'double_opt_in', 'form')")).await;
    told(&stage, &[complaint("1", 1, None, before), complaint("2", 2, None, before), complaint("3", 3, None, tomorrow)]).await;
    let states = texts(&test.db, STATES).await;
    assert_eq!(states, ["1 hello cancelled", "1 receipt queued", "2 hello queued", "2 receipt queued", "3 hello cancelled", "3 receipt queued"]);
    stage.tick("again").await;
    let decided = texts(&test.db, "SELECT CAST(customer_id AS TEXT) || ' ' || slot FROM decisions WHERE rule = 'again' ORDER BY customer_id").await;
    assert_eq!(decided, ["1 objected", "2 arm", "3 objected"]);
});

on_both!(a_day_without_a_time_is_over_when_the_objection_counts, |test| {
    people(&test.db, 1..=2).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, RULES, "");
    // Both confirmed at ten in the morning of the day that the report names, customer 2 on the day after, too.
    let day = stage.moment("2024-06-20");
    for (customer, at) in [(1, "2024-06-20T10:00"), (2, "2024-06-20T10:00"), (2, "2024-06-21T00:00")] {
        let at = stage.moment(at).0;
        execute(&test.db, format!("INSERT INTO consents (customer_id, at, kind, source) VALUES ({customer}, {at}, 'double_opt_in', 'form')")).await;
    }
    told(&stage, &[complaint("1", 1, None, day), complaint("2", 2, None, day)]).await;
    stage.tick("again").await;
    let decided = texts(&test.db, "SELECT CAST(customer_id AS TEXT) || ' ' || slot FROM decisions WHERE rule = 'again' ORDER BY customer_id").await;
    assert_eq!(decided, ["1 objected", "2 arm"]);
});

on_both!(whoever_has_the_address_objects_by_whatever_key_they_are_known, |test| {
    let sink = SmtpSink::start().await;
    let stage = written(test, &sink).await;
    let same_address = async |customer: i64, as_of: i64| {
        let of = |column: &str| format!("{column} = (SELECT {column} FROM customers WHERE id = {as_of})");
        execute(&test.db, format!("UPDATE customers SET {}, {} WHERE id = {customer}", of("email"), of("email_key"))).await;
    };
    // Customers 1 and 2 are one person, whom the feedback loop knows by the address alone.
    same_address(2, 1).await;
    let address = texts(&test.db, "SELECT email FROM customers WHERE id = 1").await.remove(0);
    let person = NewCustomer { external_id: format!("ses:{address}"), email: Some(EmailAddress::parse(&address).ok()), ..NewCustomer::unknown("") };
    let message = number(&test.db, "SELECT id FROM messages WHERE customer_id = 2 AND rule = 'hello'").await;
    let report = NewEvent {
        customer_external_id: person.external_id.clone(),
        customer: Some(Box::new(person)),
        ..complaint("1", 0, Some(&format!("<{message}@shop.example>")), stage.moment("2024-07-09T09:00"))
    };
    assert_eq!(told(&stage, &[report]).await, (1, 1));
    assert_eq!(complained(test).await, ["2 hello"]);
    // Customers 3 and 5 say so by the link in their mails.
    for customer in [3, 5] {
        let message = number(&test.db, &format!("SELECT id FROM messages WHERE customer_id = {customer} AND rule = 'hello'")).await;
        assert!(object::unsubscribe(&stage.ctx, Id(message)).await.unwrap());
    }
    // Whom the loop knew gets another address: 1 and 2, who had the same one when it was said, have objected all the same.
    execute(
        &test.db,
        format!("UPDATE customers SET email = 'moved@example.com', email_key = 'moved@example.com' WHERE external_id = 'ses:{address}'"),
    )
    .await;
    // Only afterwards it turns out that 4 is the person 3, and 6 the person 5, who has confirmed again as 6.
    same_address(4, 3).await;
    same_address(6, 5).await;
    stage.set("2024-07-11T09:00");
    let confirmed = stage.moment("2024-07-10T10:00").0;
    execute(&test.db, format!("INSERT INTO consents (customer_id, at, kind, source) VALUES (6, {confirmed}, 'double_opt_in', 'form')")).await;
    stage.tick("later").await;
    let decided = texts(
        &test.db,
        "SELECT CAST(customer_id AS TEXT) || ' ' || slot FROM decisions WHERE rule = 'later' AND customer_id < 7 ORDER BY customer_id",
    )
    .await;
    assert_eq!(decided, ["1 objected", "2 objected", "3 objected", "4 objected", "5 objected", "6 arm"]);
    assert_eq!(stage.drain().await.sent, 1);
});

on_both!(what_waits_does_not_leave_once_the_address_turns_out_to_be_an_objectors, |test| {
    people(&test.db, 1..=3).await;
    let sink = SmtpSink::start().await;
    let stage = Stage::new(&test.db, MONDAY_NINE, RULES, &to_sink(&sink));
    let objected = stage.moment("2024-06-20T09:00").0;
    execute(&test.db, format!("INSERT INTO consents (customer_id, at, kind, source) VALUES (1, {objected}, 'objected', 'form')")).await;
    for rule in ["hello", "receipt"] {
        stage.tick(rule).await;
    }
    execute(&test.db, "UPDATE customers SET email_key = (SELECT email_key FROM customers WHERE id = 1) WHERE id = 2".to_owned()).await;
    stage.drain().await;
    let states = texts(&test.db, STATES).await;
    assert_eq!(states, ["1 receipt sent", "2 hello cancelled", "2 receipt sent", "3 hello sent", "3 receipt sent"]);
});

on_both!(complaints_that_an_earlier_version_stored_without_an_objection_make_one, |test| {
    people(&test.db, 1..=7).await;
    execute(&test.db, "UPDATE customers SET email_key = (SELECT email_key FROM customers WHERE id = 1) WHERE id = 2".to_owned()).await;
    execute(&test.db, "UPDATE customers SET email_key = NULL WHERE id = 3".to_owned()).await;
    let stage = Stage::new(&test.db, MONDAY_NINE, RULES, "");
    let at = |text: &str| stage.moment(text);
    let exact = at("2024-06-20T09:07").plus(1_000);
    let events = [
        complaint("1", 1, None, exact),
        // A day without a time; the day of the import; a day that is still to come.
        complaint("3", 3, None, at("2024-06-20")),
        complaint("4", 4, None, at("2024-07-01")),
        complaint("5", 5, None, at("2024-07-03").plus(1)),
        // Confirmed again since then.
        complaint("6", 6, Some("hello"), exact),
    ];
    told(&stage, &events).await;
    execute(&test.db, format!("INSERT INTO consents (customer_id, at, kind, source) VALUES (6, {}, 'double_opt_in', 'form')", exact.0 + 1)).await;
    let objections =
        "SELECT CAST(customer_id AS TEXT) || ' ' || CAST(at AS TEXT) || ' ' || source FROM consents WHERE kind = 'objected' ORDER BY customer_id, at";
    let known = texts(&test.db, objections).await;
    assert_eq!(known.len(), 6, "{known:?}");
    // As the earlier version left it, and with everything that this one knows.
    for forgotten in ["source = 'complaint'", "customer_id = 4 AND source = 'complaint'", "source = 'none'"] {
        execute(&test.db, format!("DELETE FROM consents WHERE kind = 'objected' AND {forgotten}")).await;
        execute(&test.db, "DELETE FROM _sqlx_migrations WHERE version = 16".to_owned()).await;
        test.db.migrate().await.unwrap();
        assert_eq!(texts(&test.db, objections).await, known, "{forgotten}");
    }
    assert_eq!(told(&stage, &events).await, (0, 0), "the same file again is nothing new");
    stage.tick("again").await;
    let decided = texts(&test.db, "SELECT CAST(customer_id AS TEXT) || ' ' || slot FROM decisions WHERE rule = 'again' ORDER BY customer_id").await;
    assert_eq!(decided, ["1 objected", "2 objected", "3 objected", "4 objected", "5 objected", "6 arm", "7 arm"]);
});

/// So many people of this arm complain.
async fn complain(test: &TestDb, arm: char, people: i64) {
    let statement = format!(
        "INSERT INTO outcomes (decision_id, kind, ref, at) SELECT id, 'complained', customer_id, 0 FROM decisions WHERE variant = '{arm}'
         ORDER BY customer_id LIMIT {people} ON CONFLICT DO NOTHING"
    );
    execute(&test.db, statement).await;
}

on_both!(a_variant_that_more_people_call_spam_never_takes_the_traffic, |test| {
    shop(test, "", [1, 2, 4]).await;
    let rule = RULE.replace(".control(20)", ".control(20).winner(days(1)).every(\"0 9 * * *\")");
    let stage = Stage::new(&test.db, "2024-07-11T09:00", &rule, "locale = \"en\"\n[guards]\nhold_percent = 0");
    let switch = async || plan::plan(&stage.ctx, &stage.in_force.get(), "hello", None).await.unwrap().switch.map(|switch| switch.winner);
    let found = async || report(&stage).await["guardrails"].as_array().unwrap().iter().find(|rail| rail["harm"] == "complained").unwrap().clone();
    assert_eq!((switch().await.as_deref(), found().await["difference"].as_f64()), (Some("B"), Some(0.0)));
    // A's complaints are no reason against B.
    complain(test, 'A', 20).await;
    assert_eq!(switch().await.as_deref(), Some("B"));
    execute(&test.db, "DELETE FROM outcomes WHERE kind = 'complained'".to_owned()).await;
    // Not sure for whoever looks every day, and enough all the same.
    complain(test, 'B', 6).await;
    let rail = found().await;
    assert_eq!((&rail["arm"], &rail["worse"], &rail["doubtful"]), (&json!("B"), &json!(false), &json!(true)), "{rail}");
    assert_eq!(switch().await, None);
    let said = printed(test, "[shop]\nlocale = \"en\"");
    assert!(said.contains("more people call it spam with B than with A: not sure yet, but B takes no traffic by itself meanwhile"), "{said}");
    complain(test, 'B', 12).await;
    let rail = found().await;
    assert_eq!(rail["worse"], json!(true), "{rail}");
    assert!(rail["interval"][0].as_f64().unwrap() > 0.0, "{rail}");
    assert_eq!(switch().await, None);
    let said = printed(test, "[shop]\nlocale = \"en\"");
    assert!(said.contains("points more people call it spam than A"), "{said}");
});
