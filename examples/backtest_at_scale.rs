//! A replay of very many customers day by day: `backtest_at_scale URL CUSTOMERS [DAYS [WORDS]]`. Fills an empty database first: five orders a customer over three
//! years, most people with consent, some objections and dead addresses. Then it replays two years (or DAYS) of daily runs of a rule that matches few and of one
//! that matches four in five each day, most of whom its cooldown refuses, and writes the JSON that `backtest --json` prints to nowhere. With words, only the
//! rules that have them in their names.

mod common;
#[path = "common/sql.rs"]
mod sql;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use chrono::{Days, NaiveDate};
use common::{Outcome, forget_peak, processor_seconds, resident_mib};
use sql::execute;
use sqlx::Row as _;
use stammgast::base::clock::Clock;
use stammgast::base::memory;
use stammgast::base::time::UnixMs;
use stammgast::base::token::TokenKey;
use stammgast::channel::templates::TemplateSet;
use stammgast::config::Config;
use stammgast::flow::Ctx;
use stammgast::flow::backtest::backtest;
use stammgast::flow::campaign::Campaign;
use stammgast::rules::crontab::Crontab;
use stammgast::rules::{RuleSet, ScoreSet};
use stammgast::store::{Db, Tx};

/// 2026-01-15T12:00:00Z; the last order was before, the last run is on the day before.
const NOW: UnixMs = UnixMs(1_768_478_400_000);
const RUNS: u64 = 730;

