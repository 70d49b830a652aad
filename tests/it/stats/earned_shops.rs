//! Made-up shops with a planted lift: how often the ledger's interval holds what a rule really earned. Shared by the tests and by the example `earned_promise`.

use stammgast::stats::earned::{Arm, increment};
use stammgast::stats::mean::{self, Sample};

use super::dice::Dice;

/// A rule in a shop, and what is true of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Design {
    pub(crate) people: u32,
    /// Share of the people held out.
    pub(crate) control: f64,
    /// Shares that buy without a message and with it, at each chance.
    pub(crate) rates: [f64; 2],
    /// So many chances everybody has. Where it is more than one, half of them use each nine times as often as the others.
    pub(crate) chances: u32,
    /// Baskets are exp(3.5 + spread × normal): the higher, the fewer large orders make the revenue.
    pub(crate) spread: f64,
    /// Baskets of people who were written to are so many times as large.
    pub(crate) baskets: f64,
    /// Share of those written to and buying who redeem 10 %, whether they would have bought anyway or not.
    pub(crate) redeem: f64,
}

/// Of the undiscounted price.
const MARGIN: f64 = 0.4;
const VOUCHER: f64 = 0.1;
/// Each tenth order comes back by half.
const RETURNED: f64 = 0.1;

/// Of a hundred shops: in how many the interval holds the true revenue and the true earnings, in how many it lies above the latter, and in how many Welch's
/// interval would hold it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) revenue: f64,
    pub(crate) earned: f64,
    pub(crate) too_high: f64,
    pub(crate) welch: f64,
}

pub(crate) fn held(design: Design, shops: u32, seed: u64) -> Held {
    let mut dice = Dice(seed);
    let control = f64::from(design.people) * design.control;
    let basket = (3.5 + design.spread * design.spread / 2.0).exp() * (1.0 - RETURNED / 2.0);
    let off = VOUCHER * design.redeem;
    let true_of = |margin: f64| f64::from(design.chances) * basket * (design.rates[1] * design.baskets * (margin - off) - design.rates[0] * margin);
    let (mut revenue_held, mut earned_held, mut too_high, mut welch_held) = (0, 0, 0, 0);
    for _ in 0..shops {
        let (mut revenue, mut margin) = ([Sums::default(); 2], [Sums::default(); 2]);
        for person in 0..design.people {
            let treated = usize::from(f64::from(person) >= control);
            let (mut prices, mut vouchers) = (0.0, 0.0);
            let eager = if design.chances == 1 {
                1.0
            } else if dice.share() < 0.5 {
                0.2
            } else {
                1.8
            };
            for _ in 0..design.chances {
                if dice.share() >= design.rates[treated] * eager {
                    continue;
                }
                let mut price = (3.5 + design.spread * dice.normal()).exp() * if dice.share() < RETURNED { 0.5 } else { 1.0 };
                if treated == 1 {
                    price *= design.baskets;
                    vouchers += if dice.share() < design.redeem { price * VOUCHER } else { 0.0 };
                }
                prices += price;
            }
            revenue[treated].add(prices - vouchers, prices - vouchers);
            margin[treated].add(prices * MARGIN, prices * MARGIN - vouchers);
        }
        let holds = |sums: [Sums; 2], truth: f64| {
            let found = increment(sums[1].arm(), sums[0].arm()).map(|found| found.interval);
            let truth = truth * f64::from(design.people) * (1.0 - design.control);
            found.map_or((false, false), |(low, high)| (low <= truth && truth <= high, truth < low))
        };
        revenue_held += u32::from(holds(revenue, true_of(1.0)).0);
        let (held, above) = holds(margin, true_of(MARGIN));
        earned_held += u32::from(held);
        too_high += u32::from(above);
        let welch = mean::difference(margin[1].arm().net, margin[0].arm().net).and_then(|(_, interval)| interval);
        welch_held += u32::from(welch.is_some_and(|(low, high)| low <= true_of(MARGIN) && true_of(MARGIN) <= high));
    }
    let percent = |count: u32| f64::from(count) / f64::from(shops) * 100.0;
    Held { revenue: percent(revenue_held), earned: percent(earned_held), too_high: percent(too_high), welch: percent(welch_held) }
}

/// Amounts before and after deductions.
#[derive(Clone, Copy, Default)]
struct Sums {
    people: i64,
    buyers: i64,
    gross: [f64; 2],
    net: [f64; 2],
}

impl Sums {
    fn add(&mut self, gross: f64, net: f64) {
        self.people += 1;
        self.buyers += i64::from(gross != 0.0);
        for (sums, amount) in [(&mut self.gross, gross), (&mut self.net, net)] {
            *sums = [sums[0] + amount, sums[1] + amount * amount];
        }
    }

    fn arm(self) -> Arm {
        let sample = |[sum, sum_of_squares]: [f64; 2]| Sample { count: self.people, sum, sum_of_squares };
        Arm { gross: sample(self.gross), net: sample(self.net), buyers: self.buyers, effect: 1.0 }
    }
}
