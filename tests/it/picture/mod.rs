//! Pictures: well-formed whatever stands in them, the same from day to day.

use stammgast::picture::{
    CohortRow, CohortWords, ForestGroup, ForestRow, ForestWords, GridCell, GridWords, ParetoWords, Step, WaterfallWords, cohort_triangle, forest,
    grid, pareto_curve, waterfall,
};

/// Fails unless every element is closed in its turn, every attribute is quoted and named once, and no text holds what XML takes for itself.
pub(crate) fn assert_well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = svg;
    let mut roots = 0;
    while let Some(start) = rest.find('<') {
        text(&rest[..start], open.is_empty());
        let end = start + rest[start..].find('>').expect("an element ends");
        let inside = &rest[start + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closed in its turn");
            continue;
        }
        let (inside, closed) = inside.strip_suffix('/').map_or((inside, false), |inside| (inside, true));
        let (name, mut attributes) = inside.split_once(' ').unwrap_or((inside, ""));
        assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase()), "an element's name: '{name}'");
        let mut names = Vec::new();
        while !attributes.trim().is_empty() {
            let (name, value) = attributes.trim_start().split_once("=\"").expect("an attribute has a value in quotes");
            let (value, after) = value.split_once('"').expect("the quotes are closed");
            assert!(!names.contains(&name) && !name.contains(char::is_whitespace), "'{name}' in {inside}");
            text(value, false);
            names.push(name);
            attributes = after;
        }
        roots += usize::from(open.is_empty());
        if !closed {
            open.push(name);
        }
    }
    text(rest, true);
    assert!(open.is_empty() && roots == 1, "one element holds all, left open: {open:?}");
}

fn text(text: &str, outside: bool) {
    assert!(!outside || text.trim().is_empty(), "text outside of all elements: '{text}'");
    assert!(!text.contains(|c: char| (c.is_control() && c != '\n') || c == '>'), "'{text}'");
    for (at, _) in text.match_indices('&') {
        let known = ["&amp;", "&lt;", "&gt;", "&quot;", "&#39;"].iter().any(|entity| text[at..].starts_with(entity));
        assert!(known, "an ampersand that is none: '{text}'");
    }
}

const HOSTILE: &str = "</text><script>alert(\"1\")</script>&nbsp; 'x' \u{0}\u{1b}\u{ffff} ]]> Süß";

fn row(label: &str, retention: &[f64]) -> CohortRow {
    CohortRow { label: label.to_owned(), size: 100, retention: retention.to_vec() }
}

fn cohort_words(text: &str) -> CohortWords<'_> {
    CohortWords { title: text, description: text, months: text, new: text }
}

fn cell(recency: usize, frequency: usize, customers: i64, share: &str) -> GridCell {
    GridCell { recency, frequency, customers, share: share.to_owned() }
}

fn grid_words(text: &str) -> GridWords<'_> {
    GridWords { title: text, description: text, recency: text, frequency: text }
}

fn pareto_words(text: &str) -> ParetoWords<'_> {
    ParetoWords { title: text, description: text, customers: text, revenue: text, fifth: text }
}

fn forest_words(text: &str) -> ForestWords<'_> {
    ForestWords { title: text, description: text, worse: text, better: text, unit: text }
}

fn group(title: &str, rows: &[(f64, (f64, f64))]) -> ForestGroup {
    let row = |&(middle, interval): &(f64, (f64, f64))| ForestRow {
        label: title.to_owned(),
        middle: Some(middle),
        interval: Some(interval),
        text: title.to_owned(),
    };
    ForestGroup { title: title.to_owned(), rows: rows.iter().map(row).collect() }
}

fn step(label: &str, amount: f64, sum: bool) -> Step {
    Step {
        label: label.to_owned(),
        amount,
        text: format!("{amount:.2} EUR"),
        sum,
        interval: sum.then_some((amount - 50.0, amount + 20.0)),
        reach: if sum { label.to_owned() } else { String::new() },
    }
}

#[test]
fn every_picture_is_well_formed_whatever_its_words_and_numbers_are() {
    let strange = [f64::NAN, f64::INFINITY, -1.0, 0.0, 7.0];
    for words in ["", "Kunden", HOSTILE] {
        for svg in [
            cohort_triangle(&[], &cohort_words(words)),
            cohort_triangle(&[row(words, &strange), row(words, &[]), row(words, &[1.0])], &cohort_words(words)),
            pareto_curve(&[], &pareto_words(words)),
            pareto_curve(&strange, &pareto_words(words)),
            grid(&[], 5, &grid_words(words)),
            forest(&[], &forest_words(words)),
            forest(&[group(words, &strange.map(|end| (end, (end, -end)))), group(words, &[])], &forest_words(words)),
            waterfall(&[], &WaterfallWords { title: words, description: words }),
            waterfall(&strange.map(|amount| step(words, amount, amount > 0.0)), &WaterfallWords { title: words, description: words }),
            grid(&[cell(1, 1, i64::MAX, words), cell(99, 0, -1, "")], 20, &grid_words(words)),
        ] {
            assert_well_formed(&svg);
            assert!(!svg.contains("<script") && !svg.contains(",NaN") && !svg.contains("\"NaN"), "{svg}");
        }
    }
}

#[test]
#[should_panic(expected = "closed in its turn")]
fn a_picture_that_is_not_well_formed_is_noticed() {
    assert_well_formed("<svg><text>x</svg></text>");
}

#[test]
fn the_cohort_triangle() {
    let rows = [row("2026-01", &[1.0, 0.2, 0.1, 0.0]), row("2026-02", &[1.0, 0.16, 0.05]), row("2026-03", &[1.0])];
    insta::assert_snapshot!("cohorts", cohort_triangle(&rows, &cohort_words("Wer wiederkommt")));
    let many: Vec<CohortRow> = (0..60).map(|number| row(&number.to_string(), &[0.5; 60])).collect();
    let svg = cohort_triangle(&many, &cohort_words(""));
    assert!(
        svg.matches("<rect").count() == 24 * 24 + 1 && svg.contains(">59</text>") && !svg.contains(">35</text>"),
        "the latest 24 in their first 24 months"
    );
}

#[test]
fn the_forest_plot() {
    let unknown = ForestRow { label: "C – control".to_owned(), middle: None, interval: None, text: "–".to_owned() };
    let mut win_back = group("win-back", &[(0.04, (-0.02, 0.1)), (-0.01, (-0.05, 0.03))]);
    win_back.rows.push(unknown);
    let groups = [win_back, group("<b>\"birthday\" & more", &[(0.05, (0.02, 0.08))])];
    insta::assert_snapshot!("forest", forest(&groups, &forest_words("Varianten")));
}

#[test]
fn the_waterfall() {
    let steps = [step("more revenue", 200.0, true), step("cost of goods", -120.0, false), step("vouchers", -60.0, false), step("earned", 20.0, true)];
    insta::assert_snapshot!("waterfall", waterfall(&steps, &WaterfallWords { title: "win-back", description: "" }));
}

#[test]
fn the_pareto_curve() {
    let curve: Vec<f64> = (0..=100).map(|percent| (f64::from(percent) / 100.0).sqrt()).collect();
    insta::assert_snapshot!("pareto", pareto_curve(&curve, &pareto_words("die besten 20 %: 44,7 %")));
}

#[test]
fn the_grid_of_recency_and_frequency() {
    let cells = [cell(1, 1, 120, "10,0 %"), cell(3, 1, 60, "20,0 %"), cell(3, 3, 1, "70,0 %"), cell(2, 2, 0, "")];
    insta::assert_snapshot!("grid", grid(&cells, 3, &grid_words("Kunden")));
}
