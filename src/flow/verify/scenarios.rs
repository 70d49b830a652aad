//! Scenarios: a small shop in a database in memory, the daemon's stages from run to run under a simulated clock, and what came of it against what was
//! expected.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;
use serde::Serialize;

use super::mails::{self, Mail};
use crate::base::clock::Clock;
use crate::base::suggest::hint;
use crate::base::time::UnixMs;
use crate::config::Config;
use crate::flow::campaign::Campaign;
use crate::flow::share::Round;
use crate::flow::why::{self, Why};
use crate::flow::{Ctx, FlowError, evaluate, ingest, trigger};
use crate::model::decision::Refusal;
use crate::model::example::Expected;
use crate::model::fault::FileFault;
use crate::model::scenario::{Line, Scenario};
use crate::rules::crontab::Crontab;
use crate::store::{Db, decisions, standings};

/// Most runs of all rules of a scenario.
const MOST_RUNS: usize = 5_000;
/// Most differences that are explained.
const MOST_EXPLAINED: usize = 20;

/// A scenario that was played.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Played {
    /// The file.
    pub file: String,
    /// Its name.
    pub name: String,
    /// How often a rule ran.
    pub runs: usize,
    /// Whether all that was expected happened, and nothing else.
    pub passed: bool,
    /// What was expected or happened, by day, customer and rule.
    pub lines: Vec<Compared>,
}

/// A line of what was expected or happened.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// `same`, `missing` (expected, did not happen), `unexpected` (the reverse), or `mail` (expected and decided, but the mail cannot be made or does not say
    /// what it is expected to).
    pub outcome: &'static str,
    /// `2026-03-12 anna win-back send`.
    pub text: String,
    /// Its line in the file; 0 when it does not stand there.
    pub line: usize,
    /// A sentence about a difference, where it takes one.
    pub sentence: Option<String>,
    /// Clause by clause, gate by gate: why it is so at that moment.
    pub why: Option<Why>,
    /// What the customer would have got.
    pub mail: Option<Mail>,
}

/// Something that happened.
#[derive(Clone, Debug)]
struct Happened {
    at: UnixMs,
    line: Line,
    held_out: bool,
    detail: String,
    mail: Option<Mail>,
}

/// What a scenario says that does not fit the rules.
#[must_use]
pub fn faults(config: &Config, campaign: &Campaign, scenario: &Scenario) -> Vec<FileFault> {
    let mut faults = Vec::new();
    let mut fault = |at, problem: String| faults.push(FileFault::new(&scenario.file, at, problem));
    let rules = &campaign.rules;
    let names = || rules.rules().iter().map(|rule| rule.spec.name.as_str());
    let unknown = |name: &str| {
        if names().next().is_none() {
            return format!("there is no rule '{name}', nor any other");
        }
        format!("there is no rule '{name}': expected one of {}{}", names().collect::<Vec<_>>().join(", "), hint(name, names(), ""))
    };
    for (name, at) in &scenario.rules {
        match rules.rule(name) {
            None => fault(*at, unknown(name)),
            Some(rule) if rule.spec.schedule.is_none() => fault(*at, format!("rule '{name}' never runs by itself: it has no .every(…)")),
            Some(_) => {}
        }
    }
    let tested = tested(campaign, scenario);
    for line in &scenario.expected {
        if rules.rule(&line.rule).is_none() {
            fault(line.at, unknown(&line.rule));
        } else if !tested.iter().any(|(name, _)| *name == line.rule) {
            let why = if scenario.rules.is_empty() { "it has no .every(…)" } else { "'rules' does not name it" };
            fault(line.at, format!("rule '{}' does not run in this scenario: {why}", line.rule));
        }
    }
    let (begin, end) = span(config, scenario);
    let zone = config.shop.zone();
    let runs: usize = tested.iter().map(|(_, schedule)| schedule.between(begin.plus(-1), end, zone, MOST_RUNS + 1).len()).sum();
    if runs > MOST_RUNS {
        fault((0, 0), format!("the rules run more than {MOST_RUNS} times on these days: expected fewer days or rules"));
    }
    if tested.is_empty() && faults.is_empty() {
        faults.push(FileFault::new(&scenario.file, (0, 0), "no rule runs by itself: expected one with .every(…)"));
    }
    faults
}

/// The rules that run in a scenario, with their schedules.
fn tested(campaign: &Campaign, scenario: &Scenario) -> Vec<(String, Crontab)> {
    let wanted = |name: &str| scenario.rules.is_empty() || scenario.rules.iter().any(|(rule, _)| rule == name);
    let specs = campaign.rules.rules().iter().map(|rule| &rule.spec).filter(|spec| wanted(&spec.name));
    specs.filter_map(|spec| Some((spec.name.clone(), Crontab::parse(spec.schedule.as_deref()?).ok()?))).collect()
}

