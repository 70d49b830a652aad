//! Looks for the customers whom a rule's condition is true for, or fails for. The database narrows them down as far as it can tell; of those who are left only
//! what the condition asks for is read; and only who may be meant is loaded, and asked once more.

use std::collections::VecDeque;
use std::sync::Arc;

use super::campaign::Campaign;
use super::decide::Candidate;
use super::rescore::Unstored;
use super::{Ctx, FlowError, own};
use crate::base::clock::Clock;
use crate::base::id::Id;
use crate::model::fact::{Fact, Source};
use crate::model::facts::{Facts, Moment, Needs};
use crate::rules::{Evaluation, Rule};
use crate::store::facts;
use crate::store::filter::Filter;

/// Candidates, or customers who take time, per page.
pub(super) const PAGE: u32 = 1_000;
/// Customers whom a script is asked about, per page: it may take long for each, but beginning a page takes as long as asking for a hundred people.
const SCRIPT_PAGE: u32 = 4_000;
/// Customers of whom only figures are read and clauses asked, per page: so many that PostgreSQL takes the way through the table that it would take for all.
const WIDE_PAGE: u32 = 10_000;
/// How long it looks for candidates at once, in milliseconds: whoever waits for them has to show in between that he is alive.
const LOOK_MS: i64 = 5_000;

/// Whether what is to be read may be long for a single customer.
pub(super) fn is_long(needs: Needs) -> bool {
    needs.any(Needs::HISTORY) || [Source::Customer("tags"), Source::Customer("attributes")].into_iter().any(|source| needs.from(source))
}

/// People of whom what a walk asks for is read.
#[derive(Default)]
struct Page {
    people: Vec<Facts>,
    /// It is full, so there may be more.
    full: bool,
}

/// A walk through the customers, by id, that asks the conditions of some rules what they ask for and nothing else.
pub struct Walk<'a> {
    ctx: &'a Ctx,
    campaign: &'a Arc<Campaign>,
    rules: Vec<&'a Rule>,
    moment: Moment,
    /// What counts in place of what is stored.
    unstored: Option<&'a Unstored>,
    /// What the database narrows them down by: one rule's condition, as far as it can tell.
    filter: Option<Filter>,
    /// Up to here all were asked.
    cursor: Id,
    /// The page that comes, read while the one before it was asked.
    ahead: Option<Page>,
}

impl<'a> Walk<'a> {
    /// Begins with the first customer.
    #[must_use]
    pub fn new(ctx: &'a Ctx, campaign: &'a Arc<Campaign>, rules: Vec<&'a Rule>, moment: Moment) -> Self {
        let only = if let [rule] = rules.as_slice() { rule.predicate() } else { None };
        let filter = only.and_then(|predicate| Filter::of(predicate, &moment));
        Self { ctx, campaign, rules, moment, unstored: None, filter, cursor: Id(0), ahead: None }
    }

    /// Asks the next page of people; for each rule those whom its condition is true for, or fails for. `None` after the last customer.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn step(&mut self) -> Result<Option<Vec<Vec<Id>>>, FlowError> {
        let page = match self.ahead.take() {
            Some(page) => page,
            None => self.page(self.cursor).await?,
        };
        let Page { people: page, full } = page;
        let Some(last) = page.last().map(|facts| facts.customer.id) else { return Ok(None) };
        let names: Vec<String> = self.rules.iter().map(|rule| rule.spec.name.clone()).collect();
        let (campaign, moment, page) = (Arc::clone(self.campaign), self.moment, Arc::new(page));
        let asked = tokio::task::spawn_blocking(move || {
            let meant = |name: &String| campaign.rules.rule(name).map(|rule| rule.meant(&page, moment)).unwrap_or_default();
            names.iter().map(meant).collect()
        });
        let ahead = async { if full { self.page(last).await } else { Ok(Page::default()) } };
        let (asked, ahead) = tokio::join!(asked, ahead);
        (self.cursor, self.ahead) = (last, Some(ahead?));
        asked.map(Some).map_err(|error| FlowError::Worker(error.to_string()))
    }

    async fn page(&self, after: Id) -> Result<Page, FlowError> {
        let named = self.rules.iter().fold(Needs::default(), |needs, rule| needs.and(rule.condition_needs));
        let needs = self.with_own(named);
        let size = match (is_long(needs), self.rules.iter().any(|rule| rule.needs_interpreter())) {
            (true, _) => PAGE,
            (false, true) => SCRIPT_PAGE,
            (false, false) => WIDE_PAGE,
        };
        let people = facts::page(&mut self.ctx.db.read().await?, after, size, needs, self.filter.as_ref()).await?;
        let full = people.len() == size as usize;
        Ok(Page { people: self.scored(people, named).await?, full })
    }

    /// What is read for these facts: own scores that are not stored are made from others.
    fn with_own(&self, named: Needs) -> Needs {
        if self.unstored.is_some() { self.campaign.with_own(named) } else { named }
    }

    async fn scored(&self, mut people: Vec<Facts>, named: Needs) -> Result<Vec<Facts>, FlowError> {
        let Some(unstored) = self.unstored else { return Ok(people) };
        unstored.place(&mut people);
        if named.has(Fact::Score) {
            people = own::fill(&self.campaign.scores, people, self.moment).await?.0;
        }
        Ok(people)
    }
}

