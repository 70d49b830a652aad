//! The Pareto curve: how much of the revenue the best customers bring.

use super::svg::{Anchor, Svg, place};

/// What stands in the picture, in the reader's language.
#[derive(Clone, Debug)]
pub struct ParetoWords<'a> {
    /// The heading.
    pub title: &'a str,
    /// What is to be seen.
    pub description: &'a str,
    /// Under the curve.
    pub customers: &'a str,
    /// Over the shares.
    pub revenue: &'a str,
    /// Beside the point of the best 20 percent.
    pub fifth: &'a str,
}

/// Left, top, and the length of both sides.
const FRAME: [f64; 3] = [56.0, 60.0, 360.0];

/// `curve`: the share of the revenue of the best 0, 1, … 100 percent of the customers.
#[must_use]
pub fn pareto_curve(curve: &[f64], words: &ParetoWords<'_>) -> String {
    let [left, top, side] = FRAME;
    let mut svg = Svg::new(left + side + 24.0, top + side + 52.0, words.title, words.description);
    // Refunds can lift the curve above the whole; it is drawn up to it (and what is no number at the bottom).
    let height = |share: f64| if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
    let point = |percent: f64, share: f64| [left + side * percent / 100.0, top + side * (1.0 - height(share))];
    for step in 0..=5_u8 {
        let share = f64::from(step) / 5.0;
        svg.line("rule", &[point(0.0, share), point(100.0, share)]);
        svg.line("rule", &[point(share * 100.0, 0.0), point(share * 100.0, 1.0)]);
        let label = format!("{} %", u32::from(step) * 20);
        let [x, y] = point(0.0, share);
        svg.text("small", [x - 6.0, y + 4.0], Anchor::End, &label);
        let [x, y] = point(share * 100.0, 0.0);
        svg.text("small", [x, y + 16.0], Anchor::Middle, &label);
    }
    svg.text("small", [left - 40.0, top - 10.0], Anchor::Start, words.revenue);
    svg.text("small", [left + side, top + side + 36.0], Anchor::End, words.customers);
    svg.line("even", &[point(0.0, 0.0), point(100.0, 1.0)]);
    let points: Vec<[f64; 2]> = curve.iter().enumerate().map(|(percent, share)| point(place(percent), *share)).collect();
    svg.line("line", &points);
    if let Some(share) = curve.get(20) {
        let [x, y] = point(20.0, *share);
        svg.dot("mark", [x, y]);
        svg.text("label halo", [x + 10.0, y + 18.0], Anchor::Start, words.fifth);
    }
    svg.finish()
}
