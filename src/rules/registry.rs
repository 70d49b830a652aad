//! Every field of a customer that a rule may read: the one list that getters, checks, logged inputs and the documentation come from.

use std::sync::Arc;

use chrono::{Datelike, NaiveDate};
use rhai::{Dynamic, Engine, EvalAltResult};
use rust_decimal::Decimal;

use super::suggest;
use crate::base::money::Cents;
use crate::base::time::{anniversary, days_until_anniversary};
use crate::model::facts::{Facts, Moment};
use crate::model::score::Score;

/// What kind of value a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Whole,
    /// An exact decimal number.
    Decimal,
    /// `true` or `false`.
    Flag,
    /// A list of texts.
    Texts,
}

/// A field of the customer.
#[derive(Debug)]
pub struct Field {
    /// Its name after `c.`.
    pub name: &'static str,
    /// What kind of value it has.
    pub kind: Kind,
    /// Unit or range, e.g. `days`, `1–5`; empty when there is none.
    pub unit: &'static str,
    /// What it means, and when it is missing.
    pub meaning: &'static str,
    /// A clause that uses it.
    pub example: &'static str,
    get: fn(&View<'_>) -> Dynamic,
}

/// A customer as a script sees them.
#[derive(Clone)]
pub(super) struct Customer(Arc<(Facts, Moment, NaiveDate)>);

/// A customer at a moment.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub facts: &'a Facts,
    moment: Moment,
    pub today: NaiveDate,
}

impl View<'_> {
    /// The value of a field; `()` when it is missing.
    pub(super) fn value(&self, field: &Field) -> Dynamic {
        (field.get)(self)
    }

    pub(super) fn customer(&self) -> Customer {
        Customer(Arc::new((self.facts.clone(), self.moment, self.today)))
    }
}

impl<'a> View<'a> {
    /// `today` is the moment's day, which takes longer to find than a field.
    pub(super) fn new(facts: &'a Facts, moment: Moment, today: NaiveDate) -> Self {
        Self { facts, moment, today }
    }
}

impl Customer {
    fn value(&self, field: &Field) -> Dynamic {
        View::new(&self.0.0, self.0.1, self.0.2).value(field)
    }
}

/// The field of that name.
#[must_use]
pub fn field(name: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.name == name)
}

/// Teaches an engine the customer.
pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Customer>("Customer");
    for field in FIELDS {
        engine.register_get(field.name, |customer: &mut Customer| customer.value(field));
    }
    engine.register_fn("has", |customer: &mut Customer, name: &str| -> Result<bool, Box<EvalAltResult>> {
        let field = field(name).ok_or_else(|| unknown_field(name))?;
        Ok(!customer.value(field).is_unit())
    });
}

/// The sentence about a field that does not exist.
pub(super) fn unknown_field(name: &str) -> String {
    format!("unknown field '{name}'{}", suggest::hint(name, FIELDS.iter().map(|field| field.name), ""))
}

fn text(value: Option<&str>) -> Dynamic {
    value.map_or(Dynamic::UNIT, |text| text.to_owned().into())
}

fn whole(value: Option<i64>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Dynamic::from)
}

/// Cents as an exact number of euros (or what the shop's currency is).
fn amount(cents: Cents) -> Dynamic {
    Decimal::new(cents.0, 2).into()
}

impl View<'_> {
    fn score<T>(&self, read: impl FnOnce(&Score) -> T) -> Option<T> {
        self.facts.score.as_ref().map(read)
    }

    fn first_order(&self) -> Option<NaiveDate> {
        self.score(|score| self.moment.zone.date(score.first_order_at))
    }

    /// Times that the day has come round since `day`, today included.
    fn returns(&self, day: NaiveDate) -> i64 {
        let passed = anniversary(day, self.today.year()) <= self.today;
        i64::from(self.today.year() - day.year()) - i64::from(!passed)
    }

    fn age(&self) -> Option<i64> {
        // Shops that do not ask for the year store 1900 or 0001: nobody is that old.
        self.facts.customer.birthday.map(|born| self.returns(born)).filter(|age| (0..=115).contains(age))
    }

    fn anniversary_in_days(&self) -> Option<i64> {
        self.first_order().filter(|day| *day < self.today).map(|day| days_until_anniversary(day, self.today))
    }
}

