//! Our side of `script/bench-scores`: for each line on standard input it does what the line says once, and answers with a line of JSON.
//!
//! `orders FILE` keeps orders in memory: whole numbers of eight bytes, all customers, then all moments in ms, then all cents, in the order of time. `memory FILE` makes
//! scores from them and writes what came out. `histories FILE` keeps repeats, recency and age of customers, four bytes each; `fit` fits BG/NBD to them. `tests FILE`
//! makes a sequential test of each four numbers. `open URL` opens a database; `select` reads the columns that scores need with our driver and does nothing with
//! them; `database` makes the scores from there.

mod common;

use std::fs;
use std::io::BufRead as _;
use std::time::Instant;

use common::{Outcome, forget_peak, processor_seconds, resident_mib};
use futures_util::TryStreamExt as _;
use serde_json::{Value, json};
use stammgast::base::id::Id;
use stammgast::base::money::Cents;
use stammgast::base::time::{UnixMs, Zone};
use stammgast::config::Config;
use stammgast::flow::rescore;
use stammgast::model::score::{OrderFacts, PaidOrder, ScoreRules};
use stammgast::score::bgnbd_fit::{alike, fit};
use stammgast::score::{Models, OrderBook, Scored, Wanted, compute};
use stammgast::stats::proportion::Proportion;
use stammgast::stats::sequential;
use stammgast::store::{Db, Tx, scores};

/// 2026-01-15T12:00:00Z.
const NOW: UnixMs = UnixMs(1_768_478_400_000);
const SELECT: &str = "SELECT customer_id, ordered_at, revenue_cents, cost_cents FROM orders WHERE status = 'paid' AND ordered_at <= $1";
type Row = (i64, i64, i64, Option<i64>);

/// What is kept between the lines.
struct Kept {
    orders: Vec<PaidOrder>,
    histories: Vec<(u32, u32, u32)>,
    db: Option<Db>,
    rules: ScoreRules,
    zone: Zone,
}

impl Kept {
    async fn answer(&mut self, command: &str, argument: &str) -> Outcome<Value> {
        forget_peak();
        let mut answer = match command {
            "orders" => {
                let numbers = eights(argument)?;
                let [customers, moments, cents] = thirds(&numbers);
                let order = |((customer, at), cents): ((&i64, &i64), &i64)| PaidOrder {
                    customer_id: Id(*customer),
                    at: UnixMs(*at),
                    revenue: Cents(*cents),
                    margin: Cents(0),
                };
                self.orders = customers.iter().zip(moments).zip(cents).map(order).collect();
                json!({ "orders": self.orders.len() })
            }
            "memory" => {
                let mut book = OrderBook::new(self.orders.clone(), self.zone);
                let (begin, worked) = (Instant::now(), processor_seconds());
                let facts = book.advance(NOW);
                let gathered = begin.elapsed().as_secs_f64();
                let scored = self.standings(facts);
                let answer = timed(begin, worked);
                write(argument, &scored)?;
                with(answer, json!({ "gathered": gathered }))
            }
            "histories" => {
                let numbers: Vec<u32> =
                    fs::read(argument)?.chunks_exact(4).map(|bytes| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte))).collect();
                self.histories = numbers.chunks_exact(3).map(|one| (one[0], one[1], one[2])).collect();
                json!({ "customers": self.histories.len() })
            }
            "fit" => {
                let (begin, worked) = (Instant::now(), processor_seconds());
                let (model, log_likelihood) = fit(alike(self.histories.iter().copied())).ok_or("no maximum")?;
                let parameters = [model.r, model.alpha, model.a, model.b];
                with(timed(begin, worked), json!({ "log_likelihood": log_likelihood, "parameters": parameters }))
            }
            "tests" => {
                let numbers = eights(argument)?;
                let arm = |hits: i64, of: i64| Proportion { hits, of };
                let arms: Vec<_> = numbers.chunks_exact(4).map(|one| (arm(one[0], one[1]), arm(one[2], one[3]))).collect();
                let (begin, worked) = (Instant::now(), processor_seconds());
                let looks: Vec<_> = arms.iter().map(|(variant, control)| sequential::rates(*variant, *control, 0.2)).collect();
                let answer = timed(begin, worked);
                with(answer, json!({ "found": looks.iter().flatten().filter(|look| look.p_value < 0.05).count(), "tests": looks.len() }))
            }
            "open" => {
                self.db = Some(Db::open(argument, 2).await?);
                json!({})
            }
            "select" => {
                let mut tx = self.db.as_ref().ok_or("no database yet")?.read().await?;
                let (begin, worked) = (Instant::now(), processor_seconds());
                let count = match &mut tx {
                    Tx::Sqlite(inner) => {
                        sqlx::query_as::<_, Row>(SELECT).bind(NOW.0).fetch(&mut **inner).try_fold(0_u64, async |count, _| Ok(count + 1)).await?
                    }
                    Tx::Postgres(inner) => {
                        sqlx::query_as::<_, Row>(SELECT).bind(NOW.0).fetch(&mut **inner).try_fold(0_u64, async |count, _| Ok(count + 1)).await?
                    }
                };
                with(timed(begin, worked), json!({ "orders": count }))
            }
            "database" => {
                let mut tx = self.db.as_ref().ok_or("no database yet")?.read().await?;
                let (begin, worked) = (Instant::now(), processor_seconds());
                let facts = scores::facts(&mut tx, NOW, self.zone).await?;
                let read = begin.elapsed().as_secs_f64();
                let scored = self.standings(&facts);
                with(timed(begin, worked), json!({ "read": read, "customers": scored.scores.len() }))
            }
            other => return Err(format!("what is '{other}'?").into()),
        };
        answer["mib"] = resident_mib().into();
        Ok(answer)
    }

    fn standings(&self, facts: &[OrderFacts]) -> Scored {
        compute(facts, NOW, self.zone, &self.rules, Wanted { lifetime: Models::Nothing, ..Wanted::ALL })
    }
}

fn timed(begin: Instant, worked: f64) -> Value {
    json!({ "seconds": begin.elapsed().as_secs_f64(), "processor": processor_seconds() - worked })
}

fn with(mut answer: Value, more: Value) -> Value {
    if let (Some(answer), Value::Object(more)) = (answer.as_object_mut(), more) {
        answer.extend(more);
    }
    answer
}

fn eights(path: &str) -> Outcome<Vec<i64>> {
    Ok(fs::read(path)?.chunks_exact(8).map(|bytes| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | i64::from(*byte))).collect())
}

fn thirds(numbers: &[i64]) -> [&[i64]; 3] {
    let (first, rest) = numbers.split_at(numbers.len() / 3);
    let (second, third) = rest.split_at(rest.len() / 2);
    [first, second, third]
}

/// Rows of eight numbers: customer, days, orders, cents, r, f, m, class.
fn write(path: &str, scored: &Scored) -> Outcome<()> {
    let row = |score: &stammgast::model::score::Score| {
        let class = i64::from(score.abc.code().as_bytes()[0]);
        [score.customer_id.0, score.recency_days, score.orders, score.revenue.0, score.r, score.f, score.m, class]
    };
    Ok(fs::write(path, scored.scores.iter().flat_map(row).flat_map(i64::to_le_bytes).collect::<Vec<u8>>())?)
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let rules = rescore::rules(&Config::from_toml("")?);
    let mut kept = Kept { orders: Vec::new(), histories: Vec::new(), db: None, rules, zone: Zone(chrono_tz::Tz::UTC) };
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let (command, argument) = line.split_once(' ').unwrap_or((&line, ""));
        println!("{}", kept.answer(command, argument).await?);
    }
    Ok(())
}
