//! Who is held out from all rules: a share of all customers who get no advertising, so that everybody else can be compared with them.
//!
//! By GrowthBook's hash, with a seed of its own, so it has nothing to do with the split of any rule, needs no table, and whoever is held out stays so
//! when the share grows. An order mail (basis `contract`) is no advertising: the customer needs it, and it goes to everybody.

use super::bucket::bucket;
use crate::model::consent::LegalBasis;

/// Whether the customer with the shop's key `external_id` is among the first `percent` of 100. An empty key is nobody.
#[must_use]
pub fn is_in(seed: &str, external_id: &str, percent: u32) -> bool {
    bucket(seed, external_id).is_some_and(|place| place < f64::from(percent) / 100.0)
}

/// Whether somebody is held out from a rule of this basis; `None` where nobody is.
#[must_use]
pub fn applies(seed: &str, external_id: &str, percent: u32, basis: LegalBasis) -> Option<bool> {
    (percent > 0 && basis != LegalBasis::Contract).then(|| is_in(seed, external_id, percent))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// People by whether the first seed holds them out and whether the second, with another share, does.
    fn crossed(percent: u32, other: (&str, u32)) -> [[u32; 2]; 2] {
        let mut people = [[0; 2]; 2];
        for id in 0..20_000 {
            let id = id.to_string();
            people[usize::from(is_in("global-holdout", &id, percent))][usize::from(is_in(other.0, &id, other.1))] += 1;
        }
        people
    }

    #[test]
    fn who_is_held_out_stays_so_when_the_share_grows() {
        for (percent, more) in [(0, 1), (1, 2), (2, 5), (5, 50)] {
            assert_eq!(crossed(percent, ("global-holdout", more))[1][0], 0, "{percent} to {more}");
        }
        let held = crossed(5, ("global-holdout", 5))[1][1];
        assert!((900..=1100).contains(&held), "{held}");
        assert_eq!(crossed(0, ("global-holdout", 0))[1], [0, 0]);
    }

    #[test]
    fn it_has_nothing_to_do_with_the_split_of_a_rule() {
        for seed in ["win-back", "birthday", "global-holdout-2027"] {
            let [[_, _], [out, both]] = crossed(20, (seed, 50));
            // 4,000 of whom half are expected in either; 5 standard deviations.
            assert!(both.abs_diff(out) < 320, "{seed}: {both} {out}");
        }
    }

    #[test]
    fn nobody_is_held_out_from_an_order_mail() {
        assert_eq!(applies("global-holdout", "1", 50, LegalBasis::Contract), None);
        assert_eq!(applies("global-holdout", "1", 0, LegalBasis::Consent), None);
        assert!(applies("global-holdout", "1", 50, LegalBasis::ExistingCustomer).is_some());
        assert!(!is_in("global-holdout", "", 50));
    }
}
