//! Which runs of which rules are due.

use std::collections::{HashMap, HashSet};

use super::brake;
use super::campaign::Campaign;
use super::{Ctx, FlowError};
use crate::base::time::{DAY_MS, UnixMs};
use crate::model::pause::Pause;
use crate::model::rule::{MissedPolicy, RuleSpec};
use crate::rules::Rule;
use crate::rules::crontab::Crontab;
use crate::store::{Tx, holds, pauses, rules, ticks};

/// Runs missed longer ago than this are never made up for.
pub(super) const GRACE_MS: i64 = DAY_MS;
/// A run this much late is not "missed" yet: the daemon was busy with another.
const ON_TIME_MS: i64 = 10 * 60_000;
/// Most runs that `missed("all")` makes up for at once.
const MOST: usize = 100;

/// A run of a rule at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The rule.
    pub rule: String,
    /// The moment it runs for.
    pub tick_at: UnixMs,
    /// It began before and goes on: after a crash, or after it was held.
    pub goes_on: bool,
}

/// All runs due now, in the order they have to happen: by moment, then priority (higher first), then name. Notes each rule's present version;
/// runs before a version was first seen, or before a pause ended, are not made up for. Runs that a crash, a pause or a hold left unfinished are among them,
/// unless they are as old as runs that are not made up for (counted from the end of the hold): then they end. Of paused rules nothing is due, nor of rules
/// whose run is held.
pub async fn due(ctx: &Ctx, campaign: &Campaign) -> Result<Vec<Due>, FlowError> {
    let (now, zone) = (ctx.clock.now(), ctx.config.shop.zone());
    let mut tx = ctx.db.write().await?;
    let noted = note_all(&mut tx, ctx, campaign).await?;
    let mut waits: HashSet<String> = pauses::open(&mut tx).await?.into_iter().map(|pause| pause.rule).collect();
    waits.extend(brake::end_of_time(&mut tx, now).await?.into_iter().map(|hold| hold.rule));
    let resumed = pauses::last_ended(&mut tx).await?;
    let let_go: HashMap<(String, UnixMs), UnixMs> = holds::last_ended(&mut tx).await?;
    let mut found: Vec<(UnixMs, (i64, &str), bool)> = Vec::new();
    for (name, tick_at) in ticks::unfinished(&mut tx, now).await? {
        let interrupted_at = let_go.get(&(name.clone(), tick_at)).map_or(tick_at, |at| tick_at.max(*at));
        match campaign.rules.rule(&name).filter(|_| !waits.contains(&name)) {
            Some(_) if now.since(interrupted_at) > GRACE_MS => {
                tracing::warn!(rule = name, %tick_at, "a run that was interrupted more than a day ago does not go on");
                ticks::finish(&mut tx, &name, tick_at, now).await?;
            }
            rule => found.extend(rule.map(|rule| (tick_at, turn(&rule.spec), true))),
        }
    }
    for (rule, changed_at) in noted.into_iter().filter(|(rule, _)| !waits.contains(&rule.spec.name)) {
        let Some(schedule) = rule.spec.schedule.as_deref().and_then(|line| Crontab::parse(line).ok()) else { continue };
        // A pause that ended in the future (by a wrong clock, or seen from a simulated one) is none.
        let resumed_at = resumed.get(&rule.spec.name).copied().filter(|at| *at <= now).unwrap_or(UnixMs(i64::MIN));
        // A clock that was set back, or a simulated one: the version counts as seen now.
        let seen_at = changed_at.max(resumed_at).min(now).plus(-1);
        let latest = ticks::latest(&mut tx, &rule.spec.name, now).await?.unwrap_or(UnixMs(i64::MIN));
        let grace_ms = if rule.spec.missed == MissedPolicy::Skip { ON_TIME_MS } else { GRACE_MS };
        let since = latest.max(seen_at).max(now.plus(-grace_ms));
        if since >= now {
            continue;
        }
        let runs = match rule.spec.missed {
            MissedPolicy::All => schedule.between(since, now, zone, MOST),
            MissedPolicy::Once | MissedPolicy::Skip => schedule.latest_at_or_before(now, zone, since).into_iter().collect(),
        };
        found.extend(runs.into_iter().map(|at| (at, turn(&rule.spec), false)));
    }
    tx.commit().await?;
    found.sort();
    found.dedup_by_key(|(tick_at, turn, _)| (*tick_at, *turn));
    Ok(found.into_iter().map(|(tick_at, (_, rule), goes_on)| Due { rule: rule.to_owned(), tick_at, goes_on }).collect())
}

/// Notes that these versions of the rules are in force.
pub async fn note(ctx: &Ctx, campaign: &Campaign) -> Result<(), FlowError> {
    let mut tx = ctx.db.write().await?;
    note_all(&mut tx, ctx, campaign).await?;
    Ok(tx.commit().await?)
}

/// The rules, each with the moment since which its version is in force. A new version ends the pause that its predecessor brought upon itself.
async fn note_all<'a>(tx: &mut Tx, ctx: &Ctx, campaign: &'a Campaign) -> Result<Vec<(&'a Rule, UnixMs)>, FlowError> {
    let now = ctx.clock.now();
    let mut noted = Vec::new();
    for rule in campaign.rules.rules() {
        let changed_at = rules::note(tx, &rule.spec.name, &rule.spec.hash, &rule.source, now, !ctx.clock.is_simulated()).await?;
        noted.push((rule, changed_at));
    }
    for pause in pauses::open(tx).await? {
        if let Some(rule) = campaign.rules.rule(&pause.rule)
            && pauses::lift(tx, &pause.rule, &rule.spec.hash, now).await?
        {
            tracing::info!(rule = pause.rule, "a new version of the rule is in force: the pause that the last one brought upon itself is over");
        }
    }
    Ok(noted)
}

/// Which of the rules that run for the same moment is first: higher priority, then name.
pub(super) fn turn(spec: &RuleSpec) -> (i64, &str) {
    (-spec.priority, &spec.name)
}

/// The next run of any rule after now, but for those that are paused.
#[must_use]
pub fn next(ctx: &Ctx, campaign: &Campaign, paused: &[Pause]) -> Option<Due> {
    let rules = campaign.rules.rules().iter().filter(|rule| !paused.iter().any(|pause| pause.rule == rule.spec.name));
    let runs = rules.filter_map(|rule| Some(Due { rule: rule.spec.name.clone(), tick_at: next_of(ctx, rule)?, goes_on: false }));
    runs.min_by_key(|due| due.tick_at)
}

/// The next run of a rule after now, by its schedule.
#[must_use]
pub fn next_of(ctx: &Ctx, rule: &Rule) -> Option<UnixMs> {
    Crontab::parse(rule.spec.schedule.as_deref()?).ok()?.next_after(ctx.clock.now(), ctx.config.shop.zone())
}
