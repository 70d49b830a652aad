//! Which of a rule's variables a template prints, and which of them it cannot do without.

use std::collections::BTreeSet;

use minijinja::Environment;
use minijinja::value::{Serde, Value};
use serde_json::Map;

use crate::channel::vars::STANDARD;

/// A variable that a template uses and that the rule has to give.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Whether the template fails without it; else it asks first, as in `{% if note is defined %}`.
    pub needed: bool,
}

/// The variables of a template's parts, in the order of their names. `examples` are values with which all parts can be rendered.
pub(super) fn variables(engine: &Environment<'_>, parts: &[String], examples: &Map<String, serde_json::Value>) -> Vec<Variable> {
    let used: BTreeSet<String> = parts.iter().flat_map(|part| names(engine, part, &mut BTreeSet::new())).collect();
    let own = used.into_iter().filter(|name| !STANDARD.contains(&name.as_str()));
    let without = |name: &str| {
        let rest: Map<String, serde_json::Value> =
            examples.iter().filter(|(key, _)| *key != name).map(|(key, value)| (key.clone(), value.clone())).collect();
        Value::from(Serde(rest))
    };
    // With all of them every part has been rendered, so it is the missing one that it fails for.
    let fails = |part: &String, context: &Value| engine.get_template(part).and_then(|template| template.render(context)).is_err();
    let variable = |name: String| {
        let context = without(&name);
        Variable { needed: parts.iter().any(|part| fails(part, &context)), name }
    };
    own.map(variable).collect()
}

/// Names that a part and what it includes takes from outside.
fn names(engine: &Environment<'_>, part: &str, seen: &mut BTreeSet<String>) -> BTreeSet<String> {
    let Ok(template) = engine.get_template(part) else { return BTreeSet::new() };
    seen.insert(part.to_owned());
    let global = |name: &String| engine.globals().any(|(global, _)| global == name);
    let mut found: BTreeSet<String> = template.undeclared_variables(false).into_iter().filter(|name| !global(name)).collect();
    for (shared, _) in engine.templates() {
        if shared.starts_with("_shared/") && template.source().contains(shared) && !seen.contains(shared) {
            found.extend(names(engine, shared, seen));
        }
    }
    found
}
