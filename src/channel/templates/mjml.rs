//! MJML to HTML: once for each template, before the values are filled in.

use std::collections::{BTreeMap, HashMap};

use crate::base::suggest::hint;
use mrml::prelude::parser::loader::{IncludeLoader, IncludeLoaderError};
use mrml::prelude::parser::{Error, Origin, ParserOptions, Span};
use mrml::prelude::render::RenderOptions;

/// The pieces of `_shared/`, by file name.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(pub BTreeMap<String, String>);

impl IncludeLoader for Shared {
    /// Finds `../_shared/NAME` (as MJML's own tools want it) or `_shared/NAME`; nothing else can be included.
    fn resolve(&self, path: &str) -> Result<String, IncludeLoaderError> {
        let name = path.trim_start_matches("../").trim_start_matches("./").strip_prefix("_shared/");
        name.and_then(|name| self.0.get(name)).cloned().ok_or_else(|| IncludeLoaderError::not_found(path))
    }
}

/// Compiles a template's MJML. `{{ … }}` and `{% … %}` pass through.
///
/// # Errors
/// Line (if known) and what is wrong.
pub(super) fn compile(source: &str, shared: &Shared) -> Result<String, (Option<usize>, String)> {
    known_elements(source).map_err(|(line, problem)| (Some(line), problem))?;
    let options = ParserOptions { include_loader: Box::new(shared.clone()) };
    let parsed = mrml::parse_with_options(source, &options).map_err(|error| explain(source, &error))?;
    // No fonts from other people's servers: they would tell them who opens the mail.
    let options = RenderOptions { disable_comments: false, social_icon_origin: None, fonts: HashMap::new() };
    parsed.element.render(&options).map_err(|error| (None, error.to_string()))
}

/// The elements there are.
const ELEMENTS: [&str; 34] = [
    "mj-accordion",
    "mj-accordion-element",
    "mj-accordion-text",
    "mj-accordion-title",
    "mj-all",
    "mj-attributes",
    "mj-body",
    "mj-breakpoint",
    "mj-button",
    "mj-carousel",
    "mj-carousel-image",
    "mj-class",
    "mj-column",
    "mj-divider",
    "mj-font",
    "mj-group",
    "mj-head",
    "mj-hero",
    "mj-image",
    "mj-include",
    "mj-navbar",
    "mj-navbar-link",
    "mj-preview",
    "mj-raw",
    "mj-section",
    "mj-social",
    "mj-social-element",
    "mj-spacer",
    "mj-style",
    "mj-table",
    "mj-text",
    "mj-title",
    "mj-wrapper",
    "mjml",
];

/// Whether each `<mj-…>` is one of them: the parser takes what it does not know for HTML, and it would stand in the mail as it is.
///
/// # Errors
/// The line and what is wrong.
pub(super) fn known_elements(source: &str) -> Result<(), (usize, String)> {
    let is_comment = |at: usize| source[..at].rfind("<!--").is_some_and(|begin| !source[begin..at].contains("-->"));
    for (at, _) in source.match_indices("<mj").filter(|(at, _)| !is_comment(*at)) {
        let name = source[at + 1..].split(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).next().unwrap_or_default();
        if !ELEMENTS.contains(&name) {
            let near = hint(name, ELEMENTS.into_iter(), "");
            return Err((source[..at].matches('\n').count() + 1, format!("there is no element '{name}' in MJML{near}")));
        }
    }
    Ok(())
}

fn explain(source: &str, error: &Error) -> (Option<usize>, String) {
    let (origin, position) = match error {
        Error::UnexpectedElement { origin, position }
        | Error::UnexpectedToken { origin, position }
        | Error::MissingAttribute { origin, position, .. }
        | Error::InvalidAttribute { origin, position }
        | Error::InvalidFormat { origin, position }
        | Error::IncludeLoaderError { origin, position, .. } => (Some(origin), Some(position)),
        Error::EndOfStream { origin } | Error::SizeLimit { origin } | Error::ParserError { origin, .. } => (Some(origin), None),
        Error::NoRootNode => (None, None),
    };
    let problem = match error {
        Error::UnexpectedElement { .. } => "an element that is not allowed here".to_owned(),
        Error::UnexpectedToken { .. } => "something that is not allowed here".to_owned(),
        Error::MissingAttribute { name, .. } => format!("the attribute '{name}' is missing"),
        Error::InvalidAttribute { .. } => "an attribute that is not allowed here".to_owned(),
        Error::InvalidFormat { .. } => "cannot be read".to_owned(),
        Error::EndOfStream { .. } => "ends too early: is an element not closed?".to_owned(),
        Error::IncludeLoaderError { source, .. } => format!("cannot include '{}': expected a file of ../_shared/", source.path),
        Error::ParserError { source, .. } => source.to_string(),
        Error::SizeLimit { .. } | Error::NoRootNode => error.to_string(),
    };
    match origin {
        Some(Origin::Include { path }) => (None, format!("in {path}: {problem}")),
        _ => (position.map(|span| line_of(source, span)), problem),
    }
}

fn line_of(source: &str, span: &Span) -> usize {
    source.get(..span.start).unwrap_or_default().matches('\n').count() + 1
}
