//! "Did you mean": the nearest known word to one that is not known.

/// ` - did you mean 'PREFIXword'?` when a known word is near enough to be a typing error, else nothing.
#[must_use]
pub fn hint<'a>(word: &str, known: impl Iterator<Item = &'a str>, prefix: &str) -> String {
    nearest(word, known).map(|near| format!(" - did you mean '{prefix}{near}'?")).unwrap_or_default()
}

fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Long words may have more errors than short ones; a word of which half is different is another word.
    let most = 1 + word.chars().count().min(60) / 4;
    let far = known.map(|candidate| (distance(word, candidate), candidate)).filter(|(far, candidate)| *far <= most && *far < candidate.len());
    far.min().map(|(_, candidate)| candidate)
}

/// Letters to insert, remove, replace, and neighbours to swap (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().take(100).collect();
    let right: Vec<char> = right.chars().collect();
    let mut table: Vec<Vec<usize>> = vec![(0..=right.len()).collect()];
    for (line, a) in left.iter().enumerate() {
        let mut row = vec![line + 1];
        for (column, b) in right.iter().enumerate() {
            let replaced = table[line][column] + usize::from(a != b);
            let mut best = replaced.min(table[line][column + 1] + 1).min(row[column] + 1);
            if line > 0 && column > 0 && *a == right[column - 1] && left[line - 1] == *b {
                best = best.min(table[line - 1][column - 1] + 1);
            }
            row.push(best);
        }
        table.push(row);
    }
    table[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_find_the_word_that_was_meant_and_other_words_none() {
        let known = ["recency_days", "orders", "revenue", "abc", "r"];
        for (typed, meant) in [
            ("recency_day", Some("recency_days")),
            ("order", Some("orders")),
            ("revenu", Some("revenue")),
            ("acb", Some("abc")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(nearest(typed, known.into_iter()), meant, "{typed}");
        }
        assert_eq!(hint("abd", known.into_iter(), "c."), " - did you mean 'c.abc'?");
    }
}
