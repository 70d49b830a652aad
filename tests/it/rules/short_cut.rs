//! The short cut past the interpreter never changes an answer: random conditions about random customers.

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use rust_decimal::Decimal;
use stammgast::base::money::Cents;
use stammgast::base::time::UnixMs;
use stammgast::model::attribute::Attributes;
use stammgast::model::crossing::{Crossing, PastClasses, Tracked};
use stammgast::model::customer::Locale;
use stammgast::model::event::Survey;
use stammgast::model::facts::{Facts, History, PastEmail, PastEvent, PastLine, PastOrder};
use stammgast::model::outlook::Outlook;
use stammgast::model::predicate::Literal;
use stammgast::model::score::Abc;
use stammgast::rules::Evaluation;

use super::example::{load, regular, stranger, today, with_condition};

const WHOLE: &[&str] = &[
    "recency_days",
    "orders",
    "age",
    "birthday_in_days",
    "r",
    "rfm",
    "revenue_rank",
    "anniversary_in_days",
    "anniversary_years",
    "month",
    "weekday",
    "day",
    "birthday_month",
    "next_order_in_days",
    "nps",
    "csat",
    "different_products",
    "different_categories",
    "referrals",
];
/// Facts with brackets, and flags, which are not compared with numbers.
const COUNTED: &[&str] = &[
    "orders_in(days(30))",
    "orders_in(weeks(52))",
    "revenue_in(days(90))",
    "pieces(\"P-1\")",
    "pieces(\"Trüffel\", days(100))",
    "pieces_of_category(\"Pralinen\", days(400))",
    "emails_in(days(60))",
    "emails_of(\"win-back\")",
    "emails_of(\"thanks\", days(20))",
    "days_until(\"12-24\")",
    "days_until(\"2026-06-30\")",
    "answers_in(days(60))",
    "events_of(\"click\")",
    "events_of(\"NPS\", days(30))",
    "days_since(\"click\")",
    "days_since(\"csat\")",
    "interest(\"Pralinen\", days(60))",
    "share_of_wallet(\"points\")",
    "r_was(days(30))",
    "f_was(weeks(10))",
    "m_was(days(199))",
    "m_was(days(250))",
];
const ATTRIBUTES: &[&str] = &["attr(\"city\")", "attr(\"points\")", "attr(\"card\")", "attr(\"50%\")"];
const FLAGS: &[&str] = &[
    "has_email",
    "birthday_this_week",
    "bought(\"P-1\")",
    "bought(\"P-2\", days(90))",
    "bought_category(\"Pralinen\")",
    "bought_category(\"Eis\", weeks(9))",
];
const DECIMAL: &[&str] =
    &["revenue", "average_order_value", "rfm_weighted", "typical_gap_days", "churn_risk", "expected_orders_365", "expected_order_value", "clv_12m"];
const TEXT: &[&str] = &[
    "id",
    "first_name",
    "locale",
    "abc",
    "nps_class",
    "top_interest",
    "referred_by",
    "abc_was(days(60))",
    "abc_was(days(199))",
    "churn_was(days(9))",
];

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        (-3_i64..80).prop_map(|n| n.to_string()),
        // Near the small numbers of most fields, and finer than a cent.
        (0_i64..5_000).prop_map(|n| format!("{}.{:03}", n / 1_000, n % 1_000)),
        (-300_i64..20_000).prop_map(|n| format!("{}{}.{:02}", if n < 0 { "-" } else { "" }, n.abs() / 100, n.abs() % 100))
    ]
}

fn word() -> impl Strategy<Value = String> {
    prop::sample::select(
        &["A", "B", "de", "en", "Erika", "Änne", "K-1", "", "erika", "vip", "passive", "promoter", "detractor", "B", "low", "high"][..],
    )
    .prop_map(|word| format!("\"{word}\""))
}

