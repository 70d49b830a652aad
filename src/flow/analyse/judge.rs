//! The verdict of a rule, and the guardrails.

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
use crate::stats::{Interval, exact};

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

/// How people show that they want no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Harm {
    /// By the link in the message.
    Unsubscribed,
    /// By calling it spam.
    Complained,
}

/// The smallest rise of complaints that a look has to find: twice as many. They are so rare that finding less would take more people than a shop has.
const TWICE: f64 = 1.0;

impl Harm {
    const ALL: [Self; 2] = [Self::Unsubscribed, Self::Complained];

    fn share(self, counts: &ArmCounts) -> Proportion {
        let hits = match self {
            Self::Unsubscribed => counts.unsubscribed,
            Self::Complained => counts.complained,
        };
        Proportion { hits, of: counts.people }
    }
}

/// Two variants and how many people they drove away.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guardrail {
    /// What is compared.
    pub harm: Harm,
    /// The variant that more people leave.
    pub arm: String,
    /// The other.
    pub against: String,
    /// Difference of the shares, never negative.
    pub difference: f64,
    /// 95 % interval of it that holds at every look together.
    pub interval: Interval,
    /// p-value that holds at every look together, after Holm over all pairs of variants.
    pub p_value: f64,
    /// p < 0.05: this variant drives people away.
    pub worse: bool,
    /// More complaints, and already one look at them would say so (p < 0.05): not sure, but reason enough to give this variant no traffic.
    pub doubtful: bool,
}

impl Guardrail {
    /// Whether the variant may not take the traffic.
    pub(super) fn stops(&self, winner: &str) -> bool {
        self.arm == winner && (self.worse || self.doubtful)
    }
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

/// Each two variants, by what people do who want no more; control gets no message that they could do it to.
pub(super) fn guardrails(counts: &RuleCounts, smallest: f64) -> Vec<Guardrail> {
    Harm::ALL.into_iter().flat_map(|harm| of_harm(counts, harm, if harm == Harm::Complained { TWICE } else { smallest })).collect()
}

fn of_harm(counts: &RuleCounts, harm: Harm, smallest: f64) -> Vec<Guardrail> {
    let shares: Vec<Proportion> = counts.variants.iter().map(|arm| harm.share(arm)).collect();
    let guardrail = |pair: &verdict::Pair| {
        let (first, second) = pair.arms;
        let difference = shares[second].rate()? - shares[first].rate()?;
        let (low, high) = pair.look.interval;
        let ((arm, against), interval) = if difference < 0.0 { ((first, second), (-high, -low)) } else { ((second, first), (low, high)) };
        let name = |place: usize| counts.variants[place].name.clone();
        Some(Guardrail {
            harm,
            arm: name(arm),
            against: name(against),
            difference: difference.abs(),
            interval,
            p_value: pair.adjusted,
            worse: pair.adjusted < LEVEL,
            doubtful: harm == Harm::Complained && exact::p_value(shares[arm], shares[against]).is_some_and(|p_value| p_value < LEVEL),
        })
    };
    verdict::pairs(&shares, smallest).iter().filter_map(guardrail).collect()
}