/// Conditions: one in which customers are compared with each other and that few meet, one of the record's figures alone, and two that most meet.
const RULES: &str = "
    rule(\"narrow\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.recency_days > 60 && c.orders >= 2 && c.top_percent <= 1).cooldown(days(90))
        .control(10).send(|c| email(\"win-back-plain\")).goal(\"order\", days(14));
    rule(\"narrow-figures\").every(\"0 9 * * *\").basis(\"consent\").when(|c| c.recency_days == 60 && c.orders >= 2).cooldown(days(90))
        .control(10).send(|c| email(\"win-back-plain\")).goal(\"order\", days(14));
    rule(\"broad\").every(\"0 9 * * *\").basis(\"existing_customer\").when(|c| c.r <= 4).cooldown(days(50)).control(10)
        .variant(\"A\", 1, |c| email(\"win-back\", #{ voucher: voucher(\"WB\", percent(10), days(14)) })).variant(\"B\", 1, |c| email(\"win-back-plain\"))
        .goal(\"order\", days(14));
    rule(\"broad-figures\").every(\"0 9 * * *\").basis(\"existing_customer\").when(|c| c.recency_days > 40).cooldown(days(50)).control(10)
        .variant(\"A\", 1, |c| email(\"win-back\", #{ voucher: voucher(\"WB\", percent(10), days(14)) })).variant(\"B\", 1, |c| email(\"win-back-plain\"))
        .goal(\"order\", days(14));";

async fn fill(db: &Db, customers: i64) -> Outcome<()> {
    let numbers = |count: i64| format!("WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {count}) ");
    let mut tx = db.write().await?;
    let people = format!(
        "INSERT INTO customers (id, external_id, email, email_key, first_name, last_name, birthday, locale, tags, created_at, updated_at) {}
         SELECT i, CAST(i AS TEXT), 'c' || CAST(i AS TEXT) || '@shop.example', 'c' || CAST(i AS TEXT) || '@shop.example', 'Erika', 'Mustermann', '1980-05-05', 'de',
         CASE WHEN i % 20 = 0 THEN '[\"vip\"]' ELSE '[]' END, 0, 0 FROM n",
        numbers(customers)
    );
    execute(&mut tx, people).await?;
    // Seconds of three years, mixed so that nobody orders in a rhythm.
    let begins = NOW.0 - 1_096 * 86_400_000;
    let orders = format!(
        "INSERT INTO orders (id, external_id, customer_id, ordered_at, revenue_cents, cost_cents, currency, status, content_hash, updated_at) {}
         SELECT i, CAST(i AS TEXT), 1 + i * 7919 % {customers}, {begins} + (i * (i % 1009) + i * 31) % 94608000 * 1000, 500 + i * 37 % 9000, CASE WHEN i % 3 = 0 THEN 300 END,
         'EUR', CASE WHEN i % 50 = 0 THEN 'cancelled' ELSE 'paid' END, i, 0 FROM n",
        numbers(customers * 5)
    );
    execute(&mut tx, orders).await?;
    for (kind, at, who) in [("double_opt_in", begins, "id % 10 < 8"), ("objected", NOW.0 - 365 * 86_400_000, "id % 50 = 7")] {
        execute(
            &mut tx,
            format!("INSERT INTO consents (customer_id, at, kind, source) SELECT id, {at}, '{kind}', 'import' FROM customers WHERE {who}"),
        )
        .await?;
    }
    let dead = format!("INSERT INTO suppressions (email_key, reason, at) SELECT email_key, 'rejected', {} FROM customers WHERE id % 200 = 3", NOW.0);
    execute(&mut tx, dead).await?;
    tx.commit().await?;
    let mut tx = db.write().await?;
    execute(&mut tx, "ANALYZE".to_owned()).await?;
    Ok(tx.commit().await?)
}

async fn customers_of(db: &Db) -> Outcome<i64> {
    const COUNT: &str = "SELECT COUNT(*) FROM customers";
    Ok(match &mut db.read().await? {
        Tx::Sqlite(inner) => sqlx::query(COUNT).fetch_one(&mut **inner).await?.get(0),
        Tx::Postgres(inner) => sqlx::query(COUNT).fetch_one(&mut **inner).await?.get(0),
    })
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, customers, rest @ ..] = arguments.as_slice() else { return Err("expected: backtest_at_scale URL CUSTOMERS [DAYS [WORDS]]".into()) };
    // As the command does.
    memory::spare();
    let (days, words) = (rest.first().map_or(Ok(RUNS), |days| days.parse())?, rest.get(1..).unwrap_or_default());
    let db = Db::open(url, 4).await?;
    db.migrate().await?;
    if customers_of(&db).await? == 0 {
        fill(&db, customers.parse()?).await?;
    }
    db.close().await;
    let rules = RuleSet::from_sources(vec![("r.rhai".to_owned(), RULES.to_owned())]).map_err(|faults| format!("{faults:?}"))?;
    let campaign = Arc::new(Campaign {
        rules,
        scores: Arc::new(ScoreSet::none()),
        templates: Arc::new(TemplateSet::load(Path::new("templates")).map_err(|faults| format!("{faults:?}"))?),
        targets: HashSet::new(),
        token_key: TokenKey::new([7; 32]),
        warnings: Vec::new(),
    });
    let config = Config::from_toml("[shop]\nname = \"Shop\"\nimprint = \"Street 1, Town\"\n").map_err(|fault| format!("{fault:?}"))?;
    let config = Arc::new(config);
    let to: NaiveDate = config.shop.zone().date(NOW) - Days::new(1);
    let from = to - Days::new(days.saturating_sub(1));
    for rule in campaign.rules.rules().iter().map(|rule| &rule.spec).filter(|spec| words.iter().all(|word| spec.name.contains(word))) {
        let schedule = Crontab::parse(rule.schedule.as_deref().unwrap_or_default())?;
        let ctx = Ctx::new(Db::open(url, 4).await?, Clock::simulated(NOW), Arc::clone(&config));
        forget_peak();
        let (begin, worked) = (Instant::now(), processor_seconds());
        let found = backtest(&ctx, &campaign, &rule.name, (from, to), &schedule, |_, _| {}).await?;
        let replayed = begin.elapsed().as_secs_f64();
        serde_json::to_writer(std::io::sink(), &found)?;
        let (took, worked) = (begin.elapsed().as_secs_f64(), processor_seconds() - worked);
        let sum = |of: fn(&stammgast::flow::backtest::Day) -> usize| found.days.iter().map(of).sum::<usize>();
        println!(
            "{:15} {took:6.2} s ({worked:.2} s of processors, JSON {:.2} s)  at most {} MiB   {} runs, {} messages, {} held out, {} refusals",
            rule.name,
            took - replayed,
            resident_mib(),
            found.runs,
            sum(|day| day.sent),
            sum(|day| day.control + day.holdout),
            sum(|day| day.refused)
        );
        ctx.db.close().await;
    }
    Ok(())
}
