//! How the goals stand: the figure from the goal's first day until now, where it is going, and the sentence about it.

use chrono::{Days, NaiveDate};
use serde::Serialize;

use super::words;
use crate::base::time::{Zone, days_between};
use crate::config::Config;
use crate::config::goals::{Goal, Kpi, Target, Unit};
use crate::model::kpi::{Counts, Span};
use crate::score::kpi::{Answers, Assumptions, Figures, Outlook, Progress, days_back, outlook};

/// A goal and how it stands; field names are a contract with scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GoalReport {
    /// The owner's name of it.
    pub goal: String,
    /// The figure's word.
    pub kpi: &'static str,
    /// What the values are in: `count`, `number`, `share` (0.25 = 25 %), `cents` or `points`.
    pub unit: &'static str,
    /// The figure is measured over so many days.
    pub days: u32,
    /// The day of the start value.
    pub from: NaiveDate,
    /// The last day.
    pub by: NaiveDate,
    /// The target as it is configured.
    pub target_text: String,
    /// The figure as of the end of the first day.
    pub start: Option<f64>,
    /// What it is to reach.
    pub target: Option<f64>,
    /// The figure as of the last day that counts.
    pub today: Option<f64>,
    /// Change in 30 days: the slope of the least-squares line through `values`.
    pub slope_30_days: Option<f64>,
    /// Where `today` and the slope lead to on the last day.
    pub expected: Option<f64>,
    /// `not_begun`, `unknown`, `too_early`, `on_track`, `behind`, `reached` or `missed`.
    pub progress: &'static str,
    /// Whether it is on track or reached; null before that can be told.
    pub on_track: Option<bool>,
    /// The values that the slope is from: weekly at most, 13 at most.
    pub values: Vec<GoalValue>,
    /// All of it in a sentence, in the shop's language.
    pub sentence: String,
}

/// The figure as of the end of a day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct GoalValue {
    /// The day.
    pub date: NaiveDate,
    /// The figure; null when too few people stand behind it.
    pub value: Option<f64>,
}

/// People (or orders, or answers) that a rate or mean must stand on.
const LEAST_PEOPLE: i64 = 30;
/// Values in a goal's course.
const MOST_VALUES: i64 = 13;

/// A goal and the days that its figure is measured for.
pub(super) struct Course {
    pub(super) goal: Goal,
    days: Vec<(NaiveDate, Span)>,
    begun: bool,
}

impl Course {
    pub(super) fn spans(&self) -> Vec<Span> {
        self.days.iter().map(|(_, span)| *span).collect()
    }
}

/// The days of every goal: from its first to today (or its last, if that has passed), a week apart at least. A goal that has not begun has today alone.
pub(super) fn courses(config: &Config, today: NaiveDate, zone: Zone) -> Vec<Course> {
    let course = |goal: Goal| {
        let begun = goal.from <= today;
        let elapsed = days_between(goal.from, today.min(goal.by)).max(0);
        let steps = (elapsed / 7).clamp(1, MOST_VALUES - 1);
        let mut days: Vec<NaiveDate> = (0..=steps)
            .filter_map(|step| goal.from.checked_add_days(Days::new(u64::try_from(elapsed * step / steps).ok()?)))
            .map(|day| if begun { day } else { today })
            .collect();
        days.dedup();
        let days = days.into_iter().map(|day| (day, days_back(day, goal.days, zone))).collect();
        Course { goal, days, begun }
    };
    config.goals.list().into_iter().map(course).collect()
}

