//! Closures that keep the world they were made in, and their calls.

#![expect(deprecated, reason = "Rhai marks its internals as deprecated to say that they may change; the version is pinned")]

use rhai::{
    Caches, Dynamic, Engine, EvalAltResult, EvalContext, Expression, FnPtr, GlobalRuntimeState, NativeCallContext, NativeCallContextStore, Position,
    Scope,
};

use super::condition::{self, Body, Condition, Site};
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
        Calls { bound: self, engine, body: None, kept: None }
    }

    /// To ask it as a condition, which is its own: a single expression is calculated without the call around it, which takes a third of the time.
    pub(in crate::rules) fn asks<'a>(&'a self, engine: &'a Engine, condition: Option<&'a Condition>) -> Calls<'a> {
        Calls { body: condition.and_then(|condition| condition.body.as_ref()), ..self.calls(engine) }
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
    /// What is calculated in place of a call.
    body: Option<&'a Body>,
    /// What a call leaves to the next one; `None`: the next one begins afresh.
    kept: Option<Box<Kept>>,
}

struct Kept {
    global: GlobalRuntimeState,
    caches: Caches,
    /// Only its room is kept.
    scope: Scope<'static>,
}

impl Calls<'_> {
    /// The closure.
    pub(in crate::rules) fn bound(&self) -> &Bound {
        self.bound
    }

    /// Calls it with one argument.
    pub(in crate::rules) fn call(&mut self, argument: Dynamic) -> Result<Dynamic, Box<EvalAltResult>> {
        let pointer = &self.bound.pointer;
        // Taken out meanwhile: a call that panics leaves nothing behind.
        let mut kept = self.kept.take().unwrap_or_else(|| Box::new(Kept { global: self.world(), caches: Caches::new(), scope: Scope::new() }));
        let arguments = pointer.curry().iter().cloned().chain([argument]);
        let Kept { global, caches, scope } = &mut *kept;
        scope.rewind(0);
        let mut context = EvalContext::new(self.engine, global, caches, scope, None);
        let value = if let Some(body) = self.body {
            context.scope_mut().extend(body.parameters.iter().map(String::as_str).zip(arguments));
            returned(context.eval_expression_tree(&Expression::from(&body.expression)))
        } else {
            let mut arguments: Vec<Dynamic> = arguments.collect();
            context.call_fn_raw(pointer.fn_name(), false, false, &mut arguments.iter_mut().collect::<Vec<_>>())
        };
        if value.is_err() {
            // It may have stopped half-way. What was looked up in the closure's own world still holds.
            kept.global = self.world();
            kept.caches.rewind_fn_resolution_caches(1);
        }
        self.kept = Some(kept);
        value
    }

    /// The closure's world, as it is inside a call.
    fn world(&self) -> GlobalRuntimeState {
        let mut global = self.bound.world.global.clone();
        if self.body.is_some() {
            // Where the call would lead, so that functions may call each other as deeply as in one.
            global.level += 2;
            global.scope_level += 1;
        }
        global
    }
}

/// What a call makes of the outcome of what is inside.
fn returned(outcome: Result<Dynamic, Box<EvalAltResult>>) -> Result<Dynamic, Box<EvalAltResult>> {
    let Err(mut error) = outcome else { return outcome };
    if let EvalAltResult::Return(value, _) = *error {
        return Ok(value);
    }
    if error.is_system_exception() {
        error.set_position(Position::NONE);
    }
    Err(error)
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
