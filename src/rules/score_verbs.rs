//! The verbs of an own score: `score("…")` and what follows it with a dot. Faults are collected, so that all of them are seen at once.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext};

use super::explain::{misuse, place};
use super::helpers::expected;
use super::internals::{Bound, Place};
use crate::model::attribute::AttributeKind;
use crate::model::fault::FileFault;
use crate::model::own_score::MOST;

/// Verbs whose closure gets the customer, each with the kind of value that the closure gives.
const FORMULAS: [(&str, AttributeKind); 3] = [("number", AttributeKind::Number), ("flag", AttributeKind::Flag), ("text", AttributeKind::Text)];
/// Their names.
pub(super) const TAKES_CUSTOMER: [&str; 3] = [FORMULAS[0].0, FORMULAS[1].0, FORMULAS[2].0];
/// Longest meaning or unit in characters.
const LONGEST_WORDS: usize = 200;
/// Most faults that are noted of one file.
const MAX_FAULTS: usize = 200;

/// A score while its file runs.
pub(super) struct Draft {
    pub name: String,
    pub file: String,
    pub at: Place,
    pub meaning: String,
    pub unit: String,
    pub formula: Option<(AttributeKind, Bound)>,
    /// Whether a formula was said, be it with a fault.
    said: bool,
}

impl Draft {
    /// What is missing.
    pub(super) fn missing(&self) -> Option<FileFault> {
        let problem = || format!("score '{}' has no formula: expected .number(|c| …), .flag(|c| …) or .text(|c| …)", self.name);
        (!self.said).then(|| FileFault::new(&self.file, self.at, problem()))
    }
}

/// What a file has made so far.
#[derive(Default)]
pub(super) struct Desk {
    file: String,
    /// Tells handles of one file from those of another that reach it through a module.
    number: u64,
    pub drafts: Vec<Draft>,
    pub faults: Vec<FileFault>,
}

/// A score under construction: its place among the drafts of the desk with that number.
#[derive(Clone, Copy)]
struct Handle {
    desk: u64,
    draft: usize,
}

thread_local! {
    /// The file that is being run on this thread; scores can only be made while there is one.
    static DESK: RefCell<Option<Desk>> = const { RefCell::new(None) };
}

/// Runs `work`, which runs a file, and gives what the file made; what the modules made that it imports is theirs.
pub(super) fn desk<T>(file: &str, work: impl FnOnce() -> T) -> (T, Desk) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    DESK.set(Some(Desk { file: file.to_owned(), number: NEXT.fetch_add(1, Ordering::Relaxed), ..Desk::default() }));
    let result = work();
    let mut desk = DESK.take().unwrap_or_default();
    desk.drafts.retain(|draft| draft.file == file);
    desk.faults.retain(|fault| fault.file == file);
    (result, desk)
}

type Outcome<T> = Result<T, Box<EvalAltResult>>;

fn begin(context: &NativeCallContext, name: &Dynamic) -> Outcome<Handle> {
    DESK.with_borrow_mut(|desk| {
        let desk = desk.as_mut().ok_or_else(|| misuse("score(\"…\") belongs at the top of a file; a formula reads c.score(\"…\")".to_owned()))?;
        let (file, at) = (context.call_source().unwrap_or(&desk.file).to_owned(), place(context.call_position()));
        let text = name.clone().into_string().unwrap_or_default();
        let good = (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_');
        if !good {
            let problem = format!("score(…): the name: {}", expected("1 to 40 of a-z, 0-9 and _, such as \"lead\"", name));
            desk.faults.push(FileFault::new(&file, at, problem));
        }
        if desk.drafts.len() > MOST {
            return Err(misuse(format!("there are more than {MOST} scores")).into());
        }
        desk.drafts.push(Draft { name: text, file, at, meaning: String::new(), unit: String::new(), formula: None, said: false });
        Ok(Handle { desk: desk.number, draft: desk.drafts.len() - 1 })
    })
}

/// Lets a verb change its draft. What is wrong with its argument becomes a fault, and the chain goes on.
fn say(context: &NativeCallContext, handle: Handle, verb: &str, change: impl FnOnce(&mut Draft) -> Result<(), String>) -> Outcome<Handle> {
    DESK.with_borrow_mut(|desk| {
        let desk = desk.as_mut().ok_or_else(|| misuse(format!(".{verb}(…) belongs at the top of a file, not in a formula")))?;
        let at = place(context.call_position());
        let draft = desk.drafts.get_mut(handle.draft).filter(|_| handle.desk == desk.number);
        let draft = draft.ok_or_else(|| misuse(format!(".{verb}(…) follows a score(…) of another file")))?;
        if let Err(problem) = change(draft) {
            let file = draft.file.clone();
            desk.faults.push(FileFault::new(&file, at, format!(".{verb}: {problem}")));
        }
        if desk.faults.len() < MAX_FAULTS {
            Ok(handle)
        } else {
            Err(misuse(format!("there are {MAX_FAULTS} faults: the rest is not looked at")).into())
        }
    })
}

fn words(place: &mut String, value: &Dynamic) -> Result<(), String> {
    let good = |text: &String| (1..=LONGEST_WORDS).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let text = value.clone().into_string().ok().filter(good);
    let text = text.ok_or_else(|| expected(&format!("a line of 1 to {LONGEST_WORDS} characters"), value))?;
    if place.is_empty() {
        *place = text;
        return Ok(());
    }
    Err("is said twice".to_owned())
}

/// Teaches an engine the verbs.
pub(super) fn register(engine: &mut Engine) {
    type Context<'a> = NativeCallContext<'a>;
    engine
        .register_type_with_name::<Handle>("Score")
        .register_fn("score", |at: Context, name: Dynamic| begin(&at, &name))
        .register_fn("means", |at: Context, score: Handle, text: Dynamic| say(&at, score, "means", |draft| words(&mut draft.meaning, &text)))
        .register_fn("unit", |at: Context, score: Handle, text: Dynamic| say(&at, score, "unit", |draft| words(&mut draft.unit, &text)));
    for (verb, kind) in FORMULAS {
        engine.register_fn(verb, move |at: Context, score: Handle, closure: Dynamic| {
            say(&at, score, verb, |draft| {
                if std::mem::replace(&mut draft.said, true) {
                    return Err("a score has one formula".to_owned());
                }
                let pointer = closure.clone().try_cast::<FnPtr>().ok_or_else(|| expected("a closure |c| …", &closure))?;
                draft.formula = Some((kind, Bound::capture(&at, pointer)?));
                Ok(())
            })
        });
    }
}
