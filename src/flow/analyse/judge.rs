//! The verdict of a rule, and the guardrail.

use serde::Serialize;

use super::{Arms, bought, counted};
use crate::base::time::DAY_MS;
use crate::flow::Ctx;
use crate::model::customer::Locale;
use crate::model::report::{ArmCounts, RuleCounts};
use crate::model::switch::Switch;
use crate::stats::proportion::Proportion;
use crate::stats::verdict::{self, LEVEL, Outcome};
use crate::stats::words::{self, Told};

/// What the comparisons of a rule say together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VerdictReport {
    /// `winner`, `no_difference`, `not_enough` or `broken`.
    pub outcome: Outcome,
    /// The arm with the highest rate first, then those that are not surely worse.
    pub leaders: Vec<String>,
    /// Arms that are surely worse than the first leader.
    pub beaten: Vec<String>,
    /// For `not_enough`: about so many people more, all arms together.
    pub more_people: Option<i64>,
    /// About so many days at the pace up to now.
    pub more_days: Option<i64>,
    /// The verdict in the shop's language.
    pub sentence: String,
}

/// Two variants and how many people they made unsubscribe.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guardrail {
    /// The variant that more people leave.
    pub arm: String,
    /// The other.
    pub against: String,
    /// Difference of the shares that unsubscribed by a link of the message, never negative.
    pub unsubscribed_difference: f64,
    /// p-value that holds at every look together, after Holm over all pairs of variants.
    pub p_value: f64,
    /// p < 0.05: this variant drives people away.
    pub worse: bool,
}

pub(super) fn verdict(ctx: &Ctx, counts: &RuleCounts, arms: &Arms<'_>, split_p: Option<f64>, switch: Option<&Switch>) -> Option<VerdictReport> {
    let rates: Vec<Proportion> = arms.counts.iter().map(|(_, counts)| bought(counts)).collect();
    let mut verdict = verdict::judge(&rates, &arms.pairs, split_p)?;
    let people: i64 = arms.counts.iter().map(|(_, counts)| counts.people).sum();
    // Where people come again, so many more decisions are needed as say as much as the people asked for.
    let alone: i64 = rates.iter().map(|rate| rate.of).sum();
    let more = |wanted: i64| i64::try_from(i128::from(wanted) * i128::from(people) / i128::from(alone.max(1))).unwrap_or(i64::MAX);
    verdict.more_people = verdict.more_people.map(more);
    let days = counts.first_at.map(|first| ctx.clock.now().since(first).max(DAY_MS));
    let more_days = verdict.more_people.zip(days).map(|(more, elapsed)| days_for(more, people, elapsed));
    let told: Vec<(Option<&str>, f64)> = arms.counts.iter().map(|(name, counts)| (*name, counted(counts).rate().unwrap_or(0.0))).collect();
    let told = Told { arms: &told, smallest_percent: ctx.config.experiments.smallest_effect_percent, more_days };
    let locale = Locale::parse(&ctx.config.shop.locale).unwrap_or_default();
    let names = |places: &[usize]| places.iter().map(|place| arms.name(*place)).collect();
    Some(VerdictReport {
        outcome: verdict.outcome,
        leaders: names(&verdict.leaders),
        beaten: names(&verdict.beaten),
        more_people: verdict.more_people,
        more_days,
        sentence: format!("{}{}", words::sentence(&verdict, &told, locale), switched(ctx, switch, locale)),
    })
}

/// That the winner takes the traffic.
fn switched(ctx: &Ctx, switch: Option<&Switch>, locale: Locale) -> String {
    let Some(Switch { winner, at, .. }) = switch else { return String::new() };
    let day = ctx.config.shop.zone().wall(*at);
    match locale {
        Locale::De => format!(" Seit {} bekommen alle Neuen {winner}; verglichen wird, wer davor an der Reihe war.", day.format("%d.%m.%Y")),
        Locale::En => format!(" Since {} everybody new gets {winner}; compared are those who came before.", day.format("%Y-%m-%d")),
    }
}

/// Whole days in which so many more people come, when `people` came in `elapsed_ms`; at least one.
fn days_for(more: i64, people: i64, elapsed_ms: i64) -> i64 {
    let days = i128::from(more) * i128::from(elapsed_ms) / i128::from(people.max(1)) / i128::from(DAY_MS);
    i64::try_from(days + 1).unwrap_or(i64::MAX)
}

/// Each two variants; control gets no message that one could unsubscribe by.
pub(super) fn guardrails(counts: &RuleCounts, smallest: f64) -> Vec<Guardrail> {
    let left = |counts: &ArmCounts| Proportion { hits: counts.unsubscribed, of: counts.people };
    let shares: Vec<Proportion> = counts.variants.iter().map(left).collect();
    let guardrail = |pair: &verdict::Pair| {
        let (first, second) = pair.arms;
        let difference = shares[second].rate()? - shares[first].rate()?;
        let (arm, against) = if difference < 0.0 { (first, second) } else { (second, first) };
        let name = |place: usize| counts.variants[place].name.clone();
        Some(Guardrail {
            arm: name(arm),
            against: name(against),
            unsubscribed_difference: difference.abs(),
            p_value: pair.adjusted,
            worse: pair.adjusted < LEVEL,
        })
    };
    verdict::pairs(&shares, smallest).iter().filter_map(guardrail).collect()
}
