//! Replays a rule over the stored history, run by run: scores, condition, gates, cooldown and caps as they would have been. Writes nothing.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZero;
use std::sync::Arc;
use std::thread::ScopedJoinHandle;

use chrono::NaiveDate;
use serde::Serialize;

use super::analyse::winner;
use super::brake::{Foreseen, Rehearsed};
use super::campaign::Campaign;
use super::decide::{self, Arms, Candidate};
use super::pause::{Course, OwnPause};
use super::recall::{Past, Rehearsal};
use super::scan::{candidate, everybody};
use super::trigger::turn;
use super::{Ctx, FlowError, rescore, retrace};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::action::Channel;
use crate::model::decision::{Refusal, Verdict};
use crate::model::fact::{Fact, Source};
use crate::model::facts::{Facts, Moment, Needs, PastEmail};
use crate::model::rule::RuleSpec;
use crate::model::score::PaidOrder;
use crate::rules::crontab::Crontab;
use crate::rules::{Evaluation, Rule};
use crate::score::{Models, OrderBook, Wanted, compute};
use crate::store::decisions::Entry;
use crate::store::scores;

/// As many runs are too many for one replay: every quarter of an hour for half a year.
const MOST_RUNS: usize = 20_000;

/// What a rule would have done.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Backtest {
    /// The rule.
    pub rule: String,
    /// Its version.
    pub hash: String,
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
    /// Runs that the schedule asked for.
    pub runs: usize,
    /// Every day, also those without a run.
    pub days: Vec<Day>,
    /// Whoever would have got a message or been held out, each time, in the order of time.
    pub people: Vec<Reached>,
    /// People reached more than once.
    pub repeated: usize,
    /// Refusals, by reason: somebody who is refused on each of ten days counts ten times.
    pub refused: BTreeMap<&'static str, usize>,
    /// The first sentence of those for whom the rule failed.
    pub failure: Option<String>,
    /// Vouchers that would have been handed out.
    pub vouchers: usize,
    /// What they cost if all are redeemed ([`crate::policy::exposure::of`]).
    pub voucher_exposure_cents: i64,
    /// Runs that a guard would have held; the replay goes on as if each were released at once. Limits of the shop count this rule alone.
    pub held: Vec<HeldRun>,
    /// Where the rule would pause itself: the replay ends there, as nothing more would leave until there is another version or a person lets it go on.
    /// What a limit cuts off of a run is not looked at.
    pub pauses_itself: Option<OwnPause>,
    /// Whether the rule has `.winner(…)`: the replay gives the traffic to a winner only after the run with which the daemon did so.
    pub winner: bool,
    /// Orders within the goal's window, without any mail: `None` without a goal.
    pub bought_anyway: Option<Bought>,
}

/// A day of the shop's zone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Day {
    /// The day.
    pub date: NaiveDate,
    /// Messages.
    pub sent: usize,
    /// People held out.
    pub control: usize,
    /// People held out from all rules.
    pub holdout: usize,
    /// People refused.
    pub refused: usize,
}

/// A run that a guard would have held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeldRun {
    /// Its moment.
    pub at: UnixMs,
    /// Where, and which.
    #[serde(flatten)]
    pub foreseen: Foreseen,
}

/// Somebody who would have got a message or been held out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reached {
    /// The shop's key.
    pub customer: String,
    /// The day of the run.
    pub date: NaiveDate,
    /// `send`, `control` or `holdout`.
    pub verdict: &'static str,
    /// The variant of a message.
    pub variant: Option<String>,
}

/// Who ordered within the goal's window.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Bought {
    /// How often somebody was reached.
    pub reached: usize,
    /// How many of these were followed by an order in the window.
    pub bought: usize,
    /// Windows that end after the last order there is: they may still grow.
    pub open: usize,
}

/// A window that the history is asked about.
struct Window {
    customer: Id,
    after: UnixMs,
    until: UnixMs,
}

