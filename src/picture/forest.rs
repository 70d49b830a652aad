//! The forest plot: differences with their intervals, one below the other, around the line where there is none.

use super::svg::{Anchor, Svg, place};

/// A difference.
#[derive(Clone, Debug, PartialEq)]
pub struct ForestRow {
    /// What is compared, e.g. `B – control`.
    pub label: String,
    /// The difference; `None`: not known.
    pub middle: Option<f64>,
    /// Its interval, lower and upper end.
    pub interval: Option<(f64, f64)>,
    /// The same as text, at the right.
    pub text: String,
}

/// A group of rows with its heading.
#[derive(Clone, Debug, PartialEq)]
pub struct ForestGroup {
    /// The rule.
    pub title: String,
    /// Its differences.
    pub rows: Vec<ForestRow>,
}

/// What stands in the picture, in the reader's language.
#[derive(Clone, Debug)]
pub struct ForestWords<'a> {
    /// The heading.
    pub title: &'a str,
    /// What is to be seen.
    pub description: &'a str,
    /// Under the side of lower values.
    pub worse: &'a str,
    /// Under the side of higher values.
    pub better: &'a str,
    /// Over the texts at the right.
    pub unit: &'a str,
}

/// Where the plot begins, and how wide it is.
const PLOT: [f64; 2] = [210.0, 320.0];
const WIDTH: f64 = 740.0;
const ROW: f64 = 24.0;
const TOP: f64 = 56.0;
/// Between a group and the next.
const GAP: f64 = 10.0;

/// One scale for all rows, 0 in the middle, its steps in hundredths. Rows that are not known have their text only.
#[must_use]
pub fn forest(groups: &[ForestGroup], words: &ForestWords<'_>) -> String {
    let lines: usize = groups.iter().map(|group| group.rows.len() + 1).sum();
    let bottom = TOP + place(lines) * ROW + place(groups.len().saturating_sub(1)) * GAP + 6.0;
    let mut svg = Svg::new(WIDTH, bottom + 48.0, words.title, words.description);
    let ends = |row: &ForestRow| [row.middle, row.interval.map(|(low, _)| low), row.interval.map(|(_, high)| high)];
    let all = groups.iter().flat_map(|group| &group.rows).flat_map(ends).flatten().filter(|end| end.is_finite());
    let widest = all.map(f64::abs).fold(0.0, f64::max);
    let at = |value: f64| {
        let share = if widest > 0.0 && value.is_finite() { (value / widest).clamp(-1.0, 1.0) } else { 0.0 };
        PLOT[0] + PLOT[1] * (share + 1.0) / 2.0
    };
    let step = step_of(widest);
    for tick in (1..=4_i32).filter(|tick| step > 0.0 && f64::from(*tick) * step <= widest) {
        for value in [-step * f64::from(tick), step * f64::from(tick)] {
            svg.line("rule", &[[at(value), TOP], [at(value), bottom]]);
            svg.text("small", [at(value), bottom + 14.0], Anchor::Middle, &written(value));
        }
    }
    svg.line("even", &[[at(0.0), TOP], [at(0.0), bottom]]);
    svg.text("small", [at(0.0), bottom + 14.0], Anchor::Middle, "0");
    svg.text("small", [PLOT[0] + PLOT[1] + 14.0, TOP - 8.0], Anchor::Start, words.unit);
    let mut y = TOP;
    for (number, group) in groups.iter().enumerate() {
        y += if number > 0 { ROW + GAP } else { ROW };
        svg.text("head", [16.0, y - 6.0], Anchor::Start, &group.title);
        for row in &group.rows {
            y += ROW;
            svg.text("label", [28.0, y - 6.0], Anchor::Start, &row.label);
            svg.text("label", [PLOT[0] + PLOT[1] + 14.0, y - 6.0], Anchor::Start, &row.text);
            if let Some((low, high)) = row.interval {
                svg.line("line", &[[at(low), y - 10.0], [at(high), y - 10.0]]);
            }
            if let Some(middle) = row.middle {
                svg.dot("mark", [at(middle), y - 10.0]);
            }
        }
    }
    svg.text("small", [at(0.0) - 12.0, bottom + 34.0], Anchor::End, &format!("← {}", words.worse));
    svg.text("small", [at(0.0) + 12.0, bottom + 34.0], Anchor::Start, &format!("{} →", words.better));
    svg.finish()
}

/// A step of the scale: 1, 2 or 5 times a power of ten, so that two to four of them fit on each side; 0 when there is nothing to show.
fn step_of(widest: f64) -> f64 {
    let sizes = (-4..=4).flat_map(|power| [1.0, 2.0, 5.0].map(|first| first * 10.0_f64.powi(power)));
    sizes.into_iter().find(|step| widest > 0.0 && widest < step * 5.0).unwrap_or_default()
}

/// A share in hundredths, with its sign.
fn written(share: f64) -> String {
    let number = format!("{:.2}", share.abs() * 100.0);
    let number = number.trim_end_matches('0').trim_end_matches('.');
    format!("{}{number}", if share < 0.0 { "−" } else { "+" })
}
