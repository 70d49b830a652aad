//! Tries a new rule out on an example customer who has everything: what fails there fails for everybody, and is better known before.

use chrono::NaiveDate;

use super::explain::Trouble;
use super::registry::View;
use super::rule::{ActJob, Rule, judge, perform};
use crate::base::id::Id;
use crate::base::money::Cents;
use crate::base::time::{DAY_MS, UnixMs, Zone};
use crate::model::action::Action;
use crate::model::attribute::Attributes;
use crate::model::customer::{Customer as Record, Locale};
use crate::model::email_address::EmailAddress;
use crate::model::facts::{Facts, Moment, Needs};
use crate::model::outlook::Outlook;
use crate::model::score::{Abc, Score};

/// 2026-01-15T12:00:00Z.
pub(super) const NOW: UnixMs = UnixMs(1_768_478_400_000);

/// What goes wrong in the rule's condition and actions. A condition may fail for one customer and not for another (a list that is too
/// short, a division by zero): only what is certain counts. An action has to work.
pub(super) fn run(rule: &Rule) -> Vec<Trouble> {
    let moment = Moment { now: NOW, zone: Zone(chrono_tz::Tz::UTC) };
    let customer = View::new(&example(), moment, moment.today()).customer();
    let condition = judge(&mut rule.condition.calls(&rule.engine), customer.clone()).err().filter(|trouble| trouble.certain);
    let actions = rule.actions.iter().filter_map(|action| perform(&mut action.calls(&rule.engine), customer.clone(), &[0; 32], moment.today()).err());
    condition.into_iter().chain(actions).collect()
}

impl Rule {
    /// What its actions make for an example customer who has everything.
    #[must_use]
    pub fn tried(&self) -> Vec<Action> {
        let (facts, moment) = (example(), Moment { now: NOW, zone: Zone(chrono_tz::Tz::UTC) });
        let jobs: Vec<ActJob<'_>> =
            self.spec.variants.iter().map(|variant| ActJob { facts: &facts, variant: &variant.name, code_seed: [0; 32] }).collect();
        self.act(&jobs, moment).into_iter().flatten().map(|acted| acted.action).collect()
    }
}

/// Somebody who has everything.
pub(super) fn example() -> Facts {
    let customer = Record {
        id: Id(1),
        external_id: "1001".to_owned(),
        email: EmailAddress::parse("erika@example.org").ok(),
        first_name: Some("Erika".to_owned()),
        last_name: Some("Mustermann".to_owned()),
        birthday: NaiveDate::from_ymd_opt(1984, 1, 15),
        locale: Some(Locale::De),
        tags: vec!["newsletter".to_owned(), "vip".to_owned()],
        attributes: Attributes::new(),
        referred_by: None,
    };
    let score = Score {
        customer_id: Id(1),
        as_of: NOW,
        recency_days: 70,
        orders: 3,
        revenue: Cents(12_345),
        average_order_value: Cents(4_115),
        first_order_at: NOW.plus(-400 * DAY_MS),
        last_order_at: NOW.plus(-70 * DAY_MS),
        tenure_days: 400,
        r: 3,
        f: 4,
        m: 4,
        rfm: 344,
        rfm_weighted_e4: 36_667,
        abc: Abc::A,
        abc_adjusted: Some(Abc::A),
        revenue_rank: 10,
        top_percent: 5,
        outlook: Outlook {
            typical_gap_e1: Some(1_655),
            next_order_in_days: Some(96),
            churn_risk_e2: Some(1_525),
            expected_orders_365_e4: Some(21_750),
            expected_order_value: Some(Cents(4_020)),
            clv_12m: Some(Cents(8_190)),
        },
    };
    // Nothing happened, but everything was looked up.
    Facts { read: Needs::ALL, ..Facts::new(customer, Some(score)) }
}
