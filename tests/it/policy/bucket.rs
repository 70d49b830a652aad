//! The split is GrowthBook's: published vectors of its SDKs (cases.json, "hash" version 2 and "getBucketRange" with full coverage, MIT
//! licence), and figures recomputed by an independent implementation in Python.

use proptest::prelude::*;
use stammgast::policy::bucket::{bucket, choose, ranges};

#[test]
fn the_published_vector_of_hash_version_2_comes_out() {
    assert_eq!(bucket("seed", "a"), Some(0.0505));
}

#[test]
fn the_published_ranges_come_out() {
    for (weights, expected) in [
        (&[0.5, 0.5][..], &[(0.0, 0.5), (0.5, 1.0)][..]),
        (&[0.25; 4], &[(0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0)]),
        (&[0.4, 0.6], &[(0.0, 0.4), (0.4, 1.0)]),
        (&[0.2, 0.3, 0.5], &[(0.0, 0.2), (0.2, 0.5), (0.5, 1.0)]),
        (&[0.4, 0.1], &[(0.0, 0.5), (0.5, 1.0)]),
        (&[0.7, 0.6], &[(0.0, 0.5), (0.5, 1.0)]),
        (&[0.4, 0.5999], &[(0.0, 0.4), (0.4, 0.9999)]),
    ] {
        let found = ranges(weights);
        let close = |(a, b): (&(f64, f64), &(f64, f64))| (a.0 - b.0).abs() < 1e-12 && (a.1 - b.1).abs() < 1e-12;
        assert!(found.len() == expected.len() && found.iter().zip(expected).all(close), "{weights:?}: {found:?}");
    }
}

#[test]
fn the_split_of_cdnow_customers_is_the_one_that_python_finds() {
    let mut people = [0; 3];
    for id in 1..=2357 {
        people[choose("win-back", &id.to_string(), &[0.1, 0.45, 0.45]).unwrap()] += 1;
    }
    assert_eq!(people, [230, 1036, 1091]);
    for (value, expected) in [("1", 0.2889), ("2", 0.8045), ("3", 0.4617), ("1042", 0.5646)] {
        assert_eq!(bucket("win-back", value), Some(expected), "{value}");
    }
}

#[test]
fn an_empty_value_and_no_weights_have_no_variation() {
    assert_eq!(bucket("seed", ""), None);
    assert_eq!(choose("seed", "", &[0.5, 0.5]), None);
    assert_eq!(choose("seed", "a", &[]), None);
}

#[test]
fn who_falls_into_the_rest_that_weights_leave_is_in_no_variation() {
    let weights = [0.4, 0.595];
    let nobody = (0..10_000).filter(|id| choose("rest", &id.to_string(), &weights).is_none()).count();
    assert!((20..80).contains(&nobody), "{nobody} of 10,000, expected about 50");
}

proptest! {
    #[test]
    fn everybody_has_one_variation_when_the_weights_are_whole(seed in ".{0,12}", value in ".{1,12}", parts in proptest::collection::vec(1u32..100, 1..6)) {
        let total: u32 = parts.iter().sum();
        let weights: Vec<f64> = parts.iter().map(|&part| f64::from(part) / f64::from(total)).collect();
        let place = bucket(&seed, &value).unwrap();
        prop_assert!((0.0..1.0).contains(&place));
        prop_assert!(choose(&seed, &value, &weights).is_some());
    }
}
