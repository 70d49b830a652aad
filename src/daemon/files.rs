//! What the files of rules, own scores and templates are like, and when a change of them is to be taken up.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::config::Config;

/// Folders in folders are looked into so deep.
const MOST_DEPTH: usize = 6;
/// More files are not looked at.
const MOST_FILES: usize = 10_000;
/// Of a longer file only the beginning counts; neither rules nor templates may be so long.
const MOST_BYTES: u64 = 1 << 20;

/// Names and contents of all files of rules, own scores and templates. What cannot be read counts, too: it differs from what can.
///
/// Contents, and not the times of the last change: a second change within the same tick of a file system's clock, a change that keeps the time, and a
/// network mount that answers from its memory are seen; a file that was only touched is none. Reading some hundred small files takes a few milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of the files that the configuration names. Blocks.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let mut found = Vec::new();
        for scripts in [&config.rules.path, &config.score.path] {
            if scripts.is_file() {
                // One file may import its neighbours, but not what lies in folders beside it.
                let folder = scripts.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
                collect(folder, &["rhai"], MOST_DEPTH, &mut found);
                found.push(scripts.clone());
            } else {
                collect(scripts, &["rhai"], 0, &mut found);
            }
        }
        collect(&config.templates.path, &["txt", "mjml", "json"], 0, &mut found);
        found.sort();
        found.dedup();
        let mut hash = Sha256::new();
        for path in found {
            let name = path.as_os_str().as_encoded_bytes();
            hash.update(name.len().to_le_bytes());
            hash.update(name);
            let content = content(&path);
            hash.update(content.len().to_le_bytes());
            hash.update(content);
        }
        Self(hash.finalize().into())
    }
}

/// Files with one of the endings below a folder; the folder itself when it cannot be read. Hidden ones are what editors leave while they work.
fn collect(folder: &Path, endings: &[&str], depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        found.push(folder.to_owned());
        return;
    };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if hidden || found.len() >= MOST_FILES {
            continue;
        }
        if path.extension().is_some_and(|ending| endings.iter().any(|known| ending.eq_ignore_ascii_case(known))) {
            found.push(path);
        } else if depth < MOST_DEPTH && path.is_dir() {
            collect(&path, endings, depth + 1, found);
        }
    }
}

fn content(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A pipe that nobody writes into would hold up whoever opens it.
    let open = || if fs::metadata(path)?.is_file() { File::open(path) } else { Err(ErrorKind::InvalidInput.into()) };
    match open().and_then(|file| file.take(MOST_BYTES).read_to_end(&mut bytes)) {
        Ok(_) => bytes,
        Err(error) => format!("\0{:?}", error.kind()).into_bytes(),
    }
}

/// Says when changed files are to be taken up: once they are the same at two looks in a row, so that nobody is read in the middle of a sentence. What was
/// tried is not tried again, whatever came of it, until it changes.
#[derive(Debug)]
pub struct Watch {
    tried: Fingerprint,
    seen: Option<Fingerprint>,
}

impl Watch {
    /// `tried`: the files as they were before the rules in force were read.
    #[must_use]
    pub fn new(tried: Fingerprint) -> Self {
        Self { tried, seen: None }
    }

    /// A look; true when these files are to be tried now.
    pub fn look(&mut self, found: Fingerprint) -> bool {
        if found == self.tried {
            self.seen = None;
            return false;
        }
        self.seen.replace(found) == Some(found)
    }

    /// These files have been tried.
    pub fn tried(&mut self, found: Fingerprint) {
        *self = Self::new(found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each look at these states of the files, one letter each, says to do; a letter in upper case has been tried by somebody else before the look.
    fn looks(states: &str) -> String {
        let files = |letter: char| Fingerprint([letter.to_ascii_lowercase() as u8; 32]);
        let mut watch = Watch::new(files('a'));
        let look = |state: char| {
            if state.is_ascii_uppercase() {
                watch.tried(files(state));
            }
            let now = watch.look(files(state));
            if now {
                watch.tried(files(state));
            }
            if now { '!' } else { '.' }
        };
        states.chars().map(look).collect()
    }

    #[test]
    fn a_change_is_tried_once_when_it_is_the_same_at_two_looks() {
        assert_eq!(looks("aaabbbbb"), "....!...");
        assert_eq!(looks("abcdefff"), "......!.", "not while somebody writes");
        assert_eq!(looks("ababaa"), "......", "a change that was taken back before anybody looked twice");
        assert_eq!(looks("abbaa"), "..!.!", "taken back after it was tried");
        assert_eq!(looks("abbcbb"), "..!...", "a change of what was tried, taken back");
        assert_eq!(looks("aBbbcc"), ".....!", "a signal has had it tried");
    }
}
