//! The gamma function's logarithm and its derivatives, for positive arguments; good to about 14 digits.

/// From here on the asymptotic series are exact to the last digits; smaller arguments are shifted up.
const LARGE: f64 = 12.0;

/// `ln Γ(x)` for x > 0.
#[must_use]
pub fn ln_gamma(x: f64) -> f64 {
    let (mut x, mut product) = (x, 1.0);
    while x < LARGE {
        product *= x;
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = (1.0 / 12.0 - y * (1.0 / 360.0 - y * (1.0 / 1260.0 - y * (1.0 / 1680.0 - y * (1.0 / 1188.0 - y * (691.0 / 360_360.0)))))) / x;
    (x - 0.5) * x.ln() - x + 0.5 * std::f64::consts::TAU.ln() + series - product.ln()
}

/// The derivative of [`ln_gamma`], for x > 0.
#[must_use]
pub fn digamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 0.0);
    while x < LARGE {
        below += 1.0 / x;
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = y * (1.0 / 12.0 - y * (1.0 / 120.0 - y * (1.0 / 252.0 - y * (1.0 / 240.0 - y * (1.0 / 132.0 - y * (691.0 / 32_760.0))))));
    x.ln() - 0.5 / x - series - below
}

/// The derivative of [`digamma`], for x > 0.
#[must_use]
pub fn trigamma(x: f64) -> f64 {
    let (mut x, mut below) = (x, 0.0);
    while x < LARGE {
        below += 1.0 / (x * x);
        x += 1.0;
    }
    let y = 1.0 / (x * x);
    let series = y * (1.0 / 6.0 - y * (1.0 / 30.0 - y * (1.0 / 42.0 - y * (1.0 / 30.0 - y * (5.0 / 66.0 - y * (691.0 / 2730.0))))));
    (1.0 + 0.5 / x + series) / x + below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_the_tables_come_out() {
        let pi = std::f64::consts::PI;
        let near = |found: f64, expected: f64| assert!((found - expected).abs() <= 1e-13 * expected.abs().max(1.0), "{found} is not {expected}");
        near(ln_gamma(0.5), 0.5 * pi.ln());
        near(ln_gamma(1.0), 0.0);
        near(ln_gamma(1e-9), 20.723_265_836_369_205);
        near(ln_gamma(101.0), (1..=100).map(|k| f64::from(k).ln()).sum());
        near(digamma(1.0), -0.577_215_664_901_532_9);
        near(digamma(0.5), -0.577_215_664_901_532_9 - 4_f64.ln());
        near(digamma(20.0), (1..20).map(|k| 1.0 / f64::from(k)).sum::<f64>() - 0.577_215_664_901_532_9);
        near(trigamma(1.0), pi * pi / 6.0);
        near(trigamma(0.5), pi * pi / 2.0);
        near(trigamma(20.0), pi * pi / 6.0 - (1..20).map(|k| 1.0 / f64::from(k * k)).sum::<f64>());
    }
}
