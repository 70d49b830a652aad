//! Stage: proposals pass the gates, then are split into control and variants; the action of those who get a message is made.

use std::sync::Arc;

use chrono::NaiveDate;
use serde_json::{Map, Value, json};

use super::campaign::Campaign;
use super::recall::{self, Past};
use super::{Ctx, FlowError};
use crate::base::id::{self, Id};
use crate::base::time::{DAY_MS, UnixMs};
use crate::config::sections::Policy;
use crate::model::action::{Action, Channel};
use crate::model::decision::{Decision, LATE_MS, Refusal, Verdict};
use crate::model::facts::{Facts, Moment};
use crate::model::rule::{QuietHours, RuleSpec};
use crate::model::switch::Switch;
use crate::policy::gates::{self, Limits, Standing};
use crate::policy::occasion::{self, Key};
use crate::policy::{bucket, exposure, holdout, quiet};
use crate::rules::{ActJob, Acted, Rule};
use crate::store::decisions::Entry;

/// A customer that a rule wants to write to.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// What is known.
    pub facts: Facts,
    /// What the condition saw.
    pub inputs: Map<String, Value>,
    /// The condition failed, with this sentence.
    pub failure: Option<String>,
}

/// A candidate on the way through the gates.
struct Case {
    candidate: Candidate,
    occasion: String,
    arm: Arm,
    /// Whether held out from all rules, where somebody is.
    holdout: Option<bool>,
    switched: bool,
    /// The variant whose action is made: that of the rule's split, or for control the first one, so that a broken action or a missing address stops all alike.
    shown: String,
    code_seed: [u8; 32],
}

/// Where a candidate who passed the gates belongs, by the published hash.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Arm {
    /// To nobody's messages.
    Holdout,
    /// To those whom the rule holds out.
    Control,
    /// To this variant.
    Variant(String),
}

/// Which arm a candidate who passed the gates gets into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arms {
    /// The one of the published hash.
    Split,
    /// This variant has won: everybody whom the hash does not hold out gets it.
    Won(String),
    /// Every variant in turn, none held out: a decision for each, to see that all of them work.
    Each,
}

impl Arms {
    /// Those of a run for which this switch holds.
    #[must_use]
    pub fn after(switch: Option<&Switch>) -> Self {
        switch.map_or(Self::Split, |switch| Self::Won(switch.winner.clone()))
    }
}

/// Decides about every candidate of one page, in the order of their ids. Reads the standings, writes nothing.
pub async fn decide(
    ctx: &Ctx,
    campaign: &Arc<Campaign>,
    rule: &str,
    moment: Moment,
    candidates: Vec<Candidate>,
    past: &Past<'_>,
    arms: &Arms,
) -> Result<Vec<Entry>, FlowError> {
    let Some(spec) = campaign.rules.rule(rule).map(|rule| rule.spec.clone()) else { return Ok(Vec::new()) };
    if candidates.is_empty() {
        return Ok(Vec::new());
    }
    let recalled = recall::recall(ctx, &spec, &candidates, made_at(ctx, moment).now, past).await?;
    let standing = |candidate: &Candidate| recalled.standing(&candidate.facts);
    let (entries, cases) = split(ctx, campaign, &Gates::new(ctx, &spec, moment), candidates, standing, arms);
    let (cases, acted) = act(campaign, rule, moment, made_at(ctx, moment).today(), cases).await?;
    Ok(settled(ctx, campaign, &spec, moment, entries, cases.into_iter().zip(acted)))
}

/// When a decision for a moment is made, as far as that matters.
fn made_at(ctx: &Ctx, moment: Moment) -> Moment {
    let now = ctx.clock.now();
    if now.since(moment.now) > LATE_MS { Moment { now, ..moment } } else { moment }
}

/// The same about candidates whose standing is known, on this thread, which it blocks.
pub(super) fn decide_here<'a>(
    ctx: &Ctx,
    campaign: &Campaign,
    rule: &Rule,
    moment: Moment,
    candidates: Vec<Candidate>,
    standing: impl Fn(&Candidate) -> Standing<'a>,
    arms: &Arms,
) -> Vec<Entry> {
    let spec = &rule.spec;
    let (entries, cases) = split(ctx, campaign, &Gates::new(ctx, spec, moment), candidates, standing, arms);
    let acted = if cases.is_empty() { Vec::new() } else { make(rule, &cases, moment, made_at(ctx, moment).today()) };
    settled(ctx, campaign, spec, moment, entries, cases.into_iter().zip(acted))
}

/// What a rule's gates up to the frequency cap ask at a moment.
pub(super) struct Gates<'a> {
    spec: &'a RuleSpec,
    limits: Limits,
    moment: Moment,
    today: NaiveDate,
}

impl<'a> Gates<'a> {
    pub(super) fn new(ctx: &Ctx, spec: &'a RuleSpec, moment: Moment) -> Self {
        Self { spec, limits: limits(&ctx.config.policy), moment, today: moment.today() }
    }

    /// The occasion of a proposal.
    pub(super) fn key(&self, standing: &Standing<'_>) -> Key {
        occasion::key(self.spec.occasion, self.today, standing.taken.times(), standing.last_order_at)
    }

