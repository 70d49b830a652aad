//! From an order to the decision about its customer: `order_to_decision URL CUSTOMERS` fills an empty database. What is measured: an order is stored
//! and its customer's scores refreshed; a rule that is due at this moment runs, until decision and message are durable.

mod common;
#[path = "common/sql.rs"]
mod sql;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use common::{Outcome, forget_peak, processor_seconds, resident_mib};
use sql::execute;
use stammgast::base::clock::Clock;
use stammgast::base::money::{Cents, Currency};
use stammgast::base::time::DAY_MS;
use stammgast::base::token::TokenKey;
use stammgast::channel::templates::TemplateSet;
use stammgast::config::Config;
use stammgast::flow::campaign::Campaign;
use stammgast::flow::{Ctx, evaluate, ingest, rescore};
use stammgast::model::order::{NewOrder, OrderStatus};
use stammgast::rules::{RuleSet, ScoreSet};
use stammgast::store::Db;

/// The rule concerns everybody who ordered today, so each run decides about those before, too.
const ORDERS: u16 = 20;
const RULE: &str = r#"rule("thanks").basis("contract").when(|c| c.recency_days == 0 && c.orders >= 2).cooldown(days(1)).send(|c| webhook("shop", #{ orders: c.orders }));"#;

/// People with two orders each, none of them from today.
async fn fill(ctx: &Ctx, customers: i64) -> Outcome<()> {
    let (now, day) = (ctx.clock.now().0, DAY_MS);
    let numbers = |count: i64| format!("WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {count}) ");
    let mut tx = ctx.db.write().await?;
    let people = "INSERT INTO customers (id, external_id, tags, created_at, updated_at)";
    execute(&mut tx, format!("{people} {} SELECT i, CAST(i AS TEXT), '[]', 0, 0 FROM n", numbers(customers))).await?;
    let orders = "INSERT INTO orders (id, external_id, customer_id, ordered_at, revenue_cents, currency, status, content_hash, updated_at)";
    let rows = format!(
        "SELECT i, CAST(i AS TEXT), 1 + i % {customers}, {now} - (2 + i * 7919 % 700) * {day}, 500 + i * 37 % 9000, 'EUR', 'paid', 0, 0 FROM n"
    );
    execute(&mut tx, format!("{orders} {} {rows}", numbers(2 * customers))).await?;
    execute(&mut tx, "ANALYZE".to_owned()).await?;
    Ok(tx.commit().await?)
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, customers] = arguments.as_slice() else { return Err("expected: order_to_decision URL CUSTOMERS".into()) };
    let config = Config::from_toml("[shop]\nname = \"Shop\"\nimprint = \"Street 1, Town\"\n[guards]\nhold_percent = 0\nhold_factor = 0\n")?;
    let ctx = Ctx::new(Db::open(url, 4).await?, Clock::System, Arc::new(config));
    let campaign = Arc::new(Campaign {
        rules: RuleSet::from_sources(vec![("r.rhai".to_owned(), RULE.to_owned())]).map_err(|faults| format!("{faults:?}"))?,
        scores: Arc::new(ScoreSet::none()),
        templates: Arc::new(TemplateSet::load(Path::new("templates")).map_err(|faults| format!("{faults:?}"))?),
        targets: HashSet::from(["shop".to_owned()]),
        token_key: TokenKey::new([7; 32]),
        warnings: Vec::new(),
    });
    ctx.db.migrate().await?;
    fill(&ctx, customers.parse()?).await?;
    let customers = rescore::ensure_fresh(&ctx, ctx.clock.now()).await?.customers;
    let lease = evaluate::lease(&ctx, "bench/1").await?.ok_or("somebody else decides")?;
    let begin = ctx.clock.now();
    let (mut stored_ms, mut decided_ms) = (Vec::new(), Vec::new());
    forget_peak();
    let processor = processor_seconds();
    for number in 0..ORDERS {
        let clock = Instant::now();
        let now = ctx.clock.now();
        let order = NewOrder {
            external_id: format!("{begin}-{number}"),
            customer_external_id: (number + 1).to_string(),
            customer: None,
            ordered_at: now,
            revenue: Cents(2_490),
            cost: None,
            currency: Currency::EUR,
            status: OrderStatus::Paid,
            voucher_code: None,
            lines: Vec::new(),
        };
        ingest::orders(&ctx, vec![order]).await?;
        stored_ms.push(clock.elapsed().as_secs_f64() * 1000.0);
        let report = evaluate::tick(&ctx, &campaign, "thanks", now, &lease).await?;
        decided_ms.push(clock.elapsed().as_secs_f64() * 1000.0);
        if report.messages != 1 {
            return Err(format!("order {number}: {report:?}").into());
        }
    }
    lease.release(&ctx).await?;
    for (what, mut ms) in [("order stored, scores refreshed", stored_ms), ("decision and message durable", decided_ms)] {
        ms.sort_by(f64::total_cmp);
        println!("{customers} customers, {what:32} after {:.2} ms (median), {:.2} ms (95 of 100)", ms[ms.len() / 2], ms[ms.len() * 95 / 100]);
    }
    let processor_ms = (processor_seconds() - processor) * 1000.0 / f64::from(ORDERS);
    println!("{processor_ms:.1} ms of processors each, at most {} MiB resident", resident_mib());
    Ok(())
}