/// The first and the last moment.
fn span(config: &Config, scenario: &Scenario) -> (UnixMs, UnixMs) {
    let zone = config.shop.zone();
    let end = scenario.until.succ_opt().map_or(UnixMs(i64::MAX), |day| zone.start_of(day));
    (zone.start_of(scenario.from), end.plus(-1))
}

/// Plays a scenario that has no [`faults`]. Nothing is sent; nothing is left.
pub async fn play(config: &Arc<Config>, campaign: &Arc<Campaign>, scenario: &Scenario) -> Result<Played, FlowError> {
    let (begin, end) = span(config, scenario);
    let ctx = Ctx::new(Db::in_memory().await?, Clock::simulated(begin), Arc::clone(config));
    ctx.own.put(Some(Arc::clone(&campaign.scores)));
    for batch in scenario.customers.chunks(ingest::BATCH) {
        ingest::customers(&ctx, batch.to_vec()).await?;
    }
    for batch in scenario.orders.chunks(ingest::BATCH) {
        ingest::orders(&ctx, batch.to_vec()).await?;
    }
    for batch in scenario.events.chunks(ingest::BATCH) {
        ingest::events(&ctx, batch.to_vec()).await?;
    }
    let mut played = Played { file: scenario.file.clone(), name: scenario.name.clone(), ..Played::default() };
    let happened = days(&ctx, campaign, scenario, end, &mut played.runs).await?;
    compare(&ctx, campaign, scenario, happened, &mut played).await?;
    ctx.db.close().await;
    Ok(played)
}

/// Goes from run to run, as the daemon does.
async fn days(ctx: &Ctx, campaign: &Arc<Campaign>, scenario: &Scenario, end: UnixMs, runs: &mut usize) -> Result<Vec<Happened>, FlowError> {
    let (zone, tested) = (ctx.config.shop.zone(), tested(campaign, scenario));
    let names: BTreeSet<&str> = tested.iter().map(|(name, _)| name.as_str()).collect();
    let speaking = scenario.expected.iter().filter(|line| !line.says.is_empty());
    let asked: HashSet<(NaiveDate, &str, &str)> = speaking.map(|line| (line.date, line.customer.as_str(), line.rule.as_str())).collect();
    let lease = evaluate::lease(ctx, "scenario/1").await?.ok_or(FlowError::LeaseLost)?;
    let mut happened = Vec::new();
    loop {
        suppress(ctx, scenario).await?;
        let due = trigger::due(ctx, campaign).await?.into_iter().filter(|due| names.contains(due.rule.as_str()));
        let mut round = Round::of(due.collect());
        while let Some(due) = round.next(ctx, campaign, &lease).await? {
            *runs += 1;
            let mut tx = ctx.db.read().await?;
            for decision in decisions::of_run(&mut tx, &due.rule, due.tick_at).await? {
                let expected = Refusal::parse(&decision.slot).map_or(Expected::Send, Expected::Refused);
                let leaves = Some(UnixMs(decision.effective_at)).filter(|at| *at > due.tick_at && decision.variant.is_some());
                let asked = asked.contains(&(zone.date(due.tick_at), decision.external_id.as_str(), due.rule.as_str()));
                let mail = campaign.rules.rule(&due.rule).and_then(|rule| Mail::of(ctx, campaign, &rule.spec, &decision, asked));
                let (customer, rule) = (decision.external_id, due.rule.clone());
                let line = Line { at: (0, 0), date: zone.date(due.tick_at), customer, rule, expected, leaves, says: Vec::new() };
                let held_out = expected == Expected::Send && decision.variant.is_none();
                happened.push(Happened { at: due.tick_at, line, held_out, detail: decision.detail, mail });
            }
        }
        let now = ctx.clock.now();
        let next = tested.iter().filter_map(|(_, schedule)| schedule.next_after(now, zone)).min().filter(|at| *at <= end);
        match next {
            Some(at) => ctx.clock.set(at),
            None => break,
        }
    }
    lease.release(ctx).await?;
    Ok(happened)
}

/// Addresses that bounced by now.
async fn suppress(ctx: &Ctx, scenario: &Scenario) -> Result<(), FlowError> {
    let now = ctx.clock.now();
    let mut due = scenario.suppressed.iter().filter(|(_, at)| *at <= now).peekable();
    if due.peek().is_none() {
        return Ok(());
    }
    let mut tx = ctx.db.write().await?;
    for (id, at) in due {
        let customer = scenario.customers.iter().find(|customer| customer.external_id == *id);
        if let Some(address) = customer.and_then(|customer| customer.email.as_ref()?.as_ref()) {
            standings::suppress(&mut tx, &address.key(), "scenario", *at).await?;
        }
    }
    Ok(tx.commit().await?)
}

