//! Several comparisons at once: p-values after Holm (1979), so that the chance of one wrong finding among all of them stays below the level.

/// The adjusted p-values, in the order of the given ones: each is to be compared with the level itself.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a handful of comparisons")]
pub fn adjusted(p_values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|a, b| p_values[*a].total_cmp(&p_values[*b]));
    let mut result = vec![1.0; p_values.len()];
    let mut highest: f64 = 0.0;
    for (rank, index) in order.into_iter().enumerate() {
        // A larger p-value never becomes smaller than one before it.
        highest = highest.max(p_values[index] * (p_values.len() - rank) as f64).min(1.0);
        result[index] = highest;
    }
    result
}
