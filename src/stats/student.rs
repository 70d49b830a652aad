//! Student's t distribution: how many standard errors a 95 % interval reaches to either side, and how far out a value is.

use super::Z_95;
use super::special::beta_below;

/// The 97.5 % quantile of t with `freedom` degrees, at least 1 (12.706…) and not necessarily whole; `None` below or not a number.
pub(super) fn critical_95(freedom: f64) -> Option<f64> {
    if freedom.is_nan() || freedom < 1.0 {
        return None;
    }
    if freedom > 200.0 {
        return Some(far(freedom));
    }
    // The distribution function rises, so halving finds the place; 60 steps go below what a double can tell apart.
    let (mut low, mut high) = (Z_95, 12.8);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if two_sided_tail(middle, freedom) > 0.05 { low = middle } else { high = middle }
    }
    Some(f64::midpoint(low, high))
}

/// The expansion around the normal quantile (Abramowitz and Stegun 26.7.5); beyond 200 degrees it errs by less than 1e-11.
fn far(freedom: f64) -> f64 {
    let z = Z_95;
    let polynomials = [
        (z.powi(3) + z) / 4.0,
        (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0,
        (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0,
        (79.0 * z.powi(9) + 776.0 * z.powi(7) + 1482.0 * z.powi(5) - 1920.0 * z.powi(3) - 945.0 * z) / 92_160.0,
    ];
    polynomials.iter().rev().fold(0.0, |sum, polynomial| (sum + polynomial) / freedom) + z
}

/// The chance of being further than `t` from 0 on either side: I_x(freedom/2, 1/2) with x = freedom/(freedom + t²).
pub(super) fn two_sided_tail(t: f64, freedom: f64) -> f64 {
    beta_below(freedom / 2.0, 0.5, freedom / (freedom + t * t))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_quantiles_are_those_of_the_tables() {
        // By mpmath with 40 digits: the root of the regularised incomplete beta function.
        for (freedom, expected) in [
            (1.0, 12.706_204_736_174_705),
            (1.5, 6.016_663_104_427_932),
            (2.0, 4.302_652_729_749_464),
            (3.7, 2.867_520_707_191_189_5),
            (10.0, 2.228_138_851_986_275),
            (39.0, 2.022_690_920_036_761),
            (105.340_675_303_66, 1.982_740_532_351_354_3),
            (199.5, 1.971_926_307_901_525),
            (201.0, 1.971_836_506_779_859_3),
            (1_000.0, 1.962_339_080_826_408_5),
            (19_603.337_671_444, 1.960_085_005_524_196),
            (1_000_000.0, 1.959_966_356_814_107),
        ] {
            let found = critical_95(freedom).unwrap();
            assert!((found / expected - 1.0).abs() < 1e-10, "{freedom}: {found}, expected {expected}");
        }
        assert_eq!(critical_95(0.5), None);
        assert_eq!(critical_95(f64::NAN), None);
        assert!((critical_95(f64::INFINITY).unwrap() - Z_95).abs() < 1e-15);
    }

    #[test]
    fn both_ways_of_computing_meet_where_one_takes_over() {
        for freedom in [100.0, 200.0, 400.0] {
            let near = two_sided_tail(far(freedom), freedom);
            assert!((near - 0.05).abs() < 1e-10, "{freedom}: {near}");
        }
    }
}
