//! Which variant a person gets: GrowthBook's hash, version 2, so that a web shop that uses GrowthBook shows the same variant as the mail.
//!
//! Published at docs.growthbook.io ("Build your own SDK"): `fnv1a32(fnv1a32(seed + value) as decimal text) % 10000 / 10000`, and ranges made
//! of the weights one after the other. Anybody can recompute it; nothing is stored to make it stay.

/// The place of a person between 0 and 0.9999, in steps of 1/10,000. `None` for an empty value: nobody to split, as in GrowthBook's SDKs.
#[must_use]
pub fn bucket(seed: &str, value: &str) -> Option<f64> {
    if value.is_empty() {
        return None;
    }
    let inner = fnv1a32(seed.encode_utf16().chain(value.encode_utf16()));
    let outer = fnv1a32(inner.to_string().encode_utf16());
    Some(f64::from(outer % 10_000) / 10_000.0)
}

/// The index of the variation that a person gets. `None` for an empty value, without weights, and when the weights leave a rest (0.9999 in
/// sum) that the person falls into.
#[must_use]
pub fn choose(seed: &str, value: &str, weights: &[f64]) -> Option<usize> {
    let place = bucket(seed, value)?;
    ranges(weights).iter().position(|&(begin, end)| place >= begin && place < end)
}

/// The half-open range of each variation at full coverage. Weights that do not add up to 1 within 0.01 are replaced by equal ones, as
/// GrowthBook does.
#[must_use]
pub fn ranges(weights: &[f64]) -> Vec<(f64, f64)> {
    let total: f64 = weights.iter().sum();
    #[expect(clippy::cast_precision_loss, reason = "a handful of variations")]
    let equal = 1.0 / weights.len() as f64;
    let keep = (0.99..=1.01).contains(&total);
    // Added up in this order, like there: another order could round a border to the other side of a bucket.
    let mut begin = 0.0;
    let next = |&weight: &f64| {
        let from = begin;
        begin += if keep { weight } else { equal };
        (from, begin)
    };
    weights.iter().map(next).collect()
}

/// FNV-1a with 32 bits over UTF-16 units, as JavaScript's `charCodeAt` gives them; for ASCII the same as over bytes.
fn fnv1a32(units: impl Iterator<Item = u16>) -> u32 {
    units.fold(0x811c_9dc5, |hash, unit| (hash ^ u32::from(unit)).wrapping_mul(0x0100_0193))
}
