//! Why somebody gets a message of a rule, or does not: every clause, every gate, the arm, and what the log says. Writes nothing.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::analyse::winner;
use super::campaign::Campaign;
use super::decide::{self, Arms, Candidate, Gates};
use super::recall::{Past, Rehearsal};
use super::trigger::turn;
use super::{Ctx, FlowError, own, rescore};
use crate::base::time::UnixMs;
use crate::model::decision::{LATE_MS, Refusal};
use crate::model::facts::{Facts, Moment, Needs};
use crate::model::hold::Hold;
use crate::model::pause::Pause;
use crate::model::rule::RuleSpec;
use crate::model::switch::Switch;
use crate::rules::{Reason, Reasons};
use crate::store::decisions::{self, Entry, Logged};
use crate::store::{customers, facts, holds, pauses};

/// Lines of the log that are shown.
const LOG_LINES: i64 = 20;

/// Everything about one customer and one rule at a moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Why {
    /// The shop's key.
    pub customer: String,
    /// The rule.
    pub rule: String,
    /// The moment.
    pub as_of: UnixMs,
    /// The pause that the rule is in at present: then nobody gets anything.
    pub paused: Option<Pause>,
    /// Whether the condition is true.
    pub matched: bool,
    /// Why the condition, or the action, fails.
    pub failure: Option<String>,
    /// The condition's clauses.
    pub clauses: Vec<Clause>,
    /// The gates in their order, also those after the first that stops.
    pub gates: Vec<Gate>,
    /// `send`, `control`, `holdout`, `refused`, or `no_match`.
    pub verdict: &'static str,
    /// Why refused: the first gate that stops.
    pub reason: Option<&'static str>,
    /// The variant of a message.
    pub variant: Option<String>,
    /// The variant that has won, and since when: everybody who is not held out gets it.
    pub switch: Option<Switch>,
    /// When the message would leave, if it has to wait for the end of quiet hours.
    pub waits_until: Option<UnixMs>,
    /// A run of the rule that is held: whoever it has not come to waits.
    pub held: Option<Hold>,
    /// The latest decisions of this rule about this customer, and what became of their messages.
    pub log: Vec<Line>,
}

/// A clause of the condition.
#[derive(Clone, Debug, Serialize)]
pub struct Clause {
    /// The words of the rule's text.
    pub text: String,
    /// What it saw: a field's value, or an object where it reads several.
    pub value: Value,
    /// Its answer; `null` when it fails.
    pub result: Option<bool>,
    /// The answer of the whole was clear before.
    pub skipped: bool,
}

/// A gate.
#[derive(Clone, Debug, Serialize)]
pub struct Gate {
    /// The reason that it would give.
    pub gate: &'static str,
    /// Whether it lets the proposal pass.
    pub passed: bool,
    /// A sentence when it does not.
    pub reason: Option<&'static str>,
}

/// A decision of the log.
#[derive(Clone, Debug, Serialize)]
pub struct Line {
    /// The moment that it was made for.
    pub at: UnixMs,
    /// When it was made, if that was long after: the run was missed, held, or cut by a limit.
    pub made_at: Option<UnixMs>,
    /// `send`, `control`, `holdout`, or the reason of a refusal.
    pub verdict: String,
    /// The variant of a message.
    pub variant: Option<String>,
    /// How often it came again.
    pub times: i64,
    /// What became of the message.
    pub state: Option<String>,
    /// What its receiver said, or more about the decision.
    pub detail: String,
}

/// What is known about the customer with the shop's key `external_id` at the present moment of `ctx`; `None` when there is none. Classes that are not stored are made
/// up if `asked` has them.
pub async fn customer(ctx: &Ctx, external_id: &str, asked: Needs) -> Result<Option<Facts>, FlowError> {
    let mut tx = ctx.db.read().await?;
    let Some(customer) = customers::by_external_id(&mut tx, external_id).await? else { return Ok(None) };
    let mut facts = facts::of(&mut tx, &[customer.id], Needs::ALL).await?.pop();
    drop(tx);
    if let (Some(facts), Some(unstored)) = (&mut facts, rescore::unless_stored(ctx, ctx.clock.now(), asked).await?) {
        unstored.place(std::slice::from_mut(facts));
        if let Some(own) = ctx.own.get() {
            let moment = Moment { now: ctx.clock.now(), zone: ctx.config.shop.zone() };
            return Ok(own::fill(&own, vec![facts.clone()], moment).await?.0.pop());
        }
    }
    Ok(facts)
}

/// Why rule `name` would write to a customer at the present moment of `ctx`, or would not. Of this rule the log counts up to that moment.
pub async fn why(ctx: &Ctx, campaign: &Arc<Campaign>, name: &str, facts: &Facts) -> Result<Why, FlowError> {
    let moment = Moment { now: ctx.clock.now(), zone: ctx.config.shop.zone() };
    let Some(spec) = campaign.rules.rule(name).map(|rule| rule.spec.clone()) else { return Ok(Why::default()) };
    let rehearsal = Rehearsal::begin(ctx, &mut ctx.db.read().await?, campaign, &spec, &[facts.customer.id], (moment.now, moment.now)).await?;
    let facts = &before(campaign, &spec, facts, moment.now);
    let mut why = given(ctx, campaign, &spec, facts, moment, &rehearsal).await?;
    let mut tx = ctx.db.read().await?;
    why.paused = pauses::one(&mut tx, name).await?;
    why.held = holds::open_of(&mut tx, name).await?;
    why.log = decisions::of_customer(&mut tx, facts.customer.id, name, LOG_LINES).await?.into_iter().map(line).collect();
    Ok(why)
}

