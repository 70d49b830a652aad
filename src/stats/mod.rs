//! Floor 2: the mathematics of comparisons: pure.

pub mod bayes;
pub mod earned;
pub mod earned_words;
pub mod exact;
pub mod holm;
pub mod mean;
pub mod power;
pub mod proportion;
pub mod ratio;
pub mod sequential;
mod special;
pub mod srm;
mod student;
pub mod verdict;
pub mod words;

/// A 95 % interval, lower and upper end.
pub type Interval = (f64, f64);

/// The 97.5 % quantile of the normal distribution: a 95 % interval reaches so many standard errors to either side.
const Z_95: f64 = 1.959_963_984_540_054;
