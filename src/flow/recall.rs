//! What the gates need to know about candidates: from the log, or from the log and a rehearsal that stands in for a part of it.

use std::collections::HashMap;

use super::decide::Candidate;
use super::{Ctx, FlowError};
use crate::base::id::Id;
use crate::base::time::{DAY_MS, UnixMs};
use crate::model::action::Channel;
use crate::model::consent::{Consent, LegalBasis};
use crate::model::decision::Verdict;
use crate::model::rule::RuleSpec;
use crate::policy::gates::Standing;
use crate::store::decisions::Entry;
use crate::store::standings::{self, Until};

/// What happened before.
#[derive(Debug)]
pub enum Past<'a> {
    /// What the log says.
    Logged,
    /// What the log says, but for what it says about this rule since the rehearsal began.
    Rehearsed(&'a Rehearsal),
}

/// What a rule decided in a rehearsal that goes from moment to moment.
#[derive(Debug)]
pub struct Rehearsal {
    from: UnixMs,
    taken: HashMap<Id, Vec<(String, UnixMs)>>,
    emails: HashMap<Id, Vec<UnixMs>>,
}

impl Rehearsal {
    /// Nothing was decided yet.
    #[must_use]
    pub fn since(from: UnixMs) -> Self {
        Self { from, taken: HashMap::new(), emails: HashMap::new() }
    }

    /// Notes what was decided for a moment.
    pub fn note(&mut self, spec: &RuleSpec, tick_at: UnixMs, entry: &Entry) {
        let decision = &entry.decision;
        if matches!(decision.verdict, Verdict::Refused(_)) {
            return;
        }
        self.taken.entry(decision.customer_id).or_default().push((decision.occasion.clone(), decision.effective_at));
        let advertises = spec.basis != LegalBasis::Contract;
        if matches!(&decision.verdict, Verdict::Send { action, .. } if advertises && action.channel() == Channel::Email) {
            self.emails.entry(decision.customer_id).or_default().push(tick_at);
        }
    }
}

/// The standing of each candidate, in a handful of statements for all of them.
pub(super) async fn standings(
    ctx: &Ctx,
    spec: &RuleSpec,
    candidates: &[Candidate],
    now: UnixMs,
    past: &Past<'_>,
) -> Result<HashMap<Id, Standing>, FlowError> {
    let ids: Vec<Id> = candidates.iter().map(|candidate| candidate.facts.customer.id).collect();
    let mut known: HashMap<Id, Standing> = HashMap::with_capacity(ids.len());
    for candidate in candidates {
        let last_order_at = candidate.facts.score.map(|score| score.last_order_at);
        known.insert(candidate.facts.customer.id, Standing { last_order_at, ..Standing::default() });
    }
    let until = Until {
        rule: &spec.name,
        before: match past {
            Past::Logged => UnixMs(i64::MAX),
            Past::Rehearsed(rehearsal) => rehearsal.from,
        },
    };
    let mut tx = ctx.db.read().await?;
    for id in standings::suppressed(&mut tx, &ids).await? {
        known.entry(id).or_default().suppressed = true;
    }
    for (id, kind, at) in standings::consents(&mut tx, &ids, now).await? {
        known.entry(id).or_default().consents.push(Consent { kind, at, source: String::new() });
    }
    for (id, occasion, at) in standings::taken(&mut tx, &ids, until).await? {
        known.entry(id).or_default().taken.push((occasion, at));
    }
    let since = now.plus(-i64::from(ctx.config.policy.cap_days) * DAY_MS);
    for (id, count) in standings::recent_emails(&mut tx, &ids, since, now, until).await? {
        known.entry(id).or_default().recent_emails = count;
    }
    if let Past::Rehearsed(rehearsal) = past {
        for (id, standing) in &mut known {
            standing.taken.extend(rehearsal.taken.get(id).into_iter().flatten().cloned());
            let recent = rehearsal.emails.get(id).into_iter().flatten().filter(|at| **at > since && **at <= now).count();
            standing.recent_emails += i64::try_from(recent).unwrap_or(i64::MAX);
        }
    }
    Ok(known)
}