fn leaf() -> impl Strategy<Value = String> {
    let operator = || prop::sample::select(&["==", "!=", "<", "<=", ">", ">="][..]);
    let figure = || prop_oneof![prop::sample::select(WHOLE), prop::sample::select(DECIMAL)];
    prop_oneof![
        6 => (figure(), operator(), number()).prop_map(|(field, operator, number)| format!("c.{field} {operator} {number}")),
        2 => (figure(), prop::sample::select(&["==", "<", "<=", ">", ">="][..]), number()).prop_map(|(field, operator, number)| format!("{number} {operator} c.{field}")),
        2 => (figure(), number(), operator(), number()).prop_map(|(field, default, operator, number)| format!("(c.{field} ?? {default}) {operator} {number}")),
        3 => (prop::sample::select(TEXT), operator(), word()).prop_map(|(field, operator, word)| format!("c.{field} {operator} {word}")),
        1 => (prop::sample::select(TEXT), word(), operator(), word()).prop_map(|(field, default, operator, word)| format!("(c.{field} ?? {default}) {operator} {word}")),
        1 => (prop::sample::select(TEXT), prop::collection::vec(word(), 0..4)).prop_map(|(field, words)| format!("c.{field} in [{}]", words.join(", "))),
        1 => (figure(), prop::collection::vec(number(), 0..4)).prop_map(|(field, numbers)| format!("c.{field} in [{}]", numbers.join(", "))),
        1 => (figure(), prop::bool::ANY).prop_map(|(field, is)| format!("c.{field} {} ()", if is { "==" } else { "!=" })),
        1 => figure().prop_map(|field| format!("c.has(\"{field}\")")),
        1 => word().prop_map(|word| format!("c.tags.contains({word})")),
        1 => word().prop_map(|word| format!("{word} in c.tags")),
        2 => (prop::sample::select(FLAGS), prop::sample::select(&["", " == true", " != true", " == false", " != ()"][..]))
            .prop_map(|(flag, compared)| format!("c.{flag}{compared}")),
        1 => prop::sample::select(&["true", "false"][..]).prop_map(str::to_owned),
        3 => (prop::sample::select(ATTRIBUTES), operator(), prop_oneof![number(), word(), prop::bool::ANY.prop_map(|flag| flag.to_string())])
            .prop_map(|(fact, operator, value)| format!("c.{fact} {operator} {value}")),
        1 => (prop::sample::select(ATTRIBUTES), prop::collection::vec(word(), 0..3)).prop_map(|(fact, words)| format!("c.{fact} in [{}]", words.join(", "))),
        1 => (prop::sample::select(ATTRIBUTES), word(), word()).prop_map(|(fact, default, word)| format!("(c.{fact} ?? {default}) == {word}")),
        1 => (prop::sample::select(ATTRIBUTES), prop::bool::ANY).prop_map(|(fact, is)| format!("c.{fact} {} ()", if is { "==" } else { "!=" })),
        6 => (prop::sample::select(COUNTED), operator(), -1_i64..6).prop_map(|(fact, operator, number)| format!("c.{fact} {operator} {number}")),
        2 => (operator(), number()).prop_map(|(operator, number)| format!("c.score(\"lead\") {operator} {number}")),
        1 => (number(), operator(), number()).prop_map(|(default, operator, number)| format!("(c.score(\"lead\") ?? {default}) {operator} {number}")),
        1 => (operator(), word()).prop_map(|(operator, word)| format!("c.score(\"tier\") {operator} {word}")),
        1 => prop::collection::vec(word(), 0..3).prop_map(|words| format!("c.score(\"tier\") in [{}]", words.join(", "))),
        1 => (prop::sample::select(&["==", "!="][..]), prop::sample::select(&["lead\") OP ()", "vip\") OP true", "vip\") OP false", "none\") OP 1"][..]))
            .prop_map(|(operator, rest)| format!("c.score(\"{}", rest.replace("OP", operator))),
        1 => (prop::sample::select(COUNTED), number(), operator(), number())
            .prop_map(|(fact, default, operator, number)| format!("(c.{fact} ?? {default}) {operator} {number}")),
        // What only the interpreter can tell; some fail for some.
        2 => prop::sample::select(&["c.orders % 2 == 0", "c.tags.len() > 1", "c.tags[1] == \"vip\"", "c.first_name.len() > 3", "c.orders in 1..=2", "c.orders / (c.orders - 1) > 1", "(c.orders + 1) * 2 > 5"][..]).prop_map(str::to_owned),
    ]
}

