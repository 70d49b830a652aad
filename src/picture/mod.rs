//! Floor 2: figures become pictures: SVG of one style, for pages, mails and files: pure functions of labels and numbers.
//!
//! The colours can be told apart by colour-blind people (one hue from light to dark, Okabe and Ito's blue and orange), every cell has its number as
//! text, and a dark page gets dark pictures (`prefers-color-scheme`). Nothing is loaded from anywhere.

mod cohorts;
mod forest;
mod grid;
mod pareto;
mod svg;
mod waterfall;

pub use cohorts::{CohortRow, CohortWords, cohort_triangle};
pub use forest::{ForestGroup, ForestRow, ForestWords, forest};
pub use grid::{GridCell, GridWords, grid};
pub use pareto::{ParetoWords, pareto_curve};
pub use waterfall::{Step, WaterfallWords, waterfall};
