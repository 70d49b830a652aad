//! What the database narrows a condition down to never loses anybody: random conditions about random customers.

use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;
use sqlx::{AssertSqlSafe, Row as _};
use stammgast::base::id::Id;
use stammgast::model::attribute;
use stammgast::model::crossing::Crossing;
use stammgast::model::customer::Locale;
use stammgast::model::facts::{Facts, Needs};
use stammgast::model::score::Score;
use stammgast::rules::Evaluation;
use stammgast::store::filter::Filter;
use stammgast::store::{Db, Tx, facts, own_scores, scores};

use crate::common::databases::TestDb;
use crate::common::shop::{customers, execute, together};
use crate::rules::example::{load, today, with_condition};
use crate::rules::short_cut::{classes_begin, condition, customer};
use crate::store::scores::score;

/// The same customers in the database; every key is unique there.
async fn store(test: &TestDb, people: &mut [Facts]) {
    let word = |text: Option<&str>| text.map_or("NULL".to_owned(), |text| format!("'{text}'"));
    let (mut rows, mut keys): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for (number, facts) in (1_i64..).zip(people.iter_mut()) {
        let customer = &mut facts.customer;
        customer.id = Id(number);
        if number > 4 {
            customer.external_id = format!("{}{number}", customer.external_id);
        } else {
            ["A", "K-1", "Änne", ""][usize::try_from(number - 1).unwrap()].clone_into(&mut customer.external_id);
        }
        if let Some(score) = &mut facts.score {
            score.customer_id = customer.id;
        }
        let email = customer.email.as_ref().map(ToString::to_string);
        rows.push(format!(
            "({number}, '{}', {}, {}, {}, {}, {}, '{}', '{}', {}, {}, 0)",
            customer.external_id,
            word(email.as_deref()),
            word(customer.first_name.as_deref()),
            word(customer.last_name.as_deref()),
            word(customer.birthday.map(|day| day.to_string()).as_deref()),
            word(customer.locale.map(Locale::code)),
            serde_json::to_string(&customer.tags).unwrap(),
            attribute::to_json(&customer.attributes),
            // Every third was brought by one of the first, some in the future; nobody by somebody without a key, which no import would take.
            word(keys.get(usize::try_from(number % 7).unwrap()).filter(|key| number % 3 == 0 && !key.is_empty()).map(String::as_str)),
            if number % 5 == 0 { today().now.0 + 1 } else { 0 },
        ));
        keys.push(customer.external_id.clone());
    }
    let columns = "id, external_id, email, first_name, last_name, birthday, locale, tags, attributes, referred_by, created_at, updated_at";
    execute(&test.db, format!("INSERT INTO customers ({columns}) VALUES {}", rows.join(", "))).await;
    history(test, people).await;
    let scored: Vec<_> = people.iter().filter_map(|facts| facts.score.as_deref().copied()).collect();
    let mut tx = test.db.write().await.unwrap();
    scores::put(&mut tx, &scored).await.unwrap();
    let mut values = own_scores::Values::default();
    for facts in people.iter() {
        values.keep(facts.customer.id, &facts.own);
    }
    own_scores::add(&mut tx, &values).await.unwrap();
    tx.commit().await.unwrap();
}

