//! Answers what the shop's key figures are: reads the paid orders once, counts them, applies the formulas. Writes nothing.

mod goals;
mod pictures;
mod words;

use chrono::{Days, NaiveDate};
use serde::Serialize;

use super::{Ctx, FlowError};
use crate::base::time::{UnixMs, days_between};
use crate::config::Config;
use crate::model::kpi::{By, Counts, Period, Span};
use crate::score::kpi::{
    AnswerCounter, Answers, Assumptions, Cohort, Counter, Csat, Figures, Frame, Nps, Pareto, cohorts, gross_margin, months, pareto, periods, ratio,
};
use crate::store::{events, kpi};
pub use goals::GoalReport;
pub use pictures::{Picture, pictures};

/// What is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Question {
    /// The periods.
    pub by: By,
    /// The first period is the one that this day lies in; `None`, or a day before the first order or survey answer: that of the first of them.
    pub from: Option<NaiveDate>,
    /// The last day that counts, in the shop's zone; `None`: now.
    pub to: Option<NaiveDate>,
}

/// The key figures; field names are a contract with scripts. Amounts are in cents, rates are shares (0.25 = 25 %), unknown is null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Orders after it do not exist.
    pub as_of: UnixMs,
    /// `month`, `quarter` or `year`.
    pub by: &'static str,
    /// The first day that is counted; null when nobody ever ordered or answered.
    pub from: Option<NaiveDate>,
    /// The last day.
    pub to: NaiveDate,
    /// The shop's currency.
    pub currency: String,
    /// The gross margin that was reckoned with, as a share of revenue.
    pub margin: Option<f64>,
    /// Where it comes from: `configured`, `orders` (those whose cost is known) or `unknown`.
    pub margin_source: &'static str,
    /// The years that the simple CLV reckons with.
    pub years: f64,
    /// All days from `from` to `to` together.
    pub whole: Whole,
    /// The periods, oldest first.
    pub periods: Vec<PeriodFigures>,
    /// Who was lost as of the last day, by days without an order.
    pub inactive: Vec<Inactive>,
    /// By month of the first order.
    pub cohorts: Vec<Cohort>,
    /// The best customers' share of the revenue between `from` and `to`.
    pub pareto: Pareto,
    /// The goals of the configuration.
    pub goals: Vec<GoalReport>,
}

/// What customers answered; null without answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Surveys {
    /// "Would you recommend us?"
    pub nps: Option<Nps>,
    /// "How satisfied are you?"
    pub csat: Option<Csat>,
}

impl Surveys {
    fn of(answers: &Answers) -> Self {
        Self { nps: answers.nps(), csat: answers.csat() }
    }
}

/// All days together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Whole {
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// Survey answers.
    #[serde(flatten)]
    pub surveys: Surveys,
    /// Days from `from`, or from the first order if that is later, to `to`; 0 without orders.
    pub observation_days: i64,
    /// `orders / active · 365 / observation_days`.
    pub purchases_per_customer_per_year: Option<f64>,
    /// Customers with exactly one order.
    pub one_time_customers: i64,
}

/// One period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PeriodFigures {
    /// `2026-03`, `2026Q1` or `2026`.
    pub period: String,
    /// Its first day.
    pub from: NaiveDate,
    /// Its last day.
    pub to: NaiveDate,
    /// Whether all of it has passed; a running period is counted so far, and not compared with the one before.
    pub complete: bool,
    /// The figures.
    #[serde(flatten)]
    pub figures: Figures,
    /// Survey answers.
    #[serde(flatten)]
    pub surveys: Surveys,
}

/// Customers without an order for a while.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Inactive {
    /// Their last order is more than so many calendar days ago.
    pub days: u32,
    /// How many they are.
    pub customers: i64,
    /// Their share of everybody who ever ordered: churn by inactivity.
    pub rate: Option<f64>,
}

