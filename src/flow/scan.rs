//! Looks for the customers whom a rule's condition is true for, or fails for. The database narrows them down as far as it can tell; of those who are left only
//! what the condition asks for is read; and only who may be meant is loaded, and asked once more.

use std::collections::HashMap;
use std::sync::Arc;

use super::campaign::Campaign;
use super::decide::Candidate;
use super::{Ctx, FlowError};
use crate::base::id::Id;
use crate::model::facts::{Facts, Moment, Needs};
use crate::model::score::Score;
use crate::rules::{Evaluation, Rule};
use crate::store::facts;
use crate::store::filter::Filter;

/// Customers per page.
const PAGE: u32 = 1_000;
/// Pages that are looked through at once: whoever waits for candidates has to show in between that he is alive.
const MOST_PAGES: usize = 64;

/// A walk through all customers, by id.
pub(super) struct Scan<'a> {
    ctx: &'a Ctx,
    campaign: &'a Arc<Campaign>,
    rule: &'a Rule,
    moment: Moment,
    /// Scores that count in place of the stored ones.
    scores: Option<&'a HashMap<Id, Score>>,
    filter: Option<Filter>,
    /// Up to here all were asked.
    cursor: Id,
    /// The page that comes, read while the one before it was asked.
    ahead: Option<Vec<Facts>>,
}

/// A part of them.
pub(super) struct Found {
    /// Whom the condition is true for, or fails for.
    pub candidates: Vec<Candidate>,
    /// All up to here were asked.
    pub last: Id,
}

impl<'a> Scan<'a> {
    /// Begins after a customer.
    pub(super) fn new(
        ctx: &'a Ctx,
        campaign: &'a Arc<Campaign>,
        rule: &'a Rule,
        moment: Moment,
        scores: Option<&'a HashMap<Id, Score>>,
        after: Id,
    ) -> Self {
        // The database knows only the stored scores.
        let filter = rule.predicate().filter(|_| scores.is_none()).and_then(|predicate| Filter::of(predicate, &moment));
        Self { ctx, campaign, rule, moment, scores, filter, cursor: after, ahead: None }
    }

    /// Goes on after another customer than the one that it came to.
    pub(super) fn back_to(&mut self, after: Id) {
        (self.cursor, self.ahead) = (after, None);
    }

    /// The next candidates, about a page of them, perhaps none; `None` after the last customer.
    pub(super) async fn next(&mut self) -> Result<Option<Found>, FlowError> {
        let (mut ids, begin) = (Vec::new(), self.cursor);
        for _ in 0..MOST_PAGES {
            let page = match self.ahead.take() {
                Some(page) => page,
                None => self.page(self.cursor).await?,
            };
            let Some(last) = page.last().map(|facts| facts.customer.id) else { break };
            let (asked, ahead) = tokio::join!(ask(self.campaign, self.rule, Rule::answer, page, self.moment), self.page(last));
            ids.extend(asked?.into_iter().map(|(facts, _)| facts.customer.id));
            (self.cursor, self.ahead) = (last, Some(ahead?));
            if ids.len() >= PAGE as usize {
                break;
            }
        }
        if self.cursor == begin {
            return Ok(None);
        }
        let people = facts::of(&mut self.ctx.db.read().await?, &ids, self.rule.needs.and(Needs::RECORD)).await?;
        let asked = ask(self.campaign, self.rule, Rule::evaluate, self.with_scores(people), self.moment).await?;
        let candidates = asked.into_iter().filter_map(|(facts, evaluation)| candidate(|| facts, evaluation)).collect();
        Ok(Some(Found { candidates, last: self.cursor }))
    }

    async fn page(&self, after: Id) -> Result<Vec<Facts>, FlowError> {
        let mut tx = self.ctx.db.read().await?;
        let page = facts::page(&mut tx, after, PAGE, self.rule.condition_needs, self.filter.as_ref()).await?;
        Ok(self.with_scores(page))
    }

    fn with_scores(&self, mut people: Vec<Facts>) -> Vec<Facts> {
        if let Some(scores) = self.scores {
            for facts in &mut people {
                facts.score = scores.get(&facts.customer.id).copied();
            }
        }
        people
    }
}

/// With or without telling what the condition read.
type Asking = fn(&Rule, &[Facts], Moment) -> Vec<Evaluation>;

/// Those whom the condition is not false for.
async fn ask(campaign: &Arc<Campaign>, rule: &Rule, how: Asking, people: Vec<Facts>, moment: Moment) -> Result<Vec<(Facts, Evaluation)>, FlowError> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let (campaign, name) = (Arc::clone(campaign), rule.spec.name.clone());
    let asked = tokio::task::spawn_blocking(move || {
        let evaluations = campaign.rules.rule(&name).map(|rule| how(rule, &people, moment)).unwrap_or_default();
        people.into_iter().zip(evaluations).filter(|(_, evaluation)| *evaluation != Evaluation::NoMatch).collect()
    });
    asked.await.map_err(|error| FlowError::Worker(error.to_string()))
}

/// Whoever the condition is true for, or failed for.
pub(super) fn candidate(facts: impl FnOnce() -> Facts, evaluation: Evaluation) -> Option<Candidate> {
    match evaluation {
        Evaluation::NoMatch => None,
        Evaluation::Match { inputs } => Some(Candidate { facts: facts(), inputs, failure: None }),
        Evaluation::Failed(sentence) => Some(Candidate { facts: facts(), inputs: serde_json::Map::new(), failure: Some(sentence) }),
    }
}

/// Everybody, with what these facts are read from, by id.
pub(super) async fn everybody(ctx: &Ctx, needs: Needs) -> Result<Vec<Facts>, FlowError> {
    let (mut people, mut cursor) = (Vec::new(), Id(0));
    loop {
        let page = facts::page(&mut ctx.db.read().await?, cursor, PAGE, needs, None).await?;
        let Some(last) = page.last() else { return Ok(people) };
        cursor = last.customer.id;
        people.extend(page);
    }
}

/// How many customers there are.
pub(super) async fn count(ctx: &Ctx) -> Result<usize, FlowError> {
    let mut tx = ctx.db.read().await?;
    Ok(usize::try_from(facts::count(&mut tx).await?).unwrap_or(usize::MAX))
}
