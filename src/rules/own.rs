//! Whether rules and own scores fit: names that there are, and values of the kind that a score or an attribute has.

use super::rule::{OwnMention, Rule};
use super::scores::ScoreSet;
use super::set::RuleSet;
use super::suggest::hint;
use crate::model::attribute::AttributeKind;
use crate::model::fact::{Fact, Reading};
use crate::model::facts::FieldValue;
use crate::model::fault::FileFault;
use crate::model::predicate::{Clause, Leaf, Literal};

impl RuleSet {
    /// Own scores that the rules name and that there are not, and scores and attributes (whose kinds `attributes` tells) that they compare with a value of
    /// another kind: that would never be true.
    #[must_use]
    pub fn unfit_for(&self, scores: &ScoreSet, attributes: impl Fn(&str) -> Option<AttributeKind>) -> Vec<FileFault> {
        let mut faults: Vec<FileFault> = self.rules().iter().flat_map(|rule| unfit(rule, scores, &attributes)).collect();
        for fault in &mut faults {
            self.measure(fault);
        }
        // Rules that share a function share its faults.
        faults.sort();
        faults.dedup();
        faults
    }
}

fn unfit(rule: &Rule, scores: &ScoreSet, attributes: &impl Fn(&str) -> Option<AttributeKind>) -> Vec<FileFault> {
    let names: Vec<&str> = scores.scores().into_iter().map(|score| score.name.as_str()).collect();
    let named = rule.own.iter().filter(|mention| mention.fact == Fact::Score && scores.score(&mention.name).is_none());
    let mut faults: Vec<FileFault> = named.map(|mention| unknown(mention, &names)).collect();
    let kind = |fact: &Reading| {
        let name = fact.of.as_deref()?;
        match fact.fact {
            Fact::Score => scores.score(name).map(|score| (format!("score '{name}'"), score.kind)),
            Fact::Attr => attributes(name).map(|kind| (format!("attribute '{name}'"), kind)),
            _ => None,
        }
    };
    if let Some(clauses) = &rule.clauses {
        for (leaf, script) in clauses.predicate.leaves().into_iter().zip(&clauses.scripts) {
            let wrong = compared(leaf).and_then(|(fact, literals)| {
                let (name, kind) = kind(fact)?;
                let other = literals.into_iter().map(AttributeKind::of).find(|other| *other != kind)?;
                Some(format!("{name} is {} and is compared with {}: that is never true", kind.word(), other.word()))
            });
            faults.extend(wrong.map(|problem| FileFault { length: script.length, ..FileFault::new(&script.file, script.at, problem) }));
        }
    }
    for example in &rule.examples {
        for (reading, value) in example.facts.stated.iter().flat_map(|stated| stated.iter()) {
            if let Some((name, kind)) = kind(reading).filter(|(_, kind)| !fits(*kind, value)) {
                let problem = format!("{name}: expected {}", kind.word());
                faults.push(FileFault::new(&example.file, (example.line, example.column), problem));
            }
        }
    }
    faults
}

/// Somebody names a score that is not among `names`.
pub(super) fn unknown(mention: &OwnMention, names: &[&str]) -> FileFault {
    let near = hint(&mention.name, names.iter().copied(), "");
    let known = match names {
        [] => ": the folder of scores ([score] path of the configuration) holds none".to_owned(),
        _ if near.is_empty() => format!(": expected one of {}", names.join(", ")),
        _ => near,
    };
    FileFault::new(&mention.file, mention.at, format!("there is no score '{}'{known}", mention.name))
}

/// The fact of a comparison, and what it is compared with.
fn compared(leaf: &Leaf) -> Option<(&Reading, Vec<&Literal>)> {
    match &leaf.clause {
        Clause::Compare { fact, default, literal, .. } => Some((fact, [Some(literal), default.as_ref()].into_iter().flatten().collect())),
        Clause::OneOf { fact, list } => Some((fact, list.iter().collect())),
        _ => None,
    }
}

fn fits(kind: AttributeKind, value: &FieldValue) -> bool {
    matches!(
        (kind, value),
        (AttributeKind::Text, FieldValue::Text(_))
            | (AttributeKind::Number, FieldValue::Whole(_) | FieldValue::Decimal(_))
            | (AttributeKind::Flag, FieldValue::Flag(_))
    )
}
