//! The cohort triangle: who first bought in a month, and how many of them came back in each month since.

use super::svg::{Anchor, Svg, place, shade};

/// A row of the triangle.
#[derive(Clone, Debug, PartialEq)]
pub struct CohortRow {
    /// The month, as it is to be read.
    pub label: String,
    /// Customers in the cohort.
    pub size: i64,
    /// Share of the cohort in each month since the first; the first of them is that month itself.
    pub retention: Vec<f64>,
}

/// What stands in the picture, in the reader's language.
#[derive(Clone, Debug)]
pub struct CohortWords<'a> {
    /// The heading.
    pub title: &'a str,
    /// What is to be seen.
    pub description: &'a str,
    /// Over the months.
    pub months: &'a str,
    /// Over the sizes.
    pub new: &'a str,
}

const CELL: [f64; 2] = [34.0, 24.0];
/// Left of the cells, and above them.
const EDGE: [f64; 2] = [130.0, 74.0];
/// Months that are shown.
const MOST: usize = 24;

/// The latest 24 cohorts in their first 24 months; each cell says its share in whole percent.
#[must_use]
pub fn cohort_triangle(rows: &[CohortRow], words: &CohortWords<'_>) -> String {
    let rows = &rows[rows.len().saturating_sub(MOST)..];
    let columns = rows.iter().map(|row| row.retention.len().saturating_sub(1)).max().unwrap_or_default().min(MOST);
    let width = (EDGE[0] + place(columns) * CELL[0] + 16.0).max(420.0);
    let mut svg = Svg::new(width, EDGE[1] + place(rows.len()) * CELL[1] + 16.0, words.title, words.description);
    svg.text("small", [EDGE[0] - 12.0, EDGE[1] - 8.0], Anchor::End, words.new);
    svg.text("small", [EDGE[0], EDGE[1] - 24.0], Anchor::Start, words.months);
    for column in 0..columns {
        svg.text("small", [EDGE[0] + (place(column) + 0.5) * CELL[0], EDGE[1] - 8.0], Anchor::Middle, &(column + 1).to_string());
    }
    // The first month itself is always the whole: it would take the strongest shade from all others.
    let later = |row: &CohortRow| row.retention.iter().skip(1).take(MOST).copied().collect::<Vec<f64>>();
    let highest = rows.iter().flat_map(later).fold(0.0, f64::max);
    for (number, row) in rows.iter().enumerate() {
        let top = EDGE[1] + place(number) * CELL[1];
        svg.text("label", [16.0, top + 16.0], Anchor::Start, &row.label);
        svg.text("label", [EDGE[0] - 12.0, top + 16.0], Anchor::End, &row.size.to_string());
        for (column, share) in later(row).into_iter().enumerate() {
            let (left, shade) = (EDGE[0] + place(column) * CELL[0], shade(share, highest));
            svg.rect(&format!("h{shade}"), [left, top, CELL[0] - 1.0, CELL[1] - 1.0]);
            let middle = [left + (CELL[0] - 1.0) / 2.0, top + 16.0];
            svg.text(&format!("t{shade}"), middle, Anchor::Middle, &format!("{:.0}", share * 100.0));
        }
    }
    svg.finish()
}