/// What was known when the rule's turn came: what it wrote at this moment itself, and those whose turn comes after it, was not there yet.
fn before(campaign: &Campaign, spec: &RuleSpec, facts: &Facts, now: UnixMs) -> Facts {
    let mut facts = facts.clone();
    let follows = |name: &str| name == spec.name || campaign.rules.rule(name).is_some_and(|other| turn(&other.spec) > turn(spec));
    if facts.history().emails.iter().any(|email| email.at == now && follows(&email.rule)) {
        let mut history = facts.history().clone();
        history.emails.retain(|email| email.at != now || !follows(&email.rule));
        facts.history = Some(Arc::new(history));
    }
    facts
}

/// As [`why`], with this past and without the log.
pub(super) async fn given(
    ctx: &Ctx,
    campaign: &Arc<Campaign>,
    spec: &RuleSpec,
    facts: &Facts,
    moment: Moment,
    rehearsal: &Rehearsal,
) -> Result<Why, FlowError> {
    let (name, past) = (spec.name.as_str(), Past::Rehearsed(rehearsal));
    let mut why = Why { customer: facts.customer.external_id.clone(), rule: name.to_owned(), as_of: moment.now, ..Why::default() };
    let reasons = reasons(campaign, name, facts, moment).await?;
    why.matched = reasons.answer == Ok(true);
    why.failure = reasons.answer.err();
    why.clauses = reasons.clauses.into_iter().map(clause).collect();
    let candidate = Candidate { facts: facts.clone(), inputs: serde_json::Map::new(), failure: why.failure.clone() };
    let standing = rehearsal.at(ctx, moment.now);
    why.gates = Gates::new(ctx, spec, moment).each(&standing.standing(facts)).map(|(gate, passed)| self::gate(gate, passed)).into();
    why.verdict = "no_match";
    why.switch = winner::foresee(ctx, spec, moment.now).await?;
    if (why.matched || why.failure.is_some())
        && let Some(entry) = decide::decide(ctx, campaign, name, moment, vec![candidate], &past, &Arms::after(why.switch.as_ref())).await?.pop()
    {
        why.judged(&entry, moment.now);
    }
    Ok(why)
}

async fn reasons(campaign: &Arc<Campaign>, name: &str, facts: &Facts, moment: Moment) -> Result<Reasons, FlowError> {
    let (campaign, name, facts) = (Arc::clone(campaign), name.to_owned(), facts.clone());
    let asked = tokio::task::spawn_blocking(move || campaign.rules.rule(&name).map(|rule| rule.reasons(&facts, moment)));
    let found = asked.await.map_err(|error| FlowError::Worker(error.to_string()))?;
    Ok(found.unwrap_or(Reasons { answer: Ok(false), clauses: Vec::new() }))
}

impl Why {
    fn judged(&mut self, entry: &Entry, now: UnixMs) {
        let decision = &entry.decision;
        (self.verdict, self.variant) = (decision.verdict.code(), decision.verdict.variant().map(str::to_owned));
        if let Some(reason) = decision.verdict.refusal() {
            self.reason = Some(reason.code());
            // The action's own gates, which come last.
            if !self.gates.iter().any(|gate| gate.gate == reason.code()) {
                self.gates.push(gate(reason, false));
            }
            if reason == Refusal::RuleFailed {
                self.failure = Some(decision.detail.clone());
            }
        }
        self.waits_until = (decision.effective_at > now).then_some(decision.effective_at);
    }
}

fn gate(reason: Refusal, passed: bool) -> Gate {
    Gate { gate: reason.code(), passed, reason: (!passed).then(|| reason.sentence()) }
}

fn clause(reason: Reason) -> Clause {
    let Reason { text, inputs, answer, skipped } = reason;
    let single = if inputs.len() == 1 { inputs.values().next().cloned() } else { None };
    Clause { text, value: single.unwrap_or(Value::Object(inputs)), result: answer, skipped }
}

fn line(logged: Logged) -> Line {
    let verdict = match (logged.slot.as_str(), &logged.variant) {
        ("arm", Some(_)) => "send",
        ("arm", None) if logged.holdout == Some(1) => "holdout",
        ("arm", None) => "control",
        (reason, _) => reason,
    };
    let (at, made_at) = (UnixMs(logged.last_at), UnixMs(logged.decided_at));
    Line {
        at,
        made_at: (logged.slot == "arm" && made_at.since(at) > LATE_MS).then_some(made_at),
        verdict: verdict.to_owned(),
        variant: logged.variant,
        times: logged.times,
        state: logged.state,
        detail: logged.reply.unwrap_or(logged.detail),
    }
}
