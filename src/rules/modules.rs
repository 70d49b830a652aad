//! The files of a rules folder, and `import` between them: a module is a file of the same folder, read before anything runs, nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use rhai::{AST, Engine, EvalAltResult, Module, ModuleResolver, Position, Scope, Shared};
use sha2::{Digest, Sha256};

use super::builder;
use super::internals::{Code, Function, Outline};

/// Stands in a stored text before the name of each module.
const MODULE: &str = "\n// ---- module ";

/// The files of a text that [`Units::source_and_hash`] made: name and text, the rule's own file first.
pub(super) fn files(source: &str) -> Vec<(String, String)> {
    let mut parts = source.split(MODULE);
    let own = parts.next().map(|text| ("stored version.rhai".to_owned(), text.to_owned()));
    let module = |part: &str| part.split_once('\n').map(|(name, text)| (format!("{name}.rhai"), text.to_owned()));
    own.into_iter().chain(parts.filter_map(module)).collect()
}

/// SHA-256 of a text in hexadecimal digits.
pub(super) fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |digits, byte| format!("{digits}{byte:02x}"))
}

/// A compiled file.
pub(super) struct Unit {
    /// As messages name it.
    pub file: String,
    /// As `import` names it.
    pub module: String,
    pub text: String,
    pub ast: AST,
    pub outline: Outline,
}

/// The files by module name; `None` for one that does not compile.
#[derive(Clone, Default)]
pub(super) struct Units(BTreeMap<String, Option<Arc<Unit>>>);

impl Units {
    pub(super) fn insert(&mut self, module: &str, unit: Option<Unit>) {
        self.0.insert(module.to_owned(), unit.map(Arc::new));
    }

    pub(super) fn contains(&self, module: &str) -> bool {
        self.0.contains_key(module)
    }

    pub(super) fn get(&self, module: &str) -> Option<&Arc<Unit>> {
        self.0.get(module)?.as_ref()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<Unit>> {
        self.0.values().flatten()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// A function of a file; closures that a module made are looked for in all files.
    pub(super) fn function(&self, file: &str, name: &str) -> Option<(&Arc<Unit>, &Function)> {
        let (own, others): (Vec<_>, Vec<_>) = self.iter().partition(|unit| unit.file == file);
        let find = |unit: &'_ &Arc<Unit>| unit.outline.functions.iter().position(|function| function.name == name);
        let unit = own.into_iter().chain(others).find(|unit| find(unit).is_some())?;
        Some((unit, &unit.outline.functions[find(&unit)?]))
    }

    /// All code that a function can reach, its own included, each with its file.
    pub(super) fn reached(&self, file: &str, name: &str) -> Vec<(&Arc<Unit>, &Code)> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<_> = self.function(file, name).into_iter().collect();
        let mut reached = Vec::new();
        while let Some((unit, function)) = open.pop() {
            if !seen.insert((unit.file.as_str(), function.name.as_str())) {
                continue;
            }
            reached.push((unit, &function.code));
            for call in &function.code.calls {
                let home = call.module.as_deref().and_then(|alias| self.get(unit.module_of(alias)?)).unwrap_or(unit);
                open.extend(self.function(&home.file, &call.name));
            }
            open.extend(function.code.pointers.iter().filter_map(|pointer| self.function(&unit.file, pointer)));
        }
        reached
    }

    /// Modules that a file imports, directly or through others, without itself, in name order.
    pub(super) fn imported_by(&self, unit: &Unit) -> Vec<&Arc<Unit>> {
        let mut found = BTreeSet::new();
        let mut open = vec![unit];
        while let Some(next) = open.pop() {
            for module in next.imports().filter_map(|name| self.get(name)) {
                if module.module != unit.module && found.insert(module.module.as_str()) {
                    open.push(module);
                }
            }
        }
        found.into_iter().filter_map(|name| self.get(name)).collect()
    }

    /// A file's text with the texts of the modules it imports, and the SHA-256 of that in hexadecimal digits.
    pub(super) fn source_and_hash(&self, unit: &Unit) -> (String, String) {
        let modules = self.imported_by(unit).into_iter().map(|module| format!("{MODULE}{}\n{}", module.module, module.text));
        let source: String = std::iter::once(unit.text.clone()).chain(modules).collect();
        let hash = sha256(&source);
        (source, hash)
    }
}

impl Unit {
    /// The module behind an alias.
    pub(super) fn module_of(&self, alias: &str) -> Option<&str> {
        self.outline.top.imports.iter().find(|import| import.alias == alias).and_then(|import| import.name.as_deref())
    }

    /// Names of the modules that the text imports.
    pub(super) fn imports(&self) -> impl Iterator<Item = &str> {
        self.outline.top.imports.iter().filter_map(|import| import.name.as_deref())
    }
}

/// Gives scripts the units and nothing else. Each module is evaluated once per rule set.
pub(super) struct Resolver {
    units: Units,
    made: Mutex<BTreeMap<String, Option<Shared<Module>>>>,
}

impl Resolver {
    pub(super) fn new(units: Units) -> Self {
        Self { units, made: Mutex::default() }
    }

    fn made(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Option<Shared<Module>>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ModuleResolver for Resolver {
    fn resolve(&self, engine: &Engine, _: Option<&str>, path: &str, at: Position) -> Result<Shared<Module>, Box<EvalAltResult>> {
        let unit = self.units.get(path).ok_or_else(|| EvalAltResult::ErrorModuleNotFound(path.to_owned(), at))?;
        match self.made().get(path) {
            Some(Some(module)) => return Ok(Shared::clone(module)),
            Some(None) => return Err(EvalAltResult::ErrorRuntime(format!("module '{path}' imports itself").into(), at).into()),
            None => {}
        }
        // Marked as under way, so that a circle of imports is seen; the lock is not held while the module runs.
        self.made().insert(path.to_owned(), None);
        let result = builder::importing(|| Module::eval_ast_as_new(Scope::new(), &unit.ast, engine));
        match result {
            Ok(module) => {
                let module = Shared::new(module);
                self.made().insert(path.to_owned(), Some(Shared::clone(&module)));
                Ok(module)
            }
            Err(error) => {
                self.made().remove(path);
                Err(EvalAltResult::ErrorInModule(unit.file.clone(), error, at).into())
            }
        }
    }
}
