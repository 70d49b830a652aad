//! The brake of a run: what has been written is read once, then each page is told what still fits. What is held waits for its hour or for a person.

use chrono::NaiveDate;
use serde::Serialize;

use super::{Ctx, FlowError};
use crate::base::id;
use crate::base::time::{HOUR_MS, UnixMs, Zone};
use crate::config::sections::Guards;
use crate::model::decision::{Refusal, Verdict};
use crate::model::hold::{Barrier, Ending, Guard, Hold};
use crate::model::rule::RuleSpec;
use crate::policy::guard::{self, Meter, SizeLimits, Stop, Window};
use crate::store::decisions::{Entry, Written};
use crate::store::tallies::Tally;
use crate::store::{Tx, holds, tallies, ticks};

/// The brake of one run.
#[derive(Debug)]
pub(super) struct Brake<'a> {
    guards: &'a Guards,
    spec: &'a RuleSpec,
    tick_at: UnixMs,
    /// Messages that this run has written.
    written: i64,
    /// What a person let it pass.
    let_pass: Vec<Guard>,
    /// `None`: nobody asks about its size.
    size: Option<Size>,
    hour: Window,
    day: Window,
    meter: Meter,
}

/// What the size of a run is measured by.
#[derive(Debug)]
struct Size {
    limits: SizeLimits,
    /// As [`guard::usual`] takes them.
    before: Vec<i64>,
    today: i64,
}

/// Where a run would be held that is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Foreseen {
    /// So many messages would be written before.
    pub after: usize,
    /// So many would wait.
    pub waiting: usize,
    /// What would hold it.
    #[serde(flatten)]
    pub barrier: Barrier,
}

impl Foreseen {
    /// Where and why, in a sentence without the rule's name.
    #[must_use]
    pub fn sentence(&self, currency: &str) -> String {
        let Self { after, waiting, barrier } = self;
        let place = if *after == 0 { "before anything is written".to_owned() } else { format!("after {after} messages") };
        format!("held {place}, {waiting} messages wait: {}", barrier.guard.sentence(barrier, currency))
    }
}

/// What was written in an hour and in its day.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    in_hour: i64,
    in_day: i64,
    voucher_cents: i64,
}

impl<'a> Brake<'a> {
    /// Reads what a run has to keep to that has written `written` messages so far.
    pub(super) async fn read(ctx: &'a Ctx, spec: &'a RuleSpec, tick_at: UnixMs, written: i64) -> Result<Self, FlowError> {
        let (guards, zone, now) = (&ctx.config.guards, ctx.config.shop.zone(), ctx.clock.now());
        let mut tx = ctx.db.read().await?;
        let let_pass = holds::let_pass(&mut tx, &spec.name, tick_at, &spec.hash).await?;
        let day = Window::day(zone, tick_at);
        let begin = zone.start_of(guard::first_day(zone.date(tick_at)));
        let runs = ticks::written(&mut tx, &spec.name, begin..day.until).await?;
        let others = runs.into_iter().filter(|(at, ..)| *at != tick_at).map(|(at, messages, passed)| (zone.date(at), messages, passed));
        let (before, today) = guard::days(others, zone.date(tick_at));
        let asks = !let_pass.iter().any(|guard| guard.is_of_size());
        let limits = size_limits(guards);
        // Whether there is a guard at all does not depend on how many customers there are.
        let guarded = asks && guard::usual(limits, &before, today, 0).is_some();
        let size = guarded.then_some(Size { limits, before, today });
        let (hour, day) = (Window::hour(zone, now), Window::day(zone, now));
        let mut brake = Self { guards, spec, tick_at, written, let_pass, size, hour, day, meter: Meter::default() };
        brake.read_meter(&mut tx).await?;
        Ok(brake)
    }

    async fn read_meter(&mut self, tx: &mut Tx) -> Result<(), FlowError> {
        let found = tallies::of(tx, self.day).await?;
        let own = counted(found.iter().filter(|tally| tally.rule == self.spec.name), self.hour);
        self.meter = meter(self.guards, self.spec, own, counted(found.iter(), self.hour), &self.let_pass);
        Ok(())
    }

