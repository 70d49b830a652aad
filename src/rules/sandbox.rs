//! The sandbox: the one place where the limits of scripts stand, and the engine and fuse that keep them.
//!
//! Rhai's own limits do not bound everything: callbacks run on a copy of its operation counter, some native functions work before they are
//! checked, keys of maps and what closures capture are not counted, the compiler has no limit of time, and deeply nested values overflow a
//! normal stack when they are dropped. Hence an own fuse for steps, time and memory, own replacements and own threads.

use std::cell::Cell;
use std::ops::{Range, RangeInclusive};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicMapPackage, BasicMathPackage, BasicStringPackage, LogicPackage, MoreStringPackage,
    Package,
};
use rhai::{Dynamic, Engine, EvalAltResult, ImmutableString, OptimizationLevel};
use rust_decimal::Decimal;

use super::internals;
use super::workers::on_big_stack;

/// Longest source file in bytes.
pub(super) const MAX_SOURCE_BYTES: usize = 256 * 1024;
/// Longest text that a script may make, in bytes.
pub(super) const MAX_TEXT_BYTES: usize = 16 * 1024;

/// How long something may go on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Steps of the interpreter.
    pub operations: u64,
    /// Wall-clock time: steps are not time, and some take long. Generous, because a busy machine may pause any thread.
    pub time: Duration,
}

/// For compiling one file: a step is a word or a sign.
pub(super) const COMPILING: Limits = Limits { operations: 200_000, time: Duration::from_secs(5) };
/// For running one file when it is loaded.
pub(super) const LOADING: Limits = Limits { operations: 200_000, time: Duration::from_secs(5) };
/// For all files and rules of a set together; the file or rule that is under way may go on.
pub(super) const LOADING_ALL: Duration = Duration::from_secs(30);
/// For one condition or one action of one customer.
pub(super) const CALLING: Limits = Limits { operations: 20_000, time: Duration::from_secs(1) };

/// What the process may grow by while one script runs, in bytes. Looked at only where a script works for longer than [`LOOK`], which no usual
/// condition does, so that the growth of other threads hardly ever counts.
const MAX_GROWTH_BYTES: u64 = 48 * 1024 * 1024;
/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(2);
/// Looking at the clock takes as long as a step: at first it is looked at now and then, by most conditions never, beyond so many steps always.
const SHORT: u64 = 512;

thread_local! {
    /// Steps that are left to the script on this thread; 0 when none was allowed.
    static LEFT: Cell<u64> = const { Cell::new(0) };
    /// As soon as fewer steps are left, time is looked at in each.
    static LONG_FROM: Cell<u64> = const { Cell::new(0) };
    /// How long it may take from the first look at the clock on.
    static TIME: Cell<Duration> = const { Cell::new(Duration::ZERO) };
    /// When it has to be done; `None` before that first look.
    static UNTIL: Cell<Option<Instant>> = const { Cell::new(None) };
    /// When memory is looked at next.
    static LOOK_AT: Cell<Option<Instant>> = const { Cell::new(None) };
    /// The memory of the process when it was looked at first.
    static MEMORY: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Steps of a script: `Some(sentence)` ends it. Once blown, the fuse stays blown until the next [`guarded`].
fn burn(steps: u64) -> Option<&'static str> {
    let left = LEFT.get();
    if left < steps {
        LEFT.set(0);
        return Some("the script takes too many steps");
    }
    LEFT.set(left - steps);
    if left % 16 != 1 && left > LONG_FROM.get() {
        return None;
    }
    let now = Instant::now();
    let Some(until) = UNTIL.get() else {
        UNTIL.set(now.checked_add(TIME.get()).or(Some(now)));
        LOOK_AT.set(now.checked_add(LOOK));
        return None;
    };
    let problem = if now >= until {
        "the script takes too long"
    } else if LOOK_AT.get().is_some_and(|at| now >= at) && too_big(now) {
        "the script takes too much memory"
    } else {
        return None;
    };
    LEFT.set(0);
    Some(problem)
}

/// Takes steps for memory that the interpreter does not count.
pub(super) fn spend(bytes: usize) {
    LEFT.set(LEFT.get().saturating_sub(1 + bytes as u64 / 64));
}

