//! The *.rhai files of a folder: read, compiled and checked aside; what rules and own scores have in common.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use rhai::{Engine, EvalAltResult};

use super::explain::{Trouble, explain, explain_syntax};
use super::modules::{Unit, Units};
use super::{internals, lint, sandbox};
use crate::model::fault::FileFault;

/// A file that was read.
pub(super) struct Source {
    pub file: String,
    pub text: String,
    /// Whether what it makes counts; else it is only there to be imported.
    pub root: bool,
}

/// A trouble of this file, or of the one it happened in.
pub(super) fn from_trouble(file: &str, trouble: Trouble) -> FileFault {
    FileFault::new(&trouble.file.unwrap_or_else(|| file.to_owned()), (trouble.line, trouble.column), trouble.sentence)
}

/// The files of a folder, or one file with its neighbours, by module name.
pub(super) fn read(path: &Path, faults: &mut Vec<FileFault>) -> BTreeMap<String, Source> {
    let mut sources = BTreeMap::new();
    let single = path.is_file();
    let folder = if single { path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")) } else { path };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            faults.push(FileFault::new(
                &path.display().to_string(),
                (0, 0),
                format!("cannot be read: {error}: expected a folder with *.rhai files, or one file"),
            ));
            return sources;
        }
    };
    for found in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let root = !single || found.file_name() == path.file_name();
        let module = found.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        // `*.d.rhai` describes words to editors.
        let is_script = found.extension().is_some_and(|ending| ending == "rhai") && Path::new(&module).extension().is_none_or(|inner| inner != "d");
        let is_meant = is_script && !module.starts_with('.') && !found.is_dir();
        if !(is_meant || single && root) {
            continue;
        }
        let file = if root && single { path } else { &found }.display().to_string();
        match read_text(&found) {
            Ok(text) => drop(sources.insert(module, Source { file, text, root })),
            Err(problem) if root => faults.push(FileFault::new(&file, (0, 0), problem)),
            // A neighbour that nobody may want; whoever imports it is told that there is no such module.
            Err(_) => {}
        }
    }
    sources
}

fn read_text(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    // A link to nothing is a rule that would be missed by nobody; of a pipe nobody knows when it ends.
    if !std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}"))?.is_file() {
        return Err("is no file: expected a text file, or a name that does not end with .rhai".to_owned());
    }
    let file = std::fs::File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    file.take(sandbox::MAX_SOURCE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    let text = String::from_utf8(bytes).map_err(|_| "is not UTF-8 text: expected a text file, saved as UTF-8".to_owned())?;
    // Windows' editor begins a text with a mark of its order of bytes.
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// Compiles the files that count and what they import.
fn compile_all(engine: &Engine, sources: &BTreeMap<String, Source>, faults: &mut Vec<FileFault>) -> Units {
    let mut units = Units::default();
    let mut open: Vec<&str> = sources.iter().filter(|(_, source)| source.root).map(|(module, _)| module.as_str()).collect();
    while let Some((module, source)) = open.pop().and_then(|module| sources.get_key_value(module)) {
        if units.contains(module) {
            continue;
        }
        let unit = compile(engine, module, source).map_err(|fault| faults.push(fault)).ok();
        let imports = unit.iter().flat_map(Unit::imports).filter_map(|name| sources.get_key_value(name));
        open.extend(imports.map(|(module, _)| module.as_str()));
        units.insert(module, unit);
    }
    units
}

fn compile(engine: &Engine, module: &str, source: &Source) -> Result<Unit, FileFault> {
    if source.text.len() > sandbox::MAX_SOURCE_BYTES {
        let problem = format!("is longer than {} KiB: expected a smaller file", sandbox::MAX_SOURCE_BYTES / 1024);
        return Err(FileFault::new(&source.file, (0, 0), problem));
    }
    let compiled = sandbox::guarded(sandbox::COMPILING, || engine.compile(&source.text));
    let compiled = compiled.map_err(|problem| FileFault::new(&source.file, (0, 0), problem))?;
    let mut ast = compiled.map_err(|error| from_trouble(&source.file, explain_syntax(&error, &source.text)))?;
    ast.set_source(source.file.as_str());
    let outline = internals::outline(&ast);
    Ok(Unit { file: source.file.clone(), module: module.to_owned(), text: source.text.clone(), ast, outline })
}

/// Compiles all files and checks them before anything runs; `None` when they do not even run to find more faults.
pub(super) fn compiled(engine: &Engine, sources: &BTreeMap<String, Source>, faults: &mut Vec<FileFault>) -> Option<Units> {
    let known = internals::known(engine);
    let units = compile_all(engine, sources, faults);
    for unit in units.iter() {
        faults.extend(lint::check(unit, &units, &known));
    }
    // What a closure could hold on to for ever does not even run.
    let holding: Vec<FileFault> = units.iter().flat_map(|unit| lint::held_closures(unit)).collect();
    let runs = holding.is_empty();
    faults.extend(holding);
    runs.then_some(units)
}

/// Notes what ended a file's run; else what its drafts lack.
pub(super) fn ended(
    unit: &Unit,
    outcome: Result<Result<(), Box<EvalAltResult>>, String>,
    lacks: impl Iterator<Item = FileFault>,
    faults: &mut Vec<FileFault>,
) {
    let fault = match outcome {
        Ok(Ok(())) => return faults.extend(lacks),
        Ok(Err(error)) => from_trouble(&unit.file, explain(&error)),
        Err(problem) => FileFault::new(&unit.file, (0, 0), problem),
    };
    // What the check before the run has found is often the reason why the run ended; it is not said twice.
    if faults.iter().all(|fault| fault.file != unit.file) {
        faults.push(fault);
    }
}

/// The faults in the order of files and lines, each with its length.
pub(super) fn sorted(mut faults: Vec<FileFault>, texts: &BTreeMap<String, String>) -> Vec<FileFault> {
    for fault in &mut faults {
        if let Some(text) = texts.get(&fault.file) {
            fault.measure(text);
        }
    }
    faults.sort();
    faults.dedup();
    faults
}

/// The files' texts by file.
pub(super) fn texts(sources: &BTreeMap<String, Source>) -> BTreeMap<String, String> {
    sources.values().map(|source| (source.file.clone(), source.text.clone())).collect()
}
