//! Work over many rows, on all processors, in an order that does not depend on how many there are.

use std::num::NonZero;
use std::thread;

/// Rows of one partial sum: enough to be worth a thread.
const PART: usize = 16_384;

/// What `sum` gives for each part of the rows, in the order of the parts.
pub(super) fn partial_sums<R: Sync, S: Send>(rows: &[R], sum: impl Fn(&[R]) -> S + Sync) -> Vec<S> {
    in_parts(rows, PART, sum)
}

/// The same with parts of so many rows.
pub(super) fn in_parts<R: Sync, S: Send>(rows: &[R], part: usize, work: impl Fn(&[R]) -> S + Sync) -> Vec<S> {
    let parts = rows.len().div_ceil(part);
    let processors = thread::available_parallelism().map_or(1, NonZero::get).min(parts);
    if processors < 2 {
        return rows.chunks(part).map(work).collect();
    }
    let share = parts.div_ceil(processors) * part;
    thread::scope(|scope| {
        let threads: Vec<_> = rows.chunks(share).map(|rows| scope.spawn(|| rows.chunks(part).map(&work).collect::<Vec<S>>())).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}