/// The key figures of the shop.
///
/// # Errors
/// When the database fails.
pub async fn measure(ctx: &Ctx, question: &Question) -> Result<Measured, FlowError> {
    let zone = ctx.config.shop.zone();
    let now = ctx.clock.now();
    let end_of = |day: NaiveDate| zone.start_of(day.succ_opt().unwrap_or(day)).plus(-1);
    let as_of = question.to.map_or(now, |to| end_of(to).min(now));
    let today = zone.date(as_of);
    let mut tx = ctx.db.read().await?;
    let first_at = kpi::first_purchase(&mut tx, as_of).await?;
    let first = first_at.map(|at| zone.date(at));
    let answered_at = events::first_answer(&mut tx, as_of).await?;
    let begun = first_at.into_iter().chain(answered_at).min().map(|at| zone.date(at));

    let months = first.map_or_else(Vec::new, |first| months(first, as_of, zone));
    // Before the first order and the first answer there is nothing to show.
    let periods = begun.map_or_else(Vec::new, |begun| periods(question.by, question.from.map_or(begun, |from| from.max(begun)), as_of, zone));
    let from = periods.first().map(|period| period.from);
    let inactive_days = &ctx.config.kpi.inactive_days;
    let lost = |days: &u32| today.checked_sub_days(Days::new((*days).into())).map_or(UnixMs(i64::MIN), |day| zone.start_of(day));
    let courses = goals::courses(&ctx.config, today, zone);
    let mut lists: Vec<Vec<Span>> = vec![periods.iter().map(|period| period.span).collect()];
    lists.extend(courses.iter().map(goals::Course::spans));
    let (from_at, until) = (from.map_or(as_of, |from| zone.start_of(from)), as_of.plus(1));
    let mut answers = AnswerCounter::new([lists.clone(), vec![vec![Span { before: from_at, from: from_at, until }]]].concat());
    let mut counter = Counter::new(Frame {
        lists,
        months: months.iter().map(|(_, start)| *start).collect(),
        from: from_at,
        until,
        inactive_before: inactive_days.iter().map(lost).collect(),
    });
    kpi::purchases(&mut tx, as_of, |purchase| counter.push(purchase)).await?;
    events::answers(&mut tx, as_of, |survey, answer, at| answers.push(survey, answer, at)).await?;
    drop(tx);
    let mut counted = counter.finish();
    let mut answered = answers.finish();
    let of_whole = answered.pop().and_then(|spans| spans.first().copied()).unwrap_or_default();

    let (margin, margin_source) = margin(&ctx.config, &counted.whole);
    let assumed = Assumptions { spans_per_year: 12.0 / f64::from(question.by.months()), years: ctx.config.kpi.years, margin, complete: true };
    let of_goals: Vec<_> = counted.lists.split_off(1).into_iter().zip(answered.split_off(1)).collect();
    let ordered_from = first.map(|first| from.map_or(first, |from| from.max(first)));
    let shown = |row: &Cohort| from.is_none_or(|from| row.month >= from.format("%Y-%m").to_string());
    Ok(Measured {
        as_of,
        by: question.by.code(),
        from: from.max(begun),
        to: today,
        currency: ctx.config.shop.currency.code().to_owned(),
        margin,
        margin_source,
        years: assumed.years,
        whole: whole(&counted.whole, &of_whole, ordered_from.map_or(0, |from| days_between(from, today) + 1), &assumed),
        periods: periods
            .iter()
            .zip(counted.lists.concat().iter().zip(answered.concat()))
            .map(|(period, (counts, answers))| period_figures(period, counts, &answers, &assumed))
            .collect(),
        inactive: inactive_days
            .iter()
            .zip(&counted.inactive)
            .map(|(days, customers)| Inactive { days: *days, customers: *customers, rate: ratio(*customers, counted.customers) })
            .collect(),
        cohorts: cohorts(&months, &counted.cohorts).into_iter().filter(shown).collect(),
        pareto: pareto(counted.revenues),
        goals: goals::reports(&ctx.config, &courses, &of_goals, first, &assumed),
    })
}

/// The configured margin, or that of the orders.
fn margin(config: &Config, whole: &Counts) -> (Option<f64>, &'static str) {
    if let Some(margin) = config.shop.margin() {
        return (Some(margin), "configured");
    }
    let measured = gross_margin(whole);
    (measured, if measured.is_some() { "orders" } else { "unknown" })
}

fn period_figures(period: &Period, counts: &Counts, answers: &Answers, assumed: &Assumptions) -> PeriodFigures {
    let figures = Figures::of(counts, &Assumptions { complete: period.complete, ..*assumed });
    let surveys = Surveys::of(answers);
    PeriodFigures { period: period.label.clone(), from: period.from, to: period.to, complete: period.complete, figures, surveys }
}

/// Less than a year says too little about how much a customer spends in one.
#[expect(clippy::cast_precision_loss, reason = "days of a few years")]
fn whole(counts: &Counts, answers: &Answers, observation_days: i64, assumed: &Assumptions) -> Whole {
    let spans_per_year = 365.0 / observation_days.max(1) as f64;
    let figures = Figures::of(counts, &Assumptions { spans_per_year, complete: observation_days >= 365, ..*assumed });
    let a_year = figures.purchase_frequency.filter(|_| observation_days > 0).map(|frequency| frequency * spans_per_year);
    Whole {
        surveys: Surveys::of(answers),
        observation_days,
        purchases_per_customer_per_year: a_year,
        one_time_customers: figures.active - figures.repeat_customers,
        figures,
    }
}
