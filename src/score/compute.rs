//! Scores of all customers at once: columns, sorted in parallel.

use std::thread;

use chrono::{Datelike as _, NaiveDate};

use super::borders::{Borders, last_rank};
use super::days::Days;
use super::lifetime::{Known, Lifetime, churn_risks, outlooks, rhythm};
use super::newcomers;
use super::rank::{Ties, abc, ascending, buckets, count, descending};
use crate::base::money::Cents;
use crate::base::time::{UnixMs, Zone, days_between};
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
    /// What compares customers: r, f, m, classes and places; else they are 0, C and nothing.
    pub standings: bool,
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
    pub const ALL: Self = Self { standings: true, lifetime: Models::All };
    /// What the classes need that customers move between.
    pub const CLASSES: Self = Self { standings: true, lifetime: Models::Churn };
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
    let today = zone.date(as_of);
    let column = |value: fn(&OrderFacts) -> i64| facts.iter().map(value).collect::<Vec<i64>>();
    let revenue = column(|facts| facts.revenue.0);
    let ties = if wanted.standings { Ties::of(&column(|facts| facts.customer_id.0)) } else { Ties::of(&[]) };
    let none = || (vec![0; facts.len()], Vec::new());
    let scored =
        |values: &[i64]| if wanted.standings { buckets(values, &ascending(values, &ties), rules.buckets, rules.bucket_rule) } else { none() };
    let days_ago = |at: fn(&OrderFacts) -> UnixMs| {
        let (mut days, today) = (Days::new(zone), i64::from(today.num_days_from_ce()));
        facts.iter().map(|facts| today - i64::from(days.of(at(facts)))).collect::<Vec<i64>>()
    };
    let recency_column = || {
        let recency: Vec<i64> = days_ago(|facts| facts.last_order_at).into_iter().map(|days| -days).collect();
        let (r, steps) = scored(&recency);
        (recency, r, steps)
    };
    let frequency_columns = || (days_ago(|facts| facts.first_order_at), scored(&column(|facts| facts.orders)));
    let revenue_columns = || {
        if !wanted.standings {
            return (none(), Vec::new(), (vec![Abc::C; facts.len()], Default::default()));
        }
        let order = ascending(&revenue, &ties);
        let by_revenue = descending(&revenue, &order);
        let classes = match rules.abc_by {
            AbcBy::Revenue => abc(&revenue, &by_revenue, rules.abc_rule, rules.abc_percent),
            AbcBy::Margin => {
                let margin = column(|facts| facts.margin.0);
                abc(&margin, &descending(&margin, &ascending(&margin, &ties)), rules.abc_rule, rules.abc_percent)
            }
        };
        (buckets(&revenue, &order, rules.buckets, rules.bucket_rule), by_revenue, classes)
    };
    let ((recency, r, r_steps), (tenure, (f, f_steps)), ((m, m_steps), by_revenue, (classes, abc_cents))) = thread::scope(|scope| {
        let recency = scope.spawn(recency_column);
        let frequency = scope.spawn(frequency_columns);
        let revenue = revenue_columns();
        (joined(recency), joined(frequency), revenue)
    });
    let (adjusted, newcomers) = if wanted.standings && rules.newcomer_days > 0 {
        let value = |facts: &OrderFacts| if rules.abc_by == AbcBy::Margin { facts.margin.0 } else { facts.revenue.0 };
        newcomers::adjusted(&facts.iter().map(value).collect::<Vec<_>>(), &column(|facts| facts.customer_id.0), &tenure, &classes, rules)
    } else {
        (vec![None; facts.len()], Vec::new())
    };
    let people = count(facts.len());
    let mut ranks = vec![0; facts.len()];
    for (rank, &index) in (1..).zip(&by_revenue) {
        ranks[index] = rank;
    }
    let known = |(facts, (recency, tenure)): (&OrderFacts, (&i64, &i64))| Known { habit: facts.habit, recency_days: -recency, tenure_days: *tenure };
    let known: Vec<Known> = facts.iter().zip(recency.iter().zip(&tenure)).map(known).collect();
    let lifetime = (wanted.lifetime == Models::All).then(|| Lifetime::fit(&known));
    let outlooks = match &lifetime {
        Some(lifetime) => Some(outlooks(lifetime, &known, rules.clv_discount_percent)),
        None if wanted.lifetime == Models::Churn => Some(churn_risks(&known)),
        None => None,
    };
    let scores = facts.iter().enumerate().map(|(index, facts)| {
        let standing = Standing {
            recency_days: -recency[index],
            tenure_days: tenure[index],
            r: r[index].into(),
            f: f[index].into(),
            m: m[index].into(),
            abc: classes[index],
            abc_adjusted: adjusted[index],
            revenue_rank: ranks[index],
            outlook: outlooks.as_ref().map_or_else(|| rhythm(&known[index]), |outlooks| outlooks[index]),
        };
        score(facts, as_of, &standing, people, rules)
    });
    let last_of = |percent| by_revenue.get(usize::try_from(last_rank(people, percent) - 1).ok()?).map(|&index| revenue[index]);
    let settings = Borders::settings(zone, rules);
    let top_cents = (1..=100).filter_map(last_of).collect();
    let borders = Borders { settings, customers: people, r: r_steps, f: f_steps, m: m_steps, abc_cents, newcomers, top_cents, lifetime };
    Scored { scores: scores.collect(), borders }
}

/// The thread's result; a panic in it goes on here.
fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
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
