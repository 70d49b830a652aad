//! Threads with a stack that scripts may use: one for a single call, or one for each processor for work on very many people. A new thread for each handful of
//! people takes longer than they do, and leaves behind memory that the next one makes little use of.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Stack of the threads that scripts run on: virtual memory, touched only if used.
const STACK_BYTES: usize = 64 * 1024 * 1024;

thread_local! {
    /// Whether this is one of the pool.
    static BIG: Cell<bool> = const { Cell::new(false) };
}

/// `None`: the system gives no threads.
static POOL: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let threads = ThreadPoolBuilder::new().thread_name(|number| format!("people-{number}")).stack_size(STACK_BYTES);
    threads.start_handler(|_| BIG.set(true)).build().ok()
});

/// Runs `work`, which shares what it does by means of rayon, on all processors and waits for it. What it shares must not share anything once more around a
/// script: whoever waits takes up other work on top of the stack.
pub fn on_all<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match &*POOL {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// Runs `work` on a big stack, on a thread of its own if this one has none, and waits for it.
pub(super) fn on_big_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, String> {
    if BIG.get() {
        return catch_unwind(AssertUnwindSafe(work)).map_err(broke_down);
    }
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("rules".to_owned()).stack_size(STACK_BYTES).spawn_scoped(scope, work);
        let thread = thread.map_err(|error| format!("no thread for the rules: {error}"))?;
        thread.join().map_err(broke_down)
    })
}

fn broke_down<T>(_: T) -> String {
    "the rules' thread broke down".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    #[test]
    fn a_worker_that_breaks_down_is_a_sentence_and_the_others_go_on() {
        let answer = |number: u32| on_big_stack(|| if number == 7 { panic!("seven") } else { number });
        let told: Vec<Result<u32, String>> = on_all(|| (0..20).into_par_iter().map(answer).collect());
        let expected = (0..20).map(|number| if number == 7 { Err("the rules' thread broke down".to_owned()) } else { Ok(number) });
        assert_eq!(told, expected.collect::<Vec<_>>());
        assert_eq!(answer(7), Err("the rules' thread broke down".to_owned()));
    }

    #[test]
    fn all_have_room_for_what_scripts_nest() {
        fn depth(left: u32) -> u32 {
            let room = std::hint::black_box([left; 1_000]);
            if left == 0 { 0 } else { 1 + depth(left - 1) + room[999] - left }
        }
        // 8 MB at least: four times what a usual thread has.
        assert_eq!(on_big_stack(|| depth(2_000)), Ok(2_000));
        assert_eq!(on_all(|| (0..4).into_par_iter().map(|_| on_big_stack(|| depth(2_000))).collect::<Vec<_>>()), vec![Ok(2_000); 4]);
    }
}
