//! Customers and rule sets for the tests of rules.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use stammgast::base::id::Id;
use stammgast::base::money::Cents;
use stammgast::base::time::{UnixMs, Zone};
use stammgast::model::attribute::Attributes;
use stammgast::model::crossing::{Crossing, PastClasses, Tracked};
use stammgast::model::customer::{Customer, Locale};
use stammgast::model::email_address::EmailAddress;
use stammgast::model::facts::{Facts, History, Moment, Needs, PastEmail, PastEvent, PastLine, PastOrder};
use stammgast::model::outlook::Outlook;
use stammgast::model::predicate::Literal;
use stammgast::model::score::{Abc, Score};
use stammgast::rules::{Evaluation, RuleSet};

/// A day in Berlin at 9:00.
pub(super) fn morning(date: &str) -> Moment {
    let zone = Zone::parse("Europe/Berlin").unwrap();
    Moment { now: zone.parse_time(&format!("{date}T09:00")).unwrap(), zone }
}

/// The day the tests run on unless they say otherwise.
pub(crate) fn today() -> Moment {
    morning("2026-07-01")
}

/// A customer without orders, of whom only the shop's key is known.
pub(super) fn stranger() -> Facts {
    let customer = Customer {
        id: Id(2),
        external_id: "K-2".to_owned(),
        email: None,
        first_name: None,
        last_name: None,
        birthday: None,
        locale: None,
        tags: vec![],
        attributes: Attributes::new(),
        referred_by: None,
    };
    Facts { read: Needs::ALL, ..Facts::new(customer, None) }
}

