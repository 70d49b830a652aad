//! Were people split as the rule says?

use std::collections::BTreeMap;

use crate::model::report::RuleCounts;
use crate::rules::RuleSet;
use crate::stats::srm;
use crate::store::db::{StoreError, Tx};
use crate::store::rules;

/// The p-value that people were split by the weights of the versions that assigned them; `None` when no version can be read any more or nobody was assigned.
pub(super) async fn p_value(tx: &mut Tx, counts: &RuleCounts) -> Result<Option<f64>, StoreError> {
    // People by arm, and how many were to be expected.
    let mut arms: BTreeMap<String, (i64, f64)> = BTreeMap::new();
    for version in &counts.assigned {
        let stored = rules::versions(tx, &counts.rule, &version.hash).await?;
        let Some(weights) = stored.first().and_then(|stored| weights(&counts.rule, &stored.text)) else { continue };
        let all: i64 = version.people.iter().map(|(_, people)| people).sum();
        for (arm, weight) in weights {
            #[expect(clippy::cast_precision_loss, reason = "people are fewer than 2^53")]
            let expected = weight * all as f64;
            arms.entry(arm).or_default().1 += expected;
        }
        for (arm, people) in &version.people {
            arms.entry(arm.clone()).or_default().0 += people;
        }
    }
    let (people, expected): (Vec<i64>, Vec<f64>) = arms.into_values().unzip();
    Ok((!people.is_empty()).then(|| srm::p_value(&people, &expected)))
}

/// The share of each arm in a stored version, by name; the empty name is control.
fn weights(rule: &str, text: &str) -> Option<Vec<(String, f64)>> {
    let set = RuleSet::from_stored(text).ok()?;
    let spec = &set.rule(rule)?.spec;
    let control = (spec.control_percent > 0).then(String::new);
    Some(control.into_iter().chain(spec.variants.iter().map(|variant| variant.name.clone())).zip(spec.split_weights()).collect())
}