/// Their orders with lines, the emails they got, events, and the classes they were in.
async fn history(test: &TestDb, people: &[Facts]) {
    let word = |text: Option<&str>| text.map_or("NULL".to_owned(), |text| format!("'{text}'"));
    let (mut orders, mut lines, mut decisions, mut messages, mut deliveries) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut events, mut crossings, mut classes) = (Vec::new(), Vec::new(), Vec::new());
    for facts in people {
        let (Id(customer), history) = (facts.customer.id, facts.history());
        for (number, order) in history.orders.iter().enumerate() {
            let (id, status) = (customer * 1_000 + i64::try_from(number).unwrap(), if number % 5 == 4 { "open" } else { "paid" });
            orders.push(format!("({id}, 'O-{id}', {customer}, {}, {}, 'EUR', '{status}', 0, 0)", order.at.0, order.revenue.0));
            for (place, line) in history.lines.iter().filter(|line| line.at == order.at).enumerate() {
                let texts = [&line.sku, &line.name, &line.category].map(|text| word(text.as_deref())).join(", ");
                lines.push(format!("({id}, {place}, {texts}, {})", line.quantity));
            }
        }
        let class = |class: Option<u8>| class.map_or_else(|| "NULL".to_owned(), |class| class.to_string());
        classes.push(format!("({customer}, {})", history.classes.settled.map(class).join(", ")));
        for Crossing { at, score, was, class: to } in history.classes.crossings.iter().copied() {
            crossings.push(format!("({customer}, '{}', {}, {}, {})", score.code(), at.0, class(was), class(to)));
        }
        for (number, event) in history.events.iter().enumerate() {
            let (id, value) = (
                customer * 1_000 + i64::try_from(number).unwrap(),
                event.answer.map_or_else(|| "'a word'".to_owned(), |answer| format!("'{answer}'")),
            );
            events.push(format!("({id}, 'E-{id}', {customer}, '{}', {value}, {}, 0)", event.kind, event.at.0));
        }
        for (number, email) in history.emails.iter().enumerate() {
            let (id, rule) = (customer * 1_000 + i64::try_from(number).unwrap(), &email.rule);
            let (state, done) = [("queued", "NULL"), ("sent", "1"), ("failed", "1")][number % 3];
            decisions.push(format!(
                "({id}, {customer}, '{rule}', '#{number}', 'arm', 'h', {at}, {at}, 'send', 'A', '', {at}, '{{}}', 1, {at})",
                at = email.at.0
            ));
            let channel = if number % 7 == 6 { "webhook" } else { "email" };
            messages.push(format!("({id}, {id}, {customer}, '{rule}', 'A', '#{number}', '{channel}', 'consent', '{{}}', 0)"));
            deliveries.push(format!("({id}, '{channel}', '{rule}', '{state}', 0, 0, 0, {done})"));
        }
    }
    let put = async |table: &str, rows: Vec<String>| execute(&test.db, format!("INSERT INTO {table} VALUES {}", rows.join(", "))).await;
    put("orders (id, external_id, customer_id, ordered_at, revenue_cents, currency, status, content_hash, updated_at)", orders).await;
    put("events (id, external_id, customer_id, kind, value, at, updated_at)", events).await;
    put("crossings (customer_id, score, at, was, class)", crossings).await;
    put("classes (customer_id, abc, r, f, m, churn)", classes).await;
    put("class_histories", vec![format!("('latest', {}, 0, '')", classes_begin().0)]).await;
    put("order_lines (order_id, line_no, sku, name, category, quantity)", lines).await;
    put(
        "decisions (id, customer_id, rule, occasion, slot, rule_hash, tick_at, decided_at, verdict, variant, detail, effective_at, inputs, times, last_at)",
        decisions,
    )
    .await;
    let columns = "id, decision_id, customer_id, rule, variant, occasion, channel, basis, action, created_at";
    let messages = format!("INSERT INTO messages ({columns}) VALUES {}", messages.join(", "));
    let columns = "message_id, channel, rule, state, due_at, attempts, fence, done_at";
    let deliveries = format!("INSERT INTO deliveries ({columns}) VALUES {}", deliveries.join(", "));
    together(&test.db, &[messages, deliveries]).await.unwrap();
}