/// A customer with everything: three orders, the first on 2024-07-01, the last 70 days ago; 123.45 in all; birthday 1984-07-01.
pub(super) fn regular() -> Facts {
    let moment = today();
    let at = |date: &str| -> UnixMs { moment.zone.parse_time(&format!("{date}T18:30")).unwrap() };
    let customer = Customer {
        id: Id(1),
        external_id: "K-1".to_owned(),
        email: EmailAddress::parse("erika@example.org").ok(),
        first_name: Some("Erika".to_owned()),
        last_name: Some("Mustermann".to_owned()),
        birthday: NaiveDate::from_ymd_opt(1984, 7, 1),
        locale: Some(Locale::De),
        tags: vec!["newsletter".to_owned(), "vip".to_owned()],
        attributes: Attributes::from([
            ("city".to_owned(), Literal::Text("Bonn".to_owned())),
            ("points".to_owned(), Literal::Number(Decimal::new(125, 1))),
            ("card".to_owned(), Literal::Flag(true)),
            ("yearly_need".to_owned(), Literal::Number(Decimal::from(300))),
        ]),
        referred_by: Some("K-9".to_owned()),
    };
    let score = Score {
        customer_id: Id(1),
        as_of: moment.now,
        recency_days: 70,
        orders: 3,
        revenue: Cents(12_345),
        average_order_value: Cents(4_115),
        first_order_at: at("2024-07-01"),
        last_order_at: at("2026-04-22"),
        tenure_days: 730,
        r: 3,
        f: 4,
        m: 5,
        rfm: 345,
        rfm_weighted_e4: 40_000,
        abc: Abc::A,
        abc_adjusted: Some(Abc::B),
        revenue_rank: 7,
        top_percent: 3,
        outlook: Outlook {
            typical_gap_e1: Some(365),
            next_order_in_days: Some(-33),
            churn_risk_e2: Some(4_025),
            expected_orders_365_e4: Some(25_000),
            expected_order_value: Some(Cents(4_050)),
            clv_12m: Some(Cents(9_999)),
        },
    };
    let order = |date: &str, cents| PastOrder { at: at(date), revenue: Cents(cents) };
    let line = |date: &str, sku: &str, quantity| PastLine {
        at: at(date),
        sku: Some(sku.to_owned()),
        name: Some("Trüffel".to_owned()),
        category: Some("Pralinen".to_owned()),
        quantity,
    };
    let biscuits = |date: &str| PastLine { name: Some("Keks".to_owned()), category: Some("Gebäck".to_owned()), ..line(date, "P-7", 1) };
    let email = |date: &str, rule: &str| PastEmail { at: at(date), rule: rule.to_owned() };
    let event = |date: &str, kind: &str, answer| PastEvent { at: at(date), kind: kind.to_owned(), answer };
    let crossing = |date: &str, score, was, class| Crossing { at: at(date), score, was, class };
    // What happens this evening is yet to come.
    let history = History {
        orders: vec![
            order("2026-04-22", 10_000),
            PastOrder { at: moment.window(2), revenue: Cents(2_000) },
            PastOrder { at: moment.now, revenue: Cents(345) },
            order("2026-07-01", 1),
        ],
        lines: vec![
            biscuits("2025-01-01"),
            biscuits("2025-02-01"),
            biscuits("2025-03-01"),
            biscuits("2025-04-01"),
            biscuits("2025-05-01"),
            biscuits("2026-02-01"),
            biscuits("2026-03-01"),
            biscuits("2026-04-01"),
            line("2026-04-22", "P-1", 2),
            line("2026-06-30", "P-2", 1),
            line("2026-07-01", "P-9", 9),
        ],
        emails: vec![email("2026-04-20", "win-back"), email("2026-06-20", "thanks"), email("2026-07-01", "thanks")],
        events: vec![
            event("2026-02-01", "nps", Some(3)),
            event("2026-05-30", "csat", Some(4)),
            event("2026-06-01", "nps", Some(8)),
            event("2026-06-30", "click", None),
            event("2026-07-01", "nps", Some(0)),
        ],
        referrals: vec![at("2026-05-01"), at("2026-07-01")],
        classes: PastClasses {
            begins: Some(at("2025-01-01")),
            settled: [Some(2), Some(3), Some(4), Some(5), Some(3)],
            crossings: vec![
                crossing("2025-02-01", Tracked::Abc, None, Some(3)),
                crossing("2025-08-01", Tracked::Abc, Some(3), Some(1)),
                crossing("2026-06-29", Tracked::Abc, Some(1), Some(2)),
                crossing("2026-06-30", Tracked::R, Some(5), Some(3)),
                crossing("2026-06-30", Tracked::Churn, Some(1), Some(3)),
            ],
        },
    };
    let own = Attributes::from([("lead".to_owned(), Literal::Number(Decimal::from(70)))]);
    Facts { history: Some(history.into()), own, read: Needs::ALL, ..Facts::new(customer, Some(score)) }
}

/// A regular with other scores.
pub(super) fn regular_with(change: impl FnOnce(&mut Score)) -> Facts {
    let mut facts = regular();
    facts.score.as_deref_mut().map(change);
    facts
}

/// Loads one file.
pub(crate) fn load(text: &str) -> Result<RuleSet, Vec<String>> {
    let set = RuleSet::from_sources(vec![("test.rhai".to_owned(), text.to_owned())]);
    set.map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

/// A rule with this condition.
pub(crate) fn with_condition(condition: &str) -> String {
    format!("rule(\"r\").basis(\"consent\").when({condition}).send(|c| email(\"t\"));")
}

/// A rule with this action.
pub(super) fn with_action(action: &str) -> String {
    format!("rule(\"r\").basis(\"consent\").when(|c| true).send({action});")
}

/// What a condition says about a customer.
pub(super) fn evaluate(condition: &str, facts: &Facts, moment: Moment) -> Evaluation {
    let set = load(&with_condition(condition)).unwrap_or_else(|faults| panic!("{condition}: {faults:#?}"));
    set.rules()[0].evaluate(std::slice::from_ref(facts), moment).remove(0)
}

/// Whether a condition is true of a customer; a condition that fails is a failed test.
pub(super) fn matches(condition: &str, facts: &Facts) -> bool {
    match evaluate(condition, facts, today()) {
        Evaluation::Match { .. } => true,
        Evaluation::NoMatch => false,
        Evaluation::Failed(sentence) => panic!("{condition}: {sentence}"),
    }
}