/// Replays rule `name` on the days `from` to `to`. `schedule` stands in for the rule's own, and is needed when it has none. `progress` is told how many
/// of how many runs are done.
pub async fn backtest(
    ctx: &Ctx,
    campaign: &Arc<Campaign>,
    name: &str,
    (from, to): (NaiveDate, NaiveDate),
    schedule: &Crontab,
    mut progress: impl FnMut(usize, usize),
) -> Result<Backtest, FlowError> {
    let Some(spec) = campaign.rules.rule(name).map(|rule| rule.spec.clone()) else { return Ok(Backtest::default()) };
    let zone = ctx.config.shop.zone();
    let begin = zone.start_of(from);
    let end = to.succ_opt().map_or(UnixMs(i64::MAX), |day| zone.start_of(day)).plus(-1);
    let runs = schedule.between(begin.plus(-1), end, zone, MOST_RUNS);
    if runs.len() == MOST_RUNS {
        return Err(FlowError::TooManyRuns(MOST_RUNS));
    }
    // A switch that has happened is part of the past; the replay makes none, for nobody bought after its messages.
    let switch = winner::stored(ctx, &spec).await?;
    let mut found = Found::new(name, &spec, (from, to), runs.len());
    let named = campaign.rules.rule(name).map(|rule| rule.needs).unwrap_or_default();
    let needs = campaign.with_own(named);
    let remembers = needs.from(Source::Emails);
    let mut people = everybody(ctx, needs.and(Needs::RECORD)).await?;
    if let Some(classes) = retrace::unless_stored(ctx, needs, (begin, end)).await? {
        classes.place(&mut people);
    }
    for facts in &mut people {
        // Of the scores only what the rule names is made anew for each run.
        facts.read = needs.and(Needs::RECORD.without(Needs::STANDINGS).without(Needs::LIFETIME));
        if remembers {
            without_what_follows(facts, campaign, &spec, begin);
        }
    }
    let ids: Vec<Id> = people.iter().map(|facts| facts.customer.id).collect();
    let mut brake = Rehearsed::begin(ctx, &spec, begin, people.len()).await?;
    let rehearsal = Rehearsal::begin(ctx, campaign, &spec, &ids, (begin, end)).await?;
    let orders = OrderBook::new(scores::paid(&mut ctx.db.read().await?, UnixMs(i64::MAX)).await?, zone);
    let mut shop = Shop { people, orders, rehearsal };
    for (number, &tick_at) in runs.iter().enumerate() {
        // The night that counts is that of the run.
        let then = ctx.at(tick_at);
        let moment = Moment { now: tick_at, zone };
        let proposed;
        (shop, proposed) = shop.propose(&then, campaign, name, moment).await?;
        let arms = Arms::after(switch.as_ref().filter(|switch| switch.at <= tick_at));
        let entries = decide::decide(&then, campaign, name, moment, proposed.candidates, &Past::Rehearsed(&shop.rehearsal), &arms).await?;
        // The size of a run is looked at as a whole, whatever becomes of it.
        let (held, meter) = brake.run(tick_at, &entries);
        let (entries, refused, ended) = Course::begin(ctx, tick_at, meter).whole(entries, proposed.refused);
        // A limit that it does not come to holds nothing.
        let held = held.filter(|held| held.barrier.guard.is_of_size() || ended.is_none());
        found.backtest.held.extend(held.map(|foreseen| HeldRun { at: tick_at, foreseen }));
        found.backtest.pauses_itself = ended;
        found.refuse(zone.date(tick_at), refused.into_iter().map(|(_, reason)| reason));
        for entry in &entries {
            shop.rehearsal.note(&spec, tick_at, entry);
            if let Ok(place) = shop.people.binary_search_by_key(&entry.decision.customer_id, |facts| facts.customer.id) {
                found.note(zone.date(tick_at), &shop.people[place], entry);
                if remembers {
                    remember(&mut shop.people[place], name, tick_at, entry);
                }
            }
        }
        progress(number + 1, runs.len());
        if found.backtest.pauses_itself.is_some() {
            break;
        }
    }
    Ok(found.ended(shop.orders.orders(), spec.goal.is_some()))
}

