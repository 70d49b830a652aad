//! Replays a rule over the stored history, run by run: scores, condition, gates, cooldown and caps as they would have been. Writes nothing.

mod found;
mod people;
mod run;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;

use self::found::Found;
pub use self::people::{People, Reached};
use self::run::Shop;
use super::analyse::winner;
use super::brake::{Foreseen, Rehearsed};
use super::campaign::Campaign;
use super::decide::Arms;
use super::pause::{Course, OwnPause};
use super::recall::Rehearsal;
use super::scan::PAGE;
use super::trigger::turn;
use super::{Ctx, FlowError, retrace};
use crate::base::id::Id;
use crate::base::time::UnixMs;
use crate::model::fact::Source;
use crate::model::facts::{Facts, Moment, Needs};
use crate::model::rule::RuleSpec;
use crate::rules::crontab::Crontab;
use crate::score::OrderBook;
use crate::store::{Tx, facts, scores};

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
    pub people: People,
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
    let named = campaign.rules.rule(name).map(|rule| rule.needs).unwrap_or_default();
    let needs = campaign.with_own(named);
    let remembers = needs.from(Source::Emails);
    let classes = retrace::unless_stored(ctx, needs, (begin, end)).await?;
    // All of it as it is at one moment, and by one connection: each keeps what it has read at hand.
    let mut tx = ctx.db.read().await?;
    let mut people = everybody(&mut tx, needs.and(Needs::RECORD)).await?;
    if let Some(classes) = classes {
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
    let mut brake = Rehearsed::begin(ctx, &mut tx, &spec, begin, people.len()).await?;
    let rehearsal = Rehearsal::begin(ctx, &mut tx, campaign, &spec, &ids, (begin, end)).await?;
    let orders = scores::paid(&mut tx, UnixMs(i64::MAX)).await?;
    tx.forget().await?;
    drop(tx);
    let mut found = Found::new(&spec, (from, to), runs.len(), &ids, &orders);
    drop(ids);
    let orders = OrderBook::new(orders, zone).with_room(people.len());
    let mut shop = Shop::new(people, orders, rehearsal);
    for (number, &tick_at) in runs.iter().enumerate() {
        // The night that counts is that of the run.
        let then = ctx.at(tick_at);
        let arms = Arms::after(switch.as_ref().filter(|switch| switch.at <= tick_at));
        let mut decided;
        (shop, decided) = shop.run(&then, campaign, name, Moment { now: tick_at, zone }, arms).await?;
        // The size of a run is looked at as a whole, whatever becomes of it.
        let (held, meter) = brake.run(tick_at, &decided.made);
        let ended = decided.keep_to(Course::begin(ctx, tick_at, meter));
        // A limit that it does not come to holds nothing.
        let held = held.filter(|held| held.barrier.guard.is_of_size() || ended.is_none());
        found.backtest.held.extend(held.map(|foreseen| HeldRun { at: tick_at, foreseen }));
        found.backtest.pauses_itself = ended;
        found.run(zone.date(tick_at), &decided.made, &decided.stopped);
        shop.note(ctx, &spec, tick_at, &decided.made, remembers);
        progress(number + 1, runs.len());
        if found.backtest.pauses_itself.is_some() {
            break;
        }
    }
    Ok(found.ended(shop.people))
}

/// Everybody, with what these facts are read from, by id.
async fn everybody(tx: &mut Tx, needs: Needs) -> Result<Vec<Facts>, FlowError> {
    // Room for all at once: growing would hold most of them twice.
    let (mut people, mut cursor) = (Vec::with_capacity(usize::try_from(facts::count(tx).await?).unwrap_or(0)), Id(0));
    loop {
        let page = facts::page(tx, cursor, PAGE, needs, None).await?;
        let Some(last) = page.last() else { return Ok(people) };
        cursor = last.customer.id;
        // Scores are made anew for each run.
        people.extend(page.into_iter().map(|facts| Facts { score: None, ..facts }));
    }
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

impl Day {
    fn add(&mut self, run: &Self) {
        self.sent += run.sent;
        self.control += run.control;
        self.holdout += run.holdout;
        self.refused += run.refused;
    }
}
