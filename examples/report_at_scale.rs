//! What asks about all decisions, in a shop with very many: `report_at_scale URL DECISIONS`. Fills an empty database first: ten rules with two variants and control, a tenth of a year
//! each, refusals, a holdout, orders, conversions, vouchers, unsubscriptions and complaints; in one rule people come again, and one variant has won.

mod common;
#[path = "common/sql.rs"]
mod sql;

use std::sync::Arc;
use std::time::Instant;

use common::{Outcome, forget_peak, processor_seconds, resident_mib};
use sql::execute;
use sqlx::Row as _;
use stammgast::base::clock::Clock;
use stammgast::base::id::Id;
use stammgast::base::time::UnixMs;
use stammgast::config::Config;
use stammgast::flow::measure::{Question, measure};
use stammgast::flow::{Ctx, analyse, record};
use stammgast::store::report::{self, Which};
use stammgast::store::{Db, Tx, switches};

/// 2026-01-15T12:00:00Z.
const NOW: i64 = 1_768_478_400_000;
const DAY: i64 = 86_400_000;
const RULES: i64 = 10;
const ROUNDS: usize = 3;

/// The text of a rule, and what it is known by.
fn rule(number: i64) -> (String, String, String) {
    let winner = if number == 1 { ".winner(days(14))" } else { "" };
    let text = format!(
        "rule(\"r{number}\").basis(\"consent\").when(|c| c.orders > 0).once_per(\"year\").variant(\"A\", 50, |c| email(\"t\")).variant(\"B\", 50, |c| email(\"t\")).control(10).goal(\"order\", days(30)){winner};"
    );
    (format!("r{number}"), format!("hash{number}"), text)
}

/// A customer for four decisions, three orders each.
async fn fill(db: &Db, decisions: i64) -> Outcome<()> {
    let (customers, each) = (decisions / 4, decisions / RULES);
    let numbers = |count: i64| format!("WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {count}) ");
    let mut tx = db.write().await?;
    let people = format!(
        "INSERT INTO customers (id, external_id, email, email_key, locale, tags, created_at, updated_at) {}
         SELECT i, CAST(i AS TEXT), 'c' || CAST(i AS TEXT) || '@shop.example', 'c' || CAST(i AS TEXT) || '@shop.example', 'de', '[]', 0, 0 FROM n",
        numbers(customers)
    );
    execute(&mut tx, people).await?;
    let begins = NOW - 400 * DAY;
    let orders = format!(
        "INSERT INTO orders (id, external_id, customer_id, ordered_at, revenue_cents, cost_cents, currency, status, voucher_code, content_hash, updated_at) {}
         SELECT i, CAST(i AS TEXT), 1 + i * 7919 % {customers}, {begins} + i * 104729 % 400 * CAST({DAY} AS BIGINT) + i % 80000000, 500 + i * 37 % 9000, CASE WHEN i % 3 = 0 THEN 300 END, 'EUR',
         CASE WHEN i % 50 = 0 THEN 'cancelled' ELSE 'paid' END, CASE WHEN i % 20 = 0 THEN 'V' || CAST(i / 20 AS TEXT) END, i, 0 FROM n",
        numbers(customers * 3)
    );
    execute(&mut tx, orders).await?;
    for number in 0..RULES {
        let (name, hash, text) = rule(number);
        let first = (number + 1) * 1_000_000_000;
        // In the first rule everybody comes twice.
        let people = if number == 0 { (each / 2).max(1) } else { each };
        let (customer, at) =
            (format!("1 + (i % {people}) * 2 % {customers}"), format!("{begins} + ({number} * 36 + i % 36) * CAST({DAY} AS BIGINT) + i % 80000000"));
        let decided = format!(
            "INSERT INTO decisions (id, customer_id, rule, occasion, slot, rule_hash, tick_at, decided_at, verdict, variant, detail, effective_at, goal_until, inputs, times, last_at, holdout)
             {} SELECT {first} + i, {customer}, '{name}', CAST(i AS TEXT), 'arm', '{hash}', {at}, {at}, CASE WHEN i % 10 = 0 OR i % 20 = 7 THEN 'control' ELSE 'send' END,
             CASE WHEN i % 10 = 0 OR i % 20 = 7 THEN NULL WHEN i % 2 = 0 THEN 'A' ELSE 'B' END, '', {at}, {at} + 30 * CAST({DAY} AS BIGINT), '{{\"orders\":3}}', 1, {at},
             CASE WHEN i % 20 = 7 THEN 1 ELSE 0 END FROM n",
            numbers(each)
        );
        execute(&mut tx, decided).await?;
        let refused = format!(
            "INSERT INTO decisions (id, customer_id, rule, occasion, slot, rule_hash, tick_at, decided_at, verdict, variant, detail, effective_at, inputs, times, last_at)
             {} SELECT i + {first} + 500000000, {customer}, '{name}', 'no', 'no_basis', '{hash}', {at}, {at}, 'refused', NULL, '', {at}, '{{}}', 3, {at} FROM n WHERE true ON CONFLICT DO NOTHING",
            numbers(each / 10)
        );
        execute(&mut tx, refused).await?;
        for (of, text) in [
            ("rule_versions (rule, hash, text, first_seen_at)", format!("'{name}', '{hash}', '{text_}', {begins}", text_ = text.replace('\'', "''"))),
            ("rule_states (rule, hash, changed_at)", format!("'{name}', '{hash}', {begins}")),
        ] {
            execute(&mut tx, format!("INSERT INTO {of} VALUES ({text})")).await?;
        }
    }
    let messages = "INSERT INTO messages (id, decision_id, customer_id, rule, variant, occasion, channel, basis, action, created_at)
        SELECT id, id, customer_id, rule, variant, occasion, 'email', 'consent', '{}', effective_at FROM decisions WHERE verdict = 'send'";
    execute(&mut tx, messages.to_owned()).await?;
    let deliveries = "INSERT INTO deliveries (message_id, channel, rule, state, due_at, attempts, fence, done_at)
        SELECT id, 'email', rule, 'sent', effective_at, 1, 1, effective_at + 1000 FROM decisions WHERE verdict = 'send'";
    execute(&mut tx, deliveries.to_owned()).await?;
    let vouchers = "INSERT INTO vouchers (code, decision_id, customer_id, rule, percent, amount_cents, valid_until, created_at)
        SELECT 'V' || CAST(id % 1000000000 AS TEXT), id, customer_id, rule, 10, NULL, '2026-12-31', effective_at FROM decisions WHERE verdict = 'send' AND id % 10 = 3";
    execute(&mut tx, vouchers.to_owned()).await?;
    for (kind, part) in [("unsubscribed", 200), ("complained", 2_000)] {
        let statement = format!(
            "INSERT INTO outcomes (decision_id, kind, ref, at) SELECT id, '{kind}', 0, effective_at FROM decisions WHERE verdict = 'send' AND id % {part} = 3"
        );
        execute(&mut tx, statement).await?;
    }
    execute(&mut tx, format!("INSERT INTO holdouts (id, since_at, seed, percent) VALUES (1, {begins}, 'holdout', 5)")).await?;
    execute(
        &mut tx,
        format!("INSERT INTO switches (rule, experiment, variants, winner, at, rule_hash) VALUES ('r2', 'r2', '[\"A\",\"B\"]', 'A', {NOW}, 'hash2')"),
    )
    .await?;
    tx.commit().await?;
    let mut tx = db.write().await?;
    execute(&mut tx, "ANALYZE".to_owned()).await?;
    tx.commit().await?;
    // All conversions that the orders mean.
    let mut tx = db.write().await?;
    let converted = stammgast::store::outcomes::convert_open(&mut tx, UnixMs(0), UnixMs(NOW)).await?;
    tx.commit().await?;
    println!("{converted} conversions");
    Ok(())
}

