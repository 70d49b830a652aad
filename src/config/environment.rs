//! Settings from the environment: `STAMMGAST__SECTION__KEY`.

use figment::Figment;
use figment::providers::Env;
use figment::value::Value;

/// Puts the environment over `settings`. A text is taken as it is where the defaults have one: a password of digits is no number, and quotes and
/// spaces in it are its own. Everything else is read as TOML.
pub(super) fn over(settings: Figment, defaults: &Figment, environment: &Env) -> Figment {
    environment.iter().fold(settings, |settings, (key, text)| {
        let value = if is_text(defaults, key.as_str()) { Value::from(text) } else { text.parse().unwrap_or_else(|never| match never {}) };
        settings.merge((key.as_str(), value))
    })
}

fn is_text(defaults: &Figment, key: &str) -> bool {
    match defaults.find_value(key) {
        Ok(default) => default.as_str().is_some(),
        // Names of columns and kinds of facts: the keys are the shop's, the values are texts.
        Err(_) => ["import.customers.", "import.orders.", "import.events.", "attributes."].iter().any(|section| key.starts_with(section)),
    }
}