    /// A proposal's occasion, and the first gate that stops it.
    pub(super) fn judge(&self, standing: &Standing<'_>) -> (Key, Result<(), Refusal>) {
        let key = self.key(standing);
        (key, gates::judge(self.spec, key, standing, &self.limits, self.moment.now))
    }

    /// Each gate, with whether it lets the proposal pass.
    pub(super) fn each(&self, standing: &Standing<'_>) -> [(Refusal, bool); 5] {
        gates::each(self.spec, self.key(standing), standing, &self.limits, self.moment.now)
    }
}

/// Whom a gate stops, and the cases of the rest.
fn split<'a>(
    ctx: &Ctx,
    campaign: &Campaign,
    gates: &Gates<'_>,
    candidates: Vec<Candidate>,
    standing: impl Fn(&Candidate) -> Standing<'a>,
    arms: &Arms,
) -> (Vec<Entry>, Vec<Case>) {
    let spec = gates.spec;
    let (mut entries, mut cases) = (Vec::with_capacity(candidates.len()), Vec::new());
    for candidate in candidates {
        let (key, judged) = gates.judge(&standing(&candidate));
        let stopped = match &candidate.failure {
            Some(sentence) => Some((Refusal::RuleFailed, sentence.clone())),
            None => judged.err().map(|reason| (reason, String::new())),
        };
        match stopped {
            Some((reason, detail)) => entries.push(refused(candidate, key.to_string(), reason, detail, gates.moment.now)),
            None if *arms != Arms::Each => cases.push(case(ctx, campaign, spec, candidate, key.to_string(), arms)),
            None => cases.extend(spec.variants.iter().map(|variant| Case {
                arm: Arm::Variant(variant.name.clone()),
                shown: variant.name.clone(),
                ..case(ctx, campaign, spec, candidate.clone(), key.to_string(), arms)
            })),
        }
    }
    (entries, cases)
}

fn case(ctx: &Ctx, campaign: &Campaign, spec: &RuleSpec, candidate: Candidate, occasion: String, arms: &Arms) -> Case {
    let (policy, id) = (&ctx.config.policy, &candidate.facts.customer.external_id);
    let holdout = holdout::applies(&policy.holdout_seed, id, policy.holdout_percent, spec.basis);
    let place = bucket::choose(&spec.experiment, id, &spec.split_weights());
    let first = usize::from(spec.control_percent > 0);
    // Nobody falls outside: the weights add up to one. Whoever has no bucket (an empty id) is held out rather than written to.
    let variant = place.and_then(|place| place.checked_sub(first)).and_then(|index| spec.variants.get(index)).map(|variant| variant.name.clone());
    let won = if let Arms::Won(winner) = arms { Some(winner) } else { None };
    let variant = variant.map(|variant| won.cloned().unwrap_or(variant));
    let shown = variant.clone().or_else(|| won.or(spec.variants.first().map(|variant| &variant.name)).cloned()).unwrap_or_default();
    let what = format!("{}\0{id}\0{occasion}", spec.name);
    let code_seed = campaign.token_key.derive("voucher", what.as_bytes());
    let arm = if holdout == Some(true) { Arm::Holdout } else { variant.map_or(Arm::Control, Arm::Variant) };
    Case { candidate, occasion, arm, holdout, switched: won.is_some(), shown, code_seed }
}

/// Makes the actions, away from the async workers: they are scripts.
async fn act(
    campaign: &Arc<Campaign>,
    rule: &str,
    moment: Moment,
    day: NaiveDate,
    cases: Vec<Case>,
) -> Result<(Vec<Case>, Vec<Result<Acted, String>>), FlowError> {
    if cases.is_empty() {
        return Ok((cases, Vec::new()));
    }
    let (campaign, rule) = (Arc::clone(campaign), rule.to_owned());
    let acted = tokio::task::spawn_blocking(move || {
        let acted = campaign.rules.rule(&rule).map(|rule| make(rule, &cases, moment, day)).unwrap_or_default();
        (cases, acted)
    });
    acted.await.map_err(|error| FlowError::Worker(error.to_string()))
}

fn make(rule: &Rule, cases: &[Case], moment: Moment, day: NaiveDate) -> Vec<Result<Acted, String>> {
    let jobs: Vec<ActJob<'_>> =
        cases.iter().map(|case| ActJob { facts: &case.candidate.facts, variant: &case.shown, code_seed: case.code_seed }).collect();
    rule.act_on(&jobs, moment, day)
}

/// All decisions, in the order of their customers' ids.
fn settled(
    ctx: &Ctx,
    campaign: &Campaign,
    spec: &RuleSpec,
    moment: Moment,
    mut entries: Vec<Entry>,
    acted: impl Iterator<Item = (Case, Result<Acted, String>)>,
) -> Vec<Entry> {
    entries.extend(acted.map(|(case, acted)| settle(ctx, campaign, spec, moment, case, acted)));
    entries.sort_by_key(|entry| entry.decision.customer_id);
    entries
}

