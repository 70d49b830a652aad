//! What a rule would do now: who gets what, who does not and why, and what differs from another version of it. Writes nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use serde::Serialize;

use super::analyse::winner;
use super::brake::{Brake, Foreseen, cents};
use super::campaign::Campaign;
use super::decide::{self, Arms};
use super::pause::{Course, OwnPause};
use super::preview::{self, Reader};
use super::recall::Past;
use super::rescore::{self, Unstored};
use super::scan::{self, Found, Scan};
use super::{Ctx, FlowError};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::action::Action;
use crate::model::decision::{Refusal, Verdict};
use crate::model::facts::{Facts, Moment};
use crate::model::hold::Hold;
use crate::model::pause::Pause;
use crate::model::rule::RuleSpec;
use crate::model::switch::Switch;
use crate::policy::guard::Meter;
use crate::store::decisions::Entry;
use crate::store::{holds, pauses};

/// What a rule would do at a moment.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Plan {
    /// The rule.
    pub rule: String,
    /// Its version.
    pub hash: String,
    /// The pause that it is in at present: then nothing of all this happens.
    pub paused: Option<Pause>,
    /// An earlier run that is held at present: until it has ended no other begins.
    pub waits_for: Option<Hold>,
    /// The moment.
    pub as_of: UnixMs,
    /// Customers there are.
    pub customers: usize,
    /// Those whom its condition is true for, or failed for: each of them is in `people`.
    pub people: Vec<Person>,
    /// People who would get a message, by variant, in the rule's order.
    pub variants: Vec<Arm>,
    /// People held out.
    pub control: usize,
    /// People held out from all rules.
    pub holdout: usize,
    /// People refused, by reason.
    pub refused: BTreeMap<&'static str, usize>,
    /// Messages that would wait for the end of quiet hours.
    pub waiting: usize,
    /// Vouchers that would be handed out.
    pub vouchers: usize,
    /// What they cost if all are redeemed ([`crate::policy::exposure::of`]).
    pub voucher_exposure_cents: i64,
    /// The variant that has won, and since when: everybody who is not held out gets it.
    pub switch: Option<Switch>,
    /// The guard that would hold the run, and where.
    pub held: Option<Foreseen>,
    /// Where the rule would pause itself: `people` and all figures end there. What a limit cuts off is not looked at.
    pub pauses_itself: Option<OwnPause>,
    /// A message of each variant.
    pub previews: Vec<Preview>,
    /// The version compared with.
    pub against: Option<String>,
    /// People whom this version reaches (a message, or held out), and the other does not.
    pub added: Vec<String>,
    /// People whom the other version reaches, and this one does not.
    pub removed: Vec<String>,
    /// How many both reach.
    pub unchanged: usize,
}

/// People of a variant.
#[derive(Clone, Debug, Serialize)]
pub struct Arm {
    /// The variant.
    pub name: String,
    /// How many.
    pub people: usize,
}

/// What somebody would get, or why nothing.
#[derive(Clone, Debug, Serialize)]
pub struct Person {
    /// The shop's key.
    pub customer: String,
    /// `send`, `control`, `holdout` or `refused`.
    pub verdict: &'static str,
    /// The variant of a message.
    pub variant: Option<String>,
    /// The reason of a refusal.
    pub reason: Option<&'static str>,
    /// More about it; may be empty.
    pub detail: String,
}

/// A message as somebody would get it.
#[derive(Clone, Debug, Serialize)]
pub struct Preview {
    /// The variant.
    pub variant: String,
    /// To whom, by the shop's key.
    pub customer: String,
    /// An email's subject; `webhook` and the target else.
    pub subject: String,
    /// An email's text part, or a webhook's body; the fault when it cannot be made.
    pub text: String,
    /// It cannot be made: the message would fail.
    pub fails: bool,
}

/// What a rule of `campaign` would do at the present moment of `ctx`, compared with a version of it in `other`.
pub async fn plan(ctx: &Ctx, campaign: &Arc<Campaign>, name: &str, other: Option<&Arc<Campaign>>) -> Result<Plan, FlowError> {
    let mut plan = Plan { rule: name.to_owned(), as_of: ctx.clock.now(), ..Plan::default() };
    let Some(spec) = campaign.rules.rule(name).map(|rule| rule.spec.clone()) else { return Ok(plan) };
    plan.hash.clone_from(&spec.hash);
    let mut tx = ctx.db.read().await?;
    plan.paused = pauses::one(&mut tx, name).await?;
    plan.waits_for = holds::open_of(&mut tx, name).await?;
    drop(tx);
    plan.variants = spec.variants.iter().map(|variant| Arm { name: variant.name.clone(), people: 0 }).collect();
    let needs = campaign.rules.rule(name).map(|rule| campaign.with_own(rule.needs)).unwrap_or_default();
    let needs = other.and_then(|other| Some(needs.and(other.with_own(other.rules.rule(name)?.needs)))).unwrap_or(needs);
    let unstored = rescore::unless_stored(ctx, plan.as_of, needs).await?;
    plan.customers = scan::count(ctx).await?;
    let mut voucher_cents = Vec::new();
    plan.switch = winner::foresee(ctx, &spec, plan.as_of).await?;
    let arms = Arms::after(plan.switch.as_ref());
    let brake = Brake::read(ctx, &spec, plan.as_of, 0).await?;
    let mut course = Course::begin(ctx, plan.as_of, brake.meter());
    rehearse(ctx, campaign, (name, &arms), unstored.as_ref(), |known, mut entries| {
        // The size of a run is looked at as a whole, whatever becomes of it.
        voucher_cents.extend(cents(&entries));
        course.page(&mut entries, 0);
        for entry in &entries {
            if let Some(facts) = known.get(&entry.decision.customer_id) {
                plan.note(ctx, campaign, &spec, facts, entry);
            }
        }
    })
    .await?;
    // A limit that it does not come to holds nothing.
    plan.held = brake.foresee(&voucher_cents, plan.customers).filter(|held| held.barrier.guard.is_of_size() || course.ended.is_none());
    plan.pauses_itself = course.ended;
    if let Some(other) = other {
        let mut meter = Meter::default();
        if let Some(rule) = other.rules.rule(name) {
            plan.against = Some(rule.spec.hash.clone());
            meter = Brake::read(ctx, &rule.spec, plan.as_of, 0).await?.meter();
        }
        let (mut before, mut course) = (Vec::new(), Course::begin(ctx, plan.as_of, meter));
        // Whom it reaches does not depend on the arm.
        rehearse(ctx, other, (name, &Arms::Split), unstored.as_ref(), |known, mut entries| {
            course.page(&mut entries, 0);
            let reached = entries.iter().filter(|entry| entry.decision.verdict.refusal().is_none());
            before.extend(reached.filter_map(|entry| known.get(&entry.decision.customer_id)).map(|facts| facts.customer.external_id.clone()));
        })
        .await?;
        plan.compare(&before);
    }
    Ok(plan)
}