pub(crate) fn condition() -> impl Strategy<Value = String> {
    leaf().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" && "))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" || "))),
            inner.prop_map(|part| format!("!({part})")),
        ]
    })
}

/// The history of the classes, of everybody: it begins in the window of 199 days.
pub(crate) fn classes_begin() -> UnixMs {
    today().window(199).plus(1)
}

/// Orders of the last 500 days, some in the future, with lines; emails, events, moves between classes.
fn history() -> impl Strategy<Value = History> {
    let text = |words: &'static [&'static str]| prop::option::of(prop::sample::select(words).prop_map(str::to_owned));
    let line = (text(&["P-1", "P-2"]), text(&["Trüffel", "P-1"]), text(&["Pralinen", "Eis"]), -1_i64..5);
    let order = (-20_000_i64..720_000, -500_i64..5_000, prop::collection::vec(line, 0..3));
    let email = (-20_000_i64..150_000, prop::sample::select(&["win-back", "thanks"][..]));
    // Near each other, so that several fall onto the same day or moment.
    let event = (prop_oneof![-3_i64..6, 0_i64..90].prop_map(|hours| hours * 12 * 60), prop::sample::select(&["nps", "csat", "click"][..]), 1_u8..=5);
    let events = prop::collection::vec(event, 0..6);
    let class = || prop::option::of(1_u8..=3);
    let crossing = (-2_i64..300, prop::sample::select(Tracked::ALL.to_vec()), class(), class());
    let classes = (prop::array::uniform5(class()), prop::collection::vec(crossing, 0..6));
    let past = (prop::collection::vec(order, 0..7), prop::collection::vec(email, 0..8), events, classes);
    past.prop_map(|(mut orders, mut emails, mut events, (settled, mut crossings))| {
        let mut history = History::default();
        let at = |minutes_ago: i64| today().now.plus(-minutes_ago * 60_000);
        orders.sort_by_key(|(minutes_ago, ..)| -minutes_ago);
        emails.sort_by_key(|(minutes_ago, _)| -minutes_ago);
        events.sort_by_key(|(minutes_ago, ..)| -minutes_ago);
        history.classes = PastClasses { begins: Some(classes_begin()), settled, crossings: Vec::new() };
        crossings.sort_by_key(|(days_ago, score, ..)| (-days_ago, *score));
        crossings.dedup_by_key(|(days_ago, score, ..)| (*days_ago, *score));
        let moves = crossings.into_iter().map(|(days_ago, score, was, class)| Crossing { at: at(days_ago * 24 * 60), score, was, class });
        history.classes.crossings.extend(moves);
        for (minutes_ago, kind, answer) in events {
            let answer = Survey::of_kind(kind).map(|survey| if survey == Survey::Nps { answer * 2 } else { answer });
            history.events.push(PastEvent { at: at(minutes_ago), kind: kind.to_owned(), answer });
        }
        for (minutes_ago, cents, lines) in orders {
            history.orders.push(PastOrder { at: at(minutes_ago), revenue: Cents(cents) });
            let lines = lines.into_iter().map(|(sku, name, category, quantity)| PastLine { at: at(minutes_ago), sku, name, category, quantity });
            history.lines.extend(lines);
        }
        history.emails.extend(emails.into_iter().map(|(minutes_ago, rule)| PastEmail { at: at(minutes_ago), rule: rule.to_owned() }));
        history
    })
}