on_both!(what_is_read_for_a_condition_gives_the_answers_that_everything_gives_and_a_filter_loses_nobody, |test| {
    let mut runner = TestRunner::deterministic();
    let mut people: Vec<Facts> = (0..300).map(|_| customer().new_tree(&mut runner).unwrap().current()).collect();
    store(test, &mut people).await;
    let mut tx = test.db.read().await.unwrap();
    let people = facts::page(&mut tx, Id(0), 1_000, Needs::ALL, None).await.unwrap();
    assert_eq!(people.len(), 300);
    let (mut pairs, mut wanted, mut read, mut filters) = (0, 0, 0, 0);
    while pairs < 100_000 {
        let text = condition().new_tree(&mut runner).unwrap().current();
        let Ok(set) = load(&with_condition(&format!("|c| {text}"))) else { continue };
        let rule = &set.rules()[0];
        let filter = rule.predicate().and_then(|predicate| Filter::of(predicate, &today()));
        let found = facts::page(&mut tx, Id(0), 1_000, rule.condition_needs, filter.as_ref()).await;
        let found = found.unwrap_or_else(|error| panic!("{text}: {filter:?}: {error}"));
        let answers = rule.interpret(&people, today());
        let narrow = rule.evaluate(&found, today());
        for (facts, answer) in people.iter().zip(&answers) {
            let place = found.binary_search_by_key(&facts.customer.id, |found| found.customer.id);
            assert_eq!(place.map_or(&Evaluation::NoMatch, |place| &narrow[place]), answer, "{text}\n{filter:?}\n{facts:?}");
            wanted += usize::from(filter.is_some() && *answer != Evaluation::NoMatch);
        }
        if filter.is_some() {
            (pairs, read, filters) = (pairs + people.len(), read + found.len(), filters + 1);
        }
    }
    // It narrows down, and not much is read in vain.
    assert!(read < pairs * 8 / 10 && read < wanted * 13 / 10, "{filters} filters: {wanted} of {read} of {pairs}");
});

#[test]
fn a_filter_says_what_the_database_is_asked() {
    let filter = |condition: &str| {
        let set = load(&with_condition(&format!("|c| {condition}"))).unwrap();
        set.rules()[0].predicate().and_then(|predicate| Filter::of(predicate, &today())).map_or("-".to_owned(), |filter| filter.to_string())
    };
    for (condition, expected) in [
        ("c.recency_days > 60 && c.orders >= 2 && !c.tags.contains(\"vip\")", "(s.recency_days > 60 AND COALESCE(s.orders, 0) >= 2)"),
        ("c.revenue > 19.985 || c.abc in [\"A\", \"B\"]", "(COALESCE(s.revenue_cents, 0) > 1998 OR (s.abc = 'A' OR s.abc = 'B'))"),
        ("c.revenue == 19.985 && c.orders > 1", "none"),
        ("c.orders < 2.5 && c.r <= 2.5 && c.m > -0.5 && c.f >= 2.5", "(COALESCE(s.orders, 0) < 3 AND s.r <= 2 AND s.m > -1 AND s.f >= 3)"),
        ("!(c.recency_days > 60 || c.first_name.len() > 3)", "NOT (s.recency_days > 60)"),
        ("c.orders > 1 && c.tags[1] == \"x\" && c.r > 3", "COALESCE(s.orders, 0) > 1"),
        ("c.orders > 1 || c.tags[1] == \"x\"", "-"),
        (
            "(c.average_order_value ?? 20) >= 19.5 && c.has(\"age\")",
            "(s.average_order_value_cents >= 1950 OR NOT (s.average_order_value_cents IS NOT NULL))",
        ),
        ("c.rfm_weighted >= 4.50001 && c.abc != ()", "(s.rfm_weighted_e4 >= 45001 AND s.abc IS NOT NULL)"),
        ("c.month == 7 && c.weekday != 3", "none"),
        ("c.recency_days == 0 && c.orders >= 2", "((s.recency_days = 0 AND COALESCE(s.orders, 0) >= 2) AND s.recency_days <= 7)"),
        ("c.recency_days < 7.5 || c.recency_days < 3", "((s.recency_days < 8 OR s.recency_days < 3) AND s.recency_days <= 7)"),
        ("c.recency_days <= 8 || c.recency_days == 7", "(s.recency_days <= 8 OR s.recency_days = 7)"),
        ("!(c.recency_days > 7) && c.recency_days != 2", "(NOT (s.recency_days > 7) AND s.recency_days <> 2)"),
        ("c.birthday_in_days <= 1", "substr(c.birthday, 6, 5) IN ('07-01', '07-02')"),
        ("c.birthday_month == 2", "substr(c.birthday, 6, 5) IN ('02-01', '02-02', '02-03', '02-04', '02-05', '02-06', '02-07', '02-08', … 21 more)"),
        ("c.anniversary_years == 1", "(s.tenure_days BETWEEN 365 AND 729 OR s.tenure_days > 21960)"),
        ("!(c.birthday_in_days == 0)", "NOT (substr(c.birthday, 6, 5) IN ('07-01'))"),
        ("c.orders_in(days(90)) >= 2 && c.bought(\"P-1\")", "(orders_in(days(90)) >= 2 AND bought(\"P-1\") > 0)"),
        ("c.tags.contains(\"50%\") && c.has_email", "(c.tags LIKE '%\"50!%\"%' AND c.email IS NOT NULL)"),
        ("c.attr(\"city\") == \"Ulm\" && c.attr(\"points\") > 5", "(c.attributes LIKE '%\"city\":\"Ulm\"%' AND c.attributes LIKE '%\"points\":%')"),
        ("!(c.attr(\"city\") == \"Ulm\")", "-"),
        (
            "c.events_of(\"Click\", days(30)) >= 1 && c.nps <= 6 && c.nps_class == \"detractor\"",
            "(events_of(\"Click\", days(30)) >= 1 AND nps <= 6 AND nps BETWEEN 0 AND 6)",
        ),
        (
            "c.abc == \"B\" && c.abc_was(days(90)) == \"A\" && c.r_was(days(1)) > 3",
            "(s.abc = 'B' AND abc_before(2026-04-02T22:00:00Z) = 1 AND r_before(2026-06-30T22:00:00Z) > 3)",
        ),
        ("c.days_since(\"nps\") <= 0", "latest(\"nps\") >= 2026-06-30T22:00:00Z"),
        (
            "c.score(\"lead\") >= 20.5 && c.score(\"tier\") != \"A\" && c.score(\"vip\") == true && c.score(\"lead\") != ()",
            "(score(\"lead\").number_e6 >= 20500000 AND score(\"tier\").words <> 'A' AND score(\"vip\").flag > 0 AND score(\"lead\") IS NOT NULL)",
        ),
        ("!c.has_email || c.days_until(\"12-24\") < 3", "-"),
    ] {
        assert_eq!(filter(condition), expected, "{condition}");
    }
}

