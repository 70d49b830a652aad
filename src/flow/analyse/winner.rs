//! Does a variant take the traffic? Only by the verdict that holds at every look, and only if it drives nobody away; once, and for good.

use super::{Arms, judge, split};
use crate::base::time::{DAY_MS, UnixMs};
use crate::flow::{Ctx, FlowError};
use crate::model::rule::RuleSpec;
use crate::model::switch::{Switch, Test};
use crate::rules::RuleSet;
use crate::stats::verdict::{self, Outcome};
use crate::store::{Tx, rules, switches};

/// The switch that holds for a run at `now`: the one that is stored, or the one that this run would make.
pub(in crate::flow) async fn foresee(ctx: &Ctx, spec: &RuleSpec, now: UnixMs) -> Result<Option<Switch>, FlowError> {
    match stored(ctx, spec).await? {
        Some(switch) => Ok(Some(switch).filter(|switch| switch.at <= now)),
        None => find(ctx, spec, now).await,
    }
}

/// The switch that is stored, whenever it was made.
pub(in crate::flow) async fn stored(ctx: &Ctx, spec: &RuleSpec) -> Result<Option<Switch>, FlowError> {
    if spec.winner.is_none() {
        return Ok(None);
    }
    Ok(switches::of(&mut ctx.db.read().await?, &spec.name, &Test::of(spec)).await?)
}

/// The switch that a run at `now` makes. What versions with another experiment or other variants have decided does not count.
pub(in crate::flow) async fn find(ctx: &Ctx, spec: &RuleSpec, now: UnixMs) -> Result<Option<Switch>, FlowError> {
    let Some(after) = spec.winner else { return Ok(None) };
    let mut tx = ctx.db.read().await?;
    let test = Test::of(spec);
    let hashes = same_test(&mut tx, spec, &test).await?;
    let counts = switches::counts(&mut tx, &spec.name, &hashes).await?;
    let people: i64 = counts.variants.iter().map(|arm| arm.people).sum();
    let begun = counts.first_at.is_some_and(|first| now.since(first) >= after.days * DAY_MS);
    let all_there = spec.variants.iter().all(|variant| counts.variants.iter().any(|arm| arm.name == variant.name));
    if !begun || !all_there || people < after.people {
        return Ok(None);
    }
    let smallest = ctx.config.experiments.smallest_effect();
    let split_p = split::p_value(&mut tx, &counts).await?;
    let arms = Arms::of(&counts, smallest);
    let rates: Vec<_> = arms.counts.iter().map(|(_, counts)| super::bought(counts)).collect();
    let Some(verdict) = verdict::judge(&rates, &arms.pairs, split_p).filter(|verdict| verdict.outcome != Outcome::Broken) else { return Ok(None) };
    // Control says what the rule earns, not which variant is the best: it need not be beaten yet, but it must not lead.
    let Some(winner) = verdict.leaders.first().and_then(|place| arms.counts[*place].0) else { return Ok(None) };
    let beaten = |place: usize| verdict.beaten.contains(&place);
    let best = (0..arms.counts.len()).all(|place| arms.counts[place].0.is_none_or(|name| name == winner) || beaten(place));
    let drives_away = judge::guardrails(&counts, smallest).iter().any(|guardrail| guardrail.stops(winner));
    let switch = Switch { rule: spec.name.clone(), test, winner: winner.to_owned(), at: now, hash: spec.hash.clone() };
    Ok((best && !drives_away).then_some(switch))
}

/// The versions that compared the same.
async fn same_test(tx: &mut Tx, spec: &RuleSpec, test: &Test) -> Result<Vec<String>, FlowError> {
    let same = |text: &str| RuleSet::from_stored(text).ok().and_then(|set| set.rule(&spec.name).map(|rule| Test::of(&rule.spec) == *test));
    let versions = rules::newest(tx, &spec.name).await?;
    Ok(versions.into_iter().filter(|version| version.hash == spec.hash || same(&version.text) == Some(true)).map(|version| version.hash).collect())
}

/// The switch of the version that runs.
pub(in crate::flow) async fn of_running(tx: &mut Tx, rule: &str) -> Result<Option<Switch>, FlowError> {
    let Some(version) = rules::in_force(tx, rule).await? else { return Ok(None) };
    let Ok(set) = RuleSet::from_stored(&version.text) else { return Ok(None) };
    let Some(spec) = set.rule(rule).map(|rule| &rule.spec).filter(|spec| spec.winner.is_some()) else { return Ok(None) };
    Ok(switches::of(tx, rule, &Test::of(spec)).await?)
}
