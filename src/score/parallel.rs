//! Work over many rows, on all processors, in an order that does not depend on how many there are.

use rayon::prelude::*;

/// Rows of one partial sum: enough to be worth a thread.
const PART: usize = 16_384;

/// What `sum` gives for each part of the rows, in the order of the parts.
pub(super) fn partial_sums<R: Sync, S: Send>(rows: &[R], sum: impl Fn(&[R]) -> S + Sync) -> Vec<S> {
    in_parts(rows, PART, sum)
}

/// The same with parts of so many rows.
pub(super) fn in_parts<R: Sync, S: Send>(rows: &[R], part: usize, work: impl Fn(&[R]) -> S + Sync) -> Vec<S> {
    if rows.len() <= part {
        return rows.chunks(part).map(work).collect();
    }
    rows.par_chunks(part).map(&work).collect()
}