macro_rules! fields {
    ($($name:literal $kind:ident $unit:literal, $meaning:literal, $example:literal, $get:expr;)*) => {
        /// All fields.
        pub const FIELDS: &[Field] =
            &[$(Field { name: $name, kind: Kind::$kind, unit: $unit, meaning: $meaning, example: $example, get: $get }),*];
    };
}

fields! {
    "id" Text "", "the shop's key of the customer", "c.id != \"1001\"", |c| c.facts.customer.external_id.clone().into();
    "first_name" Text "", "given name; missing when unknown", "c.has(\"first_name\")", |c| text(c.facts.customer.first_name.as_deref());
    "last_name" Text "", "family name; missing when unknown", "c.has(\"last_name\")", |c| text(c.facts.customer.last_name.as_deref());
    "locale" Text "de, en", "language of their mails; missing: the shop's", "c.locale == \"de\"", |c| text(c.facts.customer.locale.map(crate::model::customer::Locale::code));
    "tags" Texts "", "the shop's labels", "c.tags.contains(\"vip\")",
        |c| c.facts.customer.tags.iter().map(|tag| Dynamic::from(tag.clone())).collect::<rhai::Array>().into();
    "has_email" Flag "", "whether there is an address to write to", "c.has_email", |c| c.facts.customer.email.is_some().into();
    "birthday_in_days" Whole "days", "days to the next birthday, 0 = today; missing without a birthday", "c.birthday_in_days == 0",
        |c| whole(c.facts.customer.birthday.map(|born| days_until_anniversary(born, c.today)));
    "age" Whole "years", "age in full years; missing without a birthday or with a made-up year", "c.age >= 18", |c| whole(c.age());
    "recency_days" Whole "days", "calendar days since the last order, 0 = today; missing without an order", "c.recency_days > 60",
        |c| whole(c.score(|score| score.recency_days));
    "orders" Whole "", "number of orders; 0 without one", "c.orders >= 2", |c| c.score(|score| score.orders).unwrap_or(0).into();
    "revenue" Decimal "currency", "sum of what was paid; 0 without an order", "c.revenue > 199.90",
        |c| amount(c.score(|score| score.revenue).unwrap_or_default());
    "average_order_value" Decimal "currency", "revenue per order; missing without an order", "c.average_order_value < 25",
        |c| c.score(|score| amount(score.average_order_value)).unwrap_or_default();
    "tenure_days" Whole "days", "calendar days since the first order; missing without an order", "c.tenure_days > 365",
        |c| whole(c.score(|score| score.tenure_days));
    "first_order_days" Whole "days", "the same as tenure_days", "c.first_order_days == 30", |c| whole(c.score(|score| score.tenure_days));
    "anniversary_in_days" Whole "days", "days to the next return of the first order's day, 0 = today; missing without an order and on its own day",
        "c.anniversary_in_days == 0", |c| whole(c.anniversary_in_days());
    "anniversary_years" Whole "years", "full years since the first order; missing without an order", "c.anniversary_years == 1",
        |c| whole(c.first_order().map(|day| c.returns(day)));
    "r" Whole "1–5", "recency score: 5 = ordered just now; missing without an order", "c.r >= 4", |c| whole(c.score(|score| score.r));
    "f" Whole "1–5", "frequency score: 5 = orders often; missing without an order", "c.f >= 4", |c| whole(c.score(|score| score.f));
    "m" Whole "1–5", "monetary score: 5 = pays most; missing without an order", "c.m >= 4", |c| whole(c.score(|score| score.m));
    "rfm" Whole "111–555", "the three scores as one number; missing without an order", "c.rfm == 555", |c| whole(c.score(|score| score.rfm));
    "rfm_weighted" Decimal "1–5", "weighted mean of the three scores; missing without an order", "c.rfm_weighted >= 4.5",
        |c| c.score(|score| Dynamic::from(Decimal::new(score.rfm_weighted_e4, 4))).unwrap_or_default();
    "abc" Text "A, B, C", "class by revenue: A = the customers of the first 80 %; missing without an order", "c.abc == \"A\"",
        |c| text(c.score(|score| score.abc.code()));
    "revenue_rank" Whole "from 1", "place by revenue, 1 = the best customer; missing without an order", "c.revenue_rank <= 100",
        |c| whole(c.score(|score| score.revenue_rank));
    "top_percent" Whole "1–100", "the customer is among the top so many percent by revenue; missing without an order", "c.top_percent <= 10",
        |c| whole(c.score(|score| score.top_percent));
}
