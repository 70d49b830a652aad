//! One run of a replay: the scores of the moment, the condition, the gates and the actions, on all processors; what is kept of each decision is what counts.

use std::ops::RangeInclusive;
use std::sync::Arc;

use rayon::prelude::*;

use super::people::{Arm, Row};
use crate::base::time::UnixMs;
use crate::flow::brake::{Weighed, Weight};
use crate::flow::campaign::Campaign;
use crate::flow::decide::{self, Arms, Candidate, Gates};
use crate::flow::pause::{Course, OwnPause, is_failure};
use crate::flow::recall::{Recalled, Rehearsal, cap_begins};
use crate::flow::scan::{PAGE, candidate};
use crate::flow::{Ctx, FlowError, rescore};
use crate::model::action::Channel;
use crate::model::consent::LegalBasis;
use crate::model::decision::{Refusal, Verdict};
use crate::model::fact::Fact;
use crate::model::facts::{Facts, Moment, Needs, PastEmail};
use crate::model::rule::RuleSpec;
use crate::model::score::Score;
use crate::policy::occasion::Key;
use crate::rules::{Evaluation, Rule, ScoreSet, workers};
use crate::score::{Columns, Models, OrderBook, Wanted, columns};
use crate::store::decisions::Entry;

/// So many people at least, and at most, are one processor's work at once.
const SHARE: RangeInclusive<usize> = 200..=10_000;
/// So many of them are scored and asked at once: the processor still has at hand what it has just written.
const AT_HAND: usize = 1_000;
/// So many candidates are decided about at once. A candidate is large: on the first day of a replay nearly everybody may be one.
const BATCH: usize = 200;

/// The shop as it was at a moment.
pub(super) struct Shop {
    /// By id.
    pub(super) people: Vec<Facts>,
    /// Where each of them stands in the book of orders.
    places: Vec<Option<u32>>,
    /// So many of the book's customers have been looked for among the people.
    known: usize,
    pub(super) orders: OrderBook,
    pub(super) rehearsal: Rehearsal,
}

/// What a run decides.
#[derive(Default)]
pub(super) struct Decided {
    /// About those whom no gate up to the frequency cap stops, and those whom the rule failed for; by place.
    pub(super) made: Vec<Made>,
    /// Whom such a gate stops, by place: most are stopped every day, and nothing more is made of them.
    pub(super) stopped: Vec<(u32, Refusal)>,
}

/// What is decided about some people. Nothing in it grows step by step: large memory of many sizes, each used for a moment, stays with the process.
struct Part {
    /// By batches.
    made: Vec<Vec<Made>>,
    stopped: Vec<(u32, Refusal)>,
}

/// Memory that is used again and again.
#[derive(Default)]
struct Room {
    /// Candidates that are decided about together.
    waiting: Vec<(u32, Candidate)>,
    /// Of people who were asked before, to be written over.
    spare: Vec<Option<Box<Score>>>,
}

/// What counts of a decision.
pub(super) struct Made {
    /// The place of the customer.
    pub(super) place: u32,
    pub(super) effective_at: UnixMs,
    pub(super) what: What,
}

/// What was decided.
pub(super) enum What {
    Reached {
        arm: Arm,
        occasion: Key,
        goal_until: Option<UnixMs>,
        /// Whether it is an email.
        email: bool,
        vouchers: u32,
        voucher_cents: i64,
    },
    Stopped(Refusal),
    Failed(Box<str>),
}

impl Weighed for Made {
    fn weight(&self) -> Weight<'_> {
        match &self.what {
            What::Reached { arm: Arm::Variant(_), voucher_cents, .. } => Weight::Message(*voucher_cents),
            What::Reached { .. } => Weight::HeldOut,
            What::Stopped(_) => Weight::Stopped,
            What::Failed(sentence) => Weight::Failed(sentence),
        }
    }
}

impl Made {
    fn of(spec: &RuleSpec, place: u32, occasion: Key, entry: Entry) -> Self {
        let decision = entry.decision;
        let reached = |arm, email| {
            let vouchers = u32::try_from(entry.vouchers.len()).unwrap_or(u32::MAX);
            What::Reached { arm, occasion, goal_until: decision.goal_until, email, vouchers, voucher_cents: entry.voucher_cents }
        };
        let what = match &decision.verdict {
            Verdict::Send { variant, action } => {
                let number = spec.variants.iter().position(|known| known.name == *variant).and_then(|number| u16::try_from(number).ok());
                reached(Arm::Variant(number.unwrap_or(u16::MAX)), action.channel() == Channel::Email)
            }
            Verdict::Control => reached(Arm::Control, false),
            Verdict::Holdout => reached(Arm::Holdout, false),
            Verdict::Refused(Refusal::RuleFailed) => What::Failed(decision.detail.into()),
            Verdict::Refused(reason) => What::Stopped(*reason),
        };
        Self { place, effective_at: decision.effective_at, what }
    }

