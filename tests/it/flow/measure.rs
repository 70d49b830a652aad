//! The key figures on both databases: the golden ones of CDNOW, only paid orders, goals in a sentence.

use std::sync::Arc;

use serde_json::{Value, json};
use stammgast::base::clock::Clock;
use stammgast::base::time::Zone;
use stammgast::config::Config;
use stammgast::flow::Ctx;
use stammgast::flow::measure::{Measured, Question, Surveys, measure, pictures};
use stammgast::model::kpi::By;
use stammgast::store::Db;

use crate::common::databases::TestDb;
use crate::common::shop::{customers, execute, order};

/// The shop at a moment; `settings` are lines of TOML.
fn shop(db: &Db, at: &str, settings: &str) -> Ctx {
    let config = Config::from_toml(settings).unwrap();
    let clock = Clock::simulated(config.shop.zone().parse_time(at).unwrap());
    Ctx::new(db.clone(), clock, Arc::new(config))
}

/// Puts the CDNOW sample into the tables.
async fn cdnow(db: &Db) {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    customers(db, 1..=2_357).await;
    let mut reader = csv::Reader::from_reader(include_str!("../../fixtures/cdnow/transactions.csv").as_bytes());
    let rows: Vec<String> = (1..)
        .zip(reader.records())
        .map(|(id, row): (i64, _)| {
            let row = row.unwrap();
            let cents = stammgast::base::money::Cents::parse(&row[3]).unwrap().0;
            let at = zone.start_of(row[1].parse().unwrap()).0;
            format!("({id}, 'o{id}', {}, {at}, {cents}, 'EUR', 'paid', 0, 0)", &row[0])
        })
        .collect();
    for rows in rows.chunks(1_000) {
        let columns = "id, external_id, customer_id, ordered_at, revenue_cents, currency, status, content_hash, updated_at";
        execute(db, format!("INSERT INTO orders ({columns}) VALUES {}", rows.join(", "))).await;
    }
}

fn document(measured: &Measured) -> Value {
    serde_json::to_value(measured).unwrap()
}

on_both!(cdnow_has_the_golden_figures_in_either_database, |test| {
    cdnow(&test.db).await;
    let ctx = shop(&test.db, "2026-11-22", "[shop]\nmargin_percent = 30");
    let question = Question { to: Some("1998-06-30".parse().unwrap()), ..Question::default() };
    let found = document(&measure(&ctx, &question).await.unwrap());
    let golden: Value = serde_json::from_str(include_str!("../../fixtures/kpi/kpi_quarterly.json")).unwrap();
    let close = |found: &Value, expected: &Value| match (found.as_f64(), expected.as_f64()) {
        (Some(found), Some(expected)) => (found - expected).abs() < 1e-6 * expected.abs().max(1.0),
        _ => found == expected,
    };
    for (found, expected) in found["periods"].as_array().unwrap().iter().zip(golden["quarters"].as_array().unwrap()) {
        for key in ["orders", "active", "new", "returning", "retained", "repeat_customers", "customers_ever"] {
            assert_eq!(found[key], expected[key], "{key} of {}", found["period"]);
        }
        for key in ["retention_rate", "churn_rate", "repeat_purchase_rate", "repeat_purchase_rate_cumulative", "purchase_frequency"] {
            assert!(close(&found[key], &expected[key]), "{key} of {}", found["period"]);
        }
        for key in ["revenue", "aov", "arpu", "clv_simple", "clv_margin_churn"] {
            let whole = found[format!("{key}_cents")].as_f64().map_or(Value::Null, |cents| (cents / 100.0).into());
            assert!(close(&whole, &expected[key]), "{key} of {}: {whole}", found["period"]);
        }
    }
    let (whole, expected) = (&found["whole"], &golden["whole_window"]);
    assert_eq!((&whole["observation_days"], &whole["one_time_customers"]), (&expected["observation_days"], &expected["one_time_customers"]));
    assert!(close(&whole["purchases_per_customer_per_year"], &expected["purchases_per_customer_per_year"]));
    for row in found["inactive"].as_array().unwrap() {
        let expected = &expected["inactive_churn"][row["days"].to_string()];
        assert!(row["customers"] == expected["inactive"] && close(&row["rate"], &expected["rate"]), "{row}");
    }
    for cohort in found["cohorts"].as_array().unwrap() {
        assert_eq!(cohort["active"], golden["monthly_cohorts"][cohort["month"].as_str().unwrap()]["active"]);
    }
    let counts = ["periods", "inactive", "cohorts"].map(|key| found[key].as_array().unwrap().len());
    assert_eq!((counts, &found["pareto"]["customers_for_80_percent"]), ([6, 5, 3], &json!(777)));
});

