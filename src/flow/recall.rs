//! What the gates need to know about candidates: from the log, or from a rehearsal that began with the log.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::campaign::Campaign;
use super::decide::Candidate;
use super::trigger::turn;
use super::{Ctx, FlowError};
use crate::base::id::Id;
use crate::base::time::{DAY_MS, UnixMs};
use crate::model::consent::ConsentKind;
use crate::model::facts::Facts;
use crate::model::rule::RuleSpec;
use crate::policy::gates::{Said, Standing};
use crate::policy::occasion::{Key, Taken};
use crate::store::Tx;
use crate::store::standings::{self, Until};

/// Customers whose past is read at once.
const CHUNK: usize = 2_000;

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
    /// What the customer said, and when.
    pub consents: Vec<(ConsentKind, UnixMs)>,
    /// The latest order that counts.
    pub last_order_at: Option<UnixMs>,
    /// Occasions that the rule has taken, each with the moment it took effect.
    pub taken: Vec<(Key, UnixMs)>,
    /// When emails of any rule were decided.
    pub emails: Vec<UnixMs>,
}

/// The past of some customers, by id: a replay, which looks for everybody every day, finds them by their place.
#[derive(Clone, Debug, Default)]
struct Known {
    ids: Vec<Id>,
    people: Vec<Person>,
}

/// A customer's past.
#[derive(Clone, Debug, Default)]
struct Person {
    suppressed_at: Option<UnixMs>,
    consents: Vec<(ConsentKind, UnixMs)>,
    /// Of those whose scores do not tell.
    last_order_at: Option<UnixMs>,
    taken: Taken,
    /// In the order of time.
    emails: Vec<Email>,
}

/// An email by the moment that it was decided for; those of one moment: first the rules whose turn comes before the one that asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Email {
    at: UnixMs,
    /// Of a rule whose turn at the same moment comes after the one that asks.
    follows: bool,
}

/// A past as it is known at a moment.
pub(super) struct Recalled<'a> {
    known: Cow<'a, Known>,
    /// Emails after this moment count for the frequency cap.
    since: UnixMs,
    now: UnixMs,
    /// An address that is dead since then counts as one.
    dead_by: UnixMs,
}

impl Rehearsal {
    /// Begins a rehearsal of a rule for the time from `from` up to `until`: of this rule the log counts up to `from`, of others throughout. The ids are rising.
    pub async fn begin(
        ctx: &Ctx,
        tx: &mut Tx,
        campaign: &Campaign,
        spec: &RuleSpec,
        ids: &[Id],
        (from, until): (UnixMs, UnixMs),
    ) -> Result<Self, FlowError> {
        let mut known = Known::of(ids.to_vec());
        // What a rule decided at the same moment, but after this one, was not there yet.
        let follows = |other: &str| campaign.rules.rule(other).is_some_and(|other| turn(&other.spec) > turn(spec));
        for ids in ids.chunks(CHUNK) {
            known.read(tx, ids, cap_begins(ctx, from)..=until, Until { rule: &spec.name, before: from }, follows).await?;
        }
        Ok(Self(known))
    }

    /// A rehearsal about one customer whose past is stated.
    #[must_use]
    pub fn of(customer: Id, stated: Stated) -> Self {
        let Stated { suppressed_at, consents, last_order_at, taken: stated, emails } = stated;
        let mut taken = Taken::default();
        for (key, at) in stated {
            taken.add(key, at);
        }
        let mut emails: Vec<Email> = emails.into_iter().map(|at| Email { at, follows: false }).collect();
        emails.sort_unstable();
        Self(Known { ids: vec![customer], people: vec![Person { suppressed_at, consents, last_order_at, taken, emails }] })
    }

    /// What is known at a moment.
    pub(super) fn at(&self, ctx: &Ctx, now: UnixMs) -> Recalled<'_> {
        Recalled { known: Cow::Borrowed(&self.0), since: cap_begins(ctx, now), now, dead_by: now }
    }

    /// Notes that the rule took an occasion of the customer at a place. Moments come in the order of time.
    pub(super) fn note(&mut self, place: usize, key: Key, effective_at: UnixMs) {
        if let Some(person) = self.0.people.get_mut(place) {
            person.taken.go_on(key, effective_at);
        }
    }

    /// Notes an email that counts for the frequency cap, from a run for `at`; `since`: as [`cap_begins`] says for it.
    pub(super) fn note_email(&mut self, place: usize, at: UnixMs, since: UnixMs) {
        let Some(person) = self.0.people.get_mut(place) else { return };
        // What counts no more will never count again.
        person.emails.drain(..person.emails.partition_point(|email| email.at <= since));
        let email = Email { at, follows: false };
        // Hardly anybody has more than one: room for four would be most of what is kept of a person.
        person.emails.reserve_exact(1);
        person.emails.insert(person.emails.partition_point(|other| *other < email), email);
    }
}