    /// Goes by the hour and day of `now`.
    pub(super) async fn move_to(&mut self, ctx: &Ctx, now: UnixMs) -> Result<(), FlowError> {
        if !self.hour.contains(now) {
            let zone = ctx.config.shop.zone();
            (self.hour, self.day) = (Window::hour(zone, now), Window::day(zone, now));
            self.read_meter(&mut ctx.db.read().await?).await?;
        }
        Ok(())
    }

    /// Whether the size of the run counts: then it is looked at as a whole before anything of it is written.
    pub(super) fn asks_about_size(&self) -> bool {
        self.size.is_some()
    }

    /// Whether a guard may not let the run write so many messages more. Most runs are so small that nobody has to count the customers.
    pub(super) fn may_be_too_large(&self, messages: usize) -> bool {
        self.size.as_ref().is_some_and(|size| self.whole(messages) > size.limits.from.saturating_sub(size.today).max(0))
    }

    /// The guard that does not let the run write so many messages more in a shop of so many customers.
    pub(super) fn too_large(&self, messages: usize, customers: usize) -> Option<Barrier> {
        let Size { limits, before, today } = self.size.as_ref()?;
        let usual = guard::usual(*limits, before, *today, i64::try_from(customers).unwrap_or(i64::MAX))?;
        (self.whole(messages) > usual.room).then_some(usual.barrier)
    }

    /// What the run will have written with so many messages more.
    fn whole(&self, messages: usize) -> i64 {
        self.written.saturating_add(i64::try_from(messages).unwrap_or(i64::MAX))
    }

    /// Where these entries, in their order, have to stop.
    pub(super) fn stop(&self, entries: &[Entry]) -> Option<Stop> {
        self.meter.stop(cents(entries))
    }

    /// The limits of hours and days, with what has been counted so far.
    pub(super) fn meter(&self) -> Meter {
        self.meter.clone()
    }

    /// Where a run would be held that wants to write messages with vouchers of these cents.
    pub(super) fn foresee(&self, voucher_cents: &[i64], customers: usize) -> Option<Foreseen> {
        let waiting = voucher_cents.len();
        let too_large = self.too_large(waiting, customers).map(|barrier| Foreseen { after: 0, waiting, barrier });
        let full = || self.meter.stop(voucher_cents.iter().copied()).map(|stop| (stop.after, barrier(stop)));
        too_large.or_else(|| full().map(|(after, barrier)| Foreseen { after, waiting: waiting - after, barrier }))
    }

    /// Counts what was written, in the transaction that writes it.
    pub(super) async fn count(&mut self, tx: &mut Tx, written: Written) -> Result<(), FlowError> {
        let Written { messages, voucher_cents, .. } = written;
        if messages > 0 {
            tallies::add(tx, self.hour, &self.spec.name, messages, voucher_cents).await?;
            self.meter.count(messages, voucher_cents);
            self.written = self.written.saturating_add(messages);
        }
        Ok(())
    }

    /// Holds the run from `now` on: until the next hour or day where waiting helps, else until a person answers.
    pub(super) fn hold(&self, barrier: Barrier, never_fits: bool, waiting: usize, now: UnixMs) -> Hold {
        let goes_on = !barrier.guard.is_of_size() && !never_fits;
        let until = match barrier.guard {
            Guard::RuleHour | Guard::ShopHour => Some(self.hour.until),
            _ if goes_on => Some(self.day.until),
            _ => (self.guards.hold_hours > 0).then(|| now.plus(i64::from(self.guards.hold_hours) * HOUR_MS)),
        };
        Hold {
            id: id::next(),
            rule: self.spec.name.clone(),
            tick_at: self.tick_at,
            rule_hash: self.spec.hash.clone(),
            barrier,
            written: self.written,
            waiting: i64::try_from(waiting).unwrap_or(i64::MAX),
            held_at: now,
            until,
            goes_on,
            ended_at: None,
            ended_how: None,
            ended_by: None,
        }
    }
}