on_both!(only_paid_orders_until_the_last_day_count_in_the_shops_calendar, |test| {
    customers(&test.db, 1..=4).await;
    let ctx = shop(&test.db, "2026-06-10T12:00", "");
    let at = |text: &str| ctx.config.shop.zone().parse_time(text).unwrap().0;
    // Half past midnight on New Year's Day in Berlin is still the old year in UTC.
    order(&test.db, 1, 1, at("2025-12-31T23:30"), 1_000, Some(600), "paid").await;
    order(&test.db, 2, 1, at("2026-01-01T00:30"), 3_000, Some(1_800), "paid").await;
    order(&test.db, 3, 2, at("2026-02-01"), 500, None, "paid").await;
    order(&test.db, 4, 2, at("2026-05-01"), 700, None, "paid").await;
    order(&test.db, 5, 3, at("2026-02-01"), 9_999, None, "cancelled").await;
    order(&test.db, 6, 3, at("2026-02-01"), 9_999, None, "open").await;
    order(&test.db, 7, 4, at("2026-06-10T12:01"), 9_999, None, "paid").await;
    let measured = measure(&ctx, &Question::default()).await.unwrap();
    let periods: Vec<(&str, i64, i64, bool)> =
        measured.periods.iter().map(|of| (of.period.as_str(), of.figures.orders, of.figures.revenue_cents, of.complete)).collect();
    assert_eq!(periods, [("2025Q4", 1, 1_000, true), ("2026Q1", 2, 3_500, true), ("2026Q2", 1, 700, false)]);
    let first = &measured.periods[1].figures;
    assert_eq!((first.retained, first.retention_rate, first.new, first.clv_simple_cents), (Some(1), Some(1.0), 1, Some(21_000.0)));
    // 4,000 of 5,200 cents have a known cost.
    assert_eq!((measured.margin, measured.margin_source), (Some(0.4), "orders"));
    assert_eq!((measured.whole.figures.active, measured.whole.observation_days, measured.whole.figures.clv_simple_cents), (2, 162, None));

    let march = Question { by: By::Month, from: Some("2026-02-14".parse().unwrap()), to: Some("2026-03-31".parse().unwrap()) };
    let measured = measure(&ctx, &march).await.unwrap();
    let periods: Vec<(&str, i64, Option<i64>, bool)> =
        measured.periods.iter().map(|of| (of.period.as_str(), of.figures.active, of.figures.retained, of.complete)).collect();
    assert_eq!(periods, [("2026-02", 1, Some(0), true), ("2026-03", 0, Some(0), true)]);
    assert_eq!((measured.from.unwrap().to_string(), measured.to.to_string()), ("2026-02-01".to_owned(), "2026-03-31".to_owned()));
    assert_eq!((measured.pareto.customers, measured.margin_source, measured.cohorts.len()), (1, "unknown", 1));

    let tomorrow = measure(&ctx, &Question { to: Some("2027-01-01".parse().unwrap()), ..Question::default() }).await.unwrap();
    assert_eq!((tomorrow.as_of, tomorrow.periods.len()), (ctx.clock.now(), 3), "the future has not passed");
});

