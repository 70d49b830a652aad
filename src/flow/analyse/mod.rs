//! Stage: what the counts say: rates with intervals, money per person, differences to control and between variants, and the verdict.
//!
//! People are compared as they were assigned (intention to treat): whose mail failed still belongs to the variant, and control's window begins at the
//! same moment as the variants'. So the difference is what the rule earns, not what its reachable part earns.

mod compare;
mod holdout;
mod judge;
mod ledger;
mod pictures;
mod split;
pub(super) mod winner;

use serde::Serialize;

pub use compare::{AlwaysValid, Comparison};
pub use holdout::{Everybody, HoldoutReport};
pub use judge::{Guardrail, Harm, VerdictReport};
pub use ledger::Ledger;
pub use pictures::{Picture, pictures};

use super::{Ctx, FlowError};
use crate::model::report::{Again, ArmCounts, RuleCounts};
use crate::model::switch::Switch;
use crate::stats::Interval;
use crate::stats::mean::Sample;
use crate::stats::proportion::Proportion;
use crate::stats::ratio::{self, Ratio};
use crate::store::report::{self, Which};
use crate::store::switches;

/// What JSON and the report call those held out.
const CONTROL: &str = "control";

/// The report of all rules; field names are a contract with scripts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Rules with decisions, by name.
    pub rules: Vec<RuleReport>,
    /// What all rules earned together; null when nobody was ever held out from all, and in the report of one rule.
    pub holdout: Option<HoldoutReport>,
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
    /// Decisions not to write because the customer is held out from all rules; they are in no arm.
    pub holdout: i64,
    /// Refusals by reason.
    pub refused: serde_json::Map<String, serde_json::Value>,
    /// Held out.
    pub control: ArmReport,
    /// The variants, by name.
    pub variants: Vec<ArmReport>,
    /// Each variant against control, when there is a control; each further variant against the first.
    pub comparisons: Vec<Comparison>,
    /// What the comparisons say together; null without goal and with fewer than two arms that have people.
    pub verdict: Option<VerdictReport>,
    /// The variant that has won and takes the traffic, and since when; comparisons, verdict, guardrails and the check of the split are about decisions before.
    pub switch: Option<Switch>,
    /// What the rule earned; null when it has reached and held out nobody.
    pub ledger: Option<Ledger>,
    /// Unsubscriptions and complaints of each two variants.
    pub guardrails: Vec<Guardrail>,
    /// p-value of the check that people were split as the rule says (χ², each person once); below 0.001 the split is broken. Null when no version tells its weights.
    pub split_p: Option<f64>,
    /// What 95 of 100 buyers did not pass, in cents: revenue counts up to here in the `capped` figures.
    pub cap_cents: i64,
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

/// The report, of one rule or all.
pub async fn report(ctx: &Ctx, rule: Option<&str>) -> Result<Report, FlowError> {
    let mut tx = ctx.db.read().await?;
    let (now, margin) = (ctx.clock.now(), ctx.config.shop.margin().unwrap_or(0.0));
    let only = rule.map(|rule| vec![rule.to_owned()]);
    let counts = report::rules(&mut tx, now, margin, Which::All, only.as_deref()).await?;
    // After a switch everybody gets the winner: that says what the rule earns, but nothing about the variants.
    let switched: Vec<String> = switches::rules(&mut tx).await?.into_iter().filter(|switched| rule.is_none_or(|rule| rule == switched)).collect();
    let split = if switched.is_empty() { Vec::new() } else { report::rules(&mut tx, now, margin, Which::BeforeSwitch, Some(&switched)).await? };
    let mut rules = Vec::new();
    for counts in counts {
        let compared = split.iter().find(|split| split.rule == counts.rule).unwrap_or(&counts);
        let split_p = split::p_value(&mut tx, compared).await?;
        let switch = winner::of_running(&mut tx, &counts.rule).await?;
        let compared = compared.clone();
        rules.push(analyse(ctx, counts, &compared, (split_p, switch)));
    }
    let holdout = if rule.is_none() { holdout::report(ctx, &mut tx).await? } else { None };
    Ok(Report { rules, holdout })
}