/// Decides about everybody for the present moment, page by page as a run does.
async fn rehearse(
    ctx: &Ctx,
    campaign: &Arc<Campaign>,
    (name, arms): (&str, &Arms),
    unstored: Option<&Unstored>,
    mut each: impl FnMut(&HashMap<Id, Facts>, Vec<Entry>),
) -> Result<(), FlowError> {
    let moment = Moment { now: ctx.clock.now(), zone: ctx.config.shop.zone() };
    let Some(rule) = campaign.rules.rule(name) else { return Ok(()) };
    let mut scan = Scan::new(ctx, campaign, rule, moment).with(unstored);
    while let Some(Found { candidates, .. }) = scan.next().await? {
        let known: HashMap<Id, Facts> = candidates.iter().map(|candidate| (candidate.facts.customer.id, candidate.facts.clone())).collect();
        let entries = decide::decide(ctx, campaign, name, moment, candidates, &Past::Logged, arms).await?;
        each(&known, entries);
    }
    Ok(())
}

impl Plan {
    /// How many would get a message.
    #[must_use]
    pub fn messages(&self) -> usize {
        self.variants.iter().map(|arm| arm.people).sum()
    }

    fn note(&mut self, ctx: &Ctx, campaign: &Campaign, spec: &RuleSpec, facts: &Facts, entry: &Entry) {
        let made = &entry.decision.verdict;
        let reason = made.refusal().map(Refusal::code);
        match made {
            Verdict::Send { variant, action } => {
                self.waiting += usize::from(entry.decision.effective_at > self.as_of);
                if let Some(arm) = self.variants.iter_mut().find(|arm| arm.name == *variant) {
                    arm.people += 1;
                    if arm.people == 1 {
                        self.previews.push(shown(ctx, campaign, spec, facts, entry, (variant, action)));
                    }
                }
            }
            Verdict::Control => self.control += 1,
            Verdict::Holdout => self.holdout += 1,
            Verdict::Refused(reason) => *self.refused.entry(reason.code()).or_default() += 1,
        }
        self.vouchers += entry.vouchers.len();
        self.voucher_exposure_cents = self.voucher_exposure_cents.saturating_add(entry.voucher_cents);
        let detail = entry.decision.detail.clone();
        let (customer, variant) = (facts.customer.external_id.clone(), made.variant().map(str::to_owned));
        self.people.push(Person { customer, verdict: made.code(), variant, reason, detail });
    }

    fn compare(&mut self, before: &[String]) {
        let now: Vec<&String> = self.people.iter().filter(|person| person.reason.is_none()).map(|person| &person.customer).collect();
        let (in_before, in_now): (HashSet<&String>, HashSet<&String>) = (before.iter().collect(), now.iter().copied().collect());
        self.added = now.iter().copied().filter(|customer| !in_before.contains(customer)).cloned().collect();
        self.removed = before.iter().filter(|customer| !in_now.contains(customer)).cloned().collect();
        self.unchanged = before.len() - self.removed.len();
    }
}

fn shown(ctx: &Ctx, campaign: &Campaign, spec: &RuleSpec, facts: &Facts, entry: &Entry, (variant, action): (&str, &Action)) -> Preview {
    let customer = facts.customer.external_id.clone();
    let made = |subject: String, text: String| Preview { variant: variant.to_owned(), customer, subject, text, fails: false };
    match action {
        Action::Webhook { target, .. } => made(format!("webhook {target}"), entry.body.clone().unwrap_or_default()),
        Action::Email { template, vars } => {
            let customer = &facts.customer;
            let reader = Reader { first_name: customer.first_name.as_deref(), last_name: customer.last_name.as_deref(), locale: customer.locale };
            match preview::mail(ctx, campaign, spec.basis, reader, (template, vars)) {
                Ok(rendered) => made(rendered.subject, rendered.text),
                Err(problem) => Preview { fails: true, ..made(String::new(), problem) },
            }
        }
    }
}
