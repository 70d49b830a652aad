//! How long scores take: `scores_speed` fits BG/NBD to 1,000,000 customers in memory, three times; `scores_speed URL CUSTOMERS ORDERS` fills an empty database with
//! orders as BG/NBD makes them, and called again measures a full run, three times.

mod common;
#[path = "common/sql.rs"]
mod sql;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use common::{Outcome, forget_peak, processor_seconds, resident_mib};
use sql::execute;
use stammgast::base::clock::Clock;
use stammgast::base::time::{DAY_MS, UnixMs};
use stammgast::config::Config;
use stammgast::flow::{Ctx, rescore};
use stammgast::rules::ScoreSet;
use stammgast::score::bgnbd_fit::{alike, fit};
use stammgast::store::Db;

/// 2026-01-15T12:00:00Z.
const NOW: UnixMs = UnixMs(1_768_478_400_000);
const FITTED: u32 = 1_000_000;
const ROUNDS: usize = 3;
/// Rows in one statement.
const ROWS: usize = 2_000;

/// Random numbers that are the same each time.
struct Dice(u64);

impl Dice {
    /// 0 (never) to 1.
    fn part(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (f64::from(u32::try_from(self.0 >> 32).unwrap_or(0)) + 1.0) / (f64::from(u32::MAX) + 2.0)
    }

    /// A gamma variable with scale 1 (Marsaglia and Tsang 2000).
    fn gamma(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            return self.gamma(shape + 1.0) * self.part().powf(1.0 / shape);
        }
        let base = shape - 1.0 / 3.0;
        loop {
            let normal = (-2.0 * self.part().ln()).sqrt() * (std::f64::consts::TAU * self.part()).cos();
            let cube = (1.0 + normal / (9.0 * base).sqrt()).powi(3);
            if cube > 0.0 && self.part().ln() < 0.5 * normal * normal + base - base * cube + base * cube.ln() {
                return base * cube;
            }
        }
    }

    /// The days of the repeat purchases of somebody whose first one was `age` days ago, by the parameters of the paper; `faster` times as many.
    fn repeats(&mut self, age: f64, faster: f64) -> Vec<f64> {
        let rate = self.gamma(0.243) / (4.414 * 7.0) * faster;
        let (leaves, stays) = (self.gamma(0.793), self.gamma(2.426));
        let leaving = leaves / (leaves + stays) / faster;
        let (mut day, mut days) = (0.0, Vec::new());
        loop {
            day -= self.part().ln() / rate;
            if day > age {
                return days;
            }
            days.push(day);
            if self.part() < leaving {
                return days;
            }
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "days")]
fn whole(days: f64) -> u32 {
    days.ceil() as u32
}

/// The fit alone, from days to parameters.
fn fit_in_memory(longest: f64) {
    let mut dice = Dice(88_172_645_463_325_252);
    let customers: Vec<(u32, u32, u32)> = (0..FITTED)
        .map(|_| {
            let age = (dice.part() * longest).ceil();
            let days = dice.repeats(age, 1.0);
            (u32::try_from(days.len()).unwrap_or(u32::MAX), days.last().copied().map_or(0, whole), whole(age))
        })
        .collect();
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let groups = alike(customers.iter().copied());
        let different = groups.len();
        let fitted = fit(groups);
        println!("BG/NBD, {FITTED} customers of up to {longest} days, {different} different: {:.3} s, {fitted:?}", begin.elapsed().as_secs_f64());
    }
}

async fn fill(db: &Db, customers: u32, orders: usize) -> Outcome<()> {
    let mut dice = Dice(1_442_695_040_888_963_407);
    let mut tx = db.write().await?;
    let ids: Vec<i64> = (1..=i64::from(customers)).collect();
    for ids in ids.chunks(ROWS) {
        let rows: Vec<String> = ids.iter().map(|id| format!("({id}, '{id}', '[]', 0, 0)")).collect();
        execute(&mut tx, format!("INSERT INTO customers (id, external_id, tags, created_at, updated_at) VALUES {}", rows.join(", "))).await?;
    }
    let mut days: Vec<(i64, u32)> = Vec::with_capacity(orders);
    while days.len() < orders {
        for id in &ids {
            let age = (dice.part() * 1_000.0).ceil();
            days.push((*id, whole(age)));
            days.extend(dice.repeats(age, 5.0).into_iter().map(|day| (*id, whole(age - day))));
        }
    }
    days.truncate(orders);
    for (chunk, part) in (0..).zip(days.chunks(ROWS)) {
        let row = |(place, (id, days_ago)): (usize, &(i64, u32))| {
            let (number, cents) = (chunk * ROWS + place + 1, 500 + whole(dice.gamma(2.0) * 1_500.0));
            format!("({number}, '{number}', {id}, {}, {cents}, 'EUR', 'paid', 0, 0)", NOW.0 - i64::from(*days_ago) * DAY_MS)
        };
        let rows: Vec<String> = part.iter().enumerate().map(row).collect();
        let columns = "id, external_id, customer_id, ordered_at, revenue_cents, currency, status, content_hash, updated_at";
        execute(&mut tx, format!("INSERT INTO orders ({columns}) VALUES {}", rows.join(", "))).await?;
    }
    Ok(tx.commit().await?)
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() == 1 {
        fit_in_memory(273.0);
        fit_in_memory(3_650.0);
        return Ok(());
    }
    let [_, url, customers, orders] = arguments.as_slice() else { return Err("expected: scores_speed [URL CUSTOMERS ORDERS]".into()) };
    let db = Db::open(url, 4).await?;
    db.migrate().await?;
    let ctx = Ctx::new(db, Clock::simulated(NOW), Arc::new(Config::from_toml("")?));
    let own = ScoreSet::load(Path::new("scores")).map_err(|faults| format!("{faults:?}"))?;
    println!("own scores: {own:?}");
    ctx.own.put(Some(Arc::new(own)));
    if rescore::external_ids(&ctx).await?.is_empty() {
        fill(&ctx.db, customers.parse()?, orders.parse()?).await?;
        println!("filled; run again to measure, so that filling takes no part of the memory");
        return Ok(());
    }
    for _ in 0..ROUNDS {
        forget_peak();
        let (begin, worked) = (Instant::now(), processor_seconds());
        let preview = rescore::preview(&ctx, NOW).await?;
        let read = begin.elapsed();
        let begin = Instant::now();
        let report = rescore::all(&ctx, NOW).await?;
        println!(
            "{} customers: computed in {:.2} s, computed and stored in {:.2} s, together {:.2} s of processors, at most {} MiB resident",
            report.customers,
            read.as_secs_f64(),
            begin.elapsed().as_secs_f64(),
            processor_seconds() - worked,
            resident_mib()
        );
        println!("{:?}", preview.borders.lifetime);
    }
    Ok(())
}
