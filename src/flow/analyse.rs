//! Stage: what the counts say: rates with intervals, money per person, differences to control and between variants.
//!
//! People are compared as they were assigned (intention to treat): whose mail failed still belongs to the variant, and control's window begins at the
//! same moment as the variants'. So the difference is what the rule earns, not what its reachable part earns.

use serde::Serialize;

use super::{Ctx, FlowError};
use crate::model::report::{ArmCounts, RuleCounts};
use crate::stats::Interval;
use crate::stats::mean::{self, Sample};
use crate::stats::proportion::{self, Proportion};
use crate::store::report;

/// The report of all rules; field names are a contract with scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Rules with decisions, by name.
    pub rules: Vec<RuleReport>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RuleReport {
    /// The rule.
    pub rule: String,
    /// Decisions: refused, held out and sent together.
    pub proposed: i64,
    /// Whether the rule has a goal; without one nothing is counted as bought.
    pub goal: bool,
    /// People whose goal's window is still open: their part of the figures may grow.
    pub open: i64,
    /// Refusals by reason.
    pub refused: serde_json::Map<String, serde_json::Value>,
    /// Held out.
    pub control: ArmReport,
    /// The variants, by name.
    pub variants: Vec<ArmReport>,
    /// Each variant against control, when there is a control; each further variant against the first.
    pub comparisons: Vec<Comparison>,
}

/// One arm: its counts, and what they say.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArmReport {
    /// The counts; in JSON beside the others.
    #[serde(flatten)]
    pub counts: ArmCounts,
    /// `converted / people`; null without people or goal.
    pub rate: Option<f64>,
    /// 95 % Wilson interval of the rate.
    pub rate_interval: Option<Interval>,
    /// `revenue / people` in cents; null without people or goal.
    pub revenue_per_person_cents: Option<f64>,
}

/// Two arms: differences are always `arm` − `against`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The arm.
    pub arm: String,
    /// What it is compared with.
    pub against: String,
    /// Difference of the rates.
    pub rate_difference: Option<f64>,
    /// 95 % Newcombe interval of it.
    pub rate_interval: Option<Interval>,
    /// Difference of the revenue per person, in cents.
    pub revenue_difference_cents: Option<f64>,
    /// 95 % Welch interval of it, in cents; null with fewer than two people in an arm.
    pub revenue_interval_cents: Option<Interval>,
}

/// The report, of one rule or all.
pub async fn report(ctx: &Ctx, rule: Option<&str>) -> Result<Report, FlowError> {
    let mut tx = ctx.db.read().await?;
    let counts = report::rules(&mut tx, ctx.clock.now()).await?;
    let wanted = counts.into_iter().filter(|counts| rule.is_none_or(|rule| counts.rule == rule));
    Ok(Report { rules: wanted.map(analyse).collect() })
}

fn analyse(counts: RuleCounts) -> RuleReport {
    let goal = counts.with_goal > 0;
    let control = arm(&counts.control, "control", goal);
    let variants: Vec<ArmReport> = counts.variants.iter().map(|variant| arm(variant, &variant.name, goal)).collect();
    let mut comparisons = Vec::new();
    if goal && counts.control.people > 0 {
        comparisons.extend(counts.variants.iter().map(|variant| compare(variant, &variant.name, &counts.control, "control")));
    }
    if let Some((first, others)) = counts.variants.split_first().filter(|_| goal) {
        comparisons.extend(others.iter().map(|variant| compare(variant, &variant.name, first, &first.name)));
    }
    let refused = counts.refused.into_iter().map(|(reason, count)| (reason, count.into())).collect();
    RuleReport { rule: counts.rule, proposed: counts.proposed, goal, open: counts.open, refused, control, variants, comparisons }
}

fn arm(counts: &ArmCounts, name: &str, goal: bool) -> ArmReport {
    let proportion = bought(counts);
    ArmReport {
        counts: ArmCounts { name: name.to_owned(), ..counts.clone() },
        rate: proportion.rate().filter(|_| goal),
        rate_interval: proportion.wilson().filter(|_| goal),
        revenue_per_person_cents: revenue(counts).mean().filter(|_| goal),
    }
}

fn bought(counts: &ArmCounts) -> Proportion {
    Proportion { hits: counts.converted, of: counts.people }
}

#[expect(clippy::cast_precision_loss, reason = "cents far below 2^52")]
fn revenue(counts: &ArmCounts) -> Sample {
    Sample { count: counts.people, sum: counts.revenue_cents as f64, sum_of_squares: counts.revenue_squares }
}

fn compare(arm: &ArmCounts, name: &str, against: &ArmCounts, against_name: &str) -> Comparison {
    let rates = proportion::difference(bought(arm), bought(against));
    let revenues = mean::difference(revenue(arm), revenue(against));
    Comparison {
        arm: name.to_owned(),
        against: against_name.to_owned(),
        rate_difference: rates.map(|(difference, _)| difference),
        rate_interval: rates.map(|(_, interval)| interval),
        revenue_difference_cents: revenues.map(|(difference, _)| difference),
        revenue_interval_cents: revenues.and_then(|(_, interval)| interval),
    }
}
