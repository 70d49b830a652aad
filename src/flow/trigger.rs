//! Which runs of which rules are due.

use super::campaign::Campaign;
use super::{Ctx, FlowError};
use crate::base::time::{DAY_MS, UnixMs};
use crate::model::rule::{MissedPolicy, RuleSpec};
use crate::rules::crontab::Crontab;
use crate::store::{rules, ticks};

/// Runs missed longer ago than this are never made up for.
const GRACE_MS: i64 = DAY_MS;
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
}

/// All runs due now, in the order they have to happen: by moment, then priority (higher first), then name. Notes each rule's present version;
/// runs before a version was first seen are not made up for. Runs that a crash left unfinished are among them.
pub async fn due(ctx: &Ctx, campaign: &Campaign) -> Result<Vec<Due>, FlowError> {
    let (now, zone) = (ctx.clock.now(), ctx.config.shop.zone());
    let mut tx = ctx.db.write().await?;
    let mut found: Vec<(UnixMs, (i64, &str))> = Vec::new();
    for (rule, tick_at) in ticks::unfinished(&mut tx, now).await? {
        found.extend(campaign.rules.rule(&rule).map(|rule| (tick_at, turn(&rule.spec))));
    }
    for rule in campaign.rules.rules() {
        let changed_at = rules::note(&mut tx, &rule.spec.name, &rule.spec.hash, &rule.source, now, !ctx.clock.is_simulated()).await?;
        let Some(schedule) = rule.spec.schedule.as_deref().and_then(|line| Crontab::parse(line).ok()) else { continue };
        // A clock that was set back, or a simulated one: the version counts as seen now.
        let seen_at = changed_at.min(now).plus(-1);
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
        found.extend(runs.into_iter().map(|at| (at, turn(&rule.spec))));
    }
    tx.commit().await?;
    found.sort();
    found.dedup();
    Ok(found.into_iter().map(|(tick_at, (_, rule))| Due { rule: rule.to_owned(), tick_at }).collect())
}

/// Which of the rules that run for the same moment is first: higher priority, then name.
pub(super) fn turn(spec: &RuleSpec) -> (i64, &str) {
    (-spec.priority, &spec.name)
}

/// The next run of any rule after now.
#[must_use]
pub fn next(ctx: &Ctx, campaign: &Campaign) -> Option<Due> {
    let (now, zone) = (ctx.clock.now(), ctx.config.shop.zone());
    let runs = campaign.rules.rules().iter().filter_map(|rule| {
        let schedule = Crontab::parse(rule.spec.schedule.as_deref()?).ok()?;
        Some(Due { rule: rule.spec.name.clone(), tick_at: schedule.next_after(now, zone)? })
    });
    runs.min_by_key(|due| due.tick_at)
}