/// How the database goes about a query.
async fn plan(db: &Db, query: &str) -> String {
    let lines: Vec<String> = match &mut db.read().await.unwrap() {
        Tx::Sqlite(inner) => {
            let steps = sqlx::query(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {query}"))).fetch_all(&mut **inner).await.unwrap();
            steps.iter().map(|step| step.get("detail")).collect()
        }
        Tx::Postgres(inner) => sqlx::query_scalar(AssertSqlSafe(format!("EXPLAIN {query}"))).fetch_all(&mut **inner).await.unwrap(),
    };
    lines.join("\n")
}

on_both!(people_who_ordered_lately_are_found_without_a_look_at_everybody, |test| {
    let scores: Vec<_> = (1..=2_000).map(|id| Score { recency_days: if id == 1_234 { 0 } else { 8 + id % 300 }, ..score(id) }).collect();
    customers(&test.db, 1..=2_000).await;
    let mut tx = test.db.write().await.unwrap();
    scores::put(&mut tx, &scores).await.unwrap();
    tx.commit().await.unwrap();
    execute(&test.db, "ANALYZE".to_owned()).await;
    let set = load(&with_condition("|c| c.recency_days == 0 && c.orders >= 1")).unwrap();
    let rule = &set.rules()[0];
    let filter = rule.predicate().and_then(|predicate| Filter::of(predicate, &today())).unwrap();
    let found = facts::page(&mut test.db.read().await.unwrap(), Id(0), 1_000, rule.condition_needs, Some(&filter)).await.unwrap();
    assert_eq!(found.iter().map(|facts| facts.customer.id).collect::<Vec<_>>(), [Id(1_234)]);
    // As that page asks.
    let plan =
        plan(&test.db, &format!("SELECT s.customer_id FROM scores s WHERE s.customer_id > 0 AND {filter} ORDER BY s.customer_id LIMIT 1000")).await;
    assert!(plan.contains("scores_lately"), "{plan}");
});

#[test]
fn a_list_that_is_too_long_for_a_database_is_not_narrowed_down() {
    let narrowed = |count: usize| {
        let set = load(&with_condition(&format!("|c| c.id in [{}]", vec!["\"x\""; count].join(", ")))).unwrap();
        set.rules()[0].predicate().and_then(|predicate| Filter::of(predicate, &today())).is_some()
    };
    assert!(narrowed(500) && !narrowed(501));
}
