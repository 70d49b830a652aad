//! Reads a folder of templates and tries each of them before it may be used.

use std::path::{Path, PathBuf};

use minijinja::ErrorKind;
use minijinja::value::{Serde, Value};
use serde_json::{Map, json};

use super::engine::{engine, problem};
use super::mjml::{Shared, compile, known_elements};
use super::variables::variables;
use super::{Parts, TemplateSet, part_name};
use crate::model::customer::Locale;
use crate::model::fault::FileFault;

/// Longest file that is read.
const MAX_BYTES: u64 = 1_000_000;
/// Stands for the imprint when a template is tried.
const PROBE_IMPRINT: [&str; 2] = ["Probe-Imprint Ltd", "Probe-Street 4711"];
/// Stands for the unsubscribe link.
const PROBE_UNSUBSCRIBE: &str = "https://probe.example/unsubscribe-4711";

pub(super) fn load(folder: &Path) -> Result<TemplateSet, Vec<FileFault>> {
    let mut loader =
        Loader { set: TemplateSet { engine: engine(), templates: std::collections::BTreeMap::new() }, shared: Shared::default(), faults: Vec::new() };
    let (shared, own): (Vec<_>, Vec<_>) = loader.list(folder).into_iter().filter(|path| path.is_dir()).partition(|path| file_name(path) == "_shared");
    for path in shared {
        loader.read_shared(&path);
    }
    for path in own {
        let name = file_name(&path);
        if !name.starts_with(['_', '.']) {
            loader.read_template(&path, &name);
        }
    }
    if loader.faults.is_empty() { Ok(loader.set) } else { Err(loader.faults) }
}

struct Loader {
    set: TemplateSet,
    shared: Shared,
    faults: Vec<FileFault>,
}

impl Loader {
    fn fault(&mut self, path: &Path, line: Option<usize>, problem: &str) {
        self.faults.push(FileFault::new(&path.display().to_string(), (line.unwrap_or(0), 0), problem));
    }