pub(crate) fn customer() -> impl Strategy<Value = Facts> {
    let score = (prop::bool::ANY, -1_i64..80, 0_i64..4, -100_i64..20_000, 1_i64..=5, 0_usize..3);
    let record = (
        prop::sample::select(&["A", "K-1", "Änne", ""][..]),
        prop::option::of(prop::sample::select(&["Erika", "erika", "Änne"][..])),
        0_usize..3,
        prop::bool::ANY,
        prop::bool::ANY,
    );
    let days_ago = (prop::option::of(0_u16..800), prop::sample::select(&["2026-07-01", "1996-02-29", "1990-07-04", "1984-06-29", "1970-12-31"][..]));
    let tags = prop::collection::vec(prop::sample::select(&["vip", "A", "de", "50%", "a\"b"][..]), 0..3);
    let value = prop_oneof![
        prop::sample::select(&["A", "de", "Änne", "50%\"", ""][..]).prop_map(|text| Literal::Text(text.to_owned())),
        (-100_i64..2_000).prop_map(|cents| Literal::Number(Decimal::new(cents, 2))),
        prop::bool::ANY.prop_map(Literal::Flag),
    ];
    let attributes = prop::collection::btree_map(prop::sample::select(&["city", "points", "card", "50%"][..]).prop_map(str::to_owned), value, 0..4);
    let number = prop::option::of((-300_i64..8_000).prop_map(|cents| Literal::Number(Decimal::new(cents, 2))));
    let text = prop::option::of(prop::sample::select(&["A", "de", "Änne"][..]).prop_map(|text| Literal::Text(text.to_owned())));
    let own = (number, text, prop::option::of(prop::bool::ANY.prop_map(Literal::Flag))).prop_map(|(number, text, flag)| {
        let values = [("lead", number), ("tier", text), ("vip", flag)].into_iter();
        values.filter_map(|(name, value)| Some((name.to_owned(), value?))).collect::<Attributes>()
    });
    (score, record, tags, days_ago, (history(), attributes, own)).prop_map(
        |((scored, days, orders, cents, bucket, class), (id, name, locale, mail, born), tags, (first, birthday), (history, attributes, own))| {
            let mut facts = if scored { regular() } else { stranger() };
            id.clone_into(&mut facts.customer.external_id);
            facts.customer.first_name = name.map(str::to_owned);
            facts.customer.locale = [None, Some(Locale::De), Some(Locale::En)][locale];
            facts.customer.email = regular().customer.email.filter(|_| mail);
            facts.customer.birthday = birthday.parse().ok().filter(|_| born);
            facts.history = Some(history.into());
            facts.customer.attributes = attributes;
            facts.own = own;
            facts.customer.tags = tags.into_iter().map(str::to_owned).collect();
            if let (Some(score), Some(first)) = (&mut facts.score, first) {
                score.tenure_days = first.into();
                score.first_order_at = today().window(score.tenure_days + 1).plus(1);
            }
            if let Some(score) = &mut facts.score {
                (score.recency_days, score.orders, score.revenue, score.average_order_value) = (days, orders, Cents(cents), Cents(cents / 3));
                (score.r, score.rfm, score.rfm_weighted_e4, score.abc) = (bucket, bucket * 111, bucket * 10_001, [Abc::A, Abc::B, Abc::C][class]);
                let (rhythm, models) = (bucket > 2, class > 0);
                score.outlook = Outlook {
                    typical_gap_e1: rhythm.then_some(days * 5),
                    next_order_in_days: rhythm.then_some(days - 40),
                    churn_risk_e2: (models && orders > 1).then_some(cents.abs() % 10_001),
                    expected_orders_365_e4: models.then_some(cents.abs() * 3),
                    expected_order_value: models.then_some(Cents(cents / 5)),
                    clv_12m: models.then_some(Cents(cents)),
                };
            }
            facts
        },
    )
}

