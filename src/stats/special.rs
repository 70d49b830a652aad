//! Special functions: the normal, χ² and beta distributions, each to about 12 digits.
//!
//! Of our own, because these few functions are all that comparisons need: two hundred lines instead of a statistics crate with its dependencies.

use std::f64::consts::PI;

use crate::base::gamma::ln_gamma;

/// The density of the standard normal distribution, and the chance that a value is above `z`; relative precision holds far out, too.
pub(super) fn normal_density_and_tail(z: f64) -> (f64, f64) {
    let density = (-0.5 * z * z).exp() / (2.0 * PI).sqrt();
    // Q(1/2, z²/2) is both tails; what stands before its series is √x·e^−x/√π.
    let above = 0.5 * gamma_tail_after(z.abs() * density, 0.5, 0.5 * z * z);
    (density, if z < 0.0 { 1.0 - above } else { above })
}

/// The chance that a standard normal value is above `z`.
pub(super) fn normal_tail(z: f64) -> f64 {
    normal_density_and_tail(z).1
}

/// The value that a standard normal value is above with the chance `tail`, 0 < tail < 1; infinite at the ends.
pub(super) fn normal_quantile_above(tail: f64) -> f64 {
    falling_root(normal_tail, tail, -40.0, 40.0)
}

/// The chance that χ² with `freedom` degrees, at least 1, is above `x` ≥ 0.
pub(super) fn chi_square_tail(x: f64, freedom: f64) -> f64 {
    gamma_tail(0.5 * freedom, 0.5 * x)
}

/// Where a falling function takes `value`, between `low` and `high`, by halving.
pub(super) fn falling_root(function: impl Fn(f64) -> f64, value: f64, mut low: f64, mut high: f64) -> f64 {
    // 200 halvings end at two neighbouring numbers from any pair of ends.
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            break;
        }
        if function(middle) > value { low = middle } else { high = middle }
    }
    f64::midpoint(low, high)
}

/// The upper regularised incomplete gamma function Q(a, x), a ≥ 1/2, x ≥ 0 (DLMF 8.11.4 for small x, the continued fraction 8.9.2 for large).
fn gamma_tail(a: f64, x: f64) -> f64 {
    gamma_tail_after((a * x.ln() - x - ln_gamma(a)).exp(), a, x)
}

/// The same when `front`, x^a·e^−x/Γ(a), is known.
fn gamma_tail_after(front: f64, a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    // Up to 6 the series is the faster one, and what its complement loses is less than the last three digits.
    if x < (a + 1.0).max(6.0) {
        let (mut term, mut sum, mut place) = (1.0 / a, 1.0 / a, a);
        while term > 1e-17 * sum {
            place += 1.0;
            term *= x / place;
            sum += term;
        }
        return (1.0 - front * sum).max(0.0);
    }
    if front <= 0.0 {
        return 0.0;
    }
    // Numerators and denominators of one convergent after the other (DLMF 3.10.5), which takes no division on the way.
    let mut partial = x + 1.0 - a;
    let ((mut above, mut below), (mut above_before, mut below_before)) = ((1.0, partial), (0.0, 1.0));
    for step in 1..500 {
        let place = f64::from(step);
        let numerator = -place * (place - a);
        partial += 2.0;
        ((above, below), (above_before, below_before)) =
            ((partial * above + numerator * above_before, partial * below + numerator * below_before), (above, below));
        let (now, then) = (above * below_before, above_before * below);
        if (now - then).abs() < 1e-16 * now.abs() {
            break;
        }
        if below.abs() > 1e100 {
            // Only their ratio counts, and products of two have to stay numbers.
            (above, below, above_before, below_before) = (above * 1e-100, below * 1e-100, above_before * 1e-100, below_before * 1e-100);
        }
    }
    front * above / below
}

/// The regularised incomplete beta function: the chance that a Beta(a, b) value is below `x`.
pub(super) fn beta_below(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    let front = (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (-x).ln_1p()).exp();
    // The fraction converges fast on its own side of the mean only.
    if x < (a + 1.0) / (a + b + 2.0) { front * beta_fraction(a, b, x) / a } else { 1.0 - front * beta_fraction(b, a, 1.0 - x) / b }
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), evaluated forwards by Lentz's method. It takes about √max(a, b) steps.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    let mut upper = 1.0;
    let mut lower = 1.0 / off_zero(1.0 - (a + b) * x / (a + 1.0));
    let mut result = lower;
    for step in 1..20_000 {
        let m = f64::from(step);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        let before = result;
        for factor in [even, odd] {
            lower = 1.0 / off_zero(1.0 + factor * lower);
            upper = off_zero(1.0 + factor / upper);
            result *= upper * lower;
        }
        if (result - before).abs() < 1e-16 * result.abs() {
            break;
        }
    }
    result
}

fn off_zero(value: f64) -> f64 {
    if value.abs() < 1e-300 { 1e-300 } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_and_quantiles_are_those_of_the_tables() {
        // By mpmath with 30 digits.
        for (z, expected) in [
            (0.0, 0.5),
            (0.1, 0.460_172_162_722_970_98),
            (1.0, 0.158_655_253_931_457_05),
            (1.959_963_984_540_054, 0.025),
            (3.0, 1.349_898_031_630_094_5e-3),
            (6.0, 9.865_876_450_376_98e-10),
            (10.0, 7.619_853_024_160_527e-24),
        ] {
            assert!((normal_tail(z) / expected - 1.0).abs() < 1e-12, "{z}: {}", normal_tail(z));
            assert!((normal_tail(-z) + expected - 1.0).abs() < 1e-14);
            assert!((normal_quantile_above(expected) - z).abs() < 1e-9, "{z}");
        }
        // One and two degrees are known in closed form.
        assert!((chi_square_tail(10.827_566_170_662_733, 1.0) - 0.001).abs() < 1e-12);
        assert!((chi_square_tail(13.0, 2.0) - (-6.5f64).exp()).abs() < 1e-15);
    }

    #[test]
    fn the_beta_distribution_is_right_where_it_is_known_and_symmetric_everywhere() {
        assert!((beta_below(1.0, 5.0, 0.1) - (1.0 - 0.9f64.powi(5))).abs() < 1e-14);
        assert!((beta_below(3.0, 1.0, 0.3) - 0.027).abs() < 1e-14);
        for (a, b, x) in [(2.5, 7.0, 0.2), (251.0, 4751.0, 0.051), (250_001.0, 4_750_001.0, 0.0501), (1.0, 1.0, 0.5)] {
            assert!((beta_below(a, b, x) + beta_below(b, a, 1.0 - x) - 1.0).abs() < 1e-9, "{a} {b} {x}");
        }
    }
}
