//! Examples beside rules: the daemon's condition, gates and actions about a customer who is stated.

use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime};
use serde::Serialize;

use crate::base::time::{DAY_MS, UnixMs, Zone};
use crate::flow::campaign::Campaign;
use crate::flow::decide::{self, Arms, Candidate};
use crate::flow::recall::{Past, Rehearsal, Stated};
use crate::flow::scan::candidate;
use crate::flow::why::{self, Why};
use crate::flow::{Ctx, FlowError};
use crate::model::action::Channel;
use crate::model::example::Example;
use crate::model::facts::{Facts, History, Moment, Needs, PastEmail};
use crate::model::rule::RuleSpec;
use crate::policy::occasion;
use crate::rules::Evaluation;

/// An example that was tried.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    /// The rule.
    pub rule: String,
    /// The example.
    pub name: String,
    /// Where it stands.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
    /// The word that it expects.
    pub expected: &'static str,
    /// The word that came of it; of several variants that differ each with its word.
    pub got: String,
    /// Whether that is what was expected.
    pub passed: bool,
    /// What the rule's failure says.
    pub failure: Option<String>,
    /// Clause by clause, gate by gate.
    pub why: Why,
}

/// The moment that an example counts from: noon, of a Thursday unless it says which day. No quiet hours, no change of the clocks near.
fn moment(zone: Zone, today: Option<NaiveDate>) -> Moment {
    let noon = NaiveTime::from_hms_opt(12, 0, 0).unwrap_or_default();
    let day = today.or_else(|| NaiveDate::from_ymd_opt(2026, 1, 15)).unwrap_or_default();
    Moment { now: zone.resolve(day.and_time(noon)).first(), zone }
}

/// Tries every example of every rule, in the rules' order. The database of `ctx` is neither read nor written.
pub async fn examples(ctx: &Ctx, campaign: &Arc<Campaign>) -> Result<Vec<Tried>, FlowError> {
    let mut tried = Vec::new();
    for rule in campaign.rules.rules() {
        let mails = rule.mentions.iter().any(|mention| mention.channel == Channel::Email);
        for example in &rule.examples {
            let moment = moment(ctx.config.shop.zone(), example.standing.today);
            let ctx = ctx.at(moment.now);
            tried.push(one(&ctx, campaign, &rule.spec, example, moment, mails).await?);
        }
    }
    Ok(tried)
}

async fn one(ctx: &Ctx, campaign: &Arc<Campaign>, spec: &RuleSpec, example: &Example, moment: Moment, mails: bool) -> Result<Tried, FlowError> {
    let stated = stated(spec, example, moment, mails);
    let facts = Facts { history: Some(Arc::new(history(spec, &stated))), read: Needs::ALL, ..example.facts.clone() };
    let rehearsal = Rehearsal::of(facts.customer.id, stated);
    let why = why::given(ctx, campaign, spec, &facts, moment, &rehearsal).await?;
    let (short, full) = evaluations(campaign, spec, &facts, moment).await?;
    // Three ways to the same answer: clauses, interpreter, and the reasons that `why` tells.
    let agreed = short == full && why.matched == matches!(short, Evaluation::Match { .. });
    let candidate = candidate(|| facts, short);
    let (got, failure) = if agreed {
        verdicts(ctx, campaign, spec, candidate, moment, &Past::Rehearsed(&rehearsal)).await?
    } else {
        ("two answers".to_owned(), Some("the condition's clauses and the interpreter disagree: this is a fault of Stammgast's".to_owned()))
    };
    Ok(Tried {
        rule: spec.name.clone(),
        name: example.name.clone(),
        file: example.file.clone(),
        line: example.line,
        column: example.column,
        expected: example.expected.code(),
        passed: agreed && got == example.expected.code(),
        got,
        failure,
        why,
    })
}

/// What the condition says by its clauses, and by the interpreter alone.
async fn evaluations(campaign: &Arc<Campaign>, spec: &RuleSpec, facts: &Facts, moment: Moment) -> Result<(Evaluation, Evaluation), FlowError> {
    let (campaign, name, facts) = (Arc::clone(campaign), spec.name.clone(), facts.clone());
    let asked = tokio::task::spawn_blocking(move || {
        let facts = std::slice::from_ref(&facts);
        let rule = campaign.rules.rule(&name)?;
        rule.evaluate(facts, moment).pop().zip(rule.interpret(facts, moment).pop())
    });
    let found = asked.await.map_err(|error| FlowError::Worker(error.to_string()))?;
    found.ok_or_else(|| FlowError::Worker(format!("rule '{}' gave no answer", spec.name)))
}

/// The verdict of every variant in one word when they agree, and what a failure says.
async fn verdicts(
    ctx: &Ctx,
    campaign: &Arc<Campaign>,
    spec: &RuleSpec,
    candidate: Option<Candidate>,
    moment: Moment,
    past: &Past<'_>,
) -> Result<(String, Option<String>), FlowError> {
    let Some(candidate) = candidate else { return Ok(("no".to_owned(), None)) };
    let entries = decide::decide(ctx, campaign, &spec.name, moment, vec![candidate], past, &Arms::Each).await?;
    let words: Vec<&str> = entries.iter().map(|entry| entry.decision.verdict.refusal().map_or("send", |reason| reason.code())).collect();
    let failed = entries.iter().find(|entry| entry.decision.verdict.refusal().is_some() && !entry.decision.detail.is_empty());
    let failure = failed.map(|entry| entry.decision.detail.clone());
    let got = match words.as_slice() {
        [first, rest @ ..] if rest.iter().all(|word| word == first) => (*first).to_owned(),
        // A gate stops all variants alike; from the action on there is one decision for each.
        _ => spec.variants.iter().zip(&words).map(|(variant, word)| format!("{}: {word}", variant.name)).collect::<Vec<_>>().join(", "),
    };
    Ok((got, failure))
}

/// What facts about the past are read from unless they are stated: nothing was ordered, and the emails are those that the gates know of.
fn history(spec: &RuleSpec, stated: &Stated) -> History {
    let own = stated.taken.first().map(|(_, at)| *at);
    // Those of other rules have no name; only this rule's is known.
    let rule = |at: UnixMs| if own == Some(at) { spec.name.clone() } else { String::new() };
    let mut emails: Vec<PastEmail> = stated.emails.iter().map(|at| PastEmail { at: *at, rule: rule(*at) }).collect();
    emails.sort_by_key(|email| email.at);
    History { emails, ..History::default() }
}

/// The past that an example states.
fn stated(spec: &RuleSpec, example: &Example, moment: Moment, mails: bool) -> Stated {
    let standing = example.standing;
    let ago = |days: i64| moment.now.plus(days.saturating_mul(-DAY_MS));
    let last_order_at = standing.last_order_days.map(ago);
    let written_at = standing.written_days_ago.map(ago);
    let taken = written_at.map(|at| {
        // Of an order that came after the message, the message was not about.
        let last_order_at = last_order_at.map(|order_at| if order_at <= at { order_at } else { UnixMs(at.0 - 1) });
        (occasion::key(spec.occasion, moment.zone.date(at), 0, last_order_at), at)
    });
    let recent = usize::try_from(standing.recent_emails).unwrap_or(0);
    Stated {
        suppressed_at: standing.suppressed.then_some(moment.now),
        consents: standing.consent.map(|kind| (kind, ago(1))).into_iter().collect(),
        last_order_at,
        taken: taken.into_iter().collect(),
        emails: written_at.filter(|_| mails).into_iter().chain(std::iter::repeat_n(moment.now.plus(-1), recent)).collect(),
    }
}
