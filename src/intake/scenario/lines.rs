//! The lines of a scenario that say what has to happen: `2026-03-12 anna win-back send`.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use toml::{Spanned, Value};

use super::{Expect, Leaf, MAX_RECORDS, Reader, date, place, shown};
use crate::base::suggest::hint;
use crate::model::example::Expected;
use crate::model::scenario::Line;

const FORM: &str = "expected DAY CUSTOMER RULE VERDICT, such as \"2026-03-12 anna win-back send\"";

/// Before the words that a mail says; several times in a line where it says several things.
const SAYS: &str = " says ";

impl Reader<'_> {
    pub(super) fn expected(&mut self, expect: Option<&Spanned<Expect>>, days: Option<(NaiveDate, NaiveDate)>, known: &BTreeSet<String>) -> Vec<Line> {
        let Some(expect) = expect else {
            self.whole("has no 'expect': expected expect = \"nobody\", or a list of lines such as \"2026-03-12 anna win-back send\"");
            return Vec::new();
        };
        match expect.get_ref() {
            Expect::Word(word) if word == "nobody" => Vec::new(),
            Expect::Word(word) => {
                let word = shown(&Value::String(word.clone()));
                self.fault(expect.span().start, format!("expect: expected \"nobody\" or a list of lines, got {word}"));
                Vec::new()
            }
            Expect::Lines(lines) if lines.len() > MAX_RECORDS => {
                self.fault(expect.span().start, format!("expect: there are more than {MAX_RECORDS} lines: expected a smaller scenario"));
                Vec::new()
            }
            Expect::Lines(lines) => lines.iter().filter_map(|line| self.line(line, days, known)).collect(),
        }
    }

    fn line(&mut self, leaf: &Leaf, days: Option<(NaiveDate, NaiveDate)>, known: &BTreeSet<String>) -> Option<Line> {
        let read = match leaf.get_ref() {
            Value::String(text) => self.words(text, days, known),
            other => Err(format!("{FORM}, got {}", shown(other))),
        };
        match read {
            Ok(line) => Some(Line { at: place(self.text, leaf.span().start), ..line }),
            Err(problem) => {
                self.fault(leaf.span().start, format!("expect: {problem}"));
                None
            }
        }
    }

    fn words(&self, text: &str, days: Option<(NaiveDate, NaiveDate)>, known: &BTreeSet<String>) -> Result<Line, String> {
        let got = || shown(&Value::String(text.to_owned()));
        let (head, says) = text.split_once(SAYS).map_or((text, None), |(head, says)| (head, Some(says)));
        let words: Vec<&str> = head.split_whitespace().take(7).collect();
        let (day, customer, rule, verdict, leaves) = match words.as_slice() {
            [day, customer, rule, verdict] => (*day, *customer, *rule, *verdict, None),
            [day, customer, rule, verdict, "leaves", at] => (*day, *customer, *rule, *verdict, Some(*at)),
            _ => return Err(format!("{FORM}, got {}", got())),
        };
        let date = date(day).ok_or_else(|| format!("'{day}' is no day: {FORM}"))?;
        if let Some((from, until)) = days.filter(|(from, until)| !(*from..=*until).contains(&date)) {
            return Err(format!("{date} is not among the days {from} to {until}"));
        }
        if !known.contains(customer) {
            return Err(format!("there is no customer '{customer}'{}", hint(customer, known.iter().map(String::as_str), "")));
        }
        let expected = match Expected::parse(verdict) {
            Some(Expected::No) => return Err("a day without a message needs no line: lines say who is written to".to_owned()),
            Some(expected) => expected,
            None => {
                let words = || Expected::WORDS.into_iter().filter(|word| *word != "no");
                return Err(format!(
                    "'{verdict}' is no verdict: expected one of {}{}",
                    words().collect::<Vec<_>>().join(", "),
                    hint(verdict, words(), "")
                ));
            }
        };
        let leaves = match leaves {
            Some(_) if expected != Expected::Send => return Err(format!("nothing leaves where the verdict is {verdict}")),
            Some(at) => Some(self.options.zone.parse_time(at).map_err(|problem| problem.to_string())?),
            None => None,
        };
        let says: Vec<String> = says.into_iter().flat_map(|says| says.split(SAYS)).map(|words| words.trim().to_owned()).collect();
        if !says.is_empty() && expected != Expected::Send {
            return Err(format!("no mail says anything where the verdict is {verdict}"));
        }
        if says.iter().any(String::is_empty) {
            return Err("'says' needs the words that stand in the mail, such as \"2026-03-12 anna win-back send says Hello Anna\"".to_owned());
        }
        Ok(Line { at: (0, 0), date, customer: customer.to_owned(), rule: rule.to_owned(), expected, leaves, says })
    }
}
