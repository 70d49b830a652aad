//! Conditions about very many customers in a database, as a ratio to hand-written SQL that returns the same ids: `rules_at_scale URL CUSTOMERS [WORDS]`.
//! Fills an empty database first. What is measured is how a run finds its people: ask the database, read what the condition names, ask the condition.
//! With words, only the cases that have them in their names.

mod common;
#[path = "common/sql.rs"]
mod sql;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use common::{Outcome, forget_peak, processor_seconds, resident_mib};
use sql::execute;
use sqlx::Row as _;
use stammgast::base::clock::Clock;
use stammgast::base::time::{UnixMs, Zone};
use stammgast::base::token::TokenKey;
use stammgast::channel::templates::TemplateSet;
use stammgast::config::Config;
use stammgast::flow::Ctx;
use stammgast::flow::campaign::Campaign;
use stammgast::flow::scan::Walk;
use stammgast::model::facts::Moment;
use stammgast::rules::{RuleSet, ScoreSet};
use stammgast::store::{Db, Tx};

/// 2026-01-15T12:00:00Z, a Thursday.
const NOW: UnixMs = UnixMs(1_768_478_400_000);
const ROUNDS: usize = 3;
/// Rules that run at the same moment.
const RULES: i64 = 50;

/// Name, condition, and the same in SQL; none where no sensible SQL says it.
const CASES: &[(&str, &str, Option<&str>)] = &[
    (
        "three clauses, 1 %",
        "c.recency_days > 60 && c.orders >= 2 && c.top_percent <= 1",
        Some("SELECT customer_id FROM scores WHERE recency_days > 60 AND orders >= 2 AND top_percent <= 1 ORDER BY customer_id"),
    ),
    (
        "birthday today of A customers",
        "c.birthday_in_days == 0 && c.abc == \"A\"",
        Some(
            "SELECT c.id FROM customers c JOIN scores s ON s.customer_id = c.id WHERE substr(c.birthday, 6, 5) = '01-15' AND s.abc = 'A' ORDER BY c.id",
        ),
    ),
    ("interpreter alone", "(c.orders + c.r) % 100 == 99", None),
    ("interpreter, beside its peers", "((c.orders ?? 0) * 7 + (c.r ?? 0)) % 10 == 3", None),
    ("interpreter, one clause before", "c.recency_days > 60 && (c.orders + c.r) % 100 == 99", None),
];

/// People with scores that depend on nothing but their number.
async fn fill(db: &Db, customers: i64) -> Outcome<()> {
    let numbers = format!("WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {customers}) ");
    let two = |number: &str| format!("substr('0' || CAST({number} AS TEXT), length(CAST({number} AS TEXT)), 2)");
    let birthday = format!("'19' || {} || '-' || {} || '-' || {}", two("(i % 60 + 30)"), two("(i / 7 % 12 + 1)"), two("(i / 3 % 28 + 1)"));
    let mut tx = db.write().await?;
    let people = format!(
        "INSERT INTO customers (id, external_id, email, email_key, first_name, last_name, birthday, locale, tags, created_at, updated_at) {numbers}
         SELECT i, CAST(i AS TEXT), 'c' || CAST(i AS TEXT) || '@shop.example', 'c' || CAST(i AS TEXT) || '@shop.example', 'Erika', 'Mustermann', {birthday}, 'de',
         CASE WHEN i % 20 = 0 THEN '[\"vip\"]' ELSE '[]' END, 0, 0 FROM n"
    );
    execute(&mut tx, people).await?;
    let day = 86_400_000_i64;
    let scores = format!(
        "INSERT INTO scores (customer_id, as_of, recency_days, orders, revenue_cents, average_order_value_cents, first_order_at, last_order_at, tenure_days, r, f, m,
         rfm, rfm_weighted_e4, abc, revenue_rank, top_percent) {numbers}
         SELECT i, {0}, i * 7919 % 730, 1 + i * 31 % 9, i * 37 % 90000, i * 37 % 9000, {0} - 800 * CAST({day} AS BIGINT), {0} - (i * 7919 % 730) * CAST({day} AS BIGINT), 800,
         1 + i % 5, 1 + i * 3 % 5, 1 + i * 7 % 5, 111, 10000, CASE i % 10 WHEN 0 THEN 'A' WHEN 1 THEN 'B' ELSE 'C' END, i, 1 + i * 61 % 60 FROM n WHERE i % 10 > 0 OR i % 20 = 0",
        NOW.0
    );
    execute(&mut tx, scores).await?;
    tx.commit().await?;
    let mut tx = db.write().await?;
    execute(&mut tx, "ANALYZE".to_owned()).await?;
    Ok(tx.commit().await?)
}

async fn by_hand(db: &Db, text: &str) -> Outcome<Vec<i64>> {
    Ok(match &mut db.read().await? {
        Tx::Sqlite(inner) => sqlx::query_scalar(sqlx::AssertSqlSafe(text.to_owned())).fetch_all(&mut **inner).await?,
        Tx::Postgres(inner) => sqlx::query_scalar(sqlx::AssertSqlSafe(text.to_owned())).fetch_all(&mut **inner).await?,
    })
}

