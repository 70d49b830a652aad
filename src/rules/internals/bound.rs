//! Closures that keep the world they were made in, and their calls.

#![expect(deprecated, reason = "Rhai marks its internals as deprecated to say that they may change; the version is pinned")]

use rhai::{Caches, Dynamic, Engine, EvalAltResult, EvalContext, FnPtr, GlobalRuntimeState, NativeCallContext, NativeCallContextStore, Scope};

use super::condition::{self, Condition, Site};
use super::{Place, place};
use crate::rules::modules::{Unit, Units};

/// Values that a closure may capture, counted through lists and maps; a long text counts as one for each 64 bytes.
const MAX_CAPTURED: usize = 2_000;
/// How deep they may be nested.
const MAX_CAPTURED_DEPTH: usize = 16;

/// A closure with the world it was made in: imports, constants and functions of its file.
pub(in crate::rules) struct Bound {
    pointer: FnPtr,
    world: NativeCallContextStore,
    /// Where it was handed over.
    pub at: Place,
}

impl Bound {
    /// Takes a closure with its captured values as they are now: what the script does to the variables later does not change them.
    pub(in crate::rules) fn capture(context: &NativeCallContext, mut pointer: FnPtr) -> Result<Self, String> {
        freeze(&mut pointer, &mut MAX_CAPTURED.clone(), 0)?;
        Ok(Self { pointer, world: context.store_data(), at: place(context.call_position()) })
    }

    /// To call it, for one or many.
    pub(in crate::rules) fn calls<'a>(&'a self, engine: &'a Engine) -> Calls<'a> {
        Calls { bound: self, engine, kept: None, ended: false }
    }

    /// Its syntax tree as clauses, read as the condition of `unit`'s function; `None` when it is no single expression.
    pub(in crate::rules) fn clauses(&self, unit: &Unit, units: &Units, parameters: &[String]) -> Option<Condition> {
        condition::condition(self.function(), &Site { unit, units, parameters, captured: self.pointer.curry(), within: "" })
    }

    /// Name of the function it points to.
    pub(in crate::rules) fn function(&self) -> &str {
        self.pointer.fn_name()
    }

    /// Number of captured values, which are its first parameters.
    pub(in crate::rules) fn captured(&self) -> usize {
        self.pointer.curry().len()
    }

    /// The source whose world it lives in.
    pub(in crate::rules) fn file(&self) -> &str {
        self.world.global.source.as_deref().unwrap_or_default()
    }
}

/// Calls of a closure, one after the other: the functions and getters that one call looked up are found by the next, which saves most of its time.
pub(in crate::rules) struct Calls<'a> {
    bound: &'a Bound,
    engine: &'a Engine,
    /// What a call leaves to the next one; `None`: the next one begins afresh.
    kept: Option<Kept>,
    /// Whether the last call came to its end: one that fails or panics may leave it half-way.
    ended: bool,
}

struct Kept {
    global: GlobalRuntimeState,
    caches: Caches,
}

impl Calls<'_> {
    /// The closure.
    pub(in crate::rules) fn bound(&self) -> &Bound {
        self.bound
    }

    /// Calls it with one argument.
    pub(in crate::rules) fn call(&mut self, mut argument: Dynamic) -> Result<Dynamic, Box<EvalAltResult>> {
        let Bound { pointer, world, .. } = self.bound;
        if !std::mem::replace(&mut self.ended, false) {
            self.kept = None;
        }
        let kept = self.kept.get_or_insert_with(|| Kept { global: world.global.clone(), caches: Caches::new() });
        let mut scope = Scope::new();
        let mut context = EvalContext::new(self.engine, &mut kept.global, &mut kept.caches, &mut scope, None);
        let mut call = |arguments: &mut [&mut Dynamic]| context.call_fn_raw(pointer.fn_name(), false, false, arguments);
        let value = if pointer.curry().is_empty() {
            call(&mut [&mut argument])?
        } else {
            let mut captured: Vec<Dynamic> = pointer.curry().to_vec();
            let mut arguments: Vec<&mut Dynamic> = captured.iter_mut().chain([&mut argument]).collect();
            call(&mut arguments)?
        };
        self.ended = true;
        Ok(value)
    }
}

fn freeze(pointer: &mut FnPtr, left: &mut usize, depth: usize) -> Result<(), String> {
    pointer.iter_curry_mut().try_for_each(|value| freeze_value(value, left, depth + 1))
}

fn freeze_value(value: &mut Dynamic, left: &mut usize, depth: usize) -> Result<(), String> {
    let bytes = value.as_immutable_string_ref().map_or(0, |text| text.len());
    *left = left.checked_sub(1 + bytes / 64).ok_or("the closure captures too much")?;
    if depth > MAX_CAPTURED_DEPTH {
        return Err("the closure captures something that is nested too deeply".to_owned());
    }
    *value = value.flatten_clone();
    if let Some(mut list) = value.write_lock::<rhai::Array>() {
        return list.iter_mut().try_for_each(|item| freeze_value(item, left, depth + 1));
    }
    if let Some(mut map) = value.write_lock::<rhai::Map>() {
        for (key, item) in map.iter_mut() {
            *left = left.checked_sub(key.len() / 64).ok_or("the closure captures too much")?;
            freeze_value(item, left, depth + 1)?;
        }
        return Ok(());
    }
    if let Some(mut inner) = value.write_lock::<FnPtr>() {
        return freeze(&mut inner, left, depth + 1);
    }
    Ok(())
}
