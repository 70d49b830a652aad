//! What all rules earned together: everybody they may write to against those held out from all of them.
//!
//! Somebody enters with the first decision that a rule makes about them, to write or to hold out: both groups pass the same gates first, and differ in nothing but
//! what comes after. From then on all their orders count, in no goal's window, until now.

use serde::Serialize;

use super::float;
use super::ledger::{Account, Ledger};
use crate::base::time::{DAY_MS, UnixMs};
use crate::flow::{Ctx, FlowError};
use crate::model::holdout::{Entrant, Span};
use crate::policy::holdout;
use crate::stats::earned::{Arm, Unknown};
use crate::stats::earned_words::{EARLY_DAYS, Whose};
use crate::stats::mean::Sample;
use crate::stats::srm;
use crate::store::{Tx, holdouts};

/// Fewer people than these are no sign of a broken split, however they fall.
const FEW: f64 = 5.0;

/// Everybody against those held out from all rules.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HoldoutReport {
    /// When it began: the first run that met the configured share.
    pub since: UnixMs,
    /// When nobody was held out any more; null while somebody is. Orders count up to then.
    pub until: Option<UnixMs>,
    /// Of all customers. When the share has changed meanwhile, the smallest: these were held out all the time.
    pub percent: u32,
    /// People who were held out for a part of the time only, because the share changed; they are in neither group.
    pub changed_sides: i64,
    /// Days since people entered the comparison, on average.
    pub mean_days: f64,
    /// p-value of the check that so many are held out as should be (χ²); below 0.001 something is broken. Null while fewer than five are to be expected.
    pub split_p: Option<f64>,
    /// Those held out.
    pub control: Everybody,
    /// Everybody else: who was written to, and who was held out from single rules.
    pub rest: Everybody,
    /// What all rules earned.
    pub ledger: Ledger,
}

/// A group of people.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Everybody {
    /// How many entered.
    pub people: i64,
    /// Those who bought since.
    pub bought: i64,
    /// What they paid, in cents.
    pub revenue_cents: i64,
    /// Per person, in cents; null of nobody.
    pub revenue_per_person_cents: Option<f64>,
}

/// The report of the last time in which people were held out from all rules; `None` when nobody ever was.
pub(super) async fn report(ctx: &Ctx, tx: &mut Tx) -> Result<Option<HoldoutReport>, FlowError> {
    let Some(span) = Span::last(&holdouts::changes(tx).await?) else { return Ok(None) };
    let until = span.until.unwrap_or(UnixMs(i64::MAX)).min(ctx.clock.now());
    let (mut control, mut rest, mut changed_sides, mut waited_ms) = (Group::default(), Group::default(), 0, 0.0);
    holdouts::entrants(tx, (span.since, until), ctx.config.shop.margin().unwrap_or(0.0), |entrant| {
        let inside = |percent| holdout::is_in(&span.seed, &entrant.external_id, percent);
        match (inside(span.least), inside(span.most)) {
            (true, _) => control.add(&entrant),
            (false, false) => rest.add(&entrant),
            (false, true) => changed_sides += 1,
        }
        waited_ms += float(until.since(entrant.entered).max(0));
    })
    .await?;
    let people = float(control.people + rest.people);
    let mean_days = if people > 0.0 { waited_ms / (people + float(changed_sides)) / float(DAY_MS) } else { 0.0 };
    let shares = [f64::from(span.least), f64::from(100 - span.most)];
    let expected = people * shares[0] / (shares[0] + shares[1]);
    let split_p = (expected >= FEW).then(|| srm::p_value(&[control.people, rest.people], &shares));
    #[expect(clippy::cast_possible_truncation, reason = "days since 1970 at most")]
    let early = Some(mean_days as i64).filter(|days| *days < EARLY_DAYS);
    let comparable = match split_p {
        _ if control.people == 0 => Err(Unknown::NoControl),
        Some(p_value) if p_value < srm::LIMIT => Err(Unknown::BrokenSplit),
        _ => Ok(()),
    };
    let account = Account {
        revenue: [rest.revenue.arm(&rest), control.revenue.arm(&control)],
        margin: [rest.margin.arm(&rest), control.margin.arm(&control)],
        without_cost: rest.without_cost + control.without_cost,
        vouchers: rest.vouchers,
        vouchers_outside: 0,
        voucher_cents: rest.voucher_cents,
        messages: rest.messages,
        comparable,
        whose: Whose::Campaigns { early },
    };
    Ok(Some(HoldoutReport {
        since: span.since,
        until: span.until,
        percent: span.least,
        changed_sides,
        mean_days,
        split_p,
        control: control.told(),
        rest: rest.told(),
        ledger: account.ledger(ctx),
    }))
}

/// Sums over people.
#[derive(Default)]
struct Group {
    people: i64,
    bought: i64,
    revenue_cents: i64,
    revenue: Sums,
    margin: Sums,
    without_cost: i64,
    vouchers: i64,
    voucher_cents: f64,
    messages: i64,
}

impl Group {
    fn add(&mut self, entrant: &Entrant) {
        self.people += 1;
        self.bought += i64::from(entrant.bought);
        self.revenue_cents += entrant.revenue_cents;
        self.revenue.add(float(entrant.revenue_cents), float(entrant.revenue_cents));
        self.margin.add(entrant.margin_cents, entrant.margin_cents - entrant.voucher_cents);
        self.without_cost += entrant.without_cost;
        self.vouchers += entrant.vouchers;
        self.voucher_cents += entrant.voucher_cents;
        self.messages += entrant.messages;
    }

    fn told(&self) -> Everybody {
        let revenue_per_person_cents = (self.people > 0).then(|| float(self.revenue_cents) / float(self.people));
        Everybody { people: self.people, bought: self.bought, revenue_cents: self.revenue_cents, revenue_per_person_cents }
    }
}

/// Amounts before and after deductions, each as sum and sum of squares.
#[derive(Clone, Copy, Default)]
struct Sums {
    gross: [f64; 2],
    net: [f64; 2],
}

impl Sums {
    fn add(&mut self, gross: f64, net: f64) {
        for (sums, amount) in [(&mut self.gross, gross), (&mut self.net, net)] {
            *sums = [sums[0] + amount, sums[1] + amount * amount];
        }
    }

    fn arm(self, group: &Group) -> Arm {
        let sample = |[sum, sum_of_squares]: [f64; 2]| Sample { count: group.people, sum, sum_of_squares };
        Arm { gross: sample(self.gross), net: sample(self.net), buyers: group.bought, effect: 1.0 }
    }
}