/// Puts what happened beside what was expected.
async fn compare(
    ctx: &Ctx,
    campaign: &Arc<Campaign>,
    scenario: &Scenario,
    mut happened: Vec<Happened>,
    played: &mut Played,
) -> Result<(), FlowError> {
    let mut rows: Vec<(Line, Option<Happened>, &'static str)> = Vec::new();
    for line in &scenario.expected {
        let fits = |other: &Happened| {
            let Line { at: _, date, customer, rule, expected, leaves, says: _ } = line;
            let other = &other.line;
            // A message that need not wait leaves at the run's moment; whoever expects no moment takes any.
            (date, customer, rule, expected) == (&other.date, &other.customer, &other.rule, &other.expected)
                && (leaves.is_none() || *leaves == other.leaves)
        };
        match happened.iter().position(fits) {
            Some(place) => {
                let other = happened.remove(place);
                let wrong = mails::problem(other.mail.as_ref(), &line.says, other.held_out).is_some();
                rows.push((line.clone(), Some(other), if wrong { "mail" } else { "same" }));
            }
            None => rows.push((line.clone(), None, "missing")),
        }
    }
    // Refusals count only where they are named; but a rule that fails for somebody is never right.
    let counts = |other: &Happened| matches!(other.line.expected, Expected::Send | Expected::Refused(Refusal::RuleFailed));
    rows.extend(happened.into_iter().filter(counts).map(|other| (other.line.clone(), Some(other), "unexpected")));
    rows.sort_by(|(a, _, x), (b, _, y)| (a.date, &a.customer, &a.rule, x).cmp(&(b.date, &b.customer, &b.rule, y)));
    played.passed = rows.iter().all(|(_, _, outcome)| *outcome == "same");
    let mut explained = 0;
    for (line, other, outcome) in rows {
        let text = text(ctx, &line, other.as_ref().is_some_and(|other| other.held_out));
        let mail = other.as_ref().and_then(|other| other.mail.clone());
        let mut compared = Compared { outcome, text, line: line.at.0, sentence: None, why: None, mail };
        if let Some(other) = other.as_ref() {
            compared.sentence = mails::problem(other.mail.as_ref(), &line.says, other.held_out);
        }
        if matches!(outcome, "missing" | "unexpected") && explained < MOST_EXPLAINED {
            explained += 1;
            explain(ctx, campaign, &line, other.as_ref(), &mut compared).await?;
        }
        played.lines.push(compared);
    }
    Ok(())
}

/// Why something happened, or did not, in the words of `why`.
async fn explain(ctx: &Ctx, campaign: &Arc<Campaign>, line: &Line, other: Option<&Happened>, compared: &mut Compared) -> Result<(), FlowError> {
    let zone = ctx.config.shop.zone();
    let at = if let Some(happened) = other {
        happened.at
    } else {
        let schedule = campaign.rules.rule(&line.rule).and_then(|rule| Crontab::parse(rule.spec.schedule.as_deref()?).ok());
        let begin = zone.start_of(line.date).plus(-1);
        let Some(run) = schedule.and_then(|schedule| schedule.next_after(begin, zone)) else { return Ok(()) };
        if zone.date(run) != line.date {
            compared.sentence = Some(format!("{} does not run on {}: its next run is {}", line.rule, line.date, zone.format(run)));
            return Ok(());
        }
        run
    };
    let detail = other.filter(|other| !other.detail.is_empty()).map(|other| other.detail.clone());
    compared.sentence = compared.sentence.take().or(detail);
    let then = ctx.at(at);
    let asked = campaign.rules.rule(&line.rule).map(|rule| campaign.with_own(rule.needs)).unwrap_or_default();
    if let Some(facts) = why::customer(&then, &line.customer, asked).await? {
        compared.why = Some(why::why(&then, campaign, &line.rule, &facts).await?);
    }
    Ok(())
}

/// A line as the file has it.
fn text(ctx: &Ctx, line: &Line, held_out: bool) -> String {
    let leaves = line.leaves.map(|at| format!(" leaves {}", ctx.config.shop.zone().wall(at).format("%Y-%m-%dT%H:%M"))).unwrap_or_default();
    let held_out = if held_out { " (held out)" } else { "" };
    let says: String = line.says.iter().flat_map(|words| [" says ", words.as_str()]).collect();
    format!("{} {} {} {}{leaves}{says}{held_out}", line.date, line.customer, line.rule, line.expected.code())
}
