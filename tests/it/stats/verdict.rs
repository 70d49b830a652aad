//! The verdict: what is decided, and the sentence that says it.

use stammgast::model::customer::Locale;
use stammgast::stats::proportion::Proportion;
use stammgast::stats::verdict::{self, Outcome, Verdict};
use stammgast::stats::words::{self, Told};

type Arms<'a> = &'a [(Option<&'a str>, i64, i64)];

fn judged(arms: Arms<'_>, split_p: Option<f64>) -> Option<Verdict> {
    let rates: Vec<Proportion> = arms.iter().map(|(_, hits, of)| Proportion { hits: *hits, of: *of }).collect();
    verdict::judge(&rates, &verdict::pairs(&rates, 0.2), split_p)
}

fn sentences(arms: Arms<'_>, split_p: Option<f64>, more_days: Option<i64>) -> [String; 2] {
    let verdict = judged(arms, split_p).unwrap();
    let told: Vec<(Option<&str>, f64)> =
        arms.iter().map(|(name, hits, of)| (*name, Proportion { hits: *hits, of: *of }.rate().unwrap_or(0.0))).collect();
    let told = Told { arms: &told, smallest_percent: 20, more_days };
    [Locale::De, Locale::En].map(|locale| words::sentence(&verdict, &told, locale))
}

#[test]
fn each_verdict_is_a_plain_sentence_in_german_and_english() {
    let control = |hits, of| (None, hits, of);
    let cases: [(&str, Arms<'_>, Option<f64>, Option<i64>); 12] = [
        ("a variant wins", &[control(50, 1_000), (Some("A"), 110, 1_000)], Some(0.4), None),
        ("control wins", &[control(120, 1_000), (Some("A"), 50, 1_000)], None, None),
        ("the best of three", &[control(40, 2_000), (Some("A"), 120, 2_000), (Some("B"), 260, 2_000)], None, None),
        ("not enough", &[control(1, 25), (Some("A"), 12, 123), (Some("B"), 14, 113)], Some(0.8), Some(430)),
        ("not enough, part is clear", &[control(40, 2_000), (Some("A"), 240, 2_000), (Some("B"), 260, 2_000)], None, Some(12)),
        ("not enough for years", &[control(5, 100), (Some("A"), 6, 100)], None, Some(4_000)),
        ("not enough by tomorrow", &[control(500, 9_500), (Some("A"), 560, 9_500)], None, Some(1)),
        ("nobody bought", &[control(0, 100), (Some("A"), 0, 100)], None, None),
        ("one arm is empty", &[(Some("A"), 3, 30), (Some("B"), 2, 30), (Some("C"), 0, 0)], None, Some(9)),
        ("no difference", &[control(25_000, 500_000), (Some("A"), 25_030, 500_000)], None, None),
        ("no difference, one is behind", &[control(10_000, 500_000), (Some("A"), 25_000, 500_000), (Some("B"), 25_030, 500_000)], None, None),
        ("a broken split", &[control(50, 1_000), (Some("A"), 110, 1_400)], Some(0.0001), None),
    ];
    let told: Vec<String> = cases
        .iter()
        .map(|(name, arms, split_p, days)| {
            let [german, english] = sentences(arms, *split_p, *days);
            format!("{name}\n  {german}\n  {english}")
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn one_arm_alone_has_no_verdict() {
    assert_eq!(judged(&[(Some("A"), 3, 30)], None), None);
    assert_eq!(judged(&[(None, 0, 0), (Some("A"), 3, 30)], None), None);
    assert_eq!(judged(&[], None), None);
}

#[test]
fn the_people_asked_for_are_about_those_that_decide() {
    let arms: Arms<'_> = &[(None, 50, 1_000), (Some("A"), 60, 1_000)];
    let verdict = judged(arms, None).unwrap();
    assert_eq!(verdict.outcome, Outcome::NotEnough);
    let more = verdict.more_people.unwrap();
    assert!((15_000..22_000).contains(&more), "{more}");
    // With the same rates and so many people more it is decided.
    let times = (more + 2_000) / 2_000 + 1;
    let later: Arms<'_> = &[(None, 50 * times, 1_000 * times), (Some("A"), 61 * times, 1_000 * times)];
    assert_eq!(judged(later, None).unwrap().outcome, Outcome::Winner);
    // Beyond the plan, between "nothing" and "worth having", a few more people are asked for, not none.
    let between: Arms<'_> = &[(None, 1_000, 20_000), (Some("A"), 1_085, 20_000)];
    let verdict = judged(between, None).unwrap();
    assert_eq!(verdict.outcome, Outcome::NotEnough);
    assert!(verdict.more_people.unwrap() > 0, "{verdict:?}");
}
