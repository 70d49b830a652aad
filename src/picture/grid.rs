//! The grid of customers by recency and frequency.

use super::svg::{Anchor, Svg, place, shade};

/// The customers with one pair of scores.
#[derive(Clone, Debug, PartialEq)]
pub struct GridCell {
    /// Recency score, from 1 (long ago).
    pub recency: usize,
    /// Frequency score, from 1 (seldom).
    pub frequency: usize,
    /// How many they are.
    pub customers: i64,
    /// Their share of the revenue, as it is to be read; empty: there is none to share.
    pub share: String,
}

/// What stands in the picture, in the reader's language.
#[derive(Clone, Debug)]
pub struct GridWords<'a> {
    /// The heading.
    pub title: &'a str,
    /// What is to be seen.
    pub description: &'a str,
    /// Under the columns.
    pub recency: &'a str,
    /// Over the rows.
    pub frequency: &'a str,
}

const CELL: [f64; 2] = [72.0, 50.0];
/// Left of the cells, and above them.
const EDGE: [f64; 2] = [44.0, 64.0];

/// The best customers are at the top right; a cell says how many customers are in it and what percent of the revenue they brought, and is the stronger
/// the more customers it holds. `buckets`: scores run from 1 to it; cells outside are left out.
#[must_use]
pub fn grid(cells: &[GridCell], buckets: usize, words: &GridWords<'_>) -> String {
    let side = |length: f64| place(buckets) * length;
    let width = (EDGE[0] + side(CELL[0]) + 16.0).max(420.0);
    let mut svg = Svg::new(width, EDGE[1] + side(CELL[1]) + 48.0, words.title, words.description);
    svg.text("small", [16.0, EDGE[1] - 10.0], Anchor::Start, words.frequency);
    svg.text("small", [EDGE[0], EDGE[1] + side(CELL[1]) + 36.0], Anchor::Start, words.recency);
    for score in 1..=buckets {
        svg.text("label", [EDGE[0] - 10.0, EDGE[1] + (place(buckets - score) + 0.5) * CELL[1] + 4.0], Anchor::End, &score.to_string());
        svg.text("label", [EDGE[0] + (place(score) - 0.5) * CELL[0], EDGE[1] + side(CELL[1]) + 18.0], Anchor::Middle, &score.to_string());
    }
    #[expect(clippy::cast_precision_loss, reason = "a shade")]
    let number = |cell: &GridCell| cell.customers as f64;
    let highest = cells.iter().map(number).fold(0.0, f64::max);
    for recency in 1..=buckets {
        for frequency in 1..=buckets {
            let cell = cells.iter().find(|cell| (cell.recency, cell.frequency) == (recency, frequency));
            let (left, top) = (EDGE[0] + (place(recency) - 1.0) * CELL[0], EDGE[1] + place(buckets - frequency) * CELL[1]);
            let shade = cell.map_or(0, |cell| shade(number(cell), highest));
            svg.rect(&format!("h{shade}"), [left, top, CELL[0] - 2.0, CELL[1] - 2.0]);
            let Some(cell) = cell else { continue };
            let (middle, class) = (left + CELL[0] / 2.0 - 1.0, format!("t{shade}"));
            svg.text(&class, [middle, top + 21.0], Anchor::Middle, &cell.customers.to_string());
            if !cell.share.is_empty() {
                svg.text(&format!("{class} small"), [middle, top + 37.0], Anchor::Middle, &cell.share);
            }
        }
    }
    svg.finish()
}
