//! The waterfall: how a sum comes about, step by step from nothing.

use super::svg::{Anchor, Svg, place};

/// A step.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Under the bar.
    pub label: String,
    /// By how much it goes up or down; of a sum what it comes to.
    pub amount: f64,
    /// The amount as text.
    pub text: String,
    /// A sum: its bar stands on the ground and says where the steps before it have led to.
    pub sum: bool,
    /// Where the sum may lie, lower and upper end.
    pub interval: Option<(f64, f64)>,
    /// The interval as text; empty without one.
    pub reach: String,
}

/// What stands in the picture, in the reader's language.
#[derive(Clone, Debug)]
pub struct WaterfallWords<'a> {
    /// The heading.
    pub title: &'a str,
    /// What is to be seen.
    pub description: &'a str,
}

/// Top of the plot, its height, and how wide a step is.
const PLOT: [f64; 3] = [56.0, 220.0, 132.0];
/// Half the width of an interval's ends.
const CAP: f64 = 6.0;

/// Bars from left to right: ups and sums in blue, downs in orange, an interval as a line.
#[must_use]
pub fn waterfall(steps: &[Step], words: &WaterfallWords<'_>) -> String {
    let [top, height, width] = PLOT;
    let mut svg = Svg::new((16.0 + place(steps.len()) * width + 16.0).max(420.0), top + height + 68.0, words.title, words.description);
    let finite = |value: f64| if value.is_finite() { value } else { 0.0 };
    let mut level = 0.0;
    let mut bars = Vec::new();
    for step in steps {
        let amount = finite(step.amount);
        let (from, to) = if step.sum { (0.0, amount) } else { (level, level + amount) };
        level = to;
        bars.push((from, to));
    }
    let ends = steps.iter().filter_map(|step| step.interval).flat_map(|(low, high)| [finite(low), finite(high)]);
    let all: Vec<f64> = bars.iter().flat_map(|(from, to)| [*from, *to]).chain(ends).collect();
    let (low, high) = all.iter().fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(*value), high.max(*value)));
    let at = |value: f64| if high > low { top + height * (high - finite(value)) / (high - low) } else { top + height };
    svg.line("even", &[[16.0, at(0.0)], [16.0 + place(steps.len()) * width, at(0.0)]]);
    for (number, (step, (from, to))) in steps.iter().zip(&bars).enumerate() {
        let left = 16.0 + place(number) * width;
        let (upper, lower) = (at(from.max(*to)), at(from.min(*to)));
        svg.rect(if step.amount < 0.0 { "mark" } else { "h4" }, [left + 20.0, upper, width - 40.0, (lower - upper).max(1.0)]);
        // From where the next step begins.
        if number + 1 < steps.len() {
            svg.line("rule", &[[left + width - 20.0, at(*to)], [left + width + 20.0, at(*to)]]);
        }
        let middle = left + width / 2.0;
        if let Some((low, high)) = step.interval {
            svg.line("reach", &[[middle, at(low)], [middle, at(high)]]);
            for end in [at(low), at(high)] {
                svg.line("reach", &[[middle - CAP, end], [middle + CAP, end]]);
            }
        }
        svg.text("label", [middle, top + height + 20.0], Anchor::Middle, &step.label);
        svg.text("head", [middle, top + height + 37.0], Anchor::Middle, &step.text);
        if !step.reach.is_empty() {
            svg.text("small", [middle, top + height + 53.0], Anchor::Middle, &step.reach);
        }
    }
    svg.finish()
}
