//! Rhai's errors as one sentence and a place.

use rhai::{Dynamic, EvalAltResult, ParseError, ParseErrorType, Position};

use super::{registry, suggest};
use crate::model::fact::Fact;
use crate::model::text::one_line;

/// What went wrong in a script.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    /// The source it happened in, when that is not the one that was called.
    pub file: Option<String>,
    /// Line, from 1; 0 when unknown.
    pub line: usize,
    /// Column, from 1; 0 when unknown.
    pub column: usize,
    /// A sentence without a place.
    pub sentence: String,
    /// Whether it is a fault of the script whatever the customer is like: an unknown name, too many steps.
    pub certain: bool,
}

impl Trouble {
    /// The sentence with its place; `file` is the one that was called.
    pub(super) fn told(&self, file: &str) -> String {
        format!("{}:{}:{} {}", self.file.as_deref().unwrap_or(file), self.line, self.column, self.sentence)
    }
}

/// Line and column of a position; zeros when it has none.
pub(super) fn place(position: Position) -> (usize, usize) {
    (position.line().unwrap_or(0), position.position().unwrap_or(0))
}

/// The innermost error, which is the one that has a place.
pub(super) fn explain(error: &EvalAltResult) -> Trouble {
    let mut file = None;
    let mut position = error.position();
    let mut inner = error;
    while let EvalAltResult::ErrorInFunctionCall(_, source, deeper, _) | EvalAltResult::ErrorInModule(source, deeper, _) = inner {
        if !source.is_empty() {
            file = Some(source.clone());
        }
        if !deeper.position().is_none() {
            position = deeper.position();
        }
        inner = deeper;
    }
    let sentence = match inner {
        EvalAltResult::ErrorRuntime(what, _) if what.is::<Always>() => what.clone().cast::<Always>().0,
        EvalAltResult::ErrorRuntime(what, _) | EvalAltResult::ErrorTerminated(what, _) if !what.is_unit() => what.to_string(),
        EvalAltResult::ErrorParsing(kind, _) => syntax(kind),
        EvalAltResult::ErrorFunctionNotFound(signature, _) if signature.starts_with("anon$") => {
            "a closure that a module made does not work here: write the closure in this file and let it call the module".to_owned()
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let missing =
                if signature.contains("()") { ": a value is missing; ask c.has(…) first, or give a stand-in as in c.age ?? 0" } else { "" };
            format!("no function or operator fits '{signature}'{missing}")
        }
        EvalAltResult::ErrorIndexingType(kind, _) if kind.starts_with("Customer") => "a field is read with a dot, as in c.orders".to_owned(),
        EvalAltResult::ErrorDataTooLarge(..) => "a text or list becomes too large: at most 16 KiB of text and 1000 items".to_owned(),
        EvalAltResult::ErrorSystem(misuse, _) => misuse.clone(),
        EvalAltResult::ErrorModuleNotFound(name, _) => format!("there is no module '{name}' in the rules' folder"),
        EvalAltResult::ErrorVariableNotFound(name, _) => unknown_variable(name),
        EvalAltResult::ErrorDataRace(..) => {
            "a closure uses the same customer or variable that it is called on: take the list out first, as in let tags = c.tags; tags.some(…)"
                .to_owned()
        }
        EvalAltResult::ErrorStackOverflow(_) => "functions call each other too deeply".to_owned(),
        other => plain(&other.to_string()),
    };
    let certain = matches!(
        inner,
        EvalAltResult::ErrorFunctionNotFound(..)
            | EvalAltResult::ErrorModuleNotFound(..)
            | EvalAltResult::ErrorVariableNotFound(..)
            | EvalAltResult::ErrorDotExpr(..)
            | EvalAltResult::ErrorIndexingType(..)
            | EvalAltResult::ErrorDataRace(..)
            | EvalAltResult::ErrorSystem(..)
            | EvalAltResult::ErrorTerminated(..)
            | EvalAltResult::ErrorStackOverflow(..)
            | EvalAltResult::ErrorDataTooLarge(..)
    );
    let certain = certain || matches!(inner, EvalAltResult::ErrorRuntime(what, _) if what.is::<Always>());
    let (line, column) = place(position);
    Trouble { file, line, column, sentence: one_line(&sentence), certain }
}

/// An error that no script can catch: a word is used where it does not belong.
pub(super) fn misuse(sentence: String) -> EvalAltResult {
    EvalAltResult::ErrorSystem(sentence, "misuse".into())
}

/// What is wrong with a script whatever the customer is like.
#[derive(Clone)]
struct Always(String);

/// An error that is one for every customer. (The kinds of errors that no script can catch lose their place.)
pub(super) fn always(sentence: String, at: Position) -> EvalAltResult {
    EvalAltResult::ErrorRuntime(Dynamic::from(Always(sentence)), at)
}

/// Whether a function or operator was given a missing value and takes none.
pub(super) fn lacks_value(error: &EvalAltResult) -> bool {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, deeper, _) | EvalAltResult::ErrorInModule(_, deeper, _) => lacks_value(deeper),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => signature.contains("()"),
        _ => false,
    }
}

/// An error of the compiler about this text.
pub(super) fn explain_syntax(error: &ParseError, text: &str) -> Trouble {
    let (line, column) = place(error.position());
    let sentence = word_for_sign(text, (line, column)).unwrap_or_else(|| syntax(error.err_type()));
    Trouble { file: None, line, column, sentence: one_line(&sentence), certain: true }
}

/// Words of other languages for what is a sign here.
fn word_for_sign(text: &str, (line, column): (usize, usize)) -> Option<String> {
    let rest = text.lines().nth(line.checked_sub(1)?)?.chars().skip(column.checked_sub(1)?);
    let word: String = rest.take_while(|c| c.is_alphanumeric() || *c == '_').take(10).collect();
    let (_, sign) = [("and", "&&"), ("or", "||"), ("not", "!")].into_iter().find(|(known, _)| word.eq_ignore_ascii_case(known))?;
    Some(format!("'{word}' is no word of the language: expected {sign}"))
}

fn syntax(kind: &ParseErrorType) -> String {
    match kind {
        ParseErrorType::VariableUndefined(name) => unknown_variable(name),
        ParseErrorType::ModuleUndefined(name) => format!("nothing is imported as '{name}': expected e.g. import \"{name}\" as {name};"),
        ParseErrorType::Reserved(word) => format!("'{word}' is a word of the language that rules may not use here"),
        other => plain(&other.to_string()),
    }
}

fn unknown_variable(name: &str) -> String {
    if let Some((_, variable)) = name.split_once("::") {
        return format!("unknown variable '{name}': a module shows what it exports, as in export const {variable} = 1;");
    }
    if Fact::field(name).is_some() {
        return format!("unknown variable '{name}': a field is read from the customer, as in |c| c.{name}");
    }
    format!("unknown variable '{name}'{}", suggest::hint(name, registry::names(), "c."))
}

/// Rhai's own sentence, without the place at its end and with a small first letter.
fn plain(sentence: &str) -> String {
    let first_line = sentence.lines().next().unwrap_or_default();
    let text = first_line.rfind(" (line ").map_or(first_line, |end| &first_line[..end]);
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}