/// How each goal stands; `counted` as the courses ask for, `first` the day of the shop's first order.
pub(super) fn reports(
    config: &Config,
    courses: &[Course],
    counted: &[(Vec<Counts>, Vec<Answers>)],
    first: Option<NaiveDate>,
    assumed: &Assumptions,
) -> Vec<GoalReport> {
    let zone = config.shop.zone();
    let report = |(course, (counted, answered)): (&Course, &(Vec<Counts>, Vec<Answers>))| {
        let Course { goal, days, begun } = course;
        let assumed = Assumptions { spans_per_year: 365.0 / f64::from(goal.days), complete: true, ..*assumed };
        let values = days.iter().zip(counted.iter().zip(answered)).map(|((date, span), (counts, answers))| {
            // Before the shop's orders begin nobody could have bought: such a window compares with nothing.
            let seen = if looks_back(goal.kpi) { span.before } else { span.from };
            let is_full = goal.kpi.unit() == Unit::Points || first.is_some_and(|first| first <= zone.date(seen));
            GoalValue { date: *date, value: figure(goal.kpi, counts, answers, &assumed).filter(|_| is_full) }
        });
        let values: Vec<GoalValue> = values.collect();
        let start = values.first().filter(|_| *begun).and_then(|value| value.value);
        let target = match goal.target {
            // Fifteen percent more than nothing is nothing.
            Target::Relative(change) => start.filter(|start| *start > 0.0).map(|start| start * (1.0 + change)),
            Target::Absolute(change) => start.map(|start| start + change),
            Target::Value(value) => Some(value),
        };
        let course: Vec<(i64, Option<f64>)> = values.iter().map(|value| (days_between(goal.from, value.date), value.value)).collect();
        let told = outlook(&course, target, goal.upward(), days_between(goal.from, goal.by));
        let outlook = if *begun { told } else { Outlook { slope_per_day: None, expected: None, progress: Progress::NotBegun } };
        let mut report = GoalReport {
            goal: goal.name.clone(),
            kpi: goal.kpi.code(),
            unit: match goal.kpi.unit() {
                Unit::Count => "count",
                Unit::Number => "number",
                Unit::Share => "share",
                Unit::Cents => "cents",
                Unit::Points => "points",
            },
            days: goal.days,
            from: goal.from,
            by: goal.by,
            target_text: goal.target_text.clone(),
            start,
            target,
            today: values.last().and_then(|value| value.value),
            slope_30_days: outlook.slope_per_day.map(|slope| slope * 30.0),
            // A line goes on for ever, a figure does not.
            expected: outlook.expected.map(|value| if goal.kpi == Kpi::Nps { value.clamp(-100.0, 100.0) } else { value.max(0.0) }),
            progress: outlook.progress.code(),
            on_track: outlook.progress.on_track(),
            values,
            sentence: String::new(),
        };
        report.sentence = words::sentence(&config.shop, goal, &report, outlook.progress, first.is_some());
        report
    };
    courses.iter().zip(counted).map(report).collect()
}

/// Whether the figure compares with the window before.
fn looks_back(kpi: Kpi) -> bool {
    matches!(kpi, Kpi::RetentionRate | Kpi::ChurnRate | Kpi::Crr | Kpi::ClvMarginChurn)
}

/// The figure; unknown when fewer people (orders for the average order, answers for surveys) stand behind a rate or mean than say anything.
#[expect(clippy::cast_precision_loss, reason = "counts and cents far below 2^52")]
fn figure(kpi: Kpi, counts: &Counts, answers: &Answers, assumed: &Assumptions) -> Option<f64> {
    let figures = Figures::of(counts, assumed);
    let (value, behind) = match kpi {
        Kpi::Orders => return Some(counts.orders as f64),
        Kpi::Revenue => return Some(counts.revenue_cents as f64),
        Kpi::Active => return Some(counts.active as f64),
        Kpi::New => return Some(counts.new as f64),
        Kpi::RetentionRate => (figures.retention_rate, counts.before),
        Kpi::ChurnRate => (figures.churn_rate, counts.before),
        Kpi::Crr => (figures.crr, counts.before),
        Kpi::RepeatPurchaseRate => (figures.repeat_purchase_rate, counts.active),
        Kpi::PurchaseFrequency => (figures.purchase_frequency, counts.active),
        Kpi::Aov => (figures.aov_cents, counts.orders),
        Kpi::Arpu => (figures.arpu_cents, counts.active),
        Kpi::ClvSimple => (figures.clv_simple_cents, counts.active),
        Kpi::ClvMarginChurn => (figures.clv_margin_churn_cents, counts.before),
        Kpi::Nps => answers.nps().map_or((None, 0), |nps| (nps.score, nps.answers)),
        Kpi::Csat => answers.csat().map_or((None, 0), |csat| (csat.score, csat.answers)),
    };
    value.filter(|_| behind >= LEAST_PEOPLE)
}
