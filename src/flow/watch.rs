//! What a person should look at: runs that are held, rules that have gone silent.

use serde::Serialize;

use super::campaign::Campaign;
use super::{Ctx, FlowError};
use crate::base::time::DAY_MS;
use crate::model::hold::Hold;
use crate::policy::silence::{self, MEMORY_DAYS, Silence};
use crate::store::{holds, pauses, ticks};

/// A rule that reached nobody for much longer than it uses to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SilentRule {
    /// The rule.
    pub rule: String,
    /// For how long, and what is usual.
    #[serde(flatten)]
    pub silence: Silence,
}

impl SilentRule {
    /// What is strange about it, in a sentence without the rule's name.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Silence { since, days, usual_days } = self.silence;
        let usual = if usual_days == 1 { "every day".to_owned() } else { format!("every {usual_days} days") };
        format!("reached nobody since {since}, {days} days ago; usually it does {usual}")
    }
}

/// The runs that are held.
pub async fn held(ctx: &Ctx) -> Result<Vec<Hold>, FlowError> {
    let mut tx = ctx.db.read().await?;
    Ok(holds::open(&mut tx).await?)
}

/// The rules with a schedule that are silent. One that is paused, or whose run is held, is silent for that reason, which is told already.
pub async fn silent(ctx: &Ctx, campaign: &Campaign) -> Result<Vec<SilentRule>, FlowError> {
    let (now, zone, factor) = (ctx.clock.now(), ctx.config.shop.zone(), ctx.config.guards.silent_factor);
    let mut tx = ctx.db.read().await?;
    let (held, paused) = (holds::open(&mut tx).await?, pauses::open(&mut tx).await?);
    let mut found = Vec::new();
    for rule in campaign.rules.rules() {
        let name = &rule.spec.name;
        let stopped = held.iter().any(|hold| hold.rule == *name) || paused.iter().any(|pause| pause.rule == *name);
        if factor == 0 || rule.spec.schedule.is_none() || stopped {
            continue;
        }
        let moments = ticks::reached(&mut tx, name, now.plus(-MEMORY_DAYS * DAY_MS)..=now).await?;
        let mut days: Vec<_> = moments.into_iter().map(|at| zone.date(at)).collect();
        days.dedup();
        found.extend(silence::silent(&days, zone.date(now), factor.into()).map(|silence| SilentRule { rule: name.clone(), silence }));
    }
    Ok(found)
}