/// Looks for the people of one rule, by id.
pub(super) struct Scan<'a> {
    walk: Walk<'a>,
    rule: &'a Rule,
    /// Only these may be meant.
    among: Option<Vec<Id>>,
    /// Who may be meant and was not loaded yet.
    found: VecDeque<Id>,
    /// Up to here all were loaded, or are not meant.
    cursor: Id,
}

/// A part of them.
pub(super) struct Found {
    /// Whom the condition is true for, or fails for.
    pub candidates: Vec<Candidate>,
    /// All up to here were asked.
    pub last: Id,
}

impl<'a> Scan<'a> {
    /// Begins with the first customer.
    pub(super) fn new(ctx: &'a Ctx, campaign: &'a Arc<Campaign>, rule: &'a Rule, moment: Moment) -> Self {
        Self { walk: Walk::new(ctx, campaign, vec![rule], moment), rule, among: None, found: VecDeque::new(), cursor: Id(0) }
    }

    /// With these scores and classes, which the database does not know.
    pub(super) fn with(mut self, unstored: Option<&'a Unstored>) -> Self {
        self.walk.unstored = unstored;
        self.walk.filter = self.walk.filter.filter(|_| unstored.is_none());
        self
    }

    /// Only these, by id, when it is known that nobody else is meant.
    pub(super) fn among(mut self, ids: Option<Vec<Id>>) -> Self {
        self.among = ids;
        self.go_to(self.cursor);
        self
    }

    /// Goes on after a customer.
    pub(super) fn go_to(&mut self, after: Id) {
        (self.cursor, self.walk.cursor, self.walk.ahead) = (after, after, None);
        self.found = self.among.iter().flatten().copied().filter(|id| *id > after).collect();
    }

    /// The next candidates, about a page of them, perhaps none; `None` after the last customer.
    pub(super) async fn next(&mut self) -> Result<Option<Found>, FlowError> {
        let page = PAGE as usize;
        let begin = Clock::System.now();
        while self.among.is_none() && self.found.len() < page && Clock::System.now().since(begin) < LOOK_MS {
            let Some(meant) = self.walk.step().await? else { break };
            self.found.extend(meant.into_iter().flatten());
        }
        let ids: Vec<Id> = self.found.drain(..self.found.len().min(page)).collect();
        let looked_through = self.found.is_empty() && self.among.is_none();
        let last = if looked_through { self.walk.cursor } else { ids.last().copied().unwrap_or(self.cursor) };
        if last == self.cursor {
            return Ok(None);
        }
        self.cursor = last;
        let candidates = if ids.is_empty() { Vec::new() } else { self.load(&ids).await? };
        Ok(Some(Found { candidates, last }))
    }

    /// Loads them in full and asks once more.
    async fn load(&self, ids: &[Id]) -> Result<Vec<Candidate>, FlowError> {
        let Walk { ctx, campaign, moment, .. } = self.walk;
        let needs = self.walk.with_own(self.rule.needs).and(Needs::RECORD);
        let people = facts::of(&mut ctx.db.read().await?, ids, needs).await?;
        let (people, campaign, name) = (self.walk.scored(people, self.rule.needs).await?, Arc::clone(campaign), self.rule.spec.name.clone());
        let asked = tokio::task::spawn_blocking(move || {
            let evaluations = campaign.rules.rule(&name).map(|rule| rule.evaluate(&people, moment)).unwrap_or_default();
            people.into_iter().zip(evaluations).filter_map(|(facts, evaluation)| candidate(|| facts, evaluation)).collect()
        });
        asked.await.map_err(|error| FlowError::Worker(error.to_string()))
    }
}

/// Whoever the condition is true for, or failed for.
pub(super) fn candidate(facts: impl FnOnce() -> Facts, evaluation: Evaluation) -> Option<Candidate> {
    match evaluation {
        Evaluation::NoMatch => None,
        Evaluation::Match { inputs } => Some(Candidate { facts: facts(), inputs, failure: None }),
        Evaluation::Failed(sentence) => Some(Candidate { facts: facts(), inputs: serde_json::Map::new(), failure: Some(sentence) }),
    }
}

/// How many customers there are.
pub(super) async fn count(ctx: &Ctx) -> Result<usize, FlowError> {
    let mut tx = ctx.db.read().await?;
    Ok(usize::try_from(facts::count(&mut tx).await?).unwrap_or(usize::MAX))
}
