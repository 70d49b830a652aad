//! Every fact about a customer that a rule may read: the one list that getters, checks, pushdown, documentation and editor definitions come from.

use std::fmt;
use std::sync::Arc;

/// What kind of value a fact has.
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
    /// Text, number or flag, as the shop declares it.
    Any,
}

impl Kind {
    /// The word for people.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Whole => "whole number",
            Self::Decimal => "decimal number",
            Self::Flag => "true or false",
            Self::Texts => "list of texts",
            Self::Any => "text, number or flag",
        }
    }
}

/// What stands in the brackets behind a fact's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// No brackets: `c.orders`.
    Nothing,
    /// A window: `c.orders_in(days(30))`.
    Days,
    /// A name: `c.attr("city")`.
    Name,
    /// A name and perhaps a window: `c.bought("P-1")`, `c.bought("P-1", days(90))`.
    NameAndDays,
}

/// Where a fact stands in the database as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// `customers` or `scores`.
    pub table: Table,
    /// Its name there.
    pub name: &'static str,
    /// The power of ten that the stored whole number is larger by.
    pub scale: u32,
    /// Whether no row means 0, not missing.
    pub or_zero: bool,
}

/// A table with one row for each customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// Everybody.
    Customers,
    /// Those who ordered.
    Scores,
}

/// What there is to say about a fact.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// Which one.
    pub fact: Fact,
    /// Its name after `c.`.
    pub name: &'static str,
    /// What stands in brackets behind it.
    pub takes: Takes,
    /// What kind of value it has.
    pub kind: Kind,
    /// Unit or range, e.g. `days`, `1–5`; empty when there is none.
    pub unit: &'static str,
    /// What it means, and when it is missing.
    pub meaning: &'static str,
    /// A clause that uses it.
    pub example: &'static str,
    /// Where it stands in the database; `None`: it is worked out.
    pub column: Option<Column>,
}

impl Fact {
    /// What there is to say about it.
    #[must_use]
    pub fn about(self) -> &'static About {
        &ALL[self as usize]
    }

    /// The fact of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        ALL.iter().find(|about| about.name == name).map(|about| about.fact)
    }

    /// The fact of that name that is read without brackets.
    #[must_use]
    pub fn field(name: &str) -> Option<Self> {
        Self::named(name).filter(|fact| fact.about().takes == Takes::Nothing)
    }
}

/// A fact with what stands in its brackets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reading {
    /// The fact.
    pub fact: Fact,
    /// The name in brackets.
    pub of: Option<Arc<str>>,
    /// The window in calendar days, today included.
    pub days: Option<i64>,
}

impl From<Fact> for Reading {
    fn from(fact: Fact) -> Self {
        Self { fact, of: None, days: None }
    }
}

/// As a rule's text says it.
impl fmt::Display for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fact.about().name)?;
        match (&self.of, self.days) {
            (None, None) => Ok(()),
            (None, Some(days)) => write!(f, "(days({days}))"),
            (Some(of), None) => write!(f, "({of:?})"),
            (Some(of), Some(days)) => write!(f, "({of:?}, days({days}))"),
        }
    }
}

const fn fact(name: &'static str, kind: Kind, unit: &'static str, meaning: &'static str, example: &'static str) -> About {
    About { fact: Fact::Id, name, takes: Takes::Nothing, kind, unit, meaning, example, column: None }
}

impl About {
    const fn takes(self, takes: Takes) -> Self {
        Self { takes, ..self }
    }

    const fn in_customers(self, name: &'static str) -> Self {
        Self { column: Some(Column { table: Table::Customers, name, scale: 0, or_zero: false }), ..self }
    }

    const fn in_scores(self, name: &'static str, scale: u32) -> Self {
        Self { column: Some(Column { table: Table::Scores, name, scale, or_zero: false }), ..self }
    }

    const fn in_scores_or_zero(self, name: &'static str, scale: u32) -> Self {
        Self { column: Some(Column { table: Table::Scores, name, scale, or_zero: true }), ..self }
    }
}

macro_rules! facts {
    ($($fact:ident => $about:expr;)*) => {
        /// A fact about a customer; [`Fact::about`] says what it means.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "the table says it")]
        pub enum Fact { $($fact),* }

        /// All facts.
        pub const ALL: &[About] = &[$(About { fact: Fact::$fact, ..$about }),*];
    };
}