fn analyse(ctx: &Ctx, counts: RuleCounts, compared: &RuleCounts, (split_p, switch): (Option<f64>, Option<Switch>)) -> RuleReport {
    let goal = counts.with_goal > 0;
    let smallest = ctx.config.experiments.smallest_effect();
    let arms = Arms::of(compared, smallest);
    RuleReport {
        comparisons: if goal { arms.comparisons(smallest) } else { Vec::new() },
        verdict: judge::verdict(ctx, compared, &arms, split_p, switch.as_ref()).filter(|_| goal),
        switch,
        ledger: ledger::ledger(ctx, &counts, split_p),
        guardrails: judge::guardrails(compared, smallest),
        control: arm(&counts.control, CONTROL, goal),
        variants: counts.variants.iter().map(|variant| arm(variant, &variant.name, goal)).collect(),
        rule: counts.rule,
        proposed: counts.proposed,
        goal,
        open: counts.open,
        holdout: counts.holdout,
        refused: counts.refused.into_iter().map(|(reason, count)| (reason, count.into())).collect(),
        split_p,
        cap_cents: compared.cap_cents,
    }
}

/// The arms that have people, control first, and what is known of each pair.
struct Arms<'a> {
    counts: Vec<(Option<&'a str>, &'a ArmCounts)>,
    pairs: Vec<crate::stats::verdict::Pair>,
}

impl<'a> Arms<'a> {
    fn of(counts: &'a RuleCounts, smallest: f64) -> Self {
        let control = (counts.control.people > 0).then_some((None, &counts.control));
        let counts: Vec<_> = control.into_iter().chain(counts.variants.iter().map(|variant| (Some(variant.name.as_str()), variant))).collect();
        let pairs = crate::stats::verdict::pairs(&counts.iter().map(|(_, counts)| bought(counts)).collect::<Vec<_>>(), smallest);
        Self { counts, pairs }
    }

    fn name(&self, place: usize) -> String {
        self.counts[place].0.unwrap_or(CONTROL).to_owned()
    }

    /// Each variant against control, then each further variant against the first.
    fn comparisons(&self, smallest: f64) -> Vec<Comparison> {
        let first_variant = usize::from(self.counts.first().is_some_and(|(name, _)| name.is_none()));
        let with_control = (0..first_variant).flat_map(|control| (first_variant..self.counts.len()).map(move |arm| (control, arm)));
        let with_first = (first_variant + 1..self.counts.len()).map(|arm| (first_variant, arm));
        with_control.chain(with_first).map(|(against, arm)| compare::compare(self, arm, against, smallest)).collect()
    }
}

fn arm(counts: &ArmCounts, name: &str, goal: bool) -> ArmReport {
    ArmReport {
        counts: ArmCounts { name: name.to_owned(), ..counts.clone() },
        rate: counted(counts).rate().filter(|_| goal),
        rate_interval: bought(counts).wilson().filter(|_| goal),
        revenue_per_person_cents: revenue(counts).mean().filter(|_| goal),
    }
}

/// Who bought, as counted.
fn counted(counts: &ArmCounts) -> Proportion {
    Proportion { hits: counts.converted, of: counts.people }
}

/// Who bought; where people came again, of so many decisions as stand alone.
fn bought(counts: &ArmCounts) -> Proportion {
    let plain = counted(counts);
    let Some((again, rate)) = counts.again.zip(plain.rate()) else { return plain };
    let sums = sums(again, again.converted_squares, again.decisions_converted);
    ratio::alone_of_rate(plain, sums.design_effect(float(counts.converted), float(counts.people), rate * (1.0 - rate)))
}

/// What they brought, likewise.
fn revenue(counts: &ArmCounts) -> Sample {
    let (plain, effect) = plain_revenue(counts);
    ratio::alone_of_mean(plain, effect)
}

/// The same, each decision counted up to the cap only.
fn capped(counts: &ArmCounts) -> Sample {
    let plain = Sample { count: counts.people, sum: float(counts.capped_cents), sum_of_squares: counts.capped_squares };
    ratio::alone_of_mean(plain, plain_revenue(counts).1)
}

/// The revenue of the decisions as counted, and how many say as much as one that stands alone.
fn plain_revenue(counts: &ArmCounts) -> (Sample, f64) {
    let plain = Sample { count: counts.people, sum: float(counts.revenue_cents), sum_of_squares: counts.revenue_squares };
    let effect = counts.again.zip(plain.variance()).map_or(1.0, |(again, variance)| {
        sums(again, again.revenue_squares, again.decisions_revenue).design_effect(plain.sum, float(counts.people), variance)
    });
    (plain, effect)
}

fn sums(again: Again, top_squares: f64, products: f64) -> Ratio {
    Ratio { people: float(again.customers), bottom_squares: again.decisions_squares, top_squares, products }
}

#[expect(clippy::cast_precision_loss, reason = "people and cents far below 2^52")]
fn float(count: i64) -> f64 {
    count as f64
}