#[test]
fn the_short_cut_gives_the_interpreters_answer_to_every_condition_about_every_customer() {
    let mut runner = TestRunner::deterministic();
    let mut draw = |count: usize| -> Vec<Facts> { (0..count).map(|_| customer().new_tree(&mut runner).unwrap().current()).collect() };
    let people = draw(50);
    let mut runner = TestRunner::deterministic();
    let (mut asked, mut matched) = (0, 0);
    for _ in 0..2_000 {
        let text = condition().new_tree(&mut runner).unwrap().current();
        // A comparison that the check finds senseless does not load, and so never runs.
        let Ok(set) = load(&with_condition(&format!("|c| {text}"))) else { continue };
        let rule = &set.rules()[0];
        let (short, full) = (rule.evaluate(&people, today()), rule.interpret(&people, today()));
        for ((facts, short), full) in people.iter().zip(&short).zip(&full) {
            assert_eq!(short, full, "{text}\n{facts:?}");
            asked += 1;
            matched += usize::from(matches!(full, Evaluation::Match { .. }));
        }
    }
    assert!(asked > 80_000 && matched > asked / 10 && matched < asked * 9 / 10, "{asked} {matched}");
}

#[test]
fn a_condition_that_is_an_expression_gives_the_answers_and_the_faults_of_one_of_several_statements() {
    let mut runner = TestRunner::deterministic();
    let people: Vec<Facts> = (0..20).map(|_| customer().new_tree(&mut runner).unwrap().current()).collect();
    // What was read is told of expressions alone.
    let told = |evaluation: Evaluation| match evaluation {
        Evaluation::Match { .. } => Ok(true),
        Evaluation::NoMatch => Ok(false),
        Evaluation::Failed(sentence) => Err(sentence),
    };
    let (mut asked, mut failed) = (0, 0);
    for _ in 0..500 {
        let text = condition().new_tree(&mut runner).unwrap().current();
        let answers = |before: &str, after: &str| -> Option<Vec<Result<bool, String>>> {
            let set = load(&with_condition(&format!("|c| {before}\n{text} {after}"))).ok()?;
            Some(set.rules()[0].interpret(&people, today()).into_iter().map(told).collect())
        };
        let Some(one) = answers("", "") else { continue };
        assert_eq!(Some(&one), answers("{ let nothing = 0;", "}").as_ref(), "{text}");
        asked += one.len();
        failed += one.iter().filter(|answer| answer.is_err()).count();
    }
    assert!(asked > 5_000 && failed > 50, "{asked} {failed}");
}

#[test]
fn an_expression_may_return_from_within_and_calls_functions_as_deep_as_several_statements_do() {
    let mut other = regular();
    other.customer.external_id = "other".to_owned();
    let people = [other, regular()];
    let text = "const LEAST = 2;\nfn twice(n) { n * 2 }\nfn deep(n) { if n == 0 { 0 } else { deep(n - 1) } }\nlet most = 9;\n";
    let answers = |condition: &str| {
        let set = load(&format!("{text}{}", with_condition(condition))).unwrap();
        let told = |answer| matches!(answer, Evaluation::Match { .. });
        set.rules()[0].interpret(&people, today()).into_iter().map(told).collect::<Vec<_>>()
    };
    assert_eq!(answers("|c| ({ if twice(c.orders) > global::LEAST { return true; } false })"), [true; 2]);
    assert_eq!(answers("|c| (c.orders + most) % 100 < most * 10"), [true; 2]);
    // The example customer, who is asked at loading, is nobody's "other".
    let reached: Vec<bool> = (1..20)
        .map(|depth| {
            let condition = format!("deep(if c.id == \"other\" {{ {depth} }} else {{ 0 }}) == 0");
            let (one, several) = (answers(&format!("|c| {condition}")), answers(&format!("|c| {{ let nothing = 0; {condition} }}")));
            assert_eq!(one, several, "{depth}");
            one[0]
        })
        .collect();
    assert!(reached[0] && !reached[18], "{reached:?}");
}