facts! {
    Id => fact("id", Kind::Text, "", "the shop's key of the customer", "c.id != \"1001\"").in_customers("external_id");
    FirstName => fact("first_name", Kind::Text, "", "given name; missing when unknown", "c.has(\"first_name\")").in_customers("first_name");
    LastName => fact("last_name", Kind::Text, "", "family name; missing when unknown", "c.has(\"last_name\")").in_customers("last_name");
    Locale => fact("locale", Kind::Text, "de, en", "language of their mails; missing: the shop's", "c.locale == \"de\"");
    Tags => fact("tags", Kind::Texts, "", "the shop's labels", "c.tags.contains(\"vip\")");
    HasEmail => fact("has_email", Kind::Flag, "", "whether there is an address to write to", "c.has_email");
    Attr => fact(
        "attr", Kind::Any, "", "an own fact of the shop's, declared in [attributes] of the configuration; missing when the customer has none", "c.attr(\"city\") == \"Bonn\"",
    ).takes(Takes::Name);
    BirthdayInDays => fact("birthday_in_days", Kind::Whole, "days", "days to the next birthday, 0 = today; missing without a birthday", "c.birthday_in_days == 0");
    Age => fact("age", Kind::Whole, "years", "age in full years; missing without a birthday or with a made-up year", "c.age >= 18");
    RecencyDays => fact("recency_days", Kind::Whole, "days", "calendar days since the last order, 0 = today; missing without an order", "c.recency_days > 60")
        .in_scores("recency_days", 0);
    Orders => fact("orders", Kind::Whole, "", "number of paid orders; 0 without one", "c.orders >= 2").in_scores_or_zero("orders", 0);
    Revenue => fact("revenue", Kind::Decimal, "currency", "sum of what was paid; 0 without an order", "c.revenue > 199.90").in_scores_or_zero("revenue_cents", 2);
    AverageOrderValue => fact("average_order_value", Kind::Decimal, "currency", "revenue per order; missing without an order", "c.average_order_value < 25")
        .in_scores("average_order_value_cents", 2);
    TenureDays => fact("tenure_days", Kind::Whole, "days", "calendar days since the first order; missing without an order", "c.tenure_days > 365")
        .in_scores("tenure_days", 0);
    FirstOrderDays => fact("first_order_days", Kind::Whole, "days", "the same as tenure_days", "c.first_order_days == 30").in_scores("tenure_days", 0);
    AnniversaryInDays => fact(
        "anniversary_in_days", Kind::Whole, "days",
        "days to the next return of the first order's day, 0 = today; missing without an order and on its own day", "c.anniversary_in_days == 0",
    );
    AnniversaryYears => fact("anniversary_years", Kind::Whole, "years", "full years since the first order; missing without an order", "c.anniversary_years == 1");
    R => fact("r", Kind::Whole, "1–5", "recency score: 5 = ordered just now; missing without an order", "c.r >= 4").in_scores("r", 0);
    F => fact("f", Kind::Whole, "1–5", "frequency score: 5 = orders often; missing without an order", "c.f >= 4").in_scores("f", 0);
    M => fact("m", Kind::Whole, "1–5", "monetary score: 5 = pays most; missing without an order", "c.m >= 4").in_scores("m", 0);
    Rfm => fact("rfm", Kind::Whole, "111–555", "the three scores as one number; missing without an order", "c.rfm == 555").in_scores("rfm", 0);
    RfmWeighted => fact("rfm_weighted", Kind::Decimal, "1–5", "weighted mean of the three scores; missing without an order", "c.rfm_weighted >= 4.5")
        .in_scores("rfm_weighted_e4", 4);
    Abc => fact("abc", Kind::Text, "A, B, C", "class by revenue: A = the customers of the first 80 %; missing without an order", "c.abc == \"A\"").in_scores("abc", 0);
    RevenueRank => fact("revenue_rank", Kind::Whole, "from 1", "place by revenue, 1 = the best customer; missing without an order", "c.revenue_rank <= 100")
        .in_scores("revenue_rank", 0);
    TopPercent => fact(
        "top_percent", Kind::Whole, "1–100", "the customer is among the top so many percent by revenue; missing without an order", "c.top_percent <= 10",
    ).in_scores("top_percent", 0);
    Month => fact("month", Kind::Whole, "1–12", "the month of the run's day", "c.month == 12");
    Day => fact("day", Kind::Whole, "1–31", "the day of the month of the run's day", "c.day <= 7");
    Weekday => fact("weekday", Kind::Whole, "1–7", "the weekday of the run's day, 1 = Monday", "c.weekday <= 5");
    BirthdayMonth => fact("birthday_month", Kind::Whole, "1–12", "the month of the birthday; missing without a birthday", "c.birthday_month == c.month");
    BirthdayThisWeek => fact(
        "birthday_this_week", Kind::Flag, "", "whether the birthday falls into the calendar week (Monday to Sunday) of the run's day",
        "c.birthday_this_week",
    );
    DaysUntil => fact(
        "days_until", Kind::Whole, "days", "days to the next return of a day of the year (month-day), or to a date (year-month-day; negative when it has passed)",
        "c.days_until(\"12-24\") <= 10",
    ).takes(Takes::Name);
    OrdersIn => fact("orders_in", Kind::Whole, "", "number of paid orders in the window", "c.orders_in(days(90)) >= 2").takes(Takes::Days);
    RevenueIn => fact("revenue_in", Kind::Decimal, "currency", "sum of what was paid in the window", "c.revenue_in(days(365)) > 100").takes(Takes::Days);
    Bought => fact(
        "bought", Kind::Flag, "", "whether a paid order, of the window if there is one, has a line with this article number or product name",
        "c.bought(\"P-101\", days(180))",
    ).takes(Takes::NameAndDays);
    BoughtCategory => fact(
        "bought_category", Kind::Flag, "", "whether a paid order, of the window if there is one, has a line of this category", "c.bought_category(\"Pralinen\")",
    ).takes(Takes::NameAndDays);
    Pieces => fact(
        "pieces", Kind::Whole, "pieces", "how many pieces with this article number or product name were bought, in the window if there is one",
        "c.pieces(\"P-101\") >= 10",
    ).takes(Takes::NameAndDays);
    PiecesOfCategory => fact(
        "pieces_of_category", Kind::Whole, "pieces", "how many pieces of this category were bought, in the window if there is one",
        "c.pieces_of_category(\"Pralinen\", days(365)) >= 5",
    ).takes(Takes::NameAndDays);
    EmailsIn => fact("emails_in", Kind::Whole, "", "number of emails from all rules in the window; those that failed or were withdrawn do not count", "c.emails_in(days(14)) == 0")
        .takes(Takes::Days);
    EmailsOf => fact(
        "emails_of", Kind::Whole, "", "number of emails from this rule, in the window if there is one", "c.emails_of(\"win-back\", days(180)) == 0",
    ).takes(Takes::NameAndDays);
}