/// The ids that runs of these rules would ask about, for each rule.
async fn by_rules(ctx: &Ctx, campaign: &Arc<Campaign>, moment: Moment) -> Outcome<Vec<Vec<i64>>> {
    let mut walk = Walk::new(ctx, campaign, campaign.rules.rules().iter().collect(), moment);
    let mut found = vec![Vec::new(); campaign.rules.rules().len()];
    while let Some(meant) = walk.step().await? {
        for (found, ids) in found.iter_mut().zip(meant) {
            found.extend(ids.into_iter().map(|id| id.0));
        }
    }
    Ok(found)
}

/// Rules of these conditions, in this order.
fn campaign(conditions: &[String]) -> Outcome<Arc<Campaign>> {
    let rule =
        |(number, condition): (usize, &String)| format!("rule(\"r{number:02}\").basis(\"consent\").when(|c| {condition}).send(|c| email(\"t\"));\n");
    let text: String = conditions.iter().enumerate().map(rule).collect();
    let rules = RuleSet::from_sources(vec![("r.rhai".to_owned(), text)]).map_err(|faults| format!("{faults:?}"))?;
    let templates = Arc::new(TemplateSet::load(Path::new("templates")).map_err(|faults| format!("{faults:?}"))?);
    Ok(Arc::new(Campaign {
        rules,
        scores: Arc::new(ScoreSet::none()),
        templates,
        targets: HashSet::new(),
        token_key: TokenKey::new([7; 32]),
        warnings: Vec::new(),
    }))
}

/// Conditions like the first case, each with people of its own, and the same in SQL.
fn many() -> Vec<(String, String)> {
    let both = |number: i64| {
        let (days, place) = (60 + number, 1 + number % 60);
        let rule = format!("c.recency_days > {days} && c.orders >= 2 && c.top_percent == {place}");
        (rule, format!("SELECT customer_id FROM scores WHERE recency_days > {days} AND orders >= 2 AND top_percent = {place} ORDER BY customer_id"))
    };
    (0..RULES).map(both).collect()
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, url, customers, words @ ..] = arguments.as_slice() else { return Err("expected: rules_at_scale URL CUSTOMERS [WORDS]".into()) };
    let db = Db::open(url, 4).await?;
    db.migrate().await?;
    let there = match &mut db.read().await? {
        Tx::Sqlite(inner) => sqlx::query("SELECT COUNT(*) FROM customers").fetch_one(&mut **inner).await?.get::<i64, _>(0),
        Tx::Postgres(inner) => sqlx::query("SELECT COUNT(*) FROM customers").fetch_one(&mut **inner).await?.get::<i64, _>(0),
    };
    if there == 0 {
        fill(&db, customers.parse()?).await?;
    }
    let moment = Moment { now: NOW, zone: Zone(chrono_tz::Tz::UTC) };
    let config = Config::from_toml("[shop]\nname = \"Shop\"\nimprint = \"Street 1, Town\"\n").map_err(|fault| format!("{fault:?}"))?;
    let ctx = Ctx::new(db, Clock::simulated(NOW), Arc::new(config));
    let customers: f64 = customers.parse()?;
    let mut cases: Vec<(String, Vec<String>, Vec<String>)> = CASES
        .iter()
        .map(|(name, condition, sql)| ((*name).to_owned(), vec![(*condition).to_owned()], sql.iter().map(|sql| (*sql).to_owned()).collect()))
        .collect();
    let (conditions, sql): (Vec<String>, Vec<String>) = many().into_iter().unzip();
    cases.push((format!("{RULES} such rules in one walk"), conditions, sql));
    let mut most = 0;
    for (name, conditions, sql) in cases.into_iter().filter(|(name, ..)| words.iter().all(|words| name.contains(words))) {
        let campaign = campaign(&conditions)?;
        let (mut ratios, mut peak) = (Vec::new(), 0);
        let (mut best, mut limit, mut count, mut work) = (f64::INFINITY, f64::INFINITY, 0, f64::INFINITY);
        for round in 0..ROUNDS {
            let begin = Instant::now();
            let expected = match sql.first() {
                Some(sql) => by_hand(&ctx.db, sql).await?,
                None => Vec::new(),
            };
            let hand = begin.elapsed().as_secs_f64();
            forget_peak();
            let (begin, worked) = (Instant::now(), processor_seconds());
            let found = by_rules(&ctx, &campaign, moment).await?;
            let (ours, worked) = (begin.elapsed().as_secs_f64(), processor_seconds() - worked);
            peak = peak.max(resident_mib());
            for (number, sql) in sql.iter().enumerate().take(if round == 0 { sql.len() } else { 1 }) {
                let expected = if number == 0 { expected.clone() } else { by_hand(&ctx.db, sql).await? };
                if found[number] != expected {
                    return Err(format!("{name}: {sql}: {} found, {} expected", found[number].len(), expected.len()).into());
                }
            }
            ratios.push(ours / hand);
            (best, limit, work, count) = (best.min(ours), limit.min(hand), work.min(worked), found.iter().map(Vec::len).sum());
        }
        ratios.sort_by(f64::total_cmp);
        let against = if sql.is_empty() { String::new() } else { format!("one by hand {:.3} s, ratio {:.2}", limit, ratios[ROUNDS / 2]) };
        most = most.max(peak);
        let (rate, core) = (customers / best, customers / work);
        println!("{name:34} {count:8} match   {best:.3} s   {rate:.0} customers/s, {core:.0} a core   {peak} MiB   {against}");
    }
    println!("resident at most {most} MiB");
    Ok(())
}