    /// Whom it reached.
    pub(super) fn reached(&self) -> Option<Row> {
        if let What::Reached { arm, .. } = &self.what { Some(Row(self.place, *arm)) } else { None }
    }
}

impl Shop {
    pub(super) fn new(people: Vec<Facts>, orders: OrderBook, rehearsal: Rehearsal) -> Self {
        Self { places: vec![None; people.len()], known: 0, people, orders, rehearsal }
    }

    /// Gives everybody the scores of the moment, asks the condition and the gates, and makes the actions of those who pass.
    pub(super) async fn run(
        mut self,
        ctx: &Ctx,
        campaign: &Arc<Campaign>,
        name: &str,
        moment: Moment,
        arms: Arms,
    ) -> Result<(Self, Decided), FlowError> {
        let (ctx, campaign, name) = (ctx.clone(), Arc::clone(campaign), name.to_owned());
        let work = tokio::task::spawn_blocking(move || {
            let decided = campaign.rules.rule(&name).map(|rule| workers::on_all(|| self.decide(&ctx, &campaign, rule, moment, &arms)));
            (self, decided.unwrap_or_default())
        });
        work.await.map_err(|error| FlowError::Worker(error.to_string()))
    }

    fn decide(&mut self, ctx: &Ctx, campaign: &Campaign, rule: &Rule, moment: Moment, arms: &Arms) -> Decided {
        // Own scores are made anew for each run, from what they need.
        let own = Some(&*campaign.scores).filter(|_| rule.needs.has(Fact::Score));
        let needs = own.map_or(rule.needs, |own| rule.needs.and(own.needs()));
        let lifetime = match (needs.without(Needs::of([Fact::ChurnRisk])).any(Needs::LIFETIME), needs.has(Fact::ChurnRisk)) {
            (true, _) => Models::All,
            (false, true) => Models::Churn,
            (false, false) => Models::Nothing,
        };
        let wanted = Wanted { standings: needs, lifetime };
        let facts = self.orders.advance(moment.now);
        for (number, facts) in facts.iter().enumerate().skip(self.known) {
            if let Ok(place) = self.people.binary_search_by_key(&facts.customer_id, |facts| facts.customer.id) {
                self.places[place] = u32::try_from(number).ok();
            }
        }
        self.known = facts.len();
        let rules = rescore::rules(&ctx.config);
        let (scores, _) = columns(facts, moment.now, moment.zone, &rules, wanted);
        let places = &self.places;
        let (gates, past) = (Gates::new(ctx, &rule.spec, moment), self.rehearsal.at(ctx, moment.now));
        let asked = Asked { ctx, campaign, rule, moment, arms, gates, past, scores, places, own };
        // Two for each processor: whoever has done the easier ones helps with the rest.
        let share = self.people.len().div_ceil(2 * rayon::current_num_threads()).clamp(*SHARE.start(), *SHARE.end());
        let shares = self.people.par_chunks_mut(share).enumerate();
        let parts = shares.map_init(Room::default, |room, (number, people)| asked.part(number * share, people, room)).collect();
        Decided::of(parts)
    }

    /// Notes what a run left: the occasions that were taken and, if the rule `remembers` emails, those in the customers' history.
    pub(super) fn note(&mut self, ctx: &Ctx, spec: &RuleSpec, tick_at: UnixMs, made: &[Made], remembers: bool) {
        for one in made {
            let What::Reached { occasion, email, .. } = one.what else { continue };
            let place = one.place as usize;
            self.rehearsal.note(place, occasion, one.effective_at);
            if email && spec.basis != LegalBasis::Contract {
                self.rehearsal.note_email(place, tick_at, cap_begins(ctx, tick_at));
            }
            if let Some(facts) = self.people.get_mut(place).filter(|_| remembers && email) {
                Arc::make_mut(facts.history.get_or_insert_default()).emails.push(PastEmail { at: tick_at, rule: spec.name.clone() });
            }
        }
    }
}

/// What a run asks of everybody.
struct Asked<'a> {
    ctx: &'a Ctx,
    campaign: &'a Campaign,
    rule: &'a Rule,
    moment: Moment,
    arms: &'a Arms,
    gates: Gates<'a>,
    past: Recalled<'a>,
    scores: Columns<'a>,
    /// Where each customer stands in the columns.
    places: &'a [Option<u32>],
    /// Own scores that are made anew.
    own: Option<&'a ScoreSet>,
}

