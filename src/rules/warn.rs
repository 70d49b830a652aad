//! Warnings: what loads and runs, and is perhaps not what was meant. Each can be answered by saying it, as in `.control(0)` or `.once_per("ever")`.

use super::certain::{Certain, certain};
use super::ranges;
use super::rule::Rule;
use super::set::RuleSet;
use super::suggest::hint;
use crate::config::sections::Score;
use crate::model::fact::{Fact, Source, Takes};
use crate::model::fault::FileFault;
use crate::model::predicate::{Clause, Leaf, Predicate};
use crate::model::rule::Occasion;

/// What a shop's scores are, as far as a condition may expect too much of them.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// The greatest r, f and m (`[score] buckets`).
    pub buckets: i64,
    /// Days that moves between classes are kept (`[score] history_days`).
    pub history_days: i64,
    /// Days that somebody is compared with newcomers (`[score] newcomer_days`); 0: nobody is.
    pub newcomer_days: i64,
}

impl Kept {
    /// Where nobody knows the shop's configuration: as much as there can be.
    pub const MOST: Self = Self { buckets: ranges::MOST_BUCKETS, history_days: i64::MAX, newcomer_days: i64::MAX };

    /// By the shop's configuration.
    #[must_use]
    pub fn of(score: &Score) -> Self {
        Self { buckets: score.buckets, history_days: score.history_days, newcomer_days: score.newcomer_days }
    }
}

impl RuleSet {
    /// What is perhaps not what was meant, in the order of files and lines.
    #[must_use]
    pub fn warnings(&self, kept: &Kept) -> Vec<FileFault> {
        let names: Vec<&str> = self.rules().iter().map(|rule| rule.spec.name.as_str()).collect();
        let of =
            |rule| of_rule(rule).into_iter().chain(of_condition(rule, kept.buckets)).chain(of_classes(rule, kept)).chain(of_emails(rule, &names));
        let mut warnings: Vec<FileFault> = self.rules().iter().flat_map(of).collect();
        for warning in &mut warnings {
            self.measure(warning);
        }
        warnings.sort();
        // Rules that a loop makes share their text.
        warnings.dedup();
        warnings
    }
}

fn of_rule(rule: &Rule) -> Vec<FileFault> {
    let spec = &rule.spec;
    let mut found = Vec::new();
    let mut warn = |verb: &str, problem: String| {
        let (file, at) = rule.place_of(verb);
        found.push(FileFault::warning(file, at, 0, problem));
    };
    let name = &spec.name;
    if spec.schedule.is_none() {
        warn("rule", format!("rule '{name}' has no .every(…): it runs only when named, as in stammgast run {name}"));
    }
    if !rule.said.contains_key("cooldown") && !rule.said.contains_key("once_per") {
        let advice = "expected .cooldown(days(90)), .once_per(\"year\") …, or .once_per(\"ever\") if that is meant";
        warn("rule", format!("rule '{name}' has no .cooldown(…) and no .once_per(…), so it writes to each customer once in their life: {advice}"));
    }
    let total: i64 = spec.variants.iter().map(|variant| variant.weight).sum();
    if spec.variants.len() > 1 && total != 100 {
        let shares = spec.variants.iter().map(|variant| format!("{} {} %", variant.name, percent(variant.weight, total)));
        let shares = shares.collect::<Vec<_>>().join(", ");
        warn("variant", format!("the weights of rule '{name}' add up to {total}, not to 100: {shares} of those who are not held out"));
    }
    let Some(goal) = &spec.goal else { return found };
    if spec.control_percent == 0 && spec.variants.len() == 1 && !rule.said.contains_key("control") {
        let advice = "expected e.g. .control(10), or .control(0) if that is meant";
        warn("goal", format!("nobody is held out, so the report cannot say what rule '{name}' earns: {advice}"));
    }
    if spec.winner.is_some() && spec.control_percent == 0 && !rule.said.contains_key("control") {
        let advice = "expected e.g. .control(10), or .control(0) if that is meant";
        warn("winner", format!("nobody is held out, so when a variant of rule '{name}' has won the report cannot say what it earns: {advice}"));
    }
    let (again, word) = match spec.occasion {
        Occasion::Cooldown { days } => (days, format!("the cooldown of {days} days")),
        Occasion::Day => (1, "the day of .once_per(\"day\")".to_owned()),
        Occasion::Week => (7, "the week of .once_per(\"week\")".to_owned()),
        Occasion::Month => (31, "the month of .once_per(\"month\")".to_owned()),
        Occasion::Year => (366, "the year of .once_per(\"year\")".to_owned()),
        Occasion::Ever | Occasion::Order => return found,
    };
    if goal.window_days > again {
        let problem = format!("the goal's {} days are longer than {word}: one order may count for two messages", goal.window_days);
        warn("goal", problem);
    }
    found
}

/// A share in percent, rounded.
fn percent(weight: i64, total: i64) -> i64 {
    (weight.saturating_mul(200) / total.max(1) + 1) / 2
}

