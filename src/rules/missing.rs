//! In formulas of own scores: what is calculated from a missing value is missing. (A comparison with one is not true, as in conditions.)

use rhai::{Dynamic, Engine};
use rust_decimal::Decimal;

/// Teaches an engine to calculate with missing values.
pub(super) fn register(engine: &mut Engine) {
    for operator in ["+", "-", "*", "/", "%", "**"] {
        engine
            .register_fn(operator, |(): (), (): ()| Dynamic::UNIT)
            .register_fn(operator, |(): (), _: i64| Dynamic::UNIT)
            .register_fn(operator, |_: i64, (): ()| Dynamic::UNIT)
            .register_fn(operator, |(): (), _: Decimal| Dynamic::UNIT)
            .register_fn(operator, |_: Decimal, (): ()| Dynamic::UNIT);
    }
    // Rhai would leave the missing part of a text out.
    engine.register_fn("+", |(): (), _: &str| Dynamic::UNIT).register_fn("+", |_: &str, (): ()| Dynamic::UNIT);
    engine.register_fn("-", |(): ()| Dynamic::UNIT).register_fn("+", |(): ()| Dynamic::UNIT);
}