async fn timed<T>(what: &str, mut work: impl AsyncFnMut() -> Outcome<T>) -> Outcome<()> {
    forget_peak();
    let (mut times, worked) = (Vec::new(), processor_seconds());
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        work().await?;
        times.push(begin.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let each = (processor_seconds() - worked) / 3.0;
    println!("{what:60} {:8.3} s ({each:.2} s of our processors)  {} MiB", times[ROUNDS / 2], resident_mib());
    Ok(())
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, decisions] = arguments.as_slice() else { return Err("expected: report_at_scale URL DECISIONS".into()) };
    let db = Db::open(url, 4).await?;
    db.migrate().await?;
    let count = "SELECT COUNT(*) FROM decisions";
    let there = match &mut db.read().await? {
        Tx::Sqlite(inner) => sqlx::query(count).fetch_one(&mut **inner).await?.get::<i64, _>(0),
        Tx::Postgres(inner) => sqlx::query(count).fetch_one(&mut **inner).await?.get::<i64, _>(0),
    };
    if there == 0 {
        fill(&db, decisions.parse()?).await?;
    }
    let config = Config::from_toml("[shop]\nname = \"Shop\"\nimprint = \"Street 1, Town\"\nmargin_percent = 30\ncost_per_message = 0.01\n[policy]\nholdout_percent = 5\nholdout_seed = \"holdout\"\n")
        .map_err(|fault| format!("{fault:?}"))?;
    let ctx = Ctx::new(db, Clock::simulated(UnixMs(NOW)), Arc::new(config));
    timed("report: the counts of all rules", async || Ok(report::rules(&mut ctx.db.read().await?, UnixMs(NOW), 0.3, Which::All, None).await?))
        .await?;
    timed("report of one rule", async || Ok(analyse::report(&ctx, Some("r3")).await?)).await?;
    timed("report of all rules and of what they earn together", async || Ok(analyse::report(&ctx, None).await?)).await?;
    timed("status page, what the report does not have: the outbox", async || Ok(report::message_states(&mut ctx.db.read().await?).await?)).await?;
    timed("has a variant won? (each run of a rule with .winner)", async || {
        Ok(switches::counts(&mut ctx.db.read().await?, "r1", &["hash1".to_owned()]).await?)
    })
    .await?;
    timed("conversions of open goals (the daemon, each look)", async || Ok(record::conversions(&ctx).await?)).await?;
    timed("conversions by a customer's order", async || Ok(record::conversions_of(&ctx, &[Id(77)]).await?)).await?;
    timed("kpi", async || Ok(measure(&ctx, &Question::default()).await?)).await?;
    Ok(())
}
