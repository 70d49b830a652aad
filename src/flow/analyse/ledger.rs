//! What a rule earned, or all of them together: revenue against control × margin − vouchers − sending.

use serde::Serialize;

use super::{float, plain_revenue};
use crate::flow::Ctx;
use crate::model::customer::Locale;
use crate::model::report::{ArmCounts, RuleCounts};
use crate::stats::Interval;
use crate::stats::earned::{Arm, Increment, Unknown, increment};
use crate::stats::earned_words::{self, Told, Whose};
use crate::stats::mean::Sample;
use crate::stats::srm;

/// The ledger of a rule, or of all together against those held out from all, in cents. Null where it cannot be told. Intervals are 95 % and hold for one look.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ledger {
    /// People written to, all variants together, also those whose mail failed.
    pub treated: i64,
    /// People held out.
    pub control: i64,
    /// By how much what those treated paid (inside the goal's window; of all rules together: since they entered the comparison) is more than what as many of control paid; refunds and vouchers are off already.
    pub revenue_cents: Option<f64>,
    /// 95 % interval of it.
    pub revenue_interval_cents: Option<Interval>,
    /// The margin of it, as though vouchers cost nothing; null also when the margin is not known.
    pub margin_cents: Option<f64>,
    /// Orders on which a voucher of the rule was redeemed, whoever did it and whenever.
    pub vouchers: i64,
    /// Those of them after the goal's window or by somebody else: the voucher is deducted, the order is not counted.
    pub vouchers_outside: i64,
    /// What these vouchers took off, also for people who would have bought anyway.
    pub voucher_cents: f64,
    /// What sending cost.
    pub sending_cents: f64,
    /// `margin − voucher − sending`.
    pub earned_cents: Option<f64>,
    /// 95 % interval of it.
    pub earned_interval_cents: Option<Interval>,
    /// The share of the interval's width, squared, that comes from control: near 1 a larger control helps most.
    pub from_control: Option<f64>,
    /// Why what was earned cannot be told; null when it can.
    pub unknown: Option<Unknown>,
    /// The same in the shop's language.
    pub sentence: String,
}

/// What two groups of people come to: those who were treated, and control.
pub(super) struct Account {
    /// What was paid, treated and control.
    pub(super) revenue: [Arm; 2],
    /// Margin before and after vouchers, likewise.
    pub(super) margin: [Arm; 2],
    /// Orders whose cost is not known.
    pub(super) without_cost: i64,
    pub(super) vouchers: i64,
    pub(super) vouchers_outside: i64,
    pub(super) voucher_cents: f64,
    /// Messages that may have cost something.
    pub(super) messages: i64,
    /// Whether control says what those treated would have done.
    pub(super) comparable: Result<(), Unknown>,
    pub(super) whose: Whose,
}

impl Account {
    pub(super) fn ledger(&self, ctx: &Ctx) -> Ledger {
        let shop = &ctx.config.shop;
        let sending_cents = float(self.messages) * shop.cost_per_message * 100.0;
        let compared = |[treated, control]: [Arm; 2]| increment(treated, control).ok_or_else(|| self.empty());
        let revenue = self.comparable.and_then(|()| compared(self.revenue));
        let margin_known = self.without_cost == 0 || shop.margin().is_some();
        let earned = revenue.and_then(|_| if margin_known { compared(self.margin) } else { Err(Unknown::NoMargin) });
        let earned = earned.map(|found| less(found, sending_cents));
        let [treated, control] = self.revenue.map(|arm| arm.gross.count);
        let (whose, currency) = (self.whose, shop.currency.code());
        let told = Told { whose, found: earned.map(in_units), revenue: revenue.ok().map(in_units), control, currency };
        Ledger {
            treated,
            control,
            revenue_cents: revenue.ok().map(|found| found.total),
            revenue_interval_cents: revenue.ok().map(|found| found.interval),
            margin_cents: earned.ok().map(|found| found.total + sending_cents + self.voucher_cents),
            vouchers: self.vouchers,
            vouchers_outside: self.vouchers_outside,
            voucher_cents: self.voucher_cents,
            sending_cents,
            earned_cents: earned.ok().map(|found| found.total),
            earned_interval_cents: earned.ok().map(|found| found.interval),
            from_control: earned.ok().map(|found| found.from_control),
            unknown: earned.err(),
            sentence: earned_words::sentence(&told, Locale::parse(&shop.locale).unwrap_or_default()),
        }
    }

