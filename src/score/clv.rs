//! What orders to come are worth today. (CLV from the averages of the whole shop is a KPI.)

/// What the orders to come are worth today: `expected` are the purchases to expect until the end of each period, `value` is what one brings, `discount` the interest of a
/// period (0.01 = 1 %); what a period brings counts as paid at its end.
#[must_use]
pub fn discounted(expected: &[f64], value: f64, discount: f64) -> f64 {
    let before = std::iter::once(&0.0).chain(expected);
    let (total, _) = expected.iter().zip(before).fold((0.0, 1.0), |(total, worth), (until, before)| {
        let worth = worth / (1.0 + discount);
        (total + (until - before) * worth, worth)
    });
    total * value
}