/// The last gate (address, template, target), then the verdict.
fn settle(ctx: &Ctx, campaign: &Campaign, spec: &RuleSpec, moment: Moment, case: Case, acted: Result<Acted, String>) -> Entry {
    let acted = match acted.and_then(|acted| exists(campaign, &acted.action).map(|()| acted)) {
        Ok(acted) => acted,
        Err(sentence) => return refused(case.candidate, case.occasion, Refusal::RuleFailed, sentence, moment.now),
    };
    let channel = acted.action.channel();
    if channel == Channel::Email && case.candidate.facts.customer.email.is_none() {
        return refused(case.candidate, case.occasion, Refusal::NoAddress, String::new(), moment.now);
    }
    // A run that is made up for is decided later than the moment it is for: the night that counts is the present one.
    let present = Moment { now: moment.now.max(ctx.clock.now()), ..moment };
    let loud_at = if channel == Channel::Email { quiet::first_loud(quiet_hours(ctx, Some(spec)), &present) } else { present.now };
    let waits = loud_at > present.now;
    let effective_at = if waits { loud_at } else { made_at(ctx, moment).now };
    let message_id = id::next();
    let body = match (&case.arm, &acted.action) {
        (Arm::Variant(variant), Action::Webhook { payload, .. }) => {
            Some(webhook_body(spec, variant, &case.occasion, &case.candidate.facts, payload, moment.now))
        }
        _ => None,
    };
    let detail = if waits { format!("quiet hours: waits until {}", moment.zone.format(effective_at)) } else { String::new() };
    let (verdict, vouchers) = match case.arm {
        Arm::Variant(variant) => (Verdict::Send { variant, action: Box::new(acted.action) }, acted.vouchers),
        Arm::Control => (Verdict::Control, Vec::new()),
        Arm::Holdout => (Verdict::Holdout, Vec::new()),
    };
    // What all rules earn is asked of all orders, not of those within one rule's window.
    let goal = spec.goal.as_ref().filter(|_| verdict != Verdict::Holdout);
    let average_order_value = case.candidate.facts.score.as_ref().map(|score| score.average_order_value);
    let voucher_cents = vouchers.iter().fold(0_i64, |sum, voucher| sum.saturating_add(exposure::of(voucher, average_order_value).0));
    let decision = Decision {
        id: id::next(),
        customer_id: case.candidate.facts.customer.id,
        occasion: case.occasion,
        verdict,
        detail,
        effective_at,
        goal_until: goal.map(|goal| effective_at.plus(goal.window_days * DAY_MS)),
        holdout: case.holdout,
        switched: case.switched,
        inputs: Value::Object(case.candidate.inputs).to_string(),
    };
    Entry { decision, vouchers, body, message_id, voucher_cents }
}

fn exists(campaign: &Campaign, action: &Action) -> Result<(), String> {
    match action {
        Action::Email { template, .. } if !campaign.templates.contains(template) => {
            Err(format!("there is no template '{template}': expected one of {}", campaign.templates.names().join(", ")))
        }
        Action::Webhook { target, .. } if !campaign.targets.contains(target) => {
            Err(format!("there is no webhook target '{target}' in the configuration"))
        }
        _ => Ok(()),
    }
}

/// The quiet hours of a rule: its own, or the shop's.
pub(super) fn quiet_hours(ctx: &Ctx, spec: Option<&RuleSpec>) -> QuietHours {
    let minute = |text: &str| Policy::minute_of_day(text).unwrap_or(0);
    let policy = &ctx.config.policy;
    spec.and_then(|spec| spec.quiet)
        .unwrap_or_else(|| QuietHours { from_minute: minute(&policy.quiet_from), until_minute: minute(&policy.quiet_until) })
}

/// The bytes that the target gets, in the shape that Standard Webhooks recommends; made once, sent unchanged on each try.
fn webhook_body(spec: &RuleSpec, variant: &str, occasion: &str, facts: &Facts, payload: &Map<String, Value>, now: UnixMs) -> String {
    let customer = &facts.customer;
    json!({
        "type": "rule.matched",
        "timestamp": now,
        "data": {
            "rule": spec.name, "variant": variant, "occasion": occasion,
            "customer": { "id": customer.external_id, "email": customer.email.as_ref().map(ToString::to_string), "first_name": customer.first_name, "last_name": customer.last_name },
            "payload": payload,
        },
    })
    .to_string()
}

fn refused(candidate: Candidate, occasion: String, reason: Refusal, detail: String, now: UnixMs) -> Entry {
    let decision = Decision {
        id: id::next(),
        customer_id: candidate.facts.customer.id,
        occasion,
        verdict: Verdict::Refused(reason),
        detail,
        effective_at: now,
        goal_until: None,
        holdout: None,
        switched: false,
        inputs: Value::Object(candidate.inputs).to_string(),
    };
    Entry { decision, vouchers: Vec::new(), body: None, message_id: Id(0), voucher_cents: 0 }
}

fn limits(policy: &Policy) -> Limits {
    let capped = policy.cap_days > 0 && policy.cap_messages > 0;
    Limits { cap_messages: capped.then(|| i64::from(policy.cap_messages)), existing_customer_days: i64::from(policy.existing_customer_days) }
}
