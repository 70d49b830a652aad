//! `peers ROWS`: asks zen-expression the condition of script/bench-rules about customers in memory, and prints what it found and how long it took of a processor.
//! Rows are lines `orders,r` as that script writes them.

use std::error::Error;
use std::fs;

use zen_expression::variable::{Variable, VariableMap};
use zen_expression::vm::VM;

/// The condition of examples/rules_speed.rs in zen's language.
const CONDITION: &str = "(orders * 7 + r) % 10 == 3";
/// Customers whose values are made at once, so that a million of them need not be held.
const PAGE: usize = 10_000;

/// Processor time of this thread in seconds: neighbours disturb it little.
fn worked() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e9)
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("expected: peers ROWS")?;
    let text = fs::read_to_string(path)?;
    let row = |line: &str| -> Option<(i64, i64)> {
        let (orders, r) = line.split_once(',')?;
        Some((orders.parse().ok()?, r.parse().ok()?))
    };
    let rows = text.lines().map(row).collect::<Option<Vec<_>>>().ok_or("expected lines such as 3,4")?;
    let (orders, r) = (Variable::key("orders"), Variable::key("r"));
    let values = |row: &(i64, i64)| {
        let mut object = VariableMap::with_capacity(2);
        object.insert(orders.clone(), Variable::Number(row.0.into()));
        object.insert(r.clone(), Variable::Number(row.1.into()));
        Variable::from_object(object)
    };
    let (condition, mut vm) = (zen_expression::compile_expression(CONDITION)?, VM::new());
    let (mut found, mut made, mut asked) = (0, 0.0, 0.0);
    for page in rows.chunks(PAGE) {
        let begin = worked()?;
        let people: Vec<Variable> = page.iter().map(values).collect();
        let between = worked()?;
        for person in people {
            found += usize::from(condition.evaluate_with(person, &mut vm)?.as_bool() == Some(true));
        }
        (made, asked) = (made + between - begin, asked + worked()? - between);
    }
    println!("{{\"side\": \"zen-expression, values made before\", \"found\": {found}, \"seconds\": {asked}}}");
    println!("{{\"side\": \"zen-expression, with making its values\", \"found\": {found}, \"seconds\": {}}}", made + asked);
    Ok(())
}