fn too_big(now: Instant) -> bool {
    LOOK_AT.set(now.checked_add(LOOK));
    let (Some(memory), first) = (memory(), MEMORY.get()) else { return false };
    MEMORY.set(first.or(Some(memory)));
    first.is_some_and(|first| memory > first + MAX_GROWTH_BYTES)
}

/// Bytes of memory that the process has and that no file is behind; `None` where the system does not say (it is not Linux).
fn memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib * 1024)
}

/// Runs `work` on this thread within `limits`; a panic inside Rhai becomes a sentence.
pub(super) fn guarded<T>(limits: Limits, work: impl FnOnce() -> T) -> Result<T, String> {
    LEFT.set(limits.operations);
    LONG_FROM.set(limits.operations.saturating_sub(SHORT));
    TIME.set(limits.time);
    UNTIL.set(None);
    LOOK_AT.set(None);
    MEMORY.set(None);
    let result = catch_unwind(AssertUnwindSafe(work)).map_err(|_| "the script broke the interpreter (a fault of Rhai's)".to_owned());
    LEFT.set(0);
    result
}

/// Holds what scripts made: it may be nested so deeply that dropping it needs the big stack too.
pub(super) struct Deep<T: Send>(Option<T>);

impl<T: Send> Deep<T> {
    pub(super) fn new(value: T) -> Self {
        Self(Some(value))
    }

    pub(super) fn get(&self) -> Option<&T> {
        self.0.as_ref()
    }
}

impl<T: Send> Drop for Deep<T> {
    fn drop(&mut self) {
        let value = self.0.take();
        // Without a thread the value is dropped here, as it would have been without this type.
        let _ = on_big_stack(move || drop(value));
    }
}

/// An engine with every limit set and nothing registered but harmless functions of values.
pub(super) fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    // Not LanguageCore (sleep, exit, take, parse_json), not time, blob, bit fields, debugging, not iterators (a `chars()` holds 64 KiB that no limit
    // counts).
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    BasicFnPackage::new().register_into_engine(&mut engine);
    engine
        .set_max_operations(0) // the fuse counts: Rhai's own counter can be got around
        .set_max_call_levels(16)
        .set_max_expr_depths(100, 100)
        .set_max_string_size(MAX_TEXT_BYTES)
        .set_max_array_size(1000)
        .set_max_map_size(1000)
        .set_max_variables(128)
        .set_max_functions(500)
        .set_max_modules(16)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        // What is checked is what runs; nothing is folded away before the lint sees it.
        .set_optimization_level(OptimizationLevel::None);
    for symbol in ["eval", "Fn", "curry", "print", "debug"] {
        engine.disable_symbol(symbol);
    }
    engine.on_progress(|_| burn(1).map(Dynamic::from));
    internals::limit_compiler(&mut engine, burn);
    ranges(&mut engine);
    bound_replace(&mut engine);
    missing_is_missing(&mut engine);
    engine
}

/// `for i in 1..5`, `n in 1..=5`.
fn ranges(engine: &mut Engine) {
    engine.register_iterator::<Range<i64>>().register_iterator::<RangeInclusive<i64>>();
    engine.register_fn("contains", |range: &mut Range<i64>, number: i64| range.contains(&number));
    engine.register_fn("contains", |range: &mut RangeInclusive<i64>, number: i64| range.contains(&number));
}

/// A comparison with a missing value is not true: Rhai's own `() != "A"` is. (`"A" != ()` asks whether there is a value, and stays.) Holds only while
/// Rhai looks for operators of ours among its own values: see [`quicken`].
fn missing_is_missing(engine: &mut Engine) {
    engine.set_fast_operators(false);
    engine.register_fn("!=", |(): (), _: i64| false);
    engine.register_fn("!=", |(): (), _: Decimal| false);
    engine.register_fn("!=", |(): (), _: &str| false);
    engine.register_fn("!=", |(): (), _: char| false);
    engine.register_fn("!=", |(): (), _: bool| false);
}

/// Lets Rhai answer operators of its own values without looking for ours, which takes a third of an operator's time, where none of the texts has the only
/// one that we replace.
pub(super) fn quicken<'a>(engine: &mut Engine, mut texts: impl Iterator<Item = &'a str>) {
    engine.set_fast_operators(!texts.any(|text| text.contains("!=")));
}