/// Of this rule the log counts up to the beginning. What a rule whose turn is later decided for the same moment was not there yet.
fn without_what_follows(facts: &mut Facts, campaign: &Campaign, spec: &RuleSpec, begin: UnixMs) {
    let Some(history) = facts.history.as_mut().filter(|history| !history.emails.is_empty()) else { return };
    let history = Arc::make_mut(history);
    history.emails.retain(|email| email.rule != spec.name || email.at < begin);
    for email in &mut history.emails {
        let follows = campaign.rules.rule(&email.rule).is_some_and(|other| turn(&other.spec) > turn(spec));
        email.at = email.at.plus(i64::from(follows));
    }
}

/// Adds the email that was just decided to the customer's history.
fn remember(facts: &mut Facts, rule: &str, at: UnixMs, entry: &Entry) {
    let Verdict::Send { action, .. } = &entry.decision.verdict else { return };
    if action.channel() == Channel::Email {
        Arc::make_mut(facts.history.get_or_insert_default()).emails.push(PastEmail { at, rule: rule.to_owned() });
    }
}

/// The shop as it was at a moment.
struct Shop {
    people: Vec<Facts>,
    orders: OrderBook,
    rehearsal: Rehearsal,
}

/// What a rule wants at a moment.
#[derive(Default)]
struct Proposed {
    /// Those whom no gate up to the frequency cap stops, and those whom the rule failed for.
    candidates: Vec<Candidate>,
    /// Whom a gate stops, by id: most are stopped every day, and nothing is made of them.
    refused: Vec<(Id, Refusal)>,
}

impl Shop {
    /// Gives everybody the scores of the moment, asks the condition and the gates, on all processors.
    async fn propose(mut self, ctx: &Ctx, campaign: &Arc<Campaign>, name: &str, moment: Moment) -> Result<(Self, Proposed), FlowError> {
        let (ctx, campaign, name, rules) = (ctx.clone(), Arc::clone(campaign), name.to_owned(), rescore::rules(&ctx.config));
        let work = tokio::task::spawn_blocking(move || {
            let Some(rule) = campaign.rules.rule(&name) else { return Ok((self, Proposed::default())) };
            // Own scores are made anew for each run, from what they need.
            let own = Some(&campaign.scores).filter(|_| rule.needs.has(Fact::Score));
            let needs = own.map_or(rule.needs, |own| rule.needs.and(own.needs()));
            let lifetime = match (needs.without(Needs::of([Fact::ChurnRisk])).any(Needs::LIFETIME), needs.has(Fact::ChurnRisk)) {
                (true, _) => Models::All,
                (false, true) => Models::Churn,
                (false, false) => Models::Nothing,
            };
            let wanted = Wanted { standings: needs.any(Needs::STANDINGS), lifetime };
            let scored = compute(self.orders.advance(moment.now), moment.now, moment.zone, &rules, wanted);
            for facts in &mut self.people {
                facts.score = self.orders.place(facts.customer.id).and_then(|place| scored.scores.get(place)).copied();
            }
            if let Some(own) = own {
                own.fill(&mut self.people, moment);
            }
            let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
            let share = self.people.len().div_ceil(processors).max(1);
            let parts: Vec<Proposed> = std::thread::scope(|scope| {
                let ask = |people| self.ask(&ctx, rule, people, moment);
                let workers: Vec<_> = self.people.chunks(share).map(|people| scope.spawn(move || ask(people))).collect();
                let join = |worker: ScopedJoinHandle<_>| worker.join().map_err(|_| FlowError::Worker("a worker panicked".to_owned()));
                workers.into_iter().map(join).collect::<Result<_, _>>()
            })?;
            let mut all = Proposed::default();
            for part in parts {
                all.candidates.extend(part.candidates);
                all.refused.extend(part.refused);
            }
            Ok((self, all))
        });
        work.await.map_err(|error| FlowError::Worker(error.to_string()))?
    }

    fn ask(&self, ctx: &Ctx, rule: &Rule, people: &[Facts], moment: Moment) -> Proposed {
        let limits = decide::limits(&ctx.config.policy);
        let stops = |facts: &Facts| decide::judge(&rule.spec, &self.rehearsal.standing(ctx, facts, moment.now), &limits, &moment).1.err();
        let mut proposed = Proposed::default();
        for (facts, evaluation) in people.iter().zip(rule.answer(people, moment)) {
            match if matches!(evaluation, Evaluation::Match { .. }) { stops(facts) } else { None } {
                Some(reason) => proposed.refused.push((facts.customer.id, reason)),
                None => proposed.candidates.extend(candidate(|| facts.clone(), evaluation)),
            }
        }
        proposed
    }
}