/// The brake of a rehearsal, which goes on as if each held run were released at once. It knows of no other rule's messages.
#[derive(Debug)]
pub(super) struct Rehearsed<'a> {
    guards: &'a Guards,
    spec: &'a RuleSpec,
    zone: Zone,
    customers: usize,
    /// Day, messages, and whether they were held for their size, of the runs that wrote anything; those of a day that are alike are added up.
    runs: Vec<(NaiveDate, i64, bool)>,
    /// Moment, messages and cents of the last day's runs.
    of_day: Vec<(UnixMs, i64, i64)>,
}

impl<'a> Rehearsed<'a> {
    /// Begins at `from`; what was usual before is what the log says.
    pub(super) async fn begin(ctx: &'a Ctx, tx: &mut Tx, spec: &'a RuleSpec, from: UnixMs, customers: usize) -> Result<Self, FlowError> {
        let zone = ctx.config.shop.zone();
        let begin = zone.start_of(guard::first_day(zone.date(from)));
        let runs = ticks::written(tx, &spec.name, begin..from).await?;
        let runs = runs.into_iter().map(|(at, messages, passed)| (zone.date(at), messages, passed)).collect();
        Ok(Self { guards: &ctx.config.guards, spec, zone, customers, runs, of_day: Vec::new() })
    }

    /// Where the run for `tick_at` would be held, and the limits that it has to keep to; then it counts as written whole.
    pub(super) fn run(&mut self, tick_at: UnixMs, decided: &[impl Weighed]) -> (Option<Foreseen>, Meter) {
        let mut voucher_cents = Vec::with_capacity(decided.len());
        voucher_cents.extend(cents(decided));
        let (messages, cents) = (voucher_cents.len(), voucher_cents.iter().fold(0_i64, |sum, cents| sum.saturating_add(*cents)));
        if messages == 0 {
            return (None, Meter::default());
        }
        let (date, hour, day) = (self.zone.date(tick_at), Window::hour(self.zone, tick_at), Window::day(self.zone, tick_at));
        self.of_day.retain(|(at, ..)| day.contains(*at));
        let counted = self.of_day.iter().fold(Counted::default(), |sum, (at, messages, cents)| Counted {
            in_hour: sum.in_hour + if hour.contains(*at) { *messages } else { 0 },
            in_day: sum.in_day + messages,
            voucher_cents: sum.voucher_cents.saturating_add(*cents),
        });
        let (before, today) = guard::days(self.runs.iter().copied(), date);
        let brake = Brake {
            guards: self.guards,
            spec: self.spec,
            tick_at,
            written: 0,
            let_pass: Vec::new(),
            size: Some(Size { limits: size_limits(self.guards), before, today }),
            hour,
            day,
            meter: meter(self.guards, self.spec, counted, counted, &[]),
        };
        let found = brake.foresee(&voucher_cents, self.customers);
        let messages = i64::try_from(messages).unwrap_or(i64::MAX);
        self.of_day.push((tick_at, messages, cents));
        let let_pass = found.is_some_and(|found| found.barrier.guard.is_of_size());
        match self.runs.last_mut() {
            Some((day, sum, passed)) if (*day, *passed) == (date, let_pass) => *sum = sum.saturating_add(messages),
            _ => self.runs.push((date, messages, let_pass)),
        }
        self.runs.retain(|(day, ..)| *day >= guard::first_day(date));
        (found, brake.meter)
    }
}

/// What counts of a decision for guards and pauses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight<'a> {
    /// A message, with what its vouchers cost.
    Message(i64),
    /// Held out on purpose.
    HeldOut,
    /// Stopped by a gate.
    Stopped,
    /// The rule failed, with this sentence.
    Failed(&'a str),
}

/// A decision, or what a replay keeps of one.
pub(super) trait Weighed {
    /// What counts of it.
    fn weight(&self) -> Weight<'_>;
}

impl Weighed for Entry {
    fn weight(&self) -> Weight<'_> {
        match &self.decision.verdict {
            Verdict::Send { .. } => Weight::Message(self.voucher_cents),
            Verdict::Control | Verdict::Holdout => Weight::HeldOut,
            Verdict::Refused(Refusal::RuleFailed) => Weight::Failed(&self.decision.detail),
            Verdict::Refused(_) => Weight::Stopped,
        }
    }
}