/// The past of candidates: what a rehearsal says, or the log, in a handful of statements for all of them.
pub(super) async fn recall<'a>(
    ctx: &Ctx,
    spec: &RuleSpec,
    candidates: &[Candidate],
    now: UnixMs,
    past: &Past<'a>,
) -> Result<Recalled<'a>, FlowError> {
    match past {
        Past::Rehearsed(rehearsal) => Ok(rehearsal.at(ctx, now)),
        Past::Logged => {
            let since = cap_begins(ctx, now);
            let mut ids: Vec<Id> = candidates.iter().map(|candidate| candidate.facts.customer.id).collect();
            ids.sort_unstable();
            let mut known = Known::of(ids.clone());
            known.read(&mut ctx.db.read().await?, &ids, since..=now, Until { rule: &spec.name, before: UnixMs(i64::MAX) }, |_| false).await?;
            // A pass that looks back would still write to a dead address of today.
            Ok(Recalled { known: Cow::Owned(known), since, now, dead_by: UnixMs(i64::MAX) })
        }
    }
}

/// Emails after this moment count for the frequency cap at `now`.
pub(super) fn cap_begins(ctx: &Ctx, now: UnixMs) -> UnixMs {
    now.plus(-i64::from(ctx.config.policy.cap_days) * DAY_MS)
}

impl Known {
    /// Nothing of these yet, who are rising.
    fn of(ids: Vec<Id>) -> Self {
        Self { people: vec![Person::default(); ids.len()], ids }
    }

    async fn read(
        &mut self,
        tx: &mut Tx,
        ids: &[Id],
        emails: RangeInclusive<UnixMs>,
        own: Until<'_>,
        follows: impl Fn(&str) -> bool,
    ) -> Result<(), FlowError> {
        for (id, at) in standings::suppressed(tx, ids).await? {
            self.person(id, |person| person.suppressed_at = Some(at));
        }
        for (id, kind, at) in standings::consents(tx, ids, *emails.end()).await? {
            self.person(id, |person| {
                // Most people say one thing.
                person.consents.reserve_exact(1);
                person.consents.push((kind, at));
            });
        }
        for (id, occasion, at) in standings::taken(tx, ids, own).await? {
            self.person(id, |person| person.taken.add(Key::read(&occasion), at));
        }
        for (id, rule, at) in standings::emails(tx, ids, emails, own).await? {
            self.person(id, |person| person.emails.push(Email { at, follows: follows(&rule) }));
        }
        for id in ids {
            self.person(*id, |person| person.emails.sort_unstable());
        }
        Ok(())
    }

    fn person(&mut self, id: Id, change: impl FnOnce(&mut Person)) {
        if let Some(person) = self.ids.binary_search(&id).ok().and_then(|place| self.people.get_mut(place)) {
            change(person);
        }
    }
}

impl Recalled<'_> {
    /// How a customer stands.
    pub(super) fn standing(&self, facts: &Facts) -> Standing<'_> {
        self.standing_at(self.known.ids.binary_search(&facts.customer.id).unwrap_or(usize::MAX), facts)
    }

    /// How the customer stands who has this place among those that a rehearsal began with.
    pub(super) fn standing_at(&self, place: usize, facts: &Facts) -> Standing<'_> {
        let last_order_at = facts.score.as_ref().map(|score| score.last_order_at);
        let Some(person) = self.known.people.get(place) else { return Standing { last_order_at, ..Standing::default() } };
        let said = person.consents.iter().filter(|(_, at)| *at <= self.now).fold(Said::default(), |said, &(kind, at)| said.and(kind, at));
        // Of the present moment count those of rules whose turn comes before.
        let until = Email { at: self.now, follows: true };
        let recent =
            person.emails.partition_point(|email| *email < until).saturating_sub(person.emails.partition_point(|email| email.at <= self.since));
        Standing {
            suppressed: person.suppressed_at.is_some_and(|at| at <= self.dead_by),
            said,
            last_order_at: last_order_at.or(person.last_order_at),
            taken: &person.taken,
            recent_emails: i64::try_from(recent).unwrap_or(i64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::customer::NewCustomer;
    use proptest::prelude::*;

    const CAP_DAYS: i64 = 7;

    proptest! {
        /// Emails of other rules from the log, some of them decided at the moment of a run but after it, and those that the rehearsal writes.
        #[test]
        fn a_rehearsal_that_forgets_old_emails_counts_those_that_matter(
            logged in prop::collection::vec((0i64..60, any::<bool>()), 0..30),
            runs in prop::collection::vec((0i64..6, any::<bool>()), 0..30),
        ) {
            let at = |day: i64| UnixMs(day * DAY_MS);
            let mut all: Vec<(UnixMs, bool)> = logged.iter().map(|&(day, follows)| (at(day), follows)).collect();
            let mut emails: Vec<Email> = all.iter().map(|&(at, follows)| Email { at, follows }).collect();
            emails.sort_unstable();
            let facts = Facts::new(NewCustomer::unknown("1").apply(Id(1), None), None);
            let mut rehearsal = Rehearsal(Known { ids: vec![Id(1)], people: vec![Person { emails, ..Person::default() }] });
            let mut day = 10;
            for (days, writes) in runs {
                day += days;
                let (now, since) = (at(day), at(day - CAP_DAYS));
                let recalled = Recalled { known: Cow::Borrowed(&rehearsal.0), since, now, dead_by: now };
                let counts = |&&(at, follows): &&(UnixMs, bool)| at > since && (at < now || at == now && !follows);
                prop_assert_eq!(recalled.standing(&facts).recent_emails, i64::try_from(all.iter().filter(counts).count()).unwrap());
                if writes {
                    rehearsal.note_email(0, now, since);
                    all.push((now, false));
                }
            }
        }
    }
}