on_both!(a_shop_without_orders_has_no_figures_and_says_so, |test| {
    let measured = measure(&shop(&test.db, "2026-06-10", ""), &Question::default()).await.unwrap();
    assert_eq!((measured.periods.len(), measured.cohorts.len(), measured.from, measured.margin_source), (0, 0, None, "unknown"));
    assert!(measured.inactive.iter().all(|row| row.customers == 0 && row.rate.is_none()));
    assert_eq!(measured.whole.purchases_per_customer_per_year, None);
});

async fn answer(test: &TestDb, id: i64, kind: &str, value: i64, at: i64) {
    let row = format!("({id}, 'e{id}', 1, '{kind}', '{value}', {at}, 0)");
    execute(&test.db, format!("INSERT INTO events (id, external_id, customer_id, kind, value, at, updated_at) VALUES {row}")).await;
}

on_both!(answers_are_told_without_orders_and_before_the_first_one, |test| {
    customers(&test.db, 1..=1).await;
    let ctx = shop(&test.db, "2026-06-10T12:00", "[goals.nps]\nkpi = \"nps\"\ntarget = \"+5 points\"\nfrom = 2026-03-31\nby = 2026-12-31");
    let at = |text: &str| ctx.config.shop.zone().parse_time(text).unwrap().0;
    answer(test, 1, "nps", 9, at("2026-02-01")).await;
    answer(test, 2, "csat", 2, at("2026-05-01")).await;
    answer(test, 3, "nps", 0, at("2026-06-10T12:01")).await;
    let told = async |question: &Question| {
        let measured = measure(&ctx, question).await.unwrap();
        let score = |of: &Surveys| (of.nps.as_ref().map(|nps| nps.answers), of.csat.as_ref().map(|csat| csat.answers));
        let periods: Vec<_> = measured.periods.iter().map(|of| (of.period.clone(), of.figures.orders, score(&of.surveys))).collect();
        (periods, score(&measured.whole.surveys), measured.whole.observation_days, measured.from.unwrap().to_string())
    };
    let quarter = |name: &str, orders, answers| (name.to_owned(), orders, answers);
    let all = vec![quarter("2026Q1", 0, (Some(1), None)), quarter("2026Q2", 0, (None, Some(1)))];
    assert_eq!(told(&Question::default()).await, (all, (Some(1), Some(1)), 0, "2026-02-01".to_owned()));
    let measured = measure(&ctx, &Question::default()).await.unwrap();
    assert!(pictures(&ctx, &measured).await.unwrap().is_empty(), "there are no orders to draw");
    assert_eq!(measured.whole.purchases_per_customer_per_year, None);
    let sentence = "NPS (letzte 90 Tage): am 31.03.2026 noch nicht bekannt, Ziel +5 Punkte bis 31.12.2026, heute noch nicht bekannt: zu wenige Antworten für ein Urteil, 30 müssen es sein.";
    assert_eq!(measured.goals[0].sentence, sentence);
    // With an order in June: the figures of orders begin with it, the answers before it stay.
    order(&test.db, 1, 1, at("2026-06-01"), 1_000, None, "paid").await;
    let all = vec![quarter("2026Q1", 0, (Some(1), None)), quarter("2026Q2", 1, (None, Some(1)))];
    assert_eq!(told(&Question::default()).await, (all, (Some(1), Some(1)), 10, "2026-02-01".to_owned()));
    let from = Some("2026-04-15".parse().unwrap());
    let late = vec![quarter("2026Q2", 1, (None, Some(1)))];
    assert_eq!(told(&Question { from, ..Question::default() }).await, (late, (None, Some(1)), 10, "2026-04-01".to_owned()));
});

