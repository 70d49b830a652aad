//! Bars and sparklines: signs that draw where a person looks, and nothing where a program reads.

use std::io::IsTerminal as _;

/// The width of an interval's picture.
const WIDTH: usize = 48;

/// Whether signs are drawn; where they are not, every picture is empty.
#[derive(Clone, Copy, Debug)]
pub(super) struct Signs(bool);

impl Signs {
    /// With `always` they are drawn; else on a terminal, unless `plain` says no.
    pub(super) fn for_output(plain: bool, always: bool) -> Self {
        Self(always || (!plain && std::io::stdout().is_terminal()))
    }

    /// Whether there is anything to see.
    pub(super) fn drawn(self) -> bool {
        self.0
    }

    /// One sign for each value, from the lowest to the highest; a gap where it is not known.
    pub(super) fn sparkline(self, values: &[Option<f64>]) -> String {
        const SIGNS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        if !self.0 {
            return String::new();
        }
        let known = || values.iter().flatten().copied();
        let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
        let sign = |value: f64| {
            // All alike: the middle.
            let height = if high > low { (value - low) / (high - low) } else { 0.5 };
            let step = [0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875].partition_point(|border| *border <= height);
            SIGNS[step]
        };
        values.iter().map(|value| value.map_or(' ', sign)).collect()
    }

    /// Twenty signs are the whole.
    pub(super) fn share(self, share: Option<f64>) -> String {
        let share = share.unwrap_or_default();
        self.bar((1..=20_u32).take_while(|step| f64::from(*step) <= share * 20.0 + 0.5).count())
    }

    /// A bar of so many signs.
    pub(super) fn bar(self, length: usize) -> String {
        if self.0 { "█".repeat(length) } else { String::new() }
    }

    /// A value and where it may truly lie, on a line from 0 to `most`.
    pub(super) fn interval(self, value: f64, (low, high): (f64, f64), most: f64) -> String {
        if !self.0 {
            return String::new();
        }
        let [value, low, high] = [value, low, high].map(|end| place(end, most));
        let sign = |at: usize| match at {
            at if at == value => '●',
            at if at == low => '├',
            at if at == high => '┤',
            at if at > low && at < high => '─',
            _ => ' ',
        };
        (0..=high.max(value)).map(sign).collect()
    }

    /// The line below such pictures.
    pub(super) fn scale(self, most: f64) -> String {
        if self.0 { format!("{:<width$}{:.0} %", "0 %", most * 100.0, width = WIDTH - 1) } else { String::new() }
    }
}

/// The column of a value between 0 and `most`.
fn place(value: f64, most: f64) -> usize {
    let part = if most > 0.0 { (value / most).clamp(0.0, 1.0) } else { 0.0 };
    (1..WIDTH).filter(|column| whole(*column) <= part * whole(WIDTH - 1) + 0.5).count()
}

#[expect(clippy::cast_precision_loss, reason = "columns of a line")]
fn whole(column: usize) -> f64 {
    column as f64
}

/// The end of a scale from 0 that holds all these shares: a round number, at most 1.
pub(super) fn end_of_scale(shares: impl Iterator<Item = f64>) -> f64 {
    let highest = shares.fold(0.0, f64::max);
    [0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8].into_iter().find(|end| highest <= *end).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ON: Signs = Signs(true);

    #[test]
    fn a_sparkline_goes_from_the_lowest_to_the_highest_with_gaps() {
        assert_eq!(ON.sparkline(&[Some(0.0), None, Some(50.0), Some(100.0)]), "▁ ▅█");
        assert_eq!(
            (ON.sparkline(&[Some(3.0), Some(3.0)]), ON.sparkline(&[None]), ON.sparkline(&[])),
            ("▅▅".to_owned(), " ".to_owned(), String::new())
        );
    }

    #[test]
    fn a_bar_is_as_long_as_the_share() {
        let length = |share| ON.share(share).chars().count();
        assert_eq!([length(None), length(Some(0.0)), length(Some(0.5)), length(Some(1.0)), length(Some(7.0))], [0, 0, 10, 20, 20]);
    }

    #[test]
    fn an_interval_stands_where_its_values_are_on_the_scale() {
        let drawn = ON.interval(0.25, (0.1, 0.4), 0.5);
        let at = |sign: char| drawn.chars().position(|found| found == sign).unwrap();
        assert_eq!((at('├'), at('●'), at('┤'), drawn.chars().count()), (9, 24, 38, 39));
        assert_eq!((ON.interval(0.0, (0.0, 0.0), 0.5), ON.interval(1.0, (0.9, 1.0), 1.0).chars().count()), ("●".to_owned(), WIDTH));
        let ends = [0.0, 0.005, 0.01, 0.03, 0.45, 0.51, 1.0].map(|share| end_of_scale([share].into_iter()).to_string());
        assert_eq!(ends, ["0.01", "0.01", "0.01", "0.05", "0.5", "0.6", "1"]);
        assert_eq!(ON.scale(0.5).chars().count(), WIDTH - 1 + 4);
    }

    #[test]
    fn where_nothing_is_drawn_there_is_nothing() {
        let off = Signs(false);
        let pictures = [off.sparkline(&[Some(1.0)]), off.share(Some(1.0)), off.bar(3), off.interval(0.1, (0.0, 0.2), 1.0), off.scale(1.0)];
        assert_eq!(pictures.concat(), "");
    }
}
