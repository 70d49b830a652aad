//! What the gates need to know about candidates: from the log, or from a rehearsal that began with the log.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use super::campaign::Campaign;
use super::decide::Candidate;
use super::trigger::turn;
use super::{Ctx, FlowError};
use crate::base::id::Id;
use crate::base::time::{DAY_MS, UnixMs};
use crate::model::action::Channel;
use crate::model::consent::{Consent, LegalBasis};
use crate::model::decision::Verdict;
use crate::model::facts::Facts;
use crate::model::rule::RuleSpec;
use crate::policy::gates::Standing;
use crate::store::decisions::Entry;
use crate::store::standings::{self, Until};

/// Customers whose past is read at once.
const CHUNK: usize = 10_000;

/// What happened before.
#[derive(Debug)]
pub enum Past<'a> {
    /// What the log says.
    Logged,
    /// What a rehearsal says.
    Rehearsed(&'a Rehearsal),
}

/// What a rule decided in a rehearsal that goes from moment to moment, after what the log says about the time before it.
#[derive(Debug)]
pub struct Rehearsal(Known);

/// A customer's past as somebody states it.
#[derive(Clone, Debug, Default)]
pub struct Stated {
    /// Since when the address is on the suppression list.
    pub suppressed_at: Option<UnixMs>,
    /// What the customer said.
    pub consents: Vec<Consent>,
    /// The latest order that counts.
    pub last_order_at: Option<UnixMs>,
    /// Occasions that the rule has taken, each with the moment it took effect.
    pub taken: Vec<(String, UnixMs)>,
    /// When emails of any rule were decided.
    pub emails: Vec<UnixMs>,
}

/// The past of some customers; one look finds all of it, because a replay looks for everybody every day.
#[derive(Debug, Default)]
struct Known(HashMap<Id, Person>);

/// A customer's past.
#[derive(Debug, Default)]
struct Person {
    suppressed_at: Option<UnixMs>,
    consents: Vec<Consent>,
    /// Of those whose scores do not tell.
    last_order_at: Option<UnixMs>,
    taken: Vec<(String, UnixMs)>,
    emails: Vec<Email>,
}

/// An email by the moment that it was decided for.
#[derive(Clone, Copy, Debug)]
struct Email {
    at: UnixMs,
    /// Of a rule whose turn at the same moment comes after the one that asks.
    follows: bool,
}

impl Rehearsal {
    /// Begins a rehearsal of a rule for the time from `from` up to `until`: of this rule the log counts up to `from`, of others throughout.
    pub async fn begin(ctx: &Ctx, campaign: &Campaign, spec: &RuleSpec, ids: &[Id], (from, until): (UnixMs, UnixMs)) -> Result<Self, FlowError> {
        let mut known = Known::default();
        // What a rule decided at the same moment, but after this one, was not there yet.
        let follows = |other: &str| campaign.rules.rule(other).is_some_and(|other| turn(&other.spec) > turn(spec));
        for ids in ids.chunks(CHUNK) {
            known.read(ctx, ids, cap_begins(ctx, from)..=until, Until { rule: &spec.name, before: from }, follows).await?;
        }
        Ok(Self(known))
    }

    /// A rehearsal about one customer whose past is stated.
    #[must_use]
    pub fn of(customer: Id, stated: Stated) -> Self {
        let emails = stated.emails.into_iter().map(|at| Email { at, follows: false }).collect();
        let Stated { suppressed_at, consents, last_order_at, taken, .. } = stated;
        Self(Known([(customer, Person { suppressed_at, consents, last_order_at, taken, emails })].into()))
    }

    /// How a customer stands at a moment.
    pub(super) fn standing(&self, ctx: &Ctx, facts: &Facts, now: UnixMs) -> Standing {
        self.0.standing(facts, cap_begins(ctx, now), now, now)
    }

    /// Notes what was decided for a moment.
    pub fn note(&mut self, spec: &RuleSpec, tick_at: UnixMs, entry: &Entry) {
        let decision = &entry.decision;
        if decision.verdict.refusal().is_some() {
            return;
        }
        let person = self.0.person(decision.customer_id);
        person.taken.push((decision.occasion.clone(), decision.effective_at));
        let advertises = spec.basis != LegalBasis::Contract;
        if matches!(&decision.verdict, Verdict::Send { action, .. } if advertises && action.channel() == Channel::Email) {
            person.emails.push(Email { at: tick_at, follows: false });
        }
    }
}

/// The standing of each candidate, in their order; from the log in a handful of statements for all of them.
pub(super) async fn standings(
    ctx: &Ctx,
    spec: &RuleSpec,
    candidates: &[Candidate],
    now: UnixMs,
    past: &Past<'_>,
) -> Result<Vec<Standing>, FlowError> {
    match past {
        Past::Rehearsed(rehearsal) => Ok(candidates.iter().map(|candidate| rehearsal.standing(ctx, &candidate.facts, now)).collect()),
        Past::Logged => {
            let since = cap_begins(ctx, now);
            let ids: Vec<Id> = candidates.iter().map(|candidate| candidate.facts.customer.id).collect();
            let mut known = Known::default();
            known.read(ctx, &ids, since..=now, Until { rule: &spec.name, before: UnixMs(i64::MAX) }, |_| false).await?;
            // A pass that looks back would still write to a dead address of today.
            let dead_by = UnixMs(i64::MAX);
            Ok(candidates.iter().map(|candidate| known.standing(&candidate.facts, since, now, dead_by)).collect())
        }
    }
}

/// Emails after this moment count for the frequency cap at `now`.
fn cap_begins(ctx: &Ctx, now: UnixMs) -> UnixMs {
    now.plus(-i64::from(ctx.config.policy.cap_days) * DAY_MS)
}

impl Known {
    async fn read(
        &mut self,
        ctx: &Ctx,
        ids: &[Id],
        emails: RangeInclusive<UnixMs>,
        own: Until<'_>,
        follows: impl Fn(&str) -> bool,
    ) -> Result<(), FlowError> {
        let mut tx = ctx.db.read().await?;
        for (id, at) in standings::suppressed(&mut tx, ids).await? {
            self.person(id).suppressed_at = Some(at);
        }
        for (id, kind, at) in standings::consents(&mut tx, ids, *emails.end()).await? {
            self.person(id).consents.push(Consent { kind, at, source: String::new() });
        }
        for (id, occasion, at) in standings::taken(&mut tx, ids, own).await? {
            self.person(id).taken.push((occasion, at));
        }
        for (id, rule, at) in standings::emails(&mut tx, ids, emails, own).await? {
            self.person(id).emails.push(Email { at, follows: follows(&rule) });
        }
        Ok(())
    }

    fn person(&mut self, id: Id) -> &mut Person {
        self.0.entry(id).or_default()
    }

    fn standing(&self, facts: &Facts, since: UnixMs, now: UnixMs, dead_by: UnixMs) -> Standing {
        let last_order_at = facts.score.map(|score| score.last_order_at);
        let Some(person) = self.0.get(&facts.customer.id) else { return Standing { last_order_at, ..Standing::default() } };
        let counts = |email: &&Email| email.at > since && (email.at < now || email.at == now && !email.follows);
        Standing {
            suppressed: person.suppressed_at.is_some_and(|at| at <= dead_by),
            consents: person.consents.iter().filter(|consent| consent.at <= now).cloned().collect(),
            last_order_at: last_order_at.or(person.last_order_at),
            taken: person.taken.clone(),
            recent_emails: i64::try_from(person.emails.iter().filter(counts).count()).unwrap_or(i64::MAX),
        }
    }
}
