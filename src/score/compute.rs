//! Scores of all customers at once: columns, sorted in parallel.

use chrono::{Datelike as _, NaiveDate};

use super::borders::{Borders, last_rank};
use super::days::Days;
use super::lifetime::{Known, Lifetime, churn_risks, outlooks, rhythm};
use super::newcomers;
use super::rank::{Ties, abc, ascending, buckets, count, descending};
use crate::base::money::Cents;
use crate::base::time::{UnixMs, Zone, days_between};
use crate::model::fact::Fact;
use crate::model::facts::Needs;
use crate::model::outlook::Outlook;
use crate::model::score::{Abc, AbcBy, OrderFacts, Score, ScoreRules};

/// The outcome of a full run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    /// One per customer, in the order of the facts.
    pub scores: Vec<Score>,
    /// To place single customers until the next full run.
    pub borders: Borders,
}

/// What takes its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Which of [`Needs::STANDINGS`]: r, f, m, classes and places; those that nobody wants may be 0, C and nothing.
    pub standings: Needs,
    /// Models of how customers buy; what does not follow from them is missing.
    pub lifetime: Models,
}

/// How much is made of the models of how customers buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Models {
    /// Nothing.
    Nothing,
    /// The churn risk.
    Churn,
    /// All that follows from them.
    All,
}

impl Wanted {
    /// Everything.
    pub const ALL: Self = Self { standings: Needs::STANDINGS, lifetime: Models::All };
    /// What the classes need that customers move between.
    pub const CLASSES: Self = Self { standings: Needs::STANDINGS, lifetime: Models::Churn };

    fn has(self, facts: impl IntoIterator<Item = Fact>) -> bool {
        self.standings.any(Needs::of(facts))
    }
}

/// What compares customers and the days that the calendar gives, in columns: a replay puts scores together from them where they stay. A column that nobody wants is
/// empty.
#[derive(Debug)]
pub struct Columns<'a> {
    facts: &'a [OrderFacts],
    as_of: UnixMs,
    rules: &'a ScoreRules,
    /// Days since the last order and since the first.
    recency: Vec<i64>,
    tenure: Vec<i64>,
    r: Vec<u8>,
    f: Vec<u8>,
    m: Vec<u8>,
    classes: Vec<Abc>,
    adjusted: Vec<Option<Abc>>,
    ranks: Vec<i64>,
    /// Where the models are asked; else there is the rhythm.
    outlooks: Option<Vec<Outlook>>,
}

impl Columns<'_> {
    /// The score of the customer at a place; `None` behind the last one.
    #[must_use]
    pub fn score(&self, place: usize) -> Option<Score> {
        let facts = self.facts.get(place)?;
        let (recency_days, tenure_days) = (self.recency[place], self.tenure[place]);
        let number = |column: &[u8]| column.get(place).map_or(0, |score| i64::from(*score));
        let outlook = match &self.outlooks {
            Some(outlooks) => outlooks[place],
            None => rhythm(&Known { habit: facts.habit, recency_days, tenure_days }),
        };
        let standing = Standing {
            recency_days,
            tenure_days,
            r: number(&self.r),
            f: number(&self.f),
            m: number(&self.m),
            abc: self.classes.get(place).copied().unwrap_or(Abc::C),
            abc_adjusted: self.adjusted.get(place).copied().flatten(),
            revenue_rank: self.ranks.get(place).copied().unwrap_or(0),
            outlook,
        };
        Some(score(facts, self.as_of, &standing, count(self.facts.len()), self.rules))
    }
}

/// What compares a customer with the others, and the days that the calendar gives.
pub(super) struct Standing {
    pub(super) recency_days: i64,
    pub(super) tenure_days: i64,
    pub(super) r: i64,
    pub(super) f: i64,
    pub(super) m: i64,
    pub(super) abc: Abc,
    pub(super) abc_adjusted: Option<Abc>,
    pub(super) revenue_rank: i64,
    pub(super) outlook: Outlook,
}

/// Scores everybody who has orders, as of a moment; days are calendar days in `zone`. Ties are settled by customer id, lowest first, so the
/// outcome does not depend on the order of the facts. A million customers take about a second on two cores.
#[must_use]
pub fn compute(facts: &[OrderFacts], as_of: UnixMs, zone: Zone, rules: &ScoreRules, wanted: Wanted) -> Scored {
    let (columns, borders) = columns(facts, as_of, zone, rules, wanted);
    Scored { scores: (0..facts.len()).filter_map(|place| columns.score(place)).collect(), borders }
}

