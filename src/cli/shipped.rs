//! The rules, own scores and templates that come with the program, as a shop's folder gets them.

use std::path::Path;

use anyhow::Context as _;

use crate::config::DEFAULT_TOML;

macro_rules! shipped {
    ($($path:literal),* $(,)?) => {
        /// Path in a shop's folder, and text. A test compares the list with the folders.
        pub(super) const FILES: &[(&str, &str)] = &[$(($path, include_str!(concat!("../../", $path)))),*];
    };
}

shipped![
    "rules/anniversary.rhai",
    "rules/birthday-gift.rhai",
    "rules/second-order.rhai",
    "rules/tests/win-back.toml",
    "rules/thank-you.rhai",
    "rules/win-back.rhai",
    "scores/lead.rhai",
    "templates/_shared/footer.de.mjml",
    "templates/_shared/footer.de.txt",
    "templates/_shared/footer.en.mjml",
    "templates/_shared/footer.en.txt",
    "templates/_shared/header.mjml",
    "templates/_shared/style.mjml",
    "templates/anniversary/de.mjml",
    "templates/anniversary/de.txt",
    "templates/anniversary/en.mjml",
    "templates/anniversary/en.txt",
    "templates/birthday-gift/de.mjml",
    "templates/birthday-gift/de.txt",
    "templates/birthday-gift/en.mjml",
    "templates/birthday-gift/en.txt",
    "templates/second-order/de.mjml",
    "templates/second-order/de.txt",
    "templates/second-order/en.mjml",
    "templates/second-order/en.txt",
    "templates/thank-you/de.mjml",
    "templates/thank-you/de.txt",
    "templates/thank-you/en.mjml",
    "templates/thank-you/en.txt",
    "templates/win-back-plain/de.mjml",
    "templates/win-back-plain/de.txt",
    "templates/win-back-plain/en.mjml",
    "templates/win-back-plain/en.txt",
    "templates/win-back/de.mjml",
    "templates/win-back/de.txt",
    "templates/win-back/en.mjml",
    "templates/win-back/en.txt",
];

/// Writes rules, scores, templates and `config/stammgast.toml` into a folder. Files that are there already stay as they are. Returns the written ones.
pub(super) fn write(folder: &Path, config: Option<&str>) -> anyhow::Result<Vec<String>> {
    let config = ("config/stammgast.toml", config.unwrap_or(DEFAULT_TOML));
    let mut written = Vec::new();
    for (path, text) in std::iter::once(config).chain(FILES.iter().copied()) {
        let target = folder.join(path);
        if target.exists() {
            continue;
        }
        let parent = target.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent).with_context(|| format!("{}: the folder cannot be made", parent.display()))?;
        std::fs::write(&target, text).with_context(|| format!("{}: cannot be written", target.display()))?;
        written.push(path.to_owned());
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else {
                found.push(path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_str().unwrap().to_owned());
            }
        }
    }

    #[test]
    fn every_rule_score_and_template_of_the_project_is_shipped() {
        let mut found = Vec::new();
        for folder in ["rules", "scores", "templates"] {
            files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
        }
        found.sort();
        let listed: Vec<&str> = FILES.iter().map(|(path, _)| *path).collect();
        assert_eq!(found, listed);
    }
}