    fn list(&mut self, folder: &Path) -> Vec<PathBuf> {
        match std::fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>) {
            Ok(entries) => {
                let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
                paths.sort();
                paths
            }
            Err(error) => {
                self.fault(folder, None, &format!("cannot be read: {error}; expected a folder with one folder per template"));
                Vec::new()
            }
        }
    }

    fn read(&mut self, path: &Path) -> Option<String> {
        let read = std::fs::metadata(path).map_err(|error| format!("cannot be read: {error}")).and_then(|data| {
            if !data.is_file() {
                return Err("is no file: expected a text file".to_owned());
            }
            if data.len() > MAX_BYTES {
                return Err("is longer than 1 MB: expected a smaller file".to_owned());
            }
            std::fs::read_to_string(path).map_err(|error| match error.kind() {
                std::io::ErrorKind::InvalidData => "is not UTF-8 text: expected a text file, saved as UTF-8".to_owned(),
                _ => format!("cannot be read: {error}"),
            })
        });
        // Windows' editor begins a text with a mark of its order of bytes.
        let plain = |text: String| text.strip_prefix('\u{feff}').unwrap_or(&text).replace("\r\n", "\n");
        read.map_err(|problem| self.fault(path, None, &problem)).ok().map(plain)
    }

    fn read_shared(&mut self, folder: &Path) {
        for path in self.list(folder) {
            let name = file_name(&path);
            let Some(text) = self.read(&path) else { continue };
            if has_ending(&path, "txt") {
                self.add(&path, &format!("_shared/{name}"), text);
            } else if has_ending(&path, "mjml") {
                if let Err((line, problem)) = known_elements(&text) {
                    self.fault(&path, Some(line), &problem);
                }
                self.shared.0.insert(name, text);
            }
        }
    }

    /// Adds a part to the engine; false and a fault when it is no template.
    fn add(&mut self, path: &Path, part: &str, source: String) -> bool {
        match self.set.engine.add_template_owned(part.to_owned(), source) {
            Ok(()) => true,
            Err(error) => {
                self.fault(path, error.line(), &problem(&error));
                false
            }
        }
    }

    fn read_template(&mut self, folder: &Path, name: &str) {
        let before = self.faults.len();
        let examples = self.probe_vars(folder);
        let vars = Value::from(Serde(&examples));
        let mut parts = Parts::default();
        for locale in [Locale::De, Locale::En] {
            let (text, html) = (folder.join(format!("{}.txt", locale.code())), folder.join(format!("{}.mjml", locale.code())));
            if !text.is_file() {
                if text.exists() {
                    self.fault(&text, None, "is no file: expected the text part");
                } else if html.is_file() {
                    self.fault(&html, None, &format!("has no text part: expected {}.txt beside it", locale.code()));
                }
                continue;
            }
            parts.locales.push(locale);
            let (transactional, head_lines) = self.read_text(&text, name, locale, &vars);
            parts.transactional |= transactional;
            parts.head_lines.push(head_lines);
            if html.is_file() {
                parts.html.push(locale);
                self.read_html(&html, name, locale, parts.transactional, &vars);
            }
        }
        if parts.locales.is_empty() && before == self.faults.len() {
            self.fault(folder, None, "is no template: expected de.txt or en.txt");
        }
        if before == self.faults.len() {
            let texts = parts.locales.iter().flat_map(|locale| ["subject", "txt"].map(|kind| part_name(name, *locale, kind)));
            let all: Vec<String> = texts.chain(parts.html.iter().map(|locale| part_name(name, *locale, "html"))).collect();
            parts.variables = variables(&self.set.engine, &all, &examples);
        }
        self.set.templates.insert(name.to_owned(), parts);
    }

    /// Reads a `.txt`: head, subject, text. Says whether it calls itself transactional, and how many lines stand before the text.
    fn read_text(&mut self, path: &Path, name: &str, locale: Locale, vars: &Value) -> (bool, usize) {
        let Some(source) = self.read(path) else { return (false, 0) };
        let Some((head, text)) = source.split_once("\n\n") else {
            self.fault(path, Some(1), "expected 'Subject: …', an empty line, then the text");
            return (false, 0);
        };
        let (mut subject, mut transactional) = (None, false);
        for (number, line) in head.lines().enumerate() {
            match line.split_once(':').map(|(key, value)| (key.trim(), value.trim())) {
                Some(("Subject", value)) if !value.is_empty() => subject = Some(value.to_owned()),
                Some(("Kind", "transactional")) => transactional = true,
                _ => self.fault(path, Some(number + 1), "expected 'Subject: …' or 'Kind: transactional'"),
            }
        }
        let Some(subject) = subject else {
            self.fault(path, Some(1), "has no 'Subject: …' line");
            return (transactional, 0);
        };
        let (subject_part, text_part) = (part_name(name, locale, "subject"), part_name(name, locale, "txt"));
        let head_lines = head.lines().count() + 1;
        if self.add(path, &subject_part, subject) {
            self.try_part(path, &subject_part, vars);
        }
        // Empty lines in place of the head, so that the engine counts lines as an editor does.
        if self.add(path, &text_part, format!("{}{text}", "\n".repeat(head_lines))) {
            if let Some(rendered) = self.try_part(path, &text_part, vars) {
                self.check_duties(path, &rendered, transactional);
            }
            // The lines were for the faults only.
            self.add(path, &text_part, text.to_owned());
        }
        (transactional, head_lines)
    }

    fn read_html(&mut self, path: &Path, name: &str, locale: Locale, transactional: bool, vars: &Value) {
        let Some(source) = self.read(path) else { return };
        let part = part_name(name, locale, "html");
        let html = match compile(&source, &self.shared) {
            Ok(html) => html,
            Err((line, problem)) => return self.fault(path, line, &problem),
        };
        // The source itself is tried first: its faults have the lines that the author sees.
        let source_is_good = self.add(path, &part, source) && self.try_part(path, &part, vars).is_some();
        if source_is_good
            && self.add(path, &part, html)
            && let Some(rendered) = self.try_part(path, &part, vars)
        {
            self.check_duties(path, &rendered, transactional);
            if let Err(problem) = super::engine::check_links(&rendered) {
                self.fault(path, None, &problem);
            }
        }
    }

    /// Renders a part with the values for the try; `None` and a fault when that fails.
    fn try_part(&mut self, path: &Path, part: &str, vars: &Value) -> Option<String> {
        let template = self.set.engine.get_template(part).ok()?;
        let error = match template.render(vars) {
            Ok(text) => return Some(text),
            Err(error) => error,
        };
        let missing = unknown(&template.undeclared_variables(true), vars);
        let words = if error.kind() == ErrorKind::UndefinedError && !missing.is_empty() {
            format!("unknown variable {}: neither a standard one nor in sample.json", missing.join(", "))
        } else {
            problem(&error)
        };
        let elsewhere = error.name().filter(|name| *name != part).map(|name| format!("in {name}: ")).unwrap_or_default();
        self.fault(path, error.line(), &format!("{elsewhere}{words}"));
        None
    }

    /// The law's minimum: who sends this, and how to make it stop.
    fn check_duties(&mut self, path: &Path, rendered: &str, transactional: bool) {
        if PROBE_IMPRINT.iter().any(|line| !rendered.contains(line)) {
            self.fault(path, None, "has no imprint: every mail must show {{ shop.imprint }} (shared footer: _shared/)");
        }
        if !transactional && !rendered.contains(PROBE_UNSUBSCRIBE) {
            self.fault(
                path,
                None,
                "has no unsubscribe link: expected {{ unsubscribe_url }}, or 'Kind: transactional' in the .txt for mails that belong to an order",
            );
        }
    }

    /// Values for the try: the standard variables, a voucher, and the template's own examples.
    fn probe_vars(&mut self, folder: &Path) -> Map<String, serde_json::Value> {
        let mut vars: Map<String, serde_json::Value> = Map::new();
        vars.insert(
            "voucher".to_owned(),
            json!({"code": "PROBE-1234", "worth": "10 %", "percent": "10 %", "amount": "5,00 €", "valid_until": "31.12.2026"}),
        );
        let sample = folder.join("sample.json");
        if sample.is_file() {
            let parsed = self.read(&sample).map(|text| serde_json::from_str::<Map<String, serde_json::Value>>(&text));
            match parsed {
                Some(Ok(own)) => vars.extend(own),
                Some(Err(error)) => self.fault(&sample, Some(error.line()), &format!("is no JSON object: {error}")),
                None => {}
            }
        }
        let standard = [
            ("shop", json!({"name": "Probe", "imprint": PROBE_IMPRINT.join("\n"), "url": "https://probe.example", "currency": "EUR"})),
            ("customer", json!({"first_name": "Pro", "last_name": "Be", "name": "Pro Be"})),
            ("unsubscribe_url", json!(PROBE_UNSUBSCRIBE)),
            ("locale", json!("de")),
            ("basis", json!("consent")),
        ];
        vars.extend(standard.map(|(key, value)| (key.to_owned(), value)));
        vars
    }
}

/// Which of the variables that a template uses (`customer.first_name`) are not among `vars`.
fn unknown(used: &std::collections::HashSet<String>, vars: &Value) -> Vec<String> {
    let known =
        |path: &str| path.split('.').try_fold(vars.clone(), |value, key| value.get_attr(key).ok().filter(|value| !value.is_undefined())).is_some();
    let mut missing: Vec<String> = used.iter().filter(|path| !known(path)).map(|path| format!("'{path}'")).collect();
    missing.sort();
    missing
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending))
}