fn of_condition(rule: &Rule, buckets: i64) -> Vec<FileFault> {
    let Some(condition) = &rule.clauses else { return Vec::new() };
    let leaves = condition.predicate.leaves();
    let found = certain(&condition.predicate, buckets);
    let whole = found.iter().find_map(|certain| if let Certain::Whole(answer) = certain { Some(*answer) } else { None });
    let text = |number: usize| leaves.get(number).map_or("", |leaf| leaf.text.as_str());
    // A clause may decide the whole condition; that is said with it, not once more.
    let mut decided = false;
    let mut so = |answer: bool, decides: bool| {
        let decides = decides && whole == Some(answer);
        decided |= decides;
        match (decides, answer) {
            (false, _) => "",
            (true, true) => ", so this rule writes to everybody",
            (true, false) => ", so this rule writes to nobody",
        }
    };
    let mut warnings = Vec::new();
    for certain in &found {
        let (number, problem) = match *certain {
            Certain::Whole(_) => continue,
            Certain::Clause { leaf, answer, missing } => {
                let problem = leaves.get(leaf).map(|clause| of_clause(clause, answer, missing, buckets)).unwrap_or_default();
                (leaf, format!("{problem}{}", so(answer, !missing && decisive(&condition.predicate, answer).contains(&leaf))))
            }
            Certain::Contradiction(one, other) => (
                other,
                format!(
                    "'{}' and '{}' are never both true{}",
                    text(one),
                    text(other),
                    so(false, decisive(&condition.predicate, false).contains(&other))
                ),
            ),
            Certain::Superfluous(this, other) => (this, format!("'{}' says nothing new beside '{}'", text(this), text(other))),
        };
        if let Some(script) = condition.scripts.get(number) {
            warnings.push(FileFault::warning(&script.file, script.at, script.length, problem));
        }
    }
    if let (Some(answer), false) = (whole, decided) {
        let problem = if answer {
            "the condition is always true, so this rule writes to everybody"
        } else {
            "the condition is never true, so this rule writes to nobody"
        };
        let only = condition.scripts.first().filter(|_| leaves.len() == 1);
        let (file, at, length) = only.map_or((rule.condition_file(), rule.condition_at(), 0), |leaf| (&leaf.file, leaf.at, leaf.length));
        warnings.push(FileFault::warning(file, at, length, problem));
    }
    warnings
}

/// Classes that nobody has: too far back, or not made.
fn of_classes(rule: &Rule, kept: &Kept) -> Vec<FileFault> {
    let Some(condition) = &rule.clauses else { return Vec::new() };
    let mut warnings = Vec::new();
    for (leaf, script) in condition.predicate.leaves().into_iter().zip(&condition.scripts) {
        for reading in &leaf.reads {
            let reason = if reading.fact == Fact::AbcAdjusted && kept.newcomer_days == 0 {
                "newcomers have no class of their own ([score] newcomer_days is 0)".to_owned()
            } else if reading.fact.about().source == Source::Classes && reading.days.is_some_and(|days| days > kept.history_days) {
                let kept = if kept.history_days > 0 { format!("kept for {} days", kept.history_days) } else { "not followed".to_owned() };
                format!("moves between classes are {kept} ([score] history_days)")
            } else {
                continue;
            };
            let problem = format!("'{reading}' is missing for everybody: {reason}");
            warnings.push(FileFault::warning(&script.file, script.at, script.length, problem));
        }
    }
    warnings
}

/// Emails of a rule that there is not: perhaps one of former times, perhaps a slip, and then there are none of it.
fn of_emails(rule: &Rule, names: &[&str]) -> Vec<FileFault> {
    let Some(condition) = &rule.clauses else { return Vec::new() };
    let mut warnings = Vec::new();
    for (leaf, script) in condition.predicate.leaves().into_iter().zip(&condition.scripts) {
        let named = leaf.reads.iter().filter(|reading| reading.fact == Fact::EmailsOf).filter_map(|reading| reading.of.as_deref());
        for name in named.filter(|name| !names.contains(name)) {
            let near = hint(name, names.iter().copied(), "");
            let problem = format!("there is no rule '{name}'{near}: unless it wrote in former times, it has written to nobody");
            warnings.push(FileFault::warning(&script.file, script.at, script.length, problem));
        }
    }
    warnings
}

/// The clauses that alone decide the condition when they give `answer`: false in a row of `&&`, true in a row of `||`.
fn decisive(condition: &Predicate, answer: bool) -> Vec<usize> {
    match condition {
        Predicate::Leaf(leaf) => vec![leaf.number],
        Predicate::All(parts) if !answer => parts.iter().flat_map(|part| decisive(part, answer)).collect(),
        Predicate::Any(parts) if answer => parts.iter().flat_map(|part| decisive(part, answer)).collect(),
        _ => Vec::new(),
    }
}

fn of_clause(leaf: &Leaf, answer: bool, missing: bool, buckets: i64) -> String {
    let reading = match &leaf.clause {
        Clause::Compare { fact, .. } | Clause::OneOf { fact, .. } | Clause::Has(fact) | Clause::Flag(fact) => Some(fact),
        Clause::Tagged(_) | Clause::Constant(_) | Clause::Script => None,
    };
    let words = reading.and_then(|reading| Some((reading, ranges::range(reading.fact, buckets).0.words()?)));
    let values = words.map(|(reading, words)| format!(": {reading} is {words}")).unwrap_or_default();
    let has = reading
        .map(|reading| if reading.fact.about().takes == Takes::Nothing { format!("c.has(\"{reading}\")") } else { format!("c.{reading} != ()") });
    let has = has.unwrap_or_default();
    match (answer, missing) {
        (false, _) => format!("'{}' is never true{values}", leaf.text),
        (true, false) => format!("'{}' is always true{values}", leaf.text),
        (true, true) => format!("'{}' is true whenever there is a value{values}; if that is meant, say {has}", leaf.text),
    }
}
