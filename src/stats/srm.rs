//! Was the split what it was meant to be? A sample-ratio mismatch shows a fault in assigning or counting, and no comparison can be trusted then.

use super::special::chi_square_tail;

/// Below this p-value the split is broken. Strict, because the check runs with every report (GrowthBook and Fabijan et al. 2019 go by the same limit).
pub const LIMIT: f64 = 0.001;

/// The p-value of the χ² test that `people` were split by `weights` (any positive numbers; their shares count). 1 of nobody and of fewer than two arms; 0 when
/// somebody is in an arm with the weight 0.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "people are fewer than 2^53")]
pub fn p_value(people: &[i64], weights: &[f64]) -> f64 {
    let arms: Vec<(f64, f64)> = people.iter().map(|count| *count as f64).zip(weights.iter().copied()).collect();
    let (all, total) = arms.iter().fold((0.0, 0.0), |(all, total), (count, weight)| (all + count, total + weight));
    if arms.iter().any(|(count, weight)| *weight <= 0.0 && *count > 0.0) {
        return 0.0;
    }
    let open: Vec<(f64, f64)> = arms.into_iter().filter(|(_, weight)| *weight > 0.0).collect();
    if all <= 0.0 || open.len() < 2 {
        return 1.0;
    }
    let square = |(count, weight): &(f64, f64)| {
        let expected = all * weight / total;
        (count - expected).powi(2) / expected
    };
    chi_square_tail(open.iter().map(square).sum(), (open.len() - 1) as f64)
}
