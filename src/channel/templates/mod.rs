//! Mail templates: folders `templates/NAME/{de,en}.{txt,mjml}`, compiled once, rendered for each person.
//!
//! The `.txt` begins with `Subject: …` (and `Kind: transactional` for mails that belong to an order), an empty line, then the text part. The
//! `.mjml` is the HTML part and may be missing. Shared pieces are in `templates/_shared/`: MJML takes them by `<mj-include path="../_shared/…"/>`,
//! text by `{% include "_shared/…" %}`. `sample.json` in a template's folder holds example values of the rule's own variables for the check.

mod engine;
mod load;
mod mjml;
mod variables;

use std::collections::BTreeMap;
use std::path::Path;

use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde_json::Map;

use crate::model::customer::Locale;
use crate::model::fault::FileFault;
use crate::model::text::clean;

pub use variables::Variable;

/// All templates of a shop, checked.
#[derive(Debug)]
pub struct TemplateSet {
    engine: Environment<'static>,
    templates: BTreeMap<String, Parts>,
}

/// What there is of one template.
#[derive(Clone, Debug, Default)]
struct Parts {
    /// Languages that it exists in; at least one.
    locales: Vec<Locale>,
    /// How many lines of the `.txt` stand before its text, by the place of the language in `locales`.
    head_lines: Vec<usize>,
    /// Languages that have an HTML part.
    html: Vec<Locale>,
    /// Needs no unsubscribe link.
    transactional: bool,
    /// What the rule has to give.
    variables: Vec<Variable>,
}

/// A mail's content for one person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// One line, without control characters.
    pub subject: String,
    /// The HTML part, if the template has one.
    pub html: Option<String>,
    /// The text part.
    pub text: String,
}

impl TemplateSet {
    /// Reads, compiles and test-renders all templates of a folder.
    ///
    /// # Errors
    /// All faults at once, each with file and, if known, line: what cannot be read or compiled, unknown variables, and parts that would go out
    /// without the imprint or the unsubscribe link.
    pub fn load(folder: &Path) -> Result<Self, Vec<FileFault>> {
        load::load(folder)
    }

    /// Whether there is such a template.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.templates.contains_key(name)
    }

    /// All names, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        self.templates.keys().map(String::as_str).collect()
    }

    /// Whether the template says that it belongs to an order (`Kind: transactional`), so that it need not offer to unsubscribe.
    #[must_use]
    pub fn is_transactional(&self, name: &str) -> bool {
        self.templates.get(name).is_some_and(|parts| parts.transactional)
    }

    /// The variables of a template that the rule has to give; none when there is no such template.
    #[must_use]
    pub fn variables(&self, name: &str) -> &[Variable] {
        self.templates.get(name).map_or(&[], |parts| &parts.variables)
    }

    /// Fills a template in for one person; in the other language when it does not exist in `locale`. `vars` as [`super::vars::standard_vars`] makes them.
    ///
    /// # Errors
    /// A sentence: no such template, a variable that is missing, a link that is none, or work beyond the limit.
    pub fn render(&self, name: &str, locale: Locale, vars: &Map<String, serde_json::Value>) -> Result<Rendered, String> {
        let parts = self.templates.get(name).ok_or_else(|| format!("there is no template '{name}'; there are: {}", self.names().join(", ")))?;
        let place = parts.locales.iter().position(|known| *known == locale).unwrap_or(0);
        let locale = *parts.locales.get(place).ok_or("a template without languages")?;
        let head_lines = parts.head_lines.get(place).copied().unwrap_or(0);
        let context = Value::from(Serde(vars));
        let part = |kind: &str| self.render_part(&part_name(name, locale, kind), head_lines, &context);
        let subject = clean(&part("subject")?).ok_or_else(|| format!("template '{name}': the subject is empty"))?;
        let html = if parts.html.contains(&locale) { Some(part("html")?) } else { None };
        if let Some(html) = &html {
            engine::check_links(html).map_err(|problem| format!("template '{name}': {problem}"))?;
        }
        Ok(Rendered { subject, html, text: part("txt")? })
    }

    fn render_part(&self, part: &str, head_lines: usize, context: &Value) -> Result<String, String> {
        let rendered = self.engine.get_template(part).and_then(|template| template.render(context));
        let text = rendered.map_err(|error| engine::explain(&error, part, head_lines))?;
        // Nearly always there is nothing to take out, which the bytes tell at once; beyond ASCII control characters are 0xC2 and 0x80 to 0x9F.
        // Counting takes many bytes at a time, looking for the first does not.
        let bytes = text.as_bytes();
        let ascii = bytes.iter().filter(|&&byte| (byte < b' ' && byte != b'\n' && byte != b'\t') || byte == 0x7F).count();
        let beyond = bytes.iter().zip(bytes.iter().skip(1)).filter(|&(&lead, &next)| lead == 0xC2 && next < 0xA0).count();
        let clean = ascii + beyond == 0;
        Ok(if clean { text } else { text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect() })
    }
}

/// The engine's name of a part; its ending decides how values are escaped.
fn part_name(name: &str, locale: Locale, kind: &str) -> String {
    format!("{name}/{}.{kind}", locale.code())
}