/// What the vouchers of the messages among these cost, message by message.
pub(super) fn cents(decided: &[impl Weighed]) -> impl Iterator<Item = i64> {
    decided.iter().filter_map(|one| if let Weight::Message(cents) = one.weight() { Some(cents) } else { None })
}

/// The figures of a limit that was reached.
pub(super) fn barrier(stop: Stop) -> Barrier {
    Barrier { guard: stop.guard, most: stop.most, norm: None, today: 0, customers: 0 }
}

/// Where a page is cut of which so many messages fit: at the next one. `None`: it has no more.
pub(super) fn cut_at(decided: &[impl Weighed], messages: usize) -> Option<usize> {
    let is_message = |(_, one): &(usize, &_)| matches!(Weighed::weight(*one), Weight::Message(_));
    decided.iter().enumerate().filter(is_message).nth(messages).map(|(place, _)| place)
}

/// When the configuration wants to be asked about the size of a run.
fn size_limits(guards: &Guards) -> SizeLimits {
    SizeLimits { factor: guards.hold_factor.into(), percent: guards.hold_percent.into(), from: guards.hold_from.into() }
}

/// The limits of a rule and of the shop with what has been counted, but for those that a person let the run pass.
fn meter(guards: &Guards, spec: &RuleSpec, own: Counted, all: Counted, let_pass: &[Guard]) -> Meter {
    let on = |number: u32, unit: i64| (number > 0).then(|| i64::from(number) * unit);
    let limits = [
        (Guard::RuleVouchers, spec.limits.voucher_cents_per_day, own.voucher_cents),
        (Guard::ShopVouchers, on(guards.vouchers_per_day, 100), all.voucher_cents),
        (Guard::RuleDay, spec.limits.messages_per_day, own.in_day),
        (Guard::ShopDay, on(guards.messages_per_day, 1), all.in_day),
        (Guard::RuleHour, spec.limits.messages_per_hour, own.in_hour),
        (Guard::ShopHour, on(guards.messages_per_hour, 1), all.in_hour),
    ];
    let mut meter = Meter::default();
    for (guard, most, counted) in limits {
        if let Some(most) = most.filter(|_| !let_pass.contains(&guard)) {
            meter.add(guard, most, counted);
        }
    }
    meter
}

fn counted<'a>(tallies: impl Iterator<Item = &'a Tally>, hour: Window) -> Counted {
    tallies.fold(Counted::default(), |sum, tally| Counted {
        in_hour: sum.in_hour.saturating_add(if tally.hour_at == hour.from.0 { tally.messages } else { 0 }),
        in_day: sum.in_day.saturating_add(tally.messages),
        voucher_cents: sum.voucher_cents.saturating_add(tally.voucher_cents),
    })
}

/// Ends the holds whose time has come; what is discarded is told. Gives the rules whose runs stay held.
pub(super) async fn end_of_time(tx: &mut Tx, now: UnixMs) -> Result<Vec<Hold>, FlowError> {
    for hold in holds::end_of_time(tx, now).await? {
        if hold.ended_how == Some(Ending::Expired) {
            tracing::warn!(rule = hold.rule, tick_at = %hold.tick_at, waiting = hold.waiting, "nobody answered: the rest of the held run is discarded");
        }
    }
    Ok(holds::open(tx).await?)
}

/// Lets the held run of a rule go on without the guard that held it, or discards its rest, as `who` says; `None` when no run of the rule is held.
pub async fn answer(ctx: &Ctx, rule: &str, ending: Ending, who: &str) -> Result<Option<Hold>, FlowError> {
    let now = ctx.clock.now();
    let mut tx = ctx.db.write().await?;
    let Some(hold) = holds::open_of(&mut tx, rule).await? else { return Ok(None) };
    let done = holds::end(&mut tx, hold.id, ending, who, now).await?;
    tx.commit().await?;
    if done {
        tracing::warn!(rule, tick_at = %hold.tick_at, waiting = hold.waiting, who, "the held run was {}", ending.code());
    }
    Ok(done.then(|| Hold { ended_at: Some(now), ended_how: Some(ending), ended_by: Some(who.to_owned()), ..hold }))
}
