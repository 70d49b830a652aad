//! Runs of several rules for the same moment: they share one walk through the customers where that is less work than a walk each.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::campaign::Campaign;
use super::evaluate::{self, Lease, TickReport};
use super::scan::Walk;
use super::trigger::Due;
use super::{Ctx, FlowError};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::fact::Source;
use crate::model::facts::Moment;
use crate::rules::Rule;
use crate::store::filter::Filter;

/// A walk through everybody takes about as long as so many statements that the database narrows down.
const WALK: usize = 8;
/// Most customers that are kept for one of several rules; who finds more looks for itself.
const MOST_KEPT: usize = 100_000;

/// Runs that are due, one after the other.
#[derive(Debug)]
pub struct Round {
    due: VecDeque<Due>,
    shared: Shared,
}

impl Round {
    /// In this order.
    #[must_use]
    pub fn of(due: Vec<Due>) -> Self {
        let shared = Shared { due: due.iter().filter(|run| !run.goes_on).cloned().collect(), ..Shared::default() };
        Self { due: due.into(), shared }
    }

    /// Makes the next run; `None` after the last. See [`evaluate::tick`].
    ///
    /// # Errors
    /// When the database fails or the lease is lost.
    pub async fn next(&mut self, ctx: &Ctx, campaign: &Arc<Campaign>, lease: &Lease) -> Result<Option<TickReport>, FlowError> {
        let Some(Due { rule, tick_at, .. }) = self.due.pop_front() else { return Ok(None) };
        evaluate::run(ctx, campaign, (&rule, tick_at), lease, &mut self.shared).await.map(Some)
    }
}

/// What one walk found for several rules.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Runs that begin.
    due: Vec<Due>,
    walked_for: Option<UnixMs>,
    found: HashMap<String, Vec<Id>>,
}

impl Shared {
    /// Whom the condition of `rule`, whose run begins, is true for, or fails for; `None` when it has to look for itself.
    pub(super) async fn take(
        &mut self,
        ctx: &Ctx,
        campaign: &Arc<Campaign>,
        rule: &Rule,
        moment: Moment,
        lease: &Lease,
    ) -> Result<Option<Vec<Id>>, FlowError> {
        if self.walked_for.replace(moment.now) != Some(moment.now) {
            self.found = self.walk(ctx, campaign, moment, lease).await?;
        }
        Ok(self.found.remove(&rule.spec.name))
    }

    async fn walk(&self, ctx: &Ctx, campaign: &Arc<Campaign>, moment: Moment, lease: &Lease) -> Result<HashMap<String, Vec<Id>>, FlowError> {
        let begins = self.due.iter().filter(|run| run.tick_at == moment.now).filter_map(|run| campaign.rules.rule(&run.rule));
        // What a rule writes may be what the next one asks for.
        let rules: Vec<&Rule> = begins.filter(|rule| !rule.condition_needs.from(Source::Emails)).collect();
        let alone = |rule: &&Rule| if rule.predicate().and_then(|predicate| Filter::of(predicate, &moment)).is_some() { 1 } else { WALK };
        if rules.iter().map(alone).sum::<usize>() <= WALK + 1 {
            return Ok(HashMap::new());
        }
        let mut found: Vec<(&Rule, Vec<Id>)> = rules.iter().map(|rule| (*rule, Vec::new())).collect();
        let mut walk = Walk::new(ctx, campaign, rules, moment);
        while let Some(meant) = walk.step().await? {
            lease.renew_in_time(ctx).await?;
            for ((_, ids), more) in found.iter_mut().zip(meant) {
                ids.extend(more.into_iter().take(MOST_KEPT + 1 - ids.len()));
            }
        }
        let kept = found.into_iter().filter(|(_, ids)| ids.len() <= MOST_KEPT);
        Ok(kept.map(|(rule, ids)| (rule.spec.name.clone(), ids)).collect())
    }
}
