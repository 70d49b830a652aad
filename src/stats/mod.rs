//! Floor 2: the mathematics of comparisons: pure.