on_both!(days_are_whole_days_where_the_clock_changes, |test| {
    customers(&test.db, 1..=4).await;
    let ctx = shop(
        &test.db,
        "2026-12-01",
        "[kpi]\ninactive_days = [30]\n[goals.week]\nkpi = \"orders\"\ntarget = \"+10 %\"\nfrom = 2026-03-30\nby = 2026-12-31\ndays = 7",
    );
    let at = |text: &str| ctx.config.shop.zone().parse_time(text).unwrap().0;
    // The last Sunday of March has 23 hours, the last one of October 25.
    order(&test.db, 1, 1, at("2026-03-23T23:59"), 100, None, "paid").await;
    order(&test.db, 2, 2, at("2026-03-24T00:00"), 100, None, "paid").await;
    order(&test.db, 3, 3, at("2026-03-30T23:59"), 100, None, "paid").await;
    order(&test.db, 4, 4, at("2026-03-31T23:59"), 100, None, "paid").await;
    let as_of = async |day: &str| measure(&ctx, &Question { by: By::Month, to: Some(day.parse().unwrap()), ..Question::default() }).await.unwrap();
    let march = as_of("2026-03-30").await;
    assert_eq!((march.goals[0].today, march.whole.figures.orders), (Some(2.0), 3), "seven days from the 24th on");
    let april = as_of("2026-04-22").await;
    assert_eq!(april.inactive[0].customers, 0, "30 days ago, over the lost hour");
    assert_eq!(as_of("2026-04-23").await.inactive[0].customers, 1);
    let periods: Vec<(&str, i64)> = april.periods.iter().map(|of| (of.period.as_str(), of.figures.orders)).collect();
    assert_eq!((periods, april.whole.observation_days), (vec![("2026-03", 4), ("2026-04", 0)], 31));
    // The same over the hour that comes twice.
    order(&test.db, 5, 1, at("2026-10-01T00:00"), 100, None, "paid").await;
    order(&test.db, 6, 2, at("2026-09-30T23:59"), 100, None, "paid").await;
    let october = as_of("2026-10-31").await;
    assert_eq!(october.inactive[0].customers, 3, "customer 1 ordered 30 days ago, the others before");
    assert_eq!(october.goals[0].values.last().unwrap().value, Some(0.0));
    assert_eq!(as_of("2026-10-07").await.goals[0].today, Some(1.0), "seven days from the first of October on");
});

const GOALS: &str = "
[goals.a-repeat]
kpi = \"repeat_purchase_rate\"
target = \"+15 %\"
from = 1997-09-30
by = 1998-09-30
[goals.b-churn]
kpi = \"churn_rate\"
target = \"-5 points\"
from = 1997-12-31
by = 1998-06-30
[goals.c-order]
kpi = \"aov\"
target = \"34.50\"
from = 1997-12-31
by = 1998-12-31
days = 180
[goals.d-retention]
kpi = \"retention_rate\"
target = \"45 %\"
from = 1997-09-30
by = 1998-12-31
[goals.e-start]
kpi = \"retention_rate\"
target = \"+10 %\"
from = 1997-03-31
by = 1998-12-31
[goals.f-later]
kpi = \"orders\"
target = \"+10 %\"
from = 1999-03-31
by = 1999-12-31
[goals.g-early]
kpi = \"orders\"
target = \"+50 %\"
from = 1998-06-10
by = 1999-12-31
";

on_both!(goals_are_told_in_a_sentence_in_the_shops_language, |test| {
    cdnow(&test.db).await;
    let mut told = Vec::new();
    for locale in ["de", "en"] {
        let ctx = shop(&test.db, "1998-06-30T23:59", &format!("[shop]\nlocale = \"{locale}\"\n{GOALS}"));
        let measured = measure(&ctx, &Question::default()).await.unwrap();
        for goal in &measured.goals {
            assert!(goal.values.len() <= 13 && goal.values.iter().is_sorted_by_key(|value| value.date));
            told.push(format!("{} {} {:?}: {}", goal.goal, goal.progress, goal.on_track, goal.sentence));
        }
    }
    insta::assert_snapshot!("goals", told.join("\n"));
});