/// What a replay has found so far.
struct Found {
    backtest: Backtest,
    windows: Vec<Window>,
    times: HashMap<Id, usize>,
}

impl Found {
    fn new(name: &str, spec: &RuleSpec, (from, to): (NaiveDate, NaiveDate), runs: usize) -> Self {
        let days = from.iter_days().take_while(|day| *day <= to).map(|date| Day { date, ..Day::default() }).collect();
        let backtest =
            Backtest { rule: name.to_owned(), hash: spec.hash.clone(), from, to, runs, days, winner: spec.winner.is_some(), ..Backtest::default() };
        Self { backtest, windows: Vec::new(), times: HashMap::new() }
    }

    fn day(&mut self, date: NaiveDate) -> Option<&mut Day> {
        let place = self.backtest.days.binary_search_by_key(&date, |day| day.date).ok()?;
        self.backtest.days.get_mut(place)
    }

    fn refuse(&mut self, date: NaiveDate, reasons: impl Iterator<Item = Refusal>) {
        // A handful of reasons for all customers on all days: a look along a short list is the fastest.
        let mut counts: Vec<(Refusal, usize)> = Vec::new();
        for reason in reasons {
            match counts.iter_mut().find(|(known, _)| *known == reason) {
                Some((_, count)) => *count += 1,
                None => counts.push((reason, 1)),
            }
        }
        for (reason, count) in counts {
            *self.backtest.refused.entry(reason.code()).or_default() += count;
            if let Some(day) = self.day(date) {
                day.refused += count;
            }
        }
    }

    fn note(&mut self, date: NaiveDate, facts: &Facts, entry: &Entry) {
        let decision = &entry.decision;
        if let Verdict::Refused(reason) = &decision.verdict {
            self.refuse(date, std::iter::once(*reason));
            if !decision.detail.is_empty() {
                self.backtest.failure.get_or_insert_with(|| decision.detail.clone());
            }
            return;
        }
        let Some(day) = self.day(date) else { return };
        match &decision.verdict {
            Verdict::Send { .. } => day.sent += 1,
            Verdict::Control => day.control += 1,
            Verdict::Holdout => day.holdout += 1,
            Verdict::Refused(_) => {}
        }
        let found = &mut self.backtest;
        found.vouchers += entry.vouchers.len();
        found.voucher_exposure_cents = found.voucher_exposure_cents.saturating_add(entry.voucher_cents);
        let (customer, variant) = (facts.customer.external_id.clone(), decision.verdict.variant().map(str::to_owned));
        found.people.push(Reached { customer, date, verdict: decision.verdict.code(), variant });
        *self.times.entry(decision.customer_id).or_default() += 1;
        if let Some(until) = decision.goal_until {
            self.windows.push(Window { customer: decision.customer_id, after: decision.effective_at, until });
        }
    }

    fn ended(mut self, orders: &[PaidOrder], goal: bool) -> Backtest {
        self.backtest.repeated = self.times.values().filter(|times| **times > 1).count();
        self.backtest.bought_anyway = goal.then(|| bought(&self.windows, &self.times, orders));
        self.backtest
    }
}

fn bought(windows: &[Window], reached: &HashMap<Id, usize>, orders: &[PaidOrder]) -> Bought {
    let mut of: HashMap<Id, Vec<UnixMs>> = HashMap::with_capacity(reached.len());
    for order in orders.iter().filter(|order| reached.contains_key(&order.customer_id)) {
        of.entry(order.customer_id).or_default().push(order.at);
    }
    let history_ends = orders.last().map_or(UnixMs(i64::MIN), |order| order.at);
    let buys = |window: &&Window| of.get(&window.customer).into_iter().flatten().any(|at| *at > window.after && *at <= window.until);
    Bought {
        reached: windows.len(),
        bought: windows.iter().filter(buys).count(),
        open: windows.iter().filter(|window| window.until > history_ends).count(),
    }
}