/// Rhai's `replace` builds the whole text before its length is checked (7 GB from 64 KiB); these know the length beforehand.
fn bound_replace(engine: &mut Engine) {
    fn replace(text: &mut ImmutableString, from: &str, to: &str) -> Result<(), Box<EvalAltResult>> {
        if from.is_empty() {
            return Err("replace: the text to look for is empty".into());
        }
        let found = text.matches(from).count();
        let length = text.len() - found * from.len() + found * to.len();
        if length > MAX_TEXT_BYTES {
            return Err(format!("replace: the text would become longer than {MAX_TEXT_BYTES} bytes").into());
        }
        *text = text.replace(from, to).into();
        Ok(())
    }
    let letter = |c: char| c.to_string();
    engine.register_fn("replace", |text: &mut ImmutableString, from: &str, to: &str| replace(text, from, to));
    engine.register_fn("replace", move |text: &mut ImmutableString, from: &str, to: char| replace(text, from, &letter(to)));
    engine.register_fn("replace", move |text: &mut ImmutableString, from: char, to: &str| replace(text, &letter(from), to));
    engine.register_fn("replace", move |text: &mut ImmutableString, from: char, to: char| replace(text, &letter(from), &letter(to)));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(limits: Limits, script: &str) -> String {
        let engine = engine();
        let outcome = guarded(limits, || engine.eval::<Dynamic>(script));
        match outcome {
            Ok(Ok(value)) => format!("value {value}"),
            Ok(Err(error)) => super::super::explain::explain(&error).sentence,
            Err(sentence) => sentence,
        }
    }

    #[test]
    fn the_steps_of_a_script_are_counted_across_callbacks() {
        let few = Limits { operations: 5_000, time: Duration::from_hours(1) };
        assert_eq!(run(few, "loop {}"), "the script takes too many steps");
        // Rhai's own counter is copied for each callback, so that this would run 200 × 200 × 200 steps.
        let nested = "fn work(depth) { if depth == 0 { return 0; } let list = []; list.pad(200, 0); list.map(|x| work(depth - 1)); 0 } work(3)";
        assert_eq!(run(few, nested), "the script takes too many steps");
        assert_eq!(run(few, "try { loop {} } catch { 1 }"), "the script takes too many steps");
    }

    #[test]
    fn a_script_ends_at_its_deadline_though_steps_are_left() {
        let late = Limits { operations: u64::MAX, time: Duration::ZERO };
        assert_eq!(run(late, "loop {}"), "the script takes too long");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_script_ends_when_it_makes_the_process_grow_though_steps_and_time_are_left() {
        let long = Limits { operations: u64::MAX, time: Duration::from_hours(1) };
        // Rhai does not count the keys of maps.
        let keys = "let t = \"\"; t.pad(16000, \"k\"); let all = #{}; let i = 0; loop { all[t + i] = #{}; i += 1; if i == 990 { break; } } fn held(all) { let a = all; let b = all; let c = all; held(all) } held(all)";
        assert_eq!(run(long, keys), "the script takes too much memory");
    }

    #[test]
    fn a_file_that_takes_too_many_words_is_not_compiled_to_its_end() {
        let few = Limits { operations: 100, time: Duration::from_hours(1) };
        assert!(run(few, &"1;".repeat(1000)).contains("the script takes too many steps"));
    }

    #[test]
    fn a_script_that_nobody_guards_does_not_run() {
        std::thread::spawn(|| assert!(engine().eval::<Dynamic>("1 + 1; 2").is_err())).join().unwrap();
    }

    #[test]
    fn replace_knows_how_long_the_text_becomes() {
        let long = "let s = \"aaaaaaaa\"; s.pad(16000, \"a\"); let t = s; s.replace(\"a\", t); s.len()";
        assert_eq!(run(LOADING, long), "replace: the text would become longer than 16384 bytes");
        assert_eq!(run(LOADING, "let s = \"abcabc\"; s.replace(\"b\", \"-\"); s"), "value a-ca-c");
        assert_eq!(run(LOADING, "let s = \"abcabc\"; s.replace('b', 'x'); s"), "value axcaxc");
    }
}
