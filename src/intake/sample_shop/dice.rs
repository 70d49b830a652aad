//! Dice that fall the same on every machine and in every version: SplitMix64, whole numbers only.

/// A seeded generator (Steele, Lea, Flood 2014). Written out here because the generators of `rand` may change their values with a version,
/// and the sample shop has to stay the same shop.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// Dice for one purpose: the same seed falls the same.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A whole number from `low` to `high`, both included; `low` when the range is empty.
    pub(super) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.next() >> 1).cast_signed() % (high - low + 1).max(1)
    }

    /// True in `percent` of a hundred cases.
    pub(super) fn chance(&mut self, percent: i64) -> bool {
        self.between(1, 100) <= percent
    }

    /// One of the items, each as likely as the other; `items` has at least one.
    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        let most = i64::try_from(items.len()).unwrap_or(i64::MAX) - 1;
        items[usize::try_from(self.between(0, most)).unwrap_or(0)]
    }

    /// One of the items, each as likely as its weight says; the last one has what the weights leave.
    pub(super) fn weighted<T: Copy>(&mut self, items: &[(i64, T)]) -> T {
        let mut left = self.between(1, items.iter().map(|(weight, _)| weight).sum());
        for (weight, item) in &items[..items.len() - 1] {
            left -= weight;
            if left <= 0 {
                return *item;
            }
        }
        items[items.len() - 1].1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dice_are_splitmix64() {
        // The reference values of the algorithm for seed 1234567 (rosettacode.org, "Pseudo-random numbers/Splitmix64").
        let mut dice = Dice::new(1_234_567);
        assert_eq!([dice.next(), dice.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
    }

    #[test]
    fn numbers_stay_in_their_range_and_weights_are_kept() {
        let mut dice = Dice::new(1);
        assert!((0..1000).all(|_| (3..=5).contains(&dice.between(3, 5))));
        let heavy = (0..10_000).filter(|_| dice.weighted(&[(9, true), (1, false)])).count();
        assert!((8_800..9_200).contains(&heavy), "{heavy}");
    }
}