impl Asked<'_> {
    /// Decides about some people, of whom the first has this place.
    fn part(&self, first: usize, people: &mut [Facts], Room { waiting, spare }: &mut Room) -> Part {
        let mut decided = Part { made: Vec::with_capacity(people.len().div_ceil(BATCH)), stopped: Vec::with_capacity(people.len()) };
        for (number, people) in people.chunks_mut(AT_HAND).enumerate() {
            let first = first + number * AT_HAND;
            self.score(first, people, spare);
            self.ask(first, people, waiting, &mut decided);
            let scored = people.iter_mut().filter(|facts| facts.score.is_some());
            spare.extend(scored.map(|facts| facts.score.take()));
        }
        self.make(waiting, &mut decided);
        decided
    }

    /// Gives people their scores, in boxes that others no longer need.
    fn score(&self, first: usize, people: &mut [Facts], spare: &mut Vec<Option<Box<Score>>>) {
        for (facts, place) in people.iter_mut().zip(&self.places[first..]) {
            let score = place.and_then(|place| self.scores.score(place as usize));
            facts.score = score.map(|score| match spare.pop().flatten() {
                Some(mut room) => {
                    *room = score;
                    room
                }
                None => Box::new(score),
            });
        }
        if let Some(own) = self.own {
            own.fill_here(people, self.moment);
        }
    }

    fn ask(&self, first: usize, people: &[Facts], waiting: &mut Vec<(u32, Candidate)>, decided: &mut Part) {
        for (place, (facts, evaluation)) in (first..).zip(people.iter().zip(self.rule.answer(people, self.moment))) {
            let number = u32::try_from(place).unwrap_or(u32::MAX);
            let matches = matches!(evaluation, Evaluation::Match { .. });
            match if matches { self.gates.judge(&self.past.standing_at(place, facts)).1 } else { Ok(()) } {
                Err(reason) => decided.stopped.push((number, reason)),
                Ok(()) => waiting.extend(candidate(|| facts.clone(), evaluation).map(|candidate| (number, candidate))),
            }
            if waiting.len() >= BATCH {
                self.make(waiting, decided);
            }
        }
    }

    /// Decides about those who passed the gates.
    fn make(&self, waiting: &mut Vec<(u32, Candidate)>, decided: &mut Part) {
        if waiting.is_empty() {
            return;
        }
        let (places, candidates): (Vec<u32>, Vec<Candidate>) = waiting.drain(..).unzip();
        let standings = places.iter().zip(&candidates).map(|(place, candidate)| self.past.standing_at(*place as usize, &candidate.facts));
        let keys: Vec<Key> = standings.map(|standing| self.gates.key(&standing)).collect();
        let standing = |candidate: &Candidate| self.past.standing(&candidate.facts);
        let entries = decide::decide_here(self.ctx, self.campaign, self.rule, self.moment, candidates, standing, self.arms);
        // One for each, in the same order.
        let made = places.into_iter().zip(keys).zip(entries).map(|((place, key), entry)| Made::of(&self.rule.spec, place, key, entry));
        decided.made.push(made.collect());
    }
}

impl Decided {
    fn of(parts: Vec<Part>) -> Self {
        let mut all = Self {
            made: Vec::with_capacity(parts.iter().flat_map(|part| &part.made).map(Vec::len).sum()),
            stopped: Vec::with_capacity(parts.iter().map(|part| part.stopped.len()).sum()),
        };
        for part in parts {
            all.made.extend(part.made.into_iter().flatten());
            all.stopped.extend(part.stopped);
        }
        all
    }

    /// A run in pages as the daemon makes them: leaves what it would write. Where the rule would have paused itself, if it would.
    pub(super) fn keep_to(&mut self, mut course: Course) -> Option<OwnPause> {
        if !self.made.iter().any(is_failure) {
            return None;
        }
        let mut places: Vec<u32> = self.made.iter().map(|made| made.place).chain(self.stopped.iter().map(|(place, _)| *place)).collect();
        places.sort_unstable();
        let (mut written, mut passed) = (Vec::new(), 0);
        let mut made = std::mem::take(&mut self.made).into_iter().peekable();
        for page in places.chunks(PAGE as usize) {
            let last = page.last().copied().unwrap_or(u32::MAX);
            let mut own: Vec<Made> = std::iter::from_fn(|| made.next_if(|made| made.place <= last)).collect();
            let others = page.len() - own.len();
            course.page(&mut own, others);
            written.extend(own);
            if course.ended.is_some() {
                self.stopped.truncate(passed);
                break;
            }
            passed += others;
        }
        self.made = written;
        course.ended
    }
}
