//! Just enough of a Rust tokeniser: words, `::`, single signs; comments are gone and a string is one quotation mark.

/// A word, `::`, one sign, or `"` for a whole string literal; and the line it begins on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Whether a token is a name or keyword.
pub(crate) fn is_word(text: &str) -> bool {
    text.starts_with(|c: char| c == '_' || c.is_alphabetic())
}

/// The tokens of a source text.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut line) = (0, 1);
    let mut found = Vec::new();
    while at < chars.len() {
        let begin = at;
        let rest = &chars[at..];
        let token = match rest {
            ['/', '/', ..] => {
                at += rest.iter().position(|c| *c == '\n').unwrap_or(rest.len());
                None
            }
            ['/', '*', ..] => {
                at += block_comment(rest);
                None
            }
            ['"', ..] | ['b' | 'c', '"', ..] => {
                at += usize::from(rest[0] != '"');
                at += quoted(&chars[at..], '"');
                Some("\"".to_owned())
            }
            ['r' | 'b' | 'c', ..] if raw_string(rest).is_some() => {
                at += raw_string(rest).unwrap_or(1);
                Some("\"".to_owned())
            }
            // A lifetime has no quotation mark at its end: 'a, but 'a' and '\n' are characters.
            ['\'', '\\', ..] | ['\'', _, '\'', ..] => {
                at += quoted(rest, '\'');
                Some("'".to_owned())
            }
            [':', ':', ..] => {
                at += 2;
                Some("::".to_owned())
            }
            [c, ..] if *c == '_' || c.is_alphanumeric() => {
                at += rest.iter().position(|c| *c != '_' && !c.is_alphanumeric()).unwrap_or(rest.len());
                Some(chars[begin..at].iter().collect())
            }
            _ => {
                at += 1;
                (!rest[0].is_whitespace()).then(|| rest[0].to_string())
            }
        };
        found.extend(token.map(|text| Token { line, text }));
        line += chars[begin..at].iter().filter(|c| **c == '\n').count();
    }
    found
}

/// Characters of a block comment, nested ones included.
fn block_comment(chars: &[char]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < chars.len() {
        match &chars[at..] {
            ['/', '*', ..] => (depth, at) = (depth + 1, at + 2),
            ['*', '/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

/// Characters of a literal that begins and ends with `mark` and escapes with a backslash.
fn quoted(chars: &[char], mark: char) -> usize {
    let mut at = 1;
    while at < chars.len() && chars[at] != mark {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    (at + 1).min(chars.len())
}

/// Characters of a raw string (`r"…"`, `br#"…"#` …), if one begins here.
fn raw_string(chars: &[char]) -> Option<usize> {
    let prefix = usize::from(chars[0] != 'r') + 1;
    let hashes = chars.get(prefix..)?.iter().take_while(|c| **c == '#').count();
    let opens = chars.get(prefix - 1) == Some(&'r') && chars.get(prefix + hashes) == Some(&'"');
    let end: Vec<char> = std::iter::once('"').chain(std::iter::repeat_n('#', hashes)).collect();
    let body = prefix + hashes + 1;
    opens.then(|| chars[body..].windows(end.len()).position(|part| part == end).map_or(chars.len(), |found| body + found + end.len()))
}

/// The paths of a `use` tree, each with the name it brings in. `tokens` begins after the word `use`.
pub(crate) fn use_paths(tokens: &[Token]) -> Vec<(Vec<String>, String)> {
    let mut found = Vec::new();
    branch(tokens, &mut 0, &[], &mut found);
    found
}

fn branch(tokens: &[Token], at: &mut usize, before: &[String], found: &mut Vec<(Vec<String>, String)>) {
    let mut path = before.to_vec();
    while let Some(token) = tokens.get(*at) {
        *at += 1;
        match token.text.as_str() {
            "::" => {}
            "{" => {
                while tokens.get(*at).is_some_and(|token| token.text != "}") {
                    branch(tokens, at, &path, found);
                    *at += usize::from(tokens.get(*at).is_some_and(|token| token.text == ","));
                }
                *at += 1;
                return;
            }
            "as" => {
                let name = tokens.get(*at).map(|token| token.text.clone()).unwrap_or_default();
                *at += 1;
                found.push((path, name));
                return;
            }
            word if is_word(word) || word == "*" => path.push(word.to_owned()),
            _ => {
                *at -= 1;
                break;
            }
        }
    }
    if let Some(last) = path.last().cloned() {
        // `a::{self}` brings in `a`.
        let name = if last == "self" && path.len() > 1 { path[path.len() - 2].clone() } else { last };
        found.push((path, name));
    }
}
