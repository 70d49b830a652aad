//! How fast conditions are answered, as a ratio to plain Rust over the same customers in the same run: `cargo run --release --example rules_speed`.
//! `rules_speed ROWS` is our side of `script/bench-rules`: a condition that only the interpreter can tell, about customers in memory; lines of JSON.

mod common;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use common::{Outcome, forget_peak, processor_seconds, resident_mib};

use stammgast::base::id::Id;
use stammgast::base::money::Cents;
use stammgast::base::time::{DAY_MS, UnixMs, Zone};
use stammgast::model::attribute::Attributes;
use stammgast::model::customer::{Customer, Locale};
use stammgast::model::facts::{Facts, Moment};
use stammgast::model::outlook::Outlook;
use stammgast::model::score::{Abc, Score};
use stammgast::rules::{Evaluation, RuleSet};

const CUSTOMERS: i64 = 200_000;
const ROUNDS: usize = 3;
const NOW: UnixMs = UnixMs(1_768_478_400_000);

/// Customers that differ, without chance.
fn customer(number: i64) -> Facts {
    let mixed = (number * 7_919) % 10_007;
    let customer = Customer {
        id: Id(number),
        external_id: number.to_string(),
        email: None,
        first_name: Some("Erika".to_owned()),
        last_name: Some("Mustermann".to_owned()),
        birthday: None,
        locale: Some(Locale::De),
        tags: if mixed % 20 == 0 { vec!["vip".to_owned()] } else { Vec::new() },
        attributes: Attributes::new(),
        referred_by: None,
    };
    let score = Score {
        customer_id: Id(number),
        as_of: NOW,
        recency_days: mixed % 365,
        orders: 1 + mixed % 9,
        revenue: Cents(mixed * 37),
        average_order_value: Cents(mixed),
        first_order_at: NOW.plus(-400 * DAY_MS),
        last_order_at: NOW.plus(-(mixed % 365) * DAY_MS),
        tenure_days: 400,
        r: 1 + mixed % 5,
        f: 1 + mixed % 5,
        m: 1 + mixed % 5,
        rfm: 111 * (1 + mixed % 5),
        rfm_weighted_e4: 30_000,
        abc: [Abc::A, Abc::B, Abc::C][usize::try_from(mixed % 3).unwrap_or_default()],
        abc_adjusted: None,
        revenue_rank: number + 1,
        top_percent: 1 + mixed % 100,
        outlook: Outlook::default(),
    };
    Facts::new(customer, (mixed % 10 > 0).then_some(score))
}

/// The same condition in Rust.
fn plain(facts: &Facts) -> bool {
    facts.score.as_ref().is_some_and(|score| score.recency_days > 60 && score.orders >= 2 && score.revenue > Cents(1998))
        && !facts.customer.tags.iter().any(|tag| tag == "vip")
}

const CONDITION: &str = "c.recency_days > 60 && c.orders >= 2 && c.revenue > 19.98 && !c.tags.contains(\"vip\")";

/// Nanoseconds a customer, the best of some rounds, and how many match.
fn measure(people: &[Facts], matches: impl Fn(&[Facts]) -> usize) -> (f64, usize) {
    let mut best = (f64::INFINITY, 0);
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        let count = black_box(matches(people));
        let seconds = begin.elapsed().as_secs_f64();
        best = (best.0.min(seconds * 1e9 / f64::from(i32::try_from(people.len()).unwrap_or(i32::MAX))), count);
    }
    best
}

/// The condition of `script/bench-rules`.
const SCRIPT: &str = "((c.orders ?? 0) * 7 + (c.r ?? 0)) % 10 == 3";
/// Customers whom the interpreter is asked about at once, as in a run.
const PAGE: usize = 1_000;
/// Plain Rust is too fast for the clock that counts processor time.
const TIMES: usize = 50;

/// Whether the condition of `script/bench-rules` holds.
fn holds(facts: &Facts) -> bool {
    let (orders, r) = facts.score.as_ref().map_or((0, 0), |score| (score.orders, score.r));
    (orders * 7 + r) % 10 == 3
}

/// Customers with the orders and the r of these lines; 0 orders: never bought.
fn beside(path: &str) -> Outcome<()> {
    let text = std::fs::read_to_string(path)?;
    let mut people = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let (orders, r) = line.split_once(',').ok_or("expected lines such as 3,4")?;
        let mut facts = customer(number);
        let (orders, r) = (orders.parse()?, r.parse()?);
        let score = facts.score.take().or_else(|| customer(number + 1).score);
        facts.score = score.map(|score| Box::new(Score { orders, r, ..*score })).filter(|_| orders > 0);
        people.push(facts);
    }
    let text = format!("rule(\"r\").basis(\"consent\").when(|c| {SCRIPT}).send(|c| email(\"t\"));");
    let set = RuleSet::from_sources(vec![("r.rhai".to_owned(), text)]).map_err(|faults| format!("{faults:?}"))?;
    let (rule, moment) = (set.rule("r").ok_or("there is no rule")?, Moment { now: NOW, zone: Zone(chrono_tz::Tz::UTC) });
    let pages: Vec<Arc<Vec<Facts>>> = people.chunks(PAGE).map(|page| Arc::new(page.to_vec())).collect();
    let print = |side: &str, found: usize, seconds: f64| println!("{{\"side\": \"{side}\", \"found\": {found}, \"seconds\": {seconds}}}");
    forget_peak();
    let worked = processor_seconds();
    let found = (0..TIMES).map(|_| black_box(&people).iter().filter(|facts| holds(facts)).count()).sum::<usize>() / TIMES;
    print("a plain Rust predicate over structs", found, (processor_seconds() - worked) / f64::from(u32::try_from(TIMES)?));
    let worked = processor_seconds();
    let found = pages.iter().map(|page| rule.meant(page, moment).len()).sum();
    print("Stammgast, in memory", found, processor_seconds() - worked);
    eprintln!("resident at most {} MiB", resident_mib());
    Ok(())
}

fn main() -> Outcome<()> {
    match std::env::args().nth(1) {
        Some(path) => beside(&path),
        None => in_memory(),
    }
}

fn in_memory() -> Outcome<()> {
    let people: Vec<Facts> = (0..CUSTOMERS).map(customer).collect();
    let text = format!("rule(\"r\").basis(\"consent\").when(|c| {CONDITION}).send(|c| email(\"t\"));");
    let Ok(set) = RuleSet::from_sources(vec![("r.rhai".to_owned(), text)]) else { return Err("the rule does not load".into()) };
    let Some(rule) = set.rule("r") else { return Err("there is no rule".into()) };
    let moment = Moment { now: NOW, zone: Zone(chrono_tz::Tz::UTC) };
    let count = |answers: Vec<Evaluation>| answers.iter().filter(|answer| matches!(answer, Evaluation::Match { .. })).count();
    let (limit, expected) = measure(&people, |people| people.iter().filter(|facts| plain(facts)).count());
    println!("{CONDITION}\n{CUSTOMERS} customers, {expected} match");
    let clauses = measure(&people, |people| count(rule.answer(people, moment)));
    let logged = measure(&people, |people| count(rule.evaluate(people, moment)));
    let interpreter = measure(&people, |people| count(rule.interpret(people, moment)));
    println!("{:32} {limit:7.0} ns", "plain Rust (the limit)");
    for (name, (ns, found)) in [("clauses", clauses), ("clauses, telling what was read", logged), ("interpreter, telling the same", interpreter)] {
        println!("{name:32} {ns:7.0} ns   {:5.0} times the limit{}", ns / limit, if found == expected { "" } else { "   WRONG ANSWER" });
    }
    Ok(())
}