/// What [`compute`] makes scores from.
#[must_use]
pub fn columns<'a>(facts: &'a [OrderFacts], as_of: UnixMs, zone: Zone, rules: &'a ScoreRules, wanted: Wanted) -> (Columns<'a>, Borders) {
    let today = i64::from(zone.date(as_of).num_days_from_ce());
    let column = |value: fn(&OrderFacts) -> i64| facts.iter().map(value).collect::<Vec<i64>>();
    let digits = [Fact::Rfm, Fact::RfmWeighted];
    let [wants_r, wants_f, wants_m] = [Fact::R, Fact::F, Fact::M].map(|fact| wanted.has(digits.into_iter().chain([fact])));
    let wants_adjusted = wanted.has([Fact::AbcAdjusted]) && rules.newcomer_days > 0;
    let (wants_ranks, wants_classes) = (wanted.has([Fact::RevenueRank, Fact::TopPercent]), wanted.has([Fact::Abc, Fact::AbcAdjusted]));
    let sorts = wants_r || wants_f || wants_m || wants_ranks || wants_classes;
    let ties = Ties::of(&if sorts { column(|facts| facts.customer_id.0) } else { Vec::new() });
    let scored = |values: &[i64]| buckets(values, &ascending(values, &ties), rules.buckets, rules.bucket_rule);
    let days_ago = |at: fn(&OrderFacts) -> UnixMs| {
        let mut days = Days::new(zone);
        facts.iter().map(|facts| today - i64::from(days.of(at(facts)))).collect::<Vec<i64>>()
    };
    let recency_columns = || {
        let recency = days_ago(|facts| facts.last_order_at);
        let scored = if wants_r { scored(&recency.iter().map(|days| -days).collect::<Vec<i64>>()) } else { Default::default() };
        (recency, scored)
    };
    let frequency_columns = || {
        let scored = if wants_f { scored(&column(|facts| facts.orders)) } else { Default::default() };
        (days_ago(|facts| facts.first_order_at), scored)
    };
    let revenue = if wants_m || wants_ranks || wants_classes { column(|facts| facts.revenue.0) } else { Vec::new() };
    let revenue_columns = || {
        let order = ascending(&revenue, &ties);
        let by_revenue = descending(&revenue, &order);
        let classes = match rules.abc_by {
            _ if !wants_classes => Default::default(),
            AbcBy::Revenue => abc(&revenue, &by_revenue, rules.abc_rule, rules.abc_percent),
            AbcBy::Margin => {
                let margin = column(|facts| facts.margin.0);
                abc(&margin, &descending(&margin, &ascending(&margin, &ties)), rules.abc_rule, rules.abc_percent)
            }
        };
        (if wants_m { buckets(&revenue, &order, rules.buckets, rules.bucket_rule) } else { Default::default() }, by_revenue, classes)
    };
    // What takes longest begins first.
    let (((m, m_steps), by_revenue, (classes, abc_cents)), ((recency, (r, r_steps)), (tenure, (f, f_steps)))) =
        rayon::join(revenue_columns, || rayon::join(recency_columns, frequency_columns));
    let (adjusted, newcomers) = if wants_adjusted {
        let value = |facts: &OrderFacts| if rules.abc_by == AbcBy::Margin { facts.margin.0 } else { facts.revenue.0 };
        newcomers::adjusted(&facts.iter().map(value).collect::<Vec<_>>(), &column(|facts| facts.customer_id.0), &tenure, &classes, rules)
    } else {
        Default::default()
    };
    let mut ranks = vec![0; if wants_ranks { facts.len() } else { 0 }];
    for (rank, &index) in (1..).zip(&by_revenue).take(ranks.len()) {
        ranks[index] = rank;
    }
    let known = || {
        let known =
            |(facts, (recency, tenure)): (&OrderFacts, (&i64, &i64))| Known { habit: facts.habit, recency_days: *recency, tenure_days: *tenure };
        facts.iter().zip(recency.iter().zip(&tenure)).map(known).collect::<Vec<Known>>()
    };
    let (lifetime, outlooks) = match wanted.lifetime {
        Models::All => {
            let known = known();
            let lifetime = Lifetime::fit(&known);
            (Some(lifetime), Some(outlooks(&lifetime, &known, rules.clv_discount_percent)))
        }
        Models::Churn => (None, Some(churn_risks(&known()))),
        Models::Nothing => (None, None),
    };
    let people = count(facts.len());
    let last_of = |percent| by_revenue.get(usize::try_from(last_rank(people, percent) - 1).ok()?).map(|&index| revenue[index]);
    let settings = Borders::settings(zone, rules);
    let top_cents = (1..=100).filter_map(last_of).collect();
    let borders = Borders { settings, customers: people, r: r_steps, f: f_steps, m: m_steps, abc_cents, newcomers, top_cents, lifetime };
    (Columns { facts, as_of, rules, recency, tenure, r, f, m, classes, adjusted, ranks, outlooks }, borders)
}

/// Calendar days from the day of `at` to `today`.
pub(super) fn days_before(at: UnixMs, today: NaiveDate, zone: Zone) -> i64 {
    days_between(zone.date(at), today)
}

/// Puts a customer's score together.
pub(super) fn score(facts: &OrderFacts, as_of: UnixMs, standing: &Standing, people: i64, rules: &ScoreRules) -> Score {
    let &Standing { recency_days, tenure_days, r, f, m, abc, abc_adjusted, revenue_rank, outlook } = standing;
    // With ten or more buckets a score takes two digits.
    let base = if rules.buckets < 10 { 10 } else { 100 };
    let weighted: i64 = rules.weights.iter().zip([r, f, m]).map(|(weight, score)| weight * score * 10_000).sum();
    Score {
        customer_id: facts.customer_id,
        as_of,
        recency_days,
        orders: facts.orders,
        revenue: facts.revenue,
        average_order_value: Cents(divide_rounded(facts.revenue.0, facts.orders)),
        first_order_at: facts.first_order_at,
        last_order_at: facts.last_order_at,
        tenure_days,
        r,
        f,
        m,
        rfm: (r * base + f) * base + m,
        rfm_weighted_e4: divide_rounded(weighted, rules.weights.iter().sum()),
        abc,
        abc_adjusted,
        revenue_rank,
        // The smallest p with rank ≤ ceil(people·p/100).
        top_percent: 100 * (revenue_rank - 1) / people + 1,
        outlook,
    }
}

/// `dividend / divisor`, rounded half away from zero; 0 for a divisor below 1.
fn divide_rounded(dividend: i64, divisor: i64) -> i64 {
    if divisor < 1 {
        return 0;
    }
    let (whole, rest) = (dividend / divisor, dividend % divisor);
    // Compared this way round because twice the rest may not fit.
    if rest.unsigned_abs() >= divisor.unsigned_abs() - rest.unsigned_abs() { whole + dividend.signum() } else { whole }
}