    /// Why two arms have no difference.
    fn empty(&self) -> Unknown {
        let bought: i64 = self.revenue.iter().map(|arm| arm.buyers).sum();
        if bought == 0 { Unknown::NobodyBought } else { Unknown::TooFew }
    }
}

/// `None` of a rule that has reached and held out nobody.
pub(super) fn ledger(ctx: &Ctx, counts: &RuleCounts, split_p: Option<f64>) -> Option<Ledger> {
    let sum = |field: fn(&ArmCounts) -> i64| counts.variants.iter().map(field).sum::<i64>();
    let account = Account {
        revenue: [together(&counts.variants, revenue), together([&counts.control], revenue)],
        margin: [together(&counts.variants, margin), together([&counts.control], margin)],
        without_cost: counts.control.money.without_cost + sum(|arm| arm.money.without_cost),
        vouchers: sum(|arm| arm.money.vouchers),
        vouchers_outside: sum(|arm| arm.money.vouchers_outside),
        voucher_cents: counts.variants.iter().map(|arm| arm.money.voucher_cents).sum(),
        // Of a message in doubt nobody knows whether it left, but it may have cost.
        messages: sum(|arm| arm.sent + arm.in_doubt),
        comparable: comparable(counts, split_p),
        whose: Whose::Rule,
    };
    (sum(|arm| arm.people) + counts.control.people > 0).then(|| account.ledger(ctx))
}

/// Whether control says what those treated would have done.
fn comparable(counts: &RuleCounts, split_p: Option<f64>) -> Result<(), Unknown> {
    if counts.with_goal == 0 {
        return Err(Unknown::NoGoal);
    }
    if counts.control.people == 0 {
        return Err(Unknown::NoControl);
    }
    if split_p.is_some_and(|p_value| p_value < srm::LIMIT) { Err(Unknown::BrokenSplit) } else { Ok(()) }
}

/// Arms as one, in what `money` says of each: amounts before and after deductions, as sums and sums of squares.
fn together<'a>(arms: impl IntoIterator<Item = &'a ArmCounts>, money: fn(&ArmCounts) -> [f64; 4]) -> Arm {
    let mut all = [0.0; 4];
    let (mut people, mut buyers, mut effects) = (0, 0, 0.0);
    for arm in arms {
        for (sum, amount) in all.iter_mut().zip(money(arm)) {
            *sum += amount;
        }
        people += arm.people;
        buyers += arm.converted;
        effects += plain_revenue(arm).1 * float(arm.people);
    }
    let sample = |sum, sum_of_squares| Sample { count: people, sum, sum_of_squares };
    Arm { gross: sample(all[0], all[1]), net: sample(all[2], all[3]), buyers, effect: (effects / float(people)).max(1.0) }
}

/// What was paid; vouchers are off already.
fn revenue(arm: &ArmCounts) -> [f64; 4] {
    let (sum, squares) = (float(arm.revenue_cents), arm.revenue_squares);
    [sum, squares, sum, squares]
}

fn margin(arm: &ArmCounts) -> [f64; 4] {
    let money = &arm.money;
    [money.margin_cents, money.margin_squares, money.margin_cents - money.voucher_cents, money.net_squares]
}

fn less(found: Increment, cents: f64) -> Increment {
    Increment { total: found.total - cents, interval: (found.interval.0 - cents, found.interval.1 - cents), ..found }
}

fn in_units(found: Increment) -> Increment {
    Increment { total: found.total / 100.0, interval: (found.interval.0 / 100.0, found.interval.1 / 100.0), ..found }
}
